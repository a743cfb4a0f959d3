/* The tokenizer in a GGUF header (tokenizer.ggml.*), written as the tokenizer.json that the
 * original repository has: one way into the tokenizer for all files. What the four models of ggml
 * stand for follows transformers' integrations/ggml.py and convert_slow_tokenizer.py, but for two
 * things that are lost there and in the file: the pre-tokenizer's name is heeded (llama 3, qwen),
 * and a charsmap is used. */
#include "formats/gguf.h"

#define SPACE "\xe2\x96\x81" /* U+2581, a space in pieces */

enum token_type { TOKEN_UNKNOWN = 2, TOKEN_CONTROL = 3, TOKEN_USER_DEFINED = 4 }; /* in the file */

struct token {
    const char *text;
    size_t len;
};

struct vocab {
    const struct gguf *gguf;
    struct json_out *out;
    struct arena *scratch;
    const struct gguf_value *tokens, *types;
    struct token *token; /* [n] */
    uint32_t n;
};

static const struct gguf_value *tokenizer_key(const struct gguf *gguf, const char *key) {
    char full[64] = "tokenizer.ggml.";
    const size_t used = strlen(full), len = strlen(key);
    ASSERT(used + len < sizeof full);
    memcpy(full + used, key, len + 1);
    return gguf_find(gguf, full);
}

static enum status read_tokens(struct vocab *vocab, struct error *err) {
    vocab->tokens = tokenizer_key(vocab->gguf, "tokens");
    vocab->types = tokenizer_key(vocab->gguf, "token_type");
    if (!gguf_is_array(vocab->tokens, GGUF_STRING) || vocab->tokens->len == 0)
        return ERR(err, MODEL, "\"tokenizer.ggml.tokens\" must be an array of strings");
    if (vocab->tokens->len > LIMIT_VOCAB_SIZE)
        return ERR(err, MODEL, "\"tokenizer.ggml.tokens\" has %llu tokens, at most %d are read",
                   (unsigned long long)vocab->tokens->len, LIMIT_VOCAB_SIZE);
    if (!gguf_is_array(vocab->types, GGUF_I32) || vocab->types->len != vocab->tokens->len)
        vocab->types = NULL;
    vocab->n = (uint32_t)vocab->tokens->len;
    vocab->token = arena_zalloc(vocab->scratch, vocab->n, sizeof *vocab->token);
    const uint8_t *at = vocab->tokens->data;
    for (uint32_t i = 0; i < vocab->n; i++)
        vocab->token[i].text = gguf_next_string(&at, &vocab->token[i].len);
    return STATUS_OK;
}

static int64_t type_of(const struct vocab *vocab, uint32_t id) {
    int64_t type = 0;
    if (vocab->types != NULL) {
        const struct gguf_value item = gguf_item(vocab->types, id);
        (void)gguf_int(&item, &type);
    }
    return type;
}

/* The id that a key holds, -1 when it is absent or no token's. */
static int64_t id_of(const struct gguf *gguf, uint64_t n_tokens, const char *key) {
    int64_t id = -1;
    if (!gguf_int(tokenizer_key(gguf, key), &id) || id < 0 || (uint64_t)id >= n_tokens)
        return -1;
    return id;
}

static int64_t special_id(const struct vocab *vocab, const char *key) {
    return id_of(vocab->gguf, vocab->n, key);
}

static int64_t unknown_id(const struct vocab *vocab) {
    const int64_t id = special_id(vocab, "unknown_token_id");
    for (uint32_t i = 0; id < 0 && i < vocab->n; i++) {
        if (type_of(vocab, i) == TOKEN_UNKNOWN)
            return i;
    }
    return id;
}

/* ---- pieces of JSON ---- */

static void put(const struct vocab *vocab, const char *key, const char *json) {
    const struct json *tree = NULL;
    struct error err = {0};
    const enum status status =
        json_parse(&tree, vocab->scratch, json, strlen(json), JSON_STRICT, &err);
    ASSERT(status == STATUS_OK); /* a constant of this file */
    (void)status;
    json_key(vocab->out, key);
    json_value(vocab->out, tree);
}

