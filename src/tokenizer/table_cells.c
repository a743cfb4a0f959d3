/* TapasTokenizer's tables (transformers' tokenization_tapas.py): the question's tokens, then those
 * of the header and of all cells, row by row, each with its column and row, the rank of the cell's
 * number or date in its column, and how that compares with the numbers of the question. Where all
 * does not fit, cells are cut at so many words each, and rows dropped from the end. */
#include "tokenizer/table_numbers.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer/pipeline.h"
#include "base/banned.h"

#define DATE_ALL      (1u << 0 | 1u << 1 | 1u << 2) /* bits of the parts of a date */
#define MOST_OF_ONE   0.7 /* of a column's cells, that must have a value of its kind */
#define RELATION_BITS 3

/* What the values of a column have in common; n 0: it has none. */
struct column {
    uint32_t n;
    bool are_dates;
    uint32_t parts; /* of the dates that all of them have */
};

struct cell_value {
    bool given;
    struct numeric value;
    uint32_t rank, inverse; /* 0: none */
};

struct table_reading {
    uint32_t rows, columns;
    int32_t *ids;      /* of all cells, the header's first */
    uint32_t *begins;  /* of each token: the place in its cell where its word begins */
    uint32_t *starts;  /* [(rows + 1) * columns + 1] of each cell in ids */
    uint32_t most;     /* tokens of a cell */
    struct column *of; /* [columns] */
    struct cell_value *values; /* [rows, columns] */
};

enum table_form tokenizer_tables(const struct tokenizer *tokenizer) {
    return tokenizer->tables.form;
}

/* ---- tokens -------------------------------------------------------------------------------- */

static bool continues_word(const struct tokenizer *tokenizer, int32_t id) {
    const char *token = tokenizer_token(tokenizer, id);
    return token && strncmp(token, "##", 2) == 0;
}

static enum status encode(const struct tokenizer *tokenizer, struct encoding *out,
                          struct arena *arena, const char *text, size_t len, struct error *err) {
    const struct encode_options options = {.no_special_tokens = true};
    return tokenizer_encode(tokenizer, out, arena, text, len, NULL, 0, &options, err);
}

/* Tokens of all cells, in blocks that grow. */
struct tokens_of_cells {
    int32_t *ids;
    uint32_t *begins;
    size_t n, ids_cap, begins_cap;
};

static enum status add_tokens(const struct tokenizer *tokenizer, struct tokens_of_cells *to,
                              const struct encoding *encoding, struct error *err) {
    if (to->n + encoding->n > LIMIT_TEXT)
        return ERR(err, TOO_LARGE, "the table has more than %llu tokens", LIMIT_TEXT);
    to->ids = mem_grow(to->ids, &to->ids_cap, to->n + encoding->n, sizeof *to->ids);
    to->begins = mem_grow(to->begins, &to->begins_cap, to->n + encoding->n, sizeof *to->begins);
    uint32_t begin = 0;
    for (size_t i = 0; i < encoding->n; i++, to->n++) {
        begin = continues_word(tokenizer, encoding->ids[i]) ? begin : (uint32_t)i;
        to->ids[to->n] = encoding->ids[i];
        to->begins[to->n] = begin;
    }
    return STATUS_OK;
}

static enum status read_tokens(const struct tokenizer *tokenizer, struct table_reading *r,
                               struct tokens_of_cells *to, struct arena *scratch,
                               const struct table *table, struct error *err) {
    const size_t n_cells = ((size_t)table->rows + 1) * table->columns;
    for (size_t i = 0; i < n_cells; i++) {
        const struct table_cell *cell = &table->cells[i];
        const bool empty = i < table->columns && tokenizer->tables.no_headers;
        struct encoding encoding = {0};
        r->starts[i] = (uint32_t)to->n;
        arena_reset(scratch);
        if (!empty && cell->len > 0 &&
            (encode(tokenizer, &encoding, scratch, cell->text, cell->len, err) != STATUS_OK ||
             add_tokens(tokenizer, to, &encoding, err) != STATUS_OK))
            return STATUS_ERROR;
        if (encoding.n > r->most)
            r->most = (uint32_t)encoding.n;
    }
    r->starts[n_cells] = (uint32_t)to->n;
    return STATUS_OK;
}

/* ---- numbers ------------------------------------------------------------------------------- */

