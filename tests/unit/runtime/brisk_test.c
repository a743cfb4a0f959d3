/* The library as its callers see it: answers, the response cache, cancelling, deadlines, cold and
 * broken models, too little memory, draining, and what is told of models. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/state.h"
#include "unit/runtime/folder.h"
#include "unit/runtime/goldens.h"

#define CLASSIFIER "bert/text-classification"
#define WRITER     "gpt2/text-generation"

#define CONFIG_FILE "org/model/config.json"

static struct brisk *runtime_of(const char *folder, size_t memory_bytes, double load_wait_s) {
    struct brisk *brisk = NULL;
    char error[LIMIT_ERROR_TEXT];
    const char *const folders[] = {folder, NULL};
    const struct brisk_options options = {.model_folders = folders,
                                          .precision = "fp32",
                                          .threads = 2,
                                          .memory_bytes = memory_bytes,
                                          .load_wait_s = load_wait_s};
    if (brisk_create(&brisk, &options, error, sizeof(error)) != 0)
        fail_msg("%s", error);
    return brisk;
}

static struct brisk_request request_of(const char *model, const char *body) {
    return (struct brisk_request){
        .model = model, .body = body, .body_len = strlen(body), .no_cache = true};
}

static struct brisk_answer ask(struct brisk *brisk, const char *model, const char *body) {
    const struct brisk_request request = request_of(model, body);
    struct brisk_answer answer = {0};
    brisk_run(brisk, &request, &answer);
    return answer;
}

static void expect(struct brisk_answer *answer, int status, const char *part) {
    if (answer->status != status || strstr(answer->body, part) == NULL)
        fail_msg("wanted %d with \"%s\", got %d: %.300s", status, part, answer->status,
                 answer->body);
    brisk_answer_free(answer);
}

/* The value of a counter in the metrics. */
static double figure(struct brisk *brisk, const char *name) {
    struct brisk_answer answer = {0};
    brisk_metrics(brisk, &answer);
    char line[128];
    snprintf(line, sizeof(line), "\nbrisk_%s ", name);
    const char *at = strstr(answer.body, line);
    if (at == NULL)
        fail_msg("no figure %s", name);
    const double value = strtod(at + strlen(line), NULL);
    brisk_answer_free(&answer);
    return value;
}

/* ---- answers ---- */

static void errors_have_their_status(void **state) {
    static const struct {
        const char *model, *task, *body;
        int status;
        const char *text;
    } rows[] = {
        {CLASSIFIER, NULL, "{\"inputs\":\"fine\"}", 200, "label"},
        {CLASSIFIER, "sentiment-analysis", "{\"inputs\":\"fine\"}", 200, "label"},
        {CLASSIFIER, NULL, "{\"inputs\":", 400, "invalid JSON"},
        {CLASSIFIER, NULL, "", 400, "empty"},
        {CLASSIFIER, NULL, "{}", 400, "inputs"},
        {CLASSIFIER, NULL, "{\"inputs\":\"\\ud800\"}", 400, "invalid JSON"},
        {CLASSIFIER, NULL, "{\"inputs\":\"x\",\"parameters\":{\"top_k\":\"no\"}}", 400, "top_k"},
        {CLASSIFIER, NULL, "{\"inputs\":\"x\",\"parameters\":{\"foo\":1}}", 200, "label"},
        {CLASSIFIER, "fill-mask", "{\"inputs\":\"x\"}", 400, "fill-mask"},
        {CLASSIFIER, "no-such-task", "{\"inputs\":\"x\"}", 400, "no-such-task"},
        {"no/model", NULL, "{\"inputs\":\"x\"}", 404, "Model no/model does not exist"},
        {"../golden/bert/cased", NULL, "{\"inputs\":\"x\"}", 404, "does not exist"},
    };
    struct brisk *brisk = runtime_of(GOLDEN_FOLDER, 0, 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct brisk_request request = request_of(rows[i].model, rows[i].body);
        struct brisk_answer answer = {0};
        request.task = rows[i].task;
        brisk_run(brisk, &request, &answer);
        expect(&answer, rows[i].status, rows[i].text);
    }
    brisk_destroy(brisk);
}

