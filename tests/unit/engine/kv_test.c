/* Sequences and memories: copies share pages until one of them writes, truncation forgets, what is
 * reserved is enough, and all memory comes back. Answers are compared with texts run whole. */
#include "unit/engine/tiny.h"

#include "engine/model.h"
#include "unit/engine/arches.h"
#include "unit/engine/runs.h"

#define BEAMS    6
#define CAPACITY 80

struct beam {
    struct sequence *sequence;
    int32_t ids[CAPACITY];
    uint32_t n;
};

/* The last row of the text run whole. */
static void answer_whole(struct model *model, const struct beam *beam, float *logits) {
    const uint32_t last = beam->n - 1;
    const struct segment segment = {
        .tokens = beam->ids, .n = beam->n, .rows = &last, .n_rows = 1, .logits = logits};
    model_forward(model, 0, &segment, 1);
}

/* Each live beam takes so many new tokens in one pass; its answer must be that of its whole text.
 */
static void append(struct model *model, struct beam *beams, const uint32_t *n_new, uint32_t salt) {
    struct segment segments[BEAMS];
    uint32_t rows[BEAMS], which[BEAMS], n = 0;
    float logits[BEAMS][101], whole[101];
    for (uint32_t b = 0; b < BEAMS; b++) {
        struct beam *beam = &beams[b];
        if (n_new[b] == 0 || beam->n + n_new[b] > CAPACITY)
            continue;
        for (uint32_t i = 0; i < n_new[b]; i++)
            beam->ids[beam->n + i] = tiny_token(b + 13 * salt, i, 101);
        rows[n] = n_new[b] - 1;
        segments[n] = (struct segment){.tokens = beam->ids + beam->n,
                                       .n = n_new[b],
                                       .sequence = beam->sequence,
                                       .rows = &rows[n],
                                       .n_rows = 1,
                                       .logits = logits[n]};
        beam->n += n_new[b];
        which[n++] = b;
    }
    model_forward(model, 0, segments, n);
    for (uint32_t i = 0; i < n; i++) {
        answer_whole(model, &beams[which[i]], whole);
        assert_floats_equal(logits[i], whole, 101);
        assert_int_equal(sequence_length(beams[which[i]].sequence), beams[which[i]].n);
    }
}

/* A random walk over appending, copying and truncating, as beam search and chunked prompts do. */
static void beams_are_independent(void **state) {
    struct team *team = tiny_team(2);
    struct model *model = tiny_model(&decoder_arch, team, PRECISION_FP32);
    struct beam beams[BEAMS] = {0};
    struct error err;
    for (uint32_t b = 0; b < BEAMS; b++)
        assert_int_equal(sequence_create(&beams[b].sequence, model, 0, CAPACITY, &err), STATUS_OK);
    struct random random = {.seed = 3};
    for (uint32_t step = 0; step < 150; step++) {
        uint32_t n_new[BEAMS];
        for (uint32_t b = 0; b < BEAMS; b++) {
            const uint32_t dice = random_next(&random) % 8, other = random_next(&random) % BEAMS;
            n_new[b] = dice < 5 ? 1 : dice == 5 ? 1 + random_next(&random) % 20 : 0;
            if (dice == 6) {
                sequence_copy(beams[b].sequence, beams[other].sequence);
                memcpy(beams[b].ids, beams[other].ids, sizeof beams[b].ids);
                beams[b].n = beams[other].n;
            }
            if (dice == 7 && beams[b].n > 0) {
                beams[b].n = random_next(&random) % beams[b].n;
                sequence_truncate(beams[b].sequence, beams[b].n);
            }
        }
        append(model, beams, n_new, step);
    }
    for (uint32_t b = 0; b < BEAMS; b++)
        sequence_destroy(beams[b].sequence);
    model_destroy(model);
    team_destroy(team);
}

static void a_copy_outlives_its_source(void **state) {
    struct team *team = tiny_team(1);
    struct model *model = tiny_model(&decoder_arch, team, PRECISION_FP32);
    struct beam beams[BEAMS] = {0};
    const uint32_t first[BEAMS] = {37}, second[BEAMS] = {0, 3};
    struct error err;
    assert_int_equal(sequence_create(&beams[0].sequence, model, 0, CAPACITY, &err), STATUS_OK);
    assert_int_equal(sequence_create(&beams[1].sequence, model, 0, 50, &err), STATUS_OK);
    append(model, beams, first, 1);
    sequence_copy(beams[1].sequence, beams[0].sequence);
    sequence_copy(beams[1].sequence, beams[1].sequence);
    memcpy(beams[1].ids, beams[0].ids, sizeof beams[0].ids);
    beams[1].n = 37;
    sequence_destroy(beams[0].sequence);
    append(model, beams, second, 2);
    assert_int_equal(sequence_capacity(beams[1].sequence), 50);
    sequence_destroy(beams[1].sequence);
    sequence_destroy(NULL);
    model_destroy(model);
    team_destroy(team);
}

