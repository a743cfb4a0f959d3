/* Describing repositories: which head an architecture class has, what absent keys mean, and errors
 * that name the key, its value and what would be right. */
#include "unit/models/repos.h"

static const struct {
    const char *config, *family;
    enum head_kind kind;
    enum head_rows rows;
    uint32_t steps, outputs;
    const char *task;
} classes[] = {
    {BERT_CONFIG "}", "bert", HEAD_NONE, ROWS_ALL, 0, 0, "feature-extraction"},
    {BERT_CONFIG CLASS("BertModel") "}", "bert", HEAD_NONE, ROWS_ALL, 0, 0, "feature-extraction"},
    {BERT_CONFIG CLASS("BertForMaskedLM") "}", "bert", HEAD_LM, ROWS_ALL, 2, 97, "fill-mask"},
    {BERT_CONFIG CLASS("BertForPreTraining") "}", "bert", HEAD_LM, ROWS_ALL, 2, 97, "fill-mask"},
    {BERT_CONFIG ",\"is_decoder\":true" CLASS("BertLMHeadModel") "}", "bert", HEAD_LM, ROWS_LAST, 2,
     97, "text-generation"},
    {BERT_CONFIG CLASS("BertForSequenceClassification") "}", "bert", HEAD_SEQUENCE, ROWS_FIRST, 2,
     2, "text-classification"},
    {BERT_CONFIG ",\"num_labels\":7" CLASS("BertForTokenClassification") "}", "bert", HEAD_TOKEN,
     ROWS_ALL, 1, 7, "token-classification"},
    {BERT_CONFIG CLASS("BertForQuestionAnswering") "}", "bert", HEAD_SPAN, ROWS_ALL, 1, 2,
     "question-answering"},
    {BERT_CONFIG CLASS("BertForNextSentencePrediction") "}", "bert", HEAD_SEQUENCE, ROWS_FIRST, 2,
     2, NULL},
    {BERT_CONFIG CLASS("BertForMultipleChoice") "}", "bert", HEAD_SEQUENCE, ROWS_FIRST, 2, 1, NULL},
    {ROBERTA_CONFIG CLASS("RobertaForMaskedLM") "}", "roberta", HEAD_LM, ROWS_ALL, 2, 97,
     "fill-mask"},
    {ROBERTA_CONFIG CLASS("RobertaForSequenceClassification") "}", "roberta", HEAD_SEQUENCE,
     ROWS_FIRST, 2, 2, "text-classification"},
    {"{\"model_type\":\"xlm-roberta\"," BERT_SIZES CLASS("XLMRobertaForTokenClassification") "}",
     "roberta", HEAD_TOKEN, ROWS_ALL, 1, 2, "token-classification"},
    {DISTILBERT_CONFIG CLASS("DistilBertForMaskedLM") "}", "distilbert", HEAD_LM, ROWS_ALL, 2, 97,
     "fill-mask"},
    {DISTILBERT_CONFIG CLASS("DistilBertForSequenceClassification") ",\"id2label\":{\"0\":\"N\","
                                                                    "\"1\":\"P\",\"2\":\"Q\"}}",
     "distilbert", HEAD_SEQUENCE, ROWS_FIRST, 2, 3, "text-classification"},
    {GPT2_CONFIG "}", "gpt2", HEAD_LM, ROWS_LAST, 1, 97, "text-generation"},
    {GPT2_CONFIG CLASS("GPT2Model") "}", "gpt2", HEAD_NONE, ROWS_ALL, 0, 0, "feature-extraction"},
    {GPT2_CONFIG CLASS("GPT2DoubleHeadsModel") "}", "gpt2", HEAD_LM, ROWS_LAST, 1, 97,
     "text-generation"},
    {GPT2_CONFIG CLASS("GPT2ForSequenceClassification") "}", "gpt2", HEAD_SEQUENCE, ROWS_LAST, 1, 2,
     "text-classification"},
    {BART_CONFIG CLASS("BartModel") "}", "bart", HEAD_NONE, ROWS_ALL, 0, 0, "feature-extraction"},
    {BART_CONFIG "}", "bart", HEAD_LM, ROWS_LAST, 1, 97, "text2text-generation"},
    {BART_CONFIG
     ",\"task_specific_params\":{\"summarization\":{}}" CLASS("BartForConditionalGeneration") "}",
     "bart", HEAD_LM, ROWS_LAST, 1, 97, "summarization"},
    {BART_CONFIG CLASS("BartForSequenceClassification") "}", "bart", HEAD_SEQUENCE, ROWS_LAST_EOS,
     2, 3, "text-classification"},
    {MULTILINGUAL("mbart") CLASS("MBartForSequenceClassification") "}", "mbart", HEAD_SEQUENCE,
     ROWS_LAST_EOS, 2, 2, "text-classification"},
    {MULTILINGUAL("mbart") CLASS("MBartForConditionalGeneration") "}", "mbart", HEAD_LM, ROWS_LAST,
     1, 97, "text2text-generation"},
    {MULTILINGUAL("m2m_100") CLASS("M2M100ForConditionalGeneration") "}", "m2m_100", HEAD_LM,
     ROWS_LAST, 1, 97, "translation"},
    {BART_CONFIG CLASS("BartForCausalLM") "}", "bart", HEAD_LM, ROWS_LAST, 1, 97,
     "text-generation"},
};