static void cached_when_deterministic(void **state) {
    static const struct {
        const char *model, *body;
        bool no_cache;
        const char *compute_type; /* of asking again */
    } rows[] = {
        {CLASSIFIER, "{\"inputs\":\"good\"}", false, "cache"},
        {CLASSIFIER, "{ \"inputs\" : \"good\", \"options\": {\"wait_for_model\": true} }", false,
         "cache"},
        {CLASSIFIER, "{\"inputs\":\"good\"}", true, "cpu"},
        {CLASSIFIER, "{\"inputs\":\"good\",\"options\":{\"use_cache\":false}}", false, "cpu"},
        {WRITER, "{\"inputs\":\"The\",\"parameters\":{\"max_new_tokens\":4}}", false, "cache"},
        {WRITER, "{\"inputs\":\"The\",\"parameters\":{\"max_new_tokens\":4,\"do_sample\":true}}",
         false, "cpu"},
    };
    struct brisk *brisk = runtime_of(GOLDEN_FOLDER, 0, 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct brisk_request request = request_of(rows[i].model, rows[i].body);
        request.no_cache = rows[i].no_cache;
        struct brisk_answer first = {0}, second = {0};
        brisk_run(brisk, &request, &first);
        brisk_run(brisk, &request, &second);
        assert_int_equal(first.status, 200);
        if (strcmp(second.compute_type, rows[i].compute_type) != 0)
            fail_msg("%s: %s", rows[i].body, second.compute_type);
        if (strcmp(second.compute_type, "cache") == 0) {
            assert_string_equal(first.body, second.body);
            assert_int_equal(first.characters, second.characters);
        }
        brisk_answer_free(&first);
        brisk_answer_free(&second);
    }
    brisk_destroy(brisk);
}

static void facts_are_told(void **state) {
    struct brisk *brisk = runtime_of(GOLDEN_FOLDER, 0, 0);
    struct brisk_answer answer =
        ask(brisk, WRITER, "{\"inputs\":\"The é\",\"parameters\":{\"max_new_tokens\":3}}");
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.characters, 5);
    assert_true(answer.prompt_tokens > 0);
    assert_int_equal(answer.generated_tokens, 3);
    assert_string_equal(answer.precision, "fp32");
    assert_true(answer.compute_time_s > 0 && answer.load_time_s > 0);
    brisk_answer_free(&answer);
    brisk_destroy(brisk);
}

/* Writes the golden with members in front of those that its config.json has. */
static void copy_with_config(struct folder *folder, const char *golden, const char *members) {
    char *text = NULL;
    size_t len = 0;
    struct error err = {0};
    folder_copy(folder, golden, "org/model");
    assert_int_equal(file_read(&text, &len, &folder->arena, folder_path(folder, CONFIG_FILE),
                               LIMIT_CONFIG_FILE, &err),
                     STATUS_OK);
    const char *open = memchr(text, '{', len);
    assert_non_null(open);
    folder_write(folder, CONFIG_FILE,
                 arena_printf(&folder->arena, "{%s,%.*s", members,
                              (int)(len - (size_t)(open + 1 - text)), open + 1));
}

/* The cache must not give the one's answer to the other, either. */
static void tasks_run_under_the_name_asked_for(void **state) {
    static const struct {
        const char *task;
        size_t tokens;
    } rows[] = {{"translation_en_to_fr", 3}, {"translation_en_to_de", 5}};
    struct folder folder;
    folder_make(&folder);
    copy_with_config(&folder, GOLDEN_FOLDER "/bart/summarization",
                     "\"task_specific_params\":{"
                     "\"translation_en_to_fr\":{\"max_new_tokens\":3,\"min_new_tokens\":3},"
                     "\"translation_en_to_de\":{\"max_new_tokens\":5,\"min_new_tokens\":5}}");
    struct brisk *brisk = runtime_of(folder.path, 0, 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct brisk_request request = request_of("org/model", "{\"inputs\":\"The one\"}");
        struct brisk_answer answer = {0};
        request.task = rows[i].task;
        request.no_cache = false;
        brisk_run(brisk, &request, &answer);
        assert_int_equal(answer.generated_tokens, rows[i].tokens);
        expect(&answer, 200, "translation_text");
    }
    brisk_destroy(brisk);
    folder_remove(&folder);
}

/* As if another request were on its way, or no longer. */
static void another_request(struct brisk *brisk, bool there) {
    lock_take(&brisk->lock);
    brisk->active += there ? 1 : (size_t)-1;
    lock_drop(&brisk->lock);
}

