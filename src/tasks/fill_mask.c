/* Fill mask: the most probable tokens at each mask of a text (`transformers`' FillMaskPipeline).
 * Masks are predicted independently of each other; `targets` restrict the choice without
 * renormalising. */
#include "tasks/task.h"

struct fill_mask_args {
    struct arg top_k, targets, truncation, max_length;
};
#define ARG(field) offsetof(struct fill_mask_args, field)

static const struct param fill_mask_params[] = {
    {.name = "top_k",
     .type = PARAM_INT,
     .min = 1,
     .max = LIMIT_TOP_K_ANSWERS,
     .preset = "5",
     .help = "so many best tokens a mask",
     .offset = ARG(top_k)},
    {.name = "targets",
     .type = PARAM_STRINGS,
     .help = "choose among these tokens only",
     .offset = ARG(targets)},
    FIT_PARAMS(struct fill_mask_args, NULL, "most tokens of the input"),
};

struct fill_mask_job {
    int32_t mask;
    const int32_t *targets; /* [n_targets], each once */
    uint32_t n_targets;     /* 0: the whole vocabulary */
    size_t n_answers;       /* of all masks */
};

struct fill_mask_state {
    struct encoding encoding;
    struct item *item; /* logits of the masks' rows */
    const uint32_t *masks;
    uint32_t n_masks;
    int32_t *filled; /* [encoding.n] scratch */
};

static enum status fill_mask_supports(const struct task_model *model, struct error *err) {
    const struct arch *arch = model->arch;
    if (arch->head.kind == HEAD_LM && !arch_has_decoder(arch) &&
        stack_has(arch_last(arch), STACK_CAUSAL)) {
        return ERR(err, INPUT,
                   "model %s cannot do fill-mask: it writes from left to right; ask "
                   "for text-generation",
                   model->id);
    }
    return needs_head(model, HEAD_LM, "fill-mask", "masked language modelling head", err);
}

/* ---- targets ---- */

/* A target is a token of the vocabulary, or else the first token of its text; -1: it has none. */
static enum status target_id(struct job *job, const struct json *target, int32_t *id,
                             struct error *err) {
    const struct tokenizer *tokenizer = job->model->tokenizer;
    *id = tokenizer_find(tokenizer, target->text, target->len);
    if (*id >= 0) {
        return STATUS_OK;
    }
    struct encoding encoding;
    const struct encode_options options = {.no_special_tokens = true};
    const enum status status = tokenizer_encode(tokenizer, &encoding, &job->arena, target->text,
                                                target->len, NULL, 0, &options, err);
    if (status == STATUS_OK && encoding.n > 0) {
        *id = encoding.ids[0];
    }
    return status;
}

static enum status read_targets(struct job *job, const struct arg *arg, struct fill_mask_job *state,
                                struct error *err) {
    const bool one = json_is(arg->json, JSON_STRING);
    const uint32_t n = one ? 1 : arg->json->len;
    const uint32_t vocab_size = job->model->arch->head.outputs;
    int32_t *ids = arena_alloc(&job->arena, (n + 1) * sizeof(*ids));
    uint8_t *seen = arena_zalloc(&job->arena, vocab_size, 1);
    for (uint32_t i = 0; i < n; i++) {
        int32_t id = -1;
        const enum status status =
            target_id(job, one ? arg->json : json_at(arg->json, i), &id, err);
        if (status != STATUS_OK) {
            return status;
        }
        if (id >= 0 && (uint32_t)id < vocab_size && !seen[id]) {
            seen[id] = 1;
            ids[state->n_targets++] = id;
        }
    }
    state->targets = ids;
    if (state->n_targets == 0) {
        return ERR(err, INPUT, "At least one target must be provided when passed.");
    }
    return STATUS_OK;
}

static enum status fill_mask_open(struct job *job, struct error *err) {
    const struct fill_mask_args *args = job->args;
    struct fill_mask_job *state = arena_zalloc(&job->arena, 1, sizeof(*state));
    job->state = state;
    state->mask = tokenizer_special(job->model->tokenizer, TOKEN_MASK);
    if (state->mask < 0) {
        return ERR(err, INPUT, "the tokenizer of model %s does not define a mask_token",
                   job->model->id);
    }
    if (args->targets.given && args->targets.json->len > LIMIT_TOP_K_ANSWERS) {
        return ERR(err, INPUT, "targets has %u elements, at most %d are taken",
                   args->targets.json->len, LIMIT_TOP_K_ANSWERS);
    }
    return args->targets.given ? read_targets(job, &args->targets, state, err) : STATUS_OK;
}

/* ---- running ---- */

static size_t answers_wanted(const struct job *job) {
    const struct fill_mask_args *args = job->args;
    const struct fill_mask_job *shared = job->state;
    const size_t n = shared->n_targets > 0 ? shared->n_targets : job->model->arch->head.outputs;
    const size_t k = (size_t)arg_int(&args->top_k, 5);
    return k < n ? k : n;
}

