/* T5's children: what the goldens are too coarse to tell, or say only all together: which gelu,
 * what absent keys mean for each model_type, how the head that is the embedding is scaled. */
#include "unit/models/repos.h"

#include <math.h>

#define CONFIG(type)                                                                               \
    "{\"model_type\":\"" type "\",\"vocab_size\":97,\"d_model\":40,\"d_ff\":72,\"num_layers\":2,"  \
    "\"num_heads\":4"

static const struct {
    const char *config;
    enum activation activation;
    bool gated, tied, by_layer;
} rows[] = {
    {CONFIG("t5") "}", ACTIVATION_RELU, false, true, false},
    {CONFIG("t5") ",\"feed_forward_proj\":\"gated-gelu\"}", ACTIVATION_GELU_TANH, true, true,
     false},
    {CONFIG("t5") ",\"feed_forward_proj\":\"gelu\"}", ACTIVATION_GELU, false, true, false},
    {CONFIG("t5") ",\"feed_forward_proj\":\"gated-silu\",\"tie_word_embeddings\":false}",
     ACTIVATION_SILU, true, false, false},
    {CONFIG("mt5") "}", ACTIVATION_GELU_TANH, true, false, false},
    {CONFIG("mt5") ",\"feed_forward_proj\":\"relu\",\"tie_word_embeddings\":true}", ACTIVATION_RELU,
     false, true, false},
    {CONFIG("umt5") "}", ACTIVATION_GELU_TANH, true, true, true},
};

static void types_differ_where_keys_are_absent(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct repo repo;
        struct arch arch;
        repo_describe(&repo, rows[i].config, &arch);
        for (uint32_t s = 0; s < 2; s++) {
            const struct stack_spec *spec = &arch.stacks[s];
            if (spec->activation != rows[i].activation ||
                stack_has(spec, STACK_GATED) != rows[i].gated ||
                stack_has(spec, STACK_BIAS_BY_LAYER) != rows[i].by_layer)
                fail_msg("%s: activation %d, gated %d, by layer %d", rows[i].config,
                         spec->activation, stack_has(spec, STACK_GATED),
                         stack_has(spec, STACK_BIAS_BY_LAYER));
            assert_float_equal(spec->attention_scale, 1, 0);
            assert_int_equal(spec->head_size, 64);
            assert_true(spec->norm_kind == NORM_RMS && spec->norm_eps == 1e-6f);
            assert_int_equal(spec->buckets, 32);
            assert_int_equal(spec->bucket_reach, 128);
        }
        const struct head_step *step = &arch.head.steps[0];
        assert_int_equal(step->tied, rows[i].tied);
        assert_float_equal(step->scale, rows[i].tied ? 1 / sqrtf(40) : 0, 1e-7f);
        assert_int_equal(arch.decoder_start, 0);
        assert_int_equal(arch.eos, 1);
        repo_close(&repo);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(types_differ_where_keys_are_absent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
