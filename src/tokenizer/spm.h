/* SentencePiece as its own library encodes and decodes: what the Python classes call, and not
 * quite what `tokenizers` makes of the same file (legacy_sentencepiece.c). Unigram by the best path
 * in single precision, BPE by scores, and characters. */
#ifndef BRISK_TOKENIZER_SPM_H
#define BRISK_TOKENIZER_SPM_H

#include "tokenizer/pipeline.h"
#include "tokenizer/sentencepiece.h"

struct spm;

/* Reads a file of the loader's folder; *out is owned by the caller. */
enum status spm_load(struct spm **out, struct loader *loader, const char *name,
                     struct error *err) MUST_CHECK;
void spm_destroy(struct spm *spm); /* NULL is fine */
void spm_no_dummy_prefix(struct spm *spm);

size_t spm_size(const struct spm *spm);
const char *spm_piece(const struct spm *spm, int32_t id, size_t *len); /* id below spm_size */
/* PieceToId: the unknown piece's id when it is none. */
int32_t spm_id(const struct spm *spm, const char *piece, size_t len);
int32_t spm_unk_id(const struct spm *spm);

/* The library's normalization, as a stage's function: state is the model. */
void spm_normalize(const struct spm *spm, struct text *text, struct arena *scratch);
/* Pieces of a normalized text, in order; what is unknown is one piece a run. */
typedef void spm_put(void *user, const char *piece, size_t len, size_t start, size_t end);
void spm_encode(const struct spm *spm, const char *data, size_t len, struct arena *scratch,
                spm_put *put, void *user);
/* decode(pieces), appended. */
void spm_decode(const struct spm *spm, const struct string *pieces, size_t n, struct buf *out);

#endif