/* Several beams read one memory, in passes shared with those of another. */
static void a_memory_is_shared(void **state) {
    struct team *team = tiny_team(2);
    struct model *model = tiny_model(&seq2seq_arch, team, PRECISION_FP32);
    struct outputs alone, shared;
    struct texts x;
    outputs_init(&alone, model);
    outputs_init(&shared, model);
    texts_init(&x, model, false);
    encode_all(&x);
    struct segment segments[RUN_TEXTS];
    for (uint32_t t = 0; t < RUN_TEXTS; t++) {
        segments[t] = text_segment(&x, t, 0, 9, &alone);
        segments[t].memory = x.memory[t % 2 ? 2 : 4];
        model_forward(model, 1, &segments[t], 1);
        segments[t].logits = shared.logits[t];
    }
    struct memory *counted = memory_ref(x.memory[2]);
    memory_unref(x.memory[2]);
    assert_int_equal(memory_tokens(counted), run_length(model, 2));
    model_forward(model, 1, segments, RUN_TEXTS);
    for (uint32_t t = 0; t < RUN_TEXTS; t++)
        assert_floats_equal(alone.logits[t], shared.logits[t], (size_t)9 * 97);
    assert_true(memcmp(alone.logits[0], alone.logits[1], 97 * sizeof(float)) != 0);
    texts_deinit(&x);
    outputs_deinit(&alone);
    outputs_deinit(&shared);
    model_destroy(model);
    team_destroy(team);
}

/* A text whose numbers overflow is its own affair: pages it has used go to others. */
static void a_broken_text_harms_no_other(void **state) {
    struct team *team = tiny_team(2);
    for (int kept = 0; kept < 2; kept++) {
        struct model *model = tiny_model(&decoder_arch, team, PRECISION_FP32);
        struct sequence *broken = NULL, *sound = NULL;
        struct error err;
        int32_t ids[40];
        float whole[101], after[101];
        const uint32_t last = 20;
        for (uint32_t i = 0; i < 40; i++)
            ids[i] = tiny_token(1, i, 100);
        struct segment segment = {
            .tokens = ids, .n = 21, .rows = &last, .n_rows = 1, .logits = whole};
        model_forward(model, 0, &segment, 1);
        ((float *)(uintptr_t)model->stacks[0].tokens)[100 * 44] = NAN;
        if (kept)
            assert_int_equal(sequence_create(&broken, model, 0, 40, &err), STATUS_OK);
        int32_t bad[40];
        for (uint32_t i = 0; i < 40; i++)
            bad[i] = 100;
        const struct segment poison = {.tokens = bad,
                                       .n = 40,
                                       .sequence = broken,
                                       .rows = &last,
                                       .n_rows = 1,
                                       .logits = after};
        model_forward(model, 0, &poison, 1);
        assert_true(isnan(after[0]));
        sequence_destroy(broken);
        if (kept)
            assert_int_equal(sequence_create(&sound, model, 0, 40, &err), STATUS_OK);
        segment.sequence = sound;
        segment.logits = after;
        model_forward(model, 0, &segment, 1);
        assert_floats_equal(whole, after, 101);
        sequence_destroy(sound);
        model_destroy(model);
    }
    team_destroy(team);
}

static struct model *limited_model(struct team *team, size_t limit) {
    struct model *model = NULL;
    struct error err = {0};
    const struct tiny_spoil none = {0};
    const struct model_options options = {.team = team, .page_limit = limit};
    if (tiny_try(&model, &decoder_arch, &none, &options, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return model;
}

static void a_full_pool_is_an_error(void **state) {
    const size_t block = decoder_arch.stacks[0].layers * kv_page_floats(2, 12) * sizeof(float);
    struct team *team = tiny_team(1);
    struct model *model = limited_model(team, 4 * block);
    struct sequence *a = NULL, *b = NULL;
    struct error err = {0};
    assert_int_equal(sequence_create(&a, model, 0, 3 * KV_PAGE_TOKENS, &err), STATUS_OK);
    assert_int_equal(sequence_create(&b, model, 0, KV_PAGE_TOKENS + 1, &err), STATUS_ERROR);
    assert_int_equal(err.code, ERROR_MEMORY);
    assert_null(b);
    assert_int_equal(sequence_create(&b, model, 0, KV_PAGE_TOKENS, &err), STATUS_OK);
    sequence_destroy(a);
    assert_int_equal(sequence_create(&a, model, 0, 3 * KV_PAGE_TOKENS, &err), STATUS_OK);
    sequence_destroy(a);
    sequence_destroy(b);
    model_destroy(model);
    team_destroy(team);
}

static void a_large_idle_pool_is_given_back(void **state) {
    struct team *team = tiny_team(1);
    struct model *model = limited_model(team, 0);
    const size_t before = model_bytes(model);
    struct sequence *a = NULL;
    struct error err;
    assert_int_equal(sequence_create(&a, model, 0, 150000, &err), STATUS_OK);
    assert_true(model_bytes(model) > before + LIMIT_POOL_IDLE);
    sequence_destroy(a);
    assert_int_equal(model_bytes(model), before);
    assert_int_equal(sequence_create(&a, model, 0, 10, &err), STATUS_OK);
    sequence_destroy(a);
    model_destroy(model);
    team_destroy(team);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beams_are_independent),
        cmocka_unit_test(a_copy_outlives_its_source),
        cmocka_unit_test(a_memory_is_shared),
        cmocka_unit_test(a_broken_text_harms_no_other),
        cmocka_unit_test(a_full_pool_is_an_error),
        cmocka_unit_test(a_large_idle_pool_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
