/* Encoders since BERT: what their classes and config keys mean, and what is refused by name. That
 * their answers are right is shown by the goldens. */
#include "unit/models/repos.h"

#define OF(type) "{\"model_type\":\"" type "\"," BERT_SIZES
#define XLM(more)                                                                                  \
    "{\"model_type\":\"xlm\",\"vocab_size\":97,\"emb_dim\":40,\"n_layers\":2,\"n_heads\":4" more
#define XLNET(more)                                                                                \
    "{\"model_type\":\"xlnet\",\"vocab_size\":97,\"d_model\":40,\"n_layer\":2,\"n_head\":4,\"d_"   \
    "inner\":64" more
#define NOMIC(more)                                                                                \
    "{\"model_type\":\"nomic_bert\",\"vocab_size\":97,\"n_embd\":40,\"n_layer\":2,\"n_head\":4,"   \
    "\"n_inner\":300,\"n_positions\":8192,\"activation_function\":\"swiglu\","                     \
    "\"rotary_emb_fraction\":1.0" more
#define JINA(more)                                                                                 \
    OF("bert") ",\"feed_forward_type\":\"geglu\",\"position_embedding_type\":\"alibi\"" more
#define NTK(more) ",\"rope_scaling\":{\"type\":\"ntk\"" more "}"

