/* What is proposed to a text, for how long it waits after proposals that missed, and that texts
 * with proposals are those without, bit for bit: on tiny models, with every processor that looks
 * back, to the end-of-sequence token, the stop string or the length that lies within a proposal. */
#include "unit/engine/tiny.h"
#include "unit/engine/arches.h"

#include "generate/parts.h"

/* ---- proposals ---- */

#define TOKENS 24

struct proposal {
    const char *title;
    int32_t ids[TOKENS], source[TOKENS], want[TOKENS]; /* ended by 0 */
    uint32_t most;
};

static const struct proposal proposals[] = {
    {"nothing stood before", {1, 2, 3, 4}, {0}, {0}, 9},
    {"a single token does not count", {1, 2, 3, 1}, {0}, {0}, 9},
    {"what followed", {1, 2, 3, 4, 5, 6, 1, 2}, {0}, {3, 4, 5, 6}, 9},
    {"no more than asked for", {1, 2, 3, 4, 5, 6, 1, 2}, {0}, {3, 4, 5}, 3},
    {"nothing asked for", {1, 2, 3, 4, 5, 6, 1, 2}, {0}, {0}, 0},
    {"the last of equal places", {1, 2, 3, 3, 1, 2, 4, 4, 1, 2}, {0}, {4, 4, 1, 2}, 9},
    {"the longest match", {7, 1, 2, 3, 3, 9, 1, 2, 4, 7, 1, 2}, {0}, {3, 3, 9, 1}, 9},
    {"a circle goes on", {5, 1, 2, 1, 2}, {0}, {1, 2, 1, 2}, 9},
    {"one token over and over", {5, 4, 4, 4}, {0}, {4, 4, 4, 4}, 9},
    {"the text that was read", {1, 2}, {8, 1, 2, 3, 4, 5, 6}, {3, 4, 5, 6}, 9},
    {"to its end", {1, 2}, {8, 1, 2, 3, 4}, {3, 4}, 9},
    {"nothing behind its end", {1, 2}, {8, 1, 2}, {0}, 9},
    {"its own words come first", {1, 2, 6, 6, 1, 2}, {1, 2, 3, 4}, {6, 6, 1, 2}, 9},
    {"unless less of them match", {1, 2, 6, 6, 3, 1, 2}, {3, 1, 2, 4}, {4}, 9},
    {"no ids that the stack has not", {1, 2}, {1, 2, 3, 1000, 4}, {3}, 9},
    {"the first token of all", {1}, {1, 2, 3}, {0}, 9},
};

static uint32_t length(const int32_t *ids) {
    uint32_t n = 0;
    while (n < TOKENS && ids[n] != 0) {
        n++;
    }
    return n;
}

static void what_followed_before_is_proposed(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(proposals); i++) {
        const struct proposal *p = &proposals[i];
        const uint32_t n = length(p->ids), n_want = length(p->want);
        int32_t ids[2 * TOKENS] = {0};
        struct speculation s;
        memcpy(ids, p->ids, sizeof(p->ids));
        speculation_begin(&s, 100, p->source, length(p->source));
        const uint32_t got = speculation_propose(&s, ids, n, p->most);
        if (got != n_want || memcmp(ids + n, p->want, n_want * sizeof(*ids)) != 0 ||
            memcmp(ids, p->ids, n * sizeof(*ids)) != 0) {
            fail_msg("%s: %u tokens, the first is %d, wanted %u", p->title, got, ids[n], n_want);
        }
        assert_int_equal(s.proposed, got);
    }
}

/* A text of threes, of which so many tokens of each proposal are right. */
static uint32_t propose(struct speculation *s) {
    int32_t ids[64];
    for (uint32_t i = 0; i < 64; i++) {
        ids[i] = 3;
    }
    return speculation_propose(s, ids, 32, 32);
}

static void lengths_follow_what_is_kept(void **state) {
    static const struct {
        uint32_t accepted, next;
    } rows[] = {{4, 8}, {8, 16}, {3, 4}, {1, 2}, {2, 4}, {4, 8}, {8, 16}, {16, 32}};
    struct speculation s;
    speculation_begin(&s, 100, NULL, 0);
    assert_int_equal(propose(&s), 4);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        speculation_judge(&s, rows[i].accepted);
        assert_int_equal(propose(&s), rows[i].next);
    }
}

