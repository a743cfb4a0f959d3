/* Table question answering: which cells of a table answer a question, and what is to be done with
 * them (`transformers` 4.57's TableQuestionAnsweringPipeline). A model of cells (TAPAS) tells of
 * each token whether its cell is one of the answer's, and its column the answer's; a model that
 * writes (TAPEX) gives the answer as text. Several questions about a table may be asked one after
 * the other, each with the answer to the one before (SQA). */
#include "tasks/task.h"

#include <math.h>

struct table_question_answering_args {
    struct generation_args generation;
    struct arg sequential, padding, truncation;
};
#define ARG(field) offsetof(struct table_question_answering_args, field)

static const struct param table_question_answering_params[] = {
    {.name = "sequential",
     .type = PARAM_BOOL,
     .preset = "false",
     .help = "ask a list of questions one after the other, each with the answer to the last one",
     .offset = ARG(sequential)},
    {.name = "padding",
     .type = PARAM_ANY,
     .preset = "\"do_not_pad\"",
     .help = "taken, and not used: true, false, do_not_pad, longest or max_length",
     .offset = ARG(padding)},
    {.name = "truncation",
     .type = PARAM_ANY,
     .preset = "true",
     .help = "what does not fit is cut, rows of the table first (drop_rows_to_fit); false or "
             "do_not_truncate: refused",
     .offset = ARG(truncation)},
#define GENERATION_PARAM(...)                                                                      \
    GENERATION_PARAM_ROW(struct table_question_answering_args, __VA_ARGS__)
#include "tasks/generation_params.inc"
#undef GENERATION_PARAM
};

struct table_job {
    bool refuse; /* what is too long */
    bool drops;  /* rows are dropped */
    size_t n_cells;
    /* Of models that write: */
    struct generation_config *config;
    int32_t start;
};

struct question {
    struct text text;
    struct table_encoding encoding; /* of models of cells */
    struct item *item;              /* NULL: not asked yet */
};

struct table_state {
    struct table table;
    size_t bytes; /* of its texts */
    struct table_reading *reading;
    struct question *questions;
    uint32_t n_questions, n_asked;
};

static bool writes(const struct task_model *model) {
    return model->arch->head.kind == HEAD_LM;
}

static enum status table_question_answering_supports(const struct task_model *model,
                                                     struct error *err) {
    const struct arch *arch = model->arch;
    const bool able = arch->head.kind == HEAD_CELL || (writes(model) && arch_has_decoder(arch));
    const enum table_form form = writes(model) ? TABLES_LINEAR : TABLES_CELLS;
    /* Before the tokenizer is read only a head of cells is known to have one of tables. */
    const enum table_form found = model->tokenizer ? tokenizer_tables(model->tokenizer)
                                  : writes(model)  ? TABLES_NONE
                                                   : TABLES_CELLS;
    if (!able) {
        return needs_head(model, HEAD_CELL, "table-question-answering", "head for cells of tables",
                          err);
    }
    if (found != form) {
        return ERR(err, INPUT,
                   "model %s cannot do table-question-answering: its tokenizer does not read "
                   "tables, which %s does",
                   model->id, writes(model) ? "TapexTokenizer" : "TapasTokenizer");
    }
    return STATUS_OK;
}

/* ---- parameters ---- */

static bool is_one_of(const struct json *value, const char *const *words) {
    for (size_t i = 0; words[i]; i++) {
        if (json_equals(value, words[i])) {
            return true;
        }
    }
    return json_is(value, JSON_BOOL);
}

static enum status read_choices(struct job *job, struct error *err) {
    static const char *const paddings[] = {"do_not_pad", "longest", "max_length", NULL};
    static const char *const truncations[] = {"drop_rows_to_fit", "do_not_truncate",
                                              "longest_first", "only_first", NULL};
    const struct table_question_answering_args *args = job->args;
    const struct json *padding = args->padding.json, *truncation = args->truncation.json;
    struct table_job *state = job->state;
    if (args->padding.given && !is_one_of(padding, paddings)) {
        return ERR(err, INPUT,
                   "padding is %s, must be true, false, do_not_pad, longest or max_length",
                   describe_value(&job->arena, padding));
    }
    if (args->truncation.given && !is_one_of(truncation, truncations)) {
        return ERR(err, INPUT,
                   "truncation is %s, must be true, false, drop_rows_to_fit, longest_first, "
                   "only_first or do_not_truncate",
                   describe_value(&job->arena, truncation));
    }
    const bool off = json_is(truncation, JSON_BOOL) && !truncation->boolean;
    state->refuse = off || json_equals(truncation, "do_not_truncate");
    state->drops = writes(job->model) ? json_equals(truncation, "drop_rows_to_fit") : !state->refuse;
    return STATUS_OK;
}