/* Each answer is a whole decoded text. */
static enum status check_answers(struct job *job, uint32_t n_masks, struct error *err) {
    struct fill_mask_job *shared = job->state;
    shared->n_answers += answers_wanted(job) * n_masks;
    if (shared->n_answers > LIMIT_TOP_K_ANSWERS) {
        return ERR(err, TOO_LARGE,
                   "more than %d answers are asked for: lower top_k, or send fewer masks at once",
                   LIMIT_TOP_K_ANSWERS);
    }
    return STATUS_OK;
}

static enum status fill_mask_begin(struct part *part, struct error *err) {
    struct job *job = part->job;
    const struct fill_mask_args *args = job->args;
    const struct fill_mask_job *shared = job->state;
    struct fill_mask_state *state = arena_zalloc(&job->arena, 1, sizeof(*state));
    struct text text;
    part->state = state;
    enum status status = part_text(part, part->input, "inputs", &text, err);
    if (status == STATUS_OK) {
        status = part_encode(part, text, NULL, fit_of(&args->truncation, &args->max_length),
                             &state->encoding, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    uint32_t *masks = arena_alloc(&job->arena, state->encoding.n * sizeof(*masks));
    for (size_t i = 0; i < state->encoding.n; i++) {
        if (state->encoding.ids[i] == shared->mask) {
            masks[state->n_masks++] = (uint32_t)i;
        }
    }
    if (state->n_masks == 0) {
        return ERR(err, INPUT, "No mask_token (%s) found on the input%s",
                   tokenizer_token(job->model->tokenizer, shared->mask),
                   part->truncated > 0 ? ", which was cut to the model's limit" : "");
    }
    status = check_answers(job, state->n_masks, err);
    if (status != STATUS_OK) {
        return status;
    }
    state->masks = masks;
    state->filled = arena_alloc(&job->arena, state->encoding.n * sizeof(*state->filled));
    state->item = part_item(part, &state->encoding);
    return part_want(part, state->item, masks, state->n_masks, false, true, err);
}

/* ---- writing ---- */

static void decode(const struct job *job, const int32_t *ids, size_t n, bool keep_special,
                   struct json_out *out) {
    struct buf buf;
    buf_init(&buf, LIMIT_RESPONSE);
    tokenizer_decode(job->model->tokenizer, &buf, ids, n,
                     (struct decode_options){.keep_special = keep_special});
    json_string_n(out, buf.data ? buf.data : "", buf.len);
    buf_deinit(&buf);
}

/* The input with this mask replaced, padding removed; other masks stay where there are several. */
static void write_sequence(const struct part *part, uint32_t mask, int32_t id,
                           struct json_out *out) {
    struct job *job = part->job;
    const struct fill_mask_state *state = part->state;
    const int32_t pad = tokenizer_special(job->model->tokenizer, TOKEN_PAD);
    int32_t *ids = state->filled;
    size_t n = 0;
    for (size_t i = 0; i < state->encoding.n; i++) {
        const int32_t token = i == state->masks[mask] ? id : state->encoding.ids[i];
        if (token != pad) {
            ids[n++] = token;
        }
    }
    decode(job, ids, n, state->n_masks > 1, out);
}

static void write_mask(const struct part *part, uint32_t mask, struct json_out *out) {
    struct job *job = part->job;
    const struct fill_mask_job *shared = job->state;
    const struct fill_mask_state *state = part->state;
    const size_t vocab_size = job->model->arch->head.outputs;
    float *probs = state->item->logits + mask * vocab_size;
    ops_softmax(probs, vocab_size);
    float *scores = probs;
    size_t n = vocab_size;
    if (shared->n_targets > 0) {
        n = shared->n_targets;
        scores = arena_alloc(&job->arena, n * sizeof(*scores));
        for (size_t i = 0; i < n; i++) {
            scores[i] = probs[shared->targets[i]];
        }
    }
    size_t k = answers_wanted(job);
    struct scored *top = arena_alloc(&job->arena, k * sizeof(*top));
    k = scored_top(top, k, scores, n);
    json_open_array(out);
    for (size_t i = 0; i < k; i++) {
        const int32_t id =
            shared->n_targets > 0 ? shared->targets[top[i].index] : (int32_t)top[i].index;
        json_open_object(out);
        json_key(out, "score");
        json_float(out, top[i].score);
        json_key(out, "token");
        json_int(out, id);
        json_key(out, "token_str");
        decode(job, &id, 1, true, out);
        json_key(out, "sequence");
        write_sequence(part, mask, id, out);
        json_close_object(out);
    }
    json_close_array(out);
}

static void fill_mask_write(struct part *part, struct json_out *out) {
    const struct fill_mask_state *state = part->state;
    if (state->n_masks == 1) {
        write_mask(part, 0, out);
        return;
    }
    json_open_array(out);
    for (uint32_t i = 0; i < state->n_masks; i++) {
        write_mask(part, i, out);
    }
    json_close_array(out);
}

const struct task task_fill_mask = {
    .name = "fill-mask",
    .summary = "the most probable tokens at the masks of a text",
    .params = fill_mask_params,
    .n_params = ARRAY_LEN(fill_mask_params),
    .args_size = sizeof(struct fill_mask_args),
    .supports = fill_mask_supports,
    .open = fill_mask_open,
    .begin = fill_mask_begin,
    .write = fill_mask_write,
};