/* A tree is many times its text, and outputs are none of its bytes: both count. What is too much
 * beside others is taken alone. */
static void memory_of_requests_is_bounded(void **state) {
    static const struct {
        const char *element;
        size_t count, limit;
        int status; /* when it is alone */
    } rows[] = {
        {"0", 200000, 4 * MiB, 413}, /* the tree: refused only after it was parsed */
        {"\"a b c d e f g h\"", 500, 400 * KiB, 200}, /* the job: the tree is below */
    };
    struct brisk *brisk = runtime_of(GOLDEN_FOLDER, 0, 0);
    assert_true(brisk->held_limit > LIMIT_BODY);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf body;
        buf_init(&body, LIMIT_BODY);
        buf_puts(&body, "{\"inputs\":[");
        for (size_t k = 0; k < rows[i].count; k++)
            buf_printf(&body, "%s%s", k == 0 ? "" : ",", rows[i].element);
        buf_puts(&body, "]}");
        buf_putc(&body, '\0');
        brisk->held_limit = rows[i].limit;
        another_request(brisk, true);
        struct brisk_answer answer = ask(brisk, "bert/feature-extraction", body.data);
        expect(&answer, 503, "memory");
        assert_int_equal(brisk->held_bytes, 0);
        another_request(brisk, false);
        answer = ask(brisk, "bert/feature-extraction", body.data);
        expect(&answer, rows[i].status, "");
        assert_int_equal(brisk->held_bytes, 0);
        buf_deinit(&body);
    }
    assert_true(figure(brisk, "requests_bytes") == 0);
    brisk_destroy(brisk);
}

/* ---- leaving ---- */

struct seen { /* what `done` was told */
    struct lock lock;
    struct condition changed;
    size_t n, statuses[600]; /* guarded by lock */
};

static void seen_init(struct seen *seen) {
    *seen = (struct seen){0};
    lock_init(&seen->lock);
    condition_init(&seen->changed);
}

static void seen_wait(struct seen *seen, size_t n) {
    lock_take(&seen->lock);
    while (seen->n < n)
        condition_wait(&seen->changed, &seen->lock);
    lock_drop(&seen->lock);
    condition_deinit(&seen->changed);
    lock_deinit(&seen->lock);
}

static void see(void *user, const struct brisk_answer *answer) {
    struct seen *seen = user;
    lock_take(&seen->lock);
    seen->n++;
    seen->statuses[answer->status]++;
    condition_wake_all(&seen->changed);
    lock_drop(&seen->lock);
}

/* A request of so many texts that it cannot be done before the next line of the test. */
static void long_body(struct buf *buf) {
    buf_init(buf, LIMIT_BODY);
    buf_puts(buf, "{\"parameters\":{\"max_new_tokens\":20,\"min_new_tokens\":20},\"inputs\":[");
    for (int i = 0; i < LIMIT_INPUTS; i++)
        buf_puts(buf, i == 0 ? "\"The one\"" : ",\"The one\"");
    buf_puts(buf, "]}");
}

static void cancelled_work_ends(void **state) {
    struct brisk *brisk = runtime_of(GOLDEN_FOLDER, 0, 0);
    char error[LIMIT_ERROR_TEXT];
    assert_int_equal(brisk_model_load(brisk, WRITER, NULL, NULL, error, sizeof(error)), 0);
    struct buf body;
    struct seen seen;
    struct brisk_ticket *tickets[4] = {0};
    long_body(&body);
    seen_init(&seen);
    const struct brisk_request request = request_of(WRITER, body.data);
    for (size_t i = 0; i < ARRAY_LEN(tickets); i++)
        brisk_submit(brisk, &request, see, &seen, &tickets[i]);
    for (size_t i = 0; i < ARRAY_LEN(tickets); i++) {
        brisk_cancel(tickets[i]);
        brisk_cancel(tickets[i]); /* twice is once */
    }
    seen_wait(&seen, ARRAY_LEN(tickets));
    for (size_t i = 0; i < ARRAY_LEN(tickets); i++)
        brisk_ticket_release(tickets[i]);
    assert_int_equal(seen.statuses[499], ARRAY_LEN(tickets));
    assert_true(figure(brisk, "queued_items") == 0);
    struct brisk_answer answer = ask(brisk, WRITER, "{\"inputs\":\"The\"}");
    expect(&answer, 200, "generated_text");
    buf_deinit(&body);
    brisk_destroy(brisk);
}

