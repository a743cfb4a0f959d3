/* Counting answers, and the Prometheus text of all that the runtime counts. What HTTP counts is the
 * server's. */
#include "runtime/state.h"

#include "base/banned.h"

static const double bounds_s[FIGURES_BOUNDS] = {0.001, 0.0025, 0.005, 0.01, 0.025,
                                                0.1,   0.5,    1,     5,    30};

static void add(_Atomic uint64_t *figure, uint64_t n) {
    atomic_fetch_add_explicit(figure, n, memory_order_relaxed);
}

static unsigned long long get(const _Atomic uint64_t *figure) {
    return atomic_load_explicit(figure, memory_order_relaxed);
}

void figures_count(struct figures *figures, const struct figures_answer *answer) {
    add(&figures->requests, 1);
    if (answer->status == 200)
        add(&figures->ok, 1);
    else if (answer->status == 499)
        add(&figures->cancelled, 1);
    else if (answer->status < 500)
        add(&figures->client_errors, 1);
    else
        add(&figures->server_errors, 1);
    add(&figures->cached, answer->cached);
    add(&figures->characters, answer->characters);
    add(&figures->prompt_tokens, answer->prompt_tokens);
    add(&figures->generated_tokens, answer->generated_tokens);
    add(&figures->truncated_tokens, answer->truncated_tokens);
    add(&figures->time_ns, (uint64_t)(answer->time_s * 1e9));
    add(&figures->queue_ns, (uint64_t)(answer->queue_s * 1e9));
    size_t i = 0;
    while (i < FIGURES_BOUNDS && answer->time_s > bounds_s[i])
        i++;
    add(&figures->bounds[i], 1);
}

static void head(struct buf *buf, const char *name, const char *type, const char *help) {
    buf_printf(buf, "# HELP brisk_%s %s\n# TYPE brisk_%s %s\n", name, help, name, type);
}

static void whole(struct buf *buf, const char *name, const char *type, unsigned long long value,
                  const char *help) {
    head(buf, name, type, help);
    buf_printf(buf, "brisk_%s %llu\n", name, value);
}

static void seconds(struct buf *buf, const char *name, const char *type, double value,
                    const char *help) {
    head(buf, name, type, help);
    buf_printf(buf, "brisk_%s %.6f\n", name, value);
}

static void write_requests(struct buf *buf, const struct figures *figures) {
    const struct {
        const char *outcome;
        const _Atomic uint64_t *figure;
    } rows[] = {{"ok", &figures->ok},
                {"client_error", &figures->client_errors},
                {"server_error", &figures->server_errors},
                {"cancelled", &figures->cancelled}};
    head(buf, "requests_total", "counter", "Inference requests answered, by outcome.");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        buf_printf(buf, "brisk_requests_total{outcome=\"%s\"} %llu\n", rows[i].outcome,
                   get(rows[i].figure));
    whole(buf, "cache_hits_total", "counter", get(&figures->cached),
          "Requests answered from the response cache.");
    whole(buf, "characters_total", "counter", get(&figures->characters),
          "Code points of the inputs.");
    whole(buf, "prompt_tokens_total", "counter", get(&figures->prompt_tokens),
          "Tokens of the inputs.");
    whole(buf, "answer_tokens_total", "counter", get(&figures->generated_tokens),
          "Tokens generated in answers.");
    whole(buf, "truncated_tokens_total", "counter", get(&figures->truncated_tokens),
          "Tokens cut off inputs that were too long.");
    seconds(buf, "queue_seconds_total", "counter", (double)get(&figures->queue_ns) * 1e-9,
            "Time that requests waited for their first pass.");
    head(buf, "request_seconds", "histogram", "Time from taking a request to its answer.");
    unsigned long long sum = 0;
    for (size_t i = 0; i < FIGURES_BOUNDS; i++) {
        sum += get(&figures->bounds[i]);
        buf_printf(buf, "brisk_request_seconds_bucket{le=\"%g\"} %llu\n", bounds_s[i], sum);
    }
    sum += get(&figures->bounds[FIGURES_BOUNDS]);
    buf_printf(buf, "brisk_request_seconds_bucket{le=\"+Inf\"} %llu\n", sum);
    buf_printf(buf, "brisk_request_seconds_sum %.6f\nbrisk_request_seconds_count %llu\n",
               (double)get(&figures->time_ns) * 1e-9, sum);
}

