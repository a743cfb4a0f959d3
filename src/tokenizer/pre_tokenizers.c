/* Pre-tokenizers: what cuts the text into the words that the model sees. One row a type.
 *
 * A pre-tokenizer finds matches and hands all stretches of a piece, matching or not, to a splitter
 * that groups them by the behavior (the library's SplitDelimiterBehavior). */
#include "tokenizer/pipeline.h"

#include "tokenizer/unicode.h"
#include "base/banned.h"

/* ---- the splitter -------------------------------------------------------------------------- */

enum behavior { ISOLATED, REMOVED, CONTIGUOUS, MERGED_WITH_PREVIOUS, MERGED_WITH_NEXT };

struct splitter {
    const struct piece *piece;
    struct pieces *out;
    enum behavior behavior;
    bool invert;
    bool held, held_match; /* [start, end) waits for what follows */
    bool previous_match;
    size_t start, end;
};

static void splitter_emit(struct splitter *splitter, size_t start, size_t end) {
    struct piece piece = {.text = text_slice(&splitter->piece->text, start, end), .id = -1};
    pieces_add(splitter->out, piece);
}

static void splitter_flush(struct splitter *splitter) {
    if (splitter->held)
        splitter_emit(splitter, splitter->start, splitter->end);
    splitter->held = false;
}

static void splitter_hold(struct splitter *splitter, size_t start, size_t end, bool match) {
    splitter_flush(splitter);
    splitter->held = true;
    splitter->held_match = match;
    splitter->start = start;
    splitter->end = end;
}

/* Whether [.., end) of this kind joins what is held. */
static bool splitter_joins(const struct splitter *splitter, bool match) {
    if (!splitter->held)
        return false;
    if (splitter->behavior == CONTIGUOUS)
        return match == splitter->previous_match;
    if (splitter->behavior == MERGED_WITH_PREVIOUS)
        return match && !splitter->previous_match;
    return !match && splitter->held_match; /* MERGED_WITH_NEXT */
}

static void splitter_feed(struct splitter *splitter, size_t start, size_t end, bool found) {
    const bool match = found != splitter->invert;
    if (splitter->behavior == ISOLATED) {
        splitter_emit(splitter, start, end);
    } else if (splitter->behavior == REMOVED) {
        if (!match)
            splitter_emit(splitter, start, end);
    } else if (splitter_joins(splitter, match)) {
        splitter->end = end;
        splitter->held_match = false;
    } else {
        splitter_hold(splitter, start, end, match);
    }
    splitter->previous_match = match;
}

static const struct {
    const char *name;
    enum behavior behavior;
} behaviors[] = {
    {"Isolated", ISOLATED},
    {"Removed", REMOVED},
    {"Contiguous", CONTIGUOUS},
    {"MergedWithPrevious", MERGED_WITH_PREVIOUS},
    {"MergedWithNext", MERGED_WITH_NEXT},
};

static enum status behavior_parse(enum behavior *out, const struct json *config,
                                  struct error *err) {
    const char *name = json_get_string(config, "behavior", "Isolated");
    for (size_t i = 0; i < ARRAY_LEN(behaviors); i++) {
        if (strcmp(behaviors[i].name, name) == 0) {
            *out = behaviors[i].behavior;
            return STATUS_OK;
        }
    }
    return ERR(err, MODEL, "behavior \"%s\" is not known", name);
}

#define RESERVED (4 * MiB) /* bytes of text that pieces are reserved for at once */

static size_t count_bytes(const struct pieces *pieces) {
    size_t bytes = 0;
    for (size_t i = 0; i < pieces->n; i++)
        bytes += pieces->items[i].text.len;
    return bytes;
}

/* Replaces the pieces by what the callback makes of each; added tokens stay. */
typedef void split_piece(const void *state, const struct piece *piece, struct pieces *out,
                         struct arena *scratch);