static void late_work_is_told_so(void **state) {
    struct brisk *brisk = runtime_of(GOLDEN_FOLDER, 0, 0);
    char error[LIMIT_ERROR_TEXT];
    for (int warm = 0; warm <= 1; warm++) {
        struct brisk_request request = request_of(CLASSIFIER, "{\"inputs\":\"x\"}");
        struct brisk_answer answer = {0};
        request.timeout_s = 1e-9;
        brisk_run(brisk, &request, &answer);
        expect(&answer, 504, "Model " CLASSIFIER " time out");
        assert_int_equal(brisk_model_load(brisk, CLASSIFIER, NULL, NULL, error, sizeof(error)), 0);
    }
    brisk_destroy(brisk);
}

static void drained_runtime_takes_no_more(void **state) {
    struct brisk *brisk = runtime_of(GOLDEN_FOLDER, 0, 0);
    struct seen seen;
    seen_init(&seen);
    const struct brisk_request request = request_of(CLASSIFIER, "{\"inputs\":[\"a\",\"b c\"]}");
    for (int i = 0; i < 50; i++)
        brisk_submit(brisk, &request, see, &seen, NULL);
    brisk_drain(brisk, 60);
    assert_int_equal(seen.statuses[200], 50); /* all were answered before it returned */
    seen_wait(&seen, 50);
    struct brisk_answer answer = ask(brisk, CLASSIFIER, "{\"inputs\":\"x\"}");
    expect(&answer, 503, "stopping");
    brisk_destroy(brisk);
}

/* ---- models ---- */

static void cold_model_within_the_wait_or_503(void **state) {
    struct brisk *brisk = runtime_of(GOLDEN_FOLDER, 0, 1e-9);
    struct brisk_answer answer = ask(brisk, CLASSIFIER, "{\"inputs\":\"x\"}");
    assert_non_null(strstr(answer.body, "\"estimated_time\":"));
    expect(&answer, 503, "Model " CLASSIFIER " is currently loading");
    struct brisk_request request = request_of(CLASSIFIER, "{\"inputs\":\"x\"}");
    request.wait_for_model = true;
    brisk_run(brisk, &request, &answer);
    expect(&answer, 200, "label");
    answer = ask(brisk, WRITER, "{\"inputs\":\"x\",\"options\":{\"wait_for_model\":true}}");
    expect(&answer, 200, "generated_text");
    brisk_destroy(brisk);
}

static void broken_model_costs_one_load(void **state) {
    struct folder folder;
    folder_make(&folder);
    folder_copy(&folder, GOLDEN_FOLDER "/" CLASSIFIER, "org/model");
    folder_write(&folder, "org/model/model.safetensors", "broken");
    struct brisk *brisk = runtime_of(folder.path, 0, 0);
    for (int i = 0; i < 5; i++) {
        struct brisk_answer answer = ask(brisk, "org/model", "{\"inputs\":\"x\"}");
        expect(&answer, 500, "model.safetensors");
    }
    assert_true(figure(brisk, "model_load_failures_total") == 1);
    struct brisk_answer status = {0};
    brisk_model_status(brisk, "org/model", &status);
    expect(&status, 200, "\"state\":\"error\"");
    folder_copy(&folder, GOLDEN_FOLDER "/" CLASSIFIER, "org/model"); /* mended */
    struct brisk_answer answer = ask(brisk, "org/model", "{\"inputs\":\"x\"}");
    expect(&answer, 200, "label");
    brisk_destroy(brisk);
    folder_remove(&folder);
}

