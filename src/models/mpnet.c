/* MPNet (Song et al. 2020), as transformers' MPNetModel: BERT's layers without token types;
 * positions count from row 2, and all layers add the same learned numbers by distance to their
 * scores. */
#include "models/family.h"

#define PAD          1 /* whatever pad_token_id says, as MPNetEmbeddings */
#define BUCKETS      32
#define BUCKET_REACH 128

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "embeddings.word_embeddings", false},
    {SLOT_EMBED_POSITIONS, "embeddings.position_embeddings", false},
    {SLOT_EMBED_NORM, "embeddings.LayerNorm", false},
    {SLOT_POSITION_BIAS, "encoder.relative_attention_bias", false},
    {SLOT_ATTN_Q, "encoder.layer.%u.attention.attn.q", false},
    {SLOT_ATTN_K, "encoder.layer.%u.attention.attn.k", false},
    {SLOT_ATTN_V, "encoder.layer.%u.attention.attn.v", false},
    {SLOT_ATTN_OUT, "encoder.layer.%u.attention.attn.o", false},
    {SLOT_ATTN_NORM, "encoder.layer.%u.attention.LayerNorm", false},
    {SLOT_FFN_UP, "encoder.layer.%u.intermediate.dense", false},
    {SLOT_FFN_DOWN, "encoder.layer.%u.output.dense", false},
    {SLOT_FFN_NORM, "encoder.layer.%u.output.LayerNorm", false},
    {0},
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_encoder(c);
    spec.names = names;
    spec.token_types = 0;
    spec.flags = STACK_EMBED_NORM; /* MPNetModel knows no is_decoder */
    spec.buckets = config_size_or(c, "relative_attention_num_buckets", BUCKETS, LIMIT_POSITIONS);
    spec.bucket_reach = BUCKET_REACH;
    if (spec.buckets != BUCKETS)
        config_fail(c, "\"relative_attention_num_buckets\" is %u; Brisk runs only %u", spec.buckets,
                    BUCKETS);
    config_positions_after(c, &spec, PAD + 1);
    arch_of_encoder(arch, c, "mpnet.", &spec);
    arch->bos = config_token(c, "bos_token_id", 0);
    arch->eos = config_token(c, "eos_token_id", 2);
    arch->pad = config_token(c, "pad_token_id", PAD);
}

static const struct family_type types[] = {{"mpnet", "MPNet"}, {0}};

const struct family family_mpnet = {
    .name = "mpnet",
    .types = types,
    .heads = roberta_heads,
    .base = "Model",
    .describe = describe,
};