static void split_all(struct pieces *pieces, const void *state, split_piece *split,
                      struct arena *scratch) {
    struct pieces out = {.arena = scratch, .lost = pieces->lost};
    const size_t bytes = count_bytes(pieces);
    /* Memory that is reserved and not used costs nothing; growing does. */
    pieces_reserve(&out, 8 + pieces->n + (bytes < RESERVED ? bytes : RESERVED) / 4);
    for (size_t i = 0; i < pieces->n; i++) {
        if (pieces->items[i].id >= 0)
            pieces_add(&out, pieces->items[i]);
        else
            split(state, &pieces->items[i], &out, scratch);
    }
    *pieces = out;
}

/* Splits at single characters. */
static void split_characters(const struct piece *piece, struct pieces *out, uint32_t properties,
                             enum behavior behavior) {
    struct splitter splitter = {.piece = piece, .out = out, .behavior = behavior};
    const struct text *text = &piece->text;
    size_t last = 0;
    for (size_t pos = 0; pos < text->len;) {
        size_t next = pos;
        if (unicode_is(text_next(text->data, text->len, &next), properties)) {
            if (last < pos)
                splitter_feed(&splitter, last, pos, false);
            splitter_feed(&splitter, pos, next, true);
            last = next;
        }
        pos = next;
    }
    if (last < text->len)
        splitter_feed(&splitter, last, text->len, false);
    splitter_flush(&splitter);
}

static void split_pattern(const struct piece *piece, struct pieces *out,
                          const struct pattern *pattern, enum behavior behavior, bool invert) {
    struct splitter splitter = {.piece = piece, .out = out, .behavior = behavior, .invert = invert};
    const struct text *text = &piece->text;
    struct search search = search_begin(pattern, text->data, text->len);
    size_t start, end, last = 0;
    while (search_next(&search, &start, &end)) {
        if (last != start)
            splitter_feed(&splitter, last, start, false);
        splitter_feed(&splitter, start, end, true);
        last = end;
    }
    search_end(&search);
    if (last != text->len)
        splitter_feed(&splitter, last, text->len, false);
    splitter_flush(&splitter);
}

/* ---- sequence ------------------------------------------------------------------------------ */

static enum status sequence_parse(struct stage *stage, struct loader *loader,
                                  const struct json *config, struct error *err) {
    return stage_parse_children(stage, loader, json_get(config, "pretokenizers"),
                                pre_tokenizer_parse, err);
}

/* A byte-level piece that more stages follow has to be mapped after all. */
static void map_bytes(struct pieces *pieces, struct arena *scratch) {
    for (size_t i = 0; i < pieces->n; i++) {
        if (pieces->items[i].byte_level)
            byte_level_map(&pieces->items[i].text, scratch);
        pieces->items[i].byte_level = false;
    }
}

static void sequence_run(const struct stage *stage, struct pieces *pieces, struct arena *scratch) {
    const size_t most = text_most(count_bytes(pieces));
    for (size_t i = 0; i < stage->n_children && !pieces->lost; i++) {
        map_bytes(pieces, scratch);
        stage->children[i]->kind->split(stage->children[i], pieces, scratch);
        pieces->lost = pieces->lost || count_bytes(pieces) > most;
    }
}

/* ---- BERT: white space and punctuation in one pass ----------------------------------------- */

enum bert_kind { BERT_WORD, BERT_WHITE, BERT_PUNCT };

static const uint8_t bert_ascii[128] = {
    ['\t' ... '\r'] = BERT_WHITE, [' '] = BERT_WHITE,         ['!' ... '/'] = BERT_PUNCT,
    [':' ... '@'] = BERT_PUNCT,   ['[' ... '`'] = BERT_PUNCT, ['{' ... '~'] = BERT_PUNCT,
};

static enum bert_kind bert_kind_next(const struct text *text, size_t *pos) {
    const unsigned char c = (unsigned char)text->data[*pos];
    if (c < 0x80) {
        (*pos)++;
        return (enum bert_kind)bert_ascii[c];
    }
    const uint32_t properties = unicode_properties(text_next(text->data, text->len, pos));
    if (properties & UNICODE_WHITE)
        return BERT_WHITE;
    return properties & UNICODE_PUNCT ? BERT_PUNCT : BERT_WORD;
}

