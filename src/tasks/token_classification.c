/* Token classification: named entities and the like (`transformers`' TokenClassificationPipeline).
 * Tokens get labels; strategies join tokens to words and words to groups. With `stride` a long text
 * is read in overlapping windows, whose overlapping entities are then settled. The service groups
 * (`simple`) unless told otherwise, as its clients need it. */
#include "tasks/task.h"

#include <math.h>

enum strategy { STRATEGY_NONE, STRATEGY_SIMPLE, STRATEGY_FIRST, STRATEGY_AVERAGE, STRATEGY_MAX };

struct token_classification_args {
    struct arg aggregation_strategy, ignore_labels, stride, truncation;
    struct arg grouped_entities, ignore_subwords;
};
#define ARG(field) offsetof(struct token_classification_args, field)

static const struct param token_classification_params[] = {
    {.name = "aggregation_strategy",
     .type = PARAM_CHOICE,
     .choices = "none simple first average max",
     .preset = "\"simple\"",
     .help = "how tokens are joined to entities",
     .offset = ARG(aggregation_strategy)},
    {.name = "ignore_labels",
     .type = PARAM_STRINGS,
     .preset = "[\"O\"]",
     .help = "labels that are left out",
     .offset = ARG(ignore_labels)},
    {.name = "stride",
     .type = PARAM_INT,
     .min = 0,
     .max = 1e9,
     .help = "read a long text in windows that overlap by so many tokens",
     .offset = ARG(stride)},
    {.name = "truncation",
     .type = PARAM_TRUNCATION,
     .preset = "true",
     .help = "false: refuse an input that is too long, rather than cut it",
     .offset = ARG(truncation)},
    {.name = "grouped_entities",
     .type = PARAM_BOOL,
     .help = "old: true is simple (or first, with ignore_subwords), false is none",
     .offset = ARG(grouped_entities)},
    {.name = "ignore_subwords",
     .type = PARAM_BOOL,
     .help = "old: see grouped_entities",
     .offset = ARG(ignore_subwords)},
};

/* A token, a word or a group, on its way. */
struct entity {
    const char *word;    /* zero-terminated */
    const float *scores; /* [labels] of a token */
    uint32_t label;
    float score;
    size_t start, end; /* code points */
    size_t index;      /* of the token in its window */
    size_t order;      /* in which it was found, over all windows */
    bool is_subword;
    struct text group; /* of a group: its name */
};

struct entities {
    struct entity *items;
    size_t n;
};

struct window {
    const struct encoding *encoding;
    struct item *item;
};

struct token_classification_state {
    struct text text;
    struct characters characters;
    struct window *windows;
    size_t n_windows;
};

static enum status token_classification_supports(const struct task_model *model,
                                                 struct error *err) {
    return needs_head(model, HEAD_TOKEN, "token-classification", "token classification head", err);
}

static enum strategy strategy_of(const struct token_classification_args *args) {
    static const char *const names[] = {"none", "simple", "first", "average", "max"};
    if (args->grouped_entities.given || args->ignore_subwords.given) {
        const bool grouped = arg_bool(&args->grouped_entities, false);
        return !grouped                                  ? STRATEGY_NONE
               : arg_bool(&args->ignore_subwords, false) ? STRATEGY_FIRST
                                                         : STRATEGY_SIMPLE;
    }
    for (size_t i = 0; args->aggregation_strategy.given && i < ARRAY_LEN(names); i++) {
        if (strcasecmp(args->aggregation_strategy.text.data, names[i]) == 0) {
            return (enum strategy)i;
        }
    }
    return STRATEGY_SIMPLE;
}

static enum status token_classification_open(struct job *job, struct error *err) {
    const struct token_classification_args *args = job->args;
    if (args->ignore_labels.given && args->ignore_labels.json->len > LIMIT_IGNORED_LABELS &&
        json_is(args->ignore_labels.json, JSON_ARRAY)) {
        return ERR(err, INPUT, "ignore_labels has %u elements, at most %d are taken",
                   args->ignore_labels.json->len, LIMIT_IGNORED_LABELS);
    }
    if (!args->stride.given) {
        return STATUS_OK;
    }
    const uint32_t limit = model_limit(job->model);
    if (args->stride.integer >= limit) {
        return ERR(err, INPUT, "stride is %lld, must be less than the model's limit of %u tokens",
                   (long long)args->stride.integer, limit);
    }
    if (strategy_of(args) == STRATEGY_NONE) {
        return ERR(err, INPUT,
                   "stride reads the text in windows, which needs an "
                   "aggregation_strategy other than none");
    }
    return STATUS_OK;
}

