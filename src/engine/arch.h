/* The description of an architecture: what src/models fills in from config.json and src/engine
 * runs.
 *
 * Zero means "not there" in every field. A family that needs a word which is missing here gets one
 * that other families can use too. No code, no tensors. */
#ifndef BRISK_ENGINE_ARCH_H
#define BRISK_ENGINE_ARCH_H

#include "base/base.h"
#include "ops/ops.h"

#define ARCH_STACKS     4
#define ARCH_HEAD_STEPS 3

/* Where a tensor belongs. Slots of a layer repeat; the others stand once a stack. A slot is a
 * weight and, where the checkpoint has it, a bias: "<name>.weight", "<name>.bias" (norms also
 * ".gamma", ".beta"). */
#define SLOTS(SLOT)                                                                                \
    SLOT(EMBED_TOKENS)    /* [vocab_size, embed_size] */                                           \
    SLOT(EMBED_POSITIONS) /* [max_positions + position_offset, hidden_size] */                     \
    SLOT(EMBED_TYPES)     /* [token_types, hidden_size] */                                         \
    SLOT(EMBED_NORM)                                                                               \
    SLOT(FINAL_NORM)                                                                               \
    SLOT(ATTN_NORM) /* of a layer from here on */                                                  \
    SLOT(ATTN_QKV)  /* fused: q, k, v one after the other along the outputs */                     \
    SLOT(ATTN_Q)                                                                                   \
    SLOT(ATTN_K)                                                                                   \
    SLOT(ATTN_V)                                                                                   \
    SLOT(ATTN_OUT)                                                                                 \
    SLOT(CROSS_NORM)                                                                               \
    SLOT(CROSS_Q)                                                                                  \
    SLOT(CROSS_K)                                                                                  \
    SLOT(CROSS_V)                                                                                  \
    SLOT(CROSS_OUT)                                                                                \
    SLOT(FFN_NORM)                                                                                 \
    SLOT(FFN_GATE)                                                                                 \
    SLOT(FFN_UP)                                                                                   \
    SLOT(FFN_DOWN)

enum slot {
#define SLOT(name) SLOT_##name,
    SLOTS(SLOT)
#undef SLOT
        SLOT_COUNT
};

/* How the checkpoint names a slot; "%u" is the layer. Names are tried with the arch's prefix in
 * front ("bert.") and without, since base and head checkpoints differ in it. */
struct slot_name {
    enum slot slot;
    const char *name; /* NULL ends the list */
    bool transposed;  /* stored [in, out] (GPT-2's Conv1D) */
};

enum norm_place {
    NORM_POST, /* x = norm(x + f(x)): BERT, BART */
    NORM_PRE,  /* x = x + f(norm(x)): GPT-2 */
};

enum position_kind { POSITIONS_NONE, POSITIONS_LEARNED };

/* What a stack has or has not. */
enum stack_flag {
    STACK_CAUSAL = 1 << 0,         /* a token sees itself and those before it */
    STACK_CROSS = 1 << 1,          /* layers have cross-attention to the stack `cross_from` */
    STACK_GATED = 1 << 2,          /* feed-forward: down(act(gate(x)) * up(x)) */
    STACK_EMBED_NORM = 1 << 3,     /* norm after the embeddings */
    STACK_FINAL_NORM = 1 << 4,     /* norm after the last layer */
    STACK_SCALE_BY_LAYER = 1 << 5, /* scores are also divided by layer + 1 */
};

struct stack_spec {
    const char *name; /* "encoder", "decoder"; a model of one stack: "" is fine */
    const struct slot_name *names;
    uint32_t vocab_size, hidden_size, intermediate_size;
    uint32_t layers, heads, kv_heads, head_size;
    uint32_t max_positions; /* most tokens of a text */
    enum position_kind positions;
    uint32_t position_offset; /* row of the table for position 0 (RoBERTa and BART: 2) */
    uint32_t token_types;     /* rows of the token type table */
    float embed_scale;        /* 0: 1 */
    enum norm_kind norm_kind;
    enum norm_place norm_place;
    float norm_eps;
    enum activation activation;
    float attention_scale; /* 0: 1 / sqrt(head_size) */
    uint32_t cross_from;   /* STACK_CROSS: to the output of this stack */
    uint32_t flags;        /* of enum stack_flag */
};

/* What a head is run on and makes. The rows are chosen by the task from `rows`. */
enum head_kind {
    HEAD_NONE,
    HEAD_LM,       /* next or masked token: [vocab_size] */
    HEAD_SEQUENCE, /* classes of a text: [labels] */
    HEAD_TOKEN,    /* classes of each token: [labels] */
    HEAD_SPAN,     /* question answering: [2] start and end */
};
enum head_rows { ROWS_ALL, ROWS_FIRST, ROWS_LAST, ROWS_LAST_EOS };

/* One step: y = norm(activation(W x + b)). */
struct head_step {
    const char *linear; /* checkpoint name without ".weight"; may be NULL when tied */
    bool transposed;
    bool tied;        /* the weights are the token embedding's, whatever <linear>.weight holds */
    const char *bias; /* full name where it is not <linear>.bias (final_logits_bias) */
    uint32_t outputs;
    enum activation activation;
    const char *norm; /* checkpoint name of a norm after the activation, or NULL */
};

struct head_spec {
    enum head_kind kind;
    uint32_t stack;
    enum head_rows rows;
    uint32_t n_steps;
    struct head_step steps[ARCH_HEAD_STEPS];
    uint32_t outputs; /* of the last step */
};

struct arch {
    const char *family; /* as `brisk list` shows it */
    const char *prefix; /* "bert." */
    uint32_t n_stacks;
    struct stack_spec stacks[ARCH_STACKS];
    struct head_spec head;
    /* How a text goes through the stacks. */
    uint32_t text_stack; /* the stack that reads the input text first */
    bool has_decoder;    /* then generation or the head runs on `decoder_stack` */
    uint32_t decoder_stack;
    bool shifts_input;     /* a head on the decoder sees the input shifted right behind
                              decoder_start (BART's classification, features) */
    int32_t decoder_start; /* decoder_start_token_id, -1: none */
    int32_t bos, eos, pad; /* of config.json, -1: none */
};

static inline bool stack_has(const struct stack_spec *spec, enum stack_flag flag) {
    return (spec->flags & flag) != 0;
}

#endif
