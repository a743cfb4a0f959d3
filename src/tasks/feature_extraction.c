/* Feature extraction: a model's last hidden states, one vector a token (special ones too), or for
 * sentence-transformers folders one vector a text. The service's nesting: [tokens][hidden] for a
 * text (the pipeline has a 1 in front), [hidden] where the vectors are pooled. */
#include "tasks/embedding.h"

struct feature_extraction_args {
    struct embedding_args embedding;
    struct arg encoding_format;
};
#define ARG(field) offsetof(struct feature_extraction_args, field)

static const struct param feature_extraction_params[] = {
    {.name = "normalize",
     .type = PARAM_BOOL,
     .help = "make every vector's length 1; else as the model's folder says",
     .offset = ARG(embedding.normalize)},
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
    {.name = "dimensions",
     .type = PARAM_INT,
     .min = 1,
     .max = 1e6,
     .help = "so many first numbers of each vector",
     .offset = ARG(embedding.dimensions)},
    {.name = "encoding_format",
     .type = PARAM_CHOICE,
     .choices = "float base64",
     .preset = "\"float\"",
     .help = "base64: each vector as one string of little-endian floats",
     .offset = ARG(encoding_format)},
};

static enum status feature_extraction_supports(const struct task_model *model, struct error *err) {
    return embedding_supports(model, err);
}

static size_t vector_size(const struct task_model *model) {
    return model->sentence.present ? embedding_size(model) : stack_out_size(arch_last(model->arch));
}

static enum status feature_extraction_open(struct job *job, struct error *err) {
    const struct feature_extraction_args *args = job->args;
    const size_t size = vector_size(job->model);
    if (args->embedding.dimensions.given && (size_t)args->embedding.dimensions.integer > size) {
        return ERR(err, INPUT,
                   "dimensions is %lld, must be at most %zu, which is what the model "
                   "has",
                   (long long)args->embedding.dimensions.integer, size);
    }
    return embedding_open(job, &args->embedding, err);
}

static enum status feature_extraction_begin(struct part *part, struct error *err) {
    const struct feature_extraction_args *args = part->job->args;
    struct embedding *embedding = arena_zalloc(&part->job->arena, 1, sizeof(*embedding));
    struct text text;
    part->state = embedding;
    const enum status status = part_text(part, part->input, "inputs", &text, err);
    return status == STATUS_OK ? embedding_begin(part, &args->embedding, text, embedding, err)
                               : status;
}

static void write_vector(const struct feature_extraction_args *args, float *vector, size_t n,
                         bool normalized, struct json_out *out) {
    if (args->embedding.dimensions.given) {
        n = (size_t)args->embedding.dimensions.integer;
    } else if (normalized && !args->embedding.normalize.given) {
        normalized = false; /* it is already */
    }
    if (arg_bool(&args->embedding.normalize, normalized)) {
        vector_normalize(vector, n);
    }
    if (args->encoding_format.given && strcasecmp(args->encoding_format.text.data, "base64") == 0) {
        write_base64(out, vector, n);
    } else {
        json_floats(out, vector, n);
    }
}

static void feature_extraction_write(struct part *part, struct json_out *out) {
    struct job *job = part->job;
    const struct feature_extraction_args *args = job->args;
    const struct embedding *embedding = part->state;
    if (job->model->sentence.present) {
        size_t n = 0;
        float *vector = embedding_vector(job, embedding, &n);
        write_vector(args, vector, n, job->model->sentence.normalize, out);
        return;
    }
    const size_t size = vector_size(job->model);
    json_open_array(out);
    for (uint32_t i = 0; i < embedding->item->n_rows; i++) {
        write_vector(args, embedding->item->hidden + i * size, size, false, out);
    }
    json_close_array(out);
}

const struct task task_feature_extraction = {
    .name = "feature-extraction",
    .summary = "vectors of a text",
    .params = feature_extraction_params,
    .n_params = ARRAY_LEN(feature_extraction_params),
    .args_size = sizeof(struct feature_extraction_args),
    .supports = feature_extraction_supports,
    .open = feature_extraction_open,
    .begin = feature_extraction_begin,
    .write = feature_extraction_write,
};
