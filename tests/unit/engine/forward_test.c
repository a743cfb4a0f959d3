/* The forward pass: what a text answers must not depend on what shares its pass, on the lanes, on
 * how its prompt is cut, nor on which rows are asked for. Compared bit for bit. */
#include "unit/engine/tiny.h"

#include "unit/engine/arches.h"
#include "unit/engine/runs.h"

static const struct arch *const arches[] = {&encoder_arch, &decoder_arch, &seq2seq_arch,
                                            &expert_arch};
static const enum precision precisions[] = {
#define PRECISION(name, text) PRECISION_##name,
    PRECISIONS(PRECISION)
#undef PRECISION
};

/* Calls check(model) for every arch and precision on a team of so many lanes. */
static void for_all(uint32_t lanes, void (*check)(struct model *model)) {
    struct team *team = tiny_team(lanes);
    for (size_t a = 0; a < ARRAY_LEN(arches); a++)
        for (size_t p = 0; p < ARRAY_LEN(precisions); p++) {
            struct model *model = tiny_model(arches[a], team, precisions[p]);
            check(model);
            model_destroy(model);
        }
    team_destroy(team);
}

static void check_finite(struct model *model) {
    struct outputs o;
    outputs_init(&o, model);
    run_alone(model, &o);
    float smallest = INFINITY, largest = -INFINITY;
    for (uint32_t i = 0; i < model_arch(model)->head.outputs; i++) {
        assert_true(isfinite(o.logits[4][i]));
        smallest = fminf(smallest, o.logits[4][i]);
        largest = fmaxf(largest, o.logits[4][i]);
    }
    assert_true(largest - smallest >
                0.5f); /* an all but constant answer would pass any comparison */
    outputs_deinit(&o);
}

static void answers_are_finite_and_differ(void **state) {
    for_all(2, check_finite);
}

static void check_batch(struct model *model) {
    struct outputs alone, batch;
    outputs_init(&alone, model);
    outputs_init(&batch, model);
    run_alone(model, &alone);
    run_batch(model, &batch);
    assert_outputs_equal(&alone, &batch, model);
    outputs_deinit(&alone);
    outputs_deinit(&batch);
}

static void a_batch_answers_as_each_alone(void **state) {
    for_all(1, check_batch);
    for_all(2, check_batch);
}

static void lanes_change_nothing(void **state) {
    for (size_t a = 0; a < ARRAY_LEN(arches); a++)
        for (size_t p = 0; p < ARRAY_LEN(precisions); p++) {
            struct outputs o[3];
            for (uint32_t lanes = 1; lanes <= 3; lanes++) {
                struct team *team = tiny_team(lanes);
                struct model *model = tiny_model(arches[a], team, precisions[p]);
                outputs_init(&o[lanes - 1], model);
                run_batch(model, &o[lanes - 1]);
                assert_outputs_equal(&o[0], &o[lanes - 1], model);
                model_destroy(model);
                team_destroy(team);
            }
            for (size_t i = 0; i < ARRAY_LEN(o); i++)
                outputs_deinit(&o[i]);
        }
}

static void check_kept(struct model *model) {
    static const uint32_t pieces[] = {1, 3, 16, 19, RUN_MOST};
    if (!stack_has(&model_arch(model)->stacks[last_stack(model)], STACK_CAUSAL))
        return;
    struct outputs whole, kept;
    outputs_init(&whole, model);
    outputs_init(&kept, model);
    run_alone(model, &whole);
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        run_kept(model, pieces[i], &kept);
        assert_outputs_equal(&whole, &kept, model);
    }
    outputs_deinit(&whole);
    outputs_deinit(&kept);
}

static void kept_keys_answer_as_the_whole_text(void **state) {
    for_all(2, check_kept);
}