/* ---- running ---- */

static enum status encode_windows(struct part *part, struct encoding *first, struct error *err) {
    struct job *job = part->job;
    const struct token_classification_args *args = job->args;
    const struct token_classification_state *state = part->state;
    const struct encode_options options = {
        .truncation = TRUNCATE_LONGEST_FIRST,
        .max_length = model_limit(job->model),
        .stride = (uint32_t)args->stride.integer,
        .overflow = true,
    };
    return tokenizer_encode(job->model->tokenizer, first, &job->arena, state->text.data,
                            state->text.len, NULL, 0, &options, err);
}

static enum status token_classification_begin(struct part *part, struct error *err) {
    struct job *job = part->job;
    const struct token_classification_args *args = job->args;
    struct token_classification_state *state = arena_zalloc(&job->arena, 1, sizeof(*state));
    struct encoding *first = arena_zalloc(&job->arena, 1, sizeof(*first));
    part->state = state;
    enum status status = part_text(part, part->input, "inputs", &state->text, err);
    if (status == STATUS_OK) {
        status = args->stride.given ? encode_windows(part, first, err)
                                    : part_encode(part, state->text, NULL,
                                                  fit_of(&args->truncation, NULL), first, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    state->characters = characters_of(&job->arena, state->text);
    for (const struct encoding *e = first; e; e = e->next) {
        state->n_windows++;
    }
    state->windows = arena_zalloc(&job->arena, state->n_windows, sizeof(*state->windows));
    const struct encoding *encoding = first;
    for (size_t i = 0; i < state->n_windows && status == STATUS_OK; i++) {
        status = check_encoding(part, encoding, err);
        if (status == STATUS_OK) {
            struct item *item = part_item(part, encoding);
            state->windows[i] = (struct window){encoding, item};
            status = part_want(part, item, NULL, item->n, false, true, err);
        }
        encoding = encoding->next;
    }
    return status;
}

/* ---- tokens ---- */

static bool subword(const struct part *part, const char *word, struct span span) {
    const struct token_classification_state *state = part->state;
    if (tokenizer_marks_subwords(part->job->model->tokenizer)) {
        const size_t n = utf8_count(word, strlen(word));
        const size_t end = span.end < state->characters.n ? span.end : state->characters.n;
        return n != (end > span.start ? end - span.start : 0);
    }
    if (span.start == 0) {
        return false;
    }
    const struct text around =
        characters_slice(&state->characters, span.start - 1, (size_t)span.start + 1);
    return around.len == 0 || !memchr(around.data, ' ', around.len);
}

static struct entities tokens_of(const struct part *part, const struct window *window) {
    struct job *job = part->job;
    const struct token_classification_state *state = part->state;
    const struct encoding *e = window->encoding;
    const size_t n_labels = job->model->arch->head.outputs;
    const int32_t unknown = tokenizer_special(job->model->tokenizer, TOKEN_UNK);
    struct entities tokens = {arena_zalloc(&job->arena, e->n, sizeof(*tokens.items)), 0};
    for (size_t i = 0; i < e->n; i++) {
        float *scores = window->item->logits + i * n_labels;
        if (e->special[i]) {
            continue;
        }
        ops_softmax(scores, n_labels);
        const char *word = tokenizer_token(job->model->tokenizer, e->ids[i]);
        word = word ? word : "";
        bool is_subword = subword(part, word, e->offsets[i]);
        if (e->ids[i] == unknown) {
            const struct text slice =
                characters_slice(&state->characters, e->offsets[i].start, e->offsets[i].end);
            word = arena_strndup(&job->arena, slice.data, slice.len);
            is_subword = false;
        }
        const size_t label = ops_argmax(scores, n_labels);
        tokens.items[tokens.n++] = (struct entity){
            .word = word,
            .scores = scores,
            .label = (uint32_t)label,
            .score = scores[label],
            .start = e->offsets[i].start,
            .end = e->offsets[i].end,
            .index = i,
            .is_subword = is_subword,
        };
    }
    return tokens;
}

static const char *join_words(const struct part *part, const struct entity *items, size_t n) {
    struct job *job = part->job;
    const char **words = arena_alloc(&job->arena, n * sizeof(*words));
    for (size_t i = 0; i < n; i++) {
        words[i] = items[i].word;
    }
    struct buf buf;
    buf_init(&buf, LIMIT_RESPONSE);
    tokenizer_join(job->model->tokenizer, &buf, words, n);
    const char *joined = arena_strndup(&job->arena, buf.data ? buf.data : "", buf.len);
    buf_deinit(&buf);
    return joined;
}

/* ---- words: first, average, max ---- */

static void label_by_average(const struct part *part, const struct entity *tokens, size_t n,
                             struct entity *word) {
    struct job *job = part->job;
    const size_t n_labels = job->model->arch->head.outputs;
    float *mean = arena_zalloc(&job->arena, n_labels, sizeof(*mean));
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n_labels; j++) {
            mean[j] += tokens[i].scores[j];
        }
    }
    word->label = (uint32_t)ops_argmax(mean, n_labels);
    word->score = mean[word->label] / (float)n;
}

