/* Measuring one model from inside: random tokens go through the scheduler as requests' items do,
 * without JSON, tokenizer and HTTP. For `brisk bench`. */
#include "runtime/state.h"

#include <string.h>

#include "base/banned.h"

#define BENCH_REPEAT     5
#define BENCH_REPEAT_MAX 10000
#define BENCH_WARM_UP    2

struct bench {
    struct brisk *brisk;
    struct loaded *loaded;
    uint32_t prompt_tokens, new_tokens, batch, repeat;
    bool speculate;
    struct arena arena; /* of one round */
    struct lock lock;
    struct condition finished;
    bool done; /* guarded by lock */
    struct error error;
};

static void bench_finished(struct run *run) {
    struct bench *bench = (struct bench *)((char *)run->arena - offsetof(struct bench, arena));
    lock_take(&bench->lock);
    bench->done = true;
    condition_wake_one(&bench->finished);
    lock_drop(&bench->lock);
}

static const int32_t *random_tokens(struct arena *arena, struct random *random, uint32_t vocab_size,
                                    uint32_t n) {
    int32_t *tokens = arena_alloc(arena, n * sizeof(*tokens));
    for (uint32_t i = 0; i < n; i++)
        tokens[i] = (int32_t)(random_next(random) % vocab_size);
    return tokens;
}

/* Greedy, so many tokens whatever they are. */
static const struct generation_config *bench_config(struct arena *arena, uint32_t new_tokens) {
    struct generation_config *config = arena_zalloc(arena, 1, sizeof(*config));
    generation_config_default(config);
    config->max_new_tokens = config->min_new_tokens = new_tokens;
    config->n_eos = 0;
    return config;
}

static struct item *make_item(struct bench *bench, struct random *random, uint32_t new_tokens) {
    const struct arch *arch = &bench->loaded->arch;
    const struct stack_spec *stack = &arch->stacks[ARCH_TEXT_STACK];
    struct item *item = arena_zalloc(&bench->arena, 1, sizeof(*item));
    item->tokens = random_tokens(&bench->arena, random, stack->vocab_size, bench->prompt_tokens);
    item->n = bench->prompt_tokens;
    if (arch_has_decoder(arch)) {
        int32_t *start = arena_zalloc(&bench->arena, 1, sizeof(*start));
        *start = arch->decoder_start >= 0 ? arch->decoder_start : 0;
        item->decoder_tokens = start;
        item->n_decoder = 1;
    }
    if (new_tokens > 0) {
        item->kind = ITEM_GENERATE;
        item->config = bench_config(&bench->arena, new_tokens);
        return item;
    }
    const struct stack_spec *last = arch_last(arch);
    uint32_t *row = arena_zalloc(&bench->arena, 1, sizeof(*row));
    item->rows = row;
    item->n_rows = 1;
    item->hidden = arena_zalloc(&bench->arena, stack_out_size(last), sizeof(float));
    if (arch->head.kind != HEAD_NONE)
        item->logits = arena_zalloc(&bench->arena, arch->head.outputs, sizeof(float));
    return item;
}

/* Seconds of one round of `batch` texts; negative: bench->error says why not. */
static double round_seconds(struct bench *bench, uint32_t new_tokens, uint64_t seed) {
    struct random random = {.seed = seed};
    struct item *items = NULL;
    for (uint32_t i = 0; i < bench->batch; i++) {
        struct item *item = make_item(bench, &random, new_tokens);
        item->next = items;
        items = item;
    }
    static const atomic_bool never;
    struct run run = {
        .loaded = bench->loaded,
        .arena = &bench->arena,
        .items = items,
        .deadline_ns = UINT64_MAX,
        .speculate = bench->speculate,
        .cancelled = &never,
        .finished = bench_finished,
    };
    bench->done = false;
    const uint64_t start = clock_now_ns();
    if (scheduler_submit(bench->brisk->scheduler, &run, &bench->error) != STATUS_OK)
        return -1;
    lock_take(&bench->lock);
    while (!bench->done)
        condition_wait(&bench->finished, &bench->lock);
    lock_drop(&bench->lock);
    const double seconds = clock_seconds_since(start);
    arena_reset(&bench->arena);
    bench->error = run.error;
    return run.error.code == ERROR_NONE ? seconds : -1;
}

/* Sorted seconds of all counted rounds. */
static bool measure(struct bench *bench, uint32_t new_tokens, double *seconds) {
    for (uint32_t i = 0; i < bench->repeat + BENCH_WARM_UP; i++) {
        const double s = round_seconds(bench, new_tokens, i + 1);
        if (s < 0)
            return false;
        if (i < BENCH_WARM_UP)
            continue;
        uint32_t at = i - BENCH_WARM_UP;
        while (at > 0 && seconds[at - 1] > s) {
            seconds[at] = seconds[at - 1];
            at--;
        }
        seconds[at] = s;
    }
    return true;
}

static double percentile(const double *sorted, uint32_t n, double share) {
    const uint32_t i = (uint32_t)((n - 1) * share + 0.5);
    return sorted[i < n ? i : n - 1];
}

static void figure(struct json_out *out, const char *key, double value) {
    json_key(out, key);
    json_double(out, (double)(int64_t)(value * 1000 + 0.5) / 1000);
}

