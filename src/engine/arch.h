/* The description of an architecture: what src/models fills in from config.json and src/engine
 * runs.
 *
 * Zero means "not there" in every field. A family that needs a word which is missing here gets one
 * that other families can use too. No code, no tensors. */
#ifndef BRISK_ENGINE_ARCH_H
#define BRISK_ENGINE_ARCH_H

#include "base/base.h"
#include "ops/ops.h"
#include "engine/hook.h"

#define ARCH_STACKS     4
#define ARCH_TEXT_STACK 0 /* the stack that reads the input text first */
#define ARCH_HEAD_STEPS 3
#define ARCH_ROPES      2
#define ARCH_TYPE_TABLES 7

/* Where a tensor belongs. Slots of a layer repeat; the others stand once a stack. A slot is a
 * weight and, where the checkpoint has it, a bias: "<name>.weight", "<name>.bias" (norms also
 * ".gamma", ".beta"). */
#define SLOTS(SLOT)                                                                                \
    SLOT(EMBED_TOKENS)    /* [vocab_size, embed_size] */                                           \
    SLOT(EMBED_POSITIONS) /* [max_positions + position_offset, hidden_size] */                     \
    SLOT(EMBED_TYPES)     /* [token_types, hidden_size]; "%u" is the table's number */              \
    SLOT(EMBED_SHARED)    /* its first row is added to all of EMBED_TYPES: ERNIE's task */         \
    SLOT(EMBED_PROJECT)   /* [hidden_size, embed_size or, of trigrams, 3 * embed_size] */          \
    SLOT(EMBED_NORM)                                                                               \
    SLOT(POSITION_BIAS) /* [buckets, heads]; of the first layer, or of each */                     \
    SLOT(FINAL_NORM)                                                                               \
    SLOT(OUT_PROJECT) /* [embed_size, hidden_size] */                                              \
    SLOT(ATTN_NORM)   /* of a layer from here on */                                                \
    SLOT(ATTN_QKV)    /* fused: q, k, v one after the other along the outputs */                   \
    SLOT(ATTN_Q)                                                                                   \
    SLOT(ATTN_K)                                                                                   \
    SLOT(ATTN_V)                                                                                   \
    SLOT(ATTN_Q_NORM)                                                                              \
    SLOT(ATTN_K_NORM)                                                                              \
    SLOT(ATTN_OUT)                                                                                 \
    SLOT(ATTN_OUT_NORM) /* of what attention gives, before it is added */                          \
    SLOT(CROSS_NORM)                                                                               \
    SLOT(CROSS_Q)                                                                                  \
    SLOT(CROSS_K)                                                                                  \
    SLOT(CROSS_V)                                                                                  \
    SLOT(CROSS_OUT)                                                                                \
    SLOT(FFN_NORM)                                                                                 \
    SLOT(FFN_GATE_UP) /* fused: gate, then up */                                                   \
    SLOT(FFN_GATE)                                                                                 \
    SLOT(FFN_UP)                                                                                   \
    SLOT(FFN_DOWN)                                                                                 \
    SLOT(FFN_OUT_NORM)                                                                             \
    SLOT(ROUTER)      /* [experts, hidden_size] */                                                 \
    SLOT(EXPERT_GATE) /* of an expert from here on */                                              \
    SLOT(EXPERT_UP)                                                                                \
    SLOT(EXPERT_DOWN)                                                                              \
    SLOT(SHARED_GATE) /* of the expert that all rows go to, from here on */                        \
    SLOT(SHARED_UP)                                                                                \
    SLOT(SHARED_DOWN)                                                                              \
    SLOT(SHARED_SCORE) /* [1, hidden_size]: its sigmoid is the shared expert's weight */

enum slot {
#define SLOT(name) SLOT_##name,
    SLOTS(SLOT)
#undef SLOT
        SLOT_COUNT
};

/* How the checkpoint names a slot; "%u" is the layer, a second one the expert. Names are tried with
 * the arch's prefix in front ("bert.") and without, since base and head checkpoints differ in it.
 */
