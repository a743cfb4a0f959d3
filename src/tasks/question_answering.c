/* Question answering: the span of a context that answers a question (`transformers` 4.57's
 * QuestionAnsweringPipeline). Long contexts are read in overlapping windows; spans are ranked by
 * the product of their start's and end's probabilities; answers with the same text (ignoring case)
 * are added up over all windows. Candidates of probability 0 are left out. */
#include "tasks/task.h"

#include <math.h>

#define DEFAULT_SEQ_LEN    384
#define DEFAULT_DOC_STRIDE 128
#define DEFAULT_ANSWER_LEN 15

struct question_answering_args {
    struct arg top_k, doc_stride, max_answer_len, max_seq_len, max_question_len;
    struct arg handle_impossible_answer, align_to_words;
};
#define ARG(field) offsetof(struct question_answering_args, field)

static const struct param question_answering_params[] = {
    {.name = "top_k",
     .aliases = "topk",
     .type = PARAM_INT,
     .min = 1,
     .max = 10000,
     .preset = "1",
     .help = "so many best answers; above 1 the answer is a list",
     .offset = ARG(top_k)},
    {.name = "doc_stride",
     .type = PARAM_INT,
     .min = 0,
     .max = 1e6,
     .help = "tokens by which windows of a long context overlap",
     .offset = ARG(doc_stride)},
    {.name = "max_answer_len",
     .type = PARAM_INT,
     .min = 1,
     .max = 1e6,
     .preset = "15",
     .help = "most tokens of an answer",
     .offset = ARG(max_answer_len)},
    {.name = "max_seq_len",
     .type = PARAM_INT,
     .min = 1,
     .max = 1e6,
     .preset = "384",
     .help = "tokens of a window with the question",
     .offset = ARG(max_seq_len)},
    {.name = "max_question_len",
     .type = PARAM_INT,
     .min = 1,
     .max = 1e6,
     .help = "taken, and not used: questions are never cut",
     .offset = ARG(max_question_len)},
    {.name = "handle_impossible_answer",
     .type = PARAM_BOOL,
     .preset = "false",
     .help = "an empty answer may win",
     .offset = ARG(handle_impossible_answer)},
    {.name = "align_to_words",
     .type = PARAM_BOOL,
     .preset = "true",
     .help = "answers begin and end with whole words",
     .offset = ARG(align_to_words)},
};

struct window {
    const struct encoding *encoding;
    struct item *item; /* logits [n, 2] */
};

struct answer {
    float score;
    uint32_t index;    /* in the order of finding */
    uint32_t next;     /* index + 1 of another answer in the same bucket, 0: none */
    size_t start, end; /* code points */
    struct text text;
};

/* All answers found, and by the hash of their text: contexts may have very many windows. */
#define BUCKETS 16384
struct answers {
    struct answer *items; /* owned */
    size_t n, cap;
    uint32_t *buckets; /* [BUCKETS] index + 1 of an answer, 0: none */
};

struct question_answering_job {
    size_t n_candidates; /* of all windows */
};

struct question_answering_state {
    struct text context;
    struct characters characters;
    bool question_first;
    struct window *windows;
    size_t n_windows;
};

/* A span of tokens that may be an answer. */
struct candidate {
    float score;
    uint32_t start, end;
};

static enum status question_answering_supports(const struct task_model *model, struct error *err) {
    return needs_head(model, HEAD_SPAN, "question-answering", "question answering head", err);
}

/* ---- where the model looks for the question's end itself ---- */

#define MASKED 1e6f /* taken off the scores of the question's tokens */

/* Tokens of the question, with those around it: as far as the token that ends it, or the first
 * alone. 0: the model does not look. */
static size_t question_tokens(const struct part *part, const struct encoding *encoding) {
    const int32_t end = part->job->model->arch->question_end;
    for (size_t i = 0; end >= 0 && i < encoding->n; i++) {
        if (encoding->ids[i] == end) {
            return i + 1;
        }
    }
    return end >= 0;
}

/* Types that the model makes where the tokenizer gives none: 1 behind the question. */
static const int32_t *own_types(const struct part *part, const struct encoding *encoding) {
    const struct task_model *model = part->job->model;
    const size_t question = question_tokens(part, encoding);
    if (question == 0 || tokenizer_gives_types(model->tokenizer) ||
        model->arch->stacks[ARCH_TEXT_STACK].token_types < 2) {
        return NULL;
    }
    int32_t *types = arena_zalloc(&part->job->arena, encoding->n, sizeof(*types));
    for (size_t i = question; i < encoding->n; i++) {
        types[i] = 1;
    }
    return types;
}

/* ---- input ---- */