static void classes_have_their_heads(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        struct repo repo;
        struct arch arch;
        repo_describe(&repo, classes[i].config, &arch);
        assert_string_equal(arch.family, classes[i].family);
        assert_int_equal(arch.head.kind, classes[i].kind);
        assert_int_equal(arch.head.n_steps, classes[i].steps);
        assert_int_equal(arch.head.outputs, classes[i].outputs);
        if (classes[i].steps > 0)
            assert_int_equal(arch.head.rows, classes[i].rows);
        const char *task = models_default_task(&repo.repository, &arch);
        if (classes[i].task)
            assert_string_equal(task, classes[i].task);
        else
            assert_null(task);
        repo_close(&repo);
    }
}

#define DECODER_SIZES(type)                                                                        \
    "\"model_type\":\"" type "\",\"vocab_size\":97,\"hidden_size\":40,\"num_hidden_layers\":2,"    \
    "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"intermediate_size\":8"

static const struct {
    const char *config, *text[3];
} wrong[] = {
    {"{}", {"\"model_type\" is missing", "brisk list families"}},
    {"{\"model_type\":\"qpt2\"}", {"\"qpt2\"", "the nearest names that it runs are gpt2, "}},
    {"{\"model_type\":\"Roberta-\"}", {"are roberta, "}},
    {"{\"model_type\":\"\"}", {"\"model_type\" is \"\""}},
    {"{\"model_type\":7}", {"\"model_type\" is missing"}},
    {BERT_CONFIG CLASS("BertForFun") "}", {"\"BertForFun\"", "BertForMaskedLM"}},
    {BERT_CONFIG CLASS("GPT2Model") "}", {"\"GPT2Model\"", "BertModel"}},
    {"{\"model_type\":\"bert\"}", {"\"hidden_size\" is missing"}},
    {"{\"model_type\":\"gpt2\",\"n_embd\":40,\"n_head\":4,\"n_layer\":1}",
     {"\"vocab_size\" is missing"}},
    {"{\"model_type\":\"bart\",\"d_model\":40}", {"\"encoder_attention_heads\" is missing"}},
    {"{\"model_type\":\"gpt2\",\"vocab_size\":9,\"n_embd\":768,\"n_head\":13,\"n_layer\":1}",
     {"\"n_head\" is 13, must divide n_embd 768"}},
    {"{\"model_type\":\"gpt2\",\"vocab_size\":9,\"n_embd\":768,\"n_head\":0,\"n_layer\":1}",
     {"\"n_head\" is 0, must be 1 to"}},
    {"{\"model_type\":\"gpt2\",\"vocab_size\":9,\"n_embd\":1e300,\"n_head\":1,\"n_layer\":1}",
     {"\"n_embd\" is a fraction"}},
    {"{\"model_type\":\"gpt2\",\"vocab_size\":9,\"n_embd\":NaN,\"n_head\":1,\"n_layer\":1}",
     {"\"n_embd\" is a fraction"}},
    {"{\"model_type\":\"gpt2\",\"vocab_size\":-Infinity,\"n_embd\":8,\"n_head\":1,\"n_layer\":1}",
     {"\"vocab_size\" is a fraction"}},
    {"{\"model_type\":\"gpt2\",\"vocab_size\":9,\"n_embd\":8,\"n_head\":1,\"n_layer\":1.5}",
     {"\"n_layer\" is a fraction"}},
    {"{\"model_type\":\"gpt2\",\"vocab_size\":-9,\"n_embd\":8,\"n_head\":1,\"n_layer\":1}",
     {"\"vocab_size\" is -9, must be 1 to"}},
    {"{\"model_type\":\"gpt2\",\"vocab_size\":\"9\",\"n_embd\":8,\"n_head\":1,\"n_layer\":1}",
     {"\"vocab_size\" is a string"}},
    {"{\"model_type\":\"gpt2\",\"vocab_size\":9,\"n_embd\":8,\"n_head\":1,\"n_layer\":513}",
     {"\"n_layer\" is 513, must be 1 to 512"}},
    {GPT2_CONFIG ",\"activation_function\":\"mish2\"}", {"\"mish2\"", "gelu_new"}},
    {GPT2_CONFIG ",\"activation_function\":3}", {"\"activation_function\" is a number"}},
    {GPT2_CONFIG ",\"layer_norm_epsilon\":NaN}", {"\"layer_norm_epsilon\""}},
    {GPT2_CONFIG ",\"layer_norm_epsilon\":-1}", {"\"layer_norm_epsilon\"", "0 or more"}},
    {GPT2_CONFIG ",\"scale_attn_weights\":\"yes\"}", {"\"scale_attn_weights\" is a string"}},
    {GPT2_CONFIG ",\"eos_token_id\":\"</s>\"}", {"\"eos_token_id\""}},
    {BERT_CONFIG ",\"position_embedding_type\":\"relative_key\"}",
     {"position_embedding_type", "relative_key"}},
    {MULTILINGUAL("m2m_100") ",\"pad_token_id\":null}", {"\"pad_token_id\" is -1, must be 0 to"}},
    {MULTILINGUAL("m2m_100") ",\"pad_token_id\":2000000}", {"\"pad_token_id\" is 2000000"}},
    {MULTILINGUAL("mbart") ",\"scale_embedding\":1}", {"\"scale_embedding\" is a number"}},
    {"{" DECODER_SIZES("mixtral") ",\"num_local_experts\":2,\"num_experts_per_tok\":3}",
     {"\"num_experts_per_tok\" is 3, must be at most num_local_experts 2"}},
    {"{" DECODER_SIZES("olmoe") ",\"num_experts\":1025}",
     {"\"num_experts\" is 1025, must be 1 to 1024"}},
    {"{" DECODER_SIZES("qwen2_moe") ",\"mlp_only_layers\":3}",
     {"\"mlp_only_layers\" is a number, must be a list of layers"}},
    {"{" DECODER_SIZES("qwen2") ",\"layer_types\":[\"full_attention\"]}",
     {"\"layer_types\" must name 2 layers"}},
    {"{" DECODER_SIZES(
         "qwen3") ",\"head_dim\":8,\"layer_types\":[\"full_attention\",\"sliding_attention\"]}",
     {"\"sliding_window\" is not in use"}},
    {"{\"model_type\":\"roberta\",\"vocab_size\":97,\"hidden_size\":40,\"num_hidden_layers\":2,"
     "\"num_attention_heads\":4,\"intermediate_size\":72,\"max_position_embeddings\":2}",
     {"\"max_position_embeddings\" is 2"}},
};

