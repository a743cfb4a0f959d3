/* Zip archives that hold their entries stored, as torch.save writes them: where each entry's bytes
 * stand in the file. Nothing is decompressed or copied. Private to this room. */
#ifndef BRISK_FORMATS_ZIP_H
#define BRISK_FORMATS_ZIP_H

#include "base/base.h"

struct zip_entry {
    const char *name; /* zero-terminated, whole path, in the arena */
    size_t name_len;
    uint64_t offset; /* of its header in the file */
    const uint8_t *data;
    size_t size;
};

struct zip {
    struct zip_entry *entries; /* sorted by name */
    size_t len;
    const char *first; /* name of the entry that the directory lists first; NULL: no entries */
};

/* True when the file starts as a zip archive does. */
bool zip_sniff(const uint8_t *data, size_t size);
/* Reads and checks the directory of data[size]: all entries inside the file, none over another,
 * no name twice. MODEL when damaged, compressed, encrypted or in several parts: names the entry. */
enum status zip_read(struct zip *zip, struct arena *arena, const uint8_t *data, size_t size,
                     struct error *err) MUST_CHECK;
/* NULL: absent. */
const struct zip_entry *zip_find(const struct zip *zip, const char *name, size_t len);

#endif
