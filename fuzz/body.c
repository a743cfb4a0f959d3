/* Fuzzing the bodies of requests: the first byte picks a task, the rest is the JSON. Every job that
 * is made is run on a model that is not there (a real tokenizer, outputs of a simple pattern) and
 * its answer must be JSON in UTF-8. Run from the root of the repository. */
#include <string.h>

#include "tasks/tasks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FOLDER  "tests/golden/bert/text-classification"
#define OUTPUTS 4

static struct arch arch;
static struct task_model model;
static struct tokenizer *tokenizer;
static const struct json *prompts, *config;
static const int32_t generated[] = {5, 100, 101, 3};

static void make_model(void) {
    static const char *const labels[OUTPUTS] = {"B-a", "I-a", "O", "entailment"};
    static struct arena arena;
    struct error err;
    if (tokenizer_load(&tokenizer, FOLDER, &err) != STATUS_OK)
        PANIC("%s", err.text);
    static const char text[] = "{\"query\":\"ask: \"}", settings[] = "{\"prefix\":\"p \"}";
    if (json_parse(&prompts, &arena, text, strlen(text), JSON_STRICT, &err) != STATUS_OK ||
        json_parse(&config, &arena, settings, strlen(settings), JSON_STRICT, &err) != STATUS_OK)
        PANIC("%s", err.text);
    model = (struct task_model){
        .id = "fuzz",
        .arch = &arch,
        .tokenizer = tokenizer,
        .config = config,
        .labels = labels,
        .n_labels = OUTPUTS,
    };
}

/* A model that can do the task: heads are tried until it says so. */
static bool fit_model(const struct task *task, uint8_t variant) {
    static const enum head_kind kinds[] = {HEAD_LM, HEAD_SEQUENCE, HEAD_TOKEN, HEAD_SPAN};
    struct error err;
    for (size_t i = 0; i < ARRAY_LEN(kinds) * 4; i++) {
        const enum head_kind kind = kinds[i / 4];
        arch = (struct arch){
            .n_stacks = i & 2 ? 2 : 1,
            .stacks = {{.vocab_size = tokenizer_vocab_size(tokenizer),
                        .hidden_size = 3,
                        .max_positions = variant & 1 ? 24 : 64,
                        .token_types = 2,
                        .flags = i & 1 ? STACK_CAUSAL : 0}},
            .head = {.kind = kind,
                     .outputs = kind == HEAD_LM     ? tokenizer_vocab_size(tokenizer)
                                : kind == HEAD_SPAN ? 2
                                                    : OUTPUTS},
            .decoder_stack = i & 2 ? 1 : 0,
            .shifts_input = i & 2,
            .decoder_start = 2,
            .bos = variant & 2 ? 2 : -1,
            .eos = 3,
            .question_end = variant & 16 ? 3 : -1,
        };
        arch.stacks[1] = arch.stacks[0];
        model.sentence = (struct sentence_modules){.present = variant & 4,
                                                   .pool_mean = true,
                                                   .pool_cls = true,
                                                   .normalize = variant & 8,
                                                   .prompts = prompts};
        if (task_supports(task, &model, &err) == STATUS_OK)
            return true;
    }
    return false;
}

static void fill(float *out, size_t n) {
    for (size_t i = 0; out && i < n; i++)
        out[i] = (float)((i * 7919) % 31) - 10;
}

static void run_item(struct item *item) {
    for (uint32_t i = 0; item->rows && i < item->n_rows; i++)
        if (item->rows[i] >= item->n)
            PANIC("row %u of %u tokens is wanted", item->rows[i], item->n);
    fill(item->hidden, (size_t)item->n_rows * arch.stacks[0].hidden_size);
    fill(item->logits, (size_t)item->n_rows * arch.head.outputs);
    for (uint32_t i = 0; item->kind == ITEM_GENERATE && i < item->n_outputs; i++)
        item->outputs[i] = (struct generation_output){
            .ids = generated, .n = ARRAY_LEN(generated), .reason = FINISH_LENGTH};
    item->done = true;
}

static void check_answer(struct job *job) {
    struct buf buf;
    struct arena arena = {0};
    struct error err;
    const struct json *answer = NULL;
    buf_init(&buf, LIMIT_RESPONSE);
    struct json_out out = json_out_begin(&buf);
    job_write(job, &out);
    if (!buf.overflow &&
        json_parse(&answer, &arena, buf.data, buf.len, JSON_STRICT, &err) != STATUS_OK)
        PANIC("the answer is not JSON: %s", err.text);
    buf_deinit(&buf);
    arena_deinit(&arena);
}

static void run_job(const struct task *task, const struct json *body) {
    struct job *job = NULL;
    struct error err = {0};
    if (job_create(&job, task, &model, body, &err) != STATUS_OK) {
        if (!err.text[0] || !utf8_valid(err.text, strlen(err.text), NULL))
            PANIC("the error says nothing that can be read");
        return;
    }
    enum status status = STATUS_AGAIN;
    while (status == STATUS_AGAIN) {
        for (struct item *item = job_items(job); item; item = item->next)
            if (!item->done)
                run_item(item);
        status = job_next(job, &err);
    }
    if (status == STATUS_OK)
        check_answer(job);
    job_destroy(job);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    if (!tokenizer)
        make_model();
    const struct task *task = task_at(data[0] % task_count());
    struct arena arena = {0};
    struct error err;
    const struct json *body = NULL;
    if (!fit_model(task, data[1]))
        PANIC("no model can do %s", task_name(task));
    if (json_parse(&body, &arena, (const char *)data + 2, size - 2, JSON_STRICT, &err) == STATUS_OK)
        run_job(task, body);
    arena_deinit(&arena);
    return 0;
}
