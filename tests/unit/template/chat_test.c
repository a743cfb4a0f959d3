/* Chats: where a folder's templates come from, which one is taken, what variables it sees, and how
 * the last message goes on. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "template/template.h"
#include "base/banned.h"

struct place {
    struct arena arena;
    char folder[64];
};

static void make_place(struct place *place) {
    *place = (struct place){.folder = "/tmp/brisk-chat-XXXXXX"};
    assert_non_null(mkdtemp(place->folder));
}

static void put_file(struct place *place, const char *name, const char *text) {
    struct error err = {0};
    const char *path = path_join(&place->arena, place->folder, name);
    if (file_write_durable(path, text, strlen(text), &err) != STATUS_OK)
        fail_msg("%s: %s", path, err.text);
}

static void remove_place(struct place *place) {
    static const char *const names[] = {"chat_template.jinja", "chat_template.json",
                                        "additional_chat_templates/tool_use.jinja",
                                        "additional_chat_templates"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *path = path_join(&place->arena, place->folder, names[i]);
        if (unlink(path) != 0)
            rmdir(path);
    }
    assert_int_equal(rmdir(place->folder), 0);
    arena_deinit(&place->arena);
}

static const struct json *parse(struct arena *arena, const char *text) {
    struct error err = {0};
    const struct json *json = NULL;
    if (text == NULL)
        return NULL;
    if (json_parse(&json, arena, text, strlen(text), JSON_PYTHON, &err) != STATUS_OK)
        fail_msg("%s: %s", text, err.text);
    return json;
}

/* What comes out, or the error's text, in the arena. */
static const char *answer(struct place *place, const struct chat *chat,
                          const struct chat_request *request) {
    struct error err = {0};
    struct buf out;
    buf_init(&out, MiB);
    const char *text = chat_render(chat, &out, request, NULL, &err) == STATUS_OK
                           ? arena_printf(&place->arena, "%s", out.data ? out.data : "")
                           : arena_printf(&place->arena, "%s", err.text);
    buf_deinit(&out);
    return text;
}

#define MESSAGES "[{\"role\": \"user\", \"content\": \"Hi\"}]"

static void test_places_of_templates_come_in_their_order(void **state) {
    static const struct {
        const char *jinja, *additional, *config, *json, *tools, *name, *want;
    } rows[] = {
        {NULL, NULL, NULL, NULL, NULL, NULL, "the model has no chat template"},
        {"file", "tool", "\"config\"", "json", NULL, NULL, "file"},
        {"file", "tool", NULL, NULL, "[]", NULL, "tool"},
        {"file", NULL, NULL, NULL, "[]", NULL, "file"},
        {"file", "tool", NULL, NULL, "[]", "default", "file"},
        {"file", NULL, NULL, NULL, NULL, "rag", "no chat template named \"rag\""},
        {NULL, NULL, "\"config\"", "json", NULL, NULL, "config"},
        {NULL, NULL, NULL, "json", NULL, NULL, "json"},
        {NULL, "tool", "\"config\"", NULL, NULL, NULL, "no default"},
        {NULL, NULL,
         "[{\"name\": \"default\", \"template\": \"a\"}, {\"name\": \"tool_use\", "
         "\"template\": \"b\"}]",
         NULL, NULL, NULL, "a"},
        {NULL, NULL,
         "[{\"name\": \"default\", \"template\": \"a\"}, {\"name\": \"tool_use\", "
         "\"template\": \"b\"}]",
         NULL, "[{}]", NULL, "b"},
        {NULL, NULL, "5", NULL, NULL, NULL, "must be a string or a list"},
        {NULL, NULL, "[5]", NULL, NULL, NULL, "must have a \"name\""},
        {NULL, NULL, "\"{{\"", NULL, NULL, NULL, "chat template \"default\": line 1: "},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct place place;
        make_place(&place);
        if (rows[i].jinja)
            put_file(&place, "chat_template.jinja", rows[i].jinja);
        if (rows[i].additional) {
            mkdir(path_join(&place.arena, place.folder, "additional_chat_templates"), 0700);
            put_file(&place, "additional_chat_templates/tool_use.jinja", rows[i].additional);
        }
        if (rows[i].json)
            put_file(&place, "chat_template.json",
                     arena_printf(&place.arena, "{\"chat_template\": \"%s\"}", rows[i].json));
        const struct json *config =
            rows[i].config
                ? parse(&place.arena,
                        arena_printf(&place.arena, "{\"chat_template\": %s}", rows[i].config))
                : NULL;
        struct chat *chat = chat_open(place.folder, config, NULL);
        const struct chat_request request = {.messages = parse(&place.arena, MESSAGES),
                                             .tools = parse(&place.arena, rows[i].tools),
                                             .template_name = rows[i].name};
        const char *got = answer(&place, chat, &request);
        if (strstr(got, rows[i].want) == NULL)
            fail_msg("row %zu: wanted \"%s\", got \"%s\"", i, rows[i].want, got);
        chat_close(chat);
        remove_place(&place);
    }
}

