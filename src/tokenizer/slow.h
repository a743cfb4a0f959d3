/* The tokenizer classes of transformers that exist in Python only: their text is split at added
 * tokens, numbered and decoded by PreTrainedTokenizer's rules, not by the `tokenizers` library's.
 * A class fills tokenizer->slow, its stages and a model of its own; the rules are in slow.c.
 * Offsets, which those classes do not give, are ours: what of the text a token stands for. */
#ifndef BRISK_TOKENIZER_SLOW_H
#define BRISK_TOKENIZER_SLOW_H

#include "tokenizer/legacy.h"

/* convert_tokens_to_string that goes on from token to token. */
struct slow_joining {
    void *(*create)(const struct tokenizer *tokenizer);
    void (*push)(void *run, const char *token, size_t len, struct buf *out);
    void (*finish)(void *run, struct buf *out); /* no token comes any more */
    void (*destroy)(void *run);
};

struct slow_kind {
    /* convert_tokens_to_string of tokens without added ones in between. */
    void (*join)(const struct tokenizer *tokenizer, const struct strings *tokens, struct buf *out);
    /* prepare_for_tokenization, of all of the text; NULL: nothing to do. */
    void (*prepare)(struct text *text, struct arena *scratch);
    /* Bytes in front of a text that are a token by themselves; NULL: never. */
    size_t (*head)(const char *data, size_t len);
    /* Once the special tokens have their ids; NULL: nothing to do. */
    enum status (*finish)(struct loader *loader, struct error *err);
    void (*destroy)(void *state);
    const struct slow_joining *joining; /* with `join`, the same step by step; or NULL */
    bool byte_pieces;                   /* "<0x41>" is a byte when decoding */
    bool never_cleans;                  /* clean_up_tokenization_spaces does nothing */
    const char *joint; /* what a text may end with as long as more of its word may come; or NULL */
    bool drops_lead;   /* a bare U+2581 in front of a special token */
    bool rewrites;     /* a word's text is what it is only when all of it is there */
    bool joins_added;  /* added tokens are no runs of their own when decoding */
};

struct slow {
    const struct slow_kind *kind;
    void *state;           /* the class's own */
    bool lowers;           /* do_lower_case: all but added tokens */
    bool splits_vocab;     /* text is split at every token of the vocabulary */
    bool ends_once;        /* no end behind a text that ends with one */
    bool keeps_unknown;    /* ids outside of the vocabulary read as nothing */
    int32_t unk_id;        /* of what is not in the vocabulary; -1: the unknown token's */
    uint32_t base_size;    /* ids from here on were added */
    uint32_t extra_count;  /* tokens that count although they are not in the vocabulary */
    struct vocab *read_as; /* what ids read as where that is not the vocabulary; NULL: it is */
    struct trie *kept;     /* with `lowers`: what keeps its case */
};

/* tokenizer->slow of this kind, the model's row in place; the rest is zero and up to the caller. */
struct slow *slow_begin(struct loader *loader, const struct slow_kind *kind,
                        const struct model_kind *model);
void slow_destroy(struct slow *slow); /* NULL is fine */

/* The id of a token string: that of an added token, of the vocabulary, of the unknown token. */
int32_t slow_id(const struct tokenizer *tokenizer, const char *token, size_t len);
/* model_token with it; the call fails when there is no unknown token. */
void slow_token(const struct tokenizer *tokenizer, struct model_call *call, const char *token,
                size_t len, size_t start, size_t end);

/* What added.c, special_tokens.c and decode.c hand over when tokenizer->slow is set. */
void slow_split(const struct tokenizer *tokenizer, const char *text, size_t len,
                struct pieces *pieces, struct arena *scratch);
void slow_added_finish(struct tokenizer *tokenizer);
/* An added token with an id of its own; and one whose id is the vocabulary's, or the next. */
void slow_put(struct tokenizer *tokenizer, struct added_token token, uint32_t id);
void slow_add(struct tokenizer *tokenizer, struct added_token token);
void slow_decode(const struct tokenizer *tokenizer, struct buf *out, const int32_t *ids, size_t n,
                 struct decode_options options);

/* What an id reads as, and whether that is no part of the words around it. */
const char *slow_token_of(const struct tokenizer *tokenizer, int32_t id, size_t *len);
bool slow_is_apart(const struct tokenizer *tokenizer, const char *token, size_t len);

/* What stream.c hands over: NULL when the class has no `joining`. */
struct slow_stream;
struct slow_stream *slow_stream_create(const struct tokenizer *tokenizer,
                                       struct decode_options options);
void slow_stream_destroy(struct slow_stream *stream); /* NULL is fine */
void slow_stream_push(struct slow_stream *stream, int32_t id, struct buf *out);
void slow_stream_finish(struct slow_stream *stream, struct buf *out);

/* ---- for the classes ---- */
bool slow_is_space(uint32_t code_point); /* str.isspace */
/* str.strip of what was written from `start` on. */
void slow_strip(struct buf *out, size_t start);
/* "".join, " ".join. */
void slow_concat(const struct strings *tokens, const char *between, struct buf *out);

/* A stage of a class's own; it has no JSON. */
struct stage *slow_stage(struct loader *loader, const struct stage_kind *kind, void *state);

/* Template of one text and of two with the roles' tokens: "%c" is cls, "%s" sep, "%e" eos,
 * "%b" bos. */
void slow_post(struct loader *loader, const char *single, const char *pair);

/* Python's str.split and \S+\n? as pre-tokenizers. */
extern const struct stage_kind slow_words, slow_words_newline;
/* The second as the package regex counts spaces. */
extern const struct stage_kind slow_words_regex;

#endif
