/* Special tokens and settings of tokenizer_config.json and special_tokens_map.json, applied as the
 * constructor of transformers' PreTrainedTokenizerFast applies them. */
#ifndef BRISK_TOKENIZER_SPECIAL_TOKENS_H
#define BRISK_TOKENIZER_SPECIAL_TOKENS_H

#include "tokenizer/classes.h"

/* A special token as transformers holds it: a plain string, or an added token with its flags. */
struct special {
    const char *content;
    size_t len;
    bool is_added; /* else flags are the class's for a string */
    struct added_token flags;
};

extern const char *const special_role_names[TOKEN_ROLES]; /* "bos_token", … */

/* The role's token after class defaults; content NULL: none. `legacy` asks the slow class's way. */
struct special special_of_role(const struct loader *loader, enum special_token role);
/* The role's text, to build the legacy post-processors. */
const char *special_content(const struct loader *loader, enum special_token role);
/* A token that only some classes have ("mask_token_sent"); NULL when it is null. */
const char *special_setting(const struct loader *loader, const char *key, const char *otherwise);
/* The id that added_tokens_decoder or added_tokens.json gives a token, -1: none. The slow classes
 * go by it, whatever the vocabulary says. */
int32_t special_declared_id(struct loader *loader, const char *content, size_t len);
/* Adds what the files name, sets the roles. */
enum status special_tokens_apply(struct loader *loader, struct error *err) MUST_CHECK;

#endif