static const struct {
    const char *config, *family;
    enum head_kind kind;
    enum head_rows rows;
    uint32_t steps, inside, outputs; /* inside: of the first step */
    const char *task;
} classes[] = {
    {OF("albert") CLASS("AlbertForMaskedLM") "}", "albert", HEAD_LM, ROWS_ALL, 2, 128, 97,
     "fill-mask"},
    {OF("albert") CLASS("AlbertForSequenceClassification") "}", "albert", HEAD_SEQUENCE, ROWS_FIRST,
     2, 40, 2, "text-classification"},
    {OF("electra") CLASS("ElectraForPreTraining") "}", "electra", HEAD_NONE, ROWS_ALL, 0, 0, 0,
     "feature-extraction"},
    {OF("electra") CLASS("ElectraForMaskedLM") "}", "electra", HEAD_LM, ROWS_ALL, 2, 128, 97,
     "fill-mask"},
    {OF("electra") ",\"embedding_size\":40" CLASS("ElectraForMaskedLM") "}", "electra", HEAD_LM,
     ROWS_ALL, 2, 40, 97, "fill-mask"},
    {OF("rembert") CLASS("RemBertForMaskedLM") "}", "rembert", HEAD_LM, ROWS_ALL, 2, 1664, 97,
     "fill-mask"},
    {OF("mpnet") CLASS("MPNetModel") "}", "mpnet", HEAD_NONE, ROWS_ALL, 0, 0, 0,
     "feature-extraction"},
    {OF("data2vec-text") CLASS("Data2VecTextForMaskedLM") "}", "roberta", HEAD_LM, ROWS_ALL, 2, 40,
     97, "fill-mask"},
    {OF("modernbert") CLASS("ModernBertForTokenClassification") "}", "modernbert", HEAD_TOKEN,
     ROWS_ALL, 2, 40, 2, "token-classification"},
    {OF("modernbert") ",\"classifier_pooling\":\"mean\"" CLASS(
         "ModernBertForSequenceClassification") "}",
     "modernbert", HEAD_SEQUENCE, ROWS_MEAN, 2, 40, 2, "text-classification"},
    {OF("convbert") CLASS("ConvBertForMaskedLM") "}", "convbert", HEAD_LM, ROWS_ALL, 2, 768, 97,
     "fill-mask"},
    {OF("convbert") CLASS("ConvBertForSequenceClassification") "}", "convbert", HEAD_SEQUENCE,
     ROWS_FIRST, 2, 40, 2, "text-classification"},
    {OF("mobilebert") ",\"embedding_size\":24" CLASS("MobileBertForPreTraining") "}", "mobilebert",
     HEAD_LM, ROWS_ALL, 2, 40, 97, "fill-mask"},
    {OF("mobilebert") CLASS("MobileBertForSequenceClassification") "}", "mobilebert", HEAD_SEQUENCE,
     ROWS_FIRST, 2, 40, 2, "text-classification"},
    {OF("mobilebert") ",\"classifier_activation\":false" CLASS(
         "MobileBertForSequenceClassification") "}",
     "mobilebert", HEAD_SEQUENCE, ROWS_FIRST, 1, 2, 2, "text-classification"},
    {OF("tapas") CLASS("TapasForMaskedLM") "}", "tapas", HEAD_LM, ROWS_ALL, 2, 40, 97, "fill-mask"},
    {OF("tapas") CLASS("TapasForQuestionAnswering") "}", "tapas", HEAD_CELL, ROWS_ALL, 1, 2, 2,
     "table-question-answering"},
    {OF("tapas") ",\"type_vocab_size\":[3,9]" CLASS("TapasForSequenceClassification") "}", "tapas",
     HEAD_SEQUENCE, ROWS_FIRST, 2, 40, 2, "text-classification"},
    {OF("big_bird") ",\"intermediate_size\":52" CLASS("BigBirdForQuestionAnswering") "}",
     "big_bird", HEAD_SPAN, ROWS_ALL, 3, 52, 2, "question-answering"},
    {XLM(CLASS("XLMWithLMHeadModel") "}"), "xlm", HEAD_LM, ROWS_ALL, 1, 97, 97, "fill-mask"},
    {XLNET(CLASS("XLNetLMHeadModel") "}"), "xlnet", HEAD_LM, ROWS_ALL, 1, 97, 97,
     "text-generation"},
    {XLNET(",\"use_mems_eval\":false" CLASS("XLNetLMHeadModel") "}"), "xlnet", HEAD_NONE, ROWS_ALL, 0,
     0, 0, "feature-extraction"},
    {XLNET(",\"reuse_len\":64" CLASS("XLNetLMHeadModel") "}"), "xlnet", HEAD_NONE, ROWS_ALL, 0, 0, 0,
     "feature-extraction"},
    {XLNET(CLASS("XLNetForSequenceClassification") "}"), "xlnet", HEAD_SEQUENCE, ROWS_LAST, 2, 40,
     2, "text-classification"},
    {XLNET(",\"summary_type\":\"first\"" CLASS("XLNetForSequenceClassification") "}"), "xlnet",
     HEAD_SEQUENCE, ROWS_FIRST, 2, 40, 2, "text-classification"},
    {XLNET(CLASS("XLNetForQuestionAnsweringSimple") "}"), "xlnet", HEAD_SPAN, ROWS_ALL, 1, 2, 2,
     "question-answering"},
    {NOMIC(CLASS("NomicBertModel") "}"), "nomic_bert", HEAD_NONE, ROWS_ALL, 0, 0, 0,
     "feature-extraction"},
    {NOMIC(CLASS("NomicBertForPreTraining") "}"), "nomic_bert", HEAD_LM, ROWS_ALL, 2, 40, 97,
     "fill-mask"},
    {OF("new") CLASS("NewModel") "}", "gte", HEAD_NONE, ROWS_ALL, 0, 0, 0, "feature-extraction"},
    {OF("gte") CLASS("GteModel") "}", "gte", HEAD_NONE, ROWS_ALL, 0, 0, 0, "feature-extraction"},
    {OF("new") ",\"num_labels\":1" CLASS("NewForSequenceClassification") "}", "gte", HEAD_SEQUENCE,
     ROWS_FIRST, 2, 40, 1, "text-classification"},
    {JINA(CLASS("JinaBertForMaskedLM") "}"), "jina_bert", HEAD_LM, ROWS_ALL, 2, 40, 97,
     "fill-mask"},
    {JINA(",\"auto_map\":{\"AutoModel\":\"a/b--modeling_bert.JinaBertModel\"}}"), "jina_bert",
     HEAD_NONE, ROWS_ALL, 0, 0, 0, "feature-extraction"},
    {OF("bert") CLASS("BertModel") "}", "bert", HEAD_NONE, ROWS_ALL, 0, 0, 0, "feature-extraction"},
    {OF("bert") "}", "bert", HEAD_NONE, ROWS_ALL, 0, 0, 0, "feature-extraction"},
    {OF("esm") CLASS("EsmForMaskedLM") "}", "esm", HEAD_LM, ROWS_ALL, 2, 40, 97, "fill-mask"},
};

static void classes_have_their_heads(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        struct repo repo;
        struct arch arch;
        repo_describe(&repo, classes[i].config, &arch);
        assert_string_equal(arch.family, classes[i].family);
        assert_int_equal(arch.head.kind, classes[i].kind);
        assert_int_equal(arch.head.rows, classes[i].rows);
        assert_int_equal(arch.head.n_steps, classes[i].steps);
        assert_int_equal(arch.head.steps[0].outputs, classes[i].inside);
        assert_int_equal(arch.head.outputs, classes[i].outputs);
        assert_string_equal(models_default_task(&repo.repository, &arch), classes[i].task);
        repo_close(&repo);
    }
}

