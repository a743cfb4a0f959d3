/* A job: one request's body taken apart into parts (one an element of `inputs`), driven through its
 * task, and put together again. Reads every form of body that clients send (reference 2.2). Knows
 * no task by name: what differs stands in their struct task. */
#include "tasks/task.h"

/* ---- the body ---- */

static bool has_fields(const struct json *body, const char *const *fields) {
    for (size_t i = 0; fields && fields[i]; i++) {
        if (json_get(body, fields[i])) {
            return true;
        }
    }
    return false;
}

/* A bare number is the text that was sent. */
static const struct json *as_input(struct arena *arena, const struct json *body) {
    if (!json_is(body, JSON_NUMBER)) {
        return body;
    }
    struct json *text = arena_zalloc(arena, 1, sizeof(*text));
    char *digits = NULL;
    struct buf buf;
    buf_init(&buf, LIMIT_ERROR_TEXT);
    struct json_out out = json_out_begin(&buf);
    json_value(&out, body);
    digits = arena_strndup(arena, buf.data ? buf.data : "", buf.len);
    *text = (struct json){.type = JSON_STRING, .len = (uint32_t)buf.len, .text = digits};
    buf_deinit(&buf);
    return text;
}

static enum status read_body(struct job *job, struct error *err) {
    const struct json *body = job->body;
    if (!json_is(body, JSON_OBJECT)) {
        job->inputs = as_input(&job->arena, body);
        return param_sources_find(&job->sources, NULL, NULL, err);
    }
    job->inputs = json_get(body, "inputs");
    if (json_is_null(job->inputs)) {
        if (!has_fields(body, job->task->fields)) {
            return ERR(err, INPUT,
                       "\"inputs\" is missing: send {\"inputs\": ..., \"parameters\": "
                       "{...}}");
        }
        job->inputs = body;
    }
    job->options = json_get(body, "options");
    if (!json_is_null(job->options) && !json_is(job->options, JSON_OBJECT)) {
        return ERR(err, INPUT, "options is a %s, must be an object", value_kind(job->options));
    }
    return param_sources_find(&job->sources, json_get(body, "parameters"), body, err);
}

static enum status make_parts(struct job *job, struct error *err) {
    job->single = !json_is(job->inputs, JSON_ARRAY);
    job->n_parts = job->single ? 1 : job->inputs->len;
    if (job->n_parts > LIMIT_INPUTS) {
        return ERR(err, TOO_LARGE,
                   "inputs has %u elements, at most %d are taken: send several "
                   "requests",
                   job->n_parts, LIMIT_INPUTS);
    }
    job->parts = arena_zalloc(&job->arena, job->n_parts, sizeof(*job->parts));
    for (uint32_t i = 0; i < job->n_parts; i++) {
        job->parts[i] = (struct part){
            .job = job,
            .index = i,
            .input = job->single ? job->inputs : json_at(job->inputs, i),
        };
    }
    return STATUS_OK;
}

/* ---- the state machine ---- */

static enum status begin_parts(struct job *job, struct error *err) {
    for (uint32_t i = 0; i < job->n_parts; i++) {
        if (job->task->begin(&job->parts[i], err) != STATUS_OK) {
            return job->single ? STATUS_ERROR : error_prefix(err, "inputs[%u]: ", i);
        }
    }
    return STATUS_OK;
}

static enum status start(struct job *job, struct error *err) {
    const struct task *task = job->task;
    enum status status = read_body(job, err);
    if (status == STATUS_OK) {
        status = make_parts(job, err);
    }
    if (status == STATUS_OK) {
        job->args = arena_zalloc(&job->arena, 1, task->args_size);
        status = params_read(task->params, task->n_params, &job->sources, job->args, err);
    }
    if (status == STATUS_OK && task->open) {
        status = task->open(job, err);
    }
    return status == STATUS_OK ? begin_parts(job, err) : status;
}

enum status job_create(struct job **out, const struct task *task, const struct task_model *model,
                       const struct json *body, struct error *err) {
    return job_create_as(out, task, task->name, model, body, err);
}

enum status job_create_as(struct job **out, const struct task *task, const char *name,
                          const struct task_model *model, const struct json *body,
                          struct error *err) {
    const enum status supported = task_supports(task, model, err);
    if (supported != STATUS_OK) {
        return supported;
    }
    struct job *job = mem_zalloc(1, sizeof(*job));
    job->task = task;
    job->name = name;
    job->model = model;
    job->body = body;
    job->facts.deterministic = true;
    const enum status status = start(job, err);
    if (status != STATUS_OK) {
        job_destroy(job);
        return status;
    }
    *out = job;
    return STATUS_OK;
}

void job_destroy(struct job *job) {
    if (job) {
        arena_deinit(&job->arena);
        mem_free(job);
    }
}

struct arena *job_arena(struct job *job) {
    return &job->arena;
}

struct item *job_items(struct job *job) {
    return job->first;
}

