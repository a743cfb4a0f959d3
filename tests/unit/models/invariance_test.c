/* Every family, with tiny random weights made from its own slot names: a text answers bit for bit
 * the same alone, in a ragged batch, with 1, 2 or 3 lanes, with kept keys or without. A family
 * without a row here fails the test. That the numbers are right is the goldens' business. */
#include "unit/engine/runs.h"
#include "unit/models/repos.h"

static const char *const configs[] = {
    BERT_CONFIG CLASS("BertForMaskedLM") "}",
    BERT_CONFIG CLASS("BertForSequenceClassification") "}",
    BERT_CONFIG ",\"is_decoder\":true" CLASS("BertLMHeadModel") "}",
    ROBERTA_CONFIG CLASS("RobertaForMaskedLM") "}",
    ROBERTA_CONFIG CLASS("RobertaForTokenClassification") "}",
    DISTILBERT_CONFIG CLASS("DistilBertForQuestionAnswering") "}",
    GPT2_CONFIG CLASS("GPT2LMHeadModel") "}",
    GPT2_CONFIG ",\"scale_attn_by_inverse_layer_idx\":true,\"n_inner\":50" CLASS(
        "GPT2ForSequenceClassification") "}",
    BART_CONFIG CLASS("BartModel") "}",
    BART_CONFIG CLASS("BartForConditionalGeneration") "}",
    BART_CONFIG CLASS("BartForSequenceClassification") "}",
    BART_CONFIG CLASS("BartForCausalLM") "}",
};

static void check(const struct arch *arch, enum precision precision) {
    struct outputs first, other;
    for (uint32_t lanes = 1; lanes <= 3; lanes++) {
        struct team *team = tiny_team(lanes);
        struct model *model = tiny_model(arch, team, precision);
        if (lanes == 1) {
            outputs_init(&first, model);
            outputs_init(&other, model);
            run_alone(model, &first);
        }
        run_batch(model, &other);
        assert_outputs_equal(&first, &other, model);
        if (stack_has(&arch->stacks[last_stack(model)], STACK_CAUSAL)) {
            run_kept(model, lanes == 2 ? 1 : 7, &other);
            assert_outputs_equal(&first, &other, model);
        }
        model_destroy(model);
        team_destroy(team);
    }
    outputs_deinit(&first);
    outputs_deinit(&other);
}

static void every_family_is_invariant(void **state) {
    static const enum precision precisions[] = {
#define PRECISION(name, text) PRECISION_##name,
        PRECISIONS(PRECISION)
#undef PRECISION
    };
    bool seen[64] = {0};
    for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
        struct repo repo;
        struct arch arch;
        repo_describe(&repo, configs[i], &arch);
        for (size_t p = 0; p < ARRAY_LEN(precisions); p++)
            check(&arch, precisions[p]);
        for (size_t f = 0; f < models_count(); f++)
            seen[f] |= strcmp(models_name(f), arch.family) == 0;
        repo_close(&repo);
    }
    for (size_t f = 0; f < models_count(); f++)
        if (!seen[f])
            fail_msg("the family %s has no row here", models_name(f));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_family_is_invariant)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
