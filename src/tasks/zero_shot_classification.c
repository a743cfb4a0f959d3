/* Zero-shot classification: labels that the request brings, by a model that tells whether a text
 * entails a hypothesis (`transformers`' ZeroShotClassificationPipeline). One run a label. Answers
 * {"sequence", "labels", "scores"}, or a list of {"label", "score"} when the server asks for it
 * with the option "zero_shot_form": "list" (newer clients, reference 9). */
#include "tasks/task.h"

#include <math.h>

struct zero_shot_args {
    struct arg candidate_labels, multi_label, hypothesis_template, truncation;
};
#define ARG(field) offsetof(struct zero_shot_args, field)

static const struct param zero_shot_params[] = {
    {.name = "candidate_labels",
     .aliases = "candidateLabels labels",
     .type = PARAM_STRINGS,
     .help = "the labels: a list, or one string with commas",
     .offset = ARG(candidate_labels)},
    {.name = "multi_label",
     .aliases = "multi_class multiLabel",
     .type = PARAM_BOOL,
     .preset = "false",
     .help = "several labels may be true at once",
     .offset = ARG(multi_label)},
    {.name = "hypothesis_template",
     .aliases = "hypothesisTemplate",
     .type = PARAM_STRING,
     .preset = "\"This example is {}.\"",
     .help = "how a label becomes a sentence",
     .offset = ARG(hypothesis_template)},
    {.name = "truncation",
     .type = PARAM_TRUNCATION,
     .preset = "true",
     .help = "false: refuse an input that is too long, rather than cut it",
     .offset = ARG(truncation)},
};

struct zero_shot_job {
    struct text *labels;     /* [n] */
    struct text *hypotheses; /* [n] */
    uint32_t n;
    size_t entailment, contradiction; /* classes */
    bool as_list;
};

struct zero_shot_state {
    struct text sequence;
    struct item **items; /* [n] */
};

static enum status zero_shot_supports(const struct task_model *model, struct error *err) {
    enum status status = needs_head(model, HEAD_SEQUENCE, "zero-shot-classification",
                                    "text classification head trained on entailment", err);
    if (status == STATUS_OK && model->arch->head.outputs < 2) {
        status = ERR(err, INPUT,
                     "model %s cannot do zero-shot-classification: it has one class, "
                     "entailment and contradiction are needed",
                     model->id);
    }
    return status;
}

/* ---- labels and hypotheses ---- */

static enum status add_label(struct zero_shot_job *state, struct text label, struct error *err) {
    if (state->n == LIMIT_CANDIDATE_LABELS) {
        return ERR(err, INPUT, "candidate_labels has more than %d labels", LIMIT_CANDIDATE_LABELS);
    }
    state->labels[state->n++] = label;
    return STATUS_OK;
}

static enum status split_labels(struct zero_shot_job *state, struct text list, struct error *err) {
    const char *at = list.data, *end = list.data + list.len;
    enum status status = STATUS_OK;
    while (at <= end && status == STATUS_OK) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        const struct text label = text_strip((struct text){at, (size_t)(stop - at)});
        if (label.len > 0) {
            status = add_label(state, label, err);
        }
        at = stop + 1;
    }
    return status;
}

static enum status read_labels(const struct zero_shot_args *args, struct zero_shot_job *state,
                               struct error *err) {
    const struct json *given = args->candidate_labels.json;
    enum status status = STATUS_OK;
    if (json_is(given, JSON_STRING)) {
        status = split_labels(state, args->candidate_labels.text, err);
    }
    for (uint32_t i = 0; json_is(given, JSON_ARRAY) && i < given->len && status == STATUS_OK; i++) {
        const struct json *label = json_at(given, i);
        status = add_label(state, (struct text){label->text, label->len}, err);
    }
    if (status == STATUS_OK && state->n == 0) {
        return ERR(err, INPUT,
                   "You must include at least one label and at least one sequence: "
                   "give the labels as parameters.candidate_labels");
    }
    return status;
}

