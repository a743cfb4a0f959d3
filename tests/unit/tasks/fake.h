/* A model that is not there: a real tokenizer of the goldens, a description, and outputs that the
 * test makes up. Tasks never run a model, so this is all they see of one. */
#ifndef BRISK_TESTS_FAKE_H
#define BRISK_TESTS_FAKE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tasks/task.h"

struct fake {
    struct arena arena;
    struct tokenizer *tokenizer;
    struct arch arch;
    struct task_model model;
    const char *labels[8];
    /* Output of a row of an item: out[n]. */
    void (*fill)(const struct fake *fake, const struct item *item, uint32_t index, uint32_t row,
                 float *out, size_t n);
    const int32_t *generated; /* what every generation answers */
    uint32_t n_generated;
    bool asked;                      /* items were made */
    struct generation_config config; /* of the last generation */
    int32_t first[64];               /* tokens of the first item */
    uint32_t n_first;
    struct job_facts facts;
};

static inline const struct json *fake_json(struct fake *fake, const char *text) {
    struct error err;
    const struct json *value = NULL;
    if (json_parse(&value, &fake->arena, text, strlen(text), JSON_STRICT, &err) != STATUS_OK) {
        fail_msg("%s: %s", text, err.text);
    }
    return value;
}

/* An encoder with a head; tests change what they need. */
static inline void fake_init(struct fake *fake, const char *folder, enum head_kind kind,
                             uint32_t outputs, const char *config) {
    struct error err;
    *fake =
        (struct fake){.labels = {"zero", "one", "two", "three", "four", "five", "six", "seven"}};
    if (tokenizer_load(&fake->tokenizer, folder, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
    fake->arch = (struct arch){
        .n_stacks = 1,
        .stacks = {{.vocab_size = tokenizer_vocab_size(fake->tokenizer),
                    .hidden_size = 4,
                    .max_positions = 64,
                    .token_types = 2,
                    .flags = 0}},
        .head = {.kind = kind, .outputs = outputs},
        .decoder_start = -1,
        .bos = -1,
        .eos = -1,
        .pad = -1,
        .question_end = -1,
    };
    fake->model = (struct task_model){
        .id = "org/fake",
        .arch = &fake->arch,
        .tokenizer = fake->tokenizer,
        .config = fake_json(fake, config),
        .labels = fake->labels,
        .n_labels = outputs < 8 ? outputs : 8,
    };
}

/* Makes the model one that reads with an encoder and writes with a decoder, both as the one stack
 * was. */
static inline void fake_add_decoder(struct fake *fake) {
    fake->arch.n_stacks = 2;
    fake->arch.stacks[1] = fake->arch.stacks[0];
    fake->arch.decoder_stack = 1;
}

static inline void fake_deinit(struct fake *fake) {
    tokenizer_destroy(fake->tokenizer);
    arena_deinit(&fake->arena);
}

static inline void fake_run_item(struct fake *fake, struct item *item, uint32_t index) {
    const size_t hidden = fake->arch.stacks[0].hidden_size, outputs = fake->arch.head.outputs;
    for (uint32_t i = 0; i < item->n_rows; i++) {
        const uint32_t row = item->rows ? item->rows[i] : i;
        assert_true(row < item->n);
        if (item->hidden) {
            fake->fill(fake, item, index, row, item->hidden + i * hidden, hidden);
        }
        if (item->logits) {
            fake->fill(fake, item, index, row, item->logits + i * outputs, outputs);
        }
    }
    if (item->kind == ITEM_GENERATE) {
        fake->config = *item->config;
        for (uint32_t i = 0; i < item->n_outputs; i++) {
            item->outputs[i] = (struct generation_output){
                .ids = fake->generated, .n = fake->n_generated, .reason = FINISH_LENGTH};
        }
    }
    item->done = true;
}

/* Runs a body; the answer is appended to out. */
static inline enum status fake_run(struct fake *fake, const char *task, const char *body,
                                   struct buf *out, struct error *err) {
    const struct task *found = task_find(task);
    struct job *job = NULL;
    assert_non_null(found);
    enum status status = job_create_as(&job, found, task, &fake->model, fake_json(fake, body), err);
    fake->asked = false;
    while (status == STATUS_OK) {
        uint32_t index = 0;
        for (struct item *item = job_items(job); item; item = item->next, index++) {
            fake->asked = true;
            if (index == 0) {
                fake->n_first = item->n < 64 ? item->n : 64;
                memcpy(fake->first, item->tokens, fake->n_first * sizeof(int32_t));
            }
            if (!item->done) {
                fake_run_item(fake, item, index);
            }
        }
        status = job_next(job, err);
        if (status == STATUS_OK) {
            struct json_out json = json_out_begin(out);
            job_write(job, &json);
            fake->facts = job_facts(job);
            break;
        }
        status = status == STATUS_AGAIN ? STATUS_OK : status;
    }
    job_destroy(job);
    return status;
}

static inline bool fake_same(const struct json *got, const struct json *want) {
    if (json_is(want, JSON_NUMBER)) {
        return json_is(got, JSON_NUMBER) && fabs(got->number - want->number) < 1e-5;
    }
    if (!json_is(got, want->type) || got->len != want->len) {
        return false;
    }
    if (want->type == JSON_STRING) {
        return memcmp(got->text, want->text, want->len) == 0;
    }
    for (uint32_t i = 0; i < want->len; i++) {
        if (want->type == JSON_ARRAY && !fake_same(json_at(got, i), json_at(want, i))) {
            return false;
        }
        if (want->type == JSON_OBJECT &&
            !fake_same(json_get(got, want->members[i].key), &want->members[i].value)) {
            return false;
        }
    }
    return want->type != JSON_BOOL || got->boolean == want->boolean;
}

/* One row of a test's table: what a body is answered, or the words of its error. */
struct fake_row {
    const char *body, *answer, *error;
};

static inline void fake_check(struct fake *fake, const char *task, const struct fake_row *row) {
    struct error err = {0};
    struct buf out;
    buf_init(&out, LIMIT_RESPONSE);
    const enum status status = fake_run(fake, task, row->body, &out, &err);
    if (row->error) {
        if (status != STATUS_ERROR || !strstr(err.text, row->error)) {
            fail_msg("%s %s: got %s, wanted the error %s", task, row->body,
                     status == STATUS_ERROR ? err.text : out.data, row->error);
        }
    } else if (status != STATUS_OK) {
        fail_msg("%s %s: %s", task, row->body, err.text);
    } else if (row->answer && !fake_same(fake_json(fake, out.data), fake_json(fake, row->answer))) {
        fail_msg("%s %s: got %s, wanted %s", task, row->body, out.data, row->answer);
    }
    buf_deinit(&out);
}

#endif
