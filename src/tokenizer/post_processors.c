/* Post-processors: special tokens around the sequences, and offsets without spaces. One row a
 * type. They work on parts (struct parts): first one a sequence, then one a piece of the template;
 * merging the parts is the caller's. Overflow windows get what the main window gets, but their
 * type ids stay as they were, which is the library's way. */
#include "tokenizer/pipeline.h"

#include "base/banned.h"

/* ---- offsets ------------------------------------------------------------------------------- */

static void trim_window(struct window *window, bool add_prefix_space) {
    for (size_t i = 0; i < window->n; i++) {
        struct token *token = &window->tokens[i];
        struct span *at = &token->offsets;
        if (token->lead > 0) {
            /* A single space in front of the text may be the one that was added. */
            const bool added = (i == 0 || at->start == 0) && add_prefix_space && token->lead == 1;
            const uint64_t start = (uint64_t)at->start + (added ? 0 : token->lead);
            at->start = start < at->end ? (uint32_t)start : at->end;
        }
        if (token->trail > 0 && at->end >= token->trail) {
            const uint32_t end = at->end - token->trail;
            at->end = end > at->start ? end : at->start;
        }
    }
}

static void trim(struct parts *parts, bool add_prefix_space) {
    for (size_t i = 0; i < parts->n; i++) {
        trim_window(&parts->items[i].main, add_prefix_space);
        for (size_t k = 0; k < parts->items[i].n_overflow; k++)
            trim_window(&parts->items[i].overflow[k], add_prefix_space);
    }
}

static enum status byte_level_parse(struct stage *stage, struct loader *loader,
                                    const struct json *config, struct error *err) {
    struct byte_level *state = arena_zalloc(loader_arena(loader), 1, sizeof *state);
    state->add_prefix_space = json_get_bool(config, "add_prefix_space", true);
    state->trim_offsets = json_get_bool(config, "trim_offsets", true);
    stage->state = state;
    return STATUS_OK;
}

static void byte_level_run(const struct stage *stage, struct parts *parts) {
    const struct byte_level *byte_level = stage->state;
    if (byte_level->trim_offsets)
        trim(parts, byte_level->add_prefix_space);
    for (size_t i = 0; i < parts->n; i++)
        window_set_range(&parts->items[i].main, i, 0, parts->items[i].main.n);
}

/* ---- BERT and RoBERTa ---------------------------------------------------------------------- */

static enum status pair_id(int32_t *out, const struct json *config, const char *name,
                           struct error *err) {
    int64_t id;
    if (!json_to_int(json_at(json_get(config, name), 1), &id) || id < 0 || id >= LIMIT_VOCAB_SIZE)
        return ERR(err, MODEL, "\"%s\" must be a token and its id", name);
    *out = (int32_t)id;
    return STATUS_OK;
}

static enum status cls_sep_parse(struct stage *stage, struct loader *loader,
                                 const struct json *config, struct error *err) {
    struct cls_sep *state = arena_zalloc(loader_arena(loader), 1, sizeof *state);
    state->trim_offsets = json_get_bool(config, "trim_offsets", true);
    state->add_prefix_space = json_get_bool(config, "add_prefix_space", true);
    stage->state = state;
    if (pair_id(&state->cls, config, "cls", err) != STATUS_OK)
        return STATUS_ERROR;
    return pair_id(&state->sep, config, "sep", err);
}

/* `first` (-1: none) + window + `last`, of this type. What is between is text and of one sequence
 * from now on, be there special tokens of another post-processor in it. */
static void wrap(struct window *window, struct arena *arena, int32_t first, int32_t last,
                 int32_t type_id, size_t sequence) {
    const size_t shift = first >= 0;
    struct token *tokens = arena_alloc(arena, (window->n + shift + 1) * sizeof *tokens);
    const struct token special = {.type_id = type_id, .word = -1, .special = true};
    if (first >= 0) {
        tokens[0] = special;
        tokens[0].id = first;
    }
    if (window->n > 0)
        memcpy(tokens + shift, window->tokens, window->n * sizeof *tokens);
    for (size_t i = 0; i < window->n; i++)
        tokens[shift + i].special = false;
    tokens[shift + window->n] = special;
    tokens[shift + window->n].id = last;
    window->tokens = tokens;
    window->n += shift + 1;
    window->ranged = 0;
    window_set_range(window, sequence, shift, window->n - 1);
}

