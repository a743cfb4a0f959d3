/* Numbers and dates in texts: "1,234.5", "third", "2nd", "1e5", "may 5, 1990", "1990s". A text is
 * brought to lower case and single spaces first. Numbers are found by a pattern and word by word,
 * dates in runs of up to five words by the formats that strptime is given there. */
#include "tokenizer/table_numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/python_lower.h"
#include "tokenizer/slow.h"
#include "tokenizer/unicode.h"
#include "base/banned.h"

#define DATE_WORDS 5 /* of a date, at most */
#define FIRST_YEAR 1700
#define LAST_YEAR  2016

/* A value and the characters [begin, end) that it was read from. */
struct found {
    uint32_t begin, end, order;
    struct numeric value;
};

struct finder {
    struct arena *arena;
    const uint32_t *text; /* [n] code points */
    uint32_t n;
    struct found *found;
    size_t n_found, cap;
};

/* ---- characters ---------------------------------------------------------------------------- */

static bool is_alnum(uint32_t c) {
    const enum unicode_category category = unicode_category(c);
    return category <= CATEGORY_LO || (category >= CATEGORY_ND && category <= CATEGORY_NO);
}

/* The value of a decimal digit of any script, -1: it is none. Unicode has them in runs that start
 * with a zero. */
static int digit_of(uint32_t c) {
    if (c < 0x80)
        return c >= '0' && c <= '9' ? (int)(c - '0') : -1;
    if (unicode_category(c) != CATEGORY_ND)
        return -1;
    uint32_t zero = c;
    while (unicode_category(zero - 1) == CATEGORY_ND)
        zero--;
    return (int)((c - zero) % 10);
}

static uint32_t char_at(const struct finder *f, uint32_t i) {
    return i < f->n ? f->text[i] : 0;
}

static uint32_t skip_digits(const struct finder *f, uint32_t i) {
    while (i < f->n && digit_of(f->text[i]) >= 0)
        i++;
    return i;
}

/* Lower case, words with one space between them (normalize_for_match). */
static void normalize(struct finder *f, const char *data, size_t len) {
    struct text text = {.data = data, .len = len};
    python_lower(&text, f->arena);
    uint32_t *out = arena_alloc(f->arena, (text.len + 1) * sizeof *out);
    uint32_t n = 0;
    bool space = false;
    for (size_t pos = 0; pos < text.len;) {
        const uint32_t c = text_next(text.data, text.len, &pos);
        if (slow_is_space(c)) {
            space = n > 0;
            continue;
        }
        if (space)
            out[n++] = ' ';
        space = false;
        out[n++] = c;
    }
    f->text = out;
    f->n = n;
}

static void put(struct finder *f, uint32_t begin, uint32_t end, struct numeric value) {
    if (f->n_found == f->cap) {
        const size_t cap = f->cap > 0 ? 2 * f->cap : 8;
        struct found *more = arena_alloc(f->arena, cap * sizeof *more);
        if (f->n_found > 0)
            memcpy(more, f->found, f->n_found * sizeof *more);
        f->found = more;
        f->cap = cap;
    }
    f->found[f->n_found] = (struct found){begin, end, (uint32_t)f->n_found, value};
    f->n_found++;
}

/* ---- numbers ------------------------------------------------------------------------------- */

/* float() of characters that are sign, digits, point and exponent, without commas. */
static bool read_float(const struct finder *f, uint32_t begin, uint32_t end, double *out) {
    char *plain = arena_alloc(f->arena, end - begin + 1);
    size_t n = 0;
    for (uint32_t i = begin; i < end; i++) {
        const int digit = digit_of(f->text[i]);
        if (digit >= 0)
            plain[n++] = (char)('0' + digit);
        else if (f->text[i] != ',' && f->text[i] != ' ')
            plain[n++] = (char)f->text[i];
    }
    plain[n] = '\0';
    *out = strtod(plain, NULL);
    return *out != HUGE_VAL;
}

/* Where a number that starts at i ends: .5, 12, 1,234.5, 12. (i: there is none). */
static uint32_t number_end(const struct finder *f, uint32_t i) {
    uint32_t end = skip_digits(f, i);
    if (end == i)
        return char_at(f, i) == '.' && skip_digits(f, i + 1) > i + 1 ? skip_digits(f, i + 1) : i;
    while (char_at(f, end) == ',' && end + 4 <= f->n && skip_digits(f, end + 1) >= end + 4)
        end += 4;
    return char_at(f, end) == '.' ? skip_digits(f, end + 1) : end;
}

