/* Embeddings: what sentence-transformers does around a model. Prompts in front of the text, then
 * pooling over the tokens, dense layers, normalisation, as struct sentence_modules says; a folder
 * without modules.json is pooled by the mean, as sentence-transformers does with it. */
#include "tasks/embedding.h"

#include <math.h>

/* ---- the text ---- */

static enum status find_prompt(const struct job *job, const struct embedding_args *args,
                               struct text *prompt, struct error *err) {
    const struct sentence_modules *modules = &job->model->sentence;
    struct text name =
        modules->default_prompt ? text_of(modules->default_prompt) : (struct text){NULL, 0};
    *prompt = (struct text){"", 0};
    if (args->prompt_name.given) {
        name = args->prompt_name.text;
    }
    if (!name.data) {
        return STATUS_OK;
    }
    const struct json *value = json_get_n(modules->prompts, name.data, name.len);
    if (json_is(value, JSON_STRING)) {
        *prompt = (struct text){value->text, value->len};
        return STATUS_OK;
    }
    if (!args->prompt_name.given) {
        return STATUS_OK;
    }
    struct buf names;
    buf_init(&names, LIMIT_ERROR_TEXT / 2);
    for (uint32_t i = 0; modules->prompts && i < modules->prompts->len; i++) {
        buf_printf(&names, "%s%.*s", i > 0 ? ", " : "", (int)modules->prompts->members[i].key_len,
                   modules->prompts->members[i].key);
    }
    ERR(err, INPUT, "prompt_name is \"%.*s\", but the model has %s%s",
        (int)(name.len < 60 ? name.len : 60), name.data,
        names.len > 0 ? "only the prompts " : "no prompts", names.data ? names.data : "");
    buf_deinit(&names);
    return STATUS_ERROR;
}

static uint32_t length_limit(const struct task_model *model) {
    const uint32_t limit = model_limit(model), own = model->sentence.max_seq_length;
    return model->sentence.present && own > 0 && own < limit ? own : limit;
}

/* As sentence-transformers counts them: of the prompt alone, without a special token at its end. */
static enum status count_prompt(struct job *job, struct embedding_prompt *prompt,
                                struct error *err) {
    const struct tokenizer *tokenizer = job->model->tokenizer;
    const struct encode_options options = {.truncation = TRUNCATE_LONGEST_FIRST,
                                           .max_length = length_limit(job->model)};
    struct encoding encoding;
    if (tokenizer_encode(tokenizer, &encoding, &job->arena, prompt->text.data, prompt->text.len,
                         NULL, 0, &options, err) != STATUS_OK) {
        return STATUS_ERROR;
    }
    prompt->tokens = (uint32_t)encoding.n;
    if (encoding.n > 0 && tokenizer_is_special(tokenizer, encoding.ids[encoding.n - 1])) {
        prompt->tokens--;
    }
    return STATUS_OK;
}

enum status embedding_open(struct job *job, const struct embedding_args *args, struct error *err) {
    const struct sentence_modules *modules = &job->model->sentence;
    struct embedding_prompt *prompt = arena_zalloc(&job->arena, 1, sizeof(*prompt));
    job->state = prompt;
    if (find_prompt(job, args, &prompt->text, err) != STATUS_OK) {
        return STATUS_ERROR;
    }
    if (modules->present && modules->lower_case) {
        prompt->text = text_lower(&job->arena, prompt->text);
    }
    const bool counts = modules->present && modules->exclude_prompt && prompt->text.len > 0;
    return counts ? count_prompt(job, prompt, err) : STATUS_OK;
}

static struct text with_prompt(struct job *job, struct text text) {
    const struct embedding_prompt *state = job->state;
    const struct text prompt = state->text;
    if (job->model->sentence.present && job->model->sentence.lower_case) {
        text = text_lower(&job->arena, text);
    }
    if (prompt.len == 0) {
        return text;
    }
    char *both = arena_alloc(&job->arena, prompt.len + text.len + 1);
    memcpy(both, prompt.data, prompt.len);
    memcpy(both + prompt.len, text.data, text.len);
    both[prompt.len + text.len] = 0;
    return (struct text){both, prompt.len + text.len};
}

enum status embedding_begin(struct part *part, const struct embedding_args *args, struct text text,
                            struct embedding *out, struct error *err) {
    const struct embedding_prompt *prompt = part->job->state;
    struct fit fit = fit_of(&args->truncation, NULL);
    fit.limit = length_limit(part->job->model);
    fit.left = args->truncation_direction.given &&
               strcasecmp(args->truncation_direction.text.data, "left") == 0;
    text = with_prompt(part->job, text);
    struct encoding encoding;
    const enum status status = part_encode(part, text, NULL, fit, &encoding, err);
    if (status != STATUS_OK) {
        return status;
    }
    out->skip = prompt->tokens;
    out->item = part_item(part, &encoding);
    return part_want(part, out->item, NULL, out->item->n, true, false, err);
}

/* ---- pooling ----
 * x holds rows [first, n) of the text. */

static void pool_mean(const float *x, size_t n, size_t size, float *out, double divisor) {
    double *sum = mem_zalloc(size, sizeof(*sum));
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < size; j++) {
            sum[j] += x[i * size + j];
        }
    }
    for (size_t j = 0; j < size; j++) {
        out[j] = (float)(sum[j] / divisor);
    }
    mem_free(sum);
}

static void pool_max(const float *x, size_t n, size_t size, float *out) {
    memcpy(out, x, size * sizeof(*out));
    for (size_t i = 1; i < n; i++) {
        for (size_t j = 0; j < size; j++) {
            out[j] = fmaxf(out[j], x[i * size + j]);
        }
    }
}