/* Python's str.format with one argument: {} or {0}, {{ and }}. False: not a template. */
static bool format_label(struct text pattern, struct text label, struct buf *out) {
    bool placed = false;
    for (size_t i = 0; i < pattern.len && !out->overflow; i++) {
        const char c = pattern.data[i];
        const char after = i + 1 < pattern.len ? pattern.data[i + 1] : 0;
        if ((c == '{' || c == '}') && after == c) {
            buf_putc(out, c);
            i++;
        } else if (c == '{' && after == '}') {
            buf_append(out, label.data, label.len);
            placed = true;
            i++;
        } else if (c == '{' && after == '0' && i + 2 < pattern.len && pattern.data[i + 2] == '}') {
            buf_append(out, label.data, label.len);
            placed = true;
            i += 2;
        } else if (c == '{' || c == '}') {
            return false;
        } else {
            buf_putc(out, c);
        }
    }
    return placed;
}

static enum status make_hypotheses(struct job *job, struct zero_shot_job *state,
                                   struct error *err) {
    const struct zero_shot_args *args = job->args;
    const struct text pattern = args->hypothesis_template.given ? args->hypothesis_template.text
                                                                : text_of("This example is {}.");
    size_t left = LIMIT_JOB_TEXT;
    state->hypotheses = arena_alloc(&job->arena, state->n * sizeof(*state->hypotheses));
    for (uint32_t i = 0; i < state->n; i++) {
        struct buf buf;
        buf_init(&buf, left);
        const bool good = format_label(pattern, state->labels[i], &buf);
        const bool too_long = buf.overflow;
        state->hypotheses[i] =
            (struct text){arena_strndup(&job->arena, buf.data ? buf.data : "", buf.len), buf.len};
        left -= buf.len;
        buf_deinit(&buf);
        if (too_long) {
            return ERR(err, TOO_LARGE,
                       "hypothesis_template makes more than %llu bytes of the %u labels: shorten "
                       "it, or send fewer labels",
                       LIMIT_JOB_TEXT, state->n);
        }
        if (!good) {
            return ERR(err, INPUT,
                       "The provided hypothesis_template \"%.*s\" was not able to be formatted "
                       "with the target labels. Make sure the passed template includes formatting "
                       "syntax such as {} where the label should go.",
                       (int)(pattern.len < 100 ? pattern.len : 0), pattern.data);
        }
    }
    return STATUS_OK;
}

static bool is_entailment(const char *label) {
    return strncasecmp(label, "entail", 6) == 0;
}

/* The first label that begins with "entail", in the order of label2id; else the last class.
 * Contradiction is the first class, or the last when entailment is the first. */
static void find_classes(const struct job *job, struct zero_shot_job *state) {
    const size_t n = job->model->arch->head.outputs;
    const struct json *ids = json_get(job->model->config, "label2id");
    state->entailment = n - 1;
    bool found = false;
    for (uint32_t i = 0; json_is(ids, JSON_OBJECT) && i < ids->len && !found; i++) {
        int64_t id = 0;
        found = is_entailment(ids->members[i].key) && json_to_int(&ids->members[i].value, &id) &&
                id >= 0 && (size_t)id < n;
        state->entailment = found ? (size_t)id : state->entailment;
    }
    for (uint32_t i = 0; !ids && i < job->model->n_labels && i < n && !found; i++) {
        found = is_entailment(job->model->labels[i]);
        state->entailment = found ? i : state->entailment;
    }
    state->contradiction = state->entailment == 0 ? n - 1 : 0;
}

static enum status zero_shot_open(struct job *job, struct error *err) {
    struct zero_shot_job *state = arena_zalloc(&job->arena, 1, sizeof(*state));
    state->labels = arena_alloc(&job->arena, LIMIT_CANDIDATE_LABELS * sizeof(*state->labels));
    state->as_list = json_equals(json_get(job->options, "zero_shot_form"), "list");
    job->state = state;
    enum status status = read_labels(job->args, state, err);
    if (status == STATUS_OK) {
        status = make_hypotheses(job, state, err);
    }
    if (status == STATUS_OK && (size_t)state->n * job->n_parts > LIMIT_JOB_ITEMS) {
        status = ERR(err, TOO_LARGE,
                     "%u inputs with %u labels are too many at once: send several "
                     "requests",
                     job->n_parts, state->n);
    }
    find_classes(job, state);
    return status;
}

/* ---- running ---- */