static uint32_t parts_of(const struct numeric *value) {
    uint32_t parts = 0;
    for (uint32_t i = 0; i < DATE_PARTS; i++)
        parts |= (uint32_t)(value->date[i] > 0) << i;
    return parts;
}

/* By the parts that are compared; < 0, 0, > 0. */
static int compare_values(const struct numeric *a, const struct numeric *b, uint32_t parts) {
    if (!a->is_date)
        return a->number < b->number ? -1 : a->number > b->number;
    for (uint32_t i = 0; i < DATE_PARTS; i++)
        if (parts & 1u << i && a->date[i] != b->date[i])
            return a->date[i] < b->date[i] ? -1 : 1;
    return 0;
}

/* A cell's first number and its first date, if it has them. */
struct both {
    bool has[2];
    struct numeric value[2];
};

static void find_both(struct both *both, struct arena *scratch, const struct table_cell *cell) {
    struct numeric *values = NULL;
    arena_reset(scratch);
    const size_t n = numerics_of(&values, scratch, cell->text, cell->len);
    *both = (struct both){0};
    for (size_t i = 0; i < n; i++) {
        const bool date = values[i].is_date;
        if (!both->has[date])
            both->value[date] = values[i];
        both->has[date] = true;
    }
}

/* The kind of value that most cells have decides, dates where as many have both. */
static void read_column(struct table_reading *r, uint32_t c, struct both *both,
                        struct arena *scratch, const struct table *table) {
    uint32_t counts[2] = {0};
    for (uint32_t row = 0; row < r->rows; row++) {
        find_both(&both[row], scratch, &table->cells[((size_t)row + 1) * r->columns + c]);
        counts[0] += both[row].has[0];
        counts[1] += both[row].has[1];
    }
    const uint32_t most = counts[0] > counts[1] ? counts[0] : counts[1];
    if (most == 0 || (double)most < r->rows * MOST_OF_ONE)
        return;
    const bool dates = counts[1] == most;
    struct column column = {.n = most, .are_dates = dates, .parts = DATE_ALL};
    for (uint32_t row = 0; row < r->rows; row++)
        if (both[row].has[dates]) {
            struct cell_value *to = &r->values[(size_t)row * r->columns + c];
            *to = (struct cell_value){.given = true, .value = both[row].value[dates]};
            column.parts &= parts_of(&to->value);
        }
    r->of[c] = column;
}

struct ranked {
    struct cell_value *cell;
    uint32_t parts;
};

static int compare_ranked(const void *a, const void *b) {
    const struct ranked *x = a, *y = b;
    return compare_values(&x->cell->value, &y->cell->value, x->parts);
}

static void rank_column(struct table_reading *r, uint32_t c, struct ranked *ranked) {
    const struct column *column = &r->of[c];
    uint32_t n = 0, rank = 0;
    if (column->n == 0 || (column->are_dates && column->parts == 0))
        return;
    for (uint32_t row = 0; row < r->rows; row++) {
        struct cell_value *cell = &r->values[(size_t)row * r->columns + c];
        if (cell->given)
            ranked[n++] = (struct ranked){cell, column->parts};
    }
    qsort(ranked, n, sizeof *ranked, compare_ranked);
    for (uint32_t i = 0; i < n; i++) {
        rank += i == 0 || compare_ranked(&ranked[i - 1], &ranked[i]) != 0;
        ranked[i].cell->rank = rank;
    }
    for (uint32_t i = 0; i < n; i++)
        ranked[i].cell->inverse = rank + 1 - ranked[i].cell->rank;
}

static void read_values(struct table_reading *r, struct arena *scratch,
                        const struct table *table) {
    struct both *both = mem_alloc(r->rows * sizeof *both);
    struct ranked *ranked = mem_alloc(r->rows * sizeof *ranked);
    for (uint32_t c = 0; c < r->columns; c++) {
        read_column(r, c, both, scratch, table);
        rank_column(r, c, ranked);
    }
    mem_free(ranked);
    mem_free(both);
}

static uint32_t setting_or_length(const struct tokenizer *tokenizer, uint32_t setting) {
    return setting > 0 ? setting : tokenizer->max_length > 0 ? tokenizer->max_length : UINT32_MAX;
}

