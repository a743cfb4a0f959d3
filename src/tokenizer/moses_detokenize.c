/* The Moses detokenizer: words put together again, entities read, punctuation drawn to the word it
 * belongs to. Whether a quote opens or closes is told by how many came before. */
#include "tokenizer/moses.h"

#include "tokenizer/moses_tables.h"
#include "tokenizer/slow.h"
#include "base/banned.h"

/* ---- words --------------------------------------------------------------------------------- */

struct word {
    const char *data; /* NULL: there is none */
    size_t len;       /* at least a character */
};

static uint32_t first_of(const struct word *word) {
    size_t pos = 0;
    return text_next(word->data, word->len, &pos);
}

/* The last character of the first `len` bytes, and where it starts. */
static uint32_t last_of(const struct word *word, size_t len, size_t *start) {
    size_t at = len - 1;
    while (at > 0 && ((uint8_t)word->data[at] & 0xC0) == 0x80)
        at--;
    *start = at;
    return text_next(word->data, len, &at);
}

static bool all_of(const struct word *word, bool (*test)(uint32_t)) {
    for (size_t pos = 0; pos < word->len;)
        if (!test(text_next(word->data, word->len, &pos)))
            return false;
    return true;
}

/* ---- classes of characters ----------------------------------------------------------------- */

static bool is_cjk(uint32_t c) {
    static const uint32_t blocks[][2] = {
        {0x1100, 0x11FF},   {0x2E80, 0xA4CF},   {0xA840, 0xA87F},   {0xAC00, 0xD7AF},
        {0xF900, 0xFAFF},   {0xFE30, 0xFE4F},   {0xFF65, 0xFFDC},   {0x17000, 0x18AFF},
        {0x1B000, 0x1B12F}, {0x1B170, 0x1B2FF}, {0x20000, 0x2FFFF},
    };
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
        if (c <= blocks[i][1])
            return c >= blocks[i][0];
    return false;
}

static bool is_alpha(uint32_t c) {
    return moses_is(c, MOSES_ALPHA);
}

/* Drawn to the right. */
static bool opens(uint32_t c) {
    return c == '(' || c == '[' || c == '{' || c == 0xBF || c == 0xA1 ||
           moses_is(c, MOSES_CURRENCY);
}

static bool is_ascii_of(uint32_t c, const char *characters) {
    return c > 0 && c < 0x80 && strchr(characters, (int)c);
}

/* Drawn to the left. */
static bool closes(uint32_t c) {
    return is_ascii_of(c, ",.?!:;\\%}])");
}

static bool is_quote(uint32_t c) {
    return is_ascii_of(c, "'\"`") || c == 0x201E || c == 0x201C;
}

static bool is_typographic(uint32_t c) {
    return c == 0x201E || c == 0x201C;
}

/* ---- joining ------------------------------------------------------------------------------- */

struct moses_joiner {
    struct buf text;     /* of a word that may go on */
    struct buf glued;    /* the word that "@-@" may go on with */
    struct buf held;     /* with draws_right: the word that waits for the next one */
    struct buf before;   /* the word in front of it */
    struct vocab quotes; /* rows of quotes that came, and whether each is open */
    bool *open;          /* [quotes.size] */
    size_t open_cap;
    bool english, french, draws_right, korean; /* draws_right: "l' eau" is one word */
    bool gap;                                  /* a space in front of the next word */
    bool started;                              /* there was a word */
    bool glues;                                /* the last word was "@-@" */
};

static struct word word_in(const struct buf *buf) {
    return buf->len > 0 ? (struct word){buf->data, buf->len} : (struct word){0};
}

static void put(struct moses_joiner *joiner, const struct word *word, bool space, bool gap,
                struct buf *out) {
    if (space && joiner->started)
        buf_putc(out, ' ');
    buf_append(out, word->data, word->len);
    joiner->gap = gap;
    joiner->started = true;
}