static void put_string(const struct vocab *vocab, const char *key, const char *value) {
    json_key(vocab->out, key);
    json_string(vocab->out, value);
}

static void put_token(const struct vocab *vocab, const char *key, int64_t id) {
    json_key(vocab->out, key);
    if (id < 0)
        json_null(vocab->out);
    else
        json_string_n(vocab->out, vocab->token[id].text, vocab->token[id].len);
}

static void put_vocab(const struct vocab *vocab) {
    json_key(vocab->out, "vocab");
    json_open_object(vocab->out);
    for (uint32_t i = 0; i < vocab->n; i++) {
        json_key_n(vocab->out, vocab->token[i].text, vocab->token[i].len);
        json_int(vocab->out, i);
    }
    json_close_object(vocab->out);
}

/* Tokens that are found in a text before it is cut. */
static void put_added_tokens(const struct vocab *vocab) {
    struct json_out *out = vocab->out;
    json_key(out, "added_tokens");
    json_open_array(out);
    for (uint32_t i = 0; i < vocab->n; i++) {
        const int64_t type = type_of(vocab, i);
        if ((type != TOKEN_CONTROL && type != TOKEN_USER_DEFINED) || vocab->token[i].len == 0)
            continue;
        json_open_object(out);
        json_key(out, "id");
        json_int(out, i);
        put_token(vocab, "content", i);
        json_key(out, "normalized");
        json_bool(out, false);
        json_key(out, "special");
        json_bool(out, type == TOKEN_CONTROL);
        json_close_object(out);
    }
    json_close_array(out);
}

/* Around a text and a pair of texts; ids, -1 where nothing stands. */
struct template {
    int64_t before, between, after;
    bool again;      /* `before` stands before the second text too */
    int second_type; /* type id of the second text */
};

static void put_part(const struct vocab *vocab, const char *kind, int64_t token, const char *text,
                     int type_id) {
    struct json_out *out = vocab->out;
    if (text == NULL && token < 0)
        return;
    json_open_object(out);
    json_key(out, kind);
    json_open_object(out);
    if (text != NULL)
        put_string(vocab, "id", text);
    else
        put_token(vocab, "id", token);
    json_key(out, "type_id");
    json_int(out, type_id);
    json_close_object(out);
    json_close_object(out);
}

static void put_template_token(const struct vocab *vocab, int64_t id) {
    struct json_out *out = vocab->out;
    if (id < 0)
        return;
    json_key_n(out, vocab->token[id].text, vocab->token[id].len);
    json_open_object(out);
    put_token(vocab, "id", id);
    json_key(out, "ids");
    json_open_array(out);
    json_int(out, id);
    json_close_array(out);
    json_key(out, "tokens");
    json_open_array(out);
    json_string_n(out, vocab->token[id].text, vocab->token[id].len);
    json_close_array(out);
    json_close_object(out);
}

static void put_template(const struct vocab *vocab, const struct template *template) {
    struct json_out *out = vocab->out;
    const int second = template->second_type;
    json_key(out, "post_processor");
    json_open_object(out);
    put_string(vocab, "type", "TemplateProcessing");
    json_key(out, "single");
    json_open_array(out);
    put_part(vocab, "SpecialToken", template->before, NULL, 0);
    put_part(vocab, "Sequence", -1, "A", 0);
    put_part(vocab, "SpecialToken", template->after, NULL, 0);
    json_close_array(out);
    json_key(out, "pair");
    json_open_array(out);
    put_part(vocab, "SpecialToken", template->before, NULL, 0);
    put_part(vocab, "Sequence", -1, "A", 0);
    put_part(vocab, "SpecialToken", template->after, NULL, 0);
    put_part(vocab, "SpecialToken", template->between, NULL, 0);
    if (template->again)
        put_part(vocab, "SpecialToken", template->before, NULL, second);
    put_part(vocab, "Sequence", -1, "B", second);
    put_part(vocab, "SpecialToken", template->after, NULL, second);
    json_close_array(out);
    json_key(out, "special_tokens");
    json_open_object(out);
    put_template_token(vocab, template->before);
    if (template->after != template->before)
        put_template_token(vocab, template->after);
    json_close_object(out);
    json_close_object(out);
}