static void test_variables_are_those_of_transformers(void **state) {
    static const struct {
        const char *config, *map, *more, *source, *want;
    } rows[] = {
        {"{\"bos_token\": \"<s>\", \"eos_token\": {\"content\": \"</s>\"}}", NULL, NULL,
         "{{ bos_token ~ eos_token }}", "<s></s>"},
        {"{\"bos_token\": null, \"pad_token\": \"\"}", NULL, NULL,
         "{{ bos_token is defined }}{{ pad_token is defined }}", "FalseFalse"},
        {"{\"bos_token\": \"a\"}", "{\"bos_token\": \"b\"}", NULL, "{{ bos_token }}", "b"},
        {"{\"bos_token\": \"a\", \"added_tokens_decoder\": {}}", "{\"bos_token\": \"b\"}", NULL,
         "{{ bos_token }}", "a"},
        {"{\"additional_special_tokens\": [\"x\", {\"content\": \"y\"}]}", NULL, NULL,
         "{{ additional_special_tokens }}", "['x', 'y']"},
        {"{\"extra_special_tokens\": {\"image_token\": \"<i>\"}}", NULL, NULL, "{{ image_token }}",
         "<i>"},
        {"{\"bos_token\": \"a\"}", NULL, "{\"bos_token\": \"z\", \"enable_thinking\": false}",
         "{{ bos_token }}{{ enable_thinking }}", "zFalse"},
        {NULL, NULL, NULL, "{{ tools }}{{ documents }}{{ add_generation_prompt }}",
         "NoneNoneFalse"},
        {NULL, NULL, NULL, "{{ messages }}", "[{'role': 'user', 'content': 'Hi'}]"},
        {NULL, NULL, NULL, "{{ raise_exception('no!') }}", "chat template: no!"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct place place;
        make_place(&place);
        put_file(&place, "chat_template.jinja", rows[i].source);
        struct chat *chat = chat_open(place.folder, parse(&place.arena, rows[i].config),
                                      parse(&place.arena, rows[i].map));
        const struct chat_request request = {.messages = parse(&place.arena, MESSAGES),
                                             .variables = parse(&place.arena, rows[i].more)};
        assert_string_equal(answer(&place, chat, &request), rows[i].want);
        chat_close(chat);
        remove_place(&place);
    }
}

static void test_the_last_message_goes_on(void **state) {
    static const char plain[] = "{% for m in messages %}<{{ m.content }}>{% endfor %}";
    static const char trims[] = "{% for m in messages %}<{{ m.content|trim }}>{% endfor %}";
    static const struct {
        const char *source, *messages, *want;
    } rows[] = {
        {plain, "[{\"content\": \"a\"}, {\"content\": \" so \"}]", "<a>< so "},
        {trims, "[{\"content\": \"a\"}, {\"content\": \" so \"}]", "<a><so"},
        {plain, "[{\"content\": \"\"}]", "<"},
        {"{{ messages[0].content[1].text }}!",
         "[{\"content\": [{\"text\": \"a\"}, {\"text\": \"b\"}, {\"type\": \"image\"}]}]", "b"},
        {plain, "[{\"content\": [{\"type\": \"image\"}]}]", "has no text"},
        {plain, "[{\"content\": null}]", "has no text"},
        {"nothing", "[{\"content\": \"a\"}]", "changes it or leaves it out"},
        {"{{ messages[0].content|upper }}", "[{\"content\": \"a\"}]", "changes it"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct place place;
        make_place(&place);
        put_file(&place, "chat_template.jinja", rows[i].source);
        struct chat *chat = chat_open(place.folder, NULL, NULL);
        const struct chat_request request = {.messages = parse(&place.arena, rows[i].messages),
                                             .continue_final_message = true};
        const char *got = answer(&place, chat, &request);
        const bool error = strchr(rows[i].want, ' ') != NULL && rows[i].want[0] != '<';
        if (error ? strstr(got, rows[i].want) == NULL : strcmp(got, rows[i].want) != 0)
            fail_msg("row %zu: wanted \"%s\", got \"%s\"", i, rows[i].want, got);
        chat_close(chat);
        remove_place(&place);
    }
}

static void test_what_is_no_chat_is_refused(void **state) {
    static const struct {
        const char *messages, *tools, *documents, *want;
    } rows[] = {
        {NULL, NULL, NULL, "at least one message"},
        {"[]", NULL, NULL, "at least one message"},
        {"{}", NULL, NULL, "at least one message"},
        {"[5]", NULL, NULL, "messages[0] is a number"},
        {MESSAGES, "5", NULL, "\"tools\" is a number"},
        {MESSAGES, "[\"f\"]", NULL, "tools[0] is a string"},
        {MESSAGES, NULL, "[1]", "documents[0]"},
    };
    struct place place;
    make_place(&place);
    put_file(&place, "chat_template.jinja", "text");
    struct chat *chat = chat_open(place.folder, NULL, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct chat_request request = {.messages = parse(&place.arena, rows[i].messages),
                                             .tools = parse(&place.arena, rows[i].tools),
                                             .documents = parse(&place.arena, rows[i].documents)};
        const char *got = answer(&place, chat, &request);
        if (strstr(got, rows[i].want) == NULL)
            fail_msg("row %zu: wanted \"%s\", got \"%s\"", i, rows[i].want, got);
    }
    const struct chat_request both = {.messages = parse(&place.arena, MESSAGES),
                                      .add_generation_prompt = true,
                                      .continue_final_message = true};
    assert_non_null(strstr(answer(&place, chat, &both), "exclude each other"));
    chat_close(chat);
    remove_place(&place);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places_of_templates_come_in_their_order),
        cmocka_unit_test(test_variables_are_those_of_transformers),
        cmocka_unit_test(test_the_last_message_goes_on),
        cmocka_unit_test(test_what_is_no_chat_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
