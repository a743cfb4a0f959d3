/* Renders templates a line each, for tests/diff/templates.py and tools/goldens/template.py: reads
 * {"template", "variables", "now"} and prints {"text"} or {"error", "parse"}. Not part of Brisk. */
#include "template/template.h"

#include <stdio.h>

#include "base/banned.h"

static void answer(struct json_out *out, const struct json *line) {
    const struct json *source = json_get(line, "template");
    const struct template_options options = {.now_s = json_get_int(line, "now", 0)};
    struct template *tmpl = NULL;
    struct error err = {0};
    struct buf text;
    buf_init(&text, LIMIT_TEMPLATE_OUTPUT);
    json_open_object(out);
    const bool parsed = template_parse(&tmpl, source->text, source->len, &err) == STATUS_OK;
    if (parsed &&
        template_render(tmpl, &text, json_get(line, "variables"), &options, &err) == STATUS_OK) {
        json_key(out, "text");
        json_string_n(out, text.data ? text.data : "", text.len);
    } else {
        json_key(out, "error");
        json_string(out, err.text);
        json_key(out, "parse");
        json_bool(out, !parsed);
    }
    json_close_object(out);
    template_destroy(tmpl);
    buf_deinit(&text);
}

int main(void) {
    char *line = NULL;
    size_t cap = 0;
    ssize_t len = 0;
    while ((len = getline(&line, &cap, stdin)) > 0) {
        struct arena arena = {0};
        struct error err = {0};
        const struct json *json = NULL;
        struct buf buf;
        buf_init(&buf, LIMIT_RESPONSE);
        struct json_out out = json_out_begin(&buf);
        if (json_parse(&json, &arena, line, (size_t)len, JSON_PYTHON, &err) != STATUS_OK) {
            fprintf(stderr, "template-lines: %s\n", err.text);
            return 2;
        }
        answer(&out, json);
        fwrite(buf.data, 1, buf.len, stdout);
        putchar('\n');
        fflush(stdout);
        buf_deinit(&buf);
        arena_deinit(&arena);
    }
    return ferror(stdin) ? 1 : 0;
}