static enum status table_question_answering_open(struct job *job, struct error *err) {
    static const struct generation_presets presets = {.max_new_tokens = 256};
    const struct table_question_answering_args *args = job->args;
    struct table_job *state = arena_zalloc(&job->arena, 1, sizeof(*state));
    job->state = state;
    enum status status = read_choices(job, err);
    if (status != STATUS_OK || !writes(job->model)) {
        return status;
    }
    status = generation_open(job, &args->generation, &presets, job->name, &state->config, err);
    return status == STATUS_OK ? generation_start(job, state->config, &state->start, err) : status;
}

/* ---- the table ---- */

/* A cell is a text; a number is what it reads as. */
static enum status read_cell(struct part *part, const struct json *value, const char *column,
                             uint32_t row, struct table_cell *cell, struct error *err) {
    struct table_state *state = part->state;
    struct arena *arena = &part->job->arena;
    if (json_is(value, JSON_NUMBER)) {
        struct buf buf;
        buf_init(&buf, LIMIT_ERROR_TEXT);
        struct json_out out = json_out_begin(&buf);
        json_value(&out, value);
        *cell = (struct table_cell){arena_strndup(arena, buf.data, buf.len), buf.len};
        buf_deinit(&buf);
    } else if (json_is(value, JSON_STRING)) {
        *cell = (struct table_cell){value->text, value->len};
    } else {
        return ERR(err, INPUT,
                   "table: row %u of column \"%.60s\" is %s, must be a string or number", row, column,
                   value ? describe_value(arena, value) : "missing");
    }
    state->bytes += cell->len;
    return STATUS_OK;
}

/* Makes room for the cells and writes the header: the keys of `columns`. */
static enum status begin_table(struct part *part, const struct json *columns, uint32_t rows,
                               struct table_cell **cells, struct error *err) {
    struct table_job *job = part->job->state;
    struct table_state *state = part->state;
    if (columns->len == 0 || rows == 0) {
        return ERR(err, INPUT, "table is empty");
    }
    job->n_cells += ((size_t)rows + 1) * columns->len;
    if (job->n_cells > LIMIT_TABLE_CELLS) {
        return ERR(err, TOO_LARGE,
                   "the tables of the request have more than %d cells: send the rows that matter",
                   LIMIT_TABLE_CELLS);
    }
    *cells = arena_alloc(&part->job->arena, ((size_t)rows + 1) * columns->len * sizeof(**cells));
    for (uint32_t c = 0; c < columns->len; c++) {
        (*cells)[c] = (struct table_cell){columns->members[c].key, columns->members[c].key_len};
        state->bytes += columns->members[c].key_len;
    }
    state->table = (struct table){.rows = rows, .columns = columns->len, .cells = *cells};
    return STATUS_OK;
}

/* {"column": ["cell", …], …} */
static enum status read_columns(struct part *part, const struct json *table, struct error *err) {
    const struct json *first = table->len > 0 ? &table->members[0].value : NULL;
    struct table_cell *cells = NULL;
    for (uint32_t c = 0; c < table->len; c++) {
        const struct json_member *column = &table->members[c];
        if (!json_is(&column->value, JSON_ARRAY)) {
            return ERR(err, INPUT, "table: column \"%.60s\" is %s, must be a list of cells",
                       column->key, describe_value(&part->job->arena, &column->value));
        }
        if (column->value.len != first->len) {
            return ERR(err, INPUT,
                       "All rows in the table must be the same length: column \"%.60s\" has %u "
                       "cells and \"%.60s\" %u",
                       column->key, column->value.len, table->members[0].key, first->len);
        }
    }
    enum status status = begin_table(part, table, first ? first->len : 0, &cells, err);
    for (uint32_t c = 0; c < table->len && status == STATUS_OK; c++) {
        const struct json_member *column = &table->members[c];
        for (uint32_t row = 0; row < first->len && status == STATUS_OK; row++) {
            status = read_cell(part, json_at(&column->value, row), column->key, row,
                               &cells[((size_t)row + 1) * table->len + c], err);
        }
    }
    return status;
}

