/* Private to tasks: texts to vectors, for feature extraction and sentence similarity. What a vector
 * is compared with, and how it is written, is theirs. */
#ifndef BRISK_TASKS_EMBEDDING_H
#define BRISK_TASKS_EMBEDDING_H

#include "tasks/task.h"

/* How texts are embedded: parameters of both tasks. */
struct embedding_args {
    struct arg normalize, prompt_name, truncation, truncation_direction, dimensions;
};

/* What stands in front of every text of a job. */
struct embedding_prompt {
    struct text text;
    uint32_t tokens; /* so many first ones of a text are not pooled */
};

struct embedding {
    struct item *item; /* hidden [n, hidden_size] of all tokens */
    uint32_t skip;     /* the first ones that are not pooled */
};

/* That the folder's modules fit together. */
enum status embedding_supports(const struct task_model *model, struct error *err) MUST_CHECK;
/* Checks prompt_name, finds the prompt; it becomes the job's state. Once a job. */
enum status embedding_open(struct job *job, const struct embedding_args *args,
                           struct error *err) MUST_CHECK;
enum status embedding_begin(struct part *part, const struct embedding_args *args, struct text text,
                            struct embedding *out, struct error *err) MUST_CHECK;
/* Floats of a pooled vector of this model. */
size_t embedding_size(const struct task_model *model);
/* The vector of a text: pooling, dense layers, normalisation as the folder's modules.json says, or
 * the mean over the tokens where there is none. In the job's arena; *n its length. */
float *embedding_vector(struct job *job, const struct embedding *embedding, size_t *n);
void vector_normalize(float *vector, size_t n);

#endif