static void wrap_all(struct windows *windows, struct arena *arena, int32_t first, int32_t last,
                     int32_t type_id, size_t sequence) {
    wrap(&windows->main, arena, first, last, type_id, sequence);
    for (size_t k = 0; k < windows->n_overflow; k++)
        wrap(&windows->overflow[k], arena, first, last, type_id, sequence);
}

static void bert_run(const struct stage *stage, struct parts *parts) {
    const struct cls_sep *state = stage->state;
    for (size_t i = 0; parts->add_special_tokens && i < parts->n; i++)
        wrap_all(&parts->items[i], parts->arena, i == 0 ? state->cls : -1, state->sep, i > 0,
                 i > 0);
}

static void set_type(struct window *window, int32_t type_id) {
    for (size_t i = 0; i < window->n; i++)
        window->tokens[i].type_id = type_id;
}

/* All is type 0 there, windows too once they get their special tokens. */
static void roberta_run(const struct stage *stage, struct parts *parts) {
    const struct cls_sep *state = stage->state;
    if (state->trim_offsets)
        trim(parts, state->add_prefix_space);
    for (size_t i = 0; i < parts->n; i++) {
        struct windows *windows = &parts->items[i];
        set_type(&windows->main, 0);
        if (!parts->add_special_tokens)
            continue;
        for (size_t k = 0; k < windows->n_overflow; k++)
            set_type(&windows->overflow[k], 0);
        wrap_all(windows, parts->arena, i == 0 ? state->cls : state->sep, state->sep, 0, i > 0);
    }
}

static size_t bert_added(const struct stage *stage, bool is_pair) {
    return is_pair ? 3 : 2;
}

static size_t roberta_added(const struct stage *stage, bool is_pair) {
    return is_pair ? 4 : 2;
}

/* ---- templates ----------------------------------------------------------------------------- */

struct template_piece {
    int sequence; /* 0 A, 1 B, -1: special tokens */
    int32_t type_id;
    const int32_t *ids; /* [n] */
    size_t n;
};

struct template {
    struct template_piece *pieces;
    size_t n, added;
};

struct templates {
    struct template single, pair;
};

static enum status template_ids(struct template_piece *piece, struct arena *arena,
                                const struct json *special_tokens, const struct json *name,
                                struct error *err) {
    const struct json *entry =
        json_is(name, JSON_STRING) ? json_get_n(special_tokens, name->text, name->len) : NULL;
    const struct json *ids = json_get(entry, "ids");
    if (!json_is(ids, JSON_ARRAY))
        return ERR(err, MODEL, "a special token of the template is not in \"special_tokens\"");
    int32_t *list = arena_zalloc(arena, ids->len + 1, sizeof *list);
    for (uint32_t i = 0; i < ids->len; i++) {
        int64_t id;
        if (!json_to_int(json_at(ids, i), &id) || id < 0 || id >= LIMIT_VOCAB_SIZE)
            return ERR(err, MODEL, "\"ids\" of a special token must be ids");
        list[i] = (int32_t)id;
    }
    piece->ids = list;
    piece->n = ids->len;
    return STATUS_OK;
}

static enum status template_piece_parse(struct template_piece *piece, struct arena *arena,
                                        const struct json *config, const struct json *specials,
                                        bool is_pair, struct error *err) {
    const struct json *sequence = json_get(config, "Sequence");
    const struct json *special = json_get(config, "SpecialToken");
    const struct json *body = sequence ? sequence : special;
    const int64_t type_id = json_get_int(body, "type_id", 0);
    if (!body || type_id < 0 || type_id > INT32_MAX)
        return ERR(err, MODEL, "a piece must be a Sequence or a SpecialToken with its type_id");
    piece->type_id = (int32_t)type_id;
    if (!sequence) {
        piece->sequence = -1;
        return template_ids(piece, arena, specials, json_get(body, "id"), err);
    }
    piece->sequence = json_equals(json_get(body, "id"), "B");
    if (piece->sequence == 1 && !is_pair)
        return ERR(err, MODEL, "the template for one sequence asks for a second");
    return STATUS_OK;
}

