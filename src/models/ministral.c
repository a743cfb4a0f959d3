/* Ministral 8B (Mistral AI 2024), as transformers' MinistralModel: Mistral whose layers may each
 * see all tokens or a window of the last. */
#include "models/modern.h"

#include <string.h>

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    struct stack_spec spec = config_decoder(c);
    config_decoder_defaults(c, &spec, 8, 4096 * 32);
    spec.window = config_window(c, 4096);
    config_layer_types(c, &spec, spec.window > 0 ? LIMIT_LAYERS + 1 : 1); /* all layers or none */
    config_rope_standard(c, &spec, 10000, 1);
    arch_of_decoder(arch, c, &spec);
    arch_default_tokens(arch, c, 1, 2, -1);
    if (strcmp(suffix, "ForQuestionAnswering") == 0)
        arch->prefix = "transformer.";
}

static const struct family_type types[] = {{"ministral", "Ministral"}, {0}};

const struct family family_ministral = {
    .name = "ministral",
    .types = types,
    .heads = decoder_heads,
    .base = "ForCausalLM",
    .describe = describe,
};
