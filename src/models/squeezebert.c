/* SqueezeBERT (Iandola et al. 2020), as transformers' SqueezeBertModel: BERT whose linears are 1x1
 * convolutions in groups; the tensors' shapes tell the groups. */
#include "models/family.h"

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "embeddings.word_embeddings", false},
    {SLOT_EMBED_POSITIONS, "embeddings.position_embeddings", false},
    {SLOT_EMBED_TYPES, "embeddings.token_type_embeddings", false},
    {SLOT_EMBED_NORM, "embeddings.LayerNorm", false},
    {SLOT_ATTN_Q, "encoder.layers.%u.attention.query", false},
    {SLOT_ATTN_K, "encoder.layers.%u.attention.key", false},
    {SLOT_ATTN_V, "encoder.layers.%u.attention.value", false},
    {SLOT_ATTN_OUT, "encoder.layers.%u.post_attention.conv1d", false},
    {SLOT_ATTN_NORM, "encoder.layers.%u.post_attention.layernorm", false},
    {SLOT_FFN_UP, "encoder.layers.%u.intermediate.conv1d", false},
    {SLOT_FFN_DOWN, "encoder.layers.%u.output.conv1d", false},
    {SLOT_FFN_NORM, "encoder.layers.%u.output.layernorm", false},
    {0},
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_encoder(c);
    spec.names = names;
    spec.flags &= ~(uint32_t)STACK_CAUSAL;
    config_embed_size(c, &spec, "embedding_size", 768);
    if (spec.embed_size > 0)
        config_fail(c, "\"embedding_size\" is %u, must be hidden_size %u", spec.embed_size,
                    spec.hidden_size);
    if (config_eps(c, "layer_norm_eps", 1e-12f) != 1e-12f)
        config_fail(c, "\"layer_norm_eps\" is not 1e-12, which the layers have in any case");
    arch_of_encoder(arch, c, "transformer.", &spec);
}

static const struct family_type types[] = {{"squeezebert", "SqueezeBert"}, {0}};

const struct family family_squeezebert = {
    .name = "squeezebert",
    .types = types,
    .heads = bert_heads,
    .base = "Model",
    .describe = describe,
};