static struct entity word_of(const struct part *part, const struct entity *tokens, size_t n,
                             enum strategy strategy) {
    struct entity word = {
        .word = join_words(part, tokens, n), .start = tokens[0].start, .end = tokens[n - 1].end};
    const struct entity *best = &tokens[0];
    for (size_t i = 1; strategy == STRATEGY_MAX && i < n; i++) {
        best = tokens[i].score > best->score ? &tokens[i] : best;
    }
    word.label = best->label;
    word.score = best->score;
    if (strategy == STRATEGY_AVERAGE) {
        label_by_average(part, tokens, n, &word);
    }
    return word;
}

static struct entities words_of(const struct part *part, struct entities tokens,
                                enum strategy strategy) {
    struct entities words = {arena_zalloc(&part->job->arena, tokens.n, sizeof(*words.items)), 0};
    for (size_t from = 0; from < tokens.n;) {
        size_t to = from + 1;
        while (to < tokens.n && tokens.items[to].is_subword) {
            to++;
        }
        words.items[words.n++] = word_of(part, tokens.items + from, to - from, strategy);
        from = to;
    }
    return words;
}

/* ---- groups ---- */

/* "B-PER": begins, PER; "I-PER": goes on, PER; anything else goes on with itself. */
static const char *tag_of(const char *label, bool *begins) {
    *begins = strncmp(label, "B-", 2) == 0;
    return *begins || strncmp(label, "I-", 2) == 0 ? label + 2 : label;
}

static struct entity group_of(const struct part *part, const struct entity *items, size_t n) {
    const char *label = model_label(part->job->model, items[0].label);
    const char *dash = strchr(label, '-');
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += items[i].score;
    }
    return (struct entity){
        .word = join_words(part, items, n),
        .group = text_of(dash ? dash + 1 : label),
        .score = (float)(sum / (double)n),
        .start = items[0].start,
        .end = items[n - 1].end,
    };
}

static struct entities groups_of(const struct part *part, struct entities items) {
    const struct task_model *model = part->job->model;
    struct entities groups = {arena_zalloc(&part->job->arena, items.n, sizeof(*groups.items)), 0};
    for (size_t from = 0; from < items.n;) {
        size_t to = from + 1;
        for (; to < items.n; to++) {
            bool begins, ignored;
            const char *tag = tag_of(model_label(model, items.items[to].label), &begins);
            const char *before = tag_of(model_label(model, items.items[to - 1].label), &ignored);
            if (begins || strcmp(tag, before) != 0) {
                break;
            }
        }
        groups.items[groups.n++] = group_of(part, items.items + from, to - from);
        from = to;
    }
    return groups;
}

/* ---- all windows ---- */

