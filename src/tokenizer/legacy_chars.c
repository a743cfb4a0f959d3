/* Python classes whose tokens are bytes, characters or whole words: ByT5, Perceiver, Dia, CANINE,
 * MGP-STR, ESM. (Wav2Vec2 is in legacy_ctc.c, MyT5 in legacy_myt5.c.) */
#include "tokenizer/legacy_chars.h"

#include "tokenizer/lossy.h"
#include "base/banned.h"

#define CODE_POINTS 0x110000

/* ---- models -------------------------------------------------------------------------------- */

static void bytes_tokenize(const struct tokenizer *tokenizer, const struct piece *piece,
                           struct model_call *call) {
    const uint32_t offset = *(const uint32_t *)tokenizer->slow->state;
    for (size_t i = 0; i < piece->text.len; i++)
        model_token(call, (int32_t)((uint8_t)piece->text.data[i] + offset), i, i + 1);
}

static void code_points_tokenize(const struct tokenizer *tokenizer, const struct piece *piece,
                                 struct model_call *call) {
    for (size_t pos = 0; pos < piece->text.len;) {
        const size_t at = pos;
        const uint32_t c = text_next(piece->text.data, piece->text.len, &pos);
        model_token(call, (int32_t)c, at, pos);
    }
}

static void chars_tokenize(const struct tokenizer *tokenizer, const struct piece *piece,
                           struct model_call *call) {
    for (size_t pos = 0; pos < piece->text.len;) {
        const size_t at = pos;
        text_next(piece->text.data, piece->text.len, &pos);
        slow_token(tokenizer, call, piece->text.data + at, pos - at, at, pos);
    }
}

static void words_tokenize(const struct tokenizer *tokenizer, const struct piece *piece,
                           struct model_call *call) {
    slow_token(tokenizer, call, piece->text.data, piece->text.len, 0, piece->text.len);
}

const struct model_kind slow_bytes_model = {.type = "bytes", .tokenize = bytes_tokenize};
static const struct model_kind code_points_model = {.type = "code points",
                                                    .tokenize = code_points_tokenize};
const struct model_kind slow_chars_model = {.type = "characters", .tokenize = chars_tokenize};
const struct model_kind slow_words_model = {.type = "whole words", .tokenize = words_tokenize};

/* ---- bytes --------------------------------------------------------------------------------- */

/* The bytes that the tokens stand for. */
static void gather(const struct tokenizer *tokenizer, const struct strings *tokens,
                   struct buf *bytes) {
    for (size_t i = 0; i < tokens->n; i++) {
        const struct string *token = &tokens->items[i];
        size_t pos = 0;
        const uint32_t c = token->len > 0 ? text_next(token->data, token->len, &pos) : 256;
        if (c < 256 && pos == token->len &&
            vocab_find(&tokenizer->added.vocab, token->data, token->len) < 0)
            buf_putc(bytes, (char)c);
        else
            buf_append(bytes, token->data, token->len);
    }
}

void slow_put_valid(struct buf *out, const struct buf *bytes) {
    for (size_t pos = 0; pos < bytes->len;) {
        size_t len = 1;
        while (len < 4 && pos + len < bytes->len &&
               ((uint8_t)bytes->data[pos + len] & 0xC0) == 0x80)
            len++;
        while (len > 0 && !utf8_valid(bytes->data + pos, len, NULL))
            len--;
        buf_append(out, bytes->data + pos, len);
        pos += len > 0 ? len : 1;
    }
}

static void byt5_join(const struct tokenizer *tokenizer, const struct strings *tokens,
                      struct buf *out) {
    struct buf bytes;
    buf_init(&bytes, LIMIT_TEXT);
    gather(tokenizer, tokens, &bytes);
    slow_put_valid(out, &bytes);
    buf_deinit(&bytes);
}

/* errors="replace". */
static void perceiver_join(const struct tokenizer *tokenizer, const struct strings *tokens,
                           struct buf *out) {
    struct buf bytes;
    buf_init(&bytes, LIMIT_TEXT);
    gather(tokenizer, tokens, &bytes);
    if (bytes.len > 0)
        lossy_append(out, bytes.data, bytes.len);
    buf_deinit(&bytes);
}

static void concat_join(const struct tokenizer *tokenizer, const struct strings *tokens,
                        struct buf *out) {
    slow_concat(tokens, "", out);
}

static const struct slow_kind dia = {.join = concat_join, .destroy = mem_free};
static const struct slow_kind byt5 = {.join = byt5_join, .destroy = mem_free};
static const struct slow_kind perceiver = {.join = perceiver_join, .destroy = mem_free};

/* Bytes have the ids from `offset` on: a byte's token is the Latin-1 character. */
static void bytes_vocab(struct loader *loader, const struct slow_kind *kind, uint32_t offset) {
    struct slow *slow = slow_begin(loader, kind, &slow_bytes_model);
    uint32_t *state = mem_alloc(sizeof *state);
    *state = offset;
    slow->state = state;
    slow->base_size = 256;
    slow->keeps_unknown = true;
    for (uint32_t byte = 0; byte < 256; byte++) {
        char utf8[4];
        vocab_put(&loader->tokenizer->vocab, utf8, utf8_put(utf8, byte), byte + offset);
    }
}

/* The roles' tokens have the first ids, bytes follow. */
static void bytes_begin(struct loader *loader, const struct slow_kind *kind,
                        const enum special_token *roles, uint32_t n_roles, bool strips) {
    struct tokenizer *tokenizer = loader->tokenizer;
    bytes_vocab(loader, kind, n_roles);
    for (uint32_t id = 0; id < n_roles; id++) {
        struct added_token token = special_of_role(loader, roles[id]).flags;
        token.special = token.normalized = true;
        token.lstrip = token.rstrip = strips;
        if (token.len > 0)
            slow_put(tokenizer, token, id);
    }
}

