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

/* How a class turns a special token that is a plain string into an added token. */
enum as_added {
    AS_STRING,     /* it stays a string: special, not normalized */
    AS_NORMALIZED, /* AddedToken(…): normalized */
};

struct tokenizer_class {
    const char *name;                /* without "Fast" */
    const char *model_types;         /* of config.json, separated by spaces */
    const char *tokens[TOKEN_ROLES]; /* defaults, NULL: none */
    enum legacy_format legacy;
    enum as_added as_added;            /* with tokenizer.json */
    enum as_added legacy_as_added;     /* from the legacy files */
    bool mask_lstrip, mask_normalized; /* of a mask that is a plain string */
    bool sets_normalizer;              /* do_lower_case and its kin go into a BertNormalizer */
    bool sets_post_processor;          /* add_prefix_space and trim_offsets go into it */
    bool legacy_clean_up;              /* clean_up_tokenization_spaces from the legacy files */
    bool strips_decoded;               /* CLIP */
};

const struct tokenizer_class *class_named(const char *name);
const struct tokenizer_class *class_for_model_type(const char *model_type);
const struct tokenizer_class *class_generic(void); /* PreTrainedTokenizerFast */

#endif
