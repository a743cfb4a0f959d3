/* brisk run: one request to a model, without a server. The body is made here; what it means is the
 * task's. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "base/banned.h"

struct run_flags {
    struct model_flags model;
    struct cache_flags cache;
    const char *task, *parameters;
    bool json;
};

/* What begins like a JSON object or list and is one goes in as that, anything else as a text. */
static const struct json *input_json(struct arena *arena, const char *text, size_t len) {
    const struct json *value = NULL;
    struct error err = {0};
    if (len == 0 || (text[0] != '{' && text[0] != '['))
        return NULL;
    return json_parse(&value, arena, text, len, JSON_STRICT, &err) == STATUS_OK ? value : NULL;
}

static void write_body(struct buf *body, struct arena *arena, const char *input, size_t len,
                       const struct json *parameters) {
    const struct json *value = input_json(arena, input, len);
    struct json_out out = json_out_begin(body);
    json_open_object(&out);
    json_key(&out, "inputs");
    if (value != NULL)
        json_value(&out, value);
    else
        json_string_n(&out, input, len);
    if (parameters != NULL) {
        json_key(&out, "parameters");
        json_value(&out, parameters);
    }
    json_close_object(&out);
}

/* The text of the argument, or of stdin without its last line feed. */
static int read_input(struct buf *input, const char *argument) {
    if (argument != NULL && strcmp(argument, "-") != 0) {
        buf_puts(input, argument);
    } else if (argument == NULL && isatty(STDIN_FILENO)) {
        return command_error("run", error_exit_code(ERROR_INPUT),
                             "no input: give a text, or - to read it from stdin");
    } else {
        read_stdin(input);
        while (input->len > 0 && input->data[input->len - 1] == '\n')
            input->data[--input->len] = '\0';
    }
    size_t bad = 0;
    if (input->overflow)
        return command_error("run", error_exit_code(ERROR_TOO_LARGE), "the input is too large");
    if (input->len > 0 && !utf8_valid(input->data, input->len, &bad))
        return command_error("run", error_exit_code(ERROR_INPUT),
                             "the input is not valid UTF-8 at byte %zu", bad);
    return 0;
}

static int run_model(const struct run_flags *flags, const char *model, const struct buf *body) {
    struct brisk *brisk = NULL;
    int code = runtime_open(&brisk, "run", &flags->model);
    if (code != 0)
        return code;
    code = model_load(brisk, "run", model);
    if (code == 0) {
        const struct brisk_request request = {.model = model,
                                              .task = flags->task,
                                              .body = body->data,
                                              .body_len = body->len,
                                              .wait_for_model = true,
                                              .no_cache = true};
        struct brisk_answer answer = {0};
        brisk_run(brisk, &request, &answer);
        if (answer.status != 200)
            code = answer_error("run", &answer);
        else if (flags->json)
            print_line(answer.body, answer.body_len);
        else
            print_pretty(answer.body, answer.body_len);
        if (answer.status == 200 && answer.truncated_tokens > 0)
            fprintf(stderr, "brisk run: the input was too long, %llu tokens were cut off\n",
                    (unsigned long long)answer.truncated_tokens);
        brisk_answer_free(&answer);
        fflush(stdout); /* what follows may take a moment: packed weights are written */
    }
    brisk_destroy(brisk);
    return code;
}

static int parse_parameters(const char *text, struct arena *arena, const struct json **out) {
    struct error err = {0};
    if (text == NULL)
        return 0;
    if (json_parse(out, arena, text, strlen(text), JSON_STRICT, &err) != STATUS_OK)
        return command_error("run", error_exit_code(ERROR_INPUT), "--parameters: %s", err.text);
    if (!json_is(*out, JSON_OBJECT))
        return command_error("run", error_exit_code(ERROR_INPUT),
                             "--parameters is %s, must be a JSON object like {\"top_k\": 3}",
                             json_type_name((*out)->type));
    return 0;
}

int command_run(int argc, char **argv) {
    struct run_flags flags = {0};
    const struct option options[] = {
        {"--task", "T", "the task, e.g. text-generation (the model's own)", OPTION_TEXT,
         &flags.task},
        {"--parameters", "JSON", "e.g. '{\"max_new_tokens\": 20}'", OPTION_TEXT, &flags.parameters},
        {"--json", NULL, "print the answer as JSON", OPTION_FLAG, &flags.json},
        MODEL_OPTIONS(flags.model),
        CACHE_OPTIONS(flags.cache),
    };
    const struct usage usage = {
        .command = "run",
        .arguments = "MODEL [INPUT|-]",
        .text =
            "Runs MODEL, an id under --models or a folder, on INPUT and prints the answer. INPUT\n"
            "is a text, or JSON for tasks that take more than one; - reads it from stdin.\n\n"
            "  brisk run ./my-model 'A fine film.'\n"
            "  brisk run org/squad '{\"question\": \"Who?\", \"context\": \"Ada wrote it.\"}'",
        .options = options,
        .n_options = ARRAY_LEN(options),
        .min_words = 1,
        .max_words = 2,
    };
    struct words words;
    int code = 0;
    if (!options_parse(&usage, argc, argv, &words, &code))
        return code;
    struct arena arena = {0};
    struct buf input, body;
    buf_init(&input, LIMIT_BODY);
    buf_init(&body, 8 * LIMIT_BODY);
    const struct json *parameters = NULL;
    code = parse_parameters(flags.parameters, &arena, &parameters);
    if (code == 0)
        code = read_input(&input, words.n > 1 ? words.at[1] : NULL);
    if (code == 0) {
        write_body(&body, &arena, input.data == NULL ? "" : input.data, input.len, parameters);
        flags.model.cache_folder = cache_folder(&flags.cache, NULL, &arena);
        flags.model.cache_bytes = flags.cache.bytes;
        code = run_model(&flags, model_argument(&arena, words.at[0]), &body);
    }
    buf_deinit(&body);
    buf_deinit(&input);
    arena_deinit(&arena);
    return code;
}