/* The golden, with one of its files written anew (from: copied from there instead). */
static void copy_changed(struct folder *folder, const char *golden, const char *file,
                         const char *text, const char *from) {
    folder_copy(folder, path_join(&folder->arena, GOLDEN_FOLDER, golden), "org/model");
    char *name = arena_printf(&folder->arena, "org/model/%s", file), *data = (char *)text;
    size_t len = text == NULL ? 0 : strlen(text);
    struct error err = {0};
    if (text == NULL &&
        file_read(&data, &len, &folder->arena,
                  arena_printf(&folder->arena, "%s/%s/%s", GOLDEN_FOLDER, from, file),
                  LIMIT_JSON_FILE, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    folder_write_n(folder, name, data, len);
}

/* What makes a load fail fails the check, which loads nothing, with the same words. */
static void broken_repositories_fail_check_and_load(void **state) {
    static const struct {
        const char *golden, *file, *text, *from;
        const char *says;
    } rows[] = {
        {"bert/feature-extraction", "config.json", NULL, CLASSIFIER, "classifier.weight"},
        {CLASSIFIER, "model.safetensors", NULL, "distilbert/text-classification", "lack"},
        {WRITER, "generation_config.json", "{\"temperature\":\"hot\"}", NULL,
         "generation_config.json: \\\"temperature\\\""},
        {WRITER, "generation_config.json", "{\"top_p\":3}", NULL, "generation_config.json: top_p"},
        {"bart/summarization", "generation_config.json", "{\"num_beams\":1000}", NULL,
         "generation_config.json: num_beams"},
        {"bert/sentence-mean", "modules.json", NULL, "bert/sentence-mean", "1_Pooling"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct folder folder;
        folder_make(&folder);
        copy_changed(&folder, rows[i].golden, rows[i].file, rows[i].text, rows[i].from);
        struct brisk *brisk = runtime_of(folder.path, 0, 0);
        struct brisk_answer answer = {0};
        brisk_model_check(brisk, "org/model", &answer);
        expect(&answer, 500, rows[i].says);
        answer = ask(brisk, "org/model", "{\"inputs\":\"x\"}");
        expect(&answer, 500, rows[i].says);
        assert_true(figure(brisk, "model_load_failures_total") == 1);
        brisk_destroy(brisk);
        folder_remove(&folder);
    }
}

/* Every golden that runs passes the check. */
static void sound_repositories_pass_the_check(void **state) {
    static const char *const models[] = {CLASSIFIER,
                                         WRITER,
                                         "bart/summarization",
                                         "bert/cased",
                                         "bert/sentence-mean",
                                         "roberta/text-classification",
                                         "distilbert/text-classification",
                                         "gguf/parts",
                                         "gguf/bert"};
    struct brisk *brisk = runtime_of(GOLDEN_FOLDER, 0, 0);
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        struct brisk_answer answer = {0};
        brisk_model_check(brisk, models[i], &answer);
        expect(&answer, 200, "\"runs\":true");
    }
    struct brisk_answer answer = {0}; /* what most numbers are in comes first */
    brisk_model_check(brisk, "gguf/blocks-of-256", &answer);
    expect(&answer, 200,
           "\"weights\":[\"Q2_K\",\"Q3_K\",\"Q4_K\",\"Q5_K\",\"Q6_K\",\"Q4_0\",\"F32\"]");
    brisk_destroy(brisk);
}

/* A tag that no task has says nothing against what the head can do. */
static void unknown_tags_fall_back_to_the_head(void **state) {
    static const struct {
        const char *golden, *tag;
        int status;
        const char *says;
    } rows[] = {
        {CLASSIFIER, "text-retrieval", 200, "label"},
        {CLASSIFIER, "text-ranking", 200, "label"}, /* known: the body is not a ranking's */
        {"bert/feature-extraction", "image-to-poem", 200, "["},
        {CLASSIFIER, "fill-mask", 400, "fill-mask"}, /* known, and not what it can do */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct folder folder;
        folder_make(&folder);
        copy_changed(&folder, rows[i].golden, "README.md",
                     arena_printf(&folder.arena, "---\npipeline_tag: %s\n---\n", rows[i].tag),
                     NULL);
        struct brisk *brisk = runtime_of(folder.path, 0, 0);
        struct brisk_answer answer = ask(brisk, "org/model", "{\"inputs\":\"x\"}");
        expect(&answer, rows[i].status, rows[i].says);
        brisk_destroy(brisk);
        folder_remove(&folder);
    }
}

/* What the model will need, as `brisk check` tells. */
static size_t memory_of(const char *model) {
    struct brisk *brisk = runtime_of(GOLDEN_FOLDER, 0, 0);
    struct brisk_answer answer = {0};
    struct arena arena = {0};
    struct error err = {0};
    const struct json *json = NULL;
    brisk_model_check(brisk, model, &answer);
    assert_int_equal(json_parse(&json, &arena, answer.body, answer.body_len, JSON_STRICT, &err),
                     STATUS_OK);
    const size_t bytes = (size_t)json_get_int(json, "memory_bytes", 0);
    assert_true(bytes > 0);
    arena_deinit(&arena);
    brisk_answer_free(&answer);
    brisk_destroy(brisk);
    return bytes;
}

static void models_share_too_little_memory(void **state) {
    static const char *const models[] = {CLASSIFIER, "distilbert/text-classification",
                                         "roberta/text-classification"};
    size_t most = 0;
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        const size_t bytes = memory_of(models[i]);
        most = bytes > most ? bytes : most;
    }
    struct brisk *brisk = runtime_of(GOLDEN_FOLDER, most + most / 4, 0); /* room for one */
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_LEN(models); i++) {
            struct brisk_answer answer = ask(brisk, models[i], "{\"inputs\":\"x\"}");
            expect(&answer, 200, "label");
        }
    }
    assert_true(figure(brisk, "model_evictions_total") == 5);
    assert_true(figure(brisk, "models_loaded") == 1);
    struct seen seen; /* all at once: those in use are waited for, none fails */
    seen_init(&seen);
    for (int i = 0; i < 60; i++) {
        const struct brisk_request request =
            request_of(models[i % 3], "{\"inputs\":[\"a\",\"b\",\"c\"]}");
        brisk_submit(brisk, &request, see, &seen, NULL);
    }
    seen_wait(&seen, 60);
    assert_int_equal(seen.statuses[200], 60);
    brisk_destroy(brisk);
}

