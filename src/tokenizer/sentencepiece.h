/* A reader of SentencePiece models (spiece.model, tokenizer.model, *.spm): the fields of
 * sentencepiece_model.proto that a tokenizer needs, from protobuf's wire format. It reads; what
 * becomes of the pieces is the converters' business. */
#ifndef BRISK_TOKENIZER_SENTENCEPIECE_H
#define BRISK_TOKENIZER_SENTENCEPIECE_H

#include "base/base.h"

/* Numbers as the proto file has them. */
enum sentencepiece_type {
    SENTENCEPIECE_NORMAL = 1,
    SENTENCEPIECE_UNKNOWN = 2,
    SENTENCEPIECE_CONTROL = 3,
    SENTENCEPIECE_USER_DEFINED = 4,
    SENTENCEPIECE_UNUSED = 5,
    SENTENCEPIECE_BYTE = 6
};
enum sentencepiece_model {
    SENTENCEPIECE_UNIGRAM = 1,
    SENTENCEPIECE_BPE = 2,
    SENTENCEPIECE_WORD = 3,
    SENTENCEPIECE_CHAR = 4
};

struct sentencepiece_piece {
    const char *data; /* valid UTF-8, not zero-terminated */
    uint32_t len;
    float score;
    enum sentencepiece_type type;
};

struct sentencepiece {
    struct sentencepiece_piece *pieces; /* [n], in the arena; their texts are in the file's bytes */
    size_t n;
    /* trainer_spec */
    enum sentencepiece_model model_type;
    bool byte_fallback, treat_whitespace_as_suffix;
    int32_t unk_id;
    const char *unk_piece;   /* zero-terminated, in the arena */
    const char *unk_surface; /* what it reads as */
    /* normalizer_spec */
    const char *charsmap; /* precompiled_charsmap[charsmap_len] */
    size_t charsmap_len;
    bool add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces;
};

/* Parses data[len], which must outlive *out. MODEL: not a SentencePiece model, or damaged. */
enum status sentencepiece_parse(struct sentencepiece *out, struct arena *arena, const char *data,
                                size_t len, struct error *err) MUST_CHECK;

#endif