static enum status read_field(struct part *part, const char *name, struct text *out,
                              struct error *err) {
    const struct json *value = json_get(part->input, name);
    if (json_is_null(value)) {
        return ERR(err, INPUT,
                   "inputs has no \"%s\": send {\"inputs\": {\"question\": ..., "
                   "\"context\": ...}}",
                   name);
    }
    const enum status status = part_text(part, value, name, out, err);
    if (status == STATUS_OK && out->len == 0) {
        return ERR(err, INPUT, "`%s` cannot be empty", name);
    }
    return status;
}

static enum status window_options(const struct part *part, struct encode_options *options,
                                  struct error *err) {
    const struct question_answering_args *args = part->job->args;
    const uint32_t limit = model_limit(part->job->model);
    uint32_t length = limit < DEFAULT_SEQ_LEN ? limit : DEFAULT_SEQ_LEN;
    if (args->max_seq_len.given) {
        length = args->max_seq_len.integer < limit ? (uint32_t)args->max_seq_len.integer : limit;
    }
    const uint32_t half = length / 2;
    int64_t stride = half < DEFAULT_DOC_STRIDE ? half : DEFAULT_DOC_STRIDE;
    stride = arg_int(&args->doc_stride, stride);
    if (stride > length) {
        return ERR(err, INPUT, "`doc_stride` (%lld) is larger than `max_seq_len` (%u)",
                   (long long)stride, length);
    }
    *options =
        (struct encode_options){.max_length = length, .stride = (uint32_t)stride, .overflow = true};
    return STATUS_OK;
}

static enum status encode_windows(struct part *part, struct text question, struct encoding *first,
                                  struct error *err) {
    struct job *job = part->job;
    const struct question_answering_state *state = part->state;
    struct encode_options options;
    enum status status = window_options(part, &options, err);
    if (status != STATUS_OK) {
        return status;
    }
    const bool question_first = state->question_first;
    const struct text text = question_first ? question : state->context;
    const struct text pair = question_first ? state->context : question;
    options.truncation = question_first ? TRUNCATE_ONLY_SECOND : TRUNCATE_ONLY_FIRST;
    return tokenizer_encode(job->model->tokenizer, first, &job->arena, text.data, text.len,
                            pair.data, pair.len, &options, err);
}

/* Candidates of a window: some become the same answer when they are aligned to words. */
static size_t candidates_wanted(const struct question_answering_args *args) {
    const size_t top_k = (size_t)arg_int(&args->top_k, 1);
    return arg_bool(&args->align_to_words, true) ? 2 * top_k + 10 : top_k;
}

/* All windows' candidates are held and compared: over all inputs they are bounded. */
static enum status check_candidates(struct job *job, size_t n_tokens, struct error *err) {
    const struct question_answering_args *args = job->args;
    struct question_answering_job *shared = job->state;
    const size_t longest = (size_t)arg_int(&args->max_answer_len, DEFAULT_ANSWER_LEN);
    const size_t spans = n_tokens * (longest < n_tokens ? longest : n_tokens);
    const size_t wanted = candidates_wanted(args);
    shared->n_candidates += wanted < spans ? wanted : spans;
    if (shared->n_candidates > LIMIT_JOB_CANDIDATES) {
        return ERR(err, TOO_LARGE,
                   "top_k is %zu in so many windows of the context that more than %d answers would "
                   "be compared: lower it, or send a shorter context",
                   (size_t)arg_int(&args->top_k, 1), LIMIT_JOB_CANDIDATES);
    }
    return STATUS_OK;
}

static enum status question_answering_open(struct job *job, struct error *err) {
    (void)err;
    job->state = arena_zalloc(&job->arena, 1, sizeof(struct question_answering_job));
    return STATUS_OK;
}

