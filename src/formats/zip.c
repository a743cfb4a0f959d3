/* Zip archives, read from their central directory, as PKWARE's APPNOTE describes them:
 *
 *     local header, name, extra, data  (an entry; torch aligns data to 64 bytes by its extra field)
 *     ...
 *     central directory: per entry a record with its sizes and the offset of its local header
 *     zip64 end record, zip64 locator  (torch always writes them)
 *     end record: how many entries, where the directory stands
 *
 * Sizes are taken from the directory: local headers of a stream have zeros there. Checksums are not
 * computed; torch can be told not to write them. Directories, comments and dates are ignored. */
#include "formats/zip.h"
#include "formats/advice.h"
#include "formats/bytes.h"

enum {
    END_SIZE = 22,       /* the end record without its comment */
    END_COMMENT = 65535, /* the longest comment */
    LOCATOR_SIZE = 20,
    END64_SIZE = 56,
    CENTRAL_SIZE = 46, /* a directory record without name, extra and comment */
    LOCAL_SIZE = 30,   /* a local header without name and extra */
    EXTRA_ZIP64 = 1,
    FLAGS_ENCRYPTED = 1 | 1 << 6 | 1 << 13,
};

/* Where the directory stands. */
struct directory {
    uint64_t count, offset, size;
    uint64_t end; /* it must end before this offset */
};

static bool has_mark(const uint8_t *at, const char *mark) {
    return memcmp(at, mark, 4) == 0;
}

bool zip_sniff(const uint8_t *data, size_t size) {
    return size >= 4 && (has_mark(data, "PK\3\4") || has_mark(data, "PK\5\6"));
}

/* The end record, or NULL: from the back, where its comment reaches to the end of the file. */
static const uint8_t *find_end(const uint8_t *data, size_t size) {
    if (size < END_SIZE)
        return NULL;
    const size_t last = size - END_SIZE;
    for (size_t comment = 0; comment <= END_COMMENT && comment <= last; comment++) {
        const uint8_t *at = data + last - comment;
        if (has_mark(at, "PK\5\6") && bytes_little(at + 20, 2) == comment)
            return at;
    }
    return NULL;
}

/* Takes the zip64 end record's figures when its locator stands before the end record. */
static enum status read_zip64(struct directory *directory, const uint8_t *data, size_t end,
                              struct error *err) {
    if (end < LOCATOR_SIZE || !has_mark(data + end - LOCATOR_SIZE, "PK\6\7"))
        return STATUS_OK;
    const uint64_t offset = bytes_little(data + end - LOCATOR_SIZE + 8, 8);
    if (end < LOCATOR_SIZE + END64_SIZE || offset > end - LOCATOR_SIZE - END64_SIZE ||
        !has_mark(data + offset, "PK\6\6"))
        return ERR(err, MODEL,
                   "its zip64 end record is not where it should be: the file is "
                   "damaged; " DOWNLOAD);
    const uint8_t *record = data + offset;
    *directory = (struct directory){
        .count = bytes_little(record + 32, 8),
        .size = bytes_little(record + 40, 8),
        .offset = bytes_little(record + 48, 8),
        .end = offset,
    };
    if (bytes_little(record + 16, 4) != 0 || bytes_little(record + 20, 4) != 0)
        return ERR(err, MODEL, "is a zip archive in several parts: save the model as one file");
    return STATUS_OK;
}

static enum status find_directory(struct directory *directory, const uint8_t *data, size_t size,
                                  struct error *err) {
    const uint8_t *end = find_end(data, size);
    if (end == NULL)
        return ERR(err, MODEL,
                   "is %zu bytes of a zip archive without the record that ends one: the download "
                   "is incomplete; " DOWNLOAD,
                   size);
    *directory = (struct directory){
        .count = bytes_little(end + 10, 2),
        .size = bytes_little(end + 12, 4),
        .offset = bytes_little(end + 16, 4),
        .end = (uint64_t)(end - data),
    };
    const uint64_t disk = bytes_little(end + 4, 2), first_disk = bytes_little(end + 6, 2);
    if ((disk != 0 && disk != UINT16_MAX) || (first_disk != 0 && first_disk != UINT16_MAX))
        return ERR(err, MODEL, "is a zip archive in several parts: save the model as one file");
    if (read_zip64(directory, data, (size_t)directory->end, err) != STATUS_OK)
        return STATUS_ERROR;
    if (directory->offset > directory->end || directory->size > directory->end - directory->offset)
        return ERR(err, MODEL,
                   "its zip directory should stand at byte %llu, beyond its end: the file is "
                   "damaged or incomplete; " DOWNLOAD,
                   (unsigned long long)directory->offset);
    if (directory->count > LIMIT_ZIP_ENTRIES)
        return ERR(err, MODEL, "promises %llu entries, at most %d are read",
                   (unsigned long long)directory->count, LIMIT_ZIP_ENTRIES);
    if (directory->count > directory->size / CENTRAL_SIZE)
        return ERR(err, MODEL,
                   "promises %llu entries in a directory of %llu bytes: the file is "
                   "damaged; " DOWNLOAD,
                   (unsigned long long)directory->count, (unsigned long long)directory->size);
    return STATUS_OK;
}

