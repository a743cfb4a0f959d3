/* Marian and M2M100: a SentencePiece model cuts the text, vocab.json has the ids of the pieces.
 * Marian decodes with the model of the target language; ">>fra<<" in front of a text is a token. */
#include "tokenizer/legacy_spm.h"

#include "base/banned.h"

/* ---- Marian -------------------------------------------------------------------------------- */

static size_t language_code(const char *data, size_t len) {
    if (len < 2 || memcmp(data, ">>", 2) != 0)
        return 0;
    const char *end = memmem(data, len, "<<", 2);
    return end ? (size_t)(end - data) + 2 : 0;
}

static void marian_join(const struct tokenizer *tokenizer, const struct strings *tokens,
                        struct buf *out) {
    static const struct spm_style style = {.behind = " "};
    const size_t start = out->len;
    struct buf text;
    buf_init(&text, LIMIT_TEXT);
    spm_join_runs(tokenizer, tokens, &text, &style);
    buf_append_replaced(out, text.data, text.len, METASPACE, " ");
    slow_strip(out, start);
    buf_deinit(&text);
}

static const struct slow_kind marian = {
    .byte_pieces = true, .join = marian_join, .head = language_code, .destroy = spm_pair_destroy};

/* With vocabularies of their own, ids read as the target's says. */
static enum status target_vocabulary(struct loader *loader, struct error *err) {
    struct slow *slow = loader->tokenizer->slow;
    slow->read_as = mem_zalloc(1, sizeof *slow->read_as);
    vocab_init(slow->read_as);
    return legacy_vocab_json_into(loader, slow->read_as, "target_vocab.json", err);
}

enum status legacy_marian(struct loader *loader, struct error *err) {
    if (spm_begin(loader, &marian, "source.spm", err) != STATUS_OK)
        return STATUS_ERROR;
    struct tokenizer *tokenizer = loader->tokenizer;
    struct spm_pair *pair = tokenizer->slow->state;
    pair->decoder = NULL;
    if (spm_load(&pair->decoder, loader, "target.spm", err) != STATUS_OK ||
        legacy_vocab_json(loader, "vocab.json", err) != STATUS_OK)
        return STATUS_ERROR;
    tokenizer->slow->base_size = tokenizer->vocab.count;
    const char *unk = special_content(loader, TOKEN_UNK);
    if (!unk || vocab_find(&tokenizer->vocab, unk, strlen(unk)) < 0)
        return ERR(err, MODEL, "vocab.json has no unknown token \"%s\"", unk ? unk : "");
    if (legacy_flag(loader, "separate_vocabs", false) &&
        target_vocabulary(loader, err) != STATUS_OK)
        return STATUS_ERROR;
    slow_post(loader, "$A %e", "$A $B %e");
    return STATUS_OK;
}

/* ---- M2M100 -------------------------------------------------------------------------------- */

static void m2m_join(const struct tokenizer *tokenizer, const struct strings *tokens,
                     struct buf *out) {
    static const struct spm_style style = {.behind = "", .strips = true};
    spm_join_runs(tokenizer, tokens, out, &style);
}

/* Languages stand behind vocab.json, whether the files name them as special tokens or not. */
static enum status m2m_languages(struct loader *loader, struct error *err) {
    const char *codes = json_get_string(loader->tokenizer_config, "language_codes", "m2m100");
    const bool wmt = strcmp(codes, "wmt21") == 0;
    struct tokenizer *tokenizer = loader->tokenizer;
    uint32_t id = tokenizer->slow->base_size;
    if (!wmt && strcmp(codes, "m2m100") != 0)
        return ERR(err, MODEL, "language_codes is \"%s\", must be \"m2m100\" or \"wmt21\"", codes);
    for (const char *at = wmt ? languages_wmt21 : languages_m2m100; *at; id++) {
        const size_t len = strcspn(at, " ");
        const char *token = arena_printf(&loader->arena, "__%.*s__", (int)len, at);
        if (tokenizer_token_to_id(tokenizer, token, strlen(token)) < 0)
            spm_put_token(loader, token, id);
        at += len + (at[len] == ' ');
    }
    return STATUS_OK;
}

static const struct slow_kind m2m100 = {
    .byte_pieces = true, .join = m2m_join, .finish = m2m_languages, .destroy = spm_pair_destroy};

enum status legacy_m2m100(struct loader *loader, struct error *err) {
    if (spm_begin(loader, &m2m100, "sentencepiece.bpe.model", err) != STATUS_OK ||
        legacy_vocab_json(loader, "vocab.json", err) != STATUS_OK)
        return STATUS_ERROR;
    loader->tokenizer->slow->base_size = loader->tokenizer->vocab.count;
    return STATUS_OK;
}