enum status tokenizer_read_table(const struct tokenizer *tokenizer, struct table_reading **out,
                                 struct arena *arena, const struct table *table,
                                 struct error *err) {
    const size_t n_values = (size_t)table->rows * table->columns;
    const uint32_t most = setting_or_length(tokenizer, tokenizer->tables.max_columns);
    struct table_reading *r = arena_zalloc(arena, 1, sizeof *r);
    struct tokens_of_cells tokens = {0};
    struct arena scratch = {0};
    if (table->columns >= most)
        return ERR(err, INPUT, "the table has %u columns, must have fewer than %u", table->columns,
                   most);
    r->rows = table->rows;
    r->columns = table->columns;
    r->starts = arena_alloc(arena, (n_values + table->columns + 1) * sizeof *r->starts);
    r->of = arena_zalloc(arena, table->columns, sizeof *r->of);
    r->values = arena_zalloc(arena, n_values, sizeof *r->values);
    const enum status status = read_tokens(tokenizer, r, &tokens, &scratch, table, err);
    if (status == STATUS_OK) {
        if (tokens.n > 0) {
            r->ids = arena_copy(arena, tokens.ids, tokens.n * sizeof *r->ids);
            r->begins = arena_copy(arena, tokens.begins, tokens.n * sizeof *r->begins);
        }
        read_values(r, &scratch, table);
        *out = r;
    }
    mem_free(tokens.ids);
    mem_free(tokens.begins);
    arena_deinit(&scratch);
    return status;
}

/* ---- fitting ------------------------------------------------------------------------------- */

/* Tokens of the header and `rows` rows whose words begin before the cell's `words`-th token. */
static size_t cost(const struct table_reading *r, uint32_t rows, uint32_t words) {
    const uint32_t end = r->starts[((size_t)rows + 1) * r->columns];
    size_t n = 0;
    for (uint32_t i = 0; i < end; i++)
        n += r->begins[i] < words;
    return n;
}

/* How much of the table is taken. */
struct extent {
    uint32_t rows, words;
};

/* The most rows, at least one, whose tokens counted so do not go over the budget. */
static uint32_t fitting_rows(const struct table_reading *r, uint32_t rows, uint32_t words,
                             size_t budget) {
    size_t n = cost(r, 0, words);
    for (uint32_t row = 1; row <= rows; row++) {
        const uint32_t from = r->starts[(size_t)row * r->columns];
        const uint32_t to = r->starts[((size_t)row + 1) * r->columns];
        for (uint32_t i = from; i < to; i++)
            n += r->begins[i] < words;
        if (n > budget)
            return row - 1;
    }
    return rows;
}

/* The largest number of words that fits, up to `most`; counted once for all of them. */
static uint32_t fitting_words(const struct table_reading *r, uint32_t rows, uint32_t most,
                              size_t budget) {
    const uint32_t end = r->starts[((size_t)rows + 1) * r->columns];
    size_t *begun = mem_zalloc((size_t)most + 1, sizeof *begun);
    for (uint32_t i = 0; i < end; i++)
        if (r->begins[i] < most)
            begun[r->begins[i]]++;
    size_t n = 0;
    uint32_t words = 0;
    while (words < most && (n += begun[words]) <= budget)
        words++;
    mem_free(begun);
    return words;
}

/* Rows go until the first word of each cell fits, or, where cells have a fixed length, all of it;
 * then cells are cut. */
static struct extent fit(const struct tokenizer *tokenizer, const struct table_reading *r,
                         uint32_t rows, size_t budget) {
    const uint32_t trim = tokenizer->tables.cell_tokens;
    const uint32_t most = trim > 0 && r->most > trim ? trim : r->most;
    struct extent extent = {.rows = rows, .words = most};
    if (most > 0) {
        extent.rows = fitting_rows(r, rows, trim > 0 ? most : 1, budget);
        if (extent.rows > 0)
            extent.words = fitting_words(r, extent.rows, most, budget);
        else
            extent.words = 1;
    }
    extent.words = extent.words > 0 ? extent.words : 1;
    return extent;
}

/* ---- the encoding -------------------------------------------------------------------------- */

/* The bits that this cell gets from one value of the question. */
static int32_t relation(const struct column *column, const struct numeric *cell,
                        const struct numeric *asked) {
    const uint32_t parts = column->parts & parts_of(asked);
    if (column->are_dates != asked->is_date || (asked->is_date && parts == 0))
        return 0;
    const int order = compare_values(asked, cell, parts);
    return order == 0 ? 1 : order < 0 ? 2 : 4;
}