/* The pattern ((^|\s)[+-])?((\.\d+)|(\d+(,\d\d\d)*(\.\d*)?)), everywhere in the text. */
static void find_numbers(struct finder *f) {
    for (uint32_t i = 0; i < f->n;) {
        const uint32_t sign = f->text[i] == ' ' ? i + 1 : i == 0 ? 0 : f->n;
        uint32_t end = i;
        if (char_at(f, sign) == '+' || char_at(f, sign) == '-') {
            end = number_end(f, sign + 1);
            end = end == sign + 1 ? i : end;
        }
        if (end == i)
            end = number_end(f, i);
        double number;
        if (end > i && read_float(f, i, end, &number))
            put(f, i, end, (struct numeric){.number = number});
        i = end > i ? end : i + 1;
    }
}

static bool is_word(const struct finder *f, uint32_t begin, uint32_t end, const char *word) {
    if (end - begin != strlen(word))
        return false;
    for (uint32_t i = begin; i < end; i++)
        if (f->text[i] != (unsigned char)word[i - begin])
            return false;
    return true;
}

static bool ends_with(const struct finder *f, uint32_t begin, uint32_t end, const char *word) {
    return end - begin >= 2 && is_word(f, end - 2, end, word);
}

/* "12", "1e5", "12th": a word is letters and digits only. */
static bool word_number(const struct finder *f, uint32_t begin, uint32_t end, double *out) {
    static const char *const suffixes[] = {"st", "nd", "rd", "th"};
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
        if (ends_with(f, begin, end, suffixes[i])) {
            end -= 2;
            break;
        }
    uint32_t at = skip_digits(f, begin);
    if (at == begin || at > end)
        return false;
    if (at < end && f->text[at] == 'e' && at + 1 < end)
        at = skip_digits(f, at + 1);
    return at == end && read_float(f, begin, end, out);
}

static bool named_number(const struct finder *f, uint32_t begin, uint32_t end, double *out) {
    static const char *const names[][2] = {
        {"zero", "zeroth"},   {"one", "first"},    {"two", "second"},  {"three", "third"},
        {"four", "fourth"},   {"five", "fifth"},   {"six", "sixth"},   {"seven", "seventh"},
        {"eight", "eighth"},  {"nine", "ninth"},   {"ten", "tenth"},   {"eleven", "eleventh"},
        {"twelve", "twelfth"}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (is_word(f, begin, end, names[i][0]) || is_word(f, begin, end, names[i][1])) {
            *out = (double)i;
            return true;
        }
    return false;
}

/* ---- dates --------------------------------------------------------------------------------- */

static const char *const formats[] = {
    "%B",        "%Y",        "%Ys",      "%b %Y",    "%B %Y",     "%B %d",     "%b %d",
    "%d %b",     "%d %B",     "%B %d, %Y", "%d %B %Y", "%m-%d-%Y",  "%Y-%m-%d",  "%Y-%m",
    "%d %b %Y",  "%b %d, %Y", "%d.%m.%Y", "%A, %b %d", "%A, %B %d"};
static const char *const months[] = {"january",   "february", "march",    "april",
                                     "may",       "june",     "july",     "august",
                                     "september", "october",  "november", "december"};
static const char *const days[] = {"monday", "tuesday",  "wednesday", "thursday",
                                   "friday", "saturday", "sunday"};

/* Which of the names stands at `at`, or its first `most` letters; -1: none. Moves behind it. */
static int32_t read_name(const struct finder *f, uint32_t *at, uint32_t end,
                         const char *const *names, size_t n, size_t most) {
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(names[i]), same = 0;
        len = len < most ? len : most;
        while (same < len && *at + same < end &&
               f->text[*at + same] == (unsigned char)names[i][same])
            same++;
        if (same == len) {
            *at += (uint32_t)len;
            return (int32_t)i;
        }
    }
    return -1;
}

static int32_t read_year(const struct finder *f, uint32_t *at, uint32_t end) {
    int32_t year = 0;
    for (uint32_t i = *at; i < *at + 4; i++) {
        const int digit = i < end ? digit_of(f->text[i]) : -1;
        if (digit < 0)
            return -1;
        year = 10 * year + digit;
    }
    *at += 4;
    return year;
}

/* A day or month: one or two digits, at most `most`. strptime wants the first an ASCII one. */
static int32_t read_two(const struct finder *f, uint32_t *at, uint32_t end, int32_t most) {
    const int first = *at < end && f->text[*at] < 0x80 ? digit_of(f->text[*at]) : -1;
    const int second = *at + 1 < end ? digit_of(f->text[*at + 1]) : -1;
    if (first < 0)
        return -1;
    const int32_t value = second < 0 ? first : 10 * first + second;
    *at += second < 0 ? 1 : 2;
    return value >= 1 && value <= most ? value : -1;
}