struct slot_name {
    enum slot slot;
    const char *name; /* NULL ends the list */
    bool transposed;  /* stored [in, out] (GPT-2's Conv1D) */
};

enum norm_place {
    NORM_POST,         /* x = norm(x + f(x)): BERT, BART */
    NORM_PRE,          /* x = x + f(norm(x)): GPT-2, Llama */
    NORM_OUTPUT,       /* x = x + norm(f(x)): OLMo 2 */
    NORM_SANDWICH,     /* x = x + norm(f(norm(x))): Gemma 2 */
    NORM_PARALLEL,     /* x = x + attention(norm(x)) + feed_forward(norm(x)), one norm: GPT-J */
    NORM_PARALLEL_TWO, /* the same with a norm for each: GPT-NeoX */
};

enum position_kind {
    POSITIONS_NONE,
    POSITIONS_LEARNED,
    POSITIONS_SINUSOIDAL, /* sines of the even dimensions, then cosines: Marian, Pegasus */
    POSITIONS_FAIRSEQ,    /* the same of another step between frequencies: M2M100 */
    POSITIONS_ROTARY,     /* of queries and keys: Su et al. 2021 */
    POSITIONS_ALIBI,      /* added to scores by distance (of both sides): Press et al. 2022 */
    POSITIONS_BUCKETS,    /* learned, added to scores by distance: T5 */
};

/* How ATTN_QKV's outputs stand; head by head, each head_size. */
enum qkv_layout {
    QKV_PLAIN,    /* all q, all k, all v */
    QKV_BY_GROUP, /* for each kv head its q, then k and v: GPT-NeoX, BLOOM, Falcon */
    QKV_CODEGEN,  /* in four parts q, v, k */
};

/* What is normed in queries and keys before positions turn them. */
enum qk_norm {
    QK_NORM_NONE,
    QK_NORM_HEAD,  /* each head, weights shared by all: Qwen3, Gemma 3 */
    QK_NORM_HEADS, /* each head by its own weights: StableLM, Cohere */
    QK_NORM_WHOLE, /* all heads as one row: OLMo 2 */
};

/* Bits of layer_kinds. */
enum layer_kind {
    LAYER_LOCAL = 1 << 0,        /* attention sees `window` tokens */
    LAYER_ROPE_1 = 1 << 1,       /* positions by ropes[1] */
    LAYER_NO_ROPE = 1 << 2,      /* no positions at all */
    LAYER_NO_ATTN_NORM = 1 << 3, /* attention reads the stream itself: ModernBERT's first */
    LAYER_DENSE = 1 << 4,        /* no experts where the stack has them */
};

/* What a stack has or has not. */
enum stack_flag {
    STACK_CAUSAL = 1 << 0,         /* a token sees itself and those before it */
    STACK_CROSS = 1 << 1,          /* layers have cross-attention to the stack `cross_from` */
    STACK_GATED = 1 << 2,          /* feed-forward: down(act(gate(x)) * up(x)) */
    STACK_EMBED_NORM = 1 << 3,     /* norm after the embeddings */
    STACK_FINAL_NORM = 1 << 4,     /* norm after the last layer */
    STACK_SCALE_BY_LAYER = 1 << 5, /* scores are also divided by layer + 1 */
    STACK_NORM_PLUS_ONE = 1 << 6,  /* norms keep their weights minus one: Gemma */
    STACK_PROJECT_TOKENS = 1 << 7, /* EMBED_PROJECT before positions are added: OPT */
    STACK_BIAS_BY_LAYER = 1 << 8,  /* each layer has its own POSITION_BIAS: umT5 */
    STACK_TURN_VALUES = 1 << 9,    /* rotary positions turn values too: RoFormer */
    STACK_ALIBI_BF16 = 1 << 10,    /* ALiBi of the key's position, rounded to bf16: Falcon */
    STACK_TOKEN_DROPOUT = 1 << 11, /* masks are no tokens, the others stand for them: ESM */
    STACK_TRIGRAMS = 1 << 12,    /* EMBED_PROJECT reads the token behind, itself, the one before */
    STACK_PROJECT_OUT = 1 << 13, /* what the stack gives goes through OUT_PROJECT: OPT */
    STACK_NORM_TOKENS = 1 << 14, /* EMBED_NORM before positions are added: BlenderbotSmall */
    STACK_UP_FIRST = 1 << 15,    /* FFN_GATE_UP holds up, then gate: GTE */
    /* The table of positions has max_positions rows: position_offset is skipped at its beginning,
     * and the last tokens of a long text share the last row (ProphetNet). */
    STACK_SHARED_POSITION = 1 << 16,
    STACK_ALIBI_SCALED = 1 << 17, /* slopes are divided as scores are: Falcon */
    /* Positions begin anew where a token's second or third type is not the last one's: the cells
     * of a table (TAPAS). Of a stack that reads whole texts. */
    STACK_POSITIONS_BY_CELL = 1 << 18,
    /* A text that grows beyond its rope's border is read again from its first token on (Phi-3);
     * else what was read stays as it was turned. */
    STACK_REREADS = 1 << 19,
    /* Of a causal stack: tokens that are read in one piece see each other. So a prompt is read in
     * one pass, and from then on each new token together with the one before it (XLNet). */
    STACK_TWO_SIDED = 1 << 20,
};

