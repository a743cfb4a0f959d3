/* Reading a charsmap: the length of the double array in bytes, its units, then the texts, all in
 * little endian. */
#include "tokenizer/charsmap.h"

#include "base/banned.h"

static uint32_t little_endian(const uint8_t *bytes) {
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

bool charsmap_read(struct charsmap *map, struct arena *arena, const void *data, size_t len) {
    const uint8_t *bytes = data;
    const size_t n = len >= 4 ? little_endian(bytes) / 4 : 0;
    if (len < 4 || n > (len - 4) / 4)
        return false;
    uint32_t *units = arena_alloc(arena, (n + 1) * sizeof *units);
    for (size_t i = 0; i < n; i++)
        units[i] = little_endian(bytes + 4 + 4 * i);
    map->units = units;
    map->n_units = n;
    map->texts_len = len - 4 - 4 * n;
    map->texts = arena_strndup(arena, (const char *)bytes + 4 + 4 * n, map->texts_len);
    return true;
}

bool charsmap_is_place(const struct charsmap *map, size_t place) {
    return place <= map->texts_len &&
           (place == map->texts_len || ((uint8_t)map->texts[place] & 0xC0) != 0x80);
}