/* A directory record: its figures, those of the zip64 extra field included. */
struct record {
    uint64_t flags, method, packed, size, disk, offset;
};

/* Replaces the figures that did not fit their 32 bits; the extra field holds them in this order. */
static bool read_extra(struct record *record, const uint8_t *extra, size_t len) {
    struct {
        uint64_t *value, full;
        size_t bytes;
    } fields[] = {{&record->size, UINT32_MAX, 8},
                  {&record->packed, UINT32_MAX, 8},
                  {&record->offset, UINT32_MAX, 8},
                  {&record->disk, UINT16_MAX, 4}};
    for (size_t at = 0; len - at >= 4;) {
        const size_t kind = bytes_little(extra + at, 2), size = bytes_little(extra + at + 2, 2);
        at += 4;
        if (size > len - at)
            break;
        for (size_t i = 0, from = at; kind == EXTRA_ZIP64 && i < ARRAY_LEN(fields); i++) {
            if (*fields[i].value != fields[i].full)
                continue;
            if (fields[i].bytes > at + size - from)
                return false;
            *fields[i].value = bytes_little(extra + from, fields[i].bytes);
            from += fields[i].bytes;
        }
        at += size;
    }
    return true;
}

static enum status check_record(const struct record *record, const char *name, struct error *err) {
    if ((record->flags & FLAGS_ENCRYPTED) != 0)
        return ERR(err, MODEL, "entry \"%.100s\" is encrypted: save the model without a password",
                   name);
    if (record->method != 0)
        return ERR(err, MODEL,
                   "entry \"%.100s\" is compressed (method %llu), which torch.save never does: "
                   "write the file "
                   "anew in Python: torch.save(torch.load(FILE), FILE)",
                   name, (unsigned long long)record->method);
    if (record->disk != 0)
        return ERR(err, MODEL,
                   "entry \"%.100s\" stands in another part of the archive: save the "
                   "model as one file",
                   name);
    if (record->packed != record->size)
        return ERR(err, MODEL,
                   "entry \"%.100s\" is stored but has two sizes: the file is "
                   "damaged; " DOWNLOAD,
                   name);
    return STATUS_OK;
}

/* Finds the data behind the local header, which must repeat the name. Entries end before `limit`,
 * where the directory starts. */
static enum status locate_data(struct zip_entry *entry, const uint8_t *data, uint64_t limit,
                               uint64_t size, struct error *err) {
    if (limit < LOCAL_SIZE || entry->offset > limit - LOCAL_SIZE ||
        !has_mark(data + entry->offset, "PK\3\4"))
        return ERR(err, MODEL,
                   "entry \"%.100s\" has no header at byte %llu: the file is damaged; " DOWNLOAD,
                   entry->name, (unsigned long long)entry->offset);
    const uint8_t *header = data + entry->offset;
    const uint64_t name_len = bytes_little(header + 26, 2);
    const uint64_t begin = entry->offset + LOCAL_SIZE + name_len + bytes_little(header + 28, 2);
    if (begin > limit || size > limit - begin)
        return ERR(err, MODEL,
                   "entry \"%.100s\" of %llu bytes reaches beyond the file's data: the file is "
                   "damaged; " DOWNLOAD,
                   entry->name, (unsigned long long)size);
    if (name_len != entry->name_len || memcmp(header + LOCAL_SIZE, entry->name, name_len) != 0)
        return ERR(err, MODEL,
                   "entry \"%.100s\" has another name in its own header: the file is "
                   "damaged; " DOWNLOAD,
                   entry->name);
    entry->data = data + begin;
    entry->size = (size_t)size;
    return STATUS_OK;
}

