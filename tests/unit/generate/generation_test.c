/* The state machine on tiny models: against plain loops that recompute everything, in any chunking
 * of the prompt, beside other generations, with nothing allocated in a step. That beams choose as
 * `transformers` does is shown by the goldens of whole models. */
#include "unit/engine/tiny.h"
#include "unit/engine/arches.h"

#include "generate/generate.h"

#define PROMPT 9
#define NEW    12

struct fixture {
    struct team *team;
    struct model *decoder, *seq2seq;
    int32_t prompt[PROMPT];
};

static int set_up(void **state) {
    struct fixture *f = mem_zalloc(1, sizeof(*f));
    f->team = tiny_team(1);
    f->decoder = tiny_model(&decoder_arch, f->team, PRECISION_FP32);
    f->seq2seq = tiny_model(&seq2seq_arch, f->team, PRECISION_FP32);
    for (uint32_t i = 0; i < PROMPT; i++) {
        f->prompt[i] = tiny_token(3, i, 97);
    }
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

static struct generation_config config_new(uint32_t max_new_tokens) {
    struct generation_config config;
    generation_config_default(&config);
    config.max_new_tokens = max_new_tokens;
    return config;
}

static struct generation_input input_of(struct fixture *f, const struct generation_config *config) {
    return (struct generation_input){
        .model = f->decoder, .prompt = f->prompt, .n_prompt = PROMPT, .config = config};
}

static struct generation *create(const struct generation_input *input) {
    struct error err;
    struct generation *generation = NULL;
    if (generation_create(&generation, input, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
    return generation;
}

static void step(struct model *model, uint32_t stack, struct generation *generation,
                 uint32_t budget, bool *done) {
    struct segment segments[LIMIT_BEAMS];
    assert_true(generation_width(generation) <= LIMIT_BEAMS);
    const uint32_t n = generation_plan(generation, budget, segments);
    if (n > 0) {
        model_forward(model, stack, segments, n);
    }
    *done = generation_advance(generation) == STATUS_OK;
}

static void run(struct model *model, uint32_t stack, struct generation *generation,
                uint32_t budget) {
    bool done = false;
    for (int i = 0; i < 1000 && !done; i++) {
        step(model, stack, generation, budget, &done);
    }
    assert_true(done);
}

/* Logits behind ids[n], from scratch. */
static void logits_of(struct model *model, const int32_t *ids, uint32_t n, float *logits) {
    const uint32_t row = n - 1;
    const struct segment segment = {
        .tokens = ids, .n = n, .rows = &row, .n_rows = 1, .logits = logits};
    model_forward(model, 0, &segment, 1);
}

static void greedy_is_the_argmax_of_each_step(void **state) {
    struct fixture *f = *state;
    float logits[101];
    int32_t ids[PROMPT + NEW];
    memcpy(ids, f->prompt, sizeof(f->prompt));
    const struct generation_config config = config_new(NEW);
    const struct generation_input input = input_of(f, &config);
    struct generation *generation = create(&input);
    run(f->decoder, 0, generation, 100);
    const struct generation_output *outputs = NULL;
    assert_int_equal(generation_outputs(generation, &outputs), 1);
    assert_int_equal(outputs[0].n, NEW);
    assert_int_equal(outputs[0].reason, FINISH_LENGTH);
    for (uint32_t i = 0; i < NEW; i++) {
        logits_of(f->decoder, ids, PROMPT + i, logits);
        ids[PROMPT + i] = (int32_t)ops_argmax(logits, 101);
        assert_int_equal(outputs[0].ids[i], ids[PROMPT + i]);
        ops_log_softmax(logits, 101);
        assert_true(fabsf(outputs[0].logprobs[i] - logits[ids[PROMPT + i]]) < 1e-5f);
    }
    generation_destroy(generation);
}

struct mode {
    const char *name;
    bool do_sample;
    uint32_t num_beams, num_return_sequences, n_eos;
    float length_penalty;
    enum early_stopping early_stopping;
    uint32_t num_beam_groups;
};

static const struct mode modes[] = {
    {"greedy", false, 1, 1, 0, 1, EARLY_STOPPING_FALSE, 1},
    {"greedy with end", false, 1, 1, 3, 1, EARLY_STOPPING_FALSE, 1},
    {"sampling", true, 1, 1, 0, 1, EARLY_STOPPING_FALSE, 1},
    {"sampling five", true, 1, 5, 2, 1, EARLY_STOPPING_FALSE, 1},
    {"beams", false, 4, 2, 0, 1, EARLY_STOPPING_FALSE, 1},
    {"beams with ends", false, 5, 5, 3, 1, EARLY_STOPPING_TRUE, 1},
    {"beams, never early", false, 3, 3, 2, 2, EARLY_STOPPING_NEVER, 1},
    {"beam sampling", true, 3, 2, 2, 0.5f, EARLY_STOPPING_FALSE, 1},
    {"groups", false, 6, 4, 0, 1, EARLY_STOPPING_FALSE, 3},
    {"groups with ends", false, 6, 6, 3, 1, EARLY_STOPPING_TRUE, 2},
};

static struct generation_config config_of(const struct mode *mode) {
    struct generation_config config = config_new(NEW);
    config.do_sample = mode->do_sample;
    config.num_beams = mode->num_beams;
    config.num_return_sequences = mode->num_return_sequences;
    config.length_penalty = mode->length_penalty;
    config.early_stopping = mode->early_stopping;
    config.n_eos = mode->n_eos;
    config.num_beam_groups = mode->num_beam_groups;
    config.diversity_penalty = config.num_beam_groups > 1 ? 1.5f : 0;
    for (uint32_t i = 0; i < mode->n_eos; i++) {
        config.eos[i] = (int32_t)(11 + 29 * i);
    }
    config.has_seed = true;
    config.seed = 77;
    config.repetition_penalty = 1.1f;
    return config;
}

static void assert_same_outputs(const char *name, struct generation *a, struct generation *b) {
    const struct generation_output *x = NULL, *y = NULL;
    const uint32_t n = generation_outputs(a, &x);
    assert_int_equal(n, generation_outputs(b, &y));
    for (uint32_t i = 0; i < n; i++) {
        if (x[i].n != y[i].n || memcmp(x[i].ids, y[i].ids, x[i].n * sizeof(int32_t)) != 0 ||
            x[i].reason != y[i].reason || memcmp(&x[i].score, &y[i].score, sizeof(float)) != 0) {
            fail_msg("%s: output %u differs", name, i);
        }
    }
}

static void chunks_of_the_prompt_change_nothing(void **state) {
    struct fixture *f = *state;
    static const uint32_t budgets[] = {1, 2, 4, 8};
    for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
        const struct generation_config config = config_of(&modes[m]);
        const struct generation_input input = input_of(f, &config);
        struct generation *whole = create(&input);
        run(f->decoder, 0, whole, 100);
        for (size_t i = 0; i < ARRAY_LEN(budgets); i++) {
            struct generation *chunked = create(&input);
            run(f->decoder, 0, chunked, budgets[i]);
            assert_same_outputs(modes[m].name, whole, chunked);
            generation_destroy(chunked);
        }
        generation_destroy(whole);
    }
}

/* All modes in the same passes, the i-th joining at step i. */
static void others_in_the_batch_change_nothing(void **state) {
    struct fixture *f = *state;
    struct generation *together[ARRAY_LEN(modes)] = {0};
    struct generation_config configs[ARRAY_LEN(modes)];
    bool done[ARRAY_LEN(modes)] = {false};
    size_t n_done = 0;
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        configs[i] = config_of(&modes[i]);
        const struct generation_input input = input_of(f, &configs[i]);
        together[i] = create(&input);
    }
    for (uint32_t t = 0; n_done < ARRAY_LEN(modes); t++) {
        struct segment segments[ARRAY_LEN(modes) * LIMIT_BEAMS];
        uint32_t n = 0;
        for (size_t i = 0; i < ARRAY_LEN(modes) && i <= t; i++) {
            n += done[i] ? 0 : generation_plan(together[i], 5, segments + n);
        }
        model_forward(f->decoder, 0, segments, n);
        for (size_t i = 0; i < ARRAY_LEN(modes) && i <= t; i++) {
            if (!done[i]) {
                done[i] = generation_advance(together[i]) == STATUS_OK;
                n_done += done[i];
            }
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        const struct generation_input input = input_of(f, &configs[i]);
        struct generation *alone = create(&input);
        run(f->decoder, 0, alone, 100);
        assert_same_outputs(modes[i].name, alone, together[i]);
        generation_destroy(alone);
        generation_destroy(together[i]);
    }
}

/* A decoder whose texts are turned by other frequencies beyond `border` tokens. */
static struct model *model_with_border(struct team *team, uint32_t border) {
    struct arch arch = expert_arch;
    struct stack_spec *spec = &arch.stacks[0];
    spec->positions = POSITIONS_ROTARY;
    spec->ropes[0] = (struct rope){.size = 8,
                                   .frequencies = {1, 0.5f, 0.1f, 0.02f},
                                   .border = border,
                                   .long_frequencies = {0.7f, 0.2f, 0.03f, 0.004f}};
    spec->flags |= STACK_REREADS;
    return tiny_model(&arch, team, PRECISION_FP32);
}

/* Prompts beyond, at and before it, which then cross it. */
static void beyond_a_border_texts_are_as_if_read_at_once(void **state) {
    static const uint32_t borders[] = {PROMPT - 2, PROMPT, PROMPT + 4};
    for (size_t i = 0; i < ARRAY_LEN(borders); i++) {
        struct fixture f = *(struct fixture *)*state;
        f.decoder = model_with_border(f.team, borders[i]);
        void *with_border = &f;
        greedy_is_the_argmax_of_each_step(&with_border);
        chunks_of_the_prompt_change_nothing(&with_border);
        others_in_the_batch_change_nothing(&with_border);
        model_destroy(f.decoder);
    }
}

/* The first of five sampled texts is the one that is sampled alone. */
static void a_seed_gives_each_sequence_its_own_stream(void **state) {
    struct fixture *f = *state;
    struct generation_config config = config_of(&modes[3]);
    config.n_eos = 0;
    const struct generation_input input = input_of(f, &config);
    struct generation *five = create(&input);
    run(f->decoder, 0, five, 100);
    config.num_return_sequences = 1;
    struct generation *one = create(&input);
    run(f->decoder, 0, one, 100);
    const struct generation_output *a = NULL, *b = NULL;
    generation_outputs(five, &a);
    generation_outputs(one, &b);
    assert_memory_equal(a[0].ids, b[0].ids, NEW * sizeof(int32_t));
    assert_memory_not_equal(a[0].ids, a[1].ids, NEW * sizeof(int32_t));
    generation_destroy(five);
    generation_destroy(one);
}

/* ---- beams against a search that keeps no state ---- */

#define BEAMS 6
#define STEPS 5

struct naive {
    int32_t ids[PROMPT + STEPS];
    float score;
};

/* Beam search without EOS: the best BEAMS prefixes of each length. */
static void naive_beams(struct fixture *f, struct naive *beams) {
    static float logits[BEAMS][101];
    uint32_t n = 1;
    memcpy(beams[0].ids, f->prompt, sizeof(f->prompt));
    beams[0].score = 0;
    for (uint32_t t = 0; t < STEPS; t++) {
        struct naive next[BEAMS];
        uint32_t n_next = 0;
        for (uint32_t b = 0; b < n; b++) {
            logits_of(f->decoder, beams[b].ids, PROMPT + t, logits[b]);
            ops_log_softmax(logits[b], 101);
            for (uint32_t v = 0; v < 101; v++) {
                const float score = logits[b][v] + beams[b].score;
                if (n_next == BEAMS && !(score > next[BEAMS - 1].score)) {
                    continue;
                }
                uint32_t at = n_next < BEAMS ? n_next++ : BEAMS - 1;
                for (; at > 0 && score > next[at - 1].score; at--) {
                    next[at] = next[at - 1];
                }
                next[at] = beams[b];
                next[at].ids[PROMPT + t] = (int32_t)v;
                next[at].score = score;
            }
        }
        memcpy(beams, next, sizeof(next));
        n = n_next;
    }
}

static void beams_are_the_best_prefixes(void **state) {
    struct fixture *f = *state;
    struct naive naive[BEAMS];
    naive_beams(f, naive);
    struct generation_config config = config_new(STEPS);
    config.num_beams = BEAMS;
    config.num_return_sequences = BEAMS;
    config.length_penalty = 1.5f;
    const struct generation_input input = input_of(f, &config);
    struct generation *generation = create(&input);
    run(f->decoder, 0, generation, 100);
    const struct generation_output *outputs = NULL;
    assert_int_equal(generation_outputs(generation, &outputs), BEAMS);
    for (uint32_t b = 0; b < BEAMS; b++) {
        assert_int_equal(outputs[b].n, STEPS);
        assert_null(outputs[b].logprobs);
        assert_memory_equal(outputs[b].ids, naive[b].ids + PROMPT, STEPS * sizeof(int32_t));
        const float score = naive[b].score / powf(STEPS, 1.5f);
        assert_true(fabsf(outputs[b].score - score) < 1e-6f);
    }
    generation_destroy(generation);
}

/* Scores are what the returned ids really have, and come in order. */
static void beam_scores_are_those_of_the_texts(void **state) {
    struct fixture *f = *state;
    for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
        struct generation_config config = config_of(&modes[m]);
        config.repetition_penalty = 1;
        if (config.num_beams == 1 || config.do_sample || config.num_beam_groups > 1) {
            continue; /* groups' scores have their penalties in them */
        }
        const struct generation_input input = input_of(f, &config);
        struct generation *generation = create(&input);
        run(f->decoder, 0, generation, 100);
        const struct generation_output *outputs = NULL;
        const uint32_t n = generation_outputs(generation, &outputs);
        for (uint32_t i = 0; i < n; i++) {
            int32_t ids[PROMPT + NEW];
            float logits[101], sum = 0;
            memcpy(ids, f->prompt, sizeof(f->prompt));
            for (uint32_t t = 0; t < outputs[i].n; t++) {
                logits_of(f->decoder, ids, PROMPT + t, logits);
                ops_log_softmax(logits, 101);
                ids[PROMPT + t] = outputs[i].ids[t];
                sum += logits[outputs[i].ids[t]];
            }
            const float score = sum / powf((float)outputs[i].n, config.length_penalty);
            assert_true(fabsf(outputs[i].score - score) < 1e-5f);
            assert_true(i == 0 || outputs[i - 1].score >= outputs[i].score);
            assert_true(outputs[i].reason == FINISH_EOS || outputs[i].n == NEW);
        }
        generation_destroy(generation);
    }
}

/* ---- the rest ---- */

static void steps_allocate_nothing(void **state) {
    struct fixture *f = *state;
    for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
        struct generation_config config = config_of(&modes[m]);
        config.max_new_tokens = 70;
        config.no_repeat_ngram_size = 3;
        config.top_p = 0.9f;
        const struct generation_input input = input_of(f, &config);
        struct generation *generation = create(&input);
        const uint64_t before = mem_alloc_count();
        run(f->decoder, 0, generation, 4);
        if (mem_alloc_count() != before) {
            fail_msg("%s: %llu allocations", modes[m].name,
                     (unsigned long long)(mem_alloc_count() - before));
        }
        generation_destroy(generation);
    }
}

