/* TapexTokenizer's tables (transformers' tokenization_tapex.py): "question col : a | b row 1 : c |
 * d row 2 : …", in lower case. A cell keeps its first tokens. Where rows are dropped, those at the
 * end go; the class also drops some by chance in front, which is a matter of training. */
#include "tokenizer/slow.h"

#include "tokenizer/python_lower.h"
#include "base/banned.h"

struct lines {
    const struct tokenizer *tokenizer;
    const struct table *table;
    struct arena *scratch; /* of one text */
    struct error *err;
};

static enum status encode(const struct lines *l, struct encoding *out, const char *text,
                          size_t len) {
    const struct encode_options options = {.no_special_tokens = true};
    arena_reset(l->scratch);
    *out = (struct encoding){0};
    if (len == 0)
        return STATUS_OK;
    return tokenizer_encode(l->tokenizer, out, l->scratch, text, len, NULL, 0, &options, l->err);
}

static bool is_blank(const struct table_cell *cell) {
    for (size_t pos = 0; pos < cell->len;)
        if (!slow_is_space(text_next(cell->text, cell->len, &pos)))
            return false;
    return true;
}

/* A cell, or what its first tokens read as. */
static enum status put_cell(const struct lines *l, struct buf *out,
                            const struct table_cell *cell) {
    const uint32_t most = l->tokenizer->tables.cell_tokens;
    struct encoding encoding;
    if (!is_blank(cell)) {
        if (encode(l, &encoding, cell->text, cell->len) != STATUS_OK)
            return STATUS_ERROR;
        if (encoding.n >= most) {
            tokenizer_decode(l->tokenizer, out, encoding.ids, most,
                             (struct decode_options){.keep_special = true, .clean_up = -1});
            return STATUS_OK;
        }
    }
    buf_append(out, cell->text, cell->len);
    return STATUS_OK;
}

static enum status put_row(const struct lines *l, struct buf *out, uint32_t row) {
    const struct table_cell *cells = l->table->cells + (size_t)row * l->table->columns;
    if (row == 0)
        buf_append(out, "col : ", 6);
    else
        buf_printf(out, "row %u : ", row);
    for (uint32_t c = 0; c < l->table->columns; c++) {
        if (c > 0)
            buf_append(out, " | ", 3);
        if (row == 0)
            buf_append(out, cells[c].text, cells[c].len);
        else if (put_cell(l, out, &cells[c]) != STATUS_OK)
            return STATUS_ERROR;
    }
    return STATUS_OK;
}

/* Takes the tokens of out[from, …) off what is left. */
static enum status count(const struct lines *l, const struct buf *out, size_t from, int64_t *left) {
    struct encoding encoding;
    if (encode(l, &encoding, out->data + from, out->len - from) != STATUS_OK)
        return STATUS_ERROR;
    *left -= (int64_t)encoding.n;
    return STATUS_OK;
}

static void cut(struct buf *out, size_t len) {
    out->len = len;
    out->data[len] = '\0';
}

static enum status put_rows(const struct lines *l, struct buf *out, bool keep, int64_t left) {
    const size_t header = out->len;
    if (put_row(l, out, 0) != STATUS_OK || (!keep && count(l, out, header, &left) != STATUS_OK))
        return STATUS_ERROR;
    for (uint32_t row = 1; row <= l->table->rows; row++) {
        const size_t before = out->len;
        buf_append(out, " ", 1);
        const size_t from = out->len;
        if (put_row(l, out, row) != STATUS_OK || (!keep && count(l, out, from, &left) != STATUS_OK))
            return STATUS_ERROR;
        if (!keep && left < 0) {
            cut(out, before);
            break;
        }
    }
    return STATUS_OK;
}

enum status tokenizer_join_table(const struct tokenizer *tokenizer, char **out, size_t *out_len,
                                 struct arena *arena, const struct table *table,
                                 const char *question, size_t len,
                                 const struct table_options *options, struct error *err) {
    struct arena scratch = {0};
    const struct lines l = {tokenizer, table, &scratch, err};
    struct buf buf;
    struct encoding asked;
    enum status status = STATUS_ERROR;
    buf_init(&buf, LIMIT_TEXT);
    buf_append(&buf, question, len);
    if (len > 0)
        buf_append(&buf, " ", 1);
    const size_t from = buf.len;
    if (encode(&l, &asked, question, options->keep_rows ? 0 : len) == STATUS_OK)
        status = put_rows(&l, &buf, options->keep_rows,
                          (int64_t)options->max_length - (int64_t)asked.n);
    if (status == STATUS_OK && buf.overflow)
        status = ERR(err, TOO_LARGE, "the table has more than %llu bytes", LIMIT_TEXT);
    if (status == STATUS_OK) {
        slow_strip(&buf, from);
        struct text text = {.data = buf.data, .len = buf.len};
        if (tokenizer->tables.lowercase)
            python_lower(&text, &scratch);
        *out = arena_strndup(arena, text.data, text.len);
        *out_len = text.len;
    }
    buf_deinit(&buf);
    arena_deinit(&scratch);
    return status;
}