/* bos and eos as the file's switches have them, else as `bos` and `eos` say. */
static struct template switched(const struct vocab *vocab, bool bos, bool eos) {
    const bool add_bos = gguf_bool(tokenizer_key(vocab->gguf, "add_bos_token"), bos);
    const bool add_eos = gguf_bool(tokenizer_key(vocab->gguf, "add_eos_token"), eos);
    return (struct template){.before = add_bos ? special_id(vocab, "bos_token_id") : -1,
                             .between = -1,
                             .after = add_eos ? special_id(vocab, "eos_token_id") : -1};
}

/* ---- "gpt2": byte-level BPE ---- */

/* Pre-tokenizers, as JSON; "%s" is whether a space is put in front. */
#define LEVEL(regex)                                                                               \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":%s,\"trim_offsets\":true,\"use_regex\":" regex "}"
#define SEQUENCE(first, second) "{\"type\":\"Sequence\",\"pretokenizers\":[" first "," second "]}"
#define SPLIT(numbers)                                                                             \
    "{\"type\":\"Split\",\"behavior\":\"Isolated\",\"invert\":false,\"pattern\":{\"Regex\":\""     \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|" numbers                    \
    "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\r\\n]*|\\\\s*[\\r\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"}}"
#define DIGITS "{\"type\":\"Digits\",\"individual_digits\":true}"

/* What tokenizer.ggml.pre names. */
static const struct pre {
    const char *names; /* separated by spaces */
    const char *pre_tokenizer;
    bool nfc, ignore_merges;
} pres[] = {
    {.names = "default gpt-2 gpt2 phi-2 mpt roberta-bpe jina-v2-en exaone",
     .pre_tokenizer = LEVEL("true")},
    {.names = "llama-bpe llama3 llama-v3 smaug-bpe",
     .pre_tokenizer = SEQUENCE(SPLIT("\\\\p{N}{1,3}"), LEVEL("false")),
     .ignore_merges = true},
    {.names = "qwen2 deepseek-r1-qwen",
     .pre_tokenizer = SEQUENCE(SPLIT("\\\\p{N}"), LEVEL("false")),
     .nfc = true},
    {.names = "olmo", .pre_tokenizer = LEVEL("true"), .nfc = true},
    {.names = "starcoder refact smollm", .pre_tokenizer = SEQUENCE(DIGITS, LEVEL("true"))},
};

static bool has_word(const char *words, const char *word, size_t len) {
    for (const char *at = words; *at != 0;) {
        const size_t n = strcspn(at, " ");
        if (n == len && memcmp(at, word, len) == 0)
            return true;
        at += n + (at[n] == ' ');
    }
    return false;
}

static enum status find_pre(const struct pre **out, const struct gguf *gguf, struct error *err) {
    const struct gguf_value *value = tokenizer_key(gguf, "pre");
    *out = &pres[0];
    if (!gguf_is_string(value))
        return STATUS_OK;
    for (size_t i = 0; i < ARRAY_LEN(pres); i++) {
        *out = &pres[i];
        if (has_word(pres[i].names, (const char *)value->data, (size_t)value->len))
            return STATUS_OK;
    }
    return ERR(err, MODEL,
               "\"tokenizer.ggml.pre\" is \"%.*s\", which is not known: put tokenizer.json of the "
               "original repository beside the file",
               (int)(value->len < 40 ? value->len : 40), (const char *)value->data);
}

static enum status put_merges(const struct vocab *vocab, struct error *err) {
    const struct gguf_value *merges = tokenizer_key(vocab->gguf, "merges");
    if (!gguf_is_array(merges, GGUF_STRING))
        return ERR(err, MODEL, "\"tokenizer.ggml.merges\" must be an array of strings");
    json_key(vocab->out, "merges");
    json_open_array(vocab->out);
    const uint8_t *at = merges->data;
    for (uint64_t i = 0; i < merges->len; i++) {
        size_t len = 0;
        const char *merge = gguf_next_string(&at, &len);
        json_string_n(vocab->out, merge, len);
    }
    json_close_array(vocab->out);
    return STATUS_OK;
}

static enum status write_byte_level(const struct vocab *vocab, struct error *err) {
    const struct pre *pre = NULL;
    if (find_pre(&pre, vocab->gguf, err) != STATUS_OK)
        return STATUS_ERROR;
    const bool prefix = gguf_bool(tokenizer_key(vocab->gguf, "add_space_prefix"), false);
    struct buf text; /* the row with its "%s" filled in */
    buf_init(&text, LIMIT_CONFIG_FILE);
    const char *mark = strstr(pre->pre_tokenizer, "%s");
    buf_append(&text, pre->pre_tokenizer, (size_t)(mark - pre->pre_tokenizer));
    buf_puts(&text, prefix ? "true" : "false");
    buf_puts(&text, mark + 2);
    put(vocab, "normalizer", pre->nfc ? "{\"type\":\"NFC\"}" : "null");
    put(vocab, "pre_tokenizer", text.data);
    buf_deinit(&text);
    put(vocab, "decoder",
        "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,"
        "\"use_regex\":true}");
    const struct template template = switched(vocab, false, false);
    if (template.before < 0 && template.after < 0)
        put(vocab, "post_processor",
            "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":false,"
            "\"use_regex\":true}");
    else
        put_template(vocab, &template);
    json_key(vocab->out, "model");
    json_open_object(vocab->out);
    put(vocab, "type", "\"BPE\"");
    put(vocab, "ignore_merges", pre->ignore_merges ? "true" : "false");
    put_vocab(vocab);
    const enum status status = put_merges(vocab, err);
    json_close_object(vocab->out);
    return status;
}

/* ---- "llama": pieces of SentencePiece, merged by their scores ---- */

static enum status find_scores(const struct vocab *vocab, const struct gguf_value **out,
                               struct error *err) {
    *out = tokenizer_key(vocab->gguf, "scores");
    if (!gguf_is_array(*out, GGUF_F32) || (*out)->len != vocab->n)
        return ERR(err, MODEL,
                   "\"tokenizer.ggml.scores\" must be an array of %u numbers (f32), one a token",
                   vocab->n);
    return STATUS_OK;
}

static enum status write_pieces(const struct vocab *vocab, struct error *err) {
    struct json_out *out = vocab->out;
    const bool prefix = gguf_bool(tokenizer_key(vocab->gguf, "add_space_prefix"), true);
    const bool has_merges = tokenizer_key(vocab->gguf, "merges") != NULL;
    const struct gguf_value *scores = NULL;
    if (!has_merges && find_scores(vocab, &scores, err) != STATUS_OK)
        return STATUS_ERROR;
#define REPLACE "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" SPACE "\"}"
#define PREPEND "{\"type\":\"Prepend\",\"prepend\":\"" SPACE "\"}"
#define BACK                                                                                       \
    "{\"type\":\"Replace\",\"pattern\":{\"String\":\"" SPACE "\"},\"content\":\" \"},"             \
    "{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}"
#define STRIP "{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}"
    put(vocab, "normalizer",
        prefix ? "{\"type\":\"Sequence\",\"normalizers\":[" PREPEND "," REPLACE "]}" : REPLACE);
    put(vocab, "pre_tokenizer", "null");
    put(vocab, "decoder",
        prefix ? "{\"type\":\"Sequence\",\"decoders\":[" BACK "," STRIP "]}"
               : "{\"type\":\"Sequence\",\"decoders\":[" BACK "]}");
    struct template template = switched(vocab, true, false);
    template.again = true;
    template.second_type = 1;
    put_template(vocab, &template);
    json_key(out, "model");
    json_open_object(out);
    put(vocab, "type", "\"BPE\"");
    put_token(vocab, "unk_token", unknown_id(vocab));
    put(vocab, "fuse_unk", "true");
    put(vocab, "byte_fallback", "true");
    put_vocab(vocab);
    enum status status = STATUS_OK;
    if (has_merges)
        status = put_merges(vocab, err);
    else
        gguf_write_merges(out, vocab->tokens, scores, vocab->scratch);
    json_close_object(out);
    return status;
}

/* ---- "bert": WordPiece ---- */

/* ggml writes a word's first piece with a space in front and the others plain; names in brackets
 * stay. The original is the other way round: plain, and "##" in front. */
static void put_word_pieces(const struct vocab *vocab) {
    struct json_out *out = vocab->out;
    const size_t space = sizeof SPACE - 1;
    json_key(out, "vocab");
    json_open_object(out);
    for (uint32_t i = 0; i < vocab->n; i++) {
        const struct token *token = &vocab->token[i];
        const bool bracketed =
            token->len > 2 && token->text[0] == '[' && token->text[token->len - 1] == ']';
        if (token->len > space && memcmp(token->text, SPACE, space) == 0) {
            json_key_n(out, token->text + space, token->len - space);
        } else if (bracketed) {
            json_key_n(out, token->text, token->len);
        } else {
            char *key = arena_alloc(vocab->scratch, token->len + 2);
            key[0] = key[1] = '#';
            if (token->len > 0)
                memcpy(key + 2, token->text, token->len);
            json_key_n(out, key, token->len + 2);
        }
        json_int(out, i);
    }
    json_close_object(out);
}

/* Nothing in the file says whether texts are lowercased: they are when no word has a capital. */
static bool is_cased(const struct vocab *vocab) {
    for (uint32_t i = 0; i < vocab->n; i++) {
        const struct token *token = &vocab->token[i];
        for (size_t j = 0; j < token->len && token->text[0] != '['; j++) {
            if (token->text[j] >= 'A' && token->text[j] <= 'Z')
                return true;
        }
    }
    return false;
}

static int64_t first_id(const struct vocab *vocab, const char *key, const char *otherwise) {
    const int64_t id = special_id(vocab, key);
    return id >= 0 ? id : special_id(vocab, otherwise);
}

static enum status write_word_piece(const struct vocab *vocab, struct error *err) {
    const int64_t unknown = unknown_id(vocab);
    if (unknown < 0)
        return ERR(err, MODEL, "\"tokenizer.ggml.unknown_token_id\" must be the id of a token");
#define NORMALIZER                                                                                 \
    "\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"               \
    "\"strip_accents\":null"
    put(vocab, "normalizer",
        is_cased(vocab) ? "{" NORMALIZER ",\"lowercase\":false}"
                        : "{" NORMALIZER ",\"lowercase\":true}");
    put(vocab, "pre_tokenizer", "{\"type\":\"BertPreTokenizer\"}");
    put(vocab, "decoder", "{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}");
    const struct template template = {
        .before = first_id(vocab, "cls_token_id", "bos_token_id"),
        .between = -1,
        .after = first_id(vocab, "seperator_token_id", "eos_token_id"), /* spelled so in files */
        .second_type = 1,
    };
    put_template(vocab, &template);
    json_key(vocab->out, "model");
    json_open_object(vocab->out);
    put(vocab, "type", "\"WordPiece\"");
    put_token(vocab, "unk_token", unknown);
    put(vocab, "continuing_subword_prefix", "\"##\"");
    put(vocab, "max_input_chars_per_word", "100");
    put_word_pieces(vocab);
    json_close_object(vocab->out);
    return STATUS_OK;
}

/* ---- "t5": unigram pieces ---- */

static void put_charsmap(const struct vocab *vocab) {
    const struct gguf_value *map = tokenizer_key(vocab->gguf, "precompiled_charsmap");
    struct json_out *out = vocab->out;
    json_key(out, "normalizer");
    if ((!gguf_is_array(map, GGUF_U8) && !gguf_is_array(map, GGUF_I8)) || map->len == 0) {
        json_null(out);
        return;
    }
    json_open_object(out);
    put_string(vocab, "type", "Precompiled");
    json_key(out, "precompiled_charsmap");
    struct buf text;
    buf_init(&text, LIMIT_JSON_FILE);
    base64_encode(&text, map->data, (size_t)map->len);
    json_string_n(out, text.data ? text.data : "", text.len);
    buf_deinit(&text);
    json_close_object(out);
}

static enum status write_unigram(const struct vocab *vocab, struct error *err) {
    const struct gguf_value *scores = NULL;
    const int64_t unknown = unknown_id(vocab);
    if (find_scores(vocab, &scores, err) != STATUS_OK)
        return STATUS_ERROR;
#define METASPACE(scheme)                                                                          \
    "{\"type\":\"Metaspace\",\"replacement\":\"" SPACE "\",\"prepend_scheme\":\"" scheme           \
    "\",\"split\":true}"
#define WORDS(scheme) SEQUENCE("{\"type\":\"WhitespaceSplit\"}", METASPACE(scheme))
    const bool prefix = gguf_bool(tokenizer_key(vocab->gguf, "add_space_prefix"), true);
    put_charsmap(vocab);
    put(vocab, "pre_tokenizer", prefix ? WORDS("always") : WORDS("never"));
    put(vocab, "decoder", prefix ? METASPACE("always") : METASPACE("never"));
    struct template template = switched(vocab, false, true);
    if (template.before >= 0) /* as XLM-R: <s> A </s> </s> B </s> */
        template.between = template.after;
    put_template(vocab, &template);
    json_key(vocab->out, "model");
    json_open_object(vocab->out);
    put(vocab, "type", "\"Unigram\"");
    json_key(vocab->out, "unk_id");
    if (unknown < 0)
        json_null(vocab->out);
    else
        json_int(vocab->out, unknown);
    put(vocab, "byte_fallback", "false");
    put(vocab, "vocab", "[]"); /* gguf_add_pieces: as text, 250,000 scores would take a second */
    json_close_object(vocab->out);
    return STATUS_OK;
}

static enum status set_piece(struct json pair[3], const char *text, size_t len, double score,
                             struct arena *arena, struct error *err) {
    size_t bad = 0;
    if (!utf8_valid(text, len, &bad))
        return ERR(err, MODEL, "\"tokenizer.ggml.tokens\" holds a token that is not UTF-8");
    pair[0] = (struct json){.type = JSON_ARRAY, .len = 2, .items = &pair[1]};
    pair[1] = (struct json){
        .type = JSON_STRING, .text = arena_strndup(arena, text, len), .len = (uint32_t)len};
    pair[2] = (struct json){.type = JSON_NUMBER, .number = score};
    return STATUS_OK;
}

enum status gguf_add_pieces(const struct json *tokenizer, struct arena *arena,
                            const struct gguf *gguf, struct error *err) {
    const struct json *model = json_get(tokenizer, "model");
    if (!json_equals(json_get(model, "type"), "Unigram"))
        return STATUS_OK;
    struct json *list = (struct json *)(uintptr_t)json_get(model, "vocab"); /* made for this */
    const struct gguf_value *tokens = tokenizer_key(gguf, "tokens");
    const struct gguf_value *scores = tokenizer_key(gguf, "scores");
    const size_t n = (size_t)tokens->len;
    struct json *items = arena_alloc(arena, n * sizeof *items);
    struct json *pairs = arena_alloc(arena, 3 * n * sizeof *pairs);
    const uint8_t *at = tokens->data;
    for (size_t i = 0; i < n; i++) {
        double score = 0;
        size_t len = 0;
        const struct gguf_value item = gguf_item(scores, i);
        const char *text = gguf_next_string(&at, &len);
        (void)gguf_float(&item, &score);
        if (set_piece(&pairs[3 * i], text, len, score, arena, err) != STATUS_OK)
            return STATUS_ERROR;
        items[i] = pairs[3 * i];
    }
    list->items = items;
    list->len = (uint32_t)n;
    return STATUS_OK;
}

/* ---- public ---- */

static const struct {
    const char *name; /* as tokenizer.ggml.model has it */
    enum status (*write)(const struct vocab *vocab, struct error *err);
} models[] = {
    {"bert", write_word_piece},
    {"gpt2", write_byte_level},
    {"llama", write_pieces},
    {"t5", write_unigram},
};

enum status gguf_write_tokenizer(struct json_out *out, const struct gguf *gguf,
                                 struct arena *scratch, struct error *err) {
    const struct gguf_value *model = tokenizer_key(gguf, "model");
    struct vocab vocab = {.gguf = gguf, .out = out, .scratch = scratch};
    if (!gguf_is_string(model))
        return ERR(err, MODEL,
                   "holds no tokenizer (\"tokenizer.ggml.model\"): put tokenizer.json of the "
                   "original repository beside the file");
    if (read_tokens(&vocab, err) != STATUS_OK)
        return STATUS_ERROR;
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        if (strlen(models[i].name) != model->len ||
            memcmp(models[i].name, model->data, (size_t)model->len) != 0)
            continue;
        json_open_object(out);
        put_added_tokens(&vocab);
        const enum status status = models[i].write(&vocab, err);
        json_close_object(out);
        return status;
    }
    return ERR(err, MODEL,
               "\"tokenizer.ggml.model\" is \"%.*s\"; bert, gpt2, llama and t5 are read: put "
               "tokenizer.json of the original repository beside the file",
               (int)(model->len < 40 ? model->len : 40), (const char *)model->data);
}