static const struct {
    const char *config, *text;
} wrong[] = {
    {OF("albert") ",\"num_hidden_groups\":3}", "\"num_hidden_groups\" is 3"},
    {OF("albert") ",\"inner_group_num\":2}", "\"inner_group_num\""},
    {OF("mpnet") ",\"relative_attention_num_buckets\":16}",
     "\"relative_attention_num_buckets\" is 16"},
    {OF("squeezebert") "}", "\"embedding_size\" is 768, must be hidden_size 40"},
    {OF("modernbert") ",\"classifier_pooling\":\"max\"" CLASS(
         "ModernBertForSequenceClassification") "}",
     "\"classifier_pooling\" is \"max\""},
    {OF("esm") ",\"position_embedding_type\":\"relative_key\"}", "relative_key"},
    {OF("esm") ",\"is_folding_model\":true}", "\"is_folding_model\""},
    {OF("ernie") ",\"position_embedding_type\":\"relative_key\"}", "relative_key"},
    {OF("big_bird") ",\"attention_type\":\"full\"}", "\"attention_type\" is \"full\""},
    {OF("big_bird") ",\"block_size\":0}", "\"block_size\" is 0"},
    {OF("big_bird") ",\"is_decoder\":true}", "\"is_decoder\" is true"},
    {OF("convbert") ",\"conv_kernel_size\":4}", "\"conv_kernel_size\" is 4, must be odd"},
    {OF("convbert") ",\"num_attention_heads\":16}", "makes 8 heads"},
    {OF("convbert") ",\"num_groups\":16}", "\"num_groups\" is 16"},
    {OF("convbert") ",\"is_decoder\":true}", "\"is_decoder\" is true"},
    {OF("mobilebert") ",\"normalization_type\":\"rms\"}", "\"normalization_type\" is \"rms\""},
    {OF("mobilebert") ",\"intra_bottleneck_size\":30}",
     "\"num_attention_heads\" is 4, must divide intra_bottleneck_size 30"},
    {OF("mobilebert") ",\"key_query_shared_bottleneck\":false}",
     "\"intra_bottleneck_size\" 128 must be hidden_size 40"},
    {OF("mobilebert") CLASS("MobileBertForMaskedLM") "}", "\"embedding_size\" is 128"},
    {OF("mobilebert") ",\"num_feedforward_networks\":17}", "\"num_feedforward_networks\" is 17"},
    {OF("tapas") ",\"type_vocab_sizes\":[3,9]}", "\"type_vocab_sizes\" must be a list of 7"},
    {OF("tapas") ",\"type_vocab_sizes\":[3,9,9,2,0,9,9]}", "\"type_vocab_sizes\"[4]"},
    {OF("tapas") ",\"type_vocab_sizes\":[3,9,9,2,\"9\",9,9]}", "\"type_vocab_sizes\"[4]"},
    {OF("tapas") ",\"type_vocab_sizes\":[3,9,9,2,1e300,9,9]}", "\"type_vocab_sizes\"[4]"},
    {OF("tapas") ",\"temperature\":-1" CLASS("TapasForQuestionAnswering") "}", "\"temperature\" is -1"},
    {OF("tapas") ",\"max_num_rows\":0" CLASS("TapasForQuestionAnswering") "}", "\"max_num_rows\""},
    {OF("tapas") ",\"num_aggregation_labels\":-2" CLASS("TapasForQuestionAnswering") "}",
     "\"num_aggregation_labels\""},
    {OF("tapas") ",\"num_aggregation_labels\":2,\"aggregation_labels\":{\"0\":\"NONE\"}" CLASS(
         "TapasForQuestionAnswering") "}",
     "\"aggregation_labels\" has no name for \"1\""},
    {XLM(",\"causal\":true}"), "\"causal\""},
    {XLM(",\"asm\":true" CLASS("XLMWithLMHeadModel") "}"), "\"asm\""},
    {XLM(",\"summary_type\":\"last\"" CLASS("XLMForSequenceClassification") "}"),
     "\"summary_type\" is \"last\""},
    {XLNET(",\"attn_type\":\"uni\"}"), "\"attn_type\" is \"uni\""},
    {XLNET(",\"bi_data\":true}"), "\"bi_data\" is true"},
    {XLNET(",\"clamp_len\":2.5}"), "\"clamp_len\" is 2.5"},
    {XLNET(",\"clamp_len\":1e300}"), "\"clamp_len\" is 1e+300"},
    {XLNET(",\"d_head\":8}"), "\"d_head\" must be d_model / n_head = 10"},
    {XLNET(",\"summary_type\":\"attn\"" CLASS("XLNetForSequenceClassification") "}"),
     "\"summary_type\" is \"attn\""},
    {XLNET(",\"summary_use_proj\":false" CLASS("XLNetForSequenceClassification") "}"),
     "\"summary_use_proj\""},
    {NOMIC(",\"prenorm\":true}"), "\"prenorm\" is true"},
    {NOMIC(",\"causal\":true}"), "\"causal\" is true"},
    {NOMIC(",\"rotary_emb_interleaved\":true}"), "\"rotary_emb_interleaved\" is true"},
    {NOMIC(",\"rotary_emb_scale_base\":512}"), "\"rotary_emb_scale_base\""},
    {NOMIC(",\"num_experts\":8}"), "\"num_experts\""},
    {"{\"model_type\":\"nomic_bert\",\"vocab_size\":97,\"n_embd\":40,\"n_layer\":2,\"n_head\":4}",
     "\"activation_function\" is \"gelu_new\""},
    {"{\"model_type\":\"nomic_bert\",\"vocab_size\":97,\"n_embd\":40,\"n_layer\":2,\"n_head\":4,"
     "\"activation_function\":\"swiglu\",\"rotary_emb_fraction\":0.5}",
     "\"rotary_emb_fraction\" is 0.5"},
    {OF("new") ",\"position_embedding_type\":\"absolute\"}",
     "\"position_embedding_type\" is \"absolute\""},
    {OF("new") ",\"layer_norm_type\":\"rms_norm\"}", "\"layer_norm_type\" is \"rms_norm\""},
    {OF("new") ",\"logn_attention_scale\":true}", "\"logn_attention_scale\""},
    {OF("new") NTK(",\"factor\":2,\"mixed_b\":0.7") "}", "mixed_b"},
    {OF("new") NTK("") "}", "\"factor\" must be a number over 0"},
    {OF("new") NTK(",\"factor\":-1") "}", "\"factor\" must be a number over 0"},
    {OF("new") ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}}", "\"type\" is \"linear\""},
    {OF("bert") CLASS("JinaBertModel") "}", "\"feed_forward_type\" is \"original\""},
    {OF("bert") ",\"feed_forward_type\":\"geglu\"" CLASS("JinaBertModel") "}",
     "\"position_embedding_type\" is \"absolute\""},
    {JINA(",\"is_decoder\":true" CLASS("JinaBertModel") "}"), "\"is_decoder\""},
    {XLNET(CLASS("XLNetForQuestionAnswering") "}"),
     "architectures[0] is \"XLNetForQuestionAnswering\""},
};