enum status job_next(struct job *job, struct error *err) {
    bool again = false;
    for (uint32_t i = 0; job->task->next && i < job->n_parts; i++) {
        const enum status status = job->task->next(&job->parts[i], err);
        if (status == STATUS_ERROR) {
            return status;
        }
        again = again || status == STATUS_AGAIN;
    }
    return again ? STATUS_AGAIN : STATUS_OK;
}

void job_write(struct job *job, struct json_out *out) {
    const bool list = !job->single || job->task->nest_single;
    if (list) {
        json_open_array(out);
    }
    for (uint32_t i = 0; i < job->n_parts; i++) {
        job->task->write(&job->parts[i], out);
    }
    if (list) {
        json_close_array(out);
    }
}

struct job_facts job_facts(const struct job *job) {
    return job->facts;
}

/* ---- what tasks use ---- */

enum status part_text(struct part *part, const struct json *value, const char *what,
                      struct text *out, struct error *err) {
    if (!json_is(value, JSON_STRING)) {
        return ERR(err, INPUT, "%s is %s, must be a string", what,
                   describe_value(&part->job->arena, value));
    }
    *out = (struct text){value->text, value->len};
    part->job->facts.characters += utf8_count(value->text, value->len);
    return STATUS_OK;
}

struct fit fit_of(const struct arg *truncation, const struct arg *max_length) {
    struct fit fit = {.refuse = truncation->given && !truncation->boolean};
    if (json_equals(truncation->json, "only_first")) {
        fit.strategy = TRUNCATE_ONLY_FIRST;
    } else if (json_equals(truncation->json, "only_second")) {
        fit.strategy = TRUNCATE_ONLY_SECOND;
    }
    if (max_length && max_length->given && !fit.refuse) {
        fit.limit = (uint32_t)max_length->integer;
    }
    return fit;
}

static uint32_t text_limit(const struct task_model *model) {
    const uint32_t limit = model->arch->stacks[ARCH_TEXT_STACK].max_positions;
    const uint32_t tokenizer_limit = tokenizer_max_length(model->tokenizer);
    return tokenizer_limit > 0 && tokenizer_limit < limit ? tokenizer_limit : limit;
}

uint32_t model_limit(const struct task_model *model) {
    const struct arch *arch = model->arch;
    const uint32_t limit = text_limit(model);
    const uint32_t decoder = arch_last(arch)->max_positions;
    return arch->shifts_input && decoder < limit ? decoder : limit;
}

enum status check_encoding(const struct part *part, const struct encoding *encoding,
                           struct error *err) {
    const struct task_model *model = part->job->model;
    const uint32_t vocab_size = model->arch->stacks[ARCH_TEXT_STACK].vocab_size;
    for (size_t i = 0; i < encoding->n; i++) {
        if (encoding->ids[i] < 0 || (uint32_t)encoding->ids[i] >= vocab_size) {
            return ERR(err, INPUT,
                       "the text has token %d, but the model's vocabulary ends at %u: tokenizer "
                       "and model do not fit together",
                       encoding->ids[i], vocab_size);
        }
    }
    return encoding->n > 0 ? STATUS_OK : ERR(err, INPUT, "the input is empty: it has no tokens");
}

enum status part_reads(struct part *part, size_t bytes, struct error *err) {
    struct job *job = part->job;
    job->text_bytes += bytes;
    if (job->text_bytes <= LIMIT_JOB_TEXT) {
        return STATUS_OK;
    }
    return ERR(err, TOO_LARGE,
               "the request has more than %llu bytes of text to read (labels, prompts and tables "
               "count for each input): send less at once",
               LIMIT_JOB_TEXT);
}

