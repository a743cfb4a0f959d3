/* What decoders of GPT-2's age have in common: plain layer norms with an epsilon of 1e-5, pre-norm,
 * a feed-forward of four times the hidden size, and the same heads under the same names. Each has
 * its own keys in config.json. Private to this room. */
#ifndef BRISK_MODELS_GPT_H
#define BRISK_MODELS_GPT_H

#include "models/family.h"

/* The family's names of the sizes; those that transformers maps to them (hidden_size,
 * num_hidden_layers, num_attention_heads) are read where the family's own is absent. */
struct gpt_keys {
    const char *hidden, *layers, *heads, *inside, *positions, *eps, *activation;
    uint32_t max_positions; /* where config.json does not say */
};
extern const struct gpt_keys gpt2_keys; /* n_embd, n_layer, n_head, ...; 2048 positions */

/* A causal stack of those sizes, pre-norm with a final norm; positions are left to the family. A
 * key that is NULL is not read. */
struct stack_spec config_gpt(struct config *config, const struct gpt_keys *keys,
                             enum activation activation);
/* ropes[0] of rotary_dim numbers in neighbouring pairs: GPT-J, CodeGen. */
void config_rope_pairs(struct config *config, struct stack_spec *spec);

/* One stack, which is `spec`; bos, eos and pad where config.json does not say. */
void arch_of_gpt(struct arch *arch, struct config *config, const struct stack_spec *spec,
                 const char *prefix, const int32_t tokens[static 3]);

#endif
