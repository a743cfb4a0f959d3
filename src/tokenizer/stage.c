/* What all stage kinds share: finding a row by its type, sequences, patterns, lists of pieces. It
 * knows no type itself. */
#include "tokenizer/pipeline.h"

#include "base/banned.h"

struct arena *loader_arena(struct loader *loader) {
    return &loader->tokenizer->arena;
}

void loader_own_pattern(struct loader *loader, struct pattern *pattern) {
    struct tokenizer *tokenizer = loader->tokenizer;
    tokenizer->patterns = mem_grow(tokenizer->patterns, &tokenizer->patterns_cap,
                                   tokenizer->n_patterns + 1, sizeof *tokenizer->patterns);
    tokenizer->patterns[tokenizer->n_patterns++] = pattern;
}

bool stage_is(const struct stage *stage, const char *type) {
    return stage && strcmp(stage->kind->type, type) == 0;
}

static const struct stage_kind *kind_find(const struct stage_kind *kinds, size_t n_kinds,
                                          const char *type) {
    for (size_t i = 0; i < n_kinds; i++)
        if (strcmp(kinds[i].type, type) == 0)
            return &kinds[i];
    return NULL;
}

enum status stage_parse(struct stage **out, struct loader *loader, const struct json *config,
                        const struct stage_kind *kinds, size_t n_kinds, const char *what,
                        struct error *err) {
    *out = NULL;
    if (json_is_null(config))
        return STATUS_OK;
    const char *type = json_get_string(config, "type", NULL);
    if (!type)
        return ERR(err, MODEL, "%s has no \"type\"", what);
    const struct stage_kind *kind = kind_find(kinds, n_kinds, type);
    if (!kind)
        return ERR(err, MODEL, "%s \"%s\" is not supported", what, type);
    struct stage *stage = arena_zalloc(loader_arena(loader), 1, sizeof *stage);
    stage->kind = kind;
    if (kind->parse && kind->parse(stage, loader, config, err) != STATUS_OK)
        return error_prefix(err, "%s %s: ", what, type);
    *out = stage;
    return STATUS_OK;
}

enum status stage_parse_children(struct stage *stage, struct loader *loader,
                                 const struct json *list, stage_parser *parse, struct error *err) {
    if (!json_is(list, JSON_ARRAY))
        return ERR(err, MODEL, "its list of stages is missing");
    stage->children = arena_zalloc(loader_arena(loader), list->len + 1, sizeof *stage->children);
    for (uint32_t i = 0; i < list->len; i++) {
        if (parse(&stage->children[stage->n_children], loader, json_at(list, i), err) != STATUS_OK)
            return STATUS_ERROR;
        if (stage->children[stage->n_children])
            stage->n_children++;
    }
    return STATUS_OK;
}

enum status stage_parse_pattern(struct pattern **out, struct loader *loader,
                                const struct json *config, struct error *err) {
    const struct json *literal = json_get(config, "String"), *regex = json_get(config, "Regex");
    const struct json *expression = literal ? literal : regex;
    if (!json_is(expression, JSON_STRING))
        return ERR(err, MODEL, "\"pattern\" must be {\"String\": …} or {\"Regex\": …}");
    if (pattern_create(out, expression->text, expression->len, literal != NULL, err) != STATUS_OK)
        return STATUS_ERROR;
    loader_own_pattern(loader, *out);
    return STATUS_OK;
}

void pieces_reserve(struct pieces *pieces, size_t cap) {
    if (cap <= pieces->cap)
        return;
    struct piece *items = arena_alloc(pieces->arena, cap * sizeof *items);
    if (pieces->n > 0)
        memcpy(items, pieces->items, pieces->n * sizeof *items);
    pieces->items = items;
    pieces->cap = cap;
}

void pieces_add(struct pieces *pieces, struct piece piece) {
    if (piece.text.len == 0) {
        pieces->lost = pieces->lost || text_is_lost(&piece.text);
        return;
    }
    if (pieces->n == pieces->cap)
        pieces_reserve(pieces, pieces->cap ? 2 * pieces->cap : 4);
    pieces->items[pieces->n++] = piece;
}
