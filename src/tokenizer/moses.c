/* The Moses tokenizer: a text cut into words. Each pass sees what the one before it left, and what
 * a match has consumed is not looked at again by the same pass: hence the steps of two and three.
 */
#include "tokenizer/moses.h"

#include "tokenizer/moses_tables.h"
#include "tokenizer/slow.h"
#include "base/banned.h"

#define PREFIX_MOST 96 /* bytes: no abbreviation is that long */

/* ---- languages ----------------------------------------------------------------------------- */

static bool is_one_of(const char *language, const char *languages) {
    const size_t len = strlen(language);
    for (const char *at = strstr(languages, language); at; at = strstr(at + 1, language))
        if (len > 0 && (at == languages || at[-1] == ' ') && (at[len] == ' ' || at[len] == 0))
            return true;
    return false;
}

static void put_prefixes(struct vocab *vocab, const char *words) {
    uint32_t next = 0;
    for (const char *at = words; *at;) {
        const bool numeric = *at == '#';
        at += numeric;
        const size_t len = strcspn(at, " ");
        /* What is there with "#", which is sorted first, counts before numbers only. */
        if (vocab_find(vocab, at, len) < 0)
            vocab_put(vocab, at, len, 2 * next++ + numeric);
        at += len + (at[len] == ' ');
    }
}

void moses_rules_init(struct moses_rules *rules, const char *language) {
    const bool like_english = strcmp(language, "en") == 0;
    *rules = (struct moses_rules){
        .apostrophe = like_english                   ? MOSES_APOSTROPHE_EN
                      : is_one_of(language, "fr it") ? MOSES_APOSTROPHE_FR
                                                     : MOSES_APOSTROPHE_APART,
        .english = like_english,
        .german = is_one_of(language, "de es fr"),
        .comma_numbers = is_one_of(language, "de es cz cs fr"),
    };
    vocab_init(&rules->prefixes);
    const char *prefixes = moses_prefixes(language);
    put_prefixes(&rules->prefixes, prefixes ? prefixes : "");
}

void moses_rules_deinit(struct moses_rules *rules) {
    vocab_deinit(&rules->prefixes);
}

const char *moses_refuses_text(const char *language) {
    return moses_prefixes(language)
               ? NULL
               : "its abbreviations are not known here; those of de, en, fr and ru are";
}

const char *moses_refuses_words(const char *language) {
    return is_one_of(language, "cs fi") ? "Moses joins its words by rules that are not known here"
                                        : NULL;
}

/* ---- characters ---------------------------------------------------------------------------- */

static void keep(struct moses_line *line, size_t i) {
    moses_put(line, line->old[i].c, line->old[i].from);
}

static bool is_at(const struct moses_line *line, size_t i, unsigned properties) {
    return i < line->old_n && moses_is(line->old[i].c, properties);
}

/* Runs of spaces become one, controls that are no spaces go. */
static void clean(struct moses_line *line) {
    bool in_run = false;
    moses_line_turn(line);
    for (size_t i = 0; i < line->old_n; i++) {
        const bool space = slow_is_space(line->old[i].c);
        if (space && !in_run)
            moses_put(line, ' ', line->old[i].from);
        else if (!space && line->old[i].c >= 0x20)
            keep(line, i);
        in_run = space;
    }
    moses_strip(line);
}

/* Two periods and more: a word of letters, which no rule cuts, until the end. */
static size_t put_periods(struct moses_line *line, size_t at) {
    size_t end = at;
    moses_put(line, ' ', line->old[at].from);
    for (; end < line->old_n && line->old[end].c == '.'; end++)
        moses_puts(line, "DOT", line->old[end].from);
    moses_puts(line, "MULTI", line->old[end - 1].from);
    if (end < line->old_n)
        moses_put(line, ' ', line->old[end - 1].from);
    return end;
}

static bool stays_in_word(uint32_t c) {
    return c == ' ' || c == '.' || c == '\'' || c == '`' || c == ',' || c == '-' ||
           moses_is(c, MOSES_ALNUM);
}

static void symbols(struct moses_line *line, bool splits_dashes) {
    moses_line_turn(line);
    for (size_t i = 0; i < line->old_n;) {
        const struct glyph *glyph = &line->old[i];
        if (glyph->c == '.' && i + 1 < line->old_n && glyph[1].c == '.') {
            i = put_periods(line, i);
            continue;
        }
        const bool dash = splits_dashes && glyph->c == '-' && i > 0 &&
                          is_at(line, i - 1, MOSES_ALNUM) && is_at(line, i + 1, MOSES_ALNUM);
        if (dash) {
            moses_puts(line, " @-@ ", glyph->from);
        } else if (stays_in_word(glyph->c)) {
            keep(line, i);
        } else {
            moses_put(line, ' ', glyph->from);
            keep(line, i);
            moses_put(line, ' ', glyph->from);
        }
        i++;
    }
}

