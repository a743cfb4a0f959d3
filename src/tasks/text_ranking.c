/* Text ranking: how well each of some texts answers a query, best first, by a cross-encoder: a
 * classifier of one label that reads query and text together (reference, section 5.8). Rankings by
 * the likeness of vectors are sentence_similarity.c's. */
#include "tasks/task.h"

struct text_ranking_args {
    struct arg return_text, raw_scores, truncation, max_length;
};
#define ARG(field) offsetof(struct text_ranking_args, field)

static const struct param text_ranking_params[] = {
    {.name = "return_text",
     .aliases = "return_documents",
     .type = PARAM_BOOL,
     .preset = "false",
     .help = "answer with the texts, too",
     .offset = ARG(return_text)},
    {.name = "raw_scores",
     .type = PARAM_BOOL,
     .preset = "false",
     .help = "the model's numbers as they are; else between 0 and 1",
     .offset = ARG(raw_scores)},
    FIT_PARAMS(struct text_ranking_args, "truncate", "most tokens of query and text together"),
};

struct text_ranking_state {
    const struct json *texts;
    struct item **items; /* [texts->len] */
};

static enum status text_ranking_supports(const struct task_model *model, struct error *err) {
    const enum status status =
        needs_head(model, HEAD_SEQUENCE, "text-ranking", "text classification head", err);
    if (status != STATUS_OK || model->arch->head.outputs == 1) {
        return status;
    }
    return ERR(err, INPUT,
               "model %s cannot do text-ranking: it has %u labels, and a model that ranks has one; "
               "ask for text-classification",
               model->id, model->arch->head.outputs);
}

static enum status rank_one(struct part *part, struct text query, uint32_t i, struct error *err) {
    const struct text_ranking_args *args = part->job->args;
    struct text_ranking_state *state = part->state;
    struct encoding encoding;
    struct text text;
    char what[32];
    snprintf(what, sizeof(what), "inputs.texts[%u]", i);
    enum status status = part_text(part, json_at(state->texts, i), what, &text, err);
    if (status == STATUS_OK) {
        status = part_encode(part, query, &text, fit_of(&args->truncation, &args->max_length),
                             &encoding, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    const uint32_t row = head_row(part->job->model, &encoding);
    state->items[i] = part_item(part, &encoding);
    return part_want(part, state->items[i], &row, 1, false, true, err);
}

static enum status text_ranking_begin(struct part *part, struct error *err) {
    struct text_ranking_state *state = arena_zalloc(&part->job->arena, 1, sizeof(*state));
    const struct json *query = json_get(part->input, "query");
    struct text text;
    part->state = state;
    state->texts = json_get(part->input, "texts");
    if (json_is_null(query) || !json_is(state->texts, JSON_ARRAY)) {
        return ERR(err, INPUT, "inputs must be {\"query\": \"...\", \"texts\": [\"...\", ...]}");
    }
    if (state->texts->len == 0) {
        return ERR(err, INPUT, "inputs.texts is empty: give at least one text");
    }
    if (state->texts->len > LIMIT_INPUTS) {
        return ERR(err, TOO_LARGE, "inputs.texts has %u elements, at most %d are taken",
                   state->texts->len, LIMIT_INPUTS);
    }
    state->items = arena_alloc(&part->job->arena, state->texts->len * sizeof(struct item *));
    enum status status = part_text(part, query, "inputs.query", &text, err);
    for (uint32_t i = 0; i < state->texts->len && status == STATUS_OK; i++) {
        status = rank_one(part, text, i, err);
    }
    return status;
}

static void text_ranking_write(struct part *part, struct json_out *out) {
    const struct text_ranking_args *args = part->job->args;
    const struct text_ranking_state *state = part->state;
    const uint32_t n = state->texts->len;
    struct scored *ranked = arena_alloc(&part->job->arena, n * sizeof(*ranked));
    for (uint32_t i = 0; i < n; i++) {
        const float logit = state->items[i]->logits[0];
        ranked[i].score = arg_bool(&args->raw_scores, false) ? logit : sigmoid(logit);
        ranked[i].index = i;
    }
    scored_sort(ranked, n);
    json_open_array(out);
    for (uint32_t i = 0; i < n; i++) {
        json_open_object(out);
        json_key(out, "index");
        json_int(out, ranked[i].index);
        json_key(out, "score");
        json_float(out, ranked[i].score);
        if (arg_bool(&args->return_text, false)) {
            json_key(out, "text");
            json_value(out, json_at(state->texts, ranked[i].index));
        }
        json_close_object(out);
    }
    json_close_array(out);
}

static const char *const text_ranking_aliases[] = {"rerank", "sentence-ranking", NULL};
static const char *const text_ranking_fields[] = {"query", "texts", NULL};

const struct task task_text_ranking = {
    .name = "text-ranking",
    .aliases = text_ranking_aliases,
    .summary = "which texts answer a query best",
    .params = text_ranking_params,
    .n_params = ARRAY_LEN(text_ranking_params),
    .args_size = sizeof(struct text_ranking_args),
    .fields = text_ranking_fields,
    .supports = text_ranking_supports,
    .begin = text_ranking_begin,
    .write = text_ranking_write,
};
