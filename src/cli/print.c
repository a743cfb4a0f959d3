/* Answers for people: a list of objects as a table, one text as itself, long vectors cut short.
 * With --json the commands print the bytes of the answer instead. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "base/banned.h"

#define COLUMNS_MAX 16
#define CELL_MAX    60 /* code points of a cell before it is cut */
#define VECTOR_SHOW 6  /* numbers of a long vector */

void print_line(const char *text, size_t len) {
    fwrite(text, 1, len, stdout);
    fputc('\n', stdout);
}

int answer_error(const char *command, const struct brisk_answer *answer) {
    struct arena arena = {0};
    struct error err = {0};
    const struct json *body = NULL;
    const char *text = "the answer is not JSON";
    if (json_parse(&body, &arena, answer->body, answer->body_len, JSON_STRICT, &err) == STATUS_OK)
        text = json_get_string(body, "error", text);
    command_error(command, answer->exit_code, "%s", text);
    arena_deinit(&arena);
    return answer->exit_code;
}

void read_stdin(struct buf *buf) {
    char block[64 * KiB];
    size_t n = 0;
    while ((n = fread(block, 1, sizeof(block), stdin)) > 0)
        buf_append(buf, block, n);
}

static bool is_scalar(const struct json *value) {
    return value->type != JSON_ARRAY && value->type != JSON_OBJECT;
}

static void put_scalar(struct buf *buf, const struct json *value) {
    if (value->type == JSON_STRING) {
        buf_append(buf, value->text, value->len);
    } else if (value->type == JSON_NUMBER && !value->boolean) {
        buf_printf(buf, "%.4f", value->number);
    } else {
        struct json_out out = json_out_begin(buf);
        json_value(&out, value);
    }
}

/* A vector as its first numbers, anything else as JSON. */
static void put_value(struct buf *buf, const struct json *value) {
    if (is_scalar(value)) {
        put_scalar(buf, value);
        return;
    }
    const bool vector = value->type == JSON_ARRAY && value->len > VECTOR_SHOW &&
                        value->items[0].type == JSON_NUMBER;
    if (!vector) {
        struct json_out out = json_out_begin(buf);
        json_value(&out, value);
        return;
    }
    buf_putc(buf, '[');
    for (uint32_t i = 0; i < VECTOR_SHOW; i++) {
        put_scalar(buf, &value->items[i]);
        buf_puts(buf, ", ");
    }
    buf_printf(buf, "… %u numbers]", value->len);
}

static void put_cell(struct buf *buf, const struct json *value) {
    const size_t start = buf->len;
    put_value(buf, value);
    for (size_t i = start; i < buf->len; i++) {
        if ((unsigned char)buf->data[i] < ' ')
            buf->data[i] = ' ';
    }
    const size_t len = buf->len - start;
    if (utf8_count(buf->data + start, len) <= CELL_MAX)
        return;
    buf->len = start + utf8_offset(buf->data + start, len, CELL_MAX - 1);
    buf_puts(buf, "…");
}

static size_t cell_width(const struct json *value) {
    struct buf buf;
    buf_init(&buf, LIMIT_RESPONSE);
    put_cell(&buf, value);
    const size_t width = buf.len == 0 ? 0 : utf8_count(buf.data, buf.len);
    buf_deinit(&buf);
    return width;
}

static void print_cell(const struct json *value, size_t width, bool last) {
    struct buf buf;
    buf_init(&buf, LIMIT_RESPONSE);
    put_cell(&buf, value);
    const size_t used = buf.len == 0 ? 0 : utf8_count(buf.data, buf.len);
    if (value->type == JSON_NUMBER)
        printf("%*s", (int)(width - used), "");
    fwrite(buf.data, 1, buf.len, stdout);
    if (!last)
        printf("%*s", (int)(2 + (value->type == JSON_NUMBER ? 0 : width - used)), "");
    buf_deinit(&buf);
}

static bool is_table(const struct json *value) {
    if (value->type != JSON_ARRAY || value->len == 0)
        return false;
    for (uint32_t i = 0; i < value->len; i++) {
        const struct json *row = &value->items[i];
        if (row->type != JSON_OBJECT || row->len > COLUMNS_MAX || row->len != value->items[0].len)
            return false;
    }
    return true;
}

static void print_table(const struct json *rows) {
    const struct json *first = &rows->items[0];
    size_t widths[COLUMNS_MAX] = {0};
    for (uint32_t c = 0; c < first->len; c++) {
        widths[c] = first->members[c].key_len;
        for (uint32_t r = 0; r < rows->len; r++) {
            const size_t width = cell_width(&rows->items[r].members[c].value);
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    for (uint32_t c = 0; c < first->len; c++) {
        const bool right = first->members[c].value.type == JSON_NUMBER;
        const bool last = c + 1 == first->len;
        printf(right ? "%*s%s" : "%-*s%s", last && !right ? 0 : (int)widths[c],
               first->members[c].key, last ? "" : "  ");
    }
    putchar('\n');
    for (uint32_t r = 0; r < rows->len; r++) {
        for (uint32_t c = 0; c < first->len; c++)
            print_cell(&rows->items[r].members[c].value, widths[c], c + 1 == first->len);
        putchar('\n');
    }
}

static void print_members(const struct json *object) {
    int width = 0;
    for (uint32_t i = 0; i < object->len; i++)
        width = (int)object->members[i].key_len > width ? (int)object->members[i].key_len : width;
    for (uint32_t i = 0; i < object->len; i++) {
        struct buf buf;
        buf_init(&buf, LIMIT_RESPONSE);
        put_value(&buf, &object->members[i].value);
        printf("%-*s  %s\n", width, object->members[i].key, buf.data == NULL ? "" : buf.data);
        buf_deinit(&buf);
    }
}

/* A list of one object that holds one text: the text is the answer. */
static const struct json *only_text(const struct json *value) {
    while (value->type == JSON_ARRAY && value->len == 1)
        value = &value->items[0];
    if (value->type == JSON_OBJECT && value->len == 1)
        value = &value->members[0].value;
    return value->type == JSON_STRING ? value : NULL;
}

static void print_value(const struct json *value) {
    const struct json *text = only_text(value);
    if (text != NULL) {
        print_line(text->text, text->len);
    } else if (is_table(value)) {
        print_table(value);
    } else if (value->type == JSON_OBJECT) {
        print_members(value);
    } else if (value->type == JSON_ARRAY && value->len == 1 && !is_scalar(&value->items[0])) {
        print_value(&value->items[0]); /* [[…]]: depth is bounded by the parser */
    } else if (value->type == JSON_ARRAY && value->len > 0 && !is_scalar(&value->items[0])) {
        for (uint32_t i = 0; i < value->len; i++)
            print_value(&value->items[i]);
    } else {
        struct buf buf;
        buf_init(&buf, LIMIT_RESPONSE);
        put_value(&buf, value);
        print_line(buf.data == NULL ? "" : buf.data, buf.len);
        buf_deinit(&buf);
    }
}

void print_pretty(const char *json, size_t len) {
    struct arena arena = {0};
    struct error err = {0};
    const struct json *value = NULL;
    if (json_parse(&value, &arena, json, len, JSON_STRICT, &err) == STATUS_OK)
        print_value(value);
    else
        print_line(json, len);
    arena_deinit(&arena);
}
