/* Helium 1 (Kyutai 2025), as transformers' HeliumModel: Llama with rotary pairs that stand
 * together.
 */
#include "models/modern.h"

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_decoder(c);
    config_decoder_defaults(c, &spec, 20, 4096);
    spec.head_size = config_size_or(c, "head_dim", 128, LIMIT_HIDDEN_SIZE);
    spec.norm_eps = config_eps(c, "rms_norm_eps", 1e-8f);
    config_rope_standard(c, &spec, 100000, 1);
    spec.ropes[0].interleaved = true;
    arch_of_decoder(arch, c, &spec);
    arch_default_tokens(arch, c, 1, 2, 3);
}

static const struct family_type types[] = {{"helium", "Helium"}, {0}};

const struct family family_helium = {
    .name = "helium",
    .types = types,
    .heads = decoder_heads,
    .base = "ForCausalLM",
    .describe = describe,
};
