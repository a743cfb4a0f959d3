/* Mistral (Jiang et al. 2023), as transformers' MistralModel: Llama with attention that may see a
 * window of the last tokens only. */
#include "models/family.h"

#include <string.h>

#define DEFAULT_WINDOW 4096 /* where config.json does not say; null is none */

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_decoder(c);
    config_rope_standard(c, &spec, 10000, 1);
    spec.window =
        config_size_or(c, "sliding_window",
                       json_get(c->json, "sliding_window") ? 0 : DEFAULT_WINDOW, LIMIT_POSITIONS);
    if (spec.window > 0)
        memset(spec.layer_kinds, LAYER_LOCAL, sizeof spec.layer_kinds);
    arch_of_decoder(arch, c, &spec);
}

static const struct family_type types[] = {{"mistral", "Mistral"}, {0}};

const struct family family_mistral = {
    .name = "mistral",
    .types = types,
    .heads = decoder_heads,
    .base = "ForCausalLM",
    .describe = describe,
};
