/* What the Python classes on SentencePiece share: the model of the tokenizer, vocabularies and
 * convert_tokens_to_string (legacy_spm.c). The classes are in legacy_marian.c and
 * legacy_spm_classes.c. */
#ifndef BRISK_TOKENIZER_LEGACY_SPM_H
#define BRISK_TOKENIZER_LEGACY_SPM_H

#include "tokenizer/slow.h"
#include "tokenizer/spm.h"

/* slow->state of these classes. */
struct spm_pair {
    struct spm *encoder, *decoder; /* the same but in Marian */
    bool uppers;                   /* decoded text is made upper case (Speech2Text) */
};

/* tokenizer->slow with a model of the file, its normalization before it. */
enum status spm_begin(struct loader *loader, const struct slow_kind *kind, const char *file,
                      struct error *err) MUST_CHECK;
void spm_pair_destroy(void *state);

/* The vocabulary is the file's pieces from id `offset` on; then the tokens of `head`, separated by
 * spaces, take the first ids. */
void spm_vocabulary(struct loader *loader, const char *head, uint32_t offset);
void spm_put_token(struct loader *loader, const char *token, uint32_t id);

/* convert_tokens_to_string, as the classes have it. */
void spm_join_concat(const struct tokenizer *tokenizer, const struct strings *tokens,
                     struct buf *out); /* "".join, spaces, strip */
struct spm_style {
    const char *behind; /* a special token */
    bool space_before;  /* the first of a run of special tokens */
    bool strips;
};
void spm_join_runs(const struct tokenizer *tokenizer, const struct strings *tokens, struct buf *out,
                   const struct spm_style *style);

#endif
