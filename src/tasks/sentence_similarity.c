/* Sentence similarity: the cosine of one sentence's vector with each of several others'. Every text
 * is run once; vectors are made as sentence-transformers makes them (embedding.c). */
#include "tasks/embedding.h"

struct sentence_similarity_args {
    struct embedding_args embedding;
};
#define ARG(field) offsetof(struct sentence_similarity_args, field)

static const struct param sentence_similarity_params[] = {
    {.name = "prompt_name",
     .type = PARAM_STRING,
     .help = "put this prompt of config_sentence_transformers.json in front",
     .offset = ARG(embedding.prompt_name)},
    {.name = "truncation",
     .aliases = "truncate",
     .type = PARAM_TRUNCATION,
     .preset = "true",
     .help = "false: refuse an input that is too long, rather than cut it",
     .offset = ARG(embedding.truncation)},
    {.name = "truncation_direction",
     .type = PARAM_CHOICE,
     .choices = "right left",
     .preset = "\"right\"",
     .help = "where an input that is too long is cut",
     .offset = ARG(embedding.truncation_direction)},
};

struct sentence_similarity_state {
    struct embedding source;
    struct embedding *sentences; /* [n] */
    uint32_t n;
};

static enum status sentence_similarity_supports(const struct task_model *model, struct error *err) {
    return embedding_supports(model, err);
}

static enum status sentence_similarity_open(struct job *job, struct error *err) {
    const struct sentence_similarity_args *args = job->args;
    return embedding_open(job, &args->embedding, err);
}

static enum status embed(struct part *part, const struct json *value, const char *what,
                         struct embedding *out, struct error *err) {
    const struct sentence_similarity_args *args = part->job->args;
    struct text text;
    const enum status status = part_text(part, value, what, &text, err);
    return status == STATUS_OK ? embedding_begin(part, &args->embedding, text, out, err) : status;
}

static enum status sentence_similarity_begin(struct part *part, struct error *err) {
    struct sentence_similarity_state *state = arena_zalloc(&part->job->arena, 1, sizeof(*state));
    const struct json *source = json_get(part->input, "source_sentence");
    const struct json *sentences = json_get(part->input, "sentences");
    part->state = state;
    if (json_is_null(source) || !json_is(sentences, JSON_ARRAY)) {
        return ERR(err, INPUT,
                   "inputs must be {\"source_sentence\": \"...\", \"sentences\": "
                   "[\"...\", ...]}");
    }
    if (sentences->len == 0) {
        return ERR(err, INPUT, "inputs.sentences is empty: give at least one sentence");
    }
    if (sentences->len > LIMIT_INPUTS) {
        return ERR(err, TOO_LARGE, "inputs.sentences has %u elements, at most %d are taken",
                   sentences->len, LIMIT_INPUTS);
    }
    enum status status = embed(part, source, "inputs.source_sentence", &state->source, err);
    state->n = sentences->len;
    state->sentences = arena_zalloc(&part->job->arena, state->n, sizeof(*state->sentences));
    for (uint32_t i = 0; i < state->n && status == STATUS_OK; i++) {
        status = embed(part, json_at(sentences, i), "inputs.sentences", &state->sentences[i], err);
    }
    return status;
}

static void sentence_similarity_write(struct part *part, struct json_out *out) {
    struct job *job = part->job;
    const struct sentence_similarity_state *state = part->state;
    size_t n = 0;
    float *source = embedding_vector(job, &state->source, &n);
    vector_normalize(source, n);
    json_open_array(out);
    for (uint32_t i = 0; i < state->n; i++) {
        float *other = embedding_vector(job, &state->sentences[i], &n);
        vector_normalize(other, n);
        json_float(out, ops_dot(source, other, n));
    }
    json_close_array(out);
}

static const char *const sentence_similarity_fields[] = {"source_sentence", "sentences", NULL};

const struct task task_sentence_similarity = {
    .name = "sentence-similarity",
    .summary = "how much alike sentences are",
    .params = sentence_similarity_params,
    .n_params = ARRAY_LEN(sentence_similarity_params),
    .args_size = sizeof(struct sentence_similarity_args),
    .fields = sentence_similarity_fields,
    .supports = sentence_similarity_supports,
    .open = sentence_similarity_open,
    .begin = sentence_similarity_begin,
    .write = sentence_similarity_write,
};
