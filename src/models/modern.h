/* What decoders since Gemma have in common beyond Llama's words (decoder.c): layers of several
 * kinds, norms on both sides of a block, embeddings that are scaled and tied. Private to this room.
 */
#ifndef BRISK_MODELS_MODERN_H
#define BRISK_MODELS_MODERN_H

#include "models/family.h"

/* decoder_slots with norms of what blocks give: post_attention_layernorm and
 * post_feedforward_layernorm; the feed-forward's own is pre_feedforward_layernorm. */
extern const struct slot_name sandwich_slots[];

/* decoder_heads of families whose embeddings are tied where config.json does not say. */
extern const struct head_row tied_heads[];

/* A number over 0; where there is none `otherwise`. */
float config_scale(struct config *config, const char *key, float otherwise);
/* The same of what may be switched off: an absent key is `otherwise`, null is 0. */
float config_amount(struct config *config, const char *key, float otherwise);
/* sliding_window: where the key is absent `otherwise`, null is 0. */
uint32_t config_window(struct config *config, uint32_t otherwise);
/* layer_types marks layers LAYER_LOCAL; where it is absent all do but each full_every-th, which is
 * what sliding_window_pattern says if the family had that key. */
void config_layer_types(struct config *config, struct stack_spec *spec, uint32_t full_every);
/* sqrt(hidden_size), rounded to the numbers that the checkpoint's weights are kept in. */
float config_root_scale(struct config *config, uint32_t hidden);
/* Special tokens where config.json lacks their keys. */
void arch_default_tokens(struct arch *arch, struct config *config, int32_t bos, int32_t eos,
                         int32_t pad);

#endif