static void bert_piece(const void *state, const struct piece *piece, struct pieces *out,
                       struct arena *scratch) {
    const struct text *text = &piece->text;
    size_t start = 0;
    for (size_t pos = 0; pos < text->len;) {
        size_t next = pos;
        const enum bert_kind kind = bert_kind_next(text, &next);
        if (kind != BERT_WORD) {
            if (start < pos)
                pieces_add(out, (struct piece){.text = text_slice(text, start, pos), .id = -1});
            if (kind == BERT_PUNCT)
                pieces_add(out, (struct piece){.text = text_slice(text, pos, next), .id = -1});
            start = next;
        }
        pos = next;
    }
    pieces_add(out, (struct piece){.text = text_slice(text, start, text->len), .id = -1});
}

static void bert_run(const struct stage *stage, struct pieces *pieces, struct arena *scratch) {
    split_all(pieces, NULL, bert_piece, scratch);
}

/* ---- byte level ---------------------------------------------------------------------------- */

static enum status byte_level_parse(struct stage *stage, struct loader *loader,
                                    const struct json *config, struct error *err) {
    struct byte_level *state = arena_zalloc(loader_arena(loader), 1, sizeof *state);
    state->add_prefix_space = json_get_bool(config, "add_prefix_space", true);
    state->trim_offsets = json_get_bool(config, "trim_offsets", true);
    state->use_regex = json_get_bool(config, "use_regex", true);
    stage->state = state;
    if (pattern_create(&state->pattern, SCANNER_GPT2, strlen(SCANNER_GPT2), false, err) !=
        STATUS_OK)
        return STATUS_ERROR;
    loader_own_pattern(loader, state->pattern);
    return STATUS_OK;
}

static void byte_level_piece(const void *state, const struct piece *piece, struct pieces *out,
                             struct arena *scratch) {
    const struct byte_level *byte_level = state;
    struct piece whole = *piece;
    if (byte_level->add_prefix_space && whole.text.data[0] != ' ')
        text_prepend(&whole.text, scratch, " ", 1);
    const size_t first = out->n;
    if (byte_level->use_regex)
        split_pattern(&whole, out, byte_level->pattern, ISOLATED, false);
    else
        pieces_add(out, whole);
    for (size_t i = first; i < out->n; i++)
        out->items[i].byte_level = !byte_level_repeats(&out->items[i].text, scratch);
}

static void byte_level_run(const struct stage *stage, struct pieces *pieces,
                           struct arena *scratch) {
    split_all(pieces, stage->state, byte_level_piece, scratch);
}

/* ---- characters ---------------------------------------------------------------------------- */

/* \w+|[^\w\s]+ of the regex crate: runs of one class, white space removed. */
static void whitespace_piece(const void *state, const struct piece *piece, struct pieces *out,
                             struct arena *scratch) {
    const struct text *text = &piece->text;
    size_t start = 0;
    uint32_t class = UNICODE_WHITE;
    for (size_t pos = 0; pos < text->len;) {
        size_t next = pos;
        const uint32_t here = unicode_properties(text_next(text->data, text->len, &next)) &
                              (UNICODE_WHITE | UNICODE_WORD);
        if (here != class) {
            if (class != UNICODE_WHITE)
                pieces_add(out, (struct piece){.text = text_slice(text, start, pos), .id = -1});
            start = pos;
            class = here;
        }
        pos = next;
    }
    if (class != UNICODE_WHITE)
        pieces_add(out, (struct piece){.text = text_slice(text, start, text->len), .id = -1});
}

static void whitespace_run(const struct stage *stage, struct pieces *pieces,
                           struct arena *scratch) {
    split_all(pieces, NULL, whitespace_piece, scratch);
}

static void whitespace_split_piece(const void *state, const struct piece *piece, struct pieces *out,
                                   struct arena *scratch) {
    split_characters(piece, out, UNICODE_WHITE, REMOVED);
}

static void whitespace_split_run(const struct stage *stage, struct pieces *pieces,
                                 struct arena *scratch) {
    split_all(pieces, NULL, whitespace_split_piece, scratch);
}

static enum status punctuation_parse(struct stage *stage, struct loader *loader,
                                     const struct json *config, struct error *err) {
    enum behavior *state = arena_zalloc(loader_arena(loader), 1, sizeof *state);
    stage->state = state;
    return behavior_parse(state, config, err);
}

