/* tiktoken's files: a token in base64 and its rank a line (Llama 3's own tokenizer.model, Qwen's
 * qwen.tiktoken), and Mistral's tekken.json, which has them as rows of JSON. They become byte-level
 * BPE as transformers' TikTokenConverter makes it: the merges of a token are all the pairs of
 * tokens that it can be made of. */
#include "tokenizer/legacy.h"

#include "base/banned.h"

#define FILE_NAME   "tokenizer.model"
#define QWEN_FILE   "qwen.tiktoken"
#define TEKKEN_FILE "tekken.json"
#define QWEN_EXTRAS 205 /* <|extra_0|> and so on */
#define QWEN_PATTERN                                                                               \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "                          \
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"                                                                \
    "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define PATTERN                                                                                    \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "                     \
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

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

/* A token by its bytes into `raw`, and into the model's vocabulary. */
static void put_token(struct loader *loader, struct vocab *raw, const char *bytes, size_t len,
                      uint32_t rank, uint32_t first_id) {
    char mapped[2 * LIMIT_PIECE];
    vocab_put(raw, bytes, len, rank);
    vocab_put(&loader->tokenizer->vocab, mapped, put_mapped(mapped, bytes, len), first_id + rank);
}

static enum status read_tokens(struct loader *loader, const char *file, struct vocab *raw,
                               struct error *err) {
    char *data;
    size_t len, taken, number = 1;
    if (legacy_read(loader, file, &data, &len, err) != STATUS_OK)
        return STATUS_ERROR;
    for (size_t pos = 0; pos < len; pos += taken, number++) {
        uint8_t bytes[LIMIT_PIECE];
        struct row row;
        const size_t n = line_len(data + pos, len - pos, &taken);
        if (n == 0)
            continue;
        const size_t n_bytes =
            parse_line(&row, data + pos, n) ? decode_base64(bytes, row.text, row.len) : 0;
        if (n_bytes == 0)
            return ERR(err, MODEL,
                       "%s: line %zu must be a token of at most %d bytes in base64 and its rank "
                       "below %d",
                       file, number, LIMIT_PIECE, LIMIT_VOCAB_SIZE);
        put_token(loader, raw, (const char *)bytes, n_bytes, row.rank, 0);
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
        status = ERR(err, MODEL, "its tokens make more than %d merges", LIMIT_MERGES);
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

/* What stands around the ranks: merges, the pattern that splits, bytes. */
static enum status stages(struct loader *loader, const struct vocab *raw, const char *pattern,
                          struct error *err) {
    const char *split =
        arena_printf(&loader->arena,
                     "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":"
                     "{\"Regex\":%s},\"behavior\":\"Isolated\",\"invert\":false},"
                     "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,"
                     "\"use_regex\":false}]}",
                     legacy_quoted(loader, pattern));
    if (legacy_model(loader,
                     "{\"type\":\"BPE\",\"merges\":[],\"fuse_unk\":false,\"ignore_merges\":true}",
                     err) != STATUS_OK ||
        add_merges(loader, raw, err) != STATUS_OK ||
        legacy_pre_tokenizer(loader, split, err) != STATUS_OK ||
        legacy_decoder(loader, "{\"type\":\"ByteLevel\"}", err) != STATUS_OK)
        return STATUS_ERROR;
    return legacy_post_processor(loader, "{\"type\":\"ByteLevel\",\"trim_offsets\":false}", err);
}

typedef enum status builder(struct loader *loader, struct vocab *raw, struct error *err);

static enum status with_raw(struct loader *loader, const char *file, builder *build,
                            struct error *err) {
    struct vocab raw;
    struct error inner;
    vocab_init(&raw);
    enum status status = build(loader, &raw, &inner);
    vocab_deinit(&raw);
    if (status != STATUS_OK) {
        *err = inner;
        if (strncmp(inner.text, file, strlen(file)) != 0)
            status = error_prefix(err, "%s: ", file);
    }
    return status;
}

static void add_special(struct loader *loader, const char *content, size_t len, bool special,
                        uint32_t id) {
    const struct added_token token = {.content = arena_strndup(loader_arena(loader), content, len),
                                      .len = len,
                                      .special = special};
    if (id < LIMIT_VOCAB_SIZE) /* so that what is added later gets an id behind all of them */
        vocab_put(&loader->tokenizer->vocab, content, len, id);
    added_put(loader->tokenizer, token, id);
    if (special)
        added_special(loader->tokenizer, token);
}

/* ---- tokenizer.model ----------------------------------------------------------------------- */

static enum status build(struct loader *loader, struct vocab *raw, struct error *err) {
    if (read_tokens(loader, FILE_NAME, raw, err) != STATUS_OK ||
        stages(loader, raw, PATTERN, err) != STATUS_OK)
        return STATUS_ERROR;
    add_specials(loader);
    return STATUS_OK;
}

enum status legacy_tiktoken(struct loader *loader, struct error *err) {
    return with_raw(loader, FILE_NAME, build, err);
}

/* ---- qwen.tiktoken ------------------------------------------------------------------------- */

/* The special tokens have the ids behind the ranks, as Qwen's tokenization_qwen.py numbers them. */
static enum status build_qwen(struct loader *loader, struct vocab *raw, struct error *err) {
    static const char *const first[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
    if (read_tokens(loader, QWEN_FILE, raw, err) != STATUS_OK ||
        stages(loader, raw, QWEN_PATTERN, err) != STATUS_OK)
        return STATUS_ERROR;
    uint32_t id = raw->size;
    for (size_t i = 0; i < ARRAY_LEN(first); i++)
        add_special(loader, first[i], strlen(first[i]), true, id++);
    for (int i = 0; i < QWEN_EXTRAS; i++) {
        const char *extra = arena_printf(&loader->arena, "<|extra_%d|>", i);
        add_special(loader, extra, strlen(extra), true, id++);
    }
    return legacy_normalizer(loader, "{\"type\":\"NFC\"}", err);
}

enum status legacy_qwen(struct loader *loader, struct error *err) {
    return with_raw(loader, QWEN_FILE, build_qwen, err);
}

/* ---- tekken.json --------------------------------------------------------------------------- */

/* Of files that do not list them, as mistral-common has them; the rest are fillers. */
static const char *const tekken_specials[] = {
    "<unk>",
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
    "[TOOL_CALLS]",
    "[IMG]",
    "<pad>",
    "[IMG_BREAK]",
    "[IMG_END]",
    "[PREFIX]",
    "[MIDDLE]",
    "[SUFFIX]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "[TOOL_CONTENT]",
};

static enum status read_row(struct loader *loader, struct vocab *raw, const struct json *row,
                            uint32_t place, uint32_t n_special, uint32_t n_ranks,
                            struct error *err) {
    const struct json *text = json_get(row, "token_bytes");
    const int64_t rank = json_get_int(row, "rank", -1);
    uint8_t bytes[LIMIT_PIECE];
    const size_t n = json_is(text, JSON_STRING) ? decode_base64(bytes, text->text, text->len) : 0;
    if (n == 0 || rank < 0 || rank >= LIMIT_VOCAB_SIZE)
        return ERR(err, MODEL,
                   "row %u of \"vocab\" must have a \"rank\" below %d and \"token_bytes\", at most "
                   "%d in base64",
                   place, LIMIT_VOCAB_SIZE, LIMIT_PIECE);
    if (rank < n_ranks)
        put_token(loader, raw, (const char *)bytes, n, (uint32_t)rank, n_special);
    return STATUS_OK;
}

/* The file's list, else the usual ones; what is left of the ids are fillers. */
static void tekken_special_tokens(struct loader *loader, const struct json *list, uint32_t n) {
    const bool listed = json_is(list, JSON_ARRAY);
    for (uint32_t i = 0; listed && i < list->len; i++) {
        const struct json *token = json_at(list, i), *text = json_get(token, "token_str");
        const int64_t id = json_get_int(token, "rank", -1);
        if (json_is(text, JSON_STRING) && text->len > 0 && id >= 0 && id < n)
            add_special(loader, text->text, text->len, json_get_bool(token, "is_control", true),
                        (uint32_t)id);
    }
    for (uint32_t id = 0; id < n; id++) {
        size_t len;
        if (vocab_token(&loader->tokenizer->added.vocab, (int32_t)id, &len))
            continue;
        const char *name = !listed && id < ARRAY_LEN(tekken_specials)
                               ? tekken_specials[id]
                               : arena_printf(&loader->arena, "<SPECIAL_%u>", id);
        add_special(loader, name, strlen(name), true, id);
    }
}

/* The special tokens have the first ids, the ranks follow (mistral-common's Tekkenizer; the
 * converter of transformers numbers both from 0, which no model was trained with). */
static enum status build_tekken(struct loader *loader, struct vocab *raw, struct error *err) {
    char *data;
    size_t len;
    const struct json *file;
    if (legacy_read(loader, TEKKEN_FILE, &data, &len, err) != STATUS_OK)
        return STATUS_ERROR;
    if (json_parse(&file, &loader->arena, data, len, JSON_PYTHON, err) != STATUS_OK) {
        err->code = ERROR_MODEL;
        return STATUS_ERROR;
    }
    const struct json *config = json_get(file, "config"), *rows = json_get(file, "vocab");
    const char *pattern = json_get_string(config, "pattern", NULL);
    const int64_t n_special = json_get_int(config, "default_num_special_tokens", 0);
    const int64_t size = json_get_int(config, "default_vocab_size", LIMIT_VOCAB_SIZE);
    if (!pattern || !json_is(rows, JSON_ARRAY))
        return ERR(err, MODEL, "it must have \"config\" with a \"pattern\" and a list \"vocab\"");
    if (n_special < 0 || size > LIMIT_VOCAB_SIZE || n_special > size ||
        n_special > LIMIT_SPECIAL_TOKENS)
        return ERR(err, MODEL, "%lld special tokens of %lld: at most %d of %d",
                   (long long)n_special, (long long)size, LIMIT_SPECIAL_TOKENS, LIMIT_VOCAB_SIZE);
    for (uint32_t i = 0; i < rows->len; i++)
        if (read_row(loader, raw, json_at(rows, i), i, (uint32_t)n_special,
                     (uint32_t)(size - n_special), err) != STATUS_OK)
            return STATUS_ERROR;
    tekken_special_tokens(loader, json_get(file, "special_tokens"), (uint32_t)n_special);
    if (stages(loader, raw, pattern, err) != STATUS_OK)
        return STATUS_ERROR;
    const char *bos = special_content(loader, TOKEN_BOS);
    if (bos)
        legacy_post(loader, (struct legacy_post){
                                .single = arena_printf(&loader->arena, "%s:0 $A:0", bos),
                                .pair = arena_printf(&loader->arena, "%s:0 $A:0 $B:1", bos)});
    return STATUS_OK;
}

enum status legacy_tekken(struct loader *loader, struct error *err) {
    return with_raw(loader, TEKKEN_FILE, build_tekken, err);
}