struct stack_spec {
    const char *name; /* "encoder", "decoder"; a model of one stack: "" is fine */
    const struct slot_name *names;
    uint32_t vocab_size, hidden_size, intermediate_size;
    uint32_t layers, heads, kv_heads, head_size;
    uint32_t max_positions; /* most tokens of a text */
    enum position_kind positions;
    uint32_t position_offset;      /* row of the table for position 0 (RoBERTa and BART: 2) */
    uint32_t token_types;          /* rows of the token type table */
    /* Rows of further such tables, of each of which a token has a row, too; 0 ends them. */
    uint32_t more_types[ARCH_TYPE_TABLES - 1];
    float embed_scale;             /* 0: 1 */
    uint32_t embed_size;           /* of the embeddings, EMBED_PROJECT follows; 0: hidden_size */
    struct rope ropes[ARCH_ROPES]; /* POSITIONS_ROTARY; size 0: there is none */
    /* POSITIONS_BUCKETS, or beside POSITIONS_LEARNED (MPNet); from bucket_reach on all are one. */
    uint32_t buckets, bucket_reach;
    enum norm_kind norm_kind;
    enum norm_place norm_place;
    float norm_eps;
    enum activation activation;
    enum qkv_layout qkv_layout;
    enum qk_norm qk_norm;
    float qkv_clamp;                   /* 0: none; else they are held to [-qkv_clamp, qkv_clamp] */
    float attention_scale;             /* 0: 1 / sqrt(head_size) */
    float attention_softcap;           /* 0: none */
    uint32_t window;                   /* of layers marked LAYER_LOCAL, as attention_shape has it */
    uint8_t layer_kinds[LIMIT_LAYERS]; /* of enum layer_kind */
    uint32_t groups; /* layers of weights, each run layers / groups times; 0: all their own */
    struct routing routing; /* feed-forward by experts, but in layers marked LAYER_DENSE */
    uint32_t expert_size, shared_size; /* inside an expert, the shared one; 0: there is none */
    float branch_scale;                /* of what attention and feed-forward add; 0: 1 */
    uint32_t cross_from;               /* STACK_CROSS: to the output of this stack */
    uint32_t flags;                    /* of enum stack_flag */
    struct hook hook;                  /* self-attention of the family's own */
};

/* What a head is run on and makes. The rows are chosen by the task from `rows`. */
enum head_kind {
    HEAD_NONE,
    HEAD_LM,       /* next or masked token: [vocab_size] */
    HEAD_SEQUENCE, /* classes of a text: [labels] */
    HEAD_TOKEN,    /* classes of each token: [labels] */
    HEAD_SPAN,     /* question answering: [2] start and end */
    HEAD_CELL,     /* table question answering: [2] for a token's cell, and for its column */
};
enum head_rows {
    ROWS_ALL,
    ROWS_FIRST,
    ROWS_LAST,
    ROWS_LAST_EOS,
    ROWS_MEAN, /* the mean of all, asked for as row 0: ModernBERT */
};