static void put_role(struct json_out *out, const struct gguf *gguf, const struct gguf_value *tokens,
                     const char *role, const char *key) {
    const int64_t id = id_of(gguf, tokens->len, key);
    if (id < 0)
        return;
    const uint8_t *at = tokens->data;
    const char *text = NULL;
    size_t len = 0;
    for (int64_t i = 0; i <= id; i++)
        text = gguf_next_string(&at, &len);
    json_key(out, role);
    json_string_n(out, text, len);
}

void gguf_write_tokenizer_config(struct json_out *out, const struct gguf *gguf) {
    static const struct {
        const char *role, *key;
    } roles[] = {
        {"bos_token", "bos_token_id"},     {"eos_token", "eos_token_id"},
        {"unk_token", "unknown_token_id"}, {"sep_token", "seperator_token_id"},
        {"pad_token", "padding_token_id"}, {"cls_token", "cls_token_id"},
        {"mask_token", "mask_token_id"},
    };
    const struct gguf_value *tokens = tokenizer_key(gguf, "tokens");
    const struct gguf_value *template = gguf_find(gguf, "tokenizer.chat_template");
    json_open_object(out);
    json_key(out, "tokenizer_class");
    json_string(out, "PreTrainedTokenizerFast");
    for (size_t i = 0; gguf_is_array(tokens, GGUF_STRING) && i < ARRAY_LEN(roles); i++)
        put_role(out, gguf, tokens, roles[i].role, roles[i].key);
    json_key(out, "add_prefix_space");
    json_bool(out, gguf_bool(tokenizer_key(gguf, "add_space_prefix"), false));
    if (gguf_is_string(template)) {
        json_key(out, "chat_template");
        json_string_n(out, (const char *)template->data, (size_t) template->len);
    }
    json_close_object(out);
}