static void write_latency(struct json_out *out, const char *key, const double *sorted, uint32_t n) {
    json_key(out, key);
    json_open_object(out);
    figure(out, "min", sorted[0] * 1e3);
    figure(out, "p50", percentile(sorted, n, 0.5) * 1e3);
    figure(out, "p90", percentile(sorted, n, 0.9) * 1e3);
    figure(out, "p99", percentile(sorted, n, 0.99) * 1e3);
    figure(out, "max", sorted[n - 1] * 1e3);
    json_close_object(out);
}

static void write_rates(struct json_out *out, const struct bench *bench, const double *prompt,
                        const double *whole) {
    const double prompt_s = percentile(prompt, bench->repeat, 0.5);
    figure(out, "prompt_tokens_per_s", bench->batch * bench->prompt_tokens / prompt_s);
    if (bench->new_tokens < 2)
        return;
    const double decode_s = percentile(whole, bench->repeat, 0.5) - prompt_s;
    const double steps = bench->new_tokens - 1;
    const struct arch *arch = &bench->loaded->arch;
    const uint32_t stack = arch->decoder_stack;
    const size_t bytes = model_weight_bytes_per_token(bench->loaded->model, stack);
    figure(out, "new_tokens_per_s", bench->batch * steps / decode_s);
    json_key(out, "weight_bytes_per_step");
    json_int(out, (int64_t)bytes);
    figure(out, "weight_gb_per_s", (double)bytes * steps / decode_s * 1e-9);
}

static void write_bench(struct json_out *out, const struct bench *bench, const double *prompt,
                        const double *whole) {
    json_open_object(out);
    json_key(out, "model");
    json_string(out, bench->loaded->task_model.id);
    json_key(out, "family");
    json_string(out, bench->loaded->arch.family);
    json_key(out, "precision");
    json_string(out, precision_name(model_precision(bench->loaded->model)));
    const struct {
        const char *key;
        int64_t value;
    } rows[] = {{"threads", team_threads(bench->brisk->team)},
                {"parameters", (int64_t)bench->loaded->parameters},
                {"memory_bytes", (int64_t)bench->loaded->bytes},
                {"prompt_tokens", bench->prompt_tokens},
                {"new_tokens", bench->new_tokens},
                {"batch", bench->batch},
                {"repeat", bench->repeat}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_key(out, rows[i].key);
        json_int(out, rows[i].value);
    }
    write_latency(out, "latency_ms", whole, bench->repeat);
    if (bench->new_tokens > 0)
        write_latency(out, "first_token_ms", prompt, bench->repeat);
    write_rates(out, bench, prompt, whole);
    json_close_object(out);
}

static enum status bench_run(struct bench *bench, struct buf *buf, struct error *err) {
    double *prompt = mem_zalloc(2 * (size_t)bench->repeat, sizeof(double));
    double *whole = prompt + bench->repeat;
    bool ok = measure(bench, bench->new_tokens > 0 ? 1 : 0, prompt);
    if (ok && bench->new_tokens > 1)
        ok = measure(bench, bench->new_tokens, whole);
    else
        memcpy(whole, prompt, bench->repeat * sizeof(*whole));
    if (ok) {
        struct json_out out = json_out_begin(buf);
        write_bench(&out, bench, prompt, whole);
    } else {
        *err = bench->error;
    }
    mem_free(prompt);
    return ok ? STATUS_OK : STATUS_ERROR;
}

static enum status bench_options(struct bench *bench, const struct brisk_bench *options,
                                 struct error *err) {
    bench->prompt_tokens = options->prompt_tokens > 0 ? options->prompt_tokens : 16;
    bench->new_tokens = options->new_tokens;
    bench->speculate = options->speculate;
    bench->batch = options->batch > 0 ? options->batch : 1;
    bench->repeat = options->repeat > 0 ? options->repeat : BENCH_REPEAT;
    if (bench->batch > LIMIT_BATCH_SEQS || bench->repeat > BENCH_REPEAT_MAX)
        return ERR(err, INPUT, "batch is %u and repeat %u, must be at most %d and %d", bench->batch,
                   bench->repeat, LIMIT_BATCH_SEQS, BENCH_REPEAT_MAX);
    if (bench->prompt_tokens > LIMIT_POSITIONS || bench->new_tokens > LIMIT_POSITIONS)
        return ERR(err, INPUT, "more tokens than any model reads: %u and %u", bench->prompt_tokens,
                   bench->new_tokens);
    return STATUS_OK;
}

void brisk_bench(struct brisk *brisk, const struct brisk_bench *options,
                 struct brisk_answer *answer) {
    struct bench bench = {.brisk = brisk};
    struct error err = {0};
    struct buf buf;
    struct shelf_entry *entry = NULL;
    lock_init(&bench.lock);
    condition_init(&bench.finished);
    buf_init(&buf, LIMIT_RESPONSE);
    enum status status = bench_options(&bench, options, &err);
    if (status == STATUS_OK)
        status = shelf_load(brisk->shelf, options->model, NULL, NULL, &err);
    if (status == STATUS_OK)
        status = shelf_hold(brisk->shelf, options->model, &entry, &bench.loaded, &err);
    if (status == STATUS_OK)
        status = bench_run(&bench, &buf, &err);
    if (entry != NULL)
        shelf_release(brisk->shelf, entry);
    if (status == STATUS_OK)
        answer_from_buf(answer, &buf);
    else
        answer_from_error(answer, &err);
    buf_deinit(&buf);
    arena_deinit(&bench.arena);
    condition_deinit(&bench.finished);
    lock_deinit(&bench.lock);
}
