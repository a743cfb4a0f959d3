/* Punctuation as the Moses scripts make it plain before a text is cut into words. Each rule sees
 * what the one before it left, so their order counts; most are literals. Words are not cut here. */
#include "tokenizer/moses.h"

#include "tokenizer/slow.h"
#include "tokenizer/unicode.h"
#include "base/banned.h"

#define NBSP 0xA0

static bool is_digit(uint32_t c) {
    return unicode_category(c) == CATEGORY_ND;
}

static void keep(struct moses_line *line, size_t i) {
    moses_put(line, line->old[i].c, line->old[i].from);
}

/* ---- foreign punctuation ------------------------------------------------------------------- */

/* What one character is replaced by; 0: it stays. */
static uint32_t plain(uint32_t c) {
    static const struct {
        uint16_t from;
        char to;
    } rows[] = {
        {0x2019, '\''}, {0x201C, '"'}, {0x201D, '"'}, {0x2236, ':'}, {0x2501, '-'}, {0x3001, ','},
        {0x3008, '<'},  {0x3009, '>'}, {0x300A, '"'}, {0x300B, '"'}, {0x300C, '"'}, {0x300D, '"'},
        {0x3010, '['},  {0x3011, ']'}, {0xFF01, '!'}, {0xFF05, '%'}, {0xFF08, '('}, {0xFF09, ')'},
        {0xFF0C, ','},  {0xFF1A, ':'}, {0xFF1B, ';'}, {0xFF1F, '?'}, {0xFF5E, '~'},
    };
    if (c >= 0xFF10 && c <= 0xFF19)
        return c - 0xFF10 + '0';
    for (size_t i = 0; c > 0x2000 && i < ARRAY_LEN(rows); i++)
        if (rows[i].from == c)
            return (uint32_t)rows[i].to;
    return 0;
}

/* Full stops that take the space behind them along. */
static bool is_full_stop(uint32_t c) {
    return c == 0x3002 || c == 0xFF0E;
}

void moses_replace_punctuation(struct moses_line *line) {
    moses_line_turn(line);
    for (size_t i = 0; i < line->old_n; i++) {
        const struct glyph *glyph = &line->old[i];
        const uint32_t c = plain(glyph->c);
        if (is_full_stop(glyph->c)) {
            moses_puts(line, ". ", glyph->from);
            while (i + 1 < line->old_n && slow_is_space(line->old[i + 1].c))
                i++;
        } else if (glyph->c == 0x2026) {
            moses_puts(line, "...", glyph->from);
        } else {
            moses_put(line, c ? c : glyph->c, glyph->from);
        }
    }
}

void moses_drop_controls(struct moses_line *line) {
    moses_line_turn(line);
    for (size_t i = 0; i < line->old_n; i++)
        if (unicode_category(line->old[i].c) < CATEGORY_CC)
            keep(line, i);
}

/* ---- spaces -------------------------------------------------------------------------------- */

/* Runs of spaces become one. */
static void one_space(struct moses_line *line) {
    moses_line_turn(line);
    for (size_t i = 0; i < line->old_n; i++)
        if (line->old[i].c != ' ' || i == 0 || line->old[i - 1].c != ' ')
            keep(line, i);
}

static bool bracket_and_stop(uint32_t left, uint32_t right) {
    return left == ')' && right > 0 && right < 0x80 && strchr(".!:?;,", (int)right);
}

static bool digit_and_percent(uint32_t left, uint32_t right) {
    return right == '%' && is_digit(left);
}

/* The space between two characters that do not want it. */
static void drop_between(struct moses_line *line, bool (*unwanted)(uint32_t, uint32_t)) {
    moses_line_turn(line);
    for (size_t i = 0; i < line->old_n; i++)
        if (line->old[i].c != ' ' || i == 0 || i + 1 == line->old_n ||
            !unwanted(line->old[i - 1].c, line->old[i + 1].c))
            keep(line, i);
}

static void bracket_spaces(struct moses_line *line) {
    if (moses_seen(line, ')'))
        drop_between(line, bracket_and_stop);
}

static void percent_spaces(struct moses_line *line) {
    if (moses_seen(line, '%'))
        drop_between(line, digit_and_percent);
}

/* ---- rules --------------------------------------------------------------------------------- */

struct rule {
    const char *from, *to;
    void (*run)(struct moses_line *line); /* instead of them */
};

