/* The library's front: making and ending a runtime, and the small things of include/brisk.h. What
 * happens to a request is in ticket.c. */
#include "runtime/state.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define VERSION "0.1.0"

/* Share of the machine's memory that models may have when nothing is said. */
#define MEMORY_SHARE 0.8

const char *brisk_version(void) {
    return VERSION;
}

static void give_error(const struct error *err, char *error, size_t error_size) {
    if (error_size > 0)
        snprintf(error, error_size, "%s", err->text);
}

static enum status read_options(struct brisk *brisk, const struct brisk_options *options,
                                struct error *err) {
    if (!precision_choice_parse(options->precision, &brisk->precision))
        return ERR(err, INPUT, "precision \"%s\" is not known, must be auto, fp32, bf16, int8 or int4",
                   options->precision);
    if (options->threads > LIMIT_THREADS)
        return ERR(err, INPUT, "threads is %u, must be at most %d", options->threads,
                   LIMIT_THREADS);
    brisk->memory_bytes = options->memory_bytes > 0
                              ? options->memory_bytes
                              : (size_t)((double)system_memory() * MEMORY_SHARE);
    brisk->speculate = !options->no_speculation;
    brisk->reuse = !options->no_prefix_reuse;
    brisk->held_limit = system_memory() / 100 * LIMIT_HELD_PERCENT;
    brisk->load_wait_s =
        options->load_wait_s > 0 ? options->load_wait_s : (double)LIMIT_LOAD_WAIT_SECONDS;
    return repos_init(&brisk->repos, options->model_folders, !options->only_repositories, err);
}

/* One that cannot be had is told and done without. */
static void open_packed(struct brisk *brisk, const struct brisk_options *options) {
    const struct packed_options packed = {.folder = options->cache_folder,
                                          .max_bytes = options->cache_bytes};
    struct error err = {0};
    if (packed.folder != NULL && packed_cache_create(&brisk->packed, &packed, &err) != STATUS_OK)
        log_warn("no packed cache: %s", err.text);
}

static enum status start(struct brisk *brisk, const struct brisk_options *options,
                         struct error *err) {
    if (read_options(brisk, options, err) != STATUS_OK)
        return STATUS_ERROR;
    const uint32_t threads = options->threads > 0 ? options->threads : system_cores();
    if (team_create(&brisk->team, threads, err) != STATUS_OK ||
        scheduler_create(&brisk->scheduler, brisk->team, err) != STATUS_OK)
        return STATUS_ERROR;
    open_packed(brisk, options);
    const struct shelf_options shelf = {
        .repos = &brisk->repos,
        .team = brisk->team,
        .precision = brisk->precision,
        .memory_bytes = brisk->memory_bytes,
        .page_bytes = brisk->memory_bytes / 4,
        .packed = brisk->packed,
    };
    if (shelf_create(&brisk->shelf, &shelf, err) != STATUS_OK)
        return STATUS_ERROR;
    return workers_create(&brisk->workers, threads, err);
}

static void end(struct brisk *brisk) {
    workers_destroy(brisk->workers);
    scheduler_destroy(brisk->scheduler);
    shelf_destroy(brisk->shelf);
    packed_cache_destroy(brisk->packed);
    team_destroy(brisk->team);
    answers_destroy(brisk->answers);
    repos_deinit(&brisk->repos);
    condition_deinit(&brisk->idle);
    lock_deinit(&brisk->lock);
    mem_free(brisk);
}

int brisk_create(struct brisk **out, const struct brisk_options *options, char *error,
                 size_t error_size) {
    static const struct brisk_options defaults;
    struct brisk *brisk = mem_zalloc(1, sizeof(*brisk));
    struct error err = {0};
    lock_init(&brisk->lock);
    condition_init(&brisk->idle);
    brisk->started_ns = clock_now_ns();
    brisk->answers = answers_create(LIMIT_CACHE_BYTES);
    if (start(brisk, options == NULL ? &defaults : options, &err) != STATUS_OK) {
        end(brisk);
        give_error(&err, error, error_size);
        return error_exit_code(err.code);
    }
    *out = brisk;
    return 0;
}

/* Waits until no request is on its way, or until the clock says so. */
static void wait_idle(struct brisk *brisk, uint64_t until_ns) {
    lock_take(&brisk->lock);
    brisk->draining = true;
    while (brisk->active > 0 && clock_now_ns() < until_ns)
        condition_wait_until(&brisk->idle, &brisk->lock, until_ns);
    lock_drop(&brisk->lock);
}

void brisk_drain(struct brisk *brisk, double timeout_s) {
    shelf_hurry(brisk->shelf);
    wait_idle(brisk, clock_now_ns() + (uint64_t)(timeout_s * 1e9));
}

void brisk_destroy(struct brisk *brisk) {
    if (brisk == NULL)
        return;
    /* Requests have deadlines of their own, so this ends. */
    wait_idle(brisk, clock_now_ns() + (uint64_t)LIMIT_REQUEST_SECONDS * 2000000000ull);
    end(brisk);
}

int brisk_model_load(struct brisk *brisk, const char *model,
                     void (*progress)(void *user, double share), void *user, char *error,
                     size_t error_size) {
    struct error err = {0};
    if (shelf_load(brisk->shelf, model, progress, user, &err) == STATUS_OK)
        return 0;
    give_error(&err, error, error_size);
    return error_exit_code(err.code);
}

/* ---- answers ---- */

void answer_from_buf(struct brisk_answer *answer, struct buf *buf) {
    *answer = (struct brisk_answer){.status = 200};
    buf_putc(buf, '\0'); /* never NULL, even when nothing was written */
    buf->len -= buf->len > 0;
    size_t len = 0;
    answer->body = buf_take(buf, &len);
    answer->body_len = len;
}

void answer_from_error(struct brisk_answer *answer, const struct error *err) {
    struct buf buf;
    buf_init(&buf, 8 * LIMIT_ERROR_TEXT);
    struct json_out out = json_out_begin(&buf);
    json_open_object(&out);
    json_key(&out, "error");
    json_string(&out, err->text);
    if (err->code == ERROR_LOADING) {
        json_key(&out, "estimated_time");
        json_double(&out, err->estimated_time_s);
    }
    json_close_object(&out);
    answer_from_buf(answer, &buf);
    answer->status = error_http_status(err->code);
    answer->exit_code = error_exit_code(err->code);
}

void brisk_answer_free(struct brisk_answer *answer) {
    mem_free((char *)answer->body);
    *answer = (struct brisk_answer){0};
}