static bool *open_flag(struct moses_joiner *joiner, const struct word *word) {
    const struct word plain = {"\"", 1};
    const struct word *name = all_of(word, is_typographic) ? &plain : word;
    int32_t id = vocab_find(&joiner->quotes, name->data, name->len);
    if (id < 0) {
        id = joiner->quotes.size < LIMIT_VOCAB_SIZE ? (int32_t)joiner->quotes.size : 0;
        vocab_put(&joiner->quotes, name->data, name->len, (uint32_t)id);
        joiner->open =
            mem_grow(joiner->open, &joiner->open_cap, (size_t)id + 1, sizeof *joiner->open);
        joiner->open[id] = false;
    }
    return &joiner->open[id];
}

/* "the Jones' house": no quote opens there. */
static bool is_possessive(const struct moses_joiner *joiner, const struct word *word,
                          const struct word *before) {
    return joiner->english && word->len == 1 && word->data[0] == '\'' && before->data &&
           before->data[before->len - 1] == 's';
}

static void put_quote(struct moses_joiner *joiner, const struct word *word,
                      const struct word *before, struct buf *out) {
    bool *open = open_flag(joiner, word);
    if (!*open && is_possessive(joiner, word, before)) {
        put(joiner, word, false, true, out);
        return;
    }
    put(joiner, word, !*open && joiner->gap, *open, out);
    *open = !*open;
}

static void put_cjk(struct moses_joiner *joiner, const struct word *word, const struct word *before,
                    struct buf *out) {
    size_t at;
    const bool follows = before->data && is_cjk(last_of(before, before->len, &at));
    put(joiner, word, !follows && joiner->gap, true, out);
}

/* "'s", which English draws to the left. */
static bool is_ending(const struct word *word) {
    const struct word rest = {word->data + 1, word->len - 1};
    return word->data[0] == '\'' && rest.len > 0 && is_alpha(first_of(&rest));
}

/* "l'", which French draws to the right. */
static bool is_beginning(const struct word *word) {
    size_t at;
    return word->len > 1 && word->data[word->len - 1] == '\'' &&
           is_alpha(last_of(word, word->len - 1, &at));
}

static void put_word(struct moses_joiner *joiner, const struct word *word,
                     const struct word *before, const struct word *behind, struct buf *out) {
    if (!joiner->korean && is_cjk(first_of(word))) {
        put_cjk(joiner, word, before, out);
    } else if (all_of(word, opens)) {
        put(joiner, word, joiner->gap, false, out);
    } else if (all_of(word, closes)) {
        const bool apart = joiner->french && word->len == 1 && strchr("?!:;\\%", word->data[0]);
        put(joiner, word, apart, true, out);
    } else if (joiner->english && before->data && is_ending(word)) {
        put(joiner, word, false, true, out);
    } else if (joiner->draws_right && behind->data && is_beginning(word) &&
               is_alpha(first_of(behind))) {
        put(joiner, word, joiner->gap, false, out);
    } else if (all_of(word, is_quote)) {
        put_quote(joiner, word, before, out);
    } else {
        put(joiner, word, joiner->gap, true, out);
    }
}

/* ---- from text to words -------------------------------------------------------------------- */

static void unescape(const struct buf *text, struct buf *out) {
    static const struct {
        const char *name;
        char c;
    } rows[] = {{"&amp;", '&'},   {"&lt;", '<'},   {"&gt;", '>'},  {"&quot;", '"'},
                {"&apos;", '\''}, {"&#124;", '|'}, {"&#91;", '['}, {"&#93;", ']'},
                {"&bar;", '|'},   {"&bra;", '['},  {"&ket;", ']'}};
    for (size_t pos = 0; pos < text->len;) {
        size_t len = 0;
        char c = text->data[pos];
        for (size_t i = 0; text->data[pos] == '&' && i < ARRAY_LEN(rows) && len == 0; i++) {
            const size_t n = strlen(rows[i].name);
            if (n <= text->len - pos && memcmp(text->data + pos, rows[i].name, n) == 0) {
                len = n;
                c = rows[i].c;
            }
        }
        buf_putc(out, c);
        pos += len > 0 ? len : 1;
    }
}

