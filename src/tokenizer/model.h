/* The models of a tokenizer, private to this room: what cuts words into tokens. Each is a row of
 * the table in models.c: how its parameters are read, how it tokenizes a piece. The stages around
 * them are pipeline.h's. */
#ifndef BRISK_TOKENIZER_MODEL_H
#define BRISK_TOKENIZER_MODEL_H

#include "base/base.h"
#include "tokenizer/tokenizer.h"

struct loader;
struct piece;
struct tokens;

struct model {
    const struct model_kind *kind;
    void *state;
    bool maps_bytes; /* takes pieces whose byte-level mapping is still due */
    bool cuts_words; /* tokens never reach over the start of a U+2581 run */
    bool has_text_id;
    int32_t text_id; /* with has_text_id: a token that reads as the text it stands for */
    const char *continuing_subword_prefix; /* or NULL */
    const char *end_of_word_suffix;        /* or NULL */
};

#define METASPACE     "\xE2\x96\x81" /* U+2581, SentencePiece's space */
#define METASPACE_LEN 3

/* What a call of the model needs and keeps between words. */
struct model_call {
    struct arena *scratch;
    struct tokens *tokens; /* out: offsets are bytes of the piece */
    void *state;           /* the model's own, made at its first word */
    size_t text_len;       /* of the whole text, to size caches */
    bool failed;           /* an unknown word, and no unknown token in the vocabulary */
};

struct model_kind {
    const char *type;
    enum status (*parse)(struct model *model, struct loader *loader, const struct json *config,
                         struct error *err);
    void (*tokenize)(const struct tokenizer *tokenizer, const struct piece *piece,
                     struct model_call *call);
    void (*destroy)(struct model *model);
    bool reads_vocab; /* parse reads "vocab" itself: it is not an object of tokens and ids */
};

enum status model_parse(struct loader *loader, const struct json *config,
                        struct error *err) MUST_CHECK;
void model_token(struct model_call *call, int32_t id, size_t start, size_t end);

enum status wordpiece_parse(struct model *model, struct loader *loader, const struct json *config,
                            struct error *err);
void wordpiece_tokenize(const struct tokenizer *tokenizer, const struct piece *piece,
                        struct model_call *call);
enum status wordlevel_parse(struct model *model, struct loader *loader, const struct json *config,
                            struct error *err);
void wordlevel_tokenize(const struct tokenizer *tokenizer, const struct piece *piece,
                        struct model_call *call);
enum status bpe_parse(struct model *model, struct loader *loader, const struct json *config,
                      struct error *err);
void bpe_tokenize(const struct tokenizer *tokenizer, const struct piece *piece,
                  struct model_call *call);
void bpe_destroy(struct model *model);
/* The legacy merges.txt, a pair a line behind a head line; the vocabulary is in place. */
enum status bpe_add_merges(struct model *model, struct loader *loader, const char *text, size_t len,
                           struct error *err) MUST_CHECK;

/* The merges of a SentencePiece file: token[0, left_len) and the rest of token[len], best first. */
struct merge_pair {
    const char *token;
    uint32_t len, left_len;
};
enum status bpe_add_pairs(struct model *model, struct loader *loader,
                          const struct merge_pair *pairs, size_t n, struct error *err) MUST_CHECK;

enum status unigram_parse(struct model *model, struct loader *loader, const struct json *config,
                          struct error *err);
void unigram_tokenize(const struct tokenizer *tokenizer, const struct piece *piece,
                      struct model_call *call);
void unigram_destroy(struct model *model);

/* A piece of a unigram vocabulary; its id is its place in the list. */
struct scored_piece {
    const char *data;
    size_t len;
    double score; /* log probability */
};
/* What both tokenizer.json and SentencePiece files end in: puts the pieces into the tokenizer's
 * vocabulary and makes the model of them. unk_id -1: none. A legacy loader parses a model of type
 * "Unigram" without "vocab" first, then calls this, which it must. */
enum status unigram_build(struct model *model, struct loader *loader,
                          const struct scored_piece *pieces, size_t n, int32_t unk_id,
                          bool byte_fallback, struct error *err) MUST_CHECK;

#endif