enum status legacy_byt5(struct loader *loader, struct error *err) {
    static const enum special_token roles[] = {TOKEN_PAD, TOKEN_EOS, TOKEN_UNK};
    bytes_begin(loader, &byt5, roles, ARRAY_LEN(roles), true);
    loader->tokenizer->slow->ends_once = true;
    slow_post(loader, "$A %e", "$A %e $B %e");
    return STATUS_OK;
}

enum status legacy_perceiver(struct loader *loader, struct error *err) {
    static const enum special_token roles[] = {TOKEN_PAD,  TOKEN_BOS, TOKEN_EOS,
                                               TOKEN_MASK, TOKEN_CLS, TOKEN_SEP};
    bytes_begin(loader, &perceiver, roles, ARRAY_LEN(roles), false);
    slow_post(loader, "%c $A %s", "%c $A %s $B:1 %s:1");
    return STATUS_OK;
}

/* The padding and two speakers are added tokens that have bytes' ids; a byte above 127 reads as the
 * Latin-1 character, which is the class's way. */
enum status legacy_dia(struct loader *loader, struct error *err) {
    static const char *const speakers[] = {"[S1]", "[S2]"};
    struct tokenizer *tokenizer = loader->tokenizer;
    const int64_t offset = json_get_int(loader->tokenizer_config, "offset", 0);
    if (offset < 0 || offset > LIMIT_VOCAB_SIZE - 256)
        return ERR(err, MODEL, "\"offset\" is %lld, must be 0 to %d", (long long)offset,
                   LIMIT_VOCAB_SIZE - 256);
    bytes_vocab(loader, &dia, (uint32_t)offset);
    struct added_token pad = special_of_role(loader, TOKEN_PAD).flags;
    pad.special = pad.normalized = true;
    if (pad.len > 0)
        slow_put(tokenizer, pad, 0);
    for (uint32_t i = 0; i < ARRAY_LEN(speakers); i++) {
        const struct added_token speaker = {
            .content = arena_strndup(loader_arena(loader), speakers[i], strlen(speakers[i])),
            .len = strlen(speakers[i]),
            .normalized = true};
        slow_put(tokenizer, speaker, i + 1);
    }
    tokenizer->slow->extra_count =
        (uint32_t)offset; /* they take the place of bytes when all are counted */
    return STATUS_OK;
}

/* ---- CANINE -------------------------------------------------------------------------------- */

/* U+0000 is the padding: a string of C cannot say so. */
static enum status canine_finish(struct loader *loader, struct error *err) {
    struct tokenizer *tokenizer = loader->tokenizer;
    if (!json_get(loader->tokenizer_config, "pad_token"))
        tokenizer->roles[TOKEN_PAD] = 0;
    return STATUS_OK;
}

static const struct slow_kind canine = {.join = concat_join, .finish = canine_finish};

enum status legacy_canine(struct loader *loader, struct error *err) {
    struct tokenizer *tokenizer = loader->tokenizer;
    struct slow *slow = slow_begin(loader, &canine, &code_points_model);
    slow->base_size = CODE_POINTS;
    slow->extra_count = 0x800; /* surrogates count, but are in no text */
    vocab_reserve(&tokenizer->vocab, CODE_POINTS);
    for (uint32_t c = 0; c < CODE_POINTS; c++) {
        char utf8[4];
        if (c < 0xD800 || c > 0xDFFF)
            vocab_put(&tokenizer->vocab, utf8, utf8_put(utf8, c), c);
    }
    vocab_put(&tokenizer->vocab, "[BOS]", 5, 0xE002);
    vocab_put(&tokenizer->vocab, "[RESERVED]", 10, 0xE004);
    if (!json_get(loader->tokenizer_config, "pad_token")) {
        const struct added_token pad = {.content = arena_strndup(loader_arena(loader), "", 1),
                                        .len = 1,
                                        .special = true,
                                        .normalized = true};
        added_special(tokenizer, pad);
        slow_put(tokenizer, pad, 0);
    }
    slow_post(loader, "%c $A %s", "%c $A %s $B:1 %s:1");
    return STATUS_OK;
}

/* ---- MGP-STR and ESM ----------------------------------------------------------------------- */

static void spaces_join(const struct tokenizer *tokenizer, const struct strings *tokens,
                        struct buf *out) {
    slow_concat(tokens, " ", out);
}

static const struct slow_kind mgp_str = {.join = spaces_join};
static const struct slow_kind esm = {.join = spaces_join};

enum status legacy_mgp_str(struct loader *loader, struct error *err) {
    struct slow *slow = slow_begin(loader, &mgp_str, &slow_chars_model);
    slow->keeps_unknown = true;
    if (legacy_vocab_json(loader, "vocab.json", err) != STATUS_OK)
        return STATUS_ERROR;
    slow->base_size = loader->tokenizer->vocab.count;
    return STATUS_OK;
}

/* Text is cut at every token of the vocabulary, then at spaces. */
enum status legacy_esm(struct loader *loader, struct error *err) {
    struct slow *slow = slow_begin(loader, &esm, &slow_words_model);
    if (legacy_vocab_txt(loader, "vocab.txt", err) != STATUS_OK)
        return STATUS_ERROR;
    slow->base_size = loader->tokenizer->vocab.count;
    slow->splits_vocab = true;
    loader->tokenizer->pre_tokenizer = slow_stage(loader, &slow_words, NULL);
    const bool ends = special_content(loader, TOKEN_EOS) != NULL;
    slow_post(loader, ends ? "%c $A %e" : "%c $A", ends ? "%c $A %e $B:1 %e:1" : "%c $A $B");
    return STATUS_OK;
}