/* [{"column": "cell", …}, …] */
static enum status read_rows(struct part *part, const struct json *table, struct error *err) {
    const struct json *first = json_at(table, 0);
    struct table_cell *cells = NULL;
    for (uint32_t row = 0; row < table->len; row++) {
        const struct json *value = json_at(table, row);
        if (!json_is(value, JSON_OBJECT)) {
            return ERR(err, INPUT, "table: row %u is %s, must be an object of columns and cells",
                       row, describe_value(&part->job->arena, value));
        }
        if (value->len != first->len) {
            return ERR(err, INPUT,
                       "All rows in the table must be the same length: row %u has %u cells and row "
                       "0 %u",
                       row, value->len, first->len);
        }
    }
    if (!first) {
        return ERR(err, INPUT, "table is empty");
    }
    enum status status = begin_table(part, first, table->len, &cells, err);
    for (uint32_t row = 0; row < table->len && status == STATUS_OK; row++) {
        for (uint32_t c = 0; c < first->len && status == STATUS_OK; c++) {
            const struct json_member *column = &first->members[c];
            status = read_cell(part, json_get_n(json_at(table, row), column->key, column->key_len),
                               column->key, row, &cells[((size_t)row + 1) * first->len + c], err);
        }
    }
    return status;
}

static enum status read_table(struct part *part, struct error *err) {
    const struct json *table = json_get(part->input, "table");
    if (json_is(table, JSON_OBJECT)) {
        return read_columns(part, table, err);
    }
    if (json_is(table, JSON_ARRAY)) {
        return read_rows(part, table, err);
    }
    if (json_is_null(table)) {
        return ERR(err, INPUT,
                   "inputs has no \"table\": send {\"inputs\": {\"query\": ..., \"table\": "
                   "{\"column\": [\"cell\", ...], ...}}}");
    }
    return ERR(err, INPUT, "table is %s, must be an object of columns or a list of rows",
               describe_value(&part->job->arena, table));
}

/* ---- questions ---- */

static enum status read_question(struct part *part, const struct json *value,
                                 struct question *question, struct error *err) {
    const enum status status = part_text(part, value, "query", &question->text, err);
    return status == STATUS_OK && question->text.len == 0 ? ERR(err, INPUT, "query is empty")
                                                          : status;
}

static enum status read_questions(struct part *part, struct error *err) {
    struct table_state *state = part->state;
    const struct json *query = json_get(part->input, "query");
    query = json_is_null(query) ? json_get(part->input, "question") : query;
    const bool list = json_is(query, JSON_ARRAY);
    state->n_questions = list ? query->len : 1;
    if (json_is_null(query) || state->n_questions == 0) {
        return ERR(err, INPUT, "query is empty");
    }
    if (state->n_questions > LIMIT_INPUTS) {
        return ERR(err, TOO_LARGE, "query has %u elements, at most %d are taken",
                   state->n_questions, LIMIT_INPUTS);
    }
    state->questions =
        arena_zalloc(&part->job->arena, state->n_questions, sizeof(*state->questions));
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < state->n_questions && status == STATUS_OK; i++) {
        status = read_question(part, list ? json_at(query, i) : query, &state->questions[i], err);
    }
    return status;
}

/* ---- models of cells ---- */

static enum status check_types(const struct part *part, const struct table_encoding *encoding,
                               struct error *err) {
    static const char *const words[TABLE_TYPES] = {
        [TYPE_SEGMENT] = "kinds of tokens",
        [TYPE_COLUMN] = "columns",
        [TYPE_ROW] = "rows",
        [TYPE_ANSWER] = "answers before",
        [TYPE_RANK] = "different values in a column",
        [TYPE_INVERSE_RANK] = "different values in a column",
        [TYPE_RELATION] = "relations of values",
    };
    const struct arch *arch = part->job->model->arch;
    for (uint32_t t = 0; t < TABLE_TYPES; t++) {
        const uint32_t most = stack_types(&arch->stacks[ARCH_TEXT_STACK], t);
        for (size_t i = 0; i < encoding->n; i++) {
            if ((uint32_t)encoding->types[t * encoding->n + i] >= most) {
                return ERR(err, INPUT,
                           "the table has more %s than the model knows, which are %u: send the "
                           "rows that matter",
                           words[t], most - 1);
            }
        }
    }
    return STATUS_OK;
}

