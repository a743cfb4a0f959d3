/* Tasks: from a request's JSON to items for the model, and from their outputs to the answer's
 * JSON, as the `transformers` pipelines and the hosted API have it (reference, section 5).
 *
 * One file a task, one line in tasks.inc. A task is pure: no threads, queues, sockets. It is a
 * small state machine that the runtime drives: begin(part) makes items, next(part) sees their
 * outputs and finishes or adds items, write(part) answers. `inputs` lists are taken apart here: a
 * job has one part an element, and a task sees one part at a time. */
#ifndef BRISK_TASKS_TASKS_H
#define BRISK_TASKS_TASKS_H

#include "base/base.h"
#include "engine/engine.h"
#include "generate/generate.h"
#include "template/template.h"
#include "tokenizer/tokenizer.h"

/* A sentence-transformers folder: what follows the model (modules.json), filled in by the runtime.
 */
#define SENTENCE_DENSE_MAX 4
struct sentence_dense {
    uint32_t in, out;
    const float *weight; /* [out, in] */
    const float *bias;   /* [out] or NULL */
    enum activation activation;
};
struct sentence_modules {
    bool present;
    /* Concatenated in this order, which is sentence-transformers'. */
    bool pool_cls, pool_max, pool_mean, pool_mean_sqrt_len, pool_weighted_mean, pool_last;
    uint32_t n_dense;
    struct sentence_dense dense[SENTENCE_DENSE_MAX];
    bool normalize;
    bool exclude_prompt;        /* "include_prompt": false: the prompt's tokens are not pooled */
    bool lower_case;            /* "do_lower_case": texts are lowered before they are tokenized */
    uint32_t max_seq_length;    /* 0: not said */
    const struct json *prompts; /* config_sentence_transformers.json "prompts", or NULL */
    const char *default_prompt; /* name, or NULL */
};

/* What a task may know of a loaded model. All borrowed and immutable. */
struct task_model {
    const char *id; /* for messages */
    const struct arch *arch;
    struct model *model; /* for sizes; tasks never run it */
    const struct tokenizer *tokenizer;
    const struct chat *chat;              /* chat templates; NULL: none */
    const struct json *config;            /* config.json */
    const struct json *generation_config; /* or NULL */
    const char *const *labels;            /* [n_labels] id2label */
    uint32_t n_labels;
    struct sentence_modules sentence;
};

/* ---- items: what the scheduler sees ---- */
enum item_kind { ITEM_FORWARD, ITEM_GENERATE };

struct item {
    enum item_kind kind;
    /* The text: runs through ARCH_TEXT_STACK (for ITEM_GENERATE in decoder-only models: the
     * prompt). */
    const int32_t *tokens, *types; /* types NULL: all 0; else as struct segment has them */
    uint32_t n;
    /* With a decoder: what the decoder reads (ITEM_GENERATE: its prompt; ITEM_FORWARD: the
     * text shifted right). */
    const int32_t *decoder_tokens;
    uint32_t n_decoder;

    /* ITEM_FORWARD: rows wanted (NULL with n_rows == length: all) of the stack that has the head,
     * and where they go: buffers of the job's arena, made by the task. */
    const uint32_t *rows;
    uint32_t n_rows;
    float *hidden; /* [n_rows, hidden_size] or NULL */
    float *logits; /* [n_rows, head.outputs] or NULL */
    float *second; /* [second.outputs] or NULL */

    /* ITEM_GENERATE */
    const struct generation_config *config;
    struct generation_output
        *outputs; /* [n_outputs] copied into the arena by the runtime when done */
    uint32_t n_outputs;

    bool done;         /* set by the runtime */
    struct item *next; /* of the job, in the order of making */
    void *runtime;     /* the scheduler's own */
};

/* ---- jobs ---- */
struct task;
struct job;

/* The registry. Names and aliases ("sentiment-analysis", "ner", "translation_en_to_fr"). */
const struct task *task_find(const char *name); /* NULL: unknown */
size_t task_count(void);
const struct task *task_at(size_t i);
const char *task_name(const struct task *task);
/* OK, or why this model cannot do the task: INPUT with a text that names what it can do. */
enum status task_supports(const struct task *task, const struct task_model *model,
                          struct error *err) MUST_CHECK;
/* Writes the parameter table as a JSON array (name, type, minimum, maximum, default, help). */
void task_write_parameters(const struct task *task, struct json_out *out);

/* Reads the body ({"inputs", "parameters", …} or any form of reference section 2.2), makes the
 * first items. model and body are borrowed until job_destroy; body belongs to an arena of the
 * caller. INPUT: what is wrong and what to do. */
enum status job_create(struct job **out, const struct task *task, const struct task_model *model,
                       const struct json *body, struct error *err) MUST_CHECK;
/* The same for a task that was asked for under this name: "translation_en_to_fr" has settings of
 * its own in task_specific_params. Answers may depend on it (so does the key of a cache). */
enum status job_create_as(struct job **out, const struct task *task, const char *name,
                          const struct task_model *model, const struct json *body,
                          struct error *err) MUST_CHECK;
void job_destroy(struct job *job); /* NULL is fine */
struct arena *job_arena(struct job *job);
struct item *job_items(struct job *job); /* the list; items not done are to be run */
/* When all items are done. AGAIN: there are new items; OK: ready to write; ERROR: failed. */
enum status job_next(struct job *job, struct error *err) MUST_CHECK;
void job_write(struct job *job, struct json_out *out);

/* What the response headers say. */
struct job_facts {
    uint64_t characters; /* code points of the input texts */
    uint64_t tokens;     /* of the prompts */
    uint64_t generated_tokens;
    uint64_t truncated_tokens; /* cut off the input, x-truncated-tokens */
    bool deterministic;        /* the same body gives the same answer: may be cached */
};
struct job_facts job_facts(const struct job *job);

#endif