static void punctuation_piece(const void *state, const struct piece *piece, struct pieces *out,
                              struct arena *scratch) {
    split_characters(piece, out, UNICODE_PUNCT, *(const enum behavior *)state);
}

static void punctuation_run(const struct stage *stage, struct pieces *pieces,
                            struct arena *scratch) {
    split_all(pieces, stage->state, punctuation_piece, scratch);
}

static enum status digits_parse(struct stage *stage, struct loader *loader,
                                const struct json *config, struct error *err) {
    enum behavior *state = arena_zalloc(loader_arena(loader), 1, sizeof *state);
    *state = json_get_bool(config, "individual_digits", false) ? ISOLATED : CONTIGUOUS;
    stage->state = state;
    return STATUS_OK;
}

static void digits_piece(const void *state, const struct piece *piece, struct pieces *out,
                         struct arena *scratch) {
    split_characters(piece, out, UNICODE_NUMERIC, *(const enum behavior *)state);
}

static void digits_run(const struct stage *stage, struct pieces *pieces, struct arena *scratch) {
    split_all(pieces, stage->state, digits_piece, scratch);
}

/* ---- patterns ------------------------------------------------------------------------------ */

struct split {
    struct pattern *pattern;
    enum behavior behavior;
    bool invert;
};

static enum status split_parse(struct stage *stage, struct loader *loader,
                               const struct json *config, struct error *err) {
    struct split *state = arena_zalloc(loader_arena(loader), 1, sizeof *state);
    state->invert = json_get_bool(config, "invert", false);
    stage->state = state;
    if (behavior_parse(&state->behavior, config, err) != STATUS_OK)
        return STATUS_ERROR;
    return stage_parse_pattern(&state->pattern, loader, json_get(config, "pattern"), err);
}

static void split_piece_run(const void *state, const struct piece *piece, struct pieces *out,
                            struct arena *scratch) {
    const struct split *split = state;
    split_pattern(piece, out, split->pattern, split->behavior, split->invert);
}

static void split_run(const struct stage *stage, struct pieces *pieces, struct arena *scratch) {
    split_all(pieces, stage->state, split_piece_run, scratch);
}

static enum status delimiter_parse(struct stage *stage, struct loader *loader,
                                   const struct json *config, struct error *err) {
    struct split *state = arena_zalloc(loader_arena(loader), 1, sizeof *state);
    const struct json *delimiter = json_get(config, "delimiter");
    if (!json_is(delimiter, JSON_STRING) || utf8_count(delimiter->text, delimiter->len) != 1)
        return ERR(err, MODEL, "\"delimiter\" must be one character");
    state->behavior = REMOVED;
    stage->state = state;
    if (pattern_create(&state->pattern, delimiter->text, delimiter->len, true, err) != STATUS_OK)
        return STATUS_ERROR;
    loader_own_pattern(loader, state->pattern);
    return STATUS_OK;
}

/* ---- metaspace ----------------------------------------------------------------------------- */

enum scheme { ALWAYS, FIRST, NEVER };

struct metaspace {
    char replacement[8];
    size_t replacement_len;
    enum scheme scheme;
    bool split;
    struct pattern *pattern; /* the replacement */
};

static enum status metaspace_parse(struct stage *stage, struct loader *loader,
                                   const struct json *config, struct error *err) {
    struct metaspace *state = arena_zalloc(loader_arena(loader), 1, sizeof *state);
    const struct json *replacement = json_get(config, "replacement");
    if (!json_is(replacement, JSON_STRING) || utf8_count(replacement->text, replacement->len) != 1)
        return ERR(err, MODEL, "\"replacement\" must be one character");
    memcpy(state->replacement, replacement->text, replacement->len);
    state->replacement_len = replacement->len;
    const char *scheme = json_get_string(config, "prepend_scheme", "always");
    state->scheme = strcmp(scheme, "first") == 0 ? FIRST : strcmp(scheme, "never") ? ALWAYS : NEVER;
    if (!json_get_bool(config, "add_prefix_space", true))
        state->scheme = NEVER;
    state->split = json_get_bool(config, "split", true);
    stage->state = state;
    if (pattern_create(&state->pattern, state->replacement, state->replacement_len, true, err) !=
        STATUS_OK)
        return STATUS_ERROR;
    loader_own_pattern(loader, state->pattern);
    return STATUS_OK;
}

