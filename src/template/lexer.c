/* From the text of a template to tokens, as jinja2's lexer with trim_blocks and lstrip_blocks: the
 * line feed behind a block or comment goes, and so does the blank space between the start of a line
 * and a block or comment; `-` strips all blank space on its side, `+` keeps it. Names and operators
 * are not understood here. */
#include "template/syntax.h"

#include <string.h>

#include "base/banned.h"

struct lexer {
    struct arena *arena;
    const char *text; /* line ends are \n */
    size_t len, at;
    uint32_t line;
    bool line_starting; /* the last tag took a line feed with it */
    struct token *tokens;
    size_t n, cap;
    char brackets[LIMIT_TEMPLATE_NEST]; /* closing ones that are waited for */
    size_t n_brackets;
    struct error *err;
};

static enum status lex_fail(struct lexer *lexer, const char *text) {
    return ERR(lexer->err, MODEL, "line %u: %s", lexer->line, text);
}

static void count_lines(struct lexer *lexer, size_t from, size_t to) {
    for (size_t i = from; i < to; i++)
        lexer->line += lexer->text[i] == '\n';
}

static struct token *add(struct lexer *lexer, enum token_type type, size_t from, size_t to) {
    lexer->tokens = mem_grow(lexer->tokens, &lexer->cap, lexer->n + 1, sizeof(*lexer->tokens));
    struct token *token = &lexer->tokens[lexer->n++];
    *token = (struct token){.type = type, .line = lexer->line, .text = lexer->text + from};
    token->len = to - from;
    return token;
}

static bool looking_at(const struct lexer *lexer, size_t at, const char *what) {
    const size_t len = strlen(what);
    return lexer->len - at >= len && memcmp(lexer->text + at, what, len) == 0;
}

static size_t skip_space(const struct lexer *lexer, size_t at) {
    while (at < lexer->len) {
        size_t next = at;
        if (!char_is_space(utf8_next_lossy(lexer->text, lexer->len, &next)))
            break;
        at = next;
    }
    return at;
}

/* ---- data ---- */

/* Where text[from..to) ends when what follows is a tag that strips. */
static size_t strip_end(const struct lexer *lexer, size_t from, size_t to, char sign,
                        bool is_variable) {
    if (sign == '-') {
        while (to > from) {
            size_t last = to - 1;
            while (last > from && ((unsigned char)lexer->text[last] & 0xC0) == 0x80)
                last--;
            size_t at = last;
            if (!char_is_space(utf8_next_lossy(lexer->text, to, &at)))
                break;
            to = last;
        }
        return to;
    }
    if (sign == '+' || is_variable)
        return to;
    size_t start = to;
    while (start > from && lexer->text[start - 1] != '\n')
        start--;
    if (start == from && !lexer->line_starting)
        return to;
    for (size_t at = start; at < to;) {
        if (!char_is_space(utf8_next_lossy(lexer->text, to, &at)))
            return to;
    }
    return start;
}

static void add_data(struct lexer *lexer, size_t from, size_t to, char sign, bool is_variable) {
    const size_t end = strip_end(lexer, from, to, sign, is_variable);
    if (end > from)
        add(lexer, TOKEN_DATA, from, end);
    count_lines(lexer, from, to);
}

/* The end of a block or comment at `at`: `+%}`, `-%}` with space, `%}` with a line feed. Returns
 * where it ends, 0 when there is none. */
static size_t tag_end(const struct lexer *lexer, size_t at, const char *close, bool is_variable) {
    const char sign = at < lexer->len ? lexer->text[at] : 0;
    if (sign == '-' && looking_at(lexer, at + 1, close))
        return skip_space(lexer, at + 1 + strlen(close));
    if (sign == '+' && !is_variable && looking_at(lexer, at + 1, close))
        return at + 1 + strlen(close);
    if (!looking_at(lexer, at, close))
        return 0;
    at += strlen(close);
    return at + (!is_variable && at < lexer->len && lexer->text[at] == '\n');
}

