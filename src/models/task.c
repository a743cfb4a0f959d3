/* Which task a repository serves when none is asked for: its card, else its files, else the head
 * that its architecture class has (reference, section 8). */
#include "models/family.h"

#include <string.h>

static bool ends_with(const char *text, const char *end) {
    const size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* Classes whose head is a classifier in shape but that no task of the interface serves. */
static bool serves_no_task(const char *class) {
    return class &&
           (ends_with(class, "ForMultipleChoice") || ends_with(class, "ForNextSentencePrediction"));
}

/* Classes of models that were made for one task, whatever their configuration says (reference,
 * section 8.1). */
static const struct {
    const char *prefix, *task;
} made_for[] = {
    {"FSMT", "translation"},       {"LEDFor", "summarization"}, {"M2M100", "translation"},
    {"Marian", "translation"},     {"NllbMoe", "translation"},  {"PegasusFor", "summarization"},
    {"PegasusX", "summarization"},
};

/* Other summarizers say so in task_specific_params, alone; translators put `translation_…` beside
 * it. */
static const char *seq2seq_task(const struct json *config) {
    const char *class = family_class(config);
    for (size_t i = 0; class && i < ARRAY_LEN(made_for); i++)
        if (strncmp(class, made_for[i].prefix, strlen(made_for[i].prefix)) == 0)
            return made_for[i].task;
    const struct json *params = json_get(config, "task_specific_params");
    if (json_is(params, JSON_OBJECT) && params->len == 1 && json_get(params, "summarization"))
        return "summarization";
    return "text2text-generation";
}

/* TAPEX is a BART whose tokenizer reads tables. */
static bool reads_tables(const struct repository *repository) {
    return json_equals(json_get(repository->tokenizer_config, "tokenizer_class"),
                       "TapexTokenizer");
}

static const char *lm_task(const struct repository *repository, const struct arch *arch) {
    if (arch_has_decoder(arch))
        return reads_tables(repository) ? "table-question-answering"
                                        : seq2seq_task(repository->config);
    return stack_has(arch_last(arch), STACK_CAUSAL) ? "text-generation" : "fill-mask";
}

const char *models_default_task(const struct repository *repository, const struct arch *arch) {
    return repository->pipeline_tag ? repository->pipeline_tag : models_own_task(repository, arch);
}

const char *models_own_task(const struct repository *repository, const struct arch *arch) {
    if (repository->modules)
        return "sentence-similarity";
    if (serves_no_task(family_class(repository->config)))
        return NULL;
    switch (arch->head.kind) {
    case HEAD_NONE:
        return "feature-extraction";
    case HEAD_LM:
        return lm_task(repository, arch);
    case HEAD_SEQUENCE:
        return "text-classification";
    case HEAD_TOKEN:
        return "token-classification";
    case HEAD_SPAN:
        return "question-answering";
    case HEAD_CELL:
        return "table-question-answering";
    }
    return NULL;
}