static void errors_name_key_and_value(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct repo repo;
        struct arch arch;
        struct error err = {0};
        repo_open(&repo, wrong[i].config);
        if (models_describe(&arch, &repo.repository, &err) != STATUS_ERROR)
            fail_msg("taken: %s", wrong[i].config);
        assert_int_equal(err.code, ERROR_MODEL);
        for (size_t j = 0; j < ARRAY_LEN(wrong[i].text) && wrong[i].text[j]; j++)
            if (!strstr(err.text, wrong[i].text[j]))
                fail_msg("%s: lacks \"%s\": %s", wrong[i].config, wrong[i].text[j], err.text);
        repo_close(&repo);
    }
}

static void absent_keys_have_the_class_defaults(void **state) {
    struct repo repo;
    struct arch arch;
    repo_describe(
        &repo, "{\"model_type\":\"gpt2\",\"vocab_size\":9,\"n_embd\":8,\"n_head\":2,\"n_layer\":1}",
        &arch);
    const struct stack_spec *gpt2 = &arch.stacks[0];
    assert_int_equal(gpt2->intermediate_size, 32);
    assert_int_equal(gpt2->max_positions, 1024);
    assert_int_equal(gpt2->activation, ACTIVATION_GELU_TANH);
    assert_float_equal(gpt2->norm_eps, 1e-5f, 0);
    assert_true(gpt2->attention_scale == 0.0f && !stack_has(gpt2, STACK_SCALE_BY_LAYER) &&
                stack_has(gpt2, STACK_CAUSAL));
    assert_int_equal(arch.eos, 50256);
    assert_int_equal(arch.pad, -1);
    assert_true(arch.head.steps[0].tied);
    repo_close(&repo);

    repo_describe(&repo, ROBERTA_CONFIG ",\"eos_token_id\":[5,6],\"bos_token_id\":null}", &arch);
    const struct stack_spec *roberta = &arch.stacks[0];
    assert_int_equal(roberta->max_positions, 64);
    assert_int_equal(roberta->position_offset, 2);
    assert_int_equal(roberta->token_types, 2);
    assert_int_equal(arch.eos, 5);
    assert_int_equal(arch.bos, -1);
    repo_close(&repo);

    repo_describe(&repo, BART_CONFIG ",\"scale_embedding\":true}", &arch);
    assert_int_equal(arch.n_stacks, 2);
    assert_true(stack_has(&arch.stacks[1], STACK_CROSS) && arch.shifts_input);
    assert_true(arch_has_decoder(&arch));
    assert_float_equal(arch.stacks[1].embed_scale, sqrtf(40.0f), 0);
    assert_int_equal(arch.decoder_start, 2);
    assert_int_equal(arch.stacks[1].head_size, 8);
    repo_close(&repo);

    repo_describe(&repo, MULTILINGUAL("mbart") "}", &arch);
    assert_int_equal(arch.decoder_start, -1);
    assert_int_equal(arch.shifts_input, SHIFT_ROUND);
    assert_float_equal(arch.stacks[0].embed_scale, 0, 0);
    assert_int_equal(arch.stacks[0].max_positions, 1024);
    assert_int_equal(arch.stacks[0].activation, ACTIVATION_GELU);
    repo_close(&repo);

    repo_describe(&repo, MULTILINGUAL("m2m_100") ",\"pad_token_id\":3}", &arch);
    assert_int_equal(arch.decoder_start, 2);
    assert_int_equal(arch.stacks[0].position_offset, 4);
    assert_float_equal(arch.stacks[0].embed_scale, sqrtf(40.0f), 0);
    assert_int_equal(arch.stacks[0].activation, ACTIVATION_RELU);
    repo_close(&repo);
}