static void encoder_decoder_reads_its_memory(void **state) {
    struct fixture *f = *state;
    struct error err;
    struct generation *generations[2] = {0};
    for (uint32_t i = 0; i < 2; i++) {
        struct memory *memory = NULL;
        int32_t text[12];
        for (uint32_t j = 0; j < 12; j++) {
            text[j] = tiny_token(i, j, 97);
        }
        assert_int_equal(memory_create(&memory, f->seq2seq, 1, 12, &err), STATUS_OK);
        const struct segment encode = {.tokens = text, .n = 12, .remember = memory};
        model_forward(f->seq2seq, 0, &encode, 1);
        struct generation_config config = config_new(NEW);
        config.num_beams = 3;
        config.encoder_no_repeat_ngram_size = 2;
        const int32_t start = 2;
        const struct generation_input input = {.model = f->seq2seq,
                                               .stack = 1,
                                               .prompt = &start,
                                               .n_prompt = 1,
                                               .encoder_tokens = text,
                                               .n_encoder_tokens = 12,
                                               .memory = memory,
                                               .config = &config};
        generations[i] = create(&input);
        memory_unref(memory); /* the generation holds it */
        run(f->seq2seq, 1, generations[i], 10);
    }
    const struct generation_output *a = NULL, *b = NULL;
    generation_outputs(generations[0], &a);
    generation_outputs(generations[1], &b);
    assert_int_equal(a[0].n, NEW);
    assert_memory_not_equal(a[0].ids, b[0].ids, NEW * sizeof(int32_t));
    generation_destroy(generations[0]);
    generation_destroy(generations[1]);
}