static enum status question_answering_begin(struct part *part, struct error *err) {
    struct job *job = part->job;
    struct question_answering_state *state = arena_zalloc(&job->arena, 1, sizeof(*state));
    struct encoding *first = arena_zalloc(&job->arena, 1, sizeof(*first));
    struct text question = {0};
    part->state = state;
    state->question_first = !tokenizer_pads_left(job->model->tokenizer);
    enum status status = read_field(part, "question", &question, err);
    if (status == STATUS_OK) {
        status = read_field(part, "context", &state->context, err);
    }
    if (status == STATUS_OK) {
        status = encode_windows(part, question, first, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    state->characters = characters_of(&job->arena, state->context);
    for (const struct encoding *e = first; e; e = e->next) {
        state->n_windows++;
    }
    state->windows = arena_zalloc(&job->arena, state->n_windows, sizeof(*state->windows));
    const struct encoding *encoding = first;
    for (size_t i = 0; i < state->n_windows && status == STATUS_OK; i++) {
        status = check_encoding(part, encoding, err);
        if (status == STATUS_OK && encoding->n > model_limit(job->model)) {
            status = ERR(err, INPUT,
                         "the question is too long: with it a window has %zu tokens, "
                         "and the model takes %u",
                         encoding->n, model_limit(job->model));
        }
        if (status == STATUS_OK) {
            status = check_candidates(job, encoding->n, err);
        }
        if (status == STATUS_OK) {
            struct item *item = part_item(part, encoding);
            const int32_t *types = own_types(part, encoding);
            item->types = types ? types : item->types;
            state->windows[i] = (struct window){encoding, item};
            status = part_want(part, item, NULL, item->n, false, true, err);
        }
        encoding = encoding->next;
    }
    return status;
}

/* ---- spans of a window ---- */

/* 1 for tokens that an answer may begin or end with: the context's, and the CLS token. Where the
 * context comes first the pipeline masks none, not even the question's. */
static uint8_t *allowed_tokens(const struct part *part, const struct encoding *encoding) {
    const struct question_answering_state *state = part->state;
    const int8_t context = state->question_first ? 1 : 0;
    const int32_t cls = tokenizer_special(part->job->model->tokenizer, TOKEN_CLS);
    uint8_t *allowed = arena_alloc(&part->job->arena, encoding->n);
    for (size_t i = 0; i < encoding->n; i++) {
        allowed[i] = !state->question_first || encoding->sequence[i] == context ||
                     (cls >= 0 && encoding->ids[i] == cls);
    }
    return allowed;
}

/* Probabilities of column `side` (0 start, 1 end) of logits [n, 2]. */
static float *probabilities(const struct part *part, const struct window *window,
                            const uint8_t *allowed, size_t side) {
    const size_t n = window->encoding->n, question = question_tokens(part, window->encoding);
    float *probs = arena_alloc(&part->job->arena, n * sizeof(*probs));
    for (size_t i = 0; i < n; i++) {
        const float score = window->item->logits[2 * i + side];
        const float mask = i > 0 && i < question ? MASKED : 0;
        probs[i] = allowed[i] ? score - mask : -10000;
    }
    ops_softmax(probs, n);
    return probs;
}

/* Whether a is a better answer than b; of equal scores the one that comes first in the text. */
static bool is_better(const struct candidate *a, const struct candidate *b) {
    if (a->score != b->score) {
        return a->score > b->score;
    }
    return a->start != b->start ? a->start < b->start : a->end < b->end;
}

static int compare_candidates(const void *a, const void *b) {
    return is_better(a, b) ? -1 : is_better(b, a);
}

/* Puts `candidate` into the place `at` of a heap with the worst one on top, or further down. */
static void sift_down(struct candidate *heap, size_t n, size_t at, struct candidate candidate) {
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < n && is_better(&heap[child], &heap[child + 1])) {
            child++;
        }
        if (child >= n || !is_better(&candidate, &heap[child])) {
            heap[at] = candidate;
            return;
        }
        heap[at] = heap[child];
        at = child;
    }
}

/* Keeps the k best: top has room for k and holds n; returns the new n. A list until it is full,
 * then a heap. */
static size_t keep_candidate(struct candidate *top, size_t n, size_t k,
                             struct candidate candidate) {
    if (n < k) {
        top[n++] = candidate;
        for (size_t i = n == k ? n / 2 : 0; i-- > 0;) {
            sift_down(top, n, i, top[i]);
        }
    } else if (is_better(&candidate, &top[0])) {
        sift_down(top, n, 0, candidate);
    }
    return n;
}

/* The k best, best first. */
static size_t best_spans(const struct part *part, const struct window *window, size_t k,
                         struct candidate *top, float *min_null) {
    const struct question_answering_args *args = part->job->args;
    const uint8_t *allowed = allowed_tokens(part, window->encoding);
    float *start = probabilities(part, window, allowed, 0);
    float *end = probabilities(part, window, allowed, 1);
    const size_t n = window->encoding->n;
    const size_t longest = (size_t)arg_int(&args->max_answer_len, DEFAULT_ANSWER_LEN);
    *min_null = fminf(*min_null, start[0] * end[0]);
    start[0] = end[0] = 0; /* the CLS token is no answer */
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i; j < n && j - i < longest && allowed[i]; j++) {
            const struct candidate candidate = {start[i] * end[j], (uint32_t)i, (uint32_t)j};
            if (allowed[j] && candidate.score > 0) {
                found = keep_candidate(top, found, k, candidate);
            }
        }
    }
    qsort(top, found, sizeof(*top), compare_candidates);
    return found;
}

/* ---- answers ---- */

