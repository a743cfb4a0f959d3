/* Loading: what is absent or of another shape is named, prefixes may be there or not, what is
 * reported (bytes, progress, estimate) holds, and half a model leaves nothing behind. */
#include "unit/engine/tiny.h"

#include "unit/engine/arches.h"
#include "unit/engine/runs.h"

static const struct {
    const struct arch *arch;
    const char *absent, *longer; /* tensors */
    const char *text[3];         /* all must stand in the error */
} damaged[] = {
    {&encoder_arch, "base.enc.tokens.weight", NULL, {"base.enc.tokens.weight"}},
    {&encoder_arch, "base.enc.2.k.weight", NULL, {"base.enc.2.k.weight"}},
    {&encoder_arch, "base.enc.0.ffn_norm.weight", NULL, {"base.enc.0.ffn_norm.weight"}},
    {&encoder_arch, "base.dense_norm.weight", NULL, {"base.dense_norm.weight"}},
    {&decoder_arch, "base.1.qkv.weight", NULL, {"base.1.qkv.weight"}},
    {&decoder_arch, "base.lm_head.weight", NULL, {"lm_head.weight"}},
    {&seq2seq_arch, "base.dec.1.cross_v.weight", NULL, {"base.dec.1.cross_v.weight"}},
    {&encoder_arch,
     NULL,
     "base.enc.tokens.weight",
     {"base.enc.tokens.weight", "[98, 40]", "[97, 40]"}},
    {&encoder_arch,
     NULL,
     "base.enc.positions.weight",
     {"enc.positions.weight", "[73, 40]", "[72, 40]"}},
    {&encoder_arch, NULL, "base.enc.types.weight", {"enc.types.weight", "[3, 40]", "[2, 40]"}},
    {&encoder_arch, NULL, "base.enc.1.v.weight", {"enc.1.v.weight", "[41, 40]", "[40, 40]"}},
    {&encoder_arch, NULL, "base.enc.1.v.bias", {"enc.1.v.bias", "[41]", "[40]"}},
    {&encoder_arch, NULL, "base.enc.embed_norm.bias", {"enc.embed_norm.bias", "[41]", "[40]"}},
    {&encoder_arch, NULL, "base.decoder_bias", {"decoder_bias", "[98]", "[97]"}},
    {&decoder_arch, NULL, "base.0.qkv.weight", {"0.qkv.weight", "[45, 120]", "[44, 120]"}},
    {&decoder_arch, NULL, "base.2.down.weight", {"2.down.weight", "[61, 44]", "[60, 44]"}},
    {&seq2seq_arch,
     NULL,
     "base.dec.0.cross_q.weight",
     {"dec.0.cross_q.weight", "[41, 40]", "[40, 40]"}},
};

static void what_is_wrong_is_named(void **state) {
    struct team *team = tiny_team(2);
    const struct model_options options = {.team = team};
    for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
        const struct tiny_spoil spoil = {.absent = damaged[i].absent, .longer = damaged[i].longer};
        struct model *model = NULL;
        struct error err = {0};
        assert_int_equal(tiny_try(&model, damaged[i].arch, &spoil, &options, &err), STATUS_ERROR);
        assert_int_equal(err.code, ERROR_MODEL);
        assert_null(model);
        for (size_t j = 0; j < ARRAY_LEN(damaged[i].text) && damaged[i].text[j]; j++)
            if (!strstr(err.text, damaged[i].text[j]))
                fail_msg("row %zu lacks \"%s\": %s", i, damaged[i].text[j], err.text);
    }
    team_destroy(team);
}

