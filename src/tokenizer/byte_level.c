/* The byte-level alphabet of GPT-2's encoder: bytes that print stand for themselves, the others
 * for U+0100 and up, in order. */
#include "tokenizer/pipeline.h"

#include "base/banned.h"

static bool prints(unsigned byte) {
    return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

/* The bytes that do not print: 0..32, 127..160, 173, as U+0100 + their number in this list. */
uint32_t byte_level_char(uint8_t byte) {
    if (prints(byte))
        return byte;
    if (byte <= 32)
        return 0x100u + byte;
    if (byte <= 160)
        return 0x100u + 33 + (byte - 127u);
    return 0x100u + 67;
}

int byte_level_byte(uint32_t code_point) {
    if (code_point < 0x100)
        return prints(code_point) ? (int)code_point : -1;
    const uint32_t i = code_point - 0x100;
    if (i < 33)
        return (int)i;
    if (i < 67)
        return (int)(i - 33 + 127);
    return i == 67 ? 173 : -1;
}

void byte_level_map(struct text *text, struct arena *scratch) {
    struct writer writer = writer_begin(scratch, 2 * text->len);
    for (size_t pos = 0; pos < text->len;) {
        size_t next = pos;
        text_next(text->data, text->len, &next);
        const struct span from = text_from(text, pos, next);
        for (; pos < next; pos++)
            writer_put(&writer, byte_level_char((uint8_t)text->data[pos]), from);
    }
    writer_end(&writer, text);
}

bool byte_level_repeats(struct text *text, struct arena *scratch) {
    if (!text->from || text->len == 0 || text->from[0].start != text->from[text->len - 1].end)
        return false;
    struct text mapped = *text;
    byte_level_map(&mapped, scratch);
    struct writer writer = writer_begin(scratch, mapped.len + text->len);
    writer_copy(&writer, &mapped, 0, mapped.len);
    writer_copy(&writer, text, 0, text->len);
    writer_end(&writer, text);
    return true;
}