/* One field of a format into the date; false: it is not there. */
static bool read_field(const struct finder *f, char field, uint32_t *at, uint32_t end,
                       int32_t date[static DATE_PARTS]) {
    switch (field) {
    case 'Y':
        return (date[0] = read_year(f, at, end)) >= 0;
    case 'm':
        return (date[1] = read_two(f, at, end, 12)) >= 0;
    case 'd':
        return (date[2] = read_two(f, at, end, 31)) >= 0;
    case 'B':
        return (date[1] = read_name(f, at, end, months, ARRAY_LEN(months), 16) + 1) > 0;
    case 'b':
        return (date[1] = read_name(f, at, end, months, ARRAY_LEN(months), 3) + 1) > 0;
    default:
        return read_name(f, at, end, days, ARRAY_LEN(days), 16) >= 0;
    }
}

/* Of a month alone the year is 1900, as strptime has it. */
static bool is_date(const int32_t date[static DATE_PARTS]) {
    static const int32_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const int32_t year = date[0] > 0 ? date[0] : 1900, month = date[1] > 0 ? date[1] : 1;
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return year >= FIRST_YEAR && year <= LAST_YEAR &&
           date[2] <= lengths[month - 1] + (leap && month == 2);
}

static bool read_date(const struct finder *f, uint32_t begin, uint32_t end, const char *format,
                      struct numeric *out) {
    struct numeric value = {.is_date = true};
    uint32_t at = begin;
    for (const char *c = format; *c != '\0'; c++) {
        if (*c == '%') {
            if (!read_field(f, *++c, &at, end, value.date))
                return false;
        } else if (at >= end || f->text[at++] != (unsigned char)*c) {
            return false;
        }
    }
    *out = value;
    return at == end && is_date(value.date) && (value.date[0] > 0 || !strchr(format, 'Y'));
}

/* ---- words --------------------------------------------------------------------------------- */

static void read_word(struct finder *f, uint32_t begin, uint32_t end, bool known) {
    struct numeric value = {0};
    if (known)
        return;
    if (word_number(f, begin, end, &value.number))
        put(f, begin, end, value);
    if (named_number(f, begin, end, &value.number))
        put(f, begin, end, value);
}

static void read_dates(struct finder *f, const uint32_t *starts, uint32_t n_starts, uint32_t end) {
    struct numeric value;
    const uint32_t first = n_starts > DATE_WORDS ? n_starts - DATE_WORDS : 0;
    for (uint32_t s = first; s < n_starts; s++)
        for (size_t i = 0; i < ARRAY_LEN(formats); i++)
            if (read_date(f, starts[s % DATE_WORDS], end, formats[i], &value)) {
                put(f, starts[s % DATE_WORDS], end, value);
                break;
            }
}

/* All runs of letters and digits: numbers, then dates that end with them. What the pattern found
 * stands in front, in order, so that a word that is one of it is met in passing. */
static void find_words(struct finder *f) {
    uint32_t starts[DATE_WORDS], n_starts = 0;
    const size_t n_numbers = f->n_found;
    size_t next = 0;
    for (uint32_t i = 0; i < f->n; i++) {
        if (!is_alnum(f->text[i]))
            continue;
        if (i == 0 || !is_alnum(f->text[i - 1]))
            starts[n_starts++ % DATE_WORDS] = i;
        if (i + 1 < f->n && is_alnum(f->text[i + 1]))
            continue;
        const uint32_t begin = starts[(n_starts - 1) % DATE_WORDS];
        while (next < n_numbers && f->found[next].begin < begin)
            next++;
        const bool known = next < n_numbers && f->found[next].begin == begin &&
                           f->found[next].end == i + 1;
        read_word(f, begin, i + 1, known);
        read_dates(f, starts, n_starts, i + 1);
    }
}

/* By place, the longer first; of one place in the order of finding. */
static int compare(const void *a, const void *b) {
    const struct found *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end > y->end ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

size_t numerics_of(struct numeric **out, struct arena *arena, const char *data, size_t len) {
    struct finder f = {.arena = arena};
    normalize(&f, data, len);
    find_numbers(&f);
    find_words(&f);
    if (f.n_found > 0)
        qsort(f.found, f.n_found, sizeof *f.found, compare);
    struct numeric *values = arena_alloc(arena, (f.n_found + 1) * sizeof *values);
    size_t n = 0;
    uint32_t begin = 0, reach = 0; /* of the last one that is in no other */
    for (size_t i = 0; i < f.n_found; i++) {
        const struct found *found = &f.found[i];
        if (found->end <= reach && !(found->begin == begin && found->end == reach))
            continue;
        begin = found->begin;
        reach = found->end;
        values[n++] = found->value;
    }
    *out = values;
    return n;
}
