/* tiktoken's files: a token in base64 and its rank a line (Llama 3's own tokenizer.model). They
 * become byte-level BPE as transformers' TikTokenConverter makes it: the merges of a token are all
 * the pairs of tokens that it can be made of. */
#include "tokenizer/legacy.h"

#include "base/banned.h"

#define FILE_NAME "tokenizer.model"
#define PATTERN                                                                                    \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}| "         \
    "?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"

/* ---- lines --------------------------------------------------------------------------------- */

/* Padded base64 of at most LIMIT_PIECE bytes; 0: it is none. */
static size_t decode_base64(uint8_t out[LIMIT_PIECE], const char *text, size_t len) {
    size_t n;
    return len / 4 * 3 <= LIMIT_PIECE && base64_decode(out, &n, text, len) ? n : 0;
}

struct row {
    const char *text;
    size_t len; /* of the base64 */
    uint32_t rank;
};

/* A line without its end; false: it is not "token rank". */
static bool parse_line(struct row *row, const char *at, size_t len) {
    const char *space = memchr(at, ' ', len);
    if (!space || space == at)
        return false;
    const size_t head = (size_t)(space - at);
    uint64_t rank = 0;
    if (len - head - 1 == 0 || len - head - 1 > 9)
        return false;
    for (size_t i = head + 1; i < len; i++) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        rank = 10 * rank + (uint64_t)(at[i] - '0');
    }
    if (rank >= LIMIT_VOCAB_SIZE)
        return false;
    *row = (struct row){at, head, (uint32_t)rank};
    return true;
}

static size_t line_len(const char *at, size_t len, size_t *taken) {
    const char *stop = memchr(at, '\n', len);
    size_t n = stop ? (size_t)(stop - at) : len;
    *taken = n + (stop != NULL);
    return n > 0 && at[n - 1] == '\r' ? n - 1 : n;
}

bool legacy_is_tiktoken(struct loader *loader) {
    char head[2 * LIMIT_PIECE];
    struct row row;
    uint8_t bytes[LIMIT_PIECE];
    size_t taken;
    FILE *file = fopen(path_join(&loader->arena, loader->folder, FILE_NAME), "rb");
    if (!file)
        return false;
    const size_t len = fread(head, 1, sizeof head, file);
    fclose(file);
    return parse_line(&row, head, line_len(head, len, &taken)) &&
           decode_base64(bytes, row.text, row.len) > 0;
}

/* ---- vocabulary ---------------------------------------------------------------------------- */

/* The bytes in the byte-level alphabet. */
static size_t put_mapped(char *out, const char *bytes, size_t len) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += utf8_put(out + n, byte_level_char((uint8_t)bytes[i]));
    return n;
}

/* Tokens by their bytes into `raw`, and as the model's vocabulary. */
static enum status read_tokens(struct loader *loader, struct vocab *raw, struct error *err) {
    char *data;
    size_t len, taken, number = 1;
    if (legacy_read(loader, FILE_NAME, &data, &len, err) != STATUS_OK)
        return STATUS_ERROR;
    for (size_t pos = 0; pos < len; pos += taken, number++) {
        uint8_t bytes[LIMIT_PIECE];
        char mapped[2 * LIMIT_PIECE];
        struct row row;
        const size_t n = line_len(data + pos, len - pos, &taken);
        if (n == 0)
            continue;
        const size_t n_bytes =
            parse_line(&row, data + pos, n) ? decode_base64(bytes, row.text, row.len) : 0;
        if (n_bytes == 0)
            return ERR(err, MODEL,
                       FILE_NAME ": line %zu must be a token of at most %d bytes in base64 and its "
                                 "rank below %d",
                       number, LIMIT_PIECE, LIMIT_VOCAB_SIZE);
        vocab_put(raw, (const char *)bytes, n_bytes, row.rank);
        vocab_put(&loader->tokenizer->vocab, mapped,
                  put_mapped(mapped, (const char *)bytes, n_bytes), row.rank);
    }
    return STATUS_OK;
}

/* ---- merges -------------------------------------------------------------------------------- */

struct candidate {
    int32_t left, right;
    uint32_t left_len; /* bytes of the mapped token */
};