static void names_may_lack_the_prefix(void **state) {
    static const struct tiny_spoil bare = {.without_prefix = true};
    struct team *team = tiny_team(1);
    const struct model_options options = {.team = team};
    struct model *with = tiny_model(&seq2seq_arch, team, PRECISION_FP32), *without = NULL;
    struct error err = {0};
    if (tiny_try(&without, &seq2seq_arch, &bare, &options, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    struct outputs a, b;
    outputs_init(&a, with);
    outputs_init(&b, with);
    run_alone(with, &a);
    run_alone(without, &b);
    assert_outputs_equal(&a, &b, with);
    outputs_deinit(&a);
    outputs_deinit(&b);
    model_destroy(with);
    model_destroy(without);
    team_destroy(team);
}

/* An absent bias is zero, also where the others of a fused product have one. */
static void a_bias_may_be_absent(void **state) {
    static const struct tiny_spoil spoil = {.absent = "base.enc.0.k.bias"};
    struct team *team = tiny_team(1);
    const struct model_options options = {.team = team};
    struct model *model = NULL;
    struct error err = {0};
    if (tiny_try(&model, &encoder_arch, &spoil, &options, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    model_destroy(model);
    team_destroy(team);
}

static void note_progress(void *user, double share) {
    double *last = user;
    assert_true(share >= *last && share <= 1.0);
    *last = share;
}

static void progress_reaches_the_end(void **state) {
    struct team *team = tiny_team(2);
    const struct arch *const arches[] = {&encoder_arch, &decoder_arch, &seq2seq_arch, &expert_arch};
    for (size_t i = 0; i < ARRAY_LEN(arches); i++) {
        double share = 0;
        const struct tiny_spoil none = {0};
        const struct model_options options = {
            .team = team, .progress = note_progress, .user = &share};
        struct model *model = NULL;
        struct error err = {0};
        assert_int_equal(tiny_try(&model, arches[i], &none, &options, &err), STATUS_OK);
        assert_true(share > 0.999);
        model_destroy(model);
    }
    team_destroy(team);
}

static void check_bytes(const struct arch *arch, bool decodes) {
    struct team *team = tiny_team(1);
    const enum precision precisions[] = {PRECISION_FP32, PRECISION_BF16, PRECISION_INT8,
                                         PRECISION_INT4};
    size_t last = SIZE_MAX;
    for (size_t i = 0; i < ARRAY_LEN(precisions); i++) {
        struct model *model = tiny_model(arch, team, precisions[i]);
        const double ratio =
            (double)model_estimate_bytes(arch, precisions[i]) / (double)model_bytes(model);
        assert_true(ratio > 0.8 && ratio < 1.2);
        assert_int_equal(model_precision(model), precisions[i]);
        const size_t moved = model_weight_bytes_per_token(model, 0);
        if (precisions[i] == PRECISION_INT4 && !decodes) /* what does not decode keeps 8 bits */
            assert_int_equal(moved, last);
        else
            assert_true(moved > 0 && moved < last);
        last = moved;
        model_destroy(model);
    }
    team_destroy(team);
}

/* The estimate is for admission: near the truth, whatever the precision. */
static void bytes_are_as_estimated(void **state) {
    check_bytes(&encoder_arch, false);
    check_bytes(&decoder_arch, true);
}

/* A token goes through few of many experts, and only their weights are moved. */
static void experts_that_no_token_chooses_are_not_moved(void **state) {
    struct team *team = tiny_team(1);
    struct arch arch = expert_arch;
    size_t moved[2];
    for (uint32_t i = 0; i < 2; i++) {
        arch.stacks[0].routing.experts = i == 0 ? 7 : 14;
        struct model *model = tiny_model(&arch, team, PRECISION_BF16);
        const double ratio =
            (double)model_estimate_bytes(&arch, PRECISION_BF16) / (double)model_bytes(model);
        assert_true(ratio > 0.8 && ratio < 1.2);
        moved[i] = model_weight_bytes_per_token(model, 0);
        model_destroy(model);
    }
    assert_true(moved[0] > 0 && moved[1] - moved[0] < 8 * KiB); /* two routers of one panel each */
    team_destroy(team);
}

static void a_long_bidirectional_text_fits_a_pass(void **state) {
    struct arch arch = encoder_arch;
    struct team *team = tiny_team(1);
    arch.stacks[0].max_positions = LIMIT_BATCH_TOKENS + 300;
    struct model *model = tiny_model(&arch, team, PRECISION_FP32);
    assert_int_equal(model_max_rows(model), LIMIT_BATCH_TOKENS + 300);
    const uint32_t n = LIMIT_BATCH_TOKENS + 300, last = n - 1;
    int32_t *ids = mem_zalloc(n, sizeof *ids);
    float hidden[40];
    const struct segment segment = {
        .tokens = ids, .n = n, .rows = &last, .n_rows = 1, .hidden = hidden};
    model_forward(model, 0, &segment, 1);
    assert_true(isfinite(hidden[0]));
    mem_free(ids);
    model_destroy(model);
    team_destroy(team);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(names_may_lack_the_prefix),
        cmocka_unit_test(a_bias_may_be_absent),
        cmocka_unit_test(progress_reaches_the_end),
        cmocka_unit_test(bytes_are_as_estimated),
        cmocka_unit_test(experts_that_no_token_chooses_are_not_moved),
        cmocka_unit_test(a_long_bidirectional_text_fits_a_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
