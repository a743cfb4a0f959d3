/* The room's front: parsing a template once, rendering it any number of times. Chats are in
 * chat.c. */
#include "template/template.h"

#include <time.h>

#include "template/evaluate.h"

#include "base/banned.h"

static enum status parse(struct template *tmpl, const char *source, size_t len, struct error *err) {
    struct token *tokens = NULL;
    if (lex(&tokens, &tmpl->arena, source, len, err) != STATUS_OK)
        return STATUS_ERROR;
    struct parser parser = {.arena = &tmpl->arena, .token = tokens, .err = err};
    tmpl->loop = parser_name(&parser, "loop", 4);
    tmpl->caller = parser_name(&parser, "caller", 6);
    tmpl->varargs = parser_name(&parser, "varargs", 7);
    tmpl->kwargs = parser_name(&parser, "kwargs", 6);
    tmpl->body = parse_template(&parser);
    mem_free(parser.names);
    return parser.failed ? STATUS_ERROR : STATUS_OK;
}

enum status template_parse(struct template **out, const char *source, size_t len,
                           struct error *err) {
    size_t bad = 0;
    if (len > LIMIT_TEMPLATE_SOURCE)
        return ERR(err, MODEL, "the template has %zu bytes, at most %llu are read", len,
                   LIMIT_TEMPLATE_SOURCE);
    if (!utf8_valid(source, len, &bad))
        return ERR(err, MODEL, "the template is not UTF-8 at byte %zu", bad);
    struct template *tmpl = mem_zalloc(1, sizeof(*tmpl));
    if (parse(tmpl, source, len, err) != STATUS_OK) {
        template_destroy(tmpl);
        return STATUS_ERROR;
    }
    *out = tmpl;
    return STATUS_OK;
}

enum status template_render(const struct template *tmpl, struct buf *out,
                            const struct json *variables, const struct template_options *options,
                            struct error *err) {
    struct buf text;
    str_buf(&text);
    struct render r = {.tmpl = tmpl, .err = err, .out = &text, .line = 1};
    r.now_s = options != NULL && options->now_s != 0 ? options->now_s : (int64_t)time(NULL);
    const struct value values = value_from_json(&r, variables);
    r.variables = is(values, KIND_DICT) ? values.dict : value_dict(&r, 0).dict;
    r.scope = scope_create(&r, NULL);
    run_block(&r, tmpl->body);
    if (!r.failed && text.len > 0)
        buf_append(out, text.data, text.len);
    if (!r.failed && out->overflow)
        fail(&r, "the text is too long");
    buf_deinit(&text);
    arena_deinit(&r.arena);
    return r.failed ? STATUS_ERROR : STATUS_OK;
}

void template_destroy(struct template *tmpl) {
    if (tmpl == NULL)
        return;
    arena_deinit(&tmpl->arena);
    mem_free(tmpl);
}