static enum status zero_shot_begin(struct part *part, struct error *err) {
    struct job *job = part->job;
    const struct zero_shot_args *args = job->args;
    const struct zero_shot_job *shared = job->state;
    struct zero_shot_state *state = arena_zalloc(&job->arena, 1, sizeof(*state));
    const struct json *input = part->input;
    part->state = state;
    if (json_is(input, JSON_OBJECT)) {
        const struct json *text = json_get(input, "text");
        input = text ? text : json_get(input, "sequences");
    }
    enum status status = part_text(part, input, "inputs", &state->sequence, err);
    if (status == STATUS_OK && state->sequence.len == 0) {
        return ERR(err, INPUT,
                   "You must include at least one label and at least one sequence: "
                   "inputs is empty");
    }
    struct fit fit = fit_of(&args->truncation, NULL);
    fit.strategy = TRUNCATE_ONLY_FIRST;
    state->items = arena_zalloc(&job->arena, shared->n, sizeof(*state->items));
    for (uint32_t i = 0; i < shared->n && status == STATUS_OK; i++) {
        struct encoding encoding;
        status = part_encode(part, state->sequence, &shared->hypotheses[i], fit, &encoding, err);
        if (status != STATUS_OK) {
            return error_prefix(err, "candidate_labels[%u]: ", i);
        }
        state->items[i] = part_item(part, &encoding);
        const uint32_t row = head_row(job->model, &encoding);
        status = part_want(part, state->items[i], &row, 1, false, true, err);
    }
    return status;
}

static void score_labels(const struct part *part, float *scores) {
    const struct zero_shot_args *args = part->job->args;
    const struct zero_shot_job *shared = part->job->state;
    const struct zero_shot_state *state = part->state;
    const bool each = arg_bool(&args->multi_label, false) || shared->n == 1;
    for (uint32_t i = 0; i < shared->n; i++) {
        const float *logits = state->items[i]->logits;
        float two[2] = {logits[shared->contradiction], logits[shared->entailment]};
        if (each) {
            ops_softmax(two, 2);
        }
        scores[i] = two[1];
    }
    if (!each) {
        ops_softmax(scores, shared->n);
    }
}

/* ---- writing ---- */

static void write_dict(const struct part *part, const struct scored *top, struct json_out *out) {
    const struct zero_shot_job *shared = part->job->state;
    const struct zero_shot_state *state = part->state;
    json_open_object(out);
    json_key(out, "sequence");
    write_text(out, state->sequence);
    json_key(out, "labels");
    json_open_array(out);
    for (uint32_t i = 0; i < shared->n; i++) {
        write_text(out, shared->labels[top[i].index]);
    }
    json_close_array(out);
    json_key(out, "scores");
    json_open_array(out);
    for (uint32_t i = 0; i < shared->n; i++) {
        json_float(out, top[i].score);
    }
    json_close_array(out);
    if (part->truncated > 0) {
        json_key(out, "warnings");
        json_open_array(out);
        json_string(out, "The input was longer than the model's limit and was cut.");
        json_close_array(out);
    }
    json_close_object(out);
}

static void zero_shot_write(struct part *part, struct json_out *out) {
    struct job *job = part->job;
    const struct zero_shot_job *shared = job->state;
    float *scores = arena_alloc(&job->arena, shared->n * sizeof(*scores));
    struct scored *top = arena_alloc(&job->arena, shared->n * sizeof(*top));
    score_labels(part, scores);
    for (uint32_t i = 0; i < shared->n; i++) {
        /* Of equal scores the later label comes first: a reversed argsort. */
        top[i] = (struct scored){scores[shared->n - 1 - i], i};
    }
    scored_sort(top, shared->n);
    for (uint32_t i = 0; i < shared->n; i++) {
        top[i].index = shared->n - 1 - top[i].index;
    }
    if (!shared->as_list) {
        write_dict(part, top, out);
        return;
    }
    json_open_array(out);
    for (uint32_t i = 0; i < shared->n; i++) {
        json_open_object(out);
        json_key(out, "label");
        write_text(out, shared->labels[top[i].index]);
        json_key(out, "score");
        json_float(out, top[i].score);
        json_close_object(out);
    }
    json_close_array(out);
}

static const char *const zero_shot_fields[] = {"sequences", NULL};

const struct task task_zero_shot_classification = {
    .name = "zero-shot-classification",
    .summary = "which of your own labels fit a text",
    .params = zero_shot_params,
    .n_params = ARRAY_LEN(zero_shot_params),
    .args_size = sizeof(struct zero_shot_args),
    .fields = zero_shot_fields,
    .supports = zero_shot_supports,
    .open = zero_shot_open,
    .begin = zero_shot_begin,
    .write = zero_shot_write,
};
