/* Decoders since Gemma: what absent keys, nulls and odd values of config.json mean. That their
 * answers are right is shown by the goldens. */
#include "unit/models/repos.h"

#define SIZES                                                                                      \
    "\"vocab_size\":97,\"hidden_size\":%s,\"num_hidden_layers\":4,\"num_attention_heads\":4,"      \
    "\"intermediate_size\":72"
#define CONFIG(type)                                                                               \
    "{\"model_type\":\"" type "\",\"vocab_size\":97,\"hidden_size\":40,"                           \
    "\"num_hidden_layers\":4,\"num_attention_heads\":4,\"intermediate_size\":72"

/* torch.tensor(hidden_size ** 0.5, dtype=dtype) */
static void embeddings_are_scaled_as_the_weights_round(void **state) {
    static const struct {
        const char *hidden, *dtype;
        float scale;
    } rows[] = {
        {"3072", "\"torch_dtype\":\"bfloat16\"", 55.5f},
        {"3072", "\"dtype\":\"float16\"", 55.4375f},
        {"3072", "\"dtype\":\"float32\"", 55.42562484741211f},
        {"3072", "\"dtype\":null", 55.42562484741211f},
        {"2048", "\"dtype\":\"bfloat16\",\"torch_dtype\":\"float16\"", 45.25f},
        {"640", "\"dtype\":\"float16\"", 25.296875f},
        {"640", "\"dtype\":\"bfloat16\"", 25.25f},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char config[512];
        struct repo repo;
        struct arch arch;
        snprintf(config, sizeof config, "{\"model_type\":\"gemma\"," SIZES ",%s}", rows[i].hidden,
                 rows[i].dtype);
        repo_describe(&repo, config, &arch);
        assert_float_equal(arch.stacks[0].embed_scale, rows[i].scale, 0);
        repo_close(&repo);
    }
}

static const uint8_t local = LAYER_LOCAL, turned = LAYER_LOCAL | LAYER_ROPE_1,
                     still = LAYER_NO_ROPE, both = LAYER_LOCAL | LAYER_NO_ROPE;

