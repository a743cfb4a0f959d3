/* Fuzzing what is read from config.json and generation_config.json: the description of the
 * architecture, its labels and task, the sizes that follow from it, and the settings of generation.
 * An input is one JSON object that stands for both files; weights and tokenizers are not read. */
#include "generate/generate.h"
#include "models/models.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is described must be small enough to be counted, whatever the file says. */
static void check_arch(const struct arch *arch) {
    for (size_t precision = PRECISION_FP32; precision <= PRECISION_INT4; precision++)
        if (model_estimate_bytes(arch, (enum precision)precision) == 0)
            PANIC("a model of no bytes");
    for (uint32_t i = 0; i < arch->n_stacks; i++) {
        const struct stack_spec *stack = &arch->stacks[i];
        if (stack->layers > LIMIT_LAYERS || stack->heads == 0 || stack->kv_heads == 0 ||
            stack->heads % stack->kv_heads != 0)
            PANIC("stack %u: %u layers, %u heads, %u of keys", i, stack->layers, stack->heads,
                  stack->kv_heads);
    }
}

static void check_text(const struct error *err) {
    if (err->text[0] == 0 || !utf8_valid(err->text, strlen(err->text), NULL))
        PANIC("an error without a readable text");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct repository repository = {.folder = "."};
    struct error err = {0};
    struct arch arch;
    struct generation_config generation;
    if (json_parse(&repository.config, &repository.arena, (const char *)data, size, JSON_PYTHON,
                   &err) != STATUS_OK ||
        !json_is(repository.config, JSON_OBJECT))
        goto out;
    const uint32_t labels = models_label_count(&repository);
    for (uint32_t i = 0; i < labels && i < 8; i++)
        if (models_label(&repository, &repository.arena, i) == NULL)
            PANIC("label %u of %u is missing", i, labels);
    if (models_describe(&arch, &repository, &err) == STATUS_OK) {
        check_arch(&arch);
        (void)models_default_task(&repository, &arch);
    } else {
        check_text(&err);
    }
    generation_config_default(&generation);
    err = (struct error){0};
    if (generation_config_read(&generation, &repository.arena, repository.config, repository.config,
                               NULL, &err) != STATUS_OK ||
        generation_config_check(&generation, &err) != STATUS_OK)
        check_text(&err);
out:
    arena_deinit(&repository.arena);
    return 0;
}