static void the_context_ends_the_text(void **state) {
    struct fixture *f = *state;
    const struct generation_config config = config_new(1000);
    const struct generation_input input = input_of(f, &config);
    struct generation *generation = create(&input);
    run(f->decoder, 0, generation, 100);
    const struct generation_output *outputs = NULL;
    generation_outputs(generation, &outputs);
    assert_int_equal(outputs[0].n, 90 - PROMPT + 1); /* max_positions of the arch */
    assert_int_equal(outputs[0].reason, FINISH_LENGTH);
    generation_destroy(generation);
}

static void nothing_given_is_twenty_new_tokens(void **state) {
    struct fixture *f = *state;
    const struct generation_config config = config_new(0);
    const struct generation_input input = input_of(f, &config);
    struct generation *generation = create(&input);
    run(f->decoder, 0, generation, 100);
    const struct generation_output *outputs = NULL;
    generation_outputs(generation, &outputs);
    assert_int_equal(outputs[0].n, 20);
    generation_destroy(generation);
}

static void cancelling_ends_at_the_next_step(void **state) {
    struct fixture *f = *state;
    for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
        const struct generation_config config = config_of(&modes[m]);
        const struct generation_input input = input_of(f, &config);
        struct generation *generation = create(&input);
        const struct generation_output *outputs = NULL;
        bool done = false;
        step(f->decoder, 0, generation, 100, &done);
        step(f->decoder, 0, generation, 100, &done);
        assert_int_equal(generation_outputs(generation, &outputs), 0);
        generation_cancel(generation);
        assert_int_equal(generation_advance(generation), STATUS_OK);
        assert_int_equal(generation_outputs(generation, &outputs), modes[m].num_return_sequences);
        assert_int_equal(outputs[0].reason, FINISH_CANCELLED);
        struct segment segments[LIMIT_BEAMS];
        assert_int_equal(generation_plan(generation, 100, segments), 0);
        generation_destroy(generation);
    }
}

