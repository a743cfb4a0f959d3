/* XLM-RoBERTa-XL (Goyal et al. 2021), as transformers' XLMRobertaXLModel: RoBERTa with norms before
 * the blocks and after the last layer, none after the embeddings. */
#include "models/family.h"

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "embeddings.word_embeddings", false},
    {SLOT_EMBED_POSITIONS, "embeddings.position_embeddings", false},
    {SLOT_EMBED_TYPES, "embeddings.token_type_embeddings", false},
    {SLOT_FINAL_NORM, "encoder.LayerNorm", false},
    {SLOT_ATTN_NORM, "encoder.layer.%u.attention.self_attn_layer_norm", false},
    {SLOT_ATTN_Q, "encoder.layer.%u.attention.self.query", false},
    {SLOT_ATTN_K, "encoder.layer.%u.attention.self.key", false},
    {SLOT_ATTN_V, "encoder.layer.%u.attention.self.value", false},
    {SLOT_ATTN_OUT, "encoder.layer.%u.attention.output.dense", false},
    {SLOT_FFN_NORM, "encoder.layer.%u.LayerNorm", false},
    {SLOT_FFN_UP, "encoder.layer.%u.intermediate.dense", false},
    {SLOT_FFN_DOWN, "encoder.layer.%u.output.dense", false},
    {0},
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_encoder(c);
    config_only(c, "position_embedding_type", "absolute");
    spec.names = names;
    spec.max_positions = config_size_or(c, "max_position_embeddings", 514, LIMIT_POSITIONS);
    spec.token_types = config_size_or(c, "type_vocab_size", 1, LIMIT_VOCAB_SIZE);
    spec.norm_eps = config_eps(c, "layer_norm_eps", 1e-5f);
    spec.norm_place = NORM_PRE;
    spec.flags = (spec.flags & ~(uint32_t)STACK_EMBED_NORM) | STACK_FINAL_NORM;
    config_positions_after(c, &spec, (uint32_t)(config_token(c, "pad_token_id", 1) + 1));
    arch_of_encoder(arch, c, "roberta.", &spec);
    arch->bos = config_token(c, "bos_token_id", 0);
    arch->eos = config_token(c, "eos_token_id", 2);
    arch->pad = config_token(c, "pad_token_id", 1);
}

static const struct family_type types[] = {{"xlm-roberta-xl", "XLMRobertaXL"}, {0}};

const struct family family_xlm_roberta_xl = {
    .name = "xlm-roberta-xl",
    .types = types,
    .heads = roberta_heads,
    .base = "Model",
    .describe = describe,
};
