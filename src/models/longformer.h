/* What Longformer's description says to its attention, and the hook itself. Private to this
 * room. */
#ifndef BRISK_MODELS_LONGFORMER_H
#define BRISK_MODELS_LONGFORMER_H

#include "models/family.h"

/* Options of the hook, by number. */
enum {
    LONGFORMER_GLOBALS,  /* enum globals */
    LONGFORMER_SEPARATOR /* the token that ends a question */
};
enum globals { NO_GLOBALS, FIRST_GLOBAL, QUESTION_GLOBAL };

extern const struct hook_table longformer_attention;

/* attention_window: a number, or a list with one for each layer, which must be equal. */
uint32_t config_attention_window(struct config *config);

#endif