/* Only some rows, in any order: dropping rows early changes no bit of the others. */
static void check_rows(struct model *model) {
    struct outputs all, some;
    struct texts x;
    outputs_init(&all, model);
    outputs_init(&some, model);
    run_alone(model, &all);
    texts_init(&x, model, false);
    encode_all(&x);
    struct segment segments[RUN_TEXTS];
    uint32_t rows[RUN_TEXTS][3];
    for (uint32_t t = 0; t < RUN_TEXTS; t++) {
        const uint32_t n = run_length(model, t);
        segments[t] = text_segment(&x, t, 0, n, &some);
        rows[t][0] = n - 1;
        rows[t][1] = n / 2;
        rows[t][2] = 0;
        segments[t].rows = rows[t];
        segments[t].n_rows = t == 2 ? 0 : n < 3 ? n : t % 3 + 1;
        if (t == 3)
            segments[t].hidden = NULL;
        if (t == 5)
            segments[t].logits = NULL;
    }
    model_forward(model, last_stack(model), segments, RUN_TEXTS);
    const size_t hidden = hidden_size(model), outputs = model_arch(model)->head.outputs;
    for (uint32_t t = 0; t < RUN_TEXTS; t++)
        for (uint32_t i = 0; i < segments[t].n_rows; i++) {
            if (segments[t].hidden)
                assert_floats_equal(some.hidden[t] + i * hidden,
                                    all.hidden[t] + rows[t][i] * hidden, hidden);
            if (segments[t].logits)
                assert_floats_equal(some.logits[t] + i * outputs,
                                    all.logits[t] + rows[t][i] * outputs, outputs);
        }
    texts_deinit(&x);
    outputs_deinit(&all);
    outputs_deinit(&some);
}

static void rows_answer_as_among_all(void **state) {
    for_all(2, check_rows);
}

/* All texts in one pass through encoder_arch with this head. */
static struct model *run_head(const struct head_spec *head, struct team *team, struct outputs *o) {
    struct arch arch = encoder_arch;
    arch.head = *head;
    struct model *model = tiny_model(&arch, team, PRECISION_FP32);
    outputs_init(o, model);
    run_batch(model, o);
    return model;
}

/* What the step before read is added: hidden states by the second step, by the third what the first
 * one gives. */
static void a_residual_is_what_the_step_before_read(void **state) {
    static const struct head_step steps[] = {
        {.linear = "a", .outputs = 33, .activation = ACTIVATION_TANH},
        {.linear = "b", .outputs = 21, .activation = ACTIVATION_GELU},
        {.linear = "c", .outputs = 33}};
    static const struct head_step to_hidden = {.linear = "d", .outputs = 40};
    static const struct head_spec heads[] = {
        {.kind = HEAD_TOKEN, .n_steps = 2, .steps = {steps[0], to_hidden}, .outputs = 40},
        {.kind = HEAD_TOKEN, .n_steps = 3, .steps = {steps[0], steps[1], steps[2]}, .outputs = 33}};
    static const struct head_spec first = {
        .kind = HEAD_TOKEN, .n_steps = 1, .steps = {steps[0]}, .outputs = 33};
    struct team *team = tiny_team(2);
    struct outputs read, without, with;
    struct model *of_first = run_head(&first, team, &read);
    for (size_t h = 0; h < ARRAY_LEN(heads); h++) {
        struct head_spec head = heads[h];
        struct model *plain = run_head(&head, team, &without);
        head.steps[head.n_steps - 1].residual = true;
        struct model *model = run_head(&head, team, &with);
        for (uint32_t t = 0; t < RUN_TEXTS; t++) {
            const float *added = h == 0 ? read.hidden[t] : read.logits[t];
            for (size_t i = 0; i < (size_t)run_length(model, t) * head.outputs; i++)
                assert_float_equal(with.logits[t][i], without.logits[t][i] + added[i], 1e-5);
        }
        outputs_deinit(&without);
        outputs_deinit(&with);
        model_destroy(plain);
        model_destroy(model);
    }
    outputs_deinit(&read);
    model_destroy(of_first);
    team_destroy(team);
}

/* Texts with kept keys and without in one pass. */
static void kept_and_passing_texts_share_a_pass(void **state) {
    struct team *team = tiny_team(2);
    struct model *model = tiny_model(&decoder_arch, team, PRECISION_FP32);
    struct outputs alone, mixed;
    struct texts x;
    outputs_init(&alone, model);
    outputs_init(&mixed, model);
    run_alone(model, &alone);
    texts_init(&x, model, true);
    struct segment segments[RUN_TEXTS];
    for (uint32_t t = 0; t < RUN_TEXTS; t++) {
        segments[t] = text_segment(&x, t, 0, run_length(model, t), &mixed);
        if (t % 2 == 0)
            segments[t].sequence = NULL;
    }
    model_forward(model, 0, segments, RUN_TEXTS);
    assert_outputs_equal(&alone, &mixed, model);
    assert_int_equal(sequence_length(x.sequence[0]), 0);
    assert_int_equal(sequence_length(x.sequence[1]), run_length(model, 1));
    texts_deinit(&x);
    outputs_deinit(&alone);
    outputs_deinit(&mixed);
    model_destroy(model);
    team_destroy(team);
}

