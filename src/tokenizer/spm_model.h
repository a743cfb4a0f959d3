/* What spm.c loads and spm_encode.c reads: pieces, their trie, the charsmap. Private to the two;
 * what others ask of a model is in spm.h. */
#ifndef BRISK_TOKENIZER_SPM_MODEL_H
#define BRISK_TOKENIZER_SPM_MODEL_H

#include <float.h>
#include <math.h>

#include "tokenizer/charsmap.h"
#include "tokenizer/piece_trie.h"
#include "tokenizer/spm.h"
#include "tokenizer/trie.h"

struct spm_piece {
    float score;
    enum sentencepiece_type type;
};

struct spm {
    struct arena arena;
    enum sentencepiece_model type;
    struct vocab vocab;       /* all pieces */
    struct spm_piece *pieces; /* [n] */
    size_t n;
    struct piece_trie trie; /* those that a text is cut into */
    struct trie *user_defined;
    bool has_user_defined;
    float min_score, max_score; /* of normal pieces */
    int32_t unk_id;
    const char *unk_surface; /* what the unknown piece reads as */
    bool byte_fallback, dummy_prefix, removes_spaces, escapes_spaces, suffixes_space;
    bool has_unused; /* pieces that BPE merges to, but splits again */
    struct charsmap map;
};

#endif
