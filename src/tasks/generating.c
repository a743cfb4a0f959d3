/* What the tasks that generate share: the configuration in the order of `transformers`' pipelines
 * (model, the pipeline's own presets, task_specific_params, request), the items, the prefix.
 *
 * One thing is on purpose not as in the code of the 4.57 pipelines, but as it is documented: what
 * the model's files or the request say wins over the presets. There a request's max_length loses
 * against the preset max_new_tokens of 256 and does nothing. */
#include "tasks/task.h"

#include <math.h>

/* Presets fill in what the model's files do not say (the pipelines' code lets some presets win even
 * then, against their own documentation). */
static void apply_presets(struct generation_config *config, const struct job *job,
                          const struct generation_presets *presets) {
    const struct json *said =
        job->model->generation_config ? job->model->generation_config : job->model->config;
    if (config->max_new_tokens == 0 && config->max_length == 0) {
        config->max_new_tokens = presets->max_new_tokens;
    }
    if (json_is_null(json_get(said, "do_sample"))) {
        config->do_sample = presets->do_sample;
    }
    if (presets->temperature > 0 && json_is_null(json_get(said, "temperature"))) {
        config->temperature = presets->temperature;
    }
    if (presets->num_beams > 0 && json_is_null(json_get(said, "num_beams"))) {
        config->num_beams = presets->num_beams;
    }
}

/* Where generation_config.json says nothing, config.json's special tokens count: the class defaults
 * of `transformers` are in the architecture. */
static void apply_arch(struct generation_config *config, const struct job *job) {
    const struct arch *arch = job->model->arch;
    if (job->model->generation_config) {
        return;
    }
    config->bos = config->bos >= 0 ? config->bos : arch->bos;
    config->decoder_start =
        config->decoder_start >= 0 ? config->decoder_start : arch->decoder_start;
    if (config->n_eos == 0 && arch->eos >= 0) {
        config->eos[0] = arch->eos;
        config->n_eos = 1;
    }
}

static const struct json *task_params(const struct job *job, const char *task) {
    return json_get(json_get(job->model->config, "task_specific_params"), task);
}

static enum status apply_request(struct generation_config *config, struct job *job,
                                 const struct generation_args *args, struct error *err) {
    for (uint32_t i = job->sources.n; i-- > 0;) { /* the first source counts most: last */
        const enum status status = generation_config_update(
            config, &job->arena, job->sources.objects[i], "parameters", err);
        if (status != STATUS_OK) {
            err->code = ERROR_INPUT;
            return status;
        }
    }
    if (args->max_length.given && !args->max_new_tokens.given) {
        config->max_new_tokens = 0;
    }
    if (args->max_length.given && args->min_length.given &&
        args->min_length.integer > args->max_length.integer) {
        return ERR(err, INPUT,
                   "min_length is %lld, must not be larger than max_length, which is "
                   "%lld",
                   (long long)args->min_length.integer, (long long)args->max_length.integer);
    }
    if (args->temperature.given && args->temperature.number == 0 && !args->do_sample.given) {
        config->do_sample = false;
    }
    if (args->seed.given) {
        config->has_seed = true;
        config->seed = (uint64_t)args->seed.integer;
    }
    return STATUS_OK;
}

static enum status apply_stop(struct generation_config *config, struct job *job,
                              const struct arg *stop, struct error *err) {
    if (!stop->given) {
        return STATUS_OK;
    }
    const bool one = json_is(stop->json, JSON_STRING);
    const uint32_t n = one ? 1 : stop->json->len;
    if (n > LIMIT_STOP_STRINGS) {
        return ERR(err, INPUT, "stop has %u strings, at most %d are taken", n, LIMIT_STOP_STRINGS);
    }
    const char **texts = arena_alloc(&job->arena, (n + 1) * sizeof(*texts));
    for (uint32_t i = 0; i < n; i++) {
        const struct json *text = one ? stop->json : json_at(stop->json, i);
        if (text->len == 0 || text->len > LIMIT_STOP_BYTES) {
            return ERR(err, INPUT, "stop[%u] has %u bytes, must have from 1 to %d", i, text->len,
                       LIMIT_STOP_BYTES);
        }
        texts[i] = text->text;
    }
    config->stop = texts;
    config->n_stop = n;
    return STATUS_OK;
}

enum status generation_open(struct job *job, const struct generation_args *args,
                            const struct generation_presets *presets, const char *task,
                            struct generation_config **out, struct error *err) {
    struct generation_config *config = arena_alloc(&job->arena, sizeof(*config));
    generation_config_default(config);
    enum status status = generation_config_read(config, &job->arena, job->model->generation_config,
                                                job->model->config, NULL, err);
    if (status != STATUS_OK) {
        return status;
    }
    apply_arch(config, job);
    apply_presets(config, job, presets);
    status = generation_config_update(config, &job->arena, task_params(job, task),
                                      "config.json: task_specific_params", err);
    if (status == STATUS_OK) {
        status = apply_request(config, job, args, err);
    }
    if (status == STATUS_OK) {
        status = apply_stop(config, job, &args->stop, err);
    }
    if (status == STATUS_OK) {
        status = generation_config_check(config, err);
    }
    job->facts.deterministic = !config->do_sample || config->has_seed;
    *out = config;
    return status;
}

enum status check_start(const struct job *job, const char *name, int32_t id, struct error *err) {
    const struct arch *arch = job->model->arch;
    const uint32_t vocab_size = arch_last(arch)->vocab_size;
    if (id >= 0 && (uint32_t)id < vocab_size) {
        return STATUS_OK;
    }
    return ERR(err, INPUT, "%s is %d, must be below %u, the size of the model's vocabulary", name,
               id, vocab_size);
}

enum status generation_start(const struct job *job, const struct generation_config *config,
                             int32_t *start, struct error *err) {
    const int32_t starts[] = {config->decoder_start, config->bos, job->model->arch->decoder_start};
    *start = -1;
    for (size_t i = 0; i < ARRAY_LEN(starts) && *start < 0; i++) {
        *start = starts[i];
    }
    if (*start < 0) {
        return ERR(err, MODEL,
                   "config.json: decoder_start_token_id or bos_token_id is needed to "
                   "generate");
    }
    return check_start(job, "decoder_start_token_id", *start, err);
}

struct text generation_prefix(const struct job *job, const char *task) {
    const char *prefix = json_get_string(job->model->config, "prefix", "");
    return text_of(json_get_string(task_params(job, task), "prefix", prefix));
}

void item_generates(struct part *part, struct item *item, const struct generation_config *config) {
    item->kind = ITEM_GENERATE;
    item->config = config;
    item->n_outputs = config->num_return_sequences;
    item->outputs = arena_zalloc(&part->job->arena, item->n_outputs, sizeof(*item->outputs));
}

void count_generated(struct part *part, const struct item *item) {
    for (uint32_t i = 0; i < item->n_outputs; i++) {
        part->job->facts.generated_tokens += item->outputs[i].n;
    }
}