static void what_is_not_run_is_refused_by_name(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct repo repo;
        struct arch arch;
        struct error err = {0};
        repo_open(&repo, wrong[i].config);
        if (models_describe(&arch, &repo.repository, &err) != STATUS_ERROR)
            fail_msg("taken: %s", wrong[i].config);
        assert_int_equal(err.code, ERROR_MODEL);
        if (!strstr(err.text, wrong[i].text))
            fail_msg("%s: lacks \"%s\": %s", wrong[i].config, wrong[i].text, err.text);
        repo_close(&repo);
    }
}

static void layers_of_modernbert_alternate(void **state) {
    struct repo repo;
    struct arch arch;
    repo_describe(&repo,
                  OF("modernbert") ",\"global_attn_every_n_layers\":2,\"num_hidden_layers\":2}",
                  &arch);
    const struct stack_spec *spec = &arch.stacks[0];
    assert_int_equal(spec->layer_kinds[0], LAYER_NO_ATTN_NORM);
    assert_int_equal(spec->layer_kinds[1], LAYER_LOCAL | LAYER_ROPE_1);
    assert_int_equal(spec->window, 128);
    assert_int_equal(arch.pad, 50283);
    assert_true(spec->ropes[0].frequencies[1] < spec->ropes[1].frequencies[1]);
    repo_close(&repo);
    repo_describe(&repo, OF("modernbert") ",\"local_rope_theta\":null}", &arch);
    assert_float_equal(arch.stacks[0].ropes[0].frequencies[1],
                       arch.stacks[0].ropes[1].frequencies[1], 0);
    repo_close(&repo);
}