static void time_ends_all_texts(void **state) {
    struct fixture *f = *state;
    for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
        struct generation_config config = config_of(&modes[m]);
        config.max_time_s = 1e-9;
        config.n_eos = 0;
        const struct generation_input input = input_of(f, &config);
        struct generation *generation = create(&input);
        const struct generation_output *outputs = NULL;
        run(f->decoder, 0, generation, 100);
        generation_outputs(generation, &outputs);
        assert_int_equal(outputs[0].reason, FINISH_TIME);
        assert_int_equal(outputs[0].n, 1);
        generation_destroy(generation);
    }
}

static void progress_grows_with_each_step(void **state) {
    struct fixture *f = *state;
    const struct generation_config config = config_new(NEW);
    const struct generation_input input = input_of(f, &config);
    struct generation *generation = create(&input);
    const int32_t *ids = NULL;
    bool done = false;
    assert_int_equal(generation_progress(generation, &ids), 0);
    for (uint32_t i = 1; !done; i++) {
        step(f->decoder, 0, generation, 100, &done);
        assert_int_equal(generation_progress(generation, &ids), i);
    }
    const struct generation_output *outputs = NULL;
    generation_outputs(generation, &outputs);
    assert_memory_equal(ids, outputs[0].ids, NEW * sizeof(int32_t));
    generation_destroy(generation);
}