static bool is_ignored(const struct part *part, struct text label) {
    const struct token_classification_args *args = part->job->args;
    const struct json *list = args->ignore_labels.json;
    if (!args->ignore_labels.given) {
        return label.len == 1 && label.data[0] == 'O';
    }
    if (json_is(list, JSON_STRING)) {
        return list->len == label.len && memcmp(list->text, label.data, label.len) == 0;
    }
    for (uint32_t i = 0; i < list->len; i++) {
        const struct json *one = json_at(list, i);
        if (one->len == label.len && memcmp(one->text, label.data, label.len) == 0) {
            return true;
        }
    }
    return false;
}

static int compare_starts(const void *a, const void *b) {
    const struct entity *x = a, *y = b;
    if (x->start != y->start) {
        return x->start < y->start ? -1 : 1;
    }
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Of entities that overlap, the longer one stays, then the more certain one. */
static size_t settle_overlaps(struct entity *items, size_t n) {
    qsort(items, n, sizeof(*items), compare_starts);
    size_t kept = 0;
    for (size_t i = 1; i < n; i++) {
        const struct entity *before = &items[kept];
        const struct entity *item = &items[i];
        if (before->start <= item->start && item->start < before->end) {
            const size_t length = item->end - item->start, other = before->end - before->start;
            if (length > other || (length == other && item->score > before->score)) {
                items[kept] = *item;
            }
        } else {
            items[++kept] = *item;
        }
    }
    return n > 0 ? kept + 1 : 0;
}

static struct entities entities_of(const struct part *part, enum strategy strategy) {
    const struct token_classification_state *state = part->state;
    struct entities all = {NULL, 0};
    size_t cap = 0;
    for (size_t i = 0; i < state->n_windows; i++) {
        cap += state->windows[i].encoding->n;
    }
    all.items = arena_alloc(&part->job->arena, (cap + 1) * sizeof(*all.items));
    for (size_t i = 0; i < state->n_windows; i++) {
        struct entities found = tokens_of(part, &state->windows[i]);
        if (strategy > STRATEGY_SIMPLE) {
            found = words_of(part, found, strategy);
        }
        if (strategy != STRATEGY_NONE) {
            found = groups_of(part, found);
        }
        for (size_t j = 0; j < found.n; j++) {
            struct entity *entity = &found.items[j];
            if (strategy == STRATEGY_NONE) {
                entity->group = text_of(model_label(part->job->model, entity->label));
            }
            if (!is_ignored(part, entity->group)) {
                entity->order = all.n;
                all.items[all.n++] = *entity;
            }
        }
    }
    if (state->n_windows > 1) {
        all.n = settle_overlaps(all.items, all.n);
    }
    return all;
}

static void token_classification_write(struct part *part, struct json_out *out) {
    const enum strategy strategy = strategy_of(part->job->args);
    const struct entities entities = entities_of(part, strategy);
    json_open_array(out);
    for (size_t i = 0; i < entities.n; i++) {
        const struct entity *entity = &entities.items[i];
        json_open_object(out);
        json_key(out, strategy == STRATEGY_NONE ? "entity" : "entity_group");
        write_text(out, entity->group);
        json_key(out, "score");
        json_float(out, entity->score);
        if (strategy == STRATEGY_NONE) {
            json_key(out, "index");
            json_int(out, (int64_t)entity->index);
        }
        json_key(out, "word");
        json_string(out, entity->word);
        json_key(out, "start");
        json_int(out, (int64_t)entity->start);
        json_key(out, "end");
        json_int(out, (int64_t)entity->end);
        json_close_object(out);
    }
    json_close_array(out);
}

static const char *const token_classification_aliases[] = {"ner", NULL};

const struct task task_token_classification = {
    .name = "token-classification",
    .aliases = token_classification_aliases,
    .summary = "labels of the words of a text: names, places, parts of speech",
    .params = token_classification_params,
    .n_params = ARRAY_LEN(token_classification_params),
    .args_size = sizeof(struct token_classification_args),
    .supports = token_classification_supports,
    .open = token_classification_open,
    .begin = token_classification_begin,
    .write = token_classification_write,
};
