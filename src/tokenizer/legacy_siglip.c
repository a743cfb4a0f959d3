/* SiglipTokenizer: lower case without punctuation, pieces of a SentencePiece model without its
 * dummy prefix. A text begins with U+2581 instead, and each part of it is encoded behind the
 * unknown token's letters, whose pieces are dropped again. */
#include "tokenizer/legacy_spm.h"

#include "base/banned.h"

struct siglip {
    struct spm_pair pair; /* first: the joining functions take slow->state as one */
    const char *unk;
    size_t n_unk; /* pieces of its letters */
};

struct putting {
    const struct tokenizer *tokenizer;
    struct model_call *call;
    size_t n;
};

static void count_piece(void *user, const char *piece, size_t len, size_t start, size_t end) {
    (*(size_t *)user)++;
}

static void put_piece(void *user, const char *piece, size_t len, size_t start, size_t end) {
    struct putting *putting = user;
    const struct siglip *siglip = putting->tokenizer->slow->state;
    if (putting->n++ >= siglip->n_unk)
        slow_token(putting->tokenizer, putting->call, piece, len, start, end);
}

static void tokenize(const struct tokenizer *tokenizer, const struct piece *piece,
                     struct model_call *call) {
    const struct siglip *siglip = tokenizer->slow->state;
    struct putting putting = {tokenizer, call, 0};
    spm_encode(siglip->pair.encoder, piece->text.data, piece->text.len, call->scratch, put_piece,
               &putting);
}

/* U+2581 in front, and no other. */
static void prepare(struct text *text, struct arena *scratch) {
    struct writer writer = writer_begin(scratch, text->len + 8);
    writer_put(&writer, 0x2581, (struct span){0, 0});
    for (size_t pos = 0; pos < text->len;) {
        size_t next = pos;
        const uint32_t c = text_next(text->data, text->len, &next);
        writer_put(&writer, c == 0x2581 ? ' ' : c, text_from(text, pos, next));
        pos = next;
    }
    writer_end(&writer, text);
}

static bool is_punctuation(uint32_t c) {
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
}

/* canonicalize_text, behind the unknown token; spaces at the end are not written. */
static void normalize(const struct stage *stage, struct text *text, struct arena *scratch) {
    const struct siglip *siglip = stage->state;
    struct writer writer = writer_begin(scratch, text->len + strlen(siglip->unk) + 8);
    const struct span begin = text_from(text, 0, 1);
    bool space = false, begun = false;
    writer_append(&writer, siglip->unk, strlen(siglip->unk),
                  (struct span){begin.start, begin.start});
    for (size_t pos = 0; pos < text->len;) {
        size_t next = pos;
        const uint32_t c = text_next(text->data, text->len, &next);
        const struct span from = text_from(text, pos, next);
        pos = next;
        if (is_punctuation(c))
            continue;
        if (slow_is_space(c)) {
            space = begun;
            continue;
        }
        if (space)
            writer_put(&writer, ' ', (struct span){from.start, from.start});
        writer_put(&writer, c, from);
        space = false;
        begun = true;
    }
    writer_end(&writer, text);
    spm_normalize(siglip->pair.encoder, text, scratch);
}

static void join(const struct tokenizer *tokenizer, const struct strings *tokens, struct buf *out) {
    static const struct spm_style style = {.behind = "", .space_before = true, .strips = true};
    spm_join_runs(tokenizer, tokens, out, &style);
}

/* Tokens of roles that the files give as strings eat the spaces around them. */
static enum status finish(struct loader *loader, struct error *err) {
    static const enum special_token roles[] = {TOKEN_EOS, TOKEN_UNK, TOKEN_PAD};
    struct tokenizer *tokenizer = loader->tokenizer;
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        const int32_t id = tokenizer->roles[roles[i]];
        if (id >= 0 && !special_of_role(loader, roles[i]).is_added)
            tokenizer->added.by_id[id].lstrip = tokenizer->added.by_id[id].rstrip = true;
    }
    return STATUS_OK;
}

static void destroy(void *state) {
    struct siglip *siglip = state;
    spm_destroy(siglip->pair.encoder);
    mem_free(siglip);
}

static const struct slow_kind kind = {.join = join,
                                      .prepare = prepare,
                                      .finish = finish,
                                      .destroy = destroy,
                                      .drops_lead = true,
                                      .byte_pieces = true};
static const struct model_kind model = {.type = "Siglip", .tokenize = tokenize};
static const struct stage_kind normalizer = {.type = "Siglip", .normalize = normalize};

enum status legacy_siglip(struct loader *loader, struct error *err) {
    struct siglip *siglip = mem_zalloc(1, sizeof *siglip);
    struct slow *slow = slow_begin(loader, &kind, &model);
    slow->state = siglip;
    if (spm_load(&siglip->pair.encoder, loader, "spiece.model", err) != STATUS_OK)
        return STATUS_ERROR;
    const char *unk = special_content(loader, TOKEN_UNK);
    siglip->pair.decoder = siglip->pair.encoder;
    siglip->unk = arena_strndup(loader_arena(loader), unk ? unk : "", unk ? strlen(unk) : 0);
    spm_no_dummy_prefix(siglip->pair.encoder);
    struct text text = {.data = siglip->unk, .len = strlen(siglip->unk)};
    spm_normalize(siglip->pair.encoder, &text, &loader->arena);
    spm_encode(siglip->pair.encoder, text.data, text.len, &loader->arena, count_piece,
               &siglip->n_unk);
    loader->tokenizer->normalizer = slow_stage(loader, &normalizer, siglip);
    spm_vocabulary(loader, "", 0);
    slow->lowers = legacy_flag(loader, "do_lower_case", true);
    slow->ends_once = true;
    slow_post(loader, "$A %e", "$A %e $B %e");
    return STATUS_OK;
}