struct bad {
    const char *settings, *says;
    uint32_t n_prompt;
    int32_t first;
};

static const struct bad bad[] = {
    {"{}", "leaves no room", 91, 1},
    {"{\"max_length\": 5}", "max_length is 5", 9, 1},
    {"{}", "token 101 of the input", 3, 101},
    {"{}", "token -2 of the input", 3, -2},
    {"{\"forced_eos_token_id\": 500}", "forced token 500", 3, 1},
    {"{\"num_beams\": 100}", "num_beams is 100", 3, 1},
    {"{}", "empty", 0, 1},
};

static void impossible_generations_are_refused(void **state) {
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct arena arena = {0};
        struct error err = {0};
        const struct json *settings = NULL;
        struct generation_config config = config_new(0);
        struct generation *generation = NULL;
        int32_t prompt[100] = {bad[i].first};
        assert_int_equal(json_parse(&settings, &arena, bad[i].settings, strlen(bad[i].settings),
                                    JSON_STRICT, &err),
                         STATUS_OK);
        assert_int_equal(generation_config_update(&config, &arena, settings, "x", &err), STATUS_OK);
        const struct generation_input input = {
            .model = f->decoder, .prompt = prompt, .n_prompt = bad[i].n_prompt, .config = &config};
        assert_int_equal(generation_create(&generation, &input, &err), STATUS_ERROR);
        assert_null(generation);
        assert_int_equal(err.code, ERROR_INPUT);
        if (!strstr(err.text, bad[i].says)) {
            fail_msg("says \"%s\", wanted \"%s\"", err.text, bad[i].says);
        }
        arena_deinit(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_is_the_argmax_of_each_step),
        cmocka_unit_test(chunks_of_the_prompt_change_nothing),
        cmocka_unit_test(others_in_the_batch_change_nothing),
        cmocka_unit_test(beyond_a_border_texts_are_as_if_read_at_once),
        cmocka_unit_test(a_seed_gives_each_sequence_its_own_stream),
        cmocka_unit_test(beams_are_the_best_prefixes),
        cmocka_unit_test(beam_scores_are_those_of_the_texts),
        cmocka_unit_test(steps_allocate_nothing),
        cmocka_unit_test(encoder_decoder_reads_its_memory),
        cmocka_unit_test(the_context_ends_the_text),
        cmocka_unit_test(nothing_given_is_twenty_new_tokens),
        cmocka_unit_test(cancelling_ends_at_the_next_step),
        cmocka_unit_test(time_ends_all_texts),
        cmocka_unit_test(progress_grows_with_each_step),
        cmocka_unit_test(impossible_generations_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