/* More segments and rows than one pass holds are cut into several. */
static void any_number_of_segments_runs(void **state) {
    enum { COUNT = LIMIT_BATCH_SEQS + 90, LENGTH = 5 };
    struct team *team = tiny_team(2);
    struct model *model = tiny_model(&decoder_arch, team, PRECISION_INT8);
    const size_t outputs = decoder_arch.head.outputs;
    float *logits = mem_zalloc(COUNT * outputs, sizeof *logits), alone[101];
    struct segment *segments = mem_zalloc(COUNT, sizeof *segments);
    int32_t(*ids)[LENGTH] = mem_zalloc(COUNT, sizeof *ids);
    const uint32_t last[] = {LENGTH - 1};
    assert_true(COUNT * LENGTH > model_max_rows(model));
    for (uint32_t t = 0; t < COUNT; t++) {
        for (uint32_t i = 0; i < LENGTH; i++)
            ids[t][i] = tiny_token(t, i, 101);
        segments[t] = (struct segment){.tokens = ids[t],
                                       .n = LENGTH,
                                       .rows = last,
                                       .n_rows = 1,
                                       .logits = logits + t * outputs};
    }
    model_forward(model, 0, segments, COUNT);
    for (uint32_t t = 0; t < COUNT; t += 29) {
        struct segment segment = segments[t];
        segment.logits = alone;
        model_forward(model, 0, &segment, 1);
        assert_floats_equal(logits + t * outputs, alone, outputs);
    }
    mem_free(logits);
    mem_free(segments);
    mem_free(ids);
    model_destroy(model);
    team_destroy(team);
}

struct counts {
    uint64_t lanes[4];
};

static void count_allocations(struct lane *lane, void *arg) {
    ((struct counts *)arg)->lanes[lane->index] = mem_alloc_count();
}

/* 40 steps of all texts, with beams copied onto each other in between. */
static void check_allocations(struct model *model, struct team *team) {
    if (!stack_has(&model_arch(model)->stacks[last_stack(model)], STACK_CAUSAL))
        return;
    struct outputs o;
    struct texts x;
    struct counts before, after;
    outputs_init(&o, model);
    texts_init(&x, model, true);
    encode_all(&x);
    team_run(team, count_allocations, &before);
    for (uint32_t i = 0; i < 40; i++) {
        struct segment segments[RUN_TEXTS];
        for (uint32_t t = 0; t < RUN_TEXTS; t++)
            segments[t] = text_segment(&x, t, i, 1, &o);
        model_forward(model, last_stack(model), segments, RUN_TEXTS);
        if (i % 3 == 0)
            sequence_copy(x.sequence[i % RUN_TEXTS], x.sequence[(i + 3) % RUN_TEXTS]);
    }
    team_run(team, count_allocations, &after);
    for (uint32_t lane = 0; lane < team_threads(team); lane++)
        assert_int_equal(after.lanes[lane] - before.lanes[lane], 0);
    texts_deinit(&x);
    outputs_deinit(&o);
}

static void a_decode_step_allocates_nothing(void **state) {
    struct team *team = tiny_team(3);
    for (size_t a = 0; a < ARRAY_LEN(arches); a++)
        for (size_t p = 0; p < ARRAY_LEN(precisions); p++) {
            struct model *model = tiny_model(arches[a], team, precisions[p]);
            check_allocations(model, team);
            model_destroy(model);
        }
    team_destroy(team);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_finite_and_differ),
        cmocka_unit_test(a_batch_answers_as_each_alone),
        cmocka_unit_test(lanes_change_nothing),
        cmocka_unit_test(kept_keys_answer_as_the_whole_text),
        cmocka_unit_test(rows_answer_as_among_all),
        cmocka_unit_test(a_residual_is_what_the_step_before_read),
        cmocka_unit_test(kept_and_passing_texts_share_a_pass),
        cmocka_unit_test(any_number_of_segments_runs),
        cmocka_unit_test(a_decode_step_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
