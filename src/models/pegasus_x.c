/* Pegasus-X (Phang et al. 2022), as transformers' PegasusXModel: a pre-norm encoder and decoder
 * with sines for positions, whose encoder's tokens see their block of the text and global rows,
 * which see all. */
#include "models/pegasus_x.h"

static const struct seq2seq traits = {
    .positions = POSITIONS_FAIRSEQ,
    .max_positions = 16384,
    .norm_place = NORM_PRE,
    .flags = STACK_FINAL_NORM,
    .activation = ACTIVATION_GELU,
    .scale_embedding = true,
    .bos = -1,
    .eos = 1,
    .pad = 0,
    .decoder_start = 0,
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    arch_of_seq2seq(arch, c, &traits, suffix);
    struct hook *hook = &arch->stacks[0].hook;
    const uint32_t block = config_size_or(c, "block_size", 512, LIMIT_POSITIONS);
    const bool staggers = config_bool(c, "stagger_local_blocks", true);
    hook->table = &pegasus_x_attention;
    hook->options[PEGASUS_X_GLOBALS] =
        config_size_or(c, "num_global_tokens", 32, LIMIT_BATCH_TOKENS);
    hook->options[PEGASUS_X_BLOCK] = block;
    hook->options[PEGASUS_X_STAGGERS] = staggers;
    if (staggers && block % 2 != 0)
        config_fail(c, "\"block_size\" is %u, must be even: \"stagger_local_blocks\" halves it",
                    block);
    if (arch->stacks[0].hidden_size % 2 != 0)
        config_fail(c, "\"d_model\" is %u, must be even: half of it are sines of positions",
                    arch->stacks[0].hidden_size);
}

static const struct head_row heads[] = {
    {"ForConditionalGeneration", head_of_seq2seq},
    {0},
};

static const struct family_type types[] = {{"pegasus_x", "PegasusX"}, {0}};

const struct family family_pegasus_x = {
    .name = "pegasus_x",
    .types = types,
    .heads = heads,
    .base = "ForConditionalGeneration",
    .describe = describe,
    .generation = "{\"forced_eos_token_id\":1}",
};
