/* MyT5: bytes that are rewritten before they are numbered. byte_maps.json has two maps of byte
 * sequences, "decompose_map" and "merge_map"; each is applied from left to right, the longest
 * sequence first. Decoding applies them the other way round, backwards. (MYTE, Limisiewicz and
 * others 2024; tokenization_myt5.py.) */
#include "tokenizer/legacy_chars.h"

#include "base/banned.h"

#define FILE_NAME "byte_maps.json"
#define N_ROLES   3 /* padding, end, unknown: the first ids */

struct rules {
    struct vocab from; /* byte sequences, numbered */
    struct string *to; /* [from.size] */
};

struct myt5 {
    uint32_t offset; /* as slow_bytes_model wants it */
    struct rules decompose, merge, split, compose;
    struct arena arena;
};

/* ---- rewriting ----------------------------------------------------------------------------- */

/* The longest sequence that stands at `data`: its number, or -1. */
static int32_t longest(const struct rules *rules, const char *data, size_t len, size_t *taken) {
    const size_t most = len < rules->from.longest ? len : rules->from.longest;
    int32_t found = -1;
    uint64_t hash = VOCAB_HASH_START;
    for (size_t n = 1; n <= most; n++) {
        hash = vocab_hash(hash, data + n - 1, 1);
        const int32_t id = vocab_find_hashed(&rules->from, hash, data, n, "", 0);
        if (id < 0)
            continue;
        found = id;
        *taken = n;
    }
    return found;
}

static void rewrite(const struct rules *rules, struct text *text, struct arena *scratch) {
    struct writer writer = writer_begin(scratch, text->len);
    for (size_t pos = 0; pos < text->len;) {
        size_t taken = 1;
        const int32_t id = longest(rules, text->data + pos, text->len - pos, &taken);
        const struct span first = text->from[pos], last = text->from[pos + taken - 1];
        const struct span from = {first.start, last.end};
        if (id < 0)
            writer_append(&writer, text->data + pos, 1, from);
        else
            writer_append(&writer, rules->to[id].data, rules->to[id].len, from);
        pos += taken;
    }
    writer_end(&writer, text);
}

/* A byte stands for itself, where elsewhere it stands for its character. */
static void by_bytes(struct text *text, struct arena *scratch) {
    struct span *from = arena_alloc(scratch, text->len * sizeof *from);
    for (size_t i = 0; i < text->len; i++)
        from[i] = text_from(text, i, i + 1);
    text->from = from;
}

static void run(const struct stage *stage, struct pieces *pieces, struct arena *scratch) {
    const struct myt5 *state = stage->state;
    for (size_t i = 0; i < pieces->n; i++) {
        struct text *text = &pieces->items[i].text;
        if (pieces->items[i].id >= 0)
            continue;
        by_bytes(text, scratch);
        rewrite(&state->decompose, text, scratch);
        if (!text_is_lost(text))
            rewrite(&state->merge, text, scratch);
        if (text_is_lost(text))
            pieces->lost = true;
    }
}

static const struct stage_kind rewriting = {.type = "rewriting of bytes", .split = run};

/* ---- decoding ------------------------------------------------------------------------------ */

static int hex_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool hex_byte(const char *text, size_t len, char *out) {
    if (len != 2 || hex_digit(text[0]) < 0 || hex_digit(text[1]) < 0)
        return false;
    *out = (char)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
    return true;
}

/* What the bytes were before they were rewritten. */
static void put_run(const struct myt5 *state, const struct buf *run, struct buf *out) {
    struct arena scratch = {0};
    struct text text = {.data = run->data, .len = run->len};
    if (run->len == 0)
        return;
    by_bytes(&text, &scratch);
    rewrite(&state->split, &text, &scratch);
    if (!text_is_lost(&text))
        rewrite(&state->compose, &text, &scratch);
    buf_append(out, text.data, text.len);
    arena_deinit(&scratch);
}

/* Added tokens stand in the way of the rules. */
static void join(const struct tokenizer *tokenizer, const struct strings *tokens, struct buf *out) {
    const struct myt5 *state = tokenizer->slow->state;
    struct buf bytes, run;
    buf_init(&bytes, 2 * LIMIT_TEXT);
    buf_init(&run, LIMIT_TEXT);
    for (size_t i = 0; i < tokens->n; i++) {
        const struct string *token = &tokens->items[i];
        char byte;
        if (hex_byte(token->data, token->len, &byte)) {
            buf_putc(&run, byte);
            continue;
        }
        put_run(state, &run, &bytes);
        run.len = 0;
        buf_append(&bytes, token->data, token->len);
    }
    put_run(state, &run, &bytes);
    slow_put_valid(out, &bytes);
    buf_deinit(&run);
    buf_deinit(&bytes);
}

/* ---- loading ------------------------------------------------------------------------------- */

