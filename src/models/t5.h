/* What T5 and LongT5 have in common: their tensors' names, their config's keys, the head of the
 * language model. Private to this room. */
#ifndef BRISK_MODELS_T5_H
#define BRISK_MODELS_T5_H

#include "models/family.h"

#define T5_POSITIONS 2048 /* texts may be of any length; most tokens that Brisk takes */

/* clang-format off */
#define T5_SLOTS(side, attention, ffn)                                                             \
    {SLOT_EMBED_TOKENS, "shared", false},                                                          \
    {SLOT_EMBED_TOKENS, "encoder.embed_tokens", false},                                            \
    {SLOT_EMBED_TOKENS, "decoder.embed_tokens", false},                                            \
    {SLOT_FINAL_NORM, side ".final_layer_norm", false},                                            \
    {SLOT_POSITION_BIAS, side ".block.%u.layer.0." attention ".relative_attention_bias", false},   \
    {SLOT_ATTN_NORM, side ".block.%u.layer.0.layer_norm", false},                                  \
    {SLOT_ATTN_Q, side ".block.%u.layer.0." attention ".q", false},                                \
    {SLOT_ATTN_K, side ".block.%u.layer.0." attention ".k", false},                                \
    {SLOT_ATTN_V, side ".block.%u.layer.0." attention ".v", false},                                \
    {SLOT_ATTN_OUT, side ".block.%u.layer.0." attention ".o", false},                              \
    {SLOT_FFN_NORM, side ".block.%u." ffn ".layer_norm", false},                                   \
    {SLOT_FFN_GATE, side ".block.%u." ffn ".DenseReluDense.wi_0", false},                          \
    {SLOT_FFN_UP, side ".block.%u." ffn ".DenseReluDense.wi_1", false},                            \
    {SLOT_FFN_UP, side ".block.%u." ffn ".DenseReluDense.wi", false},                              \
    {SLOT_FFN_DOWN, side ".block.%u." ffn ".DenseReluDense.wo", false}
/* clang-format on */

/* An encoder and, unless the class reads the text with the encoder alone, a decoder. */
void arch_of_t5(struct arch *arch, struct config *config, const char *suffix);
void head_of_t5(struct arch *arch, struct config *config);

#endif