/* ---- commas -------------------------------------------------------------------------------- */

/* Apart, but between numbers. The second pass does not see a comma that it has just stepped over.
 */
static void commas(struct moses_line *line) {
    if (!moses_seen(line, ','))
        return;
    moses_line_turn(line);
    for (size_t i = 0; i < line->old_n; i++) {
        keep(line, i);
        if (i + 1 < line->old_n && line->old[i + 1].c == ',' && !is_at(line, i, MOSES_NUMBER))
            moses_puts(line, " , ", line->old[++i].from);
    }
    moses_line_turn(line);
    for (size_t i = 0; i < line->old_n; i++) {
        if (line->old[i].c == ',' && i + 1 < line->old_n && !is_at(line, i + 1, MOSES_NUMBER)) {
            moses_puts(line, " , ", line->old[i].from);
            i++;
        }
        keep(line, i);
    }
    if (line->n >= 2 && line->items[line->n - 1].c == ',' &&
        moses_is(line->items[line->n - 2].c, MOSES_NUMBER)) {
        const struct span from = line->items[--line->n].from;
        moses_puts(line, " , ", from);
    }
}

/* ---- apostrophes --------------------------------------------------------------------------- */

/* Which characters of a class may stand on a side of the apostrophe. */
struct side {
    unsigned properties;
    bool none_of;
};

struct apostrophe {
    struct side left, right;
    const char *becomes;
};

static bool is_side(uint32_t c, struct side side) {
    return moses_is(c, side.properties) != side.none_of;
}

static void apostrophes(struct moses_line *line, const struct apostrophe *rule) {
    moses_line_turn(line);
    for (size_t i = 0; i < line->old_n; i++) {
        const struct glyph *glyph = &line->old[i];
        keep(line, i);
        if (line->old_n - i < 3 || glyph[1].c != '\'' || !is_side(glyph->c, rule->left) ||
            !is_side(glyph[2].c, rule->right))
            continue;
        moses_puts(line, rule->becomes, glyph[1].from);
        keep(line, i + 2);
        i += 2;
    }
}

/* "'s" behind a number. */
static void apostrophe_s(struct moses_line *line) {
    moses_line_turn(line);
    for (size_t i = 0; i < line->old_n; i++) {
        keep(line, i);
        if (line->old_n - i < 3 || line->old[i + 1].c != '\'' || line->old[i + 2].c != 's' ||
            !is_at(line, i, MOSES_NUMBER))
            continue;
        moses_puts(line, " '", line->old[i + 1].from);
        keep(line, i + 2);
        i += 2;
    }
}