static void layers_have_their_kinds(void **state) {
    const struct {
        const char *config;
        uint32_t window;
        uint8_t kinds[4];
    } rows[] = {
        {CONFIG("gemma2") "}", 4096, {local, 0, local, 0}},
        {CONFIG("gemma2") ",\"sliding_window\":9,\"layer_types\":[\"full_attention\","
                          "\"full_attention\",\"sliding_attention\",\"full_attention\"]}",
         9,
         {0, 0, local, 0}},
        {CONFIG("gemma3_text") ",\"sliding_window_pattern\":2}", 4096, {turned, 0, turned, 0}},
        {CONFIG("gemma3_text") "}", 4096, {turned, turned, turned, turned}},
        {CONFIG("phi3") "}", 0, {0, 0, 0, 0}},
        {CONFIG("phi3") ",\"sliding_window\":12}", 12, {local, local, local, local}},
        {CONFIG("starcoder2") ",\"sliding_window\":null}", 0, {0, 0, 0, 0}},
        {CONFIG("olmo3") "}", 4096, {turned, turned, turned, 0}},
        {CONFIG("olmo2") "}", 0, {0, 0, 0, 0}},
        {CONFIG("cohere2") "}", 4096, {local, local, local, still}},
        {CONFIG("smollm3") "}", 0, {0, 0, 0, still}},
        {CONFIG("smollm3") ",\"no_rope_layers\":[0,1,1,0],\"sliding_window\":7}",
         7,
         {still, 0, 0, still}},
        {CONFIG("smollm3") ",\"no_rope_layer_interval\":2,\"use_sliding_window\":true,"
                           "\"sliding_window\":7}",
         7,
         {0, both, 0, both}},
        {CONFIG("ministral") "}", 4096, {local, local, local, local}},
        {CONFIG("ministral") ",\"sliding_window\":null}", 0, {0, 0, 0, 0}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct repo repo;
        struct arch arch;
        repo_describe(&repo, rows[i].config, &arch);
        if (arch.stacks[0].window != rows[i].window ||
            memcmp(arch.stacks[0].layer_kinds, rows[i].kinds, sizeof rows[i].kinds) != 0)
            fail_msg("%s: window %u, kinds %d %d %d %d", rows[i].config, arch.stacks[0].window,
                     arch.stacks[0].layer_kinds[0], arch.stacks[0].layer_kinds[1],
                     arch.stacks[0].layer_kinds[2], arch.stacks[0].layer_kinds[3]);
        repo_close(&repo);
    }
}

static void absent_keys_and_null_differ(void **state) {
    struct repo repo;
    struct arch arch;
    repo_describe(&repo, CONFIG("gemma2") "}", &arch);
    assert_float_equal(arch.stacks[0].attention_softcap, 50, 0);
    assert_float_equal(arch.head.softcap, 30, 0);
    assert_float_equal(arch.stacks[0].attention_scale, 1.0f / 16, 0);
    assert_int_equal(arch.stacks[0].head_size, 256);
    assert_true(arch.head.steps[0].tied);
    assert_int_equal(arch.eos, 1);
    repo_close(&repo);
    repo_describe(&repo,
                  CONFIG("gemma2") ",\"attn_logit_softcapping\":null,\"eos_token_id\":[7,8],"
                                   "\"final_logit_softcapping\":null,"
                                   "\"tie_word_embeddings\":false}",
                  &arch);
    assert_true(arch.stacks[0].attention_softcap == 0 && arch.head.softcap == 0);
    assert_false(arch.head.steps[0].tied);
    assert_int_equal(arch.eos, 7);
    repo_close(&repo);
    repo_describe(&repo, CONFIG("cohere") ",\"logit_scale\":null}", &arch);
    assert_float_equal(arch.head.steps[0].scale, 0.0625f, 0);
    assert_true(arch.stacks[0].ropes[0].interleaved);
    repo_close(&repo);
    repo_describe(&repo, CONFIG("granite") ",\"logits_scaling\":8}", &arch);
    assert_float_equal(arch.head.steps[0].scale, 0.125f, 0);
    assert_float_equal(arch.stacks[0].attention_scale, 1, 0);
    repo_close(&repo);
}

#define LONGROPE                                                                                   \
    ",\"max_position_embeddings\":8192,\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":"  \
    "[1,1,1,1,1],\"long_factor\":[2,2,2,2,2]}"

/* Phi3Config has an original context of its own, where the file says none; others have not. */
static void longrope_has_a_border(void **state) {
    static const struct {
        const char *config;
        uint32_t border, rereads;
    } rows[] = {
        {CONFIG("phi3") LONGROPE "}", 4096, 4096},
        {CONFIG("phi3") LONGROPE ",\"original_max_position_embeddings\":300}", 300, 300},
        {CONFIG("phi3") "}", 0, 0},
        {CONFIG("llama") LONGROPE "}", 8192, 0},
        {CONFIG("llama") LONGROPE ",\"original_max_position_embeddings\":300}", 300, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct repo repo;
        struct arch arch;
        repo_describe(&repo, rows[i].config, &arch);
        const struct rope *rope = &arch.stacks[0].ropes[0];
        assert_int_equal(rope->border, rows[i].border);
        assert_int_equal(stack_border(&arch.stacks[0]), rows[i].rereads);
        if (rope->border > 0)
            assert_float_equal(rope->long_frequencies[1], rope->frequencies[1] / 2, 1e-7f);
        repo_close(&repo);
    }
}

/* As published models of Gemma 3 with images have it: text_config says what is not the default. */
static void a_text_config_is_read(void **state) {
    struct repo repo;
    struct arch arch;
    repo_describe(&repo,
                  "{\"model_type\":\"gemma3\",\"torch_dtype\":\"bfloat16\",\"eos_token_id\":[1,106]"
                  ",\"architectures\":[\"Gemma3ForConditionalGeneration\"],\"text_config\":{"
                  "\"hidden_size\":2560,\"intermediate_size\":10240,\"num_hidden_layers\":34,"
                  "\"rope_scaling\":{\"factor\":8.0,\"rope_type\":\"linear\"},"
                  "\"sliding_window\":1024}}",
                  &arch);
    const struct stack_spec *spec = &arch.stacks[0];
    assert_int_equal(spec->vocab_size, 262208);
    assert_int_equal(spec->heads, 8);
    assert_int_equal(spec->kv_heads, 4);
    assert_int_equal(spec->head_size, 256);
    assert_int_equal(spec->window, 1024);
    assert_float_equal(spec->embed_scale, 50.5f, 0); /* sqrt(2560) is 50.596 */
    assert_float_equal(spec->ropes[0].frequencies[0], 0.125f, 0);
    assert_float_equal(spec->ropes[1].frequencies[0], 1, 0);
    assert_string_equal(arch.prefix, "language_model.model.");
    assert_int_equal(arch.head.kind, HEAD_LM);
    assert_true(arch.head.steps[0].tied && stack_has(spec, STACK_CAUSAL));
    repo_close(&repo);
}

static void what_is_not_run_is_refused(void **state) {
    static const struct {
        const char *config, *text;
    } rows[] = {
        {CONFIG("gemma2") ",\"layer_types\":[\"full_attention\"]}", "of layer 1"},
        {CONFIG("gemma2") ",\"layer_types\":[\"chunked_attention\"]}", "of layer 0"},
        {CONFIG("gemma2") ",\"layer_types\":7}", "\"layer_types\""},
        {CONFIG("gemma2") ",\"sliding_window\":null}", "\"sliding_window\" is null"},
        {CONFIG("gemma2") ",\"query_pre_attn_scalar\":0}", "must be over 0"},
        {CONFIG("gemma2") ",\"attn_logit_softcapping\":-1}", "must be over 0"},
        {CONFIG("gemma3_text") ",\"num_key_value_heads\":3}", "must divide"},
        {CONFIG("gemma3_text") ",\"sliding_window_pattern\":0}", "must be 1 to"},
        {CONFIG("olmo") ",\"clip_qkv\":\"8\"}", "\"clip_qkv\""},
        {CONFIG("granite") ",\"logits_scaling\":0}", "\"logits_scaling\" is 0"},
        {CONFIG("smollm3") ",\"no_rope_layers\":[1]}", "\"no_rope_layers\""},
        {CONFIG("cohere") ",\"logit_scale\":1e300}", "\"logit_scale\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct repo repo;
        struct arch arch;
        struct error err = {0};
        repo_open(&repo, rows[i].config);
        if (models_describe(&arch, &repo.repository, &err) != STATUS_ERROR)
            fail_msg("taken: %s", rows[i].config);
        if (err.code != ERROR_MODEL || !strstr(err.text, rows[i].text))
            fail_msg("%s: lacks \"%s\": %s", rows[i].config, rows[i].text, err.text);
        repo_close(&repo);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(embeddings_are_scaled_as_the_weights_round),
        cmocka_unit_test(layers_have_their_kinds),
        cmocka_unit_test(absent_keys_and_null_differ),
        cmocka_unit_test(longrope_has_a_border),
        cmocka_unit_test(a_text_config_is_read),
        cmocka_unit_test(what_is_not_run_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