static void hub_settings_become_words(void **state) {
    struct repo repo;
    struct arch arch;
    repo_describe(&repo, NOMIC("}"), &arch);
    assert_int_equal(arch.stacks[0].max_positions, 2048);
    assert_int_equal(arch.stacks[0].intermediate_size, 512);
    repo_close(&repo);
    repo_describe(&repo, NOMIC(",\"rotary_scaling_factor\":null,\"pad_vocab_size_multiple\":64}"),
                  &arch);
    assert_int_equal(arch.stacks[0].max_positions, 8192);
    assert_int_equal(arch.stacks[0].vocab_size, 128);
    repo_close(&repo);
    repo_describe(&repo, OF("new") NTK(",\"factor\":0.5") "}", &arch);
    assert_float_equal(arch.stacks[0].ropes[0].frequencies[0], 1, 0);
    repo_close(&repo);
    repo_describe(&repo, OF("new") ",\"type_vocab_size\":0}", &arch);
    assert_int_equal(arch.stacks[0].token_types, 0);
    assert_int_equal(arch.stacks[0].max_positions, 66);
    repo_close(&repo);
    repo_describe(&repo,
                  OF("bert") ",\"position_embedding_type\":\"alibi\",\"_name_or_path\":"
                             "\"jinaai/jina-bert-v2-qk-post-norm\"" CLASS("JinaBertModel") "}",
                  &arch);
    assert_int_equal(arch.stacks[0].qk_norm, QK_NORM_WHOLE);
    assert_true(stack_has(&arch.stacks[0], STACK_UP_FIRST));
    repo_close(&repo);
}

static void keys_become_words(void **state) {
    struct repo repo;
    struct arch arch;
    repo_describe(&repo, OF("roformer") ",\"rotary_value\":true}", &arch);
    assert_true(stack_has(&arch.stacks[0], STACK_TURN_VALUES) &&
                arch.stacks[0].ropes[0].interleaved);
    assert_int_equal(arch.stacks[0].embed_size, 0);
    repo_close(&repo);
    repo_describe(&repo, OF("mpnet") ",\"pad_token_id\":7}", &arch);
    assert_int_equal(arch.stacks[0].position_offset, 2);
    assert_int_equal(arch.stacks[0].max_positions, 64);
    repo_close(&repo);
    repo_describe(&repo, OF("esm") ",\"token_dropout\":true,\"mask_token_id\":32}", &arch);
    assert_true(stack_has(&arch.stacks[0], STACK_TOKEN_DROPOUT));
    assert_int_equal(arch.mask, 32);
    repo_close(&repo);
    repo_describe(&repo, OF("big_bird") ",\"block_size\":6,\"num_random_blocks\":3}", &arch);
    assert_null(arch.stacks[0].hook.table); /* 66 tokens: no text is longer than 11 blocks */
    repo_close(&repo);
    repo_describe(&repo, OF("big_bird") ",\"block_size\":6,\"num_random_blocks\":2}", &arch);
    assert_non_null(arch.stacks[0].hook.table);
    assert_int_equal(arch.question_end, -1);
    repo_close(&repo);
    repo_describe(&repo, OF("big_bird") CLASS("BigBirdForQuestionAnswering") "}", &arch);
    assert_int_equal(arch.question_end, 66);
    assert_true(arch.head.steps[1].residual && !arch.head.steps[2].residual);
    repo_close(&repo);
    repo_describe(&repo, OF("deberta") ",\"position_biased_input\":false}", &arch);
    assert_int_equal(arch.stacks[0].max_positions, 2048);
    repo_close(&repo);
    repo_describe(&repo, OF("deberta") "}", &arch);
    assert_int_equal(arch.stacks[0].max_positions, 66);
    repo_close(&repo);
    repo_describe(&repo, XLM(",\"pre_norm\":true,\"gelu_activation\":false}"), &arch);
    assert_int_equal(arch.stacks[0].norm_place, NORM_PRE);
    assert_int_equal(arch.stacks[0].activation, ACTIVATION_RELU);
    assert_int_equal(arch.stacks[0].token_types, 97);
    repo_close(&repo);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_have_their_heads),
        cmocka_unit_test(what_is_not_run_is_refused_by_name),
        cmocka_unit_test(layers_of_modernbert_alternate),
        cmocka_unit_test(hub_settings_become_words),
        cmocka_unit_test(keys_become_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