/* First (or last) token of the context in this window that belongs to the word; e->n: none does. */
static size_t word_edge(const struct encoding *e, int8_t context, size_t token, bool first) {
    size_t edge = e->n;
    for (size_t i = 0; i < e->n && e->words[token] >= 0; i++) {
        if (e->sequence[i] == context && e->words[i] == e->words[token]) {
            if (first) {
                return i;
            }
            edge = i;
        }
    }
    return edge;
}

/* A candidate's first and last token, where both have words those of the whole words. */
static void align_to_words(const struct encoding *e, int8_t context, size_t *first, size_t *last) {
    const size_t start = word_edge(e, context, *first, true);
    const size_t end = word_edge(e, context, *last, false);
    if (start < e->n && end < e->n) {
        *first = start;
        *last = end;
    }
}

static void add_answer(const struct part *part, const struct encoding *e,
                       struct candidate candidate, struct answers *answers) {
    const struct question_answering_args *args = part->job->args;
    const struct question_answering_state *state = part->state;
    const int8_t context = state->question_first ? 1 : 0;
    size_t first = candidate.start, last = candidate.end;
    if (arg_bool(&args->align_to_words, true)) {
        align_to_words(e, context, &first, &last);
    }
    const size_t start = e->offsets[first].start, end = e->offsets[last].end;
    const struct text text = characters_slice(&state->characters, start, end);
    uint32_t *bucket = &answers->buckets[text_hash_ignoring_case(text) % BUCKETS];
    for (uint32_t i = *bucket; i > 0; i = answers->items[i - 1].next) {
        if (text_equal_ignoring_case(answers->items[i - 1].text, text)) {
            answers->items[i - 1].score += candidate.score;
            return;
        }
    }
    const uint32_t index = (uint32_t)answers->n++;
    answers->items[index] = (struct answer){candidate.score, index, *bucket, start, end, text};
    *bucket = index + 1;
}

/* Equal scores stay in the order of finding. */
static int compare_answers(const void *a, const void *b) {
    const struct answer *x = a, *y = b;
    if (x->score != y->score) {
        return x->score > y->score ? -1 : 1;
    }
    return x->index < y->index ? -1 : x->index > y->index;
}

/* The best answers, sorted; returns how many. items are the caller's to free. */
static size_t find_answers(const struct part *part, struct answer **items) {
    struct job *job = part->job;
    const struct question_answering_args *args = job->args;
    const struct question_answering_state *state = part->state;
    const size_t top_k = (size_t)arg_int(&args->top_k, 1), k = candidates_wanted(args);
    struct candidate *top = arena_alloc(&job->arena, k * sizeof(*top));
    struct answers answers = {.buckets = arena_zalloc(&job->arena, BUCKETS, sizeof(uint32_t))};
    float min_null = 1000000;
    for (size_t i = 0; i < state->n_windows; i++) {
        const size_t found = best_spans(part, &state->windows[i], k, top, &min_null);
        answers.items =
            mem_grow(answers.items, &answers.cap, answers.n + found + 1, sizeof(*answers.items));
        for (size_t j = 0; j < found; j++) {
            add_answer(part, state->windows[i].encoding, top[j], &answers);
        }
    }
    if (arg_bool(&args->handle_impossible_answer, false)) {
        const uint32_t index = (uint32_t)answers.n++;
        answers.items[index] =
            (struct answer){.score = min_null, .index = index, .text = {state->context.data, 0}};
    }
    qsort(answers.items, answers.n, sizeof(*answers.items), compare_answers);
    *items = answers.items;
    return answers.n < top_k ? answers.n : top_k;
}

static void write_answer(const struct answer *answer, struct json_out *out) {
    json_open_object(out);
    json_key(out, "score");
    json_float(out, answer->score);
    json_key(out, "start");
    json_int(out, (int64_t)answer->start);
    json_key(out, "end");
    json_int(out, (int64_t)answer->end);
    json_key(out, "answer");
    write_text(out, answer->text);
    json_close_object(out);
}

/* One answer is an object, several (or none) are a list. */
static void question_answering_write(struct part *part, struct json_out *out) {
    struct answer *answers = NULL;
    const size_t n = find_answers(part, &answers);
    if (n != 1) {
        json_open_array(out);
    }
    for (size_t i = 0; i < n; i++) {
        write_answer(&answers[i], out);
    }
    if (n != 1) {
        json_close_array(out);
    }
    mem_free(answers);
}

static const char *const question_answering_fields[] = {"question", "context", NULL};

const struct task task_question_answering = {
    .name = "question-answering",
    .summary = "the part of a text that answers a question",
    .params = question_answering_params,
    .n_params = ARRAY_LEN(question_answering_params),
    .args_size = sizeof(struct question_answering_args),
    .fields = question_answering_fields,
    .supports = question_answering_supports,
    .open = question_answering_open,
    .begin = question_answering_begin,
    .write = question_answering_write,
};