static void leave_tag(struct lexer *lexer, size_t end) {
    count_lines(lexer, lexer->at, end);
    lexer->at = end;
    lexer->line_starting = end > 0 && lexer->text[end - 1] == '\n';
}

static char sign_at(const struct lexer *lexer, size_t at) {
    const char c = at < lexer->len ? lexer->text[at] : 0;
    return c == '-' || c == '+' ? c : 0;
}

static enum status lex_comment(struct lexer *lexer) {
    for (size_t at = lexer->at; at < lexer->len; at++) {
        const size_t end = tag_end(lexer, at, "#}", false);
        if (end > 0) {
            leave_tag(lexer, end);
            return STATUS_OK;
        }
    }
    return lex_fail(lexer, "Missing end of comment tag");
}

/* Behind a block's start: `word` and then the block's end. 0: something else. */
static size_t word_block(const struct lexer *lexer, size_t at, const char *word, bool raw_begin) {
    at += sign_at(lexer, at) != 0;
    at = skip_space(lexer, at);
    if (!looking_at(lexer, at, word))
        return 0;
    at = skip_space(lexer, at + strlen(word));
    if (!raw_begin)
        return tag_end(lexer, at, "%}", false);
    if (looking_at(lexer, at, "-%}"))
        return skip_space(lexer, at + 3);
    return looking_at(lexer, at, "%}") ? at + 2 : 0;
}

static enum status lex_raw(struct lexer *lexer) {
    const size_t from = lexer->at;
    for (size_t at = from; at < lexer->len; at++) {
        if (!looking_at(lexer, at, "{%"))
            continue;
        const size_t end = word_block(lexer, at + 2, "endraw", false);
        if (end > 0) {
            add_data(lexer, from, at, sign_at(lexer, at + 2), false);
            lexer->at = at;
            leave_tag(lexer, end);
            return STATUS_OK;
        }
    }
    return lex_fail(lexer, "Missing end of raw directive");
}

/* ---- inside a tag ---- */

/* `(\d+_)*\d+` at `at`: where it ends. */
static size_t digits_end(const struct lexer *lexer, size_t at) {
    const char *text = lexer->text;
    while (at < lexer->len) {
        const bool digit = text[at] >= '0' && text[at] <= '9';
        const bool joint =
            text[at] == '_' && at + 1 < lexer->len && text[at + 1] >= '0' && text[at + 1] <= '9';
        if (!digit && !joint)
            break;
        at++;
    }
    return at;
}

/* Where a float's digits at `at` end, 0: it is none. */
static size_t float_end(const struct lexer *lexer, size_t at) {
    const char *text = lexer->text;
    if (at > 0 && text[at - 1] == '.')
        return 0;
    size_t end = digits_end(lexer, at), behind = 0;
    if (end < lexer->len && text[end] == '.') {
        behind = digits_end(lexer, end + 1);
        if (behind == end + 1 || text[end + 1] == '_')
            return 0;
        end = behind;
    }
    if (end < lexer->len && (text[end] | 0x20) == 'e') {
        size_t exponent = end + 1;
        exponent += exponent < lexer->len && (text[exponent] == '-' || text[exponent] == '+');
        const size_t last = digits_end(lexer, exponent);
        if (last > exponent && text[exponent] != '_')
            return last;
    }
    return behind;
}

/* Binary, octal and hexadecimal too; numbers with a leading zero are zeros. */
static size_t integer_end(const struct lexer *lexer, size_t at) {
    const char *text = lexer->text;
    if (text[at] != '0')
        return digits_end(lexer, at);
    const char letter = (char)(at + 2 < lexer->len ? text[at + 1] | 0x20 : 0);
    const char *allowed = letter == 'x'   ? "0123456789abcdefABCDEF"
                          : letter == 'o' ? "01234567"
                          : letter == 'b' ? "01"
                                          : "0";
    size_t end = letter == 'x' || letter == 'o' || letter == 'b' ? at + 2 : at + 1;
    const size_t start = end;
    while (end < lexer->len) {
        const size_t next = end + (text[end] == '_');
        if (next >= lexer->len || text[next] == 0 || strchr(allowed, text[next]) == NULL)
            break;
        end = next + 1;
    }
    return end == start ? at + 1 : end;
}