static uint32_t waited(struct speculation *s) {
    uint32_t tokens = 0;
    for (; propose(s) == 0; tokens++) {
        speculation_judge(s, 0); /* nothing was proposed: nothing was missed */
    }
    return tokens;
}

static void who_misses_waits(void **state) {
    static const uint32_t waits[] = {1, 3, 7, 15, 31, 63, 63, 63};
    struct speculation s;
    speculation_begin(&s, 100, NULL, 0);
    assert_int_equal(propose(&s), 4);
    for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
        speculation_judge(&s, 0);
        assert_int_equal(waited(&s), waits[i]);
        assert_int_equal(s.proposed, 1);
    }
    speculation_judge(&s, 1); /* one that was kept: all is well again */
    assert_int_equal(propose(&s), 2);
    speculation_judge(&s, 0);
    assert_int_equal(waited(&s), 1);
}

/* A text that never repeats what it is said to: rows beside its own. */
static void texts_that_do_not_repeat_lose_little(void **state) {
    struct speculation s;
    uint32_t rows = 0;
    speculation_begin(&s, 100, NULL, 0);
    for (uint32_t token = 0; token < 1000; token++) {
        rows += propose(&s);
        speculation_judge(&s, 0);
    }
    assert_true(rows <= 25);
}

/* ---- whole texts ---- */

#define PROMPT 12
#define NEW    60

struct fixture {
    struct team *team;
    struct model *decoder, *seq2seq;
    float logits[DRAFT_ROWS * 101];
    struct draft_rows drafts;
};

static int set_up(void **state) {
    struct fixture *f = mem_zalloc(1, sizeof(*f));
    f->team = tiny_team(1);
    f->decoder = tiny_model(&decoder_arch, f->team, PRECISION_FP32);
    f->seq2seq = tiny_model(&seq2seq_arch, f->team, PRECISION_FP32);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    model_destroy(f->decoder);
    model_destroy(f->seq2seq);
    team_destroy(f->team);
    mem_free(f);
    return 0;
}

/* Words of two letters, so that stop strings end within tokens. */
static void decode(const void *user, const int32_t *ids, uint32_t n, struct buf *out) {
    for (uint32_t i = 0; i < n; i++) {
        buf_printf(out, "%c%c ", 'a' + ids[i] / 26, 'a' + ids[i] % 26);
    }
}

struct written {
    struct generation *generation;
    const struct generation_output *output;
    uint32_t passes;
    uint64_t allocations; /* of the passes */
};

