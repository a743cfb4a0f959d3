/* LongT5 (Guo et al. 2021), as transformers' LongT5Model: T5 whose encoder sees local_radius tokens
 * around each, and with "transient-global" attention also what stands for each block of the text.
 * Texts may be of any length; Brisk takes LONG_POSITIONS tokens. LongT5Model gives the encoder's
 * hidden states, as T5Model does. */
#include "models/longt5.h"

#include <string.h>

#define LONG_POSITIONS 16384

static const struct slot_name local_names[] = {
    T5_SLOTS("encoder", "LocalSelfAttention", "layer.1"), {0}};
static const struct slot_name global_names[] = {
    T5_SLOTS("encoder", "TransientGlobalSelfAttention", "layer.1"), {0}};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    arch_of_t5(arch, c, suffix);
    struct stack_spec *encoder = &arch->stacks[0];
    const uint32_t radius = config_size_or(c, "local_radius", 127, LIMIT_POSITIONS);
    const char *type = json_get_string(c->json, "encoder_attention_type", "local");
    encoder->max_positions = LONG_POSITIONS;
    encoder->names = local_names;
    if (strcmp(type, "local") == 0) {
        encoder->window = 2 * radius;
        memset(encoder->layer_kinds, LAYER_LOCAL, sizeof encoder->layer_kinds);
    } else if (strcmp(type, "transient-global") == 0) {
        encoder->names = global_names;
        encoder->hook.table = &longt5_attention;
        encoder->hook.options[LONGT5_RADIUS] = radius;
        encoder->hook.options[LONGT5_BLOCK] =
            config_size_or(c, "global_block_size", 16, LIMIT_POSITIONS);
    } else {
        config_fail(c,
                    "\"encoder_attention_type\" is \"%.40s\", must be \"local\" or "
                    "\"transient-global\"",
                    type);
    }
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"EncoderModel", NULL},
    {"ForConditionalGeneration", head_of_t5},
    {0},
};

static const struct family_type types[] = {{"longt5", "LongT5"}, {0}};

const struct family family_longt5 = {
    .name = "longt5",
    .types = types,
    .heads = heads,
    .base = "ForConditionalGeneration",
    .describe = describe,
};