static int32_t relations(const struct column *column, const struct cell_value *cell,
                         const struct numeric *asked, size_t n) {
    int32_t bits = 0;
    for (size_t i = 0; i < n && cell->given && bits < (1 << RELATION_BITS) - 1; i++)
        bits |= relation(column, &cell->value, &asked[i]);
    return bits;
}

struct writing {
    struct table_encoding *out;
    size_t n; /* so far */
};

static void put(struct writing *w, int32_t id, const int32_t types[static TABLE_TYPES]) {
    for (uint32_t i = 0; i < TABLE_TYPES; i++)
        w->out->types[i * w->out->n + w->n] = types[i];
    w->out->ids[w->n++] = id;
}

static void put_question(struct writing *w, const struct tokenizer *tokenizer, const int32_t *ids,
                         size_t n) {
    static const int32_t types[TABLE_TYPES] = {0};
    put(w, tokenizer->roles[TOKEN_CLS], types);
    for (size_t i = 0; i < n; i++)
        put(w, ids[i], types);
    put(w, tokenizer->roles[TOKEN_SEP], types);
}

static void put_cell(struct writing *w, const struct table_reading *r, uint32_t row, uint32_t c,
                     uint32_t words, const struct numeric *asked, size_t n_asked) {
    const size_t at = (size_t)row * r->columns + c;
    int32_t types[TABLE_TYPES] = {
        [TYPE_SEGMENT] = 1, [TYPE_COLUMN] = (int32_t)c + 1, [TYPE_ROW] = (int32_t)row};
    if (row > 0) {
        const struct cell_value *cell = &r->values[at - r->columns];
        types[TYPE_RANK] = (int32_t)cell->rank;
        types[TYPE_INVERSE_RANK] = (int32_t)cell->inverse;
        types[TYPE_RELATION] = relations(&r->of[c], cell, asked, n_asked);
    }
    for (uint32_t i = r->starts[at]; i < r->starts[at + 1]; i++)
        if (r->begins[i] < words)
            put(w, r->ids[i], types);
}

static enum status check_rows(const struct tokenizer *tokenizer, const struct table_reading *r,
                              const struct table_options *options, uint32_t *rows,
                              struct error *err) {
    const uint32_t most = setting_or_length(tokenizer, tokenizer->tables.max_rows);
    *rows = r->rows < most ? r->rows : most - 1;
    if (r->rows >= most && options->keep_rows)
        return ERR(err, INPUT, "the table has %u rows, must have fewer than %u", r->rows, most);
    return STATUS_OK;
}

enum status tokenizer_encode_table(const struct tokenizer *tokenizer, struct table_encoding *out,
                                   struct arena *arena, const struct table_reading *r,
                                   const char *question, size_t len,
                                   const struct table_options *options, struct error *err) {
    const struct table_settings *settings = &tokenizer->tables;
    struct encoding asked = {0};
    struct extent extent = {.words = r->most};
    struct numeric *values = NULL;
    if (check_rows(tokenizer, r, options, &extent.rows, err) != STATUS_OK ||
        encode(tokenizer, &asked, arena, question, len, err) != STATUS_OK)
        return STATUS_ERROR;
    if ((settings->question_most > 0 && asked.n > settings->question_most) ||
        asked.n < settings->question_least)
        asked.n = len = 0;
    const size_t around = asked.n + 2;
    if (!options->keep_rows)
        extent = fit(tokenizer, r, extent.rows,
                     options->max_length > around ? options->max_length - around : 0);
    const size_t total = r->starts[((size_t)r->rows + 1) * r->columns];
    const size_t taken = cost(r, extent.rows, extent.words);
    *out = (struct table_encoding){.n = around + taken, .truncated = total - taken};
    if (out->n > options->max_length)
        return ERR(err, INPUT,
                   "the question and the table have %zu tokens, even without the rows that may be "
                   "dropped, and the model takes %u: shorten them",
                   out->n, options->max_length);
    out->ids = arena_alloc(arena, out->n * sizeof *out->ids);
    out->types = arena_alloc(arena, TABLE_TYPES * out->n * sizeof *out->types);
    const size_t n_values = numerics_of(&values, arena, question, len);
    struct writing w = {.out = out};
    put_question(&w, tokenizer, asked.ids, asked.n);
    for (uint32_t row = 0; row <= extent.rows; row++)
        for (uint32_t c = 0; c < r->columns; c++)
            put_cell(&w, r, row, c, extent.words, values, n_values);
    return STATUS_OK;
}
