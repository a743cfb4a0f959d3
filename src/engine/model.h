/* What a loaded model is made of: weights of stacks and head, page pools, and the step scratch.
 *
 * Private to the engine. Weights are made by load.c (with weights.c) and read-only afterwards;
 * pools belong to kv.c; struct step is written by plan.c and walked by forward.c and head.c. */
#ifndef BRISK_ENGINE_MODEL_H
#define BRISK_ENGINE_MODEL_H

#include "engine/engine.h"

/* ---- weights ---- */
struct expert {
    struct linear up;   /* [expert_size, hidden]; gated: gate, then up */
    struct linear down; /* [hidden, expert_size] */
};

struct layer {
    struct norm attn_norm, cross_norm, ffn_norm;
    struct norm q_norm, k_norm, attn_out_norm, ffn_out_norm;
    struct linear qkv;       /* [(heads + 2 kv_heads) * head_size, hidden]: q, k, v */
    struct linear attn_out;  /* [hidden, heads * head_size] */
    struct linear cross_q;   /* [heads * head_size, hidden] */
    struct linear cross_kv;  /* [2 kv_heads * head_size, hidden of the stack it reads] */
    struct linear cross_out; /* [hidden, heads * head_size] */
    struct linear ffn_up;    /* [intermediate, hidden]; gated: gate, then up */
    struct linear ffn_down;  /* [hidden, intermediate] */
    /* In place of ffn_up and ffn_down: */
    struct linear router;       /* [experts, hidden], fp32 */
    struct expert *experts;     /* [experts], of the stack's; NULL: a layer without */
    struct expert shared;       /* of shared_size inside, if there is one */
    struct linear shared_score; /* [1, hidden], fp32; out 0: there is none */
};

/* A list of pages: one text's tokens, KV_PAGE_TOKENS a block, all layers of its stack in a block.
 * Invariant: held <= reserved, and the first `held` entries of both arrays are set. */
struct block;
struct pages {
    struct pool *pool;
    uint32_t reserved, held; /* blocks */
    struct block **blocks;   /* [reserved] */
    float **data;            /* [reserved]: blocks[i]'s floats, as the operations want them */
};

/* Blocks of one stack. The sum of all reservations never exceeds the blocks there are, and lists
 * that share a block count it once each: so a list within its reservation always gets its block. */
struct pool {
    size_t block_floats; /* layers * kv_page_floats */
    struct chunk *chunks;
    struct block *free;
    size_t total, reserved, in_use; /* blocks */
    size_t bytes;
    size_t limit; /* most bytes; 0: none */
};

struct sequence {
    struct model *model;
    uint32_t stack, length, capacity; /* tokens */
    struct pages pages;
};

struct memory {
    struct model *model;
    uint32_t stack, stored, capacity; /* tokens */
    uint32_t refs;
    struct pages pages;
};

struct stack {
    const struct stack_spec *spec;
    const float *tokens, *positions; /* tables [*, embed_size or hidden], or NULL */
    const float *types[ARCH_TYPE_TABLES];
    const float *position_bias;  /* [1 or layers, heads, 2 * max_positions - 1], or NULL */
    struct linear embed_project; /* [hidden, embed_size], if there is one */
    struct linear out_project;   /* [embed_size, hidden], if there is one */
    struct norm embed_norm, final_norm;
    char *hook_layers;      /* [spec->layers] of the hook's layer_bytes, or NULL */
    struct layer *layers;   /* [spec->layers] */
    struct expert *experts; /* [spec->layers, experts], or NULL */
    struct pool pool;
};

/* What the hook keeps of a layer of weights. */
static inline void *stack_hook_layer(const struct stack *stack, uint32_t layer) {
    return stack->hook_layers + layer * stack->spec->hook.table->layer_bytes;
}

struct head {
    struct linear linear[ARCH_HEAD_STEPS];
    struct norm norm[ARCH_HEAD_STEPS]; /* weight NULL: none */
};

/* ---- scratch of one pass, made at load for the largest ---- */
struct block_copy {
    const float *from;
    float *to;
};

struct step {
    struct scratch *scratch; /* of the operations */
    uint32_t max_tokens; /* of a pass */
    uint32_t max_rows;   /* and their side rows */
    uint32_t max_pages;
    uint32_t head_rows;                            /* rows the head runs at once */
    int32_t *tokens, *positions;                   /* [max_rows] */
    uint32_t *lengths;                             /* [max_rows] tokens of the row's text */
    int32_t *types[ARCH_TYPE_TABLES];              /* [max_rows]; the first is always there */
    struct attention_seq *seqs, *sides, *remember; /* [LIMIT_BATCH_SEQS] */
    struct attention_seq *cross;                   /* [2 * LIMIT_BATCH_SEQS] */
    float **pages; /* [max_pages] of page_data: keys of texts that are not kept */
    float *page_data;
    uint32_t *wanted;                 /* [max_rows] rows of the batch */
    uint32_t *head_ids;               /* [max_rows] those of `wanted` that go through the head */
    float **hidden_out, **logits_out; /* [max_rows] by wanted row, by head row */
    uint32_t *second_ids;             /* [LIMIT_BATCH_SEQS] the same of the second head */
    float **second_out;
    struct block_copy *copies;        /* [LIMIT_BATCH_SEQS] shared pages to copy before writing */
    float *x, *t;                     /* [max_rows, hidden] the stream, and its norm */
    float *angles[ARCH_ROPES];        /* [max_rows, rope size] of rotary positions */
    float *wide; /* [max_rows, wide_size] q k v, or the feed-forward's inside */
    float *attn; /* [max_rows, heads * head_size] */
    float *hook; /* what the stack's hook asked for */
    /* Layers with experts: the rows' sums, one expert's rows and what it makes of them; whom the
     * router chooses, then the same sorted by expert. */
    float *routed, *gathered;               /* [max_rows, hidden] */
    uint32_t *chosen, *expert_rows;         /* [max_rows, per_token] */
    float *chosen_weights, *expert_weights; /* [max_rows, per_token] */
    uint32_t *expert_starts;                /* [experts + 2] */
    float *head_a, *head_b;                 /* [head_rows, largest inner step] */
    float *logits; /* [head_rows, outputs] where outputs are not in one piece */
    size_t bytes;
    void *block; /* owns all the above */
};

