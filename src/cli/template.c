/* brisk template: what a model's chat template makes of a chat, the text that the model would read.
 * The rendering is the runtime's; here the chat is put together from argument, stdin and flags. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "base/banned.h"

struct template_flags {
    struct model_flags model;
    const char *tools, *documents, *variables, *name;
    bool no_prompt, goes_on, json;
};

static int input_error(const char *what, const struct error *err) {
    return command_error("template", error_exit_code(ERROR_INPUT), "%s: %s", what, err->text);
}

/* --tools and the like: the flag's JSON in place of the chat's own member. */
static int write_member(struct json_out *out, struct arena *arena, const struct json *chat,
                        const char *key, const char *flag) {
    const struct json *value = json_get(chat, key);
    struct error err = {0};
    if (flag != NULL &&
        json_parse(&value, arena, flag, strlen(flag), JSON_STRICT, &err) != STATUS_OK)
        return input_error(key, &err);
    if (value != NULL) {
        json_key(out, key);
        json_value(out, value);
    }
    return 0;
}

static void write_switch(struct json_out *out, const struct json *chat, const char *key, bool flag,
                         bool flag_value) {
    const struct json *value = json_get(chat, key);
    if (!flag && value == NULL)
        return;
    json_key(out, key);
    if (flag)
        json_bool(out, flag_value);
    else
        json_value(out, value);
}

/* The chat and the flags as one object for the runtime. */
static int write_request(struct buf *body, struct arena *arena, const struct template_flags *flags,
                         const char *text, size_t len) {
    const struct json *chat = NULL;
    struct error err = {0};
    if (json_parse(&chat, arena, text, len, JSON_STRICT, &err) != STATUS_OK)
        return input_error("the chat", &err);
    const bool is_list = json_is(chat, JSON_ARRAY);
    const struct json *messages = is_list ? chat : json_get(chat, "messages");
    const struct json *own = is_list ? NULL : chat;
    struct json_out out = json_out_begin(body);
    json_open_object(&out);
    if (messages != NULL) {
        json_key(&out, "messages");
        json_value(&out, messages);
    }
    int code = write_member(&out, arena, own, "tools", flags->tools);
    if (code == 0)
        code = write_member(&out, arena, own, "documents", flags->documents);
    if (code == 0)
        code = write_member(&out, arena, own, "chat_template_kwargs", flags->variables);
    if (code != 0)
        return code;
    write_switch(&out, own, "add_generation_prompt", flags->no_prompt || flags->goes_on, false);
    write_switch(&out, own, "continue_final_message", flags->goes_on, true);
    const char *name = flags->name != NULL ? flags->name : json_get_string(own, "template", NULL);
    if (name != NULL) {
        json_key(&out, "template");
        json_string(&out, name);
    }
    json_close_object(&out);
    return 0;
}

/* The text as it is, or as a JSON string. */
static int print_text(const struct template_flags *flags, const struct brisk_answer *answer) {
    struct arena arena = {0};
    const struct json *text = NULL;
    struct error err = {0};
    int code = 0;
    if (flags->json)
        print_line(answer->body, answer->body_len);
    else if (json_parse(&text, &arena, answer->body, answer->body_len, JSON_STRICT, &err) ==
             STATUS_OK)
        print_line(text->text, text->len);
    else
        code = input_error("the text", &err);
    arena_deinit(&arena);
    return code;
}

static int render(const struct brisk_chat *chat, const struct template_flags *flags,
                  const char *text, size_t len) {
    struct arena arena = {0};
    struct brisk_answer answer = {0};
    struct buf body;
    buf_init(&body, 2 * LIMIT_BODY);
    int code = write_request(&body, &arena, flags, text, len);
    if (code == 0) {
        brisk_chat_render(chat, body.data, body.len, &answer);
        code =
            answer.status == 200 ? print_text(flags, &answer) : answer_error("template", &answer);
        brisk_answer_free(&answer);
    }
    buf_deinit(&body);
    arena_deinit(&arena);
    return code;
}