enum status part_encode(struct part *part, struct text text, const struct text *pair,
                        struct fit fit, struct encoding *out, struct error *err) {
    struct job *job = part->job;
    uint32_t limit = fit.generates ? text_limit(job->model) : model_limit(job->model);
    if (fit.limit > 0 && fit.limit < limit) {
        limit = fit.limit;
    }
    const struct encode_options options = {
        .no_special_tokens = fit.plain,
        .truncation = fit.whole                       ? TRUNCATE_NONE
                      : fit.strategy == TRUNCATE_NONE ? TRUNCATE_LONGEST_FIRST
                                                      : fit.strategy,
        .truncate_left = fit.left,
        .max_length = limit,
        .language = fit.language,
    };
    if (part_reads(part, text.len + (pair ? pair->len : 0), err) != STATUS_OK) {
        return STATUS_ERROR;
    }
    const enum status status =
        tokenizer_encode(job->model->tokenizer, out, &job->arena, text.data, text.len,
                         pair ? pair->data : NULL, pair ? pair->len : 0, &options, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (out->truncated > 0 && fit.refuse) {
        return ERR(err, INPUT,
                   "the input has %zu tokens and the model takes %u: shorten it, or leave out "
                   "\"truncation\": false to have it cut",
                   out->n + out->truncated, limit);
    }
    if (out->n > limit && !fit.whole) {
        return ERR(err, INPUT, "the input has %zu tokens and the model takes %u: shorten it",
                   out->n, limit);
    }
    part->truncated += out->truncated;
    job->facts.truncated_tokens += out->truncated;
    return out->n == 0 && fit.may_be_empty ? STATUS_OK : check_encoding(part, out, err);
}

/* Token types, unless the model has none (or only one kind) or the tokenizer gives none; of several
 * tables a plain text has only the first one's. */
static const int32_t *types_of(const struct task_model *model, const struct encoding *encoding,
                               struct arena *arena) {
    const struct stack_spec *stack = &model->arch->stacks[ARCH_TEXT_STACK];
    const uint32_t n_types = stack->token_types;
    if (n_types < 2 || !encoding->type_ids || !tokenizer_gives_types(model->tokenizer)) {
        return NULL;
    }
    for (size_t i = 0; i < encoding->n; i++) {
        if (encoding->type_ids[i] < 0 || (uint32_t)encoding->type_ids[i] >= n_types) {
            return NULL;
        }
    }
    const uint32_t tables = stack_type_tables(stack);
    if (tables < 2) {
        return encoding->type_ids;
    }
    int32_t *types = arena_zalloc(arena, tables * encoding->n, sizeof(*types));
    memcpy(types, encoding->type_ids, encoding->n * sizeof(*types));
    return types;
}

/* What the decoder reads where the head sits on it (enum input_shift). */
static void shift_right(struct job *job, struct item *item) {
    const struct arch *arch = job->model->arch;
    int32_t *shifted = arena_alloc(&job->arena, item->n * sizeof(*shifted));
    const bool round = arch->shifts_input == SHIFT_ROUND || arch->decoder_start < 0;
    shifted[0] = round ? item->tokens[item->n - 1] : arch->decoder_start;
    memcpy(shifted + 1, item->tokens, (item->n - 1) * sizeof(*shifted));
    item->decoder_tokens = shifted;
    item->n_decoder = item->n;
}

struct item *part_item(struct part *part, const struct encoding *encoding) {
    struct job *job = part->job;
    struct item *item = arena_zalloc(&job->arena, 1, sizeof(*item));
    item->kind = ITEM_FORWARD;
    item->tokens = encoding->ids;
    item->types = types_of(job->model, encoding, &job->arena);
    item->n = (uint32_t)encoding->n;
    if (arch_has_decoder(job->model->arch) && job->model->arch->shifts_input) {
        shift_right(job, item);
    }
    if (job->last) {
        job->last->next = item;
    } else {
        job->first = item;
    }
    job->last = item;
    job->n_items++;
    job->facts.tokens += item->n;
    return item;
}

enum status part_want(struct part *part, struct item *item, const uint32_t *rows, uint32_t n_rows,
                      bool hidden, bool logits, struct error *err) {
    struct job *job = part->job;
    const struct arch *arch = job->model->arch;
    const size_t n_hidden = hidden ? stack_out_size(arch_last(arch)) : 0;
    const size_t n_logits = logits ? arch->head.outputs : 0;
    if (job->n_items > LIMIT_JOB_ITEMS) {
        return ERR(
            err, TOO_LARGE,
            "the request needs more than %d runs of the model (each text, label or window is "
            "one): send several requests",
            LIMIT_JOB_ITEMS);
    }
    if (job->facts.tokens > LIMIT_JOB_TOKENS) {
        return ERR(err, TOO_LARGE,
                   "the request has the model read more than %d tokens (windows that overlap count "
                   "each): send less at once, or with a smaller stride",
                   LIMIT_JOB_TOKENS);
    }
    job->output_floats += n_rows * (n_hidden + n_logits);
    if (job->output_floats > LIMIT_JOB_FLOATS) {
        return ERR(err, TOO_LARGE,
                   "the request needs more than %llu numbers from the model: send fewer or "
                   "shorter inputs",
                   LIMIT_JOB_FLOATS);
    }
    item->rows = rows ? arena_copy(&job->arena, rows, n_rows * sizeof(*rows)) : NULL;
    item->n_rows = n_rows;
    if (hidden) {
        item->hidden = arena_alloc(&job->arena, n_rows * n_hidden * sizeof(float));
    }
    if (logits) {
        item->logits = arena_alloc(&job->arena, n_rows * n_logits * sizeof(float));
    }
    return STATUS_OK;
}

static uint32_t last_with(const struct encoding *encoding, int32_t id, bool equal) {
    for (size_t i = encoding->n; i-- > 0;) {
        if ((encoding->ids[i] == id) == equal) {
            return (uint32_t)i;
        }
    }
    return (uint32_t)encoding->n - 1;
}

uint32_t head_row(const struct task_model *model, const struct encoding *encoding) {
    switch (model->arch->head.rows) {
    case ROWS_LAST: /* the last that is not padding; a text may hold the padding token */
        return model->arch->pad >= 0 ? last_with(encoding, model->arch->pad, false)
                                     : (uint32_t)encoding->n - 1;
    case ROWS_LAST_EOS:
        return last_with(encoding, model->arch->eos, true);
    case ROWS_ALL:
    case ROWS_FIRST:
    case ROWS_MEAN: /* the engine puts it there */
        break;
    }
    return 0;
}
