/* Scores: sorting and choosing the best, labels, and whether a model has the head that a task
 * needs. */
#include "tasks/task.h"

#include <math.h>

static int compare_scored(const void *a, const void *b) {
    const struct scored *x = a, *y = b;
    if (x->score != y->score) {
        return x->score > y->score ? -1 : 1;
    }
    return x->index < y->index ? -1 : x->index > y->index;
}

void scored_sort(struct scored *scored, size_t n) {
    qsort(scored, n, sizeof(*scored), compare_scored);
}

/* Insertion into a sorted list: k is small, or n is. */
static size_t insert_top(struct scored *out, size_t k, const float *scores, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (count == k && !(scores[i] > out[k - 1].score)) {
            continue;
        }
        size_t at = count < k ? count++ : k - 1;
        for (; at > 0 && scores[i] > out[at - 1].score; at--) {
            out[at] = out[at - 1];
        }
        out[at] = (struct scored){scores[i], (uint32_t)i};
    }
    return count;
}

#define SMALL_TOP 64

size_t scored_top(struct scored *out, size_t k, const float *scores, size_t n) {
    if (k == 0 || n == 0) {
        return 0;
    }
    if (k <= SMALL_TOP) {
        return insert_top(out, k, scores, n);
    }
    struct scored *all = mem_zalloc(n, sizeof(*all));
    for (size_t i = 0; i < n; i++) {
        all[i] = (struct scored){scores[i], (uint32_t)i};
    }
    scored_sort(all, n);
    const size_t count = k < n ? k : n;
    memcpy(out, all, count * sizeof(*out));
    mem_free(all);
    return count;
}

float sigmoid(float x) {
    return 1 / (1 + expf(-x));
}

const char *model_label(const struct task_model *model, size_t i) {
    return i < model->n_labels ? model->labels[i] : "LABEL_?";
}

static const char *head_word(enum head_kind kind) {
    static const char *const words[] = {
        [HEAD_NONE] =
            "no head that Brisk runs (it gives features: feature-extraction, sentence-similarity)",
        [HEAD_LM] = "a language modelling head (text-generation, summarization or fill-mask)",
        [HEAD_SEQUENCE] = ("a text classification head (text-classification, "
                           "zero-shot-classification)"),
        [HEAD_TOKEN] = "a token classification head (token-classification)",
        [HEAD_SPAN] = "a question answering head (question-answering)",
        [HEAD_CELL] = "a head for cells of tables (table-question-answering)",
    };
    return words[kind];
}

enum status needs_head(const struct task_model *model, enum head_kind kind, const char *task,
                       const char *classes, struct error *err) {
    if (model->arch->head.kind == kind) {
        return STATUS_OK;
    }
    return ERR(err, INPUT, "model %s cannot do %s, which needs a %s; it has %s", model->id, task,
               classes, head_word(model->arch->head.kind));
}