static enum status template_parse(struct template *out, struct arena *arena,
                                  const struct json *list, const struct json *specials,
                                  bool is_pair, struct error *err) {
    if (!json_is(list, JSON_ARRAY))
        return ERR(err, MODEL, "\"single\" and \"pair\" must be lists");
    out->pieces = arena_zalloc(arena, list->len + 1, sizeof *out->pieces);
    out->n = list->len;
    for (uint32_t i = 0; i < list->len; i++) {
        if (template_piece_parse(&out->pieces[i], arena, json_at(list, i), specials, is_pair,
                                 err) != STATUS_OK)
            return STATUS_ERROR;
        out->added += out->pieces[i].n;
    }
    return STATUS_OK;
}

static enum status templates_parse(struct stage *stage, struct loader *loader,
                                   const struct json *config, struct error *err) {
    struct arena *arena = loader_arena(loader);
    struct templates *state = arena_zalloc(arena, 1, sizeof *state);
    const struct json *specials = json_get(config, "special_tokens");
    stage->state = state;
    if (template_parse(&state->single, arena, json_get(config, "single"), specials, false, err) !=
        STATUS_OK)
        return STATUS_ERROR;
    return template_parse(&state->pair, arena, json_get(config, "pair"), specials, true, err);
}

static struct windows special_part(struct arena *arena, const struct template_piece *piece) {
    struct token *tokens = arena_alloc(arena, (piece->n + 1) * sizeof *tokens);
    for (size_t i = 0; i < piece->n; i++)
        tokens[i] = (struct token){
            .id = piece->ids[i], .type_id = piece->type_id, .word = -1, .special = true};
    return (struct windows){.main = {.tokens = tokens, .n = piece->n}};
}

static void templates_run(const struct stage *stage, struct parts *parts) {
    const struct templates *state = stage->state;
    const struct template *template = parts->n == 2 ? &state->pair : &state->single;
    struct windows *items = arena_zalloc(parts->arena, template->n + 1, sizeof *items);
    size_t n = 0;
    for (size_t i = 0; i < template->n; i++) {
        const struct template_piece *piece = &template->pieces[i];
        if (piece->sequence >= 0 && (size_t)piece->sequence < parts->n) {
            items[n] = parts->items[piece->sequence];
            items[n].main.tokens = arena_copy(parts->arena, items[n].main.tokens,
                                              items[n].main.n * sizeof(struct token));
            set_type(&items[n].main, piece->type_id);
            window_set_range(&items[n].main, (size_t)piece->sequence, 0, items[n].main.n);
            n++;
        } else if (piece->sequence < 0 && parts->add_special_tokens) {
            items[n++] = special_part(parts->arena, piece);
        }
    }
    parts->items = items;
    parts->n = n;
}

static size_t templates_added(const struct stage *stage, bool is_pair) {
    const struct templates *state = stage->state;
    return is_pair ? state->pair.added : state->single.added;
}

/* ---- sequence ------------------------------------------------------------------------------ */

static enum status sequence_parse(struct stage *stage, struct loader *loader,
                                  const struct json *config, struct error *err) {
    return stage_parse_children(stage, loader, json_get(config, "processors"), post_processor_parse,
                                err);
}

static void sequence_run(const struct stage *stage, struct parts *parts) {
    for (size_t i = 0; i < stage->n_children; i++)
        stage->children[i]->kind->process(stage->children[i], parts);
}

static size_t sequence_added(const struct stage *stage, bool is_pair) {
    size_t added = 0;
    for (size_t i = 0; i < stage->n_children; i++)
        if (stage->children[i]->kind->added)
            added += stage->children[i]->kind->added(stage->children[i], is_pair);
    return added;
}

/* ---- the table ----------------------------------------------------------------------------- */

static const struct stage_kind kinds[] = {
    {.type = "Sequence", .parse = sequence_parse, .process = sequence_run, .added = sequence_added},
    {.type = "TemplateProcessing",
     .parse = templates_parse,
     .process = templates_run,
     .added = templates_added},
    {.type = "BertProcessing", .parse = cls_sep_parse, .process = bert_run, .added = bert_added},
    {.type = "RobertaProcessing",
     .parse = cls_sep_parse,
     .process = roberta_run,
     .added = roberta_added},
    {.type = "ByteLevel", .parse = byte_level_parse, .process = byte_level_run},
};

enum status post_processor_parse(struct stage **out, struct loader *loader,
                                 const struct json *config, struct error *err) {
    return stage_parse(out, loader, config, kinds, ARRAY_LEN(kinds), "post-processor", err);
}