/* Runs it to its end, alone. */
static struct written write_text(struct fixture *f, const struct generation_input *input) {
    struct written w = {0};
    struct error err;
    if (generation_create(&w.generation, input, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
    const uint64_t before = mem_alloc_count();
    do {
        struct segment segment;
        draft_rows_begin(&f->drafts, 1);
        assert_int_equal(generation_plan(w.generation, 100, &segment), 1);
        model_forward(input->model, input->stack, &segment, 1);
        w.passes++;
    } while (generation_advance(w.generation) == STATUS_AGAIN);
    w.allocations = mem_alloc_count() - before;
    assert_int_equal(generation_outputs(w.generation, &w.output), 1);
    return w;
}

/* Returns the passes that were saved. */
static uint32_t assert_same_text(struct fixture *f, const char *title,
                                 struct generation_input input) {
    f->drafts = (struct draft_rows){.logits = f->logits, .n = DRAFT_ROWS};
    struct written plain = write_text(f, &input);
    assert_int_equal(f->drafts.proposed, 0);
    input.drafts = &f->drafts;
    struct written quick = write_text(f, &input);
    const struct generation_output *a = plain.output, *b = quick.output;
    if (a->n != b->n || a->reason != b->reason ||
        memcmp(a->ids, b->ids, a->n * sizeof(*a->ids)) != 0 ||
        memcmp(a->logprobs, b->logprobs, a->n * sizeof(*a->logprobs)) != 0) {
        fail_msg("%s: texts of %u and %u tokens differ", title, a->n, b->n);
    }
    assert_true(quick.passes <= plain.passes);
    assert_true(quick.passes + f->drafts.accepted >= plain.passes);
    assert_true(f->drafts.accepted <= f->drafts.proposed);
    assert_int_equal(quick.allocations, plain.allocations);
    const uint32_t saved = plain.passes - quick.passes;
    generation_destroy(plain.generation);
    generation_destroy(quick.generation);
    return saved;
}

/* `period` tokens over and over; 0: none twice. */
static void fill(int32_t *ids, uint32_t n, uint32_t period) {
    for (uint32_t i = 0; i < n; i++) {
        ids[i] = period > 0 ? tiny_token(3, i % period, 97) : (int32_t)(5 * i + 1) % 97;
    }
}

struct mode {
    const char *name, *settings;
};

static const struct mode modes[] = {
    {"plain", "{}"},
    {"ends", "{\"eos_token_id\": [7, 31, 60, 84]}"},
    {"ends, not at once", "{\"eos_token_id\": [7, 31, 60, 84], \"min_new_tokens\": 20}"},
    {"repetition penalty", "{\"repetition_penalty\": 1.1}"},
    {"no repeated n-grams", "{\"no_repeat_ngram_size\": 5}"},
    {"none of the prompt's", "{\"encoder_no_repeat_ngram_size\": 3}"},
    {"bias by what came", "{\"sequence_bias\": [[[5, 7], 4.0], [[9], -3.0]]}"},
    {"a forced end", "{\"forced_eos_token_id\": 4}"},
    {"ends that become likelier",
     "{\"eos_token_id\": 7, \"exponential_decay_length_penalty\": [10, 1.5]}"},
    {"normalized", "{\"renormalize_logits\": true}"},
    {"three tokens", "{\"max_new_tokens\": 3}"},
    {"all that fit", "{\"max_new_tokens\": 1000}"},
};

static struct generation_config config_of(const struct mode *mode, struct arena *arena) {
    struct generation_config config;
    struct error err = {0};
    const struct json *settings = NULL;
    generation_config_default(&config);
    config.max_new_tokens = NEW;
    if (json_parse(&settings, arena, mode->settings, strlen(mode->settings), JSON_STRICT, &err) !=
            STATUS_OK ||
        generation_config_update(&config, arena, settings, mode->name, &err) != STATUS_OK) {
        fail_msg("%s: %s", mode->name, err.text);
    }
    return config;
}

/* The text that the model writes alone, behind its prompt, with every ninth token another one: what
 * it makes propose is often right, and often to the middle only. Returns its length. */
static uint32_t foretell(struct fixture *f, const struct generation_input *input, int32_t *ids) {
    struct generation_config config;
    generation_config_default(&config);
    config.max_new_tokens = NEW;
    struct generation_input plain = *input;
    plain.config = &config;
    struct written text = write_text(f, &plain);
    const uint32_t n = text.output->n;
    memcpy(ids, input->prompt, PROMPT * sizeof(*ids));
    for (uint32_t i = 0; i < n; i++) {
        ids[PROMPT + i] = i % 9 == 8 ? (text.output->ids[i] + 1) % 97 : text.output->ids[i];
    }
    generation_destroy(text.generation);
    return PROMPT + n;
}

static void texts_are_those_without_proposals(void **state) {
    struct fixture *f = *state;
    uint32_t saved = 0;
    for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
        struct arena arena = {0};
        const struct generation_config config = config_of(&modes[m], &arena);
        for (uint32_t period = 0; period < 6; period++) {
            int32_t prompt[PROMPT], source[PROMPT + NEW];
            fill(prompt, PROMPT, period);
            struct generation_input input = {
                .model = f->decoder, .prompt = prompt, .n_prompt = PROMPT, .config = &config};
            saved += assert_same_text(f, modes[m].name, input);
            input.n_encoder_tokens = foretell(f, &input, source);
            input.encoder_tokens = source;
            saved += assert_same_text(f, modes[m].name, input);
        }
        arena_deinit(&arena);
    }
    assert_true(saved > 1000); /* else hardly anything was proposed, and nothing is shown */
}

/* What the text has across two tokens is a stop string, of every two in turn, wherever they lie in
 * a proposal. */
static void stop_strings_end_proposals(void **state) {
    struct fixture *f = *state;
    struct arena arena = {0};
    struct generation_config config = config_of(&modes[0], &arena);
    int32_t prompt[PROMPT], source[PROMPT + NEW];
    fill(prompt, PROMPT, 3);
    struct generation_input input = {.model = f->decoder,
                                     .prompt = prompt,
                                     .n_prompt = PROMPT,
                                     .config = &config,
                                     .text = {.decode = decode}};
    input.n_encoder_tokens = foretell(f, &input, source);
    input.encoder_tokens = source;
    struct written whole = write_text(f, &input);
    uint32_t saved = 0;
    for (uint32_t i = 0; i + 1 < whole.output->n; i++) {
        struct buf text;
        buf_init(&text, 100);
        decode(NULL, whole.output->ids + i, 2, &text);
        const char *const stop[] = {arena_strndup(&arena, text.data + 1, 3)};
        config.stop = stop;
        config.n_stop = 1;
        saved += assert_same_text(f, stop[0], input);
        buf_deinit(&text);
    }
    assert_true(saved > 500);
    generation_destroy(whole.generation);
    arena_deinit(&arena);
}

static void decoders_copy_what_was_read(void **state) {
    struct fixture *f = *state;
    uint32_t saved = 0;
    for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
        struct arena arena = {0};
        struct generation_config config = config_of(&modes[m], &arena);
        for (uint32_t period = 0; period < 4; period++) {
            struct memory *memory = NULL;
            struct error err;
            int32_t text[PROMPT];
            const int32_t start = 2;
            fill(text, PROMPT, period);
            assert_int_equal(memory_create(&memory, f->seq2seq, 1, PROMPT, &err), STATUS_OK);
            const struct segment encode = {.tokens = text, .n = PROMPT, .remember = memory};
            model_forward(f->seq2seq, 0, &encode, 1);
            saved += assert_same_text(f, modes[m].name,
                                      (struct generation_input){.model = f->seq2seq,
                                                                .stack = 1,
                                                                .prompt = &start,
                                                                .n_prompt = 1,
                                                                .encoder_tokens = text,
                                                                .n_encoder_tokens = PROMPT,
                                                                .memory = memory,
                                                                .config = &config});
            memory_unref(memory);
        }
        arena_deinit(&arena);
    }
    assert_true(saved > 100);
}