static void model_larger_than_memory_is_told(void **state) {
    struct brisk *brisk = runtime_of(GOLDEN_FOLDER, 1000, 0);
    struct brisk_answer answer = ask(brisk, CLASSIFIER, "{\"inputs\":\"x\"}");
    expect(&answer, 503, "--memory");
    brisk_model_check(brisk, CLASSIFIER, &answer);
    assert_int_equal(answer.exit_code, error_exit_code(ERROR_MEMORY));
    expect(&answer, 200, "\"runs\":false");
    brisk_destroy(brisk);
}

static void told_of_models(void **state) {
    struct brisk *brisk = runtime_of(GOLDEN_FOLDER, 0, 0);
    char error[LIMIT_ERROR_TEXT];
    struct brisk_answer answer = {0};
    brisk_model_status(brisk, CLASSIFIER, &answer);
    expect(&answer, 200, "{\"loaded\":false,\"state\":\"Loadable\"");
    assert_int_equal(brisk_model_load(brisk, CLASSIFIER, NULL, NULL, error, sizeof(error)), 0);
    brisk_model_status(brisk, CLASSIFIER, &answer);
    expect(&answer, 200, "{\"loaded\":true,\"state\":\"Loaded\",\"compute_type\":\"cpu\"");
    brisk_model_info(brisk, CLASSIFIER, &answer);
    expect(&answer, 200, "\"task\":\"text-classification\",\"family\":\"bert\"");
    brisk_model_list(brisk, &answer);
    expect(&answer, 200, "\"id\":\"" WRITER "\"");
    brisk_model_check(brisk, WRITER, &answer);
    expect(&answer, 200, "\"runs\":true,\"family\":\"gpt2\"");
    brisk_model_check(brisk, "no/model", &answer);
    expect(&answer, 404, "does not exist");
    assert_int_not_equal(brisk_model_load(brisk, "no/model", NULL, NULL, error, sizeof(error)), 0);
    assert_non_null(strstr(error, "no/model"));
    brisk_destroy(brisk);
}

static void tell_share(void *user, double share) {
    double *last = user;
    assert_true(share >= *last && share <= 1);
    *last = share;
}

static void loading_tells_its_progress(void **state) {
    struct brisk *brisk = runtime_of(GOLDEN_FOLDER, 0, 0);
    char error[LIMIT_ERROR_TEXT];
    double last = 0;
    assert_int_equal(brisk_model_load(brisk, CLASSIFIER, tell_share, &last, error, sizeof(error)),
                     0);
    assert_true(last == 1);
    brisk_destroy(brisk);
}

static const char *const absent_folders[] = {"/no/such", NULL};