/* With --json a chat a line; else all of it is one. */
static int render_all(const struct brisk_chat *chat, const struct template_flags *flags,
                      const char *text, size_t len) {
    int code = 0;
    if (!flags->json)
        return render(chat, flags, text, len);
    for (size_t at = 0; at < len && code == 0;) {
        const char *end = memchr(text + at, '\n', len - at);
        const size_t n = end == NULL ? len - at : (size_t)(end - text) - at;
        code = render(chat, flags, text + at, n);
        at += n + 1;
    }
    return code;
}

static int read_chat(struct buf *input, const char *argument) {
    size_t bad = 0;
    if (argument != NULL && strcmp(argument, "-") != 0)
        buf_puts(input, argument);
    else if (argument == NULL && isatty(STDIN_FILENO))
        return command_error("template", error_exit_code(ERROR_INPUT),
                             "no chat: give its JSON, or - to read it from stdin");
    else
        read_stdin(input);
    if (input->overflow)
        return command_error("template", error_exit_code(ERROR_TOO_LARGE), "the chat is too large");
    if (input->len > 0 && !utf8_valid(input->data, input->len, &bad))
        return command_error("template", error_exit_code(ERROR_INPUT),
                             "the chat is not valid UTF-8 at byte %zu", bad);
    return 0;
}

static int run(const struct template_flags *flags, const char *model, const char *argument) {
    struct brisk *brisk = NULL;
    struct brisk_chat *chat = NULL;
    struct arena arena = {0};
    struct buf input;
    char error[LIMIT_ERROR_TEXT];
    buf_init(&input, flags->json ? LIMIT_TEXT : LIMIT_BODY);
    int code = read_chat(&input, argument);
    if (code == 0)
        code = runtime_open(&brisk, "template", &flags->model);
    if (code == 0) {
        code = brisk_chat_open(&chat, brisk, model_argument(&arena, model), error, sizeof(error));
        if (code != 0)
            command_error("template", code, "%s", error);
    }
    if (code == 0)
        code = render_all(chat, flags, input.data == NULL ? "" : input.data, input.len);
    brisk_chat_close(chat);
    brisk_destroy(brisk);
    buf_deinit(&input);
    arena_deinit(&arena);
    return code;
}

int command_template(int argc, char **argv) {
    struct template_flags flags = {.model = {.threads = 1}};
    const struct option options[] = {
        {"--tools", "JSON", "list of tools that the chat may call", OPTION_TEXT, &flags.tools},
        {"--documents", "JSON", "list of documents, as objects of title and text", OPTION_TEXT,
         &flags.documents},
        {"--variables", "JSON", "object of more variables that the template sees", OPTION_TEXT,
         &flags.variables},
        {"--template", "NAME", "one of the model's templates (default, or tool_use with --tools)",
         OPTION_TEXT, &flags.name},
        {"--no-generation-prompt", NULL, "end with the last message, not with the next one's start",
         OPTION_FLAG, &flags.no_prompt},
        {"--continue", NULL, "end inside the last message, which is to go on", OPTION_FLAG,
         &flags.goes_on},
        {"--json", NULL, "a chat a line in, its text as a JSON string a line out", OPTION_FLAG,
         &flags.json},
        {"--models", "DIR", "folder with models as {org}/{name}/ or {name}/; may be repeated",
         OPTION_TEXTS, &flags.model.folders},
    };
    const struct usage usage = {
        .command = "template",
        .arguments = "MODEL [CHAT|-]",
        .text =
            "Prints the text that MODEL, an id under --models or a folder, would read of a chat:\n"
            "its chat template applied as transformers does. CHAT is a JSON list of messages, or\n"
            "an object with messages and perhaps tools, documents, add_generation_prompt,\n"
            "continue_final_message, template and chat_template_kwargs. The folder need hold no\n"
            "weights.\n\n"
            "  brisk template ./my-model '[{\"role\": \"user\", \"content\": \"Hello\"}]'\n"
            "  brisk template ./my-model --tools \"$(cat tools.json)\" < chat.json",
        .options = options,
        .n_options = ARRAY_LEN(options),
        .min_words = 1,
        .max_words = 2,
    };
    struct words words;
    int code = 0;
    if (!options_parse(&usage, argc, argv, &words, &code))
        return code;
    return run(&flags, words.at[0], words.n > 1 ? words.at[1] : NULL);
}