static enum status lex_number(struct lexer *lexer) {
    size_t end = float_end(lexer, lexer->at);
    const bool is_float = end > 0;
    if (!is_float)
        end = integer_end(lexer, lexer->at);
    struct token *token = add(lexer, is_float ? TOKEN_FLOAT : TOKEN_INTEGER, lexer->at, end);
    const bool good = is_float ? parse_float(token->text, token->len, &token->number)
                               : parse_int(token->text, token->len, 0, &token->integer);
    lexer->at = end;
    return good ? STATUS_OK : lex_fail(lexer, "integer beyond 64 bits");
}

static enum status lex_name(struct lexer *lexer) {
    size_t at = lexer->at;
    while (at < lexer->len) {
        size_t next = at;
        if (!char_is_word(utf8_next_lossy(lexer->text, lexer->len, &next)))
            break;
        at = next;
    }
    add(lexer, TOKEN_NAME, lexer->at, at);
    lexer->at = at;
    return STATUS_OK;
}

static enum status lex_string(struct lexer *lexer) {
    const char quote = lexer->text[lexer->at];
    for (size_t at = lexer->at + 1; at < lexer->len; at++) {
        if (lexer->text[at] == '\\') {
            at++;
        } else if (lexer->text[at] == quote) {
            struct token *token = add(lexer, TOKEN_STRING, lexer->at + 1, at);
            if (unescape(lexer->arena, token, lexer->err) != STATUS_OK)
                return STATUS_ERROR;
            count_lines(lexer, lexer->at, at);
            lexer->at = at + 1;
            return STATUS_OK;
        }
    }
    return lex_fail(lexer, "a string has no end");
}

static enum status lex_bracket(struct lexer *lexer, char c) {
    static const char open[] = "([{", close[] = ")]}";
    const char *opens = strchr(open, c);
    if (opens != NULL) {
        if (lexer->n_brackets == ARRAY_LEN(lexer->brackets))
            return lex_fail(lexer, "brackets nest too deep");
        lexer->brackets[lexer->n_brackets++] = close[opens - open];
        return STATUS_OK;
    }
    if (strchr(close, c) == NULL)
        return STATUS_OK;
    if (lexer->n_brackets == 0)
        return ERR(lexer->err, MODEL, "line %u: unexpected '%c'", lexer->line, c);
    const char expected = lexer->brackets[--lexer->n_brackets];
    if (expected != c)
        return ERR(lexer->err, MODEL, "line %u: unexpected '%c', expected '%c'", lexer->line, c,
                   expected);
    return STATUS_OK;
}

static enum status lex_operator(struct lexer *lexer) {
    static const char *const two[] = {"//", "**", "==", "!=", ">=", "<="};
    const char c = lexer->text[lexer->at];
    size_t len = 0;
    for (size_t i = 0; i < ARRAY_LEN(two); i++)
        len = looking_at(lexer, lexer->at, two[i]) ? 2 : len;
    if (len == 0 && c != 0 && strchr("+-/*%~[](){}><=.:|,;", c) != NULL)
        len = 1;
    if (len == 0)
        return ERR(lexer->err, MODEL, "line %u: unexpected char '%c'", lexer->line,
                   c >= 0x20 && c < 0x7F ? c : '?');
    if (len == 1 && lex_bracket(lexer, c) != STATUS_OK)
        return STATUS_ERROR;
    add(lexer, TOKEN_OPERATOR, lexer->at, lexer->at + len);
    lexer->at += len;
    return STATUS_OK;
}