static enum status encode_cells(struct part *part, struct question *question, struct error *err) {
    struct job *job = part->job;
    const struct table_job *shared = job->state;
    struct table_state *state = part->state;
    struct table_encoding *encoding = &question->encoding;
    const struct table_options options = {.max_length = model_limit(job->model),
                                          .keep_rows = !shared->drops};
    enum status status = part_reads(part, question->text.len + state->bytes, err);
    if (status == STATUS_OK && !state->reading) {
        status = tokenizer_read_table(job->model->tokenizer, &state->reading, &job->arena,
                                      &state->table, err);
    }
    if (status == STATUS_OK) {
        status = tokenizer_encode_table(job->model->tokenizer, encoding, &job->arena,
                                        state->reading, question->text.data, question->text.len,
                                        &options, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    part->truncated += encoding->truncated;
    job->facts.truncated_tokens += encoding->truncated;
    return check_types(part, encoding, err);
}

/* The cells as the model tells them apart: row and column 0 are the header's and the question's,
 * those behind max_num_rows and max_num_columns are the last one. */
struct grid {
    uint32_t rows, columns;
    struct sum {
        uint32_t n; /* tokens */
        double cell, column;
    } * sums; /* [rows, columns] */
};

static uint32_t at_most(uint32_t a, int64_t b) {
    return a < b ? a : (uint32_t)b;
}

static struct sum *sum_of(const struct grid *grid, int32_t row, int32_t column) {
    const size_t r = at_most((uint32_t)row, grid->rows - 1);
    return &grid->sums[r * grid->columns + at_most((uint32_t)column, grid->columns - 1)];
}

static struct grid sum_cells(const struct part *part, const struct question *question) {
    const struct table *table = &((const struct table_state *)part->state)->table;
    const struct json *config = part->job->model->config;
    const struct table_encoding *e = &question->encoding;
    struct grid grid = {
        .rows = at_most(table->rows + 1, json_get_int(config, "max_num_rows", 64)),
        .columns = at_most(table->columns + 1, json_get_int(config, "max_num_columns", 32)),
    };
    grid.sums = arena_zalloc(&part->job->arena, (size_t)grid.rows * grid.columns,
                             sizeof(*grid.sums));
    for (size_t i = 0; i < e->n; i++) {
        struct sum *sum =
            sum_of(&grid, e->types[TYPE_ROW * e->n + i], e->types[TYPE_COLUMN * e->n + i]);
        sum->cell += (double)question->item->logits[2 * i];
        sum->column += (double)question->item->logits[2 * i + 1];
        sum->n++;
    }
    return grid;
}

/* The column of the highest mean over its cells, the header's too; 0: none is chosen. */
static uint32_t best_column(const struct part *part, const struct grid *grid) {
    const bool may_be_empty =
        json_get_bool(part->job->model->config, "allow_empty_column_selection", false);
    double highest = -INFINITY;
    uint32_t best = 0;
    for (uint32_t c = may_be_empty ? 0 : 1; c < grid->columns; c++) {
        double total = 0;
        uint32_t n = 0;
        for (uint32_t r = 0; r < grid->rows; r++) {
            const struct sum *sum = &grid->sums[(size_t)r * grid->columns + c];
            total += sum->n > 0 ? sum->column / sum->n : 0;
            n += sum->n > 0;
        }
        if (n > 0 && total / n > highest) {
            highest = total / n;
            best = c;
        }
    }
    return best;
}

/* [rows * columns] 1: the cell is one of the answer's: its tokens' mean is above one half, as a
 * probability. A cell without tokens is none. */
static uint8_t *chosen_cells(const struct part *part, const struct question *question) {
    const struct table_state *state = part->state;
    const struct table_encoding *e = &question->encoding;
    const size_t n = (size_t)state->table.rows * state->table.columns;
    const bool one = json_get_bool(part->job->model->config, "select_one_column", true);
    const struct grid grid = sum_cells(part, question);
    const uint32_t best = best_column(part, &grid);
    uint8_t *chosen = arena_zalloc(&part->job->arena, n, sizeof(*chosen));
    for (size_t i = 0; i < e->n; i++) {
        const int32_t row = e->types[TYPE_ROW * e->n + i];
        const int32_t column = e->types[TYPE_COLUMN * e->n + i];
        if (row > 0 && column > 0 &&
            (!one || (best > 0 && at_most((uint32_t)column, grid.columns - 1) == best))) {
            chosen[(size_t)(row - 1) * state->table.columns + (size_t)(column - 1)] =
                sum_of(&grid, row, column)->cell > 0;
        }
    }
    return chosen;
}

/* The tokens of the last answer's cells are marked. */
static void mark_answer(const struct part *part, struct question *question,
                        const struct question *last) {
    const struct table_state *state = part->state;
    struct table_encoding *e = &question->encoding;
    const int32_t *column = e->types + TYPE_COLUMN * e->n, *row = e->types + TYPE_ROW * e->n;
    const uint8_t *chosen = chosen_cells(part, last);
    for (size_t i = 0; i < e->n; i++) {
        if (column[i] > 0 && row[i] > 0) {
            e->types[TYPE_ANSWER * e->n + i] =
                chosen[(size_t)(row[i] - 1) * state->table.columns + (size_t)(column[i] - 1)];
        }
    }
}

static enum status ask_cells(struct part *part, struct question *question, struct error *err) {
    struct job *job = part->job;
    const struct arch *arch = job->model->arch;
    const struct encoding encoding = {.n = question->encoding.n, .ids = question->encoding.ids};
    if (check_encoding(part, &encoding, err) != STATUS_OK) {
        return STATUS_ERROR;
    }
    struct item *item = part_item(part, &encoding);
    item->types = question->encoding.types;
    if (arch->second.n_steps > 0) {
        item->second = arena_alloc(&job->arena, arch->second.outputs * sizeof(float));
    }
    question->item = item;
    return part_want(part, item, NULL, item->n, false, true, err);
}

/* ---- models that write ---- */

static enum status ask_writer(struct part *part, struct question *question, struct error *err) {
    struct job *job = part->job;
    const struct table_job *shared = job->state;
    const struct table_state *state = part->state;
    const struct table_options options = {.max_length = model_limit(job->model),
                                          .keep_rows = !shared->drops};
    struct encoding encoding;
    char *text = NULL;
    size_t len = 0;
    enum status status = part_reads(part, question->text.len + state->bytes, err);
    if (status == STATUS_OK) {
        status = tokenizer_join_table(job->model->tokenizer, &text, &len, &job->arena,
                                      &state->table, question->text.data, question->text.len,
                                      &options, err);
    }
    if (status == STATUS_OK) {
        status = part_encode(part, (struct text){text, len}, NULL,
                             (struct fit){.refuse = shared->refuse}, &encoding, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct item *item = part_item(part, &encoding);
    item->decoder_tokens = arena_copy(&job->arena, &shared->start, sizeof(shared->start));
    item->n_decoder = 1;
    item_generates(part, item, shared->config);
    question->item = item;
    return STATUS_OK;
}

/* ---- the state machine ---- */

/* Asks the next question, or all that are left. */
static enum status ask(struct part *part, struct error *err) {
    const struct table_question_answering_args *args = part->job->args;
    struct table_state *state = part->state;
    const bool cells = !writes(part->job->model);
    const bool one = cells && arg_bool(&args->sequential, false);
    enum status status = STATUS_OK;
    do {
        struct question *question = &state->questions[state->n_asked++];
        if (one && state->n_asked > 1) {
            mark_answer(part, question, question - 1);
        }
        status = cells ? ask_cells(part, question, err) : ask_writer(part, question, err);
    } while (status == STATUS_OK && !one && state->n_asked < state->n_questions);
    return status;
}

static enum status table_question_answering_begin(struct part *part, struct error *err) {
    struct table_state *state = arena_zalloc(&part->job->arena, 1, sizeof(*state));
    part->state = state;
    if (!json_is(part->input, JSON_OBJECT)) {
        return ERR(err, INPUT, "inputs is %s, must be {\"query\": ..., \"table\": ...}",
                   describe_value(&part->job->arena, part->input));
    }
    enum status status = read_table(part, err);
    if (status == STATUS_OK) {
        status = read_questions(part, err);
    }
    for (uint32_t i = 0; status == STATUS_OK && !writes(part->job->model) && i < state->n_questions;
         i++) {
        status = encode_cells(part, &state->questions[i], err);
    }
    return status == STATUS_OK ? ask(part, err) : status;
}

static enum status table_question_answering_next(struct part *part, struct error *err) {
    struct table_state *state = part->state;
    if (state->n_asked < state->n_questions) {
        return ask(part, err) == STATUS_OK ? STATUS_AGAIN : STATUS_ERROR;
    }
    for (uint32_t i = 0; writes(part->job->model) && i < state->n_questions; i++) {
        count_generated(part, state->questions[i].item);
    }
    return STATUS_OK;
}

/* ---- the answer ---- */

/* What is done with the cells; "" where the model does not say it. */
static const char *aggregator_of(const struct part *part, const struct question *question,
                                 bool *is_none) {
    const struct task_model *model = part->job->model;
    const uint32_t n = model->arch->second.outputs;
    const struct json *labels = json_get(model->config, "aggregation_labels");
    uint32_t best = 0;
    *is_none = true;
    if (n == 0 || json_is_null(labels)) {
        return "";
    }
    for (uint32_t i = 1; i < n; i++) {
        best = question->item->second[i] > question->item->second[best] ? i : best;
    }
    const char *key = arena_printf(&part->job->arena, "%u", best);
    *is_none = json_get_int(model->config, "no_aggregation_label_index", -1) == (int64_t)best;
    return json_get_string(labels, key, "");
}

static void write_coordinates(const struct table *table, const uint8_t *chosen,
                              struct json_out *out) {
    json_open_array(out);
    for (uint32_t row = 0; row < table->rows; row++) {
        for (uint32_t c = 0; c < table->columns; c++) {
            if (chosen[(size_t)row * table->columns + c]) {
                json_open_array(out);
                json_int(out, row);
                json_int(out, c);
                json_close_array(out);
            }
        }
    }
    json_close_array(out);
}

/* The aggregator is always there, since clients want one. */
static void write_cells(struct part *part, const struct question *question, struct json_out *out) {
    const struct table_state *state = part->state;
    const struct table_cell *cells = state->table.cells + state->table.columns;
    const size_t n = (size_t)state->table.rows * state->table.columns;
    const uint8_t *chosen = chosen_cells(part, question);
    bool is_none, first = true;
    const char *aggregator = aggregator_of(part, question, &is_none);
    struct buf answer;
    buf_init(&answer, LIMIT_RESPONSE);
    if (!is_none) {
        buf_printf(&answer, "%s > ", aggregator);
    }
    for (size_t i = 0; i < n; i++) {
        if (chosen[i]) {
            buf_puts(&answer, first ? "" : ", ");
            buf_append(&answer, cells[i].text, cells[i].len);
            first = false;
        }
    }
    json_open_object(out);
    json_key(out, "answer");
    json_string_n(out, answer.data ? answer.data : "", answer.len);
    json_key(out, "coordinates");
    write_coordinates(&state->table, chosen, out);
    json_key(out, "cells");
    json_open_array(out);
    for (size_t i = 0; i < n; i++) {
        if (chosen[i]) {
            json_string_n(out, cells[i].text, cells[i].len);
        }
    }
    json_close_array(out);
    json_key(out, "aggregator");
    json_string(out, aggregator);
    json_close_object(out);
    buf_deinit(&answer);
}

static void write_texts(struct part *part, const struct item *item, struct json_out *out) {
    const struct table_question_answering_args *args = part->job->args;
    const struct arg *clean = &args->generation.clean_up_tokenization_spaces;
    struct buf buf;
    buf_init(&buf, LIMIT_RESPONSE);
    for (uint32_t i = 0; i < item->n_outputs; i++) {
        const struct generation_output *output = &item->outputs[i];
        buf_reset(&buf);
        tokenizer_decode(
            part->job->model->tokenizer, &buf, output->ids, output->n,
            (struct decode_options){.clean_up = !clean->given ? 0 : clean->boolean ? 1 : -1});
        json_open_object(out);
        json_key(out, "answer");
        json_string_n(out, buf.data ? buf.data : "", buf.len);
        json_close_object(out);
    }
    buf_deinit(&buf);
}

/* One answer is an object, several are a list. */
static void table_question_answering_write(struct part *part, struct json_out *out) {
    const struct table_state *state = part->state;
    const bool list = state->n_questions > 1 || state->questions[0].item->n_outputs > 1;
    if (list) {
        json_open_array(out);
    }
    for (uint32_t i = 0; i < state->n_questions; i++) {
        if (writes(part->job->model)) {
            write_texts(part, state->questions[i].item, out);
        } else {
            write_cells(part, &state->questions[i], out);
        }
    }
    if (list) {
        json_close_array(out);
    }
}

static const char *const table_question_answering_fields[] = {"table", NULL};

const struct task task_table_question_answering = {
    .name = "table-question-answering",
    .summary = "the cells of a table that answer a question",
    .params = table_question_answering_params,
    .n_params = ARRAY_LEN(table_question_answering_params),
    .args_size = sizeof(struct table_question_answering_args),
    .fields = table_question_answering_fields,
    .supports = table_question_answering_supports,
    .open = table_question_answering_open,
    .begin = table_question_answering_begin,
    .next = table_question_answering_next,
    .write = table_question_answering_write,
};
