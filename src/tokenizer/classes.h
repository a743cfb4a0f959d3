/* The tokenizer classes of `transformers` that change what a repository's files say: defaults of
 * special tokens, and what their constructors overwrite. One row a class. */
#ifndef BRISK_TOKENIZER_CLASSES_H
#define BRISK_TOKENIZER_CLASSES_H

#include "tokenizer/pipeline.h"

enum legacy_format {
    LEGACY_none, /* it cannot be built without tokenizer.json */
#define LEGACY(name, files) LEGACY_##name,
#include "tokenizer/legacy_formats.inc"
#undef LEGACY
};

/* How a class turns special tokens that are plain strings into added tokens. A role in neither set
 * stays a string: special, not normalized, and added only when it is not an added token yet. */
struct token_forms {
    uint8_t added;      /* 1 << role: an AddedToken that is not normalized */
    uint8_t normalized; /* 1 << role: an AddedToken that is */
    enum { MASK_AS_IS, MASK_LSTRIP, MASK_LSTRIP_NORMALIZED } mask;
};

/* Where a class takes its additional special tokens from. "Given" are those of the files. */
enum class_extra {
    EXTRA_GIVEN,
    EXTRA_DEFAULT,   /* those of the row, unless some are given */
    EXTRA_SLOW,      /* the same, but from the legacy files only */
    EXTRA_IN_FRONT,  /* those of the row, then the given */
    EXTRA_BEHIND,    /* the given, then those of the row */
    EXTRA_CODES,     /* the same, if there are "lang_codes" */
    EXTRA_T5,        /* <extra_id_0> …, as many as `extra_ids` says */
    EXTRA_BYT5,      /* the same, unless some are given */
    EXTRA_PEGASUS,   /* <mask_1> <unk_2> …, up to `offset` */
    EXTRA_INFILLING, /* Code Llama's prefix_token, middle_token, suffix_token, eot_token */
    EXTRA_QUESTION   /* Splinter's question_token */
};

/* What a class does to the normalizer. */
enum class_normalizer {
    NORMALIZER_KEPT,
    NORMALIZER_BERT, /* do_lower_case, strip_accents, tokenize_chinese_chars into BertNormalizer */
    NORMALIZER_CASE  /* do_lower_case and strip_accents alone */
};

/* And to the post-processor. */
enum class_post {
    POST_KEPT,
    POST_BYTE_LEVEL,      /* add_prefix_space and trim_offsets into it */
    POST_BOS,             /* begin and end as add_bos_token (true) and add_eos_token say */
    POST_BOS_OFF,         /* the same, add_bos_token false when nothing is said */
    POST_LANGUAGE_BEHIND, /* text, end, source language */
    POST_LANGUAGE_FRONT,  /* source language, text, end */
    POST_LANGUAGE_NLLB    /* either, as legacy_behaviour says */
};

struct tokenizer_class {
    const char *name;                /* without "Fast" */
    const char *model_types;         /* of config.json, separated by spaces */
    const char *tokens[TOKEN_ROLES]; /* defaults, NULL: none */
    const char
        *slow_tokens[TOKEN_ROLES]; /* of the slow class where they differ, for legacy files */
    enum legacy_format legacy;
    struct token_forms fast, slow; /* with tokenizer.json; from the legacy files */
    enum class_extra extra;
    const char *extra_tokens; /* separated by spaces */
    enum class_normalizer normalizer;
    enum class_post post;
    const char *source_language; /* when the files name none */
    const char *language_format; /* the token of a language, NULL: its code */
    const char
        *refused; /* why it cannot be had; NULL: it can. Of is_python: without tokenizer.json */
    uint32_t legacy_max_length; /* model_max_length from the legacy files when nothing is said */
    bool prefix_space;          /* add_prefix_space when nothing is said */
    bool pads_left;
    bool untyped;         /* model_input_names has no token_type_ids */
    bool is_python;       /* no fast form: tokenizer.json is not looked at if the files are there */
    bool legacy_clean_up; /* clean_up_tokenization_spaces from the legacy files */
    bool strips_decoded;  /* CLIP */
    bool drops_added;     /* added_tokens_decoder is not looked at */
    bool rebuilds;        /* add_prefix_space in its config: from the legacy files if there are */
};

const struct tokenizer_class *class_named(const char *name);
const struct tokenizer_class *class_for_model_type(const char *model_type);
const struct tokenizer_class *class_generic(void); /* PreTrainedTokenizerFast */

/* Lists of languages, separated by spaces. */
extern const char languages_mbart[], languages_mbart50[], languages_nllb[];
extern const char languages_m2m100[], languages_wmt21[];

/* Changes the pipeline as the class's constructor does; after the special tokens are in place. */
enum status class_apply(struct loader *loader, struct error *err) MUST_CHECK;

#endif
