/* TAPAS (Herzig et al. 2020), as transformers' TapasModel: BERT that reads a question and a table,
 * cell after cell. A token has a type of each of seven tables (segment, column, row, answer before,
 * rank, inverse rank, relation to the question's numbers), and positions count within a cell. Which
 * cells and which column answer is told token by token, what is done with them (sum, average, count)
 * by the first token. The logits' temperature changes no answer: what is above one half stays so. Nor
 * does average_logits_per_cell, a word of the training's loss. */
#include "models/family.h"

#include <math.h>
#include <stdio.h>

static const struct slot_name names[] = {
    BERT_SLOTS,
    {SLOT_EMBED_TYPES, "embeddings.token_type_embeddings_%u", false},
    {0},
};

/* The cell's column and row decide where positions begin, so all tables must be there. */
static void read_types(struct config *c, struct stack_spec *spec) {
    static const uint32_t otherwise[ARCH_TYPE_TABLES] = {3, 256, 256, 2, 256, 256, 10};
    const struct json *sizes = json_get(c->json, "type_vocab_sizes");
    const bool given = !json_is_null(sizes);
    if (given && (!json_is(sizes, JSON_ARRAY) || sizes->len != ARCH_TYPE_TABLES)) {
        config_fail(c, "\"type_vocab_sizes\" must be a list of %d sizes", ARCH_TYPE_TABLES);
        return;
    }
    for (uint32_t i = 0; i < ARCH_TYPE_TABLES; i++) {
        const struct json *size = given ? json_at(sizes, i) : NULL;
        const double rows = json_is(size, JSON_NUMBER) ? size->number : given ? 0 : otherwise[i];
        if (!(rows >= 1 && rows <= LIMIT_VOCAB_SIZE && rows == floor(rows))) {
            config_fail(c, "\"type_vocab_sizes\"[%u] must be a whole number 1..%d", i,
                        LIMIT_VOCAB_SIZE);
            return;
        }
        *(i == 0 ? &spec->token_types : &spec->more_types[i - 1]) = (uint32_t)rows;
    }
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_encoder_layers(c);
    spec.names = names;
    spec.max_positions = config_size_or(c, "max_position_embeddings", 1024, LIMIT_POSITIONS);
    read_types(c, &spec);
    if (config_bool(c, "reset_position_index_per_cell", true))
        spec.flags |= STACK_POSITIONS_BY_CELL;
    arch_of_encoder(arch, c, "tapas.", &spec);
}

/* Each has its name, else an answer could not be written. */
static void check_labels(struct config *c, uint32_t n) {
    const struct json *labels = json_get(c->json, "aggregation_labels");
    char key[16];
    if (json_is_null(labels))
        return;
    for (uint32_t i = 0; i < n; i++) {
        snprintf(key, sizeof key, "%u", i);
        if (!json_is(json_get(labels, key), JSON_STRING)) {
            config_fail(c,
                        "\"aggregation_labels\" has no name for \"%u\", and "
                        "\"num_aggregation_labels\" is %u",
                        i, n);
            return;
        }
    }
}

static void cell_head(struct arch *arch, struct config *c) {
    const double temperature = config_number(c, "temperature", 1);
    const uint32_t labels =
        config_number(c, "num_aggregation_labels", 0) == 0
            ? 0
            : config_size(c, "num_aggregation_labels", LIMIT_LABELS);
    if (temperature <= 0)
        config_fail(c, "\"temperature\" is %g, must be above 0", temperature);
    config_size_or(c, "max_num_rows", 64, LIMIT_POSITIONS); /* the task's, as the two below */
    config_size_or(c, "max_num_columns", 32, LIMIT_POSITIONS);
    config_bool(c, "select_one_column", true);
    config_bool(c, "allow_empty_column_selection", false);
    head_begin(arch, HEAD_CELL, ROWS_ALL);
    head_add(arch, "output_weights column_output_weights", 2)->bias =
        "output_bias column_output_bias";
    if (labels == 0)
        return;
    check_labels(c, labels);
    second_begin(arch, HEAD_SEQUENCE);
    second_add(arch, "pooler.dense", arch->stacks[0].hidden_size)->activation = ACTIVATION_TANH;
    second_add(arch, "aggregation_classifier", labels);
}

static void sequence_head(struct arch *arch, struct config *c) {
    head_of_first(arch, "pooler.dense", ACTIVATION_TANH, "classifier", config_labels(c));
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForMaskedLM", head_of_bert_masks},
    {"ForQuestionAnswering", cell_head},
    {"ForSequenceClassification", sequence_head},
    {0},
};

static const struct family_type types[] = {{"tapas", "Tapas"}, {0}};

const struct family family_tapas = {
    .name = "tapas",
    .types = types,
    .heads = heads,
    .base = "Model",
    .describe = describe,
};