static void all_apostrophes(struct moses_line *line, enum moses_apostrophe kind) {
    static const struct side letter = {MOSES_LETTER, false}, no_letter = {MOSES_LETTER, true},
                             neither = {MOSES_LETTER | MOSES_NUMBER, true};
    const bool english = kind == MOSES_APOSTROPHE_EN;
    const struct apostrophe rows[] = {
        {no_letter, no_letter, " ' "},
        {english ? neither : no_letter, letter, " ' "},
        {letter, no_letter, " ' "},
        {letter, letter, english ? " '" : "' "},
    };
    if (!moses_seen(line, '\''))
        return;
    if (kind == MOSES_APOSTROPHE_APART) {
        moses_replace(line, "'", " ' ");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        apostrophes(line, &rows[i]);
    if (english)
        apostrophe_s(line);
}

/* ---- periods ------------------------------------------------------------------------------- */

enum prefix { PREFIX_NONE, PREFIX_ANYWHERE, PREFIX_BEFORE_NUMBERS };

static enum prefix find_prefix(const struct moses_rules *rules, const struct glyph *glyphs,
                               size_t n) {
    char name[PREFIX_MOST];
    size_t len = 0;
    if (n > PREFIX_MOST / 4)
        return PREFIX_NONE;
    for (size_t i = 0; i < n; i++)
        len += utf8_put(name + len, glyphs[i].c);
    const int32_t id = vocab_find(&rules->prefixes, name, len);
    return id < 0 ? PREFIX_NONE : id % 2 == 1 ? PREFIX_BEFORE_NUMBERS : PREFIX_ANYWHERE;
}

/* Periods and letters both in it. */
static bool is_dotted(const struct glyph *glyphs, size_t n) {
    bool dot = false, letter = false;
    for (size_t i = 0; i < n && !(dot && letter); i++) {
        dot = dot || glyphs[i].c == '.';
        letter = letter || moses_is(glyphs[i].c, MOSES_LETTER);
    }
    return dot && letter;
}

/* Whether the period at the end of a word of n characters and the period stays; `next` is the first
 * character of the word behind it, 0: there is none. */
static bool keeps_period(const struct moses_rules *rules, const struct glyph *glyphs, size_t n,
                         uint32_t next) {
    if (is_dotted(glyphs, n))
        return true;
    const enum prefix prefix = find_prefix(rules, glyphs, n);
    if (prefix == PREFIX_ANYWHERE || (next && moses_is(next, MOSES_LOWER)))
        return true;
    return prefix == PREFIX_BEFORE_NUMBERS && next >= '0' && next <= '9';
}

static size_t skip_spaces(const struct moses_line *line, size_t i) {
    while (i < line->old_n && line->old[i].c == ' ')
        i++;
    return i;
}

/* The words, one space between them, the period at the end of a word apart. */
static void periods(struct moses_line *line, const struct moses_rules *rules) {
    moses_line_turn(line);
    for (size_t i = skip_spaces(line, 0); i < line->old_n;) {
        size_t end = i;
        while (end < line->old_n && line->old[end].c != ' ')
            end++;
        const size_t next = skip_spaces(line, end), last = end - 1;
        const bool apart = last > i && line->old[last].c == '.' &&
                           !keeps_period(rules, &line->old[i], last - i,
                                         next < line->old_n ? line->old[next].c : 0);
        for (; i < last; i++)
            keep(line, i);
        if (apart)
            moses_put(line, ' ', line->old[last].from);
        keep(line, last);
        if (next < line->old_n)
            moses_put(line, ' ', line->old[end].from);
        i = next;
    }
}

/* A period and an apostrophe at the very end. */
static void last_apostrophe(struct moses_line *line) {
    if (line->n < 2 || line->items[line->n - 1].c != '\'' || line->items[line->n - 2].c != '.')
        return;
    const struct span dot = line->items[line->n - 2].from, quote = line->items[line->n - 1].from;
    line->n -= 2;
    moses_puts(line, " . ", dot);
    moses_puts(line, "' ", quote);
}

/* ---- the end ------------------------------------------------------------------------------- */

static bool reads(const struct moses_line *line, size_t at, const char *word) {
    size_t i = 0;
    while (word[i] && at + i < line->old_n && line->old[at + i].c == (unsigned char)word[i])
        i++;
    return word[i] == 0;
}

/* The word of letters is a row of periods again, whoever wrote it. */
static void restore_periods(struct moses_line *line) {
    if (!moses_seen(line, 'D') || !moses_seen(line, 'M'))
        return;
    moses_line_turn(line);
    for (size_t i = 0; i < line->old_n;) {
        size_t count = 0;
        while (reads(line, i + 3 * count, "DOT"))
            count++;
        const size_t end = i + 3 * count;
        const bool whole = count > 0 && reads(line, end, "MULTI");
        for (size_t k = 0; whole && k < count; k++) {
            const size_t last = k + 1 < count ? 2 : 7;
            moses_put(line, '.', moses_span(&line->old[i + 3 * k], &line->old[i + 3 * k + last]));
        }
        if (whole)
            i = end + 5;
        else
            for (const size_t stop = count > 0 ? end : i + 1; i < stop; i++)
                keep(line, i);
    }
}

static const char *entity(uint32_t c) {
    switch (c) {
    case '&':
        return "&amp;";
    case '|':
        return "&#124;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '\'':
        return "&apos;";
    case '"':
        return "&quot;";
    case '[':
        return "&#91;";
    case ']':
        return "&#93;";
    default:
        return NULL;
    }
}

static void escape(struct moses_line *line) {
    moses_line_turn(line);
    for (size_t i = 0; i < line->old_n; i++) {
        const char *name = entity(line->old[i].c);
        if (name)
            moses_puts(line, name, line->old[i].from);
        else
            keep(line, i);
    }
}

void moses_tokenize(struct moses_line *line, const struct moses_rules *rules) {
    clean(line);
    symbols(line, rules->splits_dashes);
    commas(line);
    all_apostrophes(line, rules->apostrophe);
    periods(line, rules);
    last_apostrophe(line);
    restore_periods(line);
    if (rules->escapes)
        escape(line);
}
