/* Python's str.lower. Unicode's Final_Sigma needs two derived properties, Cased and
 * Case_Ignorable, which are put together of general categories here and the few rest by name. */
#include "tokenizer/python_lower.h"

#include "tokenizer/unicode.h"
#include "base/banned.h"

#define CAPITAL_SIGMA 0x3A3
#define FINAL_SIGMA   0x3C2

/* Other_Lowercase and Other_Uppercase: from, to. */
static const uint32_t other_cased[][2] = {
    {0xAA, 0xAA},       {0xBA, 0xBA},       {0x2B0, 0x2B8},     {0x2C0, 0x2C1},
    {0x2E0, 0x2E4},     {0x345, 0x345},     {0x37A, 0x37A},     {0x1D2C, 0x1D6A},
    {0x1D78, 0x1D78},   {0x1D9B, 0x1DBF},   {0x2071, 0x2071},   {0x207F, 0x207F},
    {0x2090, 0x209C},   {0x2160, 0x217F},   {0x24B6, 0x24E9},   {0x2C7C, 0x2C7D},
    {0xA69C, 0xA69D},   {0xA770, 0xA770},   {0xA7F8, 0xA7F9},   {0xAB5C, 0xAB5F},
    {0x10780, 0x10780}, {0x10783, 0x10785}, {0x10787, 0x107B0}, {0x107B2, 0x107BA},
    {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189},
};

/* Marks in words that are neither letters nor modifiers. */
static const uint32_t ignorable[] = {0x27,   0x2E,   0x3A,   0xB7,   0x387,  0x55F,
                                     0x5F4,  0x2018, 0x2019, 0x2024, 0x2027, 0xFE13,
                                     0xFE52, 0xFE55, 0xFF07, 0xFF0E, 0xFF1A};

static bool is_cased(uint32_t c) {
    if (unicode_category(c) <= CATEGORY_LT)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(other_cased); i++)
        if (c >= other_cased[i][0] && c <= other_cased[i][1])
            return true;
    return false;
}

static bool is_ignorable(uint32_t c) {
    const enum unicode_category category = unicode_category(c);
    for (size_t i = 0; i < ARRAY_LEN(ignorable); i++)
        if (ignorable[i] == c)
            return true;
    return category == CATEGORY_LM || category == CATEGORY_MN || category == CATEGORY_ME ||
           category == CATEGORY_CF || category == CATEGORY_SK;
}

static bool cased_follows(const struct text *text, size_t pos) {
    while (pos < text->len) {
        const uint32_t c = text_next(text->data, text->len, &pos);
        if (!is_ignorable(c))
            return is_cased(c);
    }
    return false;
}

void python_lower(struct text *text, struct arena *scratch) {
    struct writer writer = writer_begin(scratch, text->len + 8);
    bool in_word = false; /* the last character that counts is cased */
    for (size_t pos = 0; pos < text->len;) {
        size_t next = pos;
        const uint32_t c = text_next(text->data, text->len, &next);
        const struct span from = text_from(text, pos, next);
        if (c == CAPITAL_SIGMA && in_word && !cased_follows(text, next))
            writer_put(&writer, FINAL_SIGMA, from);
        else
            writer_put_lower(&writer, c, from);
        if (!is_ignorable(c))
            in_word = is_cased(c);
        pos = next;
    }
    writer_end(&writer, text);
}