/* One step: y = norm(activation(W x + b) + residual). */
struct head_step {
    /* Checkpoint name without ".weight", may be NULL when tied; or "a b": tensors of an output
     * each, `bias` then names their biases likewise (TAPAS). */
    const char *linear;
    bool tied;          /* the weights are the token embedding's, whatever <linear>.weight holds */
    const char *bias;   /* full name where it is not <linear>.bias (final_logits_bias) */
    const char *rest;   /* <rest>.weight [*, outputs]: of the inputs beyond the weights' width */
    uint32_t outputs;
    float scale; /* of weights and bias; 0: 1 */
    enum activation activation;
    bool residual;    /* what the step before read is added: both are one feed-forward (BigBird) */
    const char *norm; /* checkpoint name of a norm of all that, or NULL */
};

struct head_spec {
    enum head_kind kind;
    enum head_rows rows;
    uint32_t n_steps;
    struct head_step steps[ARCH_HEAD_STEPS];
    uint32_t outputs; /* of the last step */
    float softcap;    /* of them; 0: none */
};

/* What the decoder reads where a head other than generation's sits on it: nothing, the input
 * shifted right behind decoder_start (BART), or the input with its last token, the language, brought
 * round to the front (mBART). */
enum input_shift { SHIFT_NONE, SHIFT_BEHIND_START, SHIFT_ROUND };

struct arch {
    const char *family; /* as `brisk list` shows it */
    const char *prefix; /* "bert." */
    uint32_t n_stacks;
    struct stack_spec stacks[ARCH_STACKS];
    struct head_spec head;
    struct head_spec second; /* of the first row that is wanted, beside the head; HEAD_NONE: there
                                is none */
    /* How a text goes through the stacks, from ARCH_TEXT_STACK on. */
    uint32_t decoder_stack; /* of generation and the head; 0: no decoder, ARCH_TEXT_STACK is it */
    enum input_shift shifts_input;
    int32_t decoder_start;       /* decoder_start_token_id, -1: none */
    int32_t bos, eos, pad, mask; /* of config.json, -1: none; mask: where something asks for it */
    /* HEAD_SPAN: what lies before the first such token, and it, is the question, in which nothing
     * but the first token is an answer; a token's type says whether it is behind, where the
     * tokenizer gives none. -1: the model does not look (BigBird). */
    int32_t question_end;
};

static inline bool stack_has(const struct stack_spec *spec, enum stack_flag flag) {
    return (spec->flags & flag) != 0;
}

static inline bool arch_has_decoder(const struct arch *arch) {
    return arch->decoder_stack != ARCH_TEXT_STACK;
}

/* Most tokens of a text that may grow without being read again; 0: any. */
static inline uint32_t stack_border(const struct stack_spec *spec) {
    return stack_has(spec, STACK_REREADS) ? spec->ropes[0].border : 0;
}

/* What generation and the head run on. */
static inline const struct stack_spec *arch_last(const struct arch *arch) {
    return &arch->stacks[arch->decoder_stack];
}

/* Of what the stack gives. */
static inline uint32_t stack_out_size(const struct stack_spec *spec) {
    return stack_has(spec, STACK_PROJECT_OUT) ? spec->embed_size : spec->hidden_size;
}

/* Rows of token type table `table`; 0: there is none. */
static inline uint32_t stack_types(const struct stack_spec *spec, uint32_t table) {
    return table == 0                 ? spec->token_types
           : table < ARCH_TYPE_TABLES ? spec->more_types[table - 1]
                                      : 0;
}

static inline uint32_t stack_type_tables(const struct stack_spec *spec) {
    uint32_t n = 0;
    while (stack_types(spec, n) > 0)
        n++;
    return n;
}

#endif
