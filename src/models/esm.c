/* ESM (Lin et al. 2023), protein language models, as transformers' EsmModel: pre-norm encoder with
 * rotary or learned positions, whose masks may be dropped from the embeddings. */
#include "models/family.h"

#include <string.h>

#define ROPE_BASE 10000

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "embeddings.word_embeddings", false},
    {SLOT_EMBED_POSITIONS, "embeddings.position_embeddings", false},
    {SLOT_EMBED_NORM, "embeddings.layer_norm", false},
    {SLOT_FINAL_NORM, "encoder.emb_layer_norm_after", false},
    {SLOT_ATTN_NORM, "encoder.layer.%u.attention.LayerNorm", false},
    {SLOT_ATTN_Q, "encoder.layer.%u.attention.self.query", false},
    {SLOT_ATTN_K, "encoder.layer.%u.attention.self.key", false},
    {SLOT_ATTN_V, "encoder.layer.%u.attention.self.value", false},
    {SLOT_ATTN_OUT, "encoder.layer.%u.attention.output.dense", false},
    {SLOT_FFN_NORM, "encoder.layer.%u.LayerNorm", false},
    {SLOT_FFN_UP, "encoder.layer.%u.intermediate.dense", false},
    {SLOT_FFN_DOWN, "encoder.layer.%u.output.dense", false},
    {0},
};

/* Learned ones count from pad_token_id + 1. */
static void set_positions(struct config *c, struct stack_spec *spec, int32_t pad) {
    const char *kind = json_get_string(c->json, "position_embedding_type", "absolute");
    spec->max_positions = config_size_or(c, "max_position_embeddings", 1026, LIMIT_POSITIONS);
    if (strcmp(kind, "rotary") == 0)
        config_rope(c, spec, 0, ROPE_BASE, spec->head_size, NULL);
    else if (strcmp(kind, "absolute") != 0)
        config_fail(c,
                    "\"position_embedding_type\" is \"%.40s\", must be \"rotary\" or "
                    "\"absolute\"",
                    kind);
    else
        config_positions_after(c, spec, (uint32_t)(pad + 1));
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_encoder(c);
    if (config_bool(c, "is_folding_model", false))
        config_fail(c, "\"is_folding_model\" is true; Brisk runs ESM's language models only");
    spec.names = names;
    spec.token_types = 0;
    spec.norm_place = NORM_PRE;
    spec.activation = ACTIVATION_GELU; /* whatever hidden_act says */
    spec.flags = STACK_FINAL_NORM;
    if (config_bool(c, "emb_layer_norm_before", false))
        spec.flags |= STACK_EMBED_NORM;
    if (config_bool(c, "token_dropout", false))
        spec.flags |= STACK_TOKEN_DROPOUT;
    set_positions(c, &spec, config_token(c, "pad_token_id", -1));
    arch_of_encoder(arch, c, "esm.", &spec);
    arch->pad = config_token(c, "pad_token_id", -1);
    arch->mask = config_token(c, "mask_token_id", -1);
}

static const struct family_type types[] = {{"esm", "Esm"}, {0}};

const struct family family_esm = {
    .name = "esm",
    .types = types,
    .heads = roberta_heads,
    .base = "Model",
    .describe = describe,
};