struct pair_list {
    struct merge_pair *items;
    size_t n, cap;
};

static int by_ranks(const void *a, const void *b) {
    const struct candidate *x = a, *y = b;
    if (x->left != y->left)
        return x->left < y->left ? -1 : 1;
    return x->right < y->right ? -1 : x->right > y->right;
}

/* All the ways to make a token of two, best parts first. */
static void pairs_of(struct loader *loader, const struct vocab *raw, uint32_t rank,
                     struct pair_list *list) {
    struct candidate found[LIMIT_PIECE];
    char mapped[2 * LIMIT_PIECE];
    size_t len, n = 0;
    const char *bytes = vocab_token(raw, (int32_t)rank, &len);
    if (!bytes || len < 2 || len > LIMIT_PIECE)
        return;
    for (size_t i = 1; i < len; i++) {
        const int32_t left = vocab_find(raw, bytes, i);
        const int32_t right = left < 0 ? -1 : vocab_find(raw, bytes + i, len - i);
        if (right >= 0)
            found[n++] = (struct candidate){left, right, (uint32_t)put_mapped(mapped, bytes, i)};
    }
    if (n == 0)
        return;
    qsort(found, n, sizeof *found, by_ranks);
    const size_t mapped_len = put_mapped(mapped, bytes, len);
    const char *token = arena_strndup(&loader->arena, mapped, mapped_len);
    for (size_t i = 0; i < n; i++) {
        list->items = mem_grow(list->items, &list->cap, list->n + 1, sizeof *list->items);
        list->items[list->n++] =
            (struct merge_pair){token, (uint32_t)mapped_len, found[i].left_len};
    }
}

static enum status add_merges(struct loader *loader, const struct vocab *raw, struct error *err) {
    struct pair_list list = {0};
    enum status status = STATUS_OK;
    for (uint32_t rank = 0; rank < raw->size && list.n <= LIMIT_MERGES; rank++)
        pairs_of(loader, raw, rank, &list);
    if (list.n > LIMIT_MERGES)
        status = ERR(err, MODEL, FILE_NAME ": its tokens make more than %d merges", LIMIT_MERGES);
    else
        status = bpe_add_pairs(&loader->tokenizer->model, loader, list.items, list.n, err);
    mem_free(list.items);
    return status;
}

/* ---- the tokenizer ------------------------------------------------------------------------- */

static void add_specials(struct loader *loader) {
    const struct json *list = json_get(loader->tokenizer_config, "additional_special_tokens");
    for (uint32_t i = 0; json_is(list, JSON_ARRAY) && i < list->len; i++) {
        const struct json *token = json_at(list, i);
        if (json_is(token, JSON_OBJECT))
            token = json_get(token, "content");
        if (json_is(token, JSON_STRING))
            added_add(loader->tokenizer,
                      (struct added_token){
                          .content = arena_strndup(loader_arena(loader), token->text, token->len),
                          .len = token->len,
                          .special = true});
    }
}

static enum status build(struct loader *loader, struct vocab *raw, struct error *err) {
    if (read_tokens(loader, raw, err) != STATUS_OK ||
        legacy_model(loader,
                     "{\"type\":\"BPE\",\"merges\":[],\"fuse_unk\":false,\"ignore_merges\":true}",
                     err) != STATUS_OK ||
        add_merges(loader, raw, err) != STATUS_OK ||
        legacy_pre_tokenizer(
            loader,
            "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":"
            "{\"Regex\":\"" PATTERN "\"},\"behavior\":\"Isolated\",\"invert\":false},"
            "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,"
            "\"use_regex\":false}]}",
            err) != STATUS_OK ||
        legacy_decoder(loader, "{\"type\":\"ByteLevel\"}", err) != STATUS_OK ||
        legacy_post_processor(loader, "{\"type\":\"ByteLevel\",\"trim_offsets\":false}", err) !=
            STATUS_OK)
        return STATUS_ERROR;
    add_specials(loader);
    return STATUS_OK;
}

enum status legacy_tiktoken(struct loader *loader, struct error *err) {
    struct vocab raw;
    vocab_init(&raw);
    const enum status status = build(loader, &raw, err);
    vocab_deinit(&raw);
    return status;
}