static void wrong_options_are_refused(void **state) {
    static const struct {
        struct brisk_options options;
        const char *text;
    } rows[] = {
        {{.precision = "fp64"}, "fp64"},
        {{.threads = 100000}, "threads"},
        {{.model_folders = absent_folders}, "/no/such"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct brisk *brisk = NULL;
        char error[LIMIT_ERROR_TEXT] = "";
        assert_int_not_equal(brisk_create(&brisk, &rows[i].options, error, sizeof(error)), 0);
        assert_non_null(strstr(error, rows[i].text));
        assert_null(brisk);
    }
}

/* ---- tokenizers and measuring ---- */

static void tokenizer_there_and_back(void **state) {
    struct brisk *brisk = runtime_of(GOLDEN_FOLDER, 0, 0);
    struct brisk_tokenizer *tokenizer = NULL;
    char error[LIMIT_ERROR_TEXT];
    assert_int_equal(brisk_tokenizer_open(&tokenizer, brisk, WRITER, error, sizeof(error)), 0);
    struct brisk_answer answer = {0};
    brisk_tokenize(tokenizer, "\"The end\"", 9, &answer);
    const char *ids = strstr(answer.body, "[");
    assert_non_null(ids);
    const size_t len = strcspn(ids, "]") + 1;
    struct brisk_answer text = {0};
    brisk_detokenize(tokenizer, ids, len, &text);
    expect(&text, 200, "\"The end\"");
    brisk_answer_free(&answer);
    brisk_tokenize(tokenizer, "12", 2, &answer);
    expect(&answer, 400, "must be a JSON string");
    brisk_tokenize(tokenizer, "\"\xFF\"", 3, &answer);
    expect(&answer, 400, "not valid UTF-8");
    brisk_detokenize(tokenizer, "[1.5]", 5, &answer);
    expect(&answer, 400, "not a token id");
    brisk_tokenizer_close(tokenizer);
    assert_int_not_equal(brisk_tokenizer_open(&tokenizer, brisk, "no/model", error, sizeof(error)),
                         0);
    brisk_destroy(brisk);
}

static void bench_measures(void **state) {
    static const struct {
        struct brisk_bench bench;
        int status;
        const char *text;
    } rows[] = {
        {{.model = CLASSIFIER, .prompt_tokens = 8, .repeat = 2}, 200, "prompt_tokens_per_s"},
        {{.model = WRITER, .prompt_tokens = 8, .new_tokens = 4, .batch = 2, .repeat = 2},
         200,
         "new_tokens_per_s"},
        {{.model = "bart/summarization", .prompt_tokens = 8, .new_tokens = 4, .repeat = 2},
         200,
         "new_tokens_per_s"},
        {{.model = WRITER, .prompt_tokens = 100000}, 400, "tokens"},
        {{.model = WRITER, .batch = 1000000}, 400, "batch"},
        {{.model = "no/model"}, 404, "does not exist"},
    };
    struct brisk *brisk = runtime_of(GOLDEN_FOLDER, 0, 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct brisk_answer answer = {0};
        brisk_bench(brisk, &rows[i].bench, &answer);
        expect(&answer, rows[i].status, rows[i].text);
    }
    brisk_destroy(brisk);
}

int main(void) {
    log_set_level(LOG_ERROR + 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_have_their_status),
        cmocka_unit_test(cached_when_deterministic),
        cmocka_unit_test(facts_are_told),
        cmocka_unit_test(tasks_run_under_the_name_asked_for),
        cmocka_unit_test(memory_of_requests_is_bounded),
        cmocka_unit_test(cancelled_work_ends),
        cmocka_unit_test(late_work_is_told_so),
        cmocka_unit_test(drained_runtime_takes_no_more),
        cmocka_unit_test(cold_model_within_the_wait_or_503),
        cmocka_unit_test(broken_model_costs_one_load),
        cmocka_unit_test(broken_repositories_fail_check_and_load),
        cmocka_unit_test(sound_repositories_pass_the_check),
        cmocka_unit_test(unknown_tags_fall_back_to_the_head),
        cmocka_unit_test(models_share_too_little_memory),
        cmocka_unit_test(model_larger_than_memory_is_told),
        cmocka_unit_test(told_of_models),
        cmocka_unit_test(loading_tells_its_progress),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(tokenizer_there_and_back),
        cmocka_unit_test(bench_measures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