static enum status lex_inside(struct lexer *lexer) {
    const char c = lexer->text[lexer->at];
    size_t next = lexer->at;
    if (c >= '0' && c <= '9')
        return lex_number(lexer);
    if (char_is_word(utf8_next_lossy(lexer->text, lexer->len, &next)))
        return lex_name(lexer);
    return c == '\'' || c == '"' ? lex_string(lexer) : lex_operator(lexer);
}

static enum status lex_tag(struct lexer *lexer, bool is_variable) {
    const char *close = is_variable ? "}}" : "%}";
    while (lexer->at < lexer->len) {
        const size_t end =
            lexer->n_brackets > 0 ? 0 : tag_end(lexer, lexer->at, close, is_variable);
        if (end > 0) {
            add(lexer, is_variable ? TOKEN_VARIABLE_END : TOKEN_BLOCK_END, lexer->at, lexer->at);
            leave_tag(lexer, end);
            return STATUS_OK;
        }
        const size_t behind = skip_space(lexer, lexer->at);
        count_lines(lexer, lexer->at, behind);
        if (behind == lexer->at && lex_inside(lexer) != STATUS_OK)
            return STATUS_ERROR;
        lexer->at = behind > lexer->at ? behind : lexer->at;
    }
    return STATUS_OK; /* the parser misses the end */
}

/* ---- the whole ---- */

/* The tag that starts at `at`, where data that began at `from` ends. */
static enum status lex_from(struct lexer *lexer, size_t from, size_t at) {
    const char kind = lexer->text[at + 1];
    const char sign = sign_at(lexer, at + 2);
    add_data(lexer, from, at, sign, kind == '{');
    const size_t raw = kind == '%' ? word_block(lexer, at + 2, "raw", true) : 0;
    lexer->at = at;
    leave_tag(lexer, raw > 0 ? raw : at + 2 + (sign != 0));
    if (raw > 0)
        return lex_raw(lexer);
    if (kind == '#')
        return lex_comment(lexer);
    add(lexer, kind == '{' ? TOKEN_VARIABLE_BEGIN : TOKEN_BLOCK_BEGIN, at, at + 2);
    return lex_tag(lexer, kind == '{');
}

static enum status lex_all(struct lexer *lexer) {
    while (lexer->at < lexer->len) {
        const size_t from = lexer->at;
        size_t at = from;
        while (at + 1 < lexer->len &&
               !(lexer->text[at] == '{' && memchr("{%#", lexer->text[at + 1], 3) != NULL))
            at++;
        if (at + 1 >= lexer->len) {
            add(lexer, TOKEN_DATA, from, lexer->len);
            break;
        }
        if (lex_from(lexer, from, at) != STATUS_OK)
            return STATUS_ERROR;
    }
    return STATUS_OK;
}

/* Line ends become \n, and the last one goes. */
static char *normalize(struct arena *arena, const char *source, size_t *len) {
    char *text = arena_alloc(arena, *len + 1);
    size_t n = 0;
    for (size_t i = 0; i < *len; i++) {
        text[n++] = source[i] == '\r' ? '\n' : source[i];
        i += source[i] == '\r' && i + 1 < *len && source[i + 1] == '\n';
    }
    n -= n > 0 && text[n - 1] == '\n';
    text[n] = 0;
    *len = n;
    return text;
}

enum status lex(struct token **out, struct arena *arena, const char *source, size_t len,
                struct error *err) {
    struct lexer lexer = {.arena = arena, .len = len, .line = 1, .line_starting = true, .err = err};
    lexer.text = normalize(arena, source, &lexer.len);
    const enum status status = lex_all(&lexer);
    add(&lexer, TOKEN_EOF, lexer.len, lexer.len);
    if (status == STATUS_OK)
        *out = arena_copy(arena, lexer.tokens, lexer.n * sizeof(*lexer.tokens));
    mem_free(lexer.tokens);
    return status;
}
