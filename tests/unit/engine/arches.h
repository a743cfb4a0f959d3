/* Four descriptions that between them use every word of struct arch: an encoder (post-norm, types,
 * a head of three steps with a residual), a decoder (pre-norm, gated, fewer key-value heads, fused
 * and transposed), an encoder with a decoder, and a decoder whose layers have experts but for one.
 * Odd sizes throughout. */
#ifndef BRISK_TESTS_ARCHES_H
#define BRISK_TESTS_ARCHES_H

#include "engine/engine.h"

#define LAYER_NAMES(p)                                                                             \
    {SLOT_EMBED_TOKENS, p "tokens", false}, {SLOT_EMBED_POSITIONS, p "positions", false},          \
        {SLOT_EMBED_NORM, p "embed_norm", false}, {SLOT_ATTN_NORM, p "%u.attn_norm", false},       \
        {SLOT_ATTN_Q, p "%u.q", false}, {SLOT_ATTN_K, p "%u.k", false},                            \
        {SLOT_ATTN_V, p "%u.v", false}, {SLOT_ATTN_OUT, p "%u.out", false},                        \
        {SLOT_FFN_NORM, p "%u.ffn_norm", false}, {SLOT_FFN_UP, p "%u.up", false}, {                \
        SLOT_FFN_DOWN, p "%u.down", false                                                          \
    }

static const struct slot_name encoder_names[] = {
    LAYER_NAMES("enc."), {SLOT_EMBED_TYPES, "enc.types", false}, {0}};

static const struct slot_name reader_names[] = {LAYER_NAMES("dec."),
                                                {SLOT_CROSS_NORM, "dec.%u.cross_norm", false},
                                                {SLOT_CROSS_Q, "dec.%u.cross_q", false},
                                                {SLOT_CROSS_K, "dec.%u.cross_k", false},
                                                {SLOT_CROSS_V, "dec.%u.cross_v", false},
                                                {SLOT_CROSS_OUT, "dec.%u.cross_out", false},
                                                {0}};

static const struct slot_name decoder_names[] = {{SLOT_EMBED_TOKENS, "wte", false},
                                                 {SLOT_EMBED_POSITIONS, "wpe", false},
                                                 {SLOT_FINAL_NORM, "ln", false},
                                                 {SLOT_ATTN_NORM, "%u.ln_1", false},
                                                 {SLOT_ATTN_QKV, "%u.qkv", true},
                                                 {SLOT_ATTN_OUT, "%u.out", true},
                                                 {SLOT_FFN_NORM, "%u.ln_2", false},
                                                 {SLOT_FFN_GATE, "%u.gate", true},
                                                 {SLOT_FFN_UP, "%u.up", true},
                                                 {SLOT_FFN_DOWN, "%u.down", true},
                                                 {0}};

static const struct arch encoder_arch = {
    .family = "encoder",
    .prefix = "base.",
    .n_stacks = 1,
    .stacks = {{.name = "encoder",
                .names = encoder_names,
                .vocab_size = 97,
                .hidden_size = 40,
                .intermediate_size = 72,
                .layers = 3,
                .heads = 4,
                .kv_heads = 4,
                .head_size = 10,
                .max_positions = 70,
                .positions = POSITIONS_LEARNED,
                .position_offset = 2,
                .token_types = 2,
                .flags = STACK_EMBED_NORM,
                .norm_place = NORM_POST,
                .norm_eps = 1e-12f,
                .activation = ACTIVATION_GELU}},
    .head = {.kind = HEAD_LM,
             .n_steps = 3,
             .steps = {{.linear = "inner", .outputs = 52, .activation = ACTIVATION_GELU},
                       {.linear = "dense", .outputs = 40, .residual = true, .norm = "dense_norm"},
                       {.tied = true, .bias = "decoder_bias", .outputs = 97}},
             .outputs = 97},
};