/* Later tokens count more: weights 1, 2, 3, ... from the text's beginning. */
static void pool_weighted(const float *x, size_t first, size_t n, size_t size, float *out) {
    double total = 0;
    double *sum = mem_zalloc(size, sizeof(*sum));
    for (size_t i = 0; i < n; i++) {
        const double weight = (double)(first + i + 1);
        total += weight;
        for (size_t j = 0; j < size; j++) {
            sum[j] += weight * x[i * size + j];
        }
    }
    for (size_t j = 0; j < size; j++) {
        out[j] = (float)(sum[j] / total);
    }
    mem_free(sum);
}

static size_t hidden_size(const struct task_model *model) {
    return stack_out_size(arch_last(model->arch));
}

static size_t pooled_size(const struct task_model *model) {
    const struct sentence_modules *m = &model->sentence;
    if (!m->present) {
        return hidden_size(model);
    }
    const size_t modes = (size_t)m->pool_cls + m->pool_max + m->pool_mean + m->pool_mean_sqrt_len +
                         m->pool_weighted_mean + m->pool_last;
    return (modes > 0 ? modes : 1) * hidden_size(model);
}

/* The order is sentence-transformers': cls, max, mean, mean_sqrt_len, weighted mean, last. */
static void pool(const struct task_model *model, const struct embedding *embedding, float *out) {
    const struct sentence_modules *m = &model->sentence;
    const size_t size = hidden_size(model), first = embedding->skip;
    const size_t n = embedding->item->n_rows - first;
    const float *x = embedding->item->hidden + first * size;
    if (pooled_size(model) == size && (!m->present || m->pool_mean)) {
        pool_mean(x, n, size, out, (double)n);
        return;
    }
    float *at = out;
    if (m->pool_cls) {
        memcpy(at, x, size * sizeof(*at));
        at += size;
    }
    if (m->pool_max) {
        pool_max(x, n, size, at);
        at += size;
    }
    if (m->pool_mean) {
        pool_mean(x, n, size, at, (double)n);
        at += size;
    }
    if (m->pool_mean_sqrt_len) {
        pool_mean(x, n, size, at, sqrt((double)n));
        at += size;
    }
    if (m->pool_weighted_mean) {
        pool_weighted(x, first, n, size, at);
        at += size;
    }
    if (m->pool_last) {
        memcpy(at, x + (n - 1) * size, size * sizeof(*at));
        at += size;
    }
    if (at == out) {
        pool_mean(x, n, size, out, (double)n);
    }
}

/* ---- dense layers and normalisation ---- */

static float gelu(float x) {
    return 0.5f * x * (1 + erff(x * 0.70710678f));
}

static float activate(enum activation activation, float x) {
    switch (activation) {
    case ACTIVATION_RELU:
        return x > 0 ? x : 0;
    case ACTIVATION_RELU2:
        return x > 0 ? x * x : 0;
    case ACTIVATION_GELU:
        return gelu(x);
    case ACTIVATION_GELU_10:
        return fmaxf(-10, fminf(gelu(x), 10));
    case ACTIVATION_QUICK_GELU:
        return x * sigmoid(1.702f * x);
    case ACTIVATION_GELU_TANH:
        return 0.5f * x * (1 + tanhf(0.79788456f * (x + 0.044715f * x * x * x)));
    case ACTIVATION_SILU:
        return x * sigmoid(x);
    case ACTIVATION_TANH:
        return tanhf(x);
    case ACTIVATION_SIGMOID:
        return sigmoid(x);
    case ACTIVATION_NONE:
        break;
    }
    return x;
}

static float *dense(struct arena *arena, const struct sentence_dense *layer, const float *x) {
    float *y = arena_alloc(arena, layer->out * sizeof(*y));
    for (uint32_t i = 0; i < layer->out; i++) {
        const float bias = layer->bias ? layer->bias[i] : 0;
        y[i] = activate(layer->activation,
                        ops_dot(layer->weight + (size_t)i * layer->in, x, layer->in) + bias);
    }
    return y;
}

void vector_normalize(float *vector, size_t n) {
    const float length = sqrtf(ops_dot(vector, vector, n));
    for (size_t i = 0; i < n && length > 0; i++) {
        vector[i] /= length;
    }
}

size_t embedding_size(const struct task_model *model) {
    const struct sentence_modules *m = &model->sentence;
    return m->present && m->n_dense > 0 ? m->dense[m->n_dense - 1].out : pooled_size(model);
}

enum status embedding_supports(const struct task_model *model, struct error *err) {
    size_t size = pooled_size(model);
    for (uint32_t i = 0; model->sentence.present && i < model->sentence.n_dense; i++) {
        if (model->sentence.dense[i].in != size) {
            return ERR(err, MODEL, "modules.json: dense layer %u takes %u numbers, but gets %zu", i,
                       model->sentence.dense[i].in, size);
        }
        size = model->sentence.dense[i].out;
    }
    return STATUS_OK;
}

float *embedding_vector(struct job *job, const struct embedding *embedding, size_t *n) {
    const struct sentence_modules *m = &job->model->sentence;
    float *vector = arena_zalloc(&job->arena, pooled_size(job->model), sizeof(*vector));
    if (embedding->skip < embedding->item->n_rows) {
        pool(job->model, embedding, vector);
    } /* else there is nothing but the prompt: zeros */
    for (uint32_t i = 0; m->present && i < m->n_dense; i++) {
        vector = dense(&job->arena, &m->dense[i], vector);
    }
    *n = embedding_size(job->model);
    if (m->present && m->normalize) {
        vector_normalize(vector, *n);
    }
    return vector;
}
