/* Families with tiny random weights made from their own slot names: a text answers bit for bit the
 * same alone, in a ragged batch, with 1, 2 or 3 lanes, with kept keys or without. A family without
 * a row here must have golden folders, which tests/unit/runtime/invariance_test.c holds to the
 * same. That the numbers are right is the goldens' business. */
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

#define GOLDEN_FOLDER "tests/golden"
#define MOST_FAMILIES 256

static void mark(bool seen[static MOST_FAMILIES], const char *family) {
    for (size_t f = 0; f < models_count(); f++)
        seen[f] |= strcmp(models_name(f), family) == 0;
}

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

/* Marks the families that the folders under tests/golden describe. */
static void mark_goldens(bool seen[static MOST_FAMILIES]) {
    struct arena arena = {0};
    char **groups = folder_list(&arena, GOLDEN_FOLDER);
    for (size_t g = 0; groups != NULL && groups[g] != NULL; g++) {
        const char *group = path_join(&arena, GOLDEN_FOLDER, groups[g]);
        char **names = folder_list(&arena, group);
        for (size_t n = 0; names != NULL && names[n] != NULL; n++) {
            struct repository repository;
            struct arch arch;
            struct error err;
            const char *folder = path_join(&arena, group, names[n]);
            if (!file_exists(path_join(&arena, folder, "config.json")) ||
                repository_open(&repository, folder, &err) != STATUS_OK)
                continue; /* of a tokenizer, a template, or broken on purpose */
            if (models_describe(&arch, &repository, &err) == STATUS_OK)
                mark(seen, arch.family);
            repository_close(&repository);
        }
    }
    arena_deinit(&arena);
}

static void every_family_is_invariant(void **state) {
    static const enum precision precisions[] = {
#define PRECISION(name, text) PRECISION_##name,
        PRECISIONS(PRECISION)
#undef PRECISION
    };
    bool seen[MOST_FAMILIES] = {0};
    assert_true(models_count() <= MOST_FAMILIES);
    for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
        struct repo repo;
        struct arch arch;
        repo_describe(&repo, configs[i], &arch);
        for (size_t p = 0; p < ARRAY_LEN(precisions); p++)
            check(&arch, precisions[p]);
        mark(seen, arch.family);
        repo_close(&repo);
    }
    mark_goldens(seen);
    for (size_t f = 0; f < models_count(); f++)
        if (!seen[f])
            fail_msg("the family %s has neither a row here nor goldens", models_name(f));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_family_is_invariant)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