static const struct arch decoder_arch = {
    .family = "decoder",
    .prefix = "base.",
    .n_stacks = 1,
    .stacks = {{.name = "decoder",
                .names = decoder_names,
                .vocab_size = 101,
                .hidden_size = 44,
                .intermediate_size = 60,
                .layers = 3,
                .heads = 6,
                .kv_heads = 2,
                .head_size = 12,
                .max_positions = 90,
                .positions = POSITIONS_LEARNED,
                .norm_kind = NORM_RMS,
                .norm_place = NORM_PRE,
                .norm_eps = 1e-5f,
                .activation = ACTIVATION_SILU,
                .flags = STACK_FINAL_NORM | STACK_GATED | STACK_CAUSAL | STACK_SCALE_BY_LAYER}},
    .head = {.kind = HEAD_LM,
             .n_steps = 1,
             .steps = {{.linear = "lm_head", .outputs = 101}},
             .outputs = 101},
};

static const struct slot_name expert_names[] = {{SLOT_EMBED_TOKENS, "tokens", false},
                                                {SLOT_FINAL_NORM, "norm", false},
                                                {SLOT_ATTN_NORM, "%u.attn_norm", false},
                                                {SLOT_ATTN_Q, "%u.q", false},
                                                {SLOT_ATTN_K, "%u.k", false},
                                                {SLOT_ATTN_V, "%u.v", false},
                                                {SLOT_ATTN_OUT, "%u.out", false},
                                                {SLOT_FFN_NORM, "%u.ffn_norm", false},
                                                {SLOT_FFN_GATE, "%u.gate", false},
                                                {SLOT_FFN_UP, "%u.up", false},
                                                {SLOT_FFN_DOWN, "%u.down", false},
                                                {SLOT_ROUTER, "%u.router", false},
                                                {SLOT_EXPERT_GATE, "%u.expert.%u.gate", false},
                                                {SLOT_EXPERT_UP, "%u.expert.%u.up", false},
                                                {SLOT_EXPERT_DOWN, "%u.expert.%u.down", false},
                                                {SLOT_SHARED_GATE, "%u.shared.gate", false},
                                                {SLOT_SHARED_UP, "%u.shared.up", false},
                                                {SLOT_SHARED_DOWN, "%u.shared.down", false},
                                                {SLOT_SHARED_SCORE, "%u.score", false},
                                                {0}};

static const struct arch expert_arch = {
    .family = "experts",
    .prefix = "base.",
    .n_stacks = 1,
    .stacks = {{.name = "decoder",
                .names = expert_names,
                .vocab_size = 101,
                .hidden_size = 36,
                .intermediate_size = 44,
                .layers = 3,
                .heads = 4,
                .kv_heads = 2,
                .head_size = 9,
                .max_positions = 90,
                .norm_kind = NORM_RMS,
                .norm_place = NORM_PRE,
                .norm_eps = 1e-5f,
                .activation = ACTIVATION_SILU,
                .layer_kinds = {0, LAYER_DENSE, 0},
                .routing = {.experts = 7, .per_token = 3, .normalized = true},
                .expert_size = 20,
                .shared_size = 28,
                .flags = STACK_FINAL_NORM | STACK_GATED | STACK_CAUSAL}},
    .head = {.kind = HEAD_LM,
             .n_steps = 1,
             .steps = {{.linear = "lm_head", .outputs = 101}},
             .outputs = 101},
};

#define SIDE(side, side_names)                                                                     \
    .name = (side), .names = (side_names), .vocab_size = 97, .hidden_size = 40,                    \
    .intermediate_size = 56, .layers = 2, .heads = 5, .kv_heads = 5, .head_size = 8,               \
    .max_positions = 80, .positions = POSITIONS_LEARNED, .position_offset = 2,                     \
    .embed_scale = 6.3f, .norm_place = NORM_POST, .norm_eps = 1e-5f,                               \
    .activation = ACTIVATION_GELU_TANH

static const struct arch seq2seq_arch = {
    .family = "seq2seq",
    .prefix = "base.",
    .n_stacks = 2,
    .stacks = {{SIDE("encoder", encoder_names), .flags = STACK_EMBED_NORM, .token_types = 1},
               {SIDE("decoder", reader_names),
                .flags = STACK_EMBED_NORM | STACK_CAUSAL | STACK_CROSS, .cross_from = 0}},
    .head = {.kind = HEAD_LM,
             .n_steps = 1,
             .steps = {{.linear = "lm_head", .tied = true, .bias = "logits_bias", .outputs = 97}},
             .outputs = 97},
    .decoder_stack = 1,
};

#endif