struct model {
    struct arch arch;
    enum precision precision;
    struct team *team;
    const struct device *device;
    struct stack stacks[ARCH_STACKS];
    struct head head, second;
    struct step step;
    /* All weights stand in one image: linears and norms, which each pass streams through, then the
     * tables. */
    struct region image;
    struct packed_sizes sizes;
    struct packed_cache *cache; /* or NULL */
    struct packed_digest key;   /* in the cache */
    bool mapped;                /* the image stands on the cache's file */
};

/* ---- weights.c: from the checkpoint's tensors to packed weights ---- */

/* Checks names and shapes, and sets model->sizes. What the image would hold is put into words in
 * `plan` (may be NULL): equal plans and equal files make equal images. */
enum status weights_measure(struct model *model, const struct checkpoint *checkpoint,
                            struct buf *plan, struct error *err) MUST_CHECK;
/* After measuring, with memory in model->image: fills it. */
enum status weights_pack(struct model *model, const struct checkpoint *checkpoint,
                         const struct model_options *options, struct error *err) MUST_CHECK;
/* After measuring, with a filled image: points into it. */
void weights_take(struct model *model, const struct checkpoint *checkpoint);

/* ---- size.c: sizes that follow from the arch alone ---- */
uint32_t stack_qkv_size(const struct stack_spec *spec);  /* outputs of the fused q, k, v */
uint32_t stack_kv_size(const struct stack_spec *spec);   /* kv_heads * head_size */
uint32_t stack_attn_size(const struct stack_spec *spec); /* heads * head_size */
uint32_t stack_attn_out(const struct stack_spec *spec);  /* and what a hook gives besides */
uint32_t stack_ffn_size(const struct stack_spec *spec);  /* outputs of the widest ffn_up */
bool stack_has_experts(const struct stack_spec *spec, uint32_t layer);
uint32_t stack_embed_size(const struct stack_spec *spec); /* of the embedding of tokens */
uint32_t stack_project_in(const struct stack_spec *spec); /* inputs of EMBED_PROJECT, or 0 */
uint32_t stack_groups(const struct stack_spec *spec);     /* layers with weights of their own */
bool stack_has_own_layers(const struct stack_spec *spec); /* its hook's in place of the engine's */
size_t stack_elements(const struct arch *arch, uint32_t stack, size_t *tables); /* of its linears */
size_t head_elements(const struct arch *arch);
/* What the linears of a stack, and of a head's step, are packed as in a model of this precision. */
enum precision stack_precision(const struct stack_spec *spec, enum precision precision);
enum precision head_step_precision(const struct arch *arch, const struct head_spec *head,
                                   uint32_t step, enum precision precision);
uint32_t stack_position_rows(const struct stack_spec *spec); /* of the table of positions */
uint32_t stack_side_rows(const struct stack_spec *spec, uint32_t tokens); /* of the hook's own */
uint32_t stack_extra_keys(const struct stack_spec *spec, uint32_t tokens);
uint32_t arch_max_tokens(const struct arch *arch);
uint32_t arch_max_in(const struct arch *arch); /* largest K of a linear */

/* ---- step.c ---- */
enum status step_create(struct model *model, struct error *err) MUST_CHECK;
void step_destroy(struct step *step); /* zeroed is fine */
size_t step_estimate_bytes(const struct arch *arch);

/* ---- kv.c ---- */
void pool_init(struct pool *pool, const struct stack_spec *spec, size_t limit);
void pool_deinit(struct pool *pool);
/* Makes positions [length, length + n) of the list writable; *copy is set (to != NULL) when the
 * page at `length` was shared and must be copied before it is written. Cannot fail within capacity.
 */
void pages_extend(struct pages *pages, uint32_t length, uint32_t n, struct block_copy *copy);

/* ---- plan.c: segments laid out as one ragged batch ---- */
struct pass {
    struct model *model;
    uint32_t stack;
    uint32_t rows, n_tokens; /* side rows of the hook's follow those of the tokens */
    uint32_t n_pages;        /* of the scratch's */
    uint32_t n_seqs, n_kept; /* step.seqs: first those with pages of their own */
    uint32_t n_cross, n_remember, n_copies;
    uint32_t remember_stack; /* that reads what is remembered: one in a pass */
    uint32_t n_wanted, n_head, n_second;
    bool all_wanted; /* wanted[i] == i for all rows */
    bool pools;      /* the head wants means of whole texts */
};
/* Takes as many of the segments as one pass holds; returns how many (>= 1). */
uint32_t pass_plan(struct pass *pass, struct model *model, uint32_t stack,
                   const struct segment *segments, uint32_t n);

/* ---- forward.c, head.c: run by every lane ---- */
void pass_run(struct lane *lane, void *pass);
/* In x [rows, hidden] after the final norm the first row of each text that the head wants becomes
 * the mean of its rows. */
void head_pool(struct lane *lane, const struct pass *pass, float *x);
/* Both heads. x [n_wanted, hidden] after the final norm; t is free for use. */
void head_run(struct lane *lane, const struct pass *pass, const float *x, float *t);

#endif