/* Letters beside a quote do not matter, as it becomes an apostrophe everywhere. */
static const struct rule rules_of_all[] = {
    {"\r", "", NULL},
    {"(", " (", NULL},
    {")", ") ", NULL},
    {.run = one_space},
    {.run = bracket_spaces},
    {"( ", "(", NULL},
    {" )", ")", NULL},
    {.run = percent_spaces},
    {" :", ":", NULL},
    {" ;", ";", NULL},
    {"`", "'", NULL},
    {"''", " \" ", NULL},
    {"\u201E", "\"", NULL},
    {"\u201C", "\"", NULL},
    {"\u201D", "\"", NULL},
    {"\u2013", "-", NULL},
    {"\u2014", " - ", NULL},
    {.run = one_space},
    {"\u00B4", "'", NULL},
    {"\u2018", "'", NULL},
    {"\u201A", "'", NULL},
    {"\u2019", "'", NULL},
    {"''", "\"", NULL},
    {"\u2026", "...", NULL},
    {"\u00A0\u00AB\u00A0", "\"", NULL},
    {"\u00AB\u00A0", "\"", NULL},
    {"\u00AB", "\"", NULL},
    {"\u00A0\u00BB\u00A0", "\"", NULL},
    {"\u00A0\u00BB", "\"", NULL},
    {"\u00BB", "\"", NULL},
    {"\u00A0%", "%", NULL},
    {"n\u00BA\u00A0", "n\u00BA ", NULL},
    {"\u00A0:", ":", NULL},
    {"\u00A0\u00BAC", " \u00BAC", NULL},
    {"\u00A0cm", " cm", NULL},
    {"\u00A0?", "?", NULL},
    {"\u00A0!", "!", NULL},
    {"\u00A0;", ";", NULL},
    {",\u00A0", ", ", NULL},
    {.run = one_space},
};

/* A quote goes behind the commas and periods that follow it. */
static void quote_behind(struct moses_line *line) {
    if (!moses_seen(line, '"'))
        return;
    moses_line_turn(line);
    for (size_t i = 0; i < line->old_n;) {
        size_t end = i + 1;
        while (line->old[i].c == '"' && end < line->old_n &&
               (line->old[end].c == ',' || line->old[end].c == '.'))
            end++;
        const struct span span = moses_span(&line->old[i], &line->old[end - 1]);
        for (size_t k = i + 1; k < end; k++)
            moses_put(line, line->old[k].c, span);
        moses_put(line, line->old[i].c, span);
        i = end;
    }
}

/* Where what a quote may go in front of ends: spaces and one more character, which is no "<".
 * 0: there is none of these behind the quote. */
static size_t behind_quote(const struct moses_line *line, size_t at) {
    const size_t start = at;
    while (at < line->old_n && slow_is_space(line->old[at].c))
        at++;
    if (at < line->old_n && line->old[at].c != '<')
        return at + 1;
    return at > start ? at : 0;
}

/* A quote goes in front of the periods before it, but at the end of the text. */
static void quote_before_periods(struct moses_line *line) {
    moses_line_turn(line);
    for (size_t i = 0; i < line->old_n;) {
        size_t quote = i;
        while (quote < line->old_n && line->old[quote].c == '.')
            quote++;
        const bool found = quote > i && quote < line->old_n && line->old[quote].c == '"';
        const size_t end = found ? behind_quote(line, quote + 1) : 0;
        if (end > 0) {
            const struct span span = moses_span(&line->old[i], &line->old[quote]);
            moses_put(line, '"', span);
            for (; i < quote; i++)
                moses_put(line, '.', span);
            for (i = quote + 1; i < end; i++)
                keep(line, i);
            continue;
        }
        for (const size_t stop = quote > i ? quote : i + 1; i < stop; i++)
            keep(line, i);
    }
}

/* A no-break space within a number. */
static void number_spaces(struct moses_line *line, uint32_t mark) {
    if (!moses_seen(line, NBSP))
        return;
    moses_line_turn(line);
    for (size_t i = 0; i < line->old_n;) {
        if (line->old_n - i < 3 || line->old[i + 1].c != NBSP || !is_digit(line->old[i].c) ||
            !is_digit(line->old[i + 2].c)) {
            keep(line, i);
            i++;
            continue;
        }
        keep(line, i);
        moses_put(line, mark, line->old[i + 1].from);
        keep(line, i + 2);
        i += 3;
    }
}

void moses_normalize(struct moses_line *line, const struct moses_rules *rules) {
    for (size_t i = 0; i < ARRAY_LEN(rules_of_all); i++) {
        if (rules_of_all[i].run)
            rules_of_all[i].run(line);
        else
            moses_replace(line, rules_of_all[i].from, rules_of_all[i].to);
    }
    if (rules->english)
        quote_behind(line);
    if (rules->german) {
        moses_replace(line, ",\"", "\",");
        if (moses_seen(line, '"'))
            quote_before_periods(line);
    }
    number_spaces(line, rules->comma_numbers ? ',' : '.');
    moses_strip(line);
}
