/* Phi 3, 3.5 and 4 (Abdin et al. 2024), as transformers' Phi3Model: Llama with fused products,
 * longrope and a window in all layers. A text that grows beyond the original context is read again
 * (Phi3ForCausalLM.prepare_inputs_for_generation). */
#include "models/modern.h"

#include <string.h>

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "embed_tokens", false},
    {SLOT_FINAL_NORM, "norm", false},
    {SLOT_ATTN_NORM, "layers.%u.input_layernorm", false},
    {SLOT_ATTN_QKV, "layers.%u.self_attn.qkv_proj", false},
    {SLOT_ATTN_OUT, "layers.%u.self_attn.o_proj", false},
    {SLOT_FFN_NORM, "layers.%u.post_attention_layernorm", false},
    {SLOT_FFN_GATE_UP, "layers.%u.mlp.gate_up_proj", false},
    {SLOT_FFN_DOWN, "layers.%u.mlp.down_proj", false},
    {0},
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_decoder(c);
    config_decoder_defaults(c, &spec, spec.heads, 4096);
    spec.names = names;
    spec.norm_eps = config_eps(c, "rms_norm_eps", 1e-5f);
    spec.window = config_window(c, 0);
    if (spec.window > 0)
        memset(spec.layer_kinds, LAYER_LOCAL, sizeof spec.layer_kinds);
    spec.flags |= STACK_REREADS;
    spec.ropes[0].border = 4096; /* where the file names no original_max_position_embeddings */
    config_rope_standard(c, &spec, 10000, 1);
    arch_of_decoder(arch, c, &spec);
    arch_default_tokens(arch, c, 1, 32000, 32000);
}

static const struct family_type types[] = {{"phi3", "Phi3"}, {0}};

const struct family family_phi3 = {
    .name = "phi3",
    .types = types,
    .heads = decoder_heads,
    .base = "ForCausalLM",
    .describe = describe,
};
