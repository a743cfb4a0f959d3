/* Text classification: the labels of a text, or of a pair of texts, with scores
 * (`transformers`' TextClassificationPipeline). The service answers with the five best in a list of
 * lists, as its clients need it, where the pipeline gives the best one. */
#include "tasks/task.h"

#include <math.h>

#define LABELS_SHOWN 5 /* without top_k */

struct text_classification_args {
    struct arg top_k, function_to_apply, return_all_scores, truncation, max_length;
};
#define ARG(field) offsetof(struct text_classification_args, field)

static const struct param text_classification_params[] = {
    {.name = "top_k",
     .type = PARAM_INT,
     .min = 1,
     .max = LIMIT_TOP_K_ANSWERS,
     .preset = "5",
     .help = "so many best labels; null: all",
     .offset = ARG(top_k)},
    {.name = "function_to_apply",
     .type = PARAM_CHOICE,
     .choices = "sigmoid softmax none default",
     .help = "from scores to probabilities; else as the model's config says",
     .offset = ARG(function_to_apply)},
    {.name = "return_all_scores",
     .type = PARAM_BOOL,
     .help = "old: true is top_k null, false is top_k 1",
     .offset = ARG(return_all_scores)},
    FIT_PARAMS(struct text_classification_args, NULL, "most tokens of the input"),
};

static enum status text_classification_supports(const struct task_model *model, struct error *err) {
    return needs_head(model, HEAD_SEQUENCE, "text-classification", "text classification head", err);
}

static enum status read_pair(struct part *part, struct text *text, struct text *pair,
                             bool *has_pair, struct error *err) {
    *has_pair = false;
    if (!json_is(part->input, JSON_OBJECT)) {
        return part_text(part, part->input, "inputs", text, err);
    }
    enum status status = part_text(part, json_get(part->input, "text"), "inputs.text", text, err);
    const struct json *second = json_get(part->input, "text_pair");
    if (status == STATUS_OK && !json_is_null(second)) {
        *has_pair = true;
        status = part_text(part, second, "inputs.text_pair", pair, err);
    }
    return status;
}

static enum status text_classification_begin(struct part *part, struct error *err) {
    const struct text_classification_args *args = part->job->args;
    struct text text, pair;
    bool has_pair;
    struct encoding encoding;
    enum status status = read_pair(part, &text, &pair, &has_pair, err);
    if (status == STATUS_OK) {
        status = part_encode(part, text, has_pair ? &pair : NULL,
                             fit_of(&args->truncation, &args->max_length), &encoding, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct item *item = part_item(part, &encoding);
    const uint32_t row = head_row(part->job->model, &encoding);
    part->state = item;
    return part_want(part, item, &row, 1, false, true, err);
}

/* From logits to scores, by the request or the config (reference 5.1). */
static void apply_function(const struct job *job, float *scores, size_t n) {
    const struct text_classification_args *args = job->args;
    const struct json *config = job->model->config;
    const struct arg *asked = &args->function_to_apply;
    const char *problem = json_get_string(config, "problem_type", "");
    enum { NONE, SIGMOID, SOFTMAX } function = n > 1 ? SOFTMAX : SIGMOID;
    if (asked->given && strncasecmp(asked->text.data, "default", 7) != 0) {
        function = strncasecmp(asked->text.data, "sigmoid", 7) == 0   ? SIGMOID
                   : strncasecmp(asked->text.data, "softmax", 7) == 0 ? SOFTMAX
                                                                      : NONE;
    } else if (strcmp(problem, "regression") == 0) {
        function = NONE;
    } else if (strcmp(problem, "multi_label_classification") == 0) {
        function = SIGMOID;
    }
    if (function == SOFTMAX) {
        ops_softmax(scores, n);
    }
    for (size_t i = 0; function == SIGMOID && i < n; i++) {
        scores[i] = sigmoid(scores[i]);
    }
}

static size_t labels_wanted(const struct text_classification_args *args, size_t n) {
    size_t k = LABELS_SHOWN;
    if (args->top_k.given) {
        k = (size_t)args->top_k.integer;
    } else if (args->top_k.null || (args->return_all_scores.given)) {
        k = args->top_k.null || args->return_all_scores.boolean ? n : 1;
    }
    return k < n ? k : n;
}

static void text_classification_write(struct part *part, struct json_out *out) {
    struct job *job = part->job;
    const struct item *item = part->state;
    const size_t n = job->model->arch->head.outputs;
    float *scores = arena_copy(&job->arena, item->logits, n * sizeof(*scores));
    apply_function(job, scores, n);
    struct scored *top = arena_alloc(&job->arena, n * sizeof(*top));
    const size_t k = scored_top(top, labels_wanted(job->args, n), scores, n);
    json_open_array(out);
    for (size_t i = 0; i < k; i++) {
        json_open_object(out);
        json_key(out, "label");
        json_string(out, model_label(job->model, top[i].index));
        json_key(out, "score");
        json_float(out, top[i].score);
        json_close_object(out);
    }
    json_close_array(out);
}

static const char *const text_classification_aliases[] = {"sentiment-analysis", NULL};
static const char *const text_classification_fields[] = {"text", NULL};

const struct task task_text_classification = {
    .name = "text-classification",
    .aliases = text_classification_aliases,
    .summary = "labels of a text, with scores",
    .params = text_classification_params,
    .n_params = ARRAY_LEN(text_classification_params),
    .args_size = sizeof(struct text_classification_args),
    .fields = text_classification_fields,
    .nest_single = true,
    .supports = text_classification_supports,
    .begin = text_classification_begin,
    .write = text_classification_write,
};