/* Reads the record at `at`, of which `room` bytes are there, into *entry; *len is its length. */
static enum status read_entry(struct zip_entry *entry, struct arena *arena, const uint8_t *data,
                              uint64_t limit, const uint8_t *at, size_t room, size_t *len,
                              struct error *err) {
    if (room < CENTRAL_SIZE || !has_mark(at, "PK\1\2"))
        return ERR(err, MODEL, "its zip directory is damaged; " DOWNLOAD);
    const size_t name_len = bytes_little(at + 28, 2), extra_len = bytes_little(at + 30, 2);
    *len = CENTRAL_SIZE + name_len + extra_len + bytes_little(at + 32, 2);
    if (*len > room)
        return ERR(err, MODEL, "its zip directory is damaged; " DOWNLOAD);
    struct record record = {
        .flags = bytes_little(at + 8, 2),
        .method = bytes_little(at + 10, 2),
        .packed = bytes_little(at + 20, 4),
        .size = bytes_little(at + 24, 4),
        .disk = bytes_little(at + 34, 2),
        .offset = bytes_little(at + 42, 4),
    };
    const char *name = (const char *)at + CENTRAL_SIZE;
    if (memchr(name, 0, name_len) != NULL ||
        !read_extra(&record, at + CENTRAL_SIZE + name_len, extra_len))
        return ERR(err, MODEL, "its zip directory is damaged; " DOWNLOAD);
    *entry = (struct zip_entry){
        .name = arena_strndup(arena, name, name_len),
        .name_len = name_len,
        .offset = record.offset,
    };
    if (check_record(&record, entry->name, err) != STATUS_OK)
        return STATUS_ERROR;
    return locate_data(entry, data, limit, record.size, err);
}

static int compare_offsets(const void *a, const void *b) {
    const uint64_t x = ((const struct zip_entry *)a)->offset;
    const uint64_t y = ((const struct zip_entry *)b)->offset;
    return (x > y) - (x < y);
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const struct zip_entry *)a)->name, ((const struct zip_entry *)b)->name);
}

/* No entry's bytes belong to another too, and no name stands twice. Leaves them sorted by name. */
static enum status check_entries(struct zip *zip, const uint8_t *data, struct error *err) {
    qsort(zip->entries, zip->len, sizeof *zip->entries, compare_offsets);
    for (size_t i = 1; i < zip->len; i++) {
        const struct zip_entry *a = &zip->entries[i - 1], *b = &zip->entries[i];
        if ((uint64_t)(a->data - data) + a->size > b->offset)
            return ERR(err, MODEL,
                       "entries \"%.100s\" and \"%.100s\" overlap: the file is damaged; " DOWNLOAD,
                       a->name, b->name);
    }
    qsort(zip->entries, zip->len, sizeof *zip->entries, compare_names);
    for (size_t i = 1; i < zip->len; i++) {
        if (strcmp(zip->entries[i - 1].name, zip->entries[i].name) == 0)
            return ERR(err, MODEL, "entry \"%.100s\" stands twice: the file is damaged; " DOWNLOAD,
                       zip->entries[i].name);
    }
    return STATUS_OK;
}

enum status zip_read(struct zip *zip, struct arena *arena, const uint8_t *data, size_t size,
                     struct error *err) {
    struct directory directory;
    if (find_directory(&directory, data, size, err) != STATUS_OK)
        return STATUS_ERROR;
    struct zip made = {.entries = arena_zalloc(arena, directory.count, sizeof *made.entries),
                       .len = (size_t)directory.count};
    const uint8_t *at = data + directory.offset;
    size_t room = (size_t)directory.size;
    for (size_t i = 0; i < made.len; i++) {
        size_t len = 0;
        if (read_entry(&made.entries[i], arena, data, directory.offset, at, room, &len, err) !=
            STATUS_OK)
            return STATUS_ERROR;
        at += len;
        room -= len;
    }
    if (made.len > 0)
        made.first = made.entries[0].name;
    if (check_entries(&made, data, err) != STATUS_OK)
        return STATUS_ERROR;
    *zip = made;
    return STATUS_OK;
}

const struct zip_entry *zip_find(const struct zip *zip, const char *name, size_t len) {
    for (size_t low = 0, high = zip->len; low < high;) {
        const size_t middle = low + (high - low) / 2;
        const struct zip_entry *entry = &zip->entries[middle];
        const size_t shared = len < entry->name_len ? len : entry->name_len;
        int order = memcmp(name, entry->name, shared);
        if (order == 0)
            order = (len > entry->name_len) - (len < entry->name_len);
        if (order == 0)
            return entry;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