static void metaspace_piece(const void *state, const struct piece *piece, struct pieces *out,
                            struct arena *scratch) {
    const struct metaspace *metaspace = state;
    struct piece whole = *piece;
    struct writer writer = writer_begin(scratch, whole.text.len + whole.text.len / 2 + 16);
    for (size_t pos = 0; pos < piece->text.len;) {
        const char *space = memchr(piece->text.data + pos, ' ', piece->text.len - pos);
        const size_t end = space ? (size_t)(space - piece->text.data) : piece->text.len;
        writer_copy(&writer, &piece->text, pos, end);
        if (space)
            writer_append(&writer, metaspace->replacement, metaspace->replacement_len,
                          text_from(&piece->text, end, end + 1));
        pos = end + 1;
    }
    writer_end(&writer, &whole.text);
    const bool has =
        whole.text.len >= metaspace->replacement_len &&
        memcmp(whole.text.data, metaspace->replacement, metaspace->replacement_len) == 0;
    if (!has &&
        (metaspace->scheme == ALWAYS || (metaspace->scheme == FIRST && piece->text.base == 0)))
        text_prepend(&whole.text, scratch, metaspace->replacement, metaspace->replacement_len);
    if (metaspace->split)
        split_pattern(&whole, out, metaspace->pattern, MERGED_WITH_NEXT, false);
    else
        pieces_add(out, whole);
}

static void metaspace_run(const struct stage *stage, struct pieces *pieces, struct arena *scratch) {
    split_all(pieces, stage->state, metaspace_piece, scratch);
}

/* ---- fixed length -------------------------------------------------------------------------- */

static enum status fixed_length_parse(struct stage *stage, struct loader *loader,
                                      const struct json *config, struct error *err) {
    size_t *state = arena_zalloc(loader_arena(loader), 1, sizeof *state);
    const int64_t length = json_get_int(config, "length", 5);
    if (length < 1)
        return ERR(err, MODEL, "\"length\" is %lld, must be at least 1", (long long)length);
    *state = (size_t)length;
    stage->state = state;
    return STATUS_OK;
}

static void fixed_length_piece(const void *state, const struct piece *piece, struct pieces *out,
                               struct arena *scratch) {
    const size_t length = *(const size_t *)state;
    const struct text *text = &piece->text;
    for (size_t pos = 0; pos < text->len;) {
        size_t end = pos;
        for (size_t i = 0; i < length && end < text->len; i++)
            text_next(text->data, text->len, &end);
        pieces_add(out, (struct piece){.text = text_slice(text, pos, end), .id = -1});
        pos = end;
    }
}

static void fixed_length_run(const struct stage *stage, struct pieces *pieces,
                             struct arena *scratch) {
    split_all(pieces, stage->state, fixed_length_piece, scratch);
}

/* ---- the table ----------------------------------------------------------------------------- */

static const struct stage_kind kinds[] = {
    {.type = "Sequence", .parse = sequence_parse, .split = sequence_run},
    {.type = "BertPreTokenizer", .split = bert_run},
    {.type = "ByteLevel", .parse = byte_level_parse, .split = byte_level_run},
    {.type = "Whitespace", .split = whitespace_run},
    {.type = "WhitespaceSplit", .split = whitespace_split_run},
    {.type = "Punctuation", .parse = punctuation_parse, .split = punctuation_run},
    {.type = "Digits", .parse = digits_parse, .split = digits_run},
    {.type = "Split", .parse = split_parse, .split = split_run},
    {.type = "CharDelimiterSplit", .parse = delimiter_parse, .split = split_run},
    {.type = "Metaspace", .parse = metaspace_parse, .split = metaspace_run},
    {.type = "FixedLength", .parse = fixed_length_parse, .split = fixed_length_run},
    {.type = "UnicodeScripts", .split = unicode_scripts_run},
};

enum status pre_tokenizer_parse(struct stage **out, struct loader *loader,
                                const struct json *config, struct error *err) {
    return stage_parse(out, loader, config, kinds, ARRAY_LEN(kinds), "pre-tokenizer", err);
}
