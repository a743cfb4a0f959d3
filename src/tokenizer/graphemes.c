/* Extended grapheme clusters, by the rules of Unicode's annex 29 (GB3 to GB9c, GB11). The classes
 * of characters are the library's own version's, see tools/unicode-tables.py. */
#include "tokenizer/text.h"
#include "tokenizer/unicode.h"

#include "base/banned.h"

/* What the rules remember of the characters before. */
struct before {
    enum grapheme_class class;
    bool pictograph; /* GB11: a pictograph and what extends it */
    bool conjunct;   /* GB9c: a consonant and what may stand in a conjunct */
    bool linked;     /* with a linker among that */
};

static bool hangul_joins(enum grapheme_class before, enum grapheme_class after) {
    switch (before) {
    case GRAPHEME_L:
        return after == GRAPHEME_L || after == GRAPHEME_V || after == GRAPHEME_LV ||
               after == GRAPHEME_LVT;
    case GRAPHEME_V:
    case GRAPHEME_LV:
        return after == GRAPHEME_V || after == GRAPHEME_T;
    case GRAPHEME_T:
    case GRAPHEME_LVT:
        return after == GRAPHEME_T;
    default:
        return false;
    }
}

static bool extends(enum grapheme_class class) {
    return class == GRAPHEME_EXTEND || class == GRAPHEME_EXTEND_PLAIN || class == GRAPHEME_LINKER ||
           class == GRAPHEME_ZWJ;
}

static bool joins(const struct before *before, enum grapheme_class class) {
    if (before->class == GRAPHEME_CONTROL || class == GRAPHEME_CONTROL)
        return false;
    if (extends(class) || class == GRAPHEME_SPACING || before->class == GRAPHEME_PREPEND)
        return true;
    if (class == GRAPHEME_CONSONANT && before->linked)
        return true;
    if (class == GRAPHEME_PICT && before->pictograph && before->class == GRAPHEME_ZWJ)
        return true;
    return hangul_joins(before->class, class);
}

static void step(struct before *before, enum grapheme_class class) {
    const bool in_conjunct =
        class == GRAPHEME_EXTEND || class == GRAPHEME_LINKER || class == GRAPHEME_ZWJ;
    before->pictograph = class == GRAPHEME_PICT || (before->pictograph && extends(class));
    before->linked =
        before->conjunct && in_conjunct && (before->linked || class == GRAPHEME_LINKER);
    before->conjunct = class == GRAPHEME_CONSONANT || (before->conjunct && in_conjunct);
    before->class = class;
}

size_t unicode_grapheme_end(const char *data, size_t len, size_t pos) {
    struct before before = {0};
    size_t next = pos;
    if (data[pos] == '\r' && pos + 1 < len && data[pos + 1] == '\n')
        return pos + 2;
    step(&before, unicode_grapheme_class(text_next(data, len, &next)));
    for (;;) {
        pos = next;
        if (pos == len || ((unsigned char)data[pos] < 0x80 && before.class != GRAPHEME_PREPEND))
            return pos; /* nothing in ASCII joins what is before it, but behind a prepended one */
        const enum grapheme_class class = unicode_grapheme_class(text_next(data, len, &next));
        if (!joins(&before, class))
            return pos;
        step(&before, class);
    }
}