static void destroy(void *pointer) {
    struct myt5 *state = pointer;
    struct rules *all[] = {&state->decompose, &state->merge, &state->split, &state->compose};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        vocab_deinit(&all[i]->from);
    arena_deinit(&state->arena);
    mem_free(state);
}

static const struct slow_kind kind = {.join = join, .destroy = destroy, .rewrites = true};

/* "e0 a4 95" into bytes; false: it is not that, or too long. */
static bool parse_bytes(struct arena *arena, const char *text, size_t len, struct string *out) {
    const size_t n = (len + 1) / 3;
    if (len % 3 != 2 || n > LIMIT_PIECE)
        return false;
    char *bytes = arena_alloc(arena, n);
    for (size_t i = 0; i < n; i++)
        if (!hex_byte(text + 3 * i, 2, &bytes[i]) || (i > 0 && text[3 * i - 1] != ' '))
            return false;
    *out = (struct string){bytes, n};
    return true;
}

static void put_rule(struct rules *rules, struct string from, struct string to) {
    int32_t id = vocab_find(&rules->from, from.data, from.len);
    if (id < 0) {
        id = (int32_t)rules->from.size;
        vocab_put(&rules->from, from.data, from.len, (uint32_t)id);
    }
    rules->to[id] = to;
}

static void begin_rules(struct rules *rules, struct arena *arena, size_t n) {
    rules->to = arena_alloc(arena, (n + 1) * sizeof *rules->to);
    vocab_reserve(&rules->from, n);
}

static enum status read_map(struct myt5 *state, struct rules *there, struct rules *back,
                            const struct json *maps, const char *name, struct error *err) {
    const struct json *map = json_get(maps, name);
    if (!json_is(map, JSON_OBJECT) || map->len > LIMIT_VOCAB_SIZE)
        return ERR(err, MODEL, FILE_NAME ": \"%s\" must be an object of at most %d byte sequences",
                   name, LIMIT_VOCAB_SIZE);
    begin_rules(there, &state->arena, map->len);
    begin_rules(back, &state->arena, map->len);
    for (uint32_t i = 0; i < map->len; i++) {
        const struct json_member *member = &map->members[i];
        const struct json *value = &member->value;
        struct string from, to;
        if (!parse_bytes(&state->arena, member->key, member->key_len, &from) ||
            !json_is(value, JSON_STRING) ||
            !parse_bytes(&state->arena, value->text, value->len, &to))
            return ERR(err, MODEL,
                       FILE_NAME ": \"%s\" of \"%.*s\": both must be 1 to %d bytes as \"e0 a4 95\"",
                       name, (int)(member->key_len > 60 ? 60 : member->key_len), member->key,
                       LIMIT_PIECE);
        put_rule(there, from, to);
        put_rule(back, to, from);
    }
    return STATUS_OK;
}

static enum status read_maps(struct myt5 *state, struct loader *loader, struct error *err) {
    const struct json *maps;
    char *data;
    size_t len;
    if (legacy_read(loader, FILE_NAME, &data, &len, err) != STATUS_OK)
        return STATUS_ERROR;
    if (json_parse(&maps, &loader->arena, data, len, JSON_PYTHON, err) != STATUS_OK) {
        err->code = ERROR_MODEL;
        return error_prefix(err, FILE_NAME ": ");
    }
    if (read_map(state, &state->decompose, &state->compose, maps, "decompose_map", err) !=
        STATUS_OK)
        return STATUS_ERROR;
    return read_map(state, &state->merge, &state->split, maps, "merge_map", err);
}

static void put_vocabulary(struct loader *loader) {
    static const enum special_token roles[N_ROLES] = {TOKEN_PAD, TOKEN_EOS, TOKEN_UNK};
    struct tokenizer *tokenizer = loader->tokenizer;
    for (uint32_t byte = 0; byte < 256; byte++) {
        char name[3];
        snprintf(name, sizeof name, "%02x", byte);
        vocab_put(&tokenizer->vocab, name, 2, byte + N_ROLES);
    }
    for (uint32_t id = 0; id < N_ROLES; id++) {
        struct added_token token = special_of_role(loader, roles[id]).flags;
        token.special = token.normalized = token.lstrip = token.rstrip = true;
        if (token.len > 0)
            slow_put(tokenizer, token, id);
    }
}

enum status legacy_myt5(struct loader *loader, struct error *err) {
    struct slow *slow = slow_begin(loader, &kind, &slow_bytes_model);
    struct myt5 *state = mem_zalloc(1, sizeof *state);
    struct rules *all[] = {&state->decompose, &state->merge, &state->split, &state->compose};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        vocab_init(&all[i]->from);
    state->offset = N_ROLES;
    slow->state = state;
    slow->base_size = 256;
    slow->keeps_unknown = slow->ends_once = true;
    put_vocabulary(loader);
    loader->tokenizer->pre_tokenizer = slow_stage(loader, &rewriting, state);
    slow_post(loader, "$A %e", "$A %e $B %e");
    return read_maps(state, loader, err);
}