static void write_scheduler(struct buf *buf, const struct scheduler_figures *figures) {
    whole(buf, "passes_total", "counter", figures->passes, "Forward passes.");
    whole(buf, "pass_rows_total", "counter", figures->rows, "Tokens that went through passes.");
    whole(buf, "pass_segments_total", "counter", figures->segments,
          "Sequences that went through passes.");
    whole(buf, "steps_total", "counter", figures->generated_tokens,
          "Decode steps of sequences, beams included.");
    whole(buf, "proposed_tokens_total", "counter", figures->proposed_tokens,
          "Tokens that speculation proposed in them.");
    whole(buf, "accepted_tokens_total", "counter", figures->accepted_tokens,
          "Those of them that the models chose, too.");
    whole(buf, "reused_tokens_total", "counter", figures->reused_tokens,
          "Tokens of prompts that were read for earlier texts.");
    whole(buf, "items_total", "counter", figures->items, "Texts run to their end.");
    seconds(buf, "busy_seconds_total", "counter", figures->busy_s,
            "Time that the compute team ran passes.");
    whole(buf, "queued_items", "gauge", figures->queued_items, "Texts waiting or running.");
}

static void write_models(struct buf *buf, struct brisk *brisk) {
    const struct shelf_figures figures = shelf_figures(brisk->shelf);
    whole(buf, "models_loaded", "gauge", figures.models, "Models in memory.");
    whole(buf, "models_bytes", "gauge", figures.bytes, "Their weights and scratch.");
    whole(buf, "models_limit_bytes", "gauge", brisk->memory_bytes, "Most bytes for models.");
    whole(buf, "model_loads_total", "counter", figures.loads, "Models loaded.");
    whole(buf, "model_load_failures_total", "counter", figures.load_failures,
          "Models that could not be loaded.");
    whole(buf, "model_evictions_total", "counter", figures.evictions,
          "Models unloaded to make room.");
    whole(buf, "requests_held", "gauge", figures.held, "Requests that wait for a cold model.");
}

static void write_packed(struct buf *buf, struct packed_cache *cache) {
    const struct packed_figures figures = packed_cache_figures(cache);
    whole(buf, "packed_hits_total", "counter", figures.hits,
          "Models mapped from the packed cache.");
    whole(buf, "packed_misses_total", "counter", figures.misses,
          "Models that the packed cache did not have.");
    whole(buf, "packed_damaged_total", "counter", figures.damaged,
          "Files of the packed cache found damaged.");
    whole(buf, "packed_stored_total", "counter", figures.stored,
          "Models written to the packed cache.");
    whole(buf, "packed_evicted_total", "counter", figures.evicted,
          "Files removed from the packed cache to stay within its limit.");
}

void brisk_metrics(struct brisk *brisk, struct brisk_answer *answer) {
    struct buf buf;
    buf_init(&buf, LIMIT_RESPONSE);
    write_requests(&buf, &brisk->figures);
    const struct scheduler_figures figures = scheduler_figures(brisk->scheduler);
    write_scheduler(&buf, &figures);
    write_models(&buf, brisk);
    if (brisk->packed != NULL)
        write_packed(&buf, brisk->packed);
    lock_take(&brisk->lock);
    const size_t active = brisk->active, held_bytes = brisk->held_bytes;
    lock_drop(&brisk->lock);
    whole(&buf, "requests_active", "gauge", active, "Requests taken and not yet answered.");
    whole(&buf, "requests_bytes", "gauge", held_bytes,
          "Memory of their parsed bodies, items and outputs.");
    whole(&buf, "cache_bytes", "gauge", answers_bytes(brisk->answers),
          "Bytes of the response cache.");
    whole(&buf, "resident_bytes", "gauge", system_rss(), "Resident memory of the process.");
    seconds(&buf, "uptime_seconds", "gauge", clock_seconds_since(brisk->started_ns),
            "Time since start.");
    answer_from_buf(answer, &buf);
}