static void move(struct buf *to, struct buf *from) {
    buf_reset(to);
    buf_append(to, from->data, from->len);
    buf_reset(from);
}

/* The word that waited, now that the one behind it is known. */
static void put_held(struct moses_joiner *joiner, const struct word *behind, struct buf *out) {
    const struct word word = word_in(&joiner->held), before = word_in(&joiner->before);
    if (!word.data)
        return;
    put_word(joiner, &word, &before, behind, out);
    move(&joiner->before, &joiner->held);
}

/* The glued word is whole. */
static void end_glued(struct moses_joiner *joiner, struct buf *out) {
    static const struct word none = {0};
    if (joiner->glued.len == 0)
        return;
    struct buf word;
    buf_init(&word, LIMIT_TEXT);
    unescape(&joiner->glued, &word);
    buf_reset(&joiner->glued);
    const struct word behind = word_in(&word);
    put_held(joiner, &behind, out);
    move(&joiner->held, &word);
    if (!joiner->draws_right)
        put_held(joiner, &none, out);
    buf_deinit(&word);
}

/* "a @-@ b" is one word; the space between two "@-@" is the first one's. */
static void glue(struct moses_joiner *joiner, const char *data, size_t len, struct buf *out) {
    if (len == 3 && memcmp(data, "@-@", 3) == 0 && !joiner->glues) {
        buf_putc(&joiner->glued, '-');
        joiner->glues = true;
        return;
    }
    if (!joiner->glues)
        end_glued(joiner, out);
    buf_append(&joiner->glued, data, len);
    joiner->glues = false;
}

static void end_word(struct moses_joiner *joiner, struct buf *out) {
    if (joiner->text.len == 0)
        return;
    glue(joiner, joiner->text.data, joiner->text.len, out);
    buf_reset(&joiner->text);
}

/* ---- public -------------------------------------------------------------------------------- */

struct moses_joiner *moses_joiner_create(const char *language) {
    struct moses_joiner *joiner = mem_zalloc(1, sizeof *joiner);
    joiner->english = strcmp(language, "en") == 0;
    joiner->french = strcmp(language, "fr") == 0;
    joiner->draws_right =
        joiner->french || strcmp(language, "it") == 0 || strcmp(language, "ga") == 0;
    joiner->korean = strcmp(language, "ko") == 0;
    joiner->gap = true;
    buf_init(&joiner->text, LIMIT_TEXT);
    buf_init(&joiner->glued, LIMIT_TEXT);
    buf_init(&joiner->held, LIMIT_TEXT);
    buf_init(&joiner->before, LIMIT_TEXT);
    vocab_init(&joiner->quotes);
    return joiner;
}

void moses_joiner_destroy(struct moses_joiner *joiner) {
    if (!joiner)
        return;
    vocab_deinit(&joiner->quotes);
    mem_free(joiner->open);
    buf_deinit(&joiner->before);
    buf_deinit(&joiner->held);
    buf_deinit(&joiner->glued);
    buf_deinit(&joiner->text);
    mem_free(joiner);
}

void moses_joiner_push(struct moses_joiner *joiner, const char *data, size_t len, struct buf *out) {
    size_t start = 0;
    for (size_t pos = 0; pos < len;) {
        const size_t at = pos;
        if (!slow_is_space(text_next(data, len, &pos)))
            continue;
        buf_append(&joiner->text, data + start, at - start);
        end_word(joiner, out);
        start = pos;
    }
    buf_append(&joiner->text, data + start, len - start);
}

void moses_joiner_finish(struct moses_joiner *joiner, struct buf *out) {
    static const struct word none = {0};
    end_word(joiner, out);
    end_glued(joiner, out);
    put_held(joiner, &none, out);
}
