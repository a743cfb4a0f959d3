/* The model that the Python classes on SentencePiece call: the library's own encoding, each piece
 * looked up as a string; and the ways in which they decode. */
#include "tokenizer/legacy_spm.h"

#include "tokenizer/unicode.h"
#include "base/banned.h"

/* ---- the model ----------------------------------------------------------------------------- */

struct putting {
    const struct tokenizer *tokenizer;
    struct model_call *call;
};

static void put_piece(void *user, const char *piece, size_t len, size_t start, size_t end) {
    struct putting *putting = user;
    slow_token(putting->tokenizer, putting->call, piece, len, start, end);
}

static void tokenize(const struct tokenizer *tokenizer, const struct piece *piece,
                     struct model_call *call) {
    const struct spm_pair *pair = tokenizer->slow->state;
    struct putting putting = {tokenizer, call};
    spm_encode(pair->encoder, piece->text.data, piece->text.len, call->scratch, put_piece,
               &putting);
}

static void normalize(const struct stage *stage, struct text *text, struct arena *scratch) {
    const struct spm_pair *pair = stage->state;
    spm_normalize(pair->encoder, text, scratch);
}

static const struct model_kind model = {.type = "SentencePiece", .tokenize = tokenize};
static const struct stage_kind normalizer = {.type = "SentencePiece", .normalize = normalize};

void spm_pair_destroy(void *state) {
    struct spm_pair *pair = state;
    if (pair->decoder != pair->encoder)
        spm_destroy(pair->decoder);
    spm_destroy(pair->encoder);
    mem_free(pair);
}

enum status spm_begin(struct loader *loader, const struct slow_kind *kind, const char *file,
                      struct error *err) {
    struct spm_pair *pair = mem_zalloc(1, sizeof *pair);
    slow_begin(loader, kind, &model)->state = pair;
    if (spm_load(&pair->encoder, loader, file, err) != STATUS_OK)
        return STATUS_ERROR;
    pair->decoder = pair->encoder;
    loader->tokenizer->normalizer = slow_stage(loader, &normalizer, pair);
    return STATUS_OK;
}

/* ---- vocabularies and templates ------------------------------------------------------------ */

void spm_put_token(struct loader *loader, const char *token, uint32_t id) {
    if (id < LIMIT_VOCAB_SIZE)
        vocab_put(&loader->tokenizer->vocab, token, strlen(token), id);
}

void spm_vocabulary(struct loader *loader, const char *head, uint32_t offset) {
    struct slow *slow = loader->tokenizer->slow;
    const struct spm *spm = ((struct spm_pair *)slow->state)->encoder;
    struct vocab *vocab = &loader->tokenizer->vocab;
    for (size_t i = 0; i < spm_size(spm) && i + offset < LIMIT_VOCAB_SIZE; i++) {
        size_t len;
        const char *piece = spm_piece(spm, (int32_t)i, &len);
        if (piece)
            vocab_put(vocab, piece, len, (uint32_t)i + offset);
    }
    uint32_t id = 0;
    for (const char *at = head; *at; id++) {
        const size_t len = strcspn(at, " ");
        vocab_put(vocab, at, len, id);
        at += len + (at[len] == ' ');
    }
    slow->base_size = (uint32_t)spm_size(spm) + offset;
    if (!*head || spm_unk_id(spm) > 0) /* id 0 means the class's unknown token to those with one */
        slow->unk_id = spm_unk_id(spm) + (int32_t)offset;
}

/* ---- decoding ------------------------------------------------------------------------------ */

void spm_join_concat(const struct tokenizer *tokenizer, const struct strings *tokens,
                     struct buf *out) {
    const size_t start = out->len;
    struct buf whole;
    buf_init(&whole, LIMIT_TEXT);
    slow_concat(tokens, "", &whole);
    buf_append_replaced(out, whole.data, whole.len, METASPACE, " ");
    slow_strip(out, start);
    buf_deinit(&whole);
}

static void put_upper(struct buf *out, const struct buf *text) {
    for (size_t pos = 0; pos < text->len;) {
        uint32_t upper[3];
        char utf8[4];
        const size_t n = unicode_upper(text_next(text->data, text->len, &pos), upper);
        for (size_t i = 0; i < n; i++)
            buf_append(out, utf8, utf8_put(utf8, upper[i]));
    }
}

static void put_run(const struct spm_pair *pair, const struct string *items, size_t n,
                    struct buf *out) {
    struct buf text;
    if (!pair->uppers) {
        spm_decode(pair->decoder, items, n, out);
        return;
    }
    buf_init(&text, LIMIT_TEXT);
    spm_decode(pair->decoder, items, n, &text);
    put_upper(out, &text);
    buf_deinit(&text);
}

void spm_join_runs(const struct tokenizer *tokenizer, const struct strings *tokens, struct buf *out,
                   const struct spm_style *style) {
    const struct spm_pair *pair = tokenizer->slow->state;
    const size_t start = out->len;
    size_t first = 0;
    bool after_special = false;
    for (size_t i = 0; i < tokens->n; i++) {
        const struct string *token = &tokens->items[i];
        if (!added_is_special(&tokenizer->added, token->data, token->len)) {
            after_special = false;
            continue;
        }
        if (style->space_before && !after_special)
            buf_putc(out, ' ');
        put_run(pair, tokens->items + first, i - first, out);
        buf_append(out, token->data, token->len);
        buf_puts(out, style->behind);
        after_special = true;
        first = i + 1;
    }
    put_run(pair, tokens->items + first, tokens->n - first, out);
    if (style->strips)
        slow_strip(out, start);
}