/* Sampling and beams. */
static void others_get_no_proposals(void **state) {
    struct fixture *f = *state;
    for (int beams = 0; beams < 2; beams++) {
        struct generation_config config;
        generation_config_default(&config);
        config.max_new_tokens = 20;
        config.do_sample = !beams;
        config.top_k = 1;
        config.num_beams = beams ? 3 : 1;
        int32_t prompt[PROMPT];
        fill(prompt, PROMPT, 2);
        f->drafts = (struct draft_rows){.logits = f->logits, .n = DRAFT_ROWS};
        const struct generation_input input = {.model = f->decoder,
                                               .prompt = prompt,
                                               .n_prompt = PROMPT,
                                               .config = &config,
                                               .drafts = &f->drafts};
        struct generation *generation = NULL;
        struct segment segments[LIMIT_BEAMS];
        struct error err;
        assert_int_equal(generation_create(&generation, &input, &err), STATUS_OK);
        do {
            draft_rows_begin(&f->drafts, 1);
            model_forward(f->decoder, 0, segments, generation_plan(generation, 100, segments));
        } while (generation_advance(generation) == STATUS_AGAIN);
        assert_int_equal(f->drafts.proposed, 0);
        generation_destroy(generation);
    }
}

static void a_full_pass_has_no_proposals(void **state) {
    static const struct {
        uint32_t n, steps, left;
    } rows[] = {{12, 1, 11}, {12, 4, 8}, {12, 12, 0}, {12, 40, 0}, {0, 1, 0}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct draft_rows drafts = {.n = rows[i].n, .used = 5};
        draft_rows_begin(&drafts, rows[i].steps);
        assert_int_equal(drafts.left, rows[i].left);
        assert_int_equal(drafts.used, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_followed_before_is_proposed),
        cmocka_unit_test(lengths_follow_what_is_kept),
        cmocka_unit_test(who_misses_waits),
        cmocka_unit_test(texts_that_do_not_repeat_lose_little),
        cmocka_unit_test(texts_are_those_without_proposals),
        cmocka_unit_test(stop_strings_end_proposals),
        cmocka_unit_test(decoders_copy_what_was_read),
        cmocka_unit_test(others_get_no_proposals),
        cmocka_unit_test(a_full_pass_has_no_proposals),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