/* A file's null says that there is none, and a file of its own replaces them all. */
static void classes_have_settings_of_generation(void **state) {
    static const struct {
        const char *config;
        int64_t forced_eos, forced_bos, ngrams; /* -1: not there, or null */
    } rows[] = {
        {BART_CONFIG "}", 2, -1, -1},
        {BART_CONFIG ",\"forced_eos_token_id\":7}", 7, -1, -1},
        {BART_CONFIG ",\"forced_eos_token_id\":null}", -1, -1, -1},
        {BART_CONFIG ",\"force_bos_token_to_be_generated\":true}", 2, 0, -1},
        {BART_CONFIG ",\"force_bos_token_to_be_generated\":true,\"bos_token_id\":5}", 2, 5, -1},
        {BART_CONFIG ",\"force_bos_token_to_be_generated\":true,\"forced_bos_token_id\":9}", 2, 9,
         -1},
        {BART_CONFIG ",\"force_bos_token_to_be_generated\":true,\"forced_bos_token_id\":null}", 2,
         0, -1},
        {MULTILINGUAL("mbart") ",\"force_bos_token_to_be_generated\":true}", 2, -1, -1},
        {MULTILINGUAL("blenderbot") "}", 2, -1, 3},
        {MULTILINGUAL("blenderbot-small") "}", 2, -1, -1},
        {MULTILINGUAL("marian") "}", 0, -1, -1},
        {MULTILINGUAL("pegasus") "}", 1, -1, -1},
        {MULTILINGUAL("plbart") "}", 2, -1, -1},
        {MULTILINGUAL("m2m_100") "}", -1, -1, -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct repo repo;
        struct arch arch;
        repo_describe(&repo, rows[i].config, &arch);
        const struct json *config = repo.repository.config;
        if (json_get_int(config, "forced_eos_token_id", -1) != rows[i].forced_eos ||
            json_get_int(config, "forced_bos_token_id", -1) != rows[i].forced_bos ||
            json_get_int(config, "encoder_no_repeat_ngram_size", -1) != rows[i].ngrams)
            fail_msg("row %zu: %s", i, rows[i].config);
        repo_close(&repo);
    }
    struct repo repo;
    struct arch arch;
    struct error err = {0};
    repo_open(&repo, BART_CONFIG "}");
    repo.repository.generation_config = repo.repository.config;
    assert_int_equal(models_describe(&arch, &repo.repository, &err), STATUS_OK);
    assert_null(json_get(repo.repository.config, "forced_eos_token_id"));
    repo_close(&repo);
}

static void labels_are_named(void **state) {
    static const struct {
        const char *config;
        uint32_t count, id;
        const char *label;
    } rows[] = {
        {BERT_CONFIG "}", 2, 1, "LABEL_1"},
        {BART_CONFIG "}", 3, 2, "LABEL_2"},
        {BERT_CONFIG ",\"num_labels\":5}", 5, 4, "LABEL_4"},
        {BERT_CONFIG ",\"id2label\":{\"0\":\"NEG\",\"1\":\"POS\",\"2\":\"?\"}}", 3, 1, "POS"},
        {BERT_CONFIG ",\"id2label\":{\"0\":\"NEG\"}}", 1, 7, "LABEL_7"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct repo repo;
        struct arena arena = {0};
        repo_open(&repo, rows[i].config);
        assert_int_equal(models_label_count(&repo.repository), rows[i].count);
        assert_string_equal(models_label(&repo.repository, &arena, rows[i].id), rows[i].label);
        arena_deinit(&arena);
        repo_close(&repo);
    }
}

static void a_card_or_modules_decide_the_task(void **state) {
    struct repo repo;
    struct arch arch;
    repo_describe(&repo, BERT_CONFIG "}", &arch);
    struct repository changed = repo.repository;
    changed.modules = changed.config;
    assert_string_equal(models_default_task(&changed, &arch), "sentence-similarity");
    changed.pipeline_tag = "feature-extraction";
    assert_string_equal(models_default_task(&changed, &arch), "feature-extraction");
    repo_close(&repo);
}

/* Some classes are made for one task; what the others do their configuration says. */
static void a_class_may_be_made_for_a_task(void **state) {
    static const struct {
        const char *config, *task;
    } rows[] = {
        {"{\"architectures\":[\"MarianMTModel\"]}", "translation"},
        {"{\"architectures\":[\"M2M100ForConditionalGeneration\"]}", "translation"},
        {"{\"architectures\":[\"FSMTForConditionalGeneration\"]}", "translation"},
        {"{\"architectures\":[\"PegasusForConditionalGeneration\"]}", "summarization"},
        {"{\"architectures\":[\"PegasusXForConditionalGeneration\"]}", "summarization"},
        {"{\"architectures\":[\"LEDForConditionalGeneration\"]}", "summarization"},
        {"{\"architectures\":[\"MBartForConditionalGeneration\"]}", "text2text-generation"},
        {"{\"architectures\":[\"T5ForConditionalGeneration\"],\"task_specific_params\":"
         "{\"summarization\":{},\"translation_en_to_de\":{}}}",
         "text2text-generation"},
        {"{}", "text2text-generation"},
    };
    const struct arch arch = {.head = {.kind = HEAD_LM}, .decoder_stack = 1};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena = {0};
        struct error err;
        struct repository repository = {0};
        assert_int_equal(json_parse(&repository.config, &arena, rows[i].config,
                                    strlen(rows[i].config), JSON_STRICT, &err),
                         STATUS_OK);
        assert_string_equal(models_own_task(&repository, &arch), rows[i].task);
        arena_deinit(&arena);
    }
}

static void the_list_is_sorted(void **state) {
    assert_true(models_count() >= 5);
    for (size_t i = 1; i < models_count(); i++)
        assert_true(strcmp(models_name(i - 1), models_name(i)) < 0);
    assert_null(models_name(models_count()));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_have_their_heads),
        cmocka_unit_test(errors_name_key_and_value),
        cmocka_unit_test(absent_keys_have_the_class_defaults),
        cmocka_unit_test(classes_have_settings_of_generation),
        cmocka_unit_test(labels_are_named),
        cmocka_unit_test(a_card_or_modules_decide_the_task),
        cmocka_unit_test(a_class_may_be_made_for_a_task),
        cmocka_unit_test(the_list_is_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
