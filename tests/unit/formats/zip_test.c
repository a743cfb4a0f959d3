/* Zip directories: what is stored is found where it stands; each field that can lie is a row.
 * Archives that torch wrote are in torch_test.c. */
#include "unit/formats/files.h"

#include "formats/zip.h"

/* Two entries, a directory, an end record; the parts' places are known, so that rows change them.
 */
struct archive {
    struct buf buf;
    size_t local[2], central[2], end;
};

static void put(struct buf *buf, uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        buf_putc(buf, i < 8 ? (char)(value >> (8 * i)) : 0);
}

static const struct {
    const char *name, *data;
} members[2] = {{"model/data.pkl", "pickle"}, {"model/data/0", "0123456789"}};

static void put_local(struct archive *archive, size_t i) {
    struct buf *buf = &archive->buf;
    const size_t name_len = strlen(members[i].name), size = strlen(members[i].data);
    archive->local[i] = buf->len;
    buf_puts(buf, "PK\3\4");
    put(buf, 20, 2);
    put(buf, 0, 2 + 2 + 4 + 4); /* flags, method, time and date, checksum */
    put(buf, size, 4);
    put(buf, size, 4);
    put(buf, name_len, 2);
    put(buf, 0, 2);
    buf_puts(buf, members[i].name);
    buf_puts(buf, members[i].data);
}

static void put_central(struct archive *archive, size_t i, bool zip64) {
    struct buf *buf = &archive->buf;
    const size_t name_len = strlen(members[i].name), size = strlen(members[i].data);
    archive->central[i] = buf->len;
    buf_puts(buf, "PK\1\2");
    put(buf, 0, 4 + 2 + 2 + 4 + 4); /* versions, flags, method, time and date, checksum */
    put(buf, zip64 ? UINT32_MAX : size, 4);
    put(buf, zip64 ? UINT32_MAX : size, 4);
    put(buf, name_len, 2);
    put(buf, zip64 ? 5 + 4 + 24 : 0, 2);
    put(buf, 0, 2 + 2 + 2 + 4); /* comment, disk, attributes */
    put(buf, zip64 ? UINT32_MAX : archive->local[i], 4);
    buf_puts(buf, members[i].name);
    if (!zip64)
        return;
    put(buf, 0x7777, 2); /* another program's field before it */
    put(buf, 1, 2);
    put(buf, 0, 1);
    put(buf, 1, 2);
    put(buf, 24, 2);
    put(buf, size, 8);
    put(buf, size, 8);
    put(buf, archive->local[i], 8);
}

static void archive_make(struct archive *archive, bool zip64) {
    struct buf *buf = &archive->buf;
    buf_init(buf, MiB);
    put_local(archive, 0);
    put_local(archive, 1);
    const size_t directory = buf->len;
    put_central(archive, 0, zip64);
    put_central(archive, 1, zip64);
    const size_t size = buf->len - directory, end64 = buf->len;
    if (zip64) {
        buf_puts(buf, "PK\6\6");
        put(buf, 44, 8);
        put(buf, 0, 2 + 2 + 4);
        put(buf, 0, 4);
        put(buf, 2, 8);
        put(buf, 2, 8);
        put(buf, size, 8);
        put(buf, directory, 8);
        buf_puts(buf, "PK\6\7");
        put(buf, 0, 4);
        put(buf, end64, 8);
        put(buf, 1, 4);
    }
    archive->end = buf->len;
    buf_puts(buf, "PK\5\6");
    put(buf, 0, 4);
    put(buf, zip64 ? UINT16_MAX : 2, 2);
    put(buf, zip64 ? UINT16_MAX : 2, 2);
    put(buf, zip64 ? UINT32_MAX : size, 4);
    put(buf, zip64 ? UINT32_MAX : directory, 4);
    put(buf, 0, 2);
}

static enum status read_copy(struct zip *zip, struct arena *arena, const struct buf *buf,
                             struct error *err) {
    return zip_read(zip, arena, arena_copy(arena, buf->data, buf->len), buf->len, err);
}

static void finds_what_is_stored(void **state) {
    for (int zip64 = 0; zip64 < 2; zip64++) {
        struct archive archive;
        struct arena arena = {0};
        struct zip zip = {0};
        struct error err = {0};
        archive_make(&archive, zip64);
        if (read_copy(&zip, &arena, &archive.buf, &err) != STATUS_OK)
            fail_msg("%s", err.text);
        assert_int_equal(zip.len, 2);
        assert_string_equal(zip.first, "model/data.pkl");
        for (size_t i = 0; i < 2; i++) {
            const struct zip_entry *entry =
                zip_find(&zip, members[i].name, strlen(members[i].name));
            assert_non_null(entry);
            assert_int_equal(entry->size, strlen(members[i].data));
            assert_memory_equal(entry->data, members[i].data, entry->size);
        }
        assert_null(zip_find(&zip, "model/data", 10));
        assert_null(zip_find(&zip, "model/data/01", 13));
        assert_null(zip_find(&zip, "", 0));
        arena_deinit(&arena);
        buf_deinit(&archive.buf);
    }
}

enum part { LOCAL_0, LOCAL_1, CENTRAL_0, CENTRAL_1, END };

/* clang-format off */
static const struct {
    const char *name;
    bool zip64;
    enum part part;
    size_t at, bytes;
    uint64_t value;
    const char *wanted;
} bad[] = {
    {"no end record", false, END, 0, 1, 'Q', "without the record that ends one: the download is incomplete"},
    {"a comment that is not there", false, END, 20, 2, 7, "without the record that ends one"},
    {"several disks", false, END, 4, 2, 1, "is a zip archive in several parts"},
    {"a directory on another disk", false, END, 6, 2, 3, "is a zip archive in several parts"},
    {"more entries than fit", false, END, 10, 2, 3, "promises 3 entries in a directory of 118 bytes"},
    {"an entry too many", false, END, 12, 4, 60, "promises 2 entries in a directory of 60 bytes"},
    {"a directory that is cut", false, END, 12, 4, 100, "its zip directory is damaged"},
    {"a directory beyond the end", false, END, 16, 4, 1 << 20, "its zip directory should stand at byte 1048576"},
    {"a directory elsewhere", false, END, 16, 4, 0, "its zip directory is damaged"},
    {"10^9 entries", true, END, (size_t)-44, 8, 1000000000, "promises 1000000000 entries, at most 131072 are read"},
    {"2^64 - 1 entries", true, END, (size_t)-44, 8, UINT64_MAX, "promises 18446744073709551615 entries"},
    {"a zip64 directory of 2^64 - 1 bytes", true, END, (size_t)-36, 8, UINT64_MAX, "its zip directory should stand at"},
    {"a zip64 directory at 2^64 - 1", true, END, (size_t)-28, 8, UINT64_MAX, "its zip directory should stand at byte 18446744073709551615"},
    {"a zip64 end record elsewhere", true, END, (size_t)-12, 8, 5, "its zip64 end record is not where it should be"},
    {"a zip64 end record beyond the end", true, END, (size_t)-12, 8, UINT64_MAX, "its zip64 end record is not where it should be"},
    {"zip64 disks", true, END, (size_t)-60, 4, 1, "is a zip archive in several parts"},
    {"a record without its mark", false, CENTRAL_1, 0, 1, 'Q', "its zip directory is damaged"},
    {"encrypted", false, CENTRAL_1, 8, 2, 1, "entry \"model/data/0\" is encrypted"},
    {"strongly encrypted", false, CENTRAL_1, 8, 2, 1 << 6, "entry \"model/data/0\" is encrypted"},
    {"deflated", false, CENTRAL_1, 10, 2, 8, "entry \"model/data/0\" is compressed (method 8), which torch.save never does: write the file anew in Python: torch.save(torch.load(FILE), FILE)"},
    {"two sizes", false, CENTRAL_1, 20, 4, 4000000000u, "entry \"model/data/0\" is stored but has two sizes"},
    {"larger than the file", false, CENTRAL_1, 24, 4, 11, "is stored but has two sizes"},
    {"a name longer than the directory", false, CENTRAL_1, 28, 2, 60000, "its zip directory is damaged"},
    {"a shorter name", false, CENTRAL_1, 28, 2, 11, "entry \"model/data/\" has another name in its own header"},
    {"an extra field longer than the directory", false, CENTRAL_1, 30, 2, 60000, "its zip directory is damaged"},
    {"another disk", false, CENTRAL_1, 34, 2, 1, "entry \"model/data/0\" stands in another part"},
    {"no header there", false, CENTRAL_1, 42, 4, 1, "entry \"model/data/0\" has no header at byte 1"},
    {"a header beyond the end", false, CENTRAL_1, 42, 4, UINT32_MAX - 1, "entry \"model/data/0\" has no header at byte 4294967294"},
    {"a header in the directory", false, CENTRAL_1, 42, 4, 102, "has no header at byte 102"},
    {"another entry's header", false, CENTRAL_1, 42, 4, 0, "entry \"model/data/0\" has another name in its own header"},
    {"a zero in a name", false, CENTRAL_1, 48, 1, 0, "its zip directory is damaged"},
    {"another name in the header", false, LOCAL_1, 30, 1, 'M', "has another name in its own header"},
    {"an extra field over the data", false, LOCAL_1, 28, 2, 60000, "entry \"model/data/0\" of 10 bytes reaches beyond the file's data"},
    {"data that begins later", false, LOCAL_0, 28, 2, 30, "entries \"model/data.pkl\" and \"model/data/0\" overlap"},
    {"a zip64 size of 2^64 - 1", true, CENTRAL_1, 46 + 12 + 9, 8, UINT64_MAX, "is stored but has two sizes"},
    {"a zip64 header at 2^64 - 1", true, CENTRAL_1, 46 + 12 + 25, 8, UINT64_MAX, "has no header at byte 18446744073709551615"},
    {"a zip64 field that is too short", true, CENTRAL_1, 46 + 12 + 7, 2, 20, "its zip directory is damaged"},
};
/* clang-format on */

static void says_what_is_wrong(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct archive archive;
        struct arena arena = {0};
        struct zip zip = {0};
        struct error err = {0};
        archive_make(&archive, bad[i].zip64);
        const size_t parts[] = {archive.local[0], archive.local[1], archive.central[0],
                                archive.central[1], archive.end};
        for (size_t n = 0; n < bad[i].bytes; n++)
            archive.buf.data[parts[bad[i].part] + bad[i].at + n] = (char)(bad[i].value >> (8 * n));
        const enum status status = read_copy(&zip, &arena, &archive.buf, &err);
        assert_refused(status, &err, bad[i].name, bad[i].wanted);
        assert_int_equal(err.code, ERROR_MODEL);
        assert_null(zip.entries);
        arena_deinit(&arena);
        buf_deinit(&archive.buf);
    }
}

/* Both sizes of an entry lie together: it reaches into what stands behind it. */
static void entries_do_not_overlap(void **state) {
    struct archive archive;
    struct arena arena = {0};
    struct zip zip = {0};
    struct error err = {0};
    archive_make(&archive, false);
    archive.buf.data[archive.central[0] + 20] = archive.buf.data[archive.central[0] + 24] = 7;
    enum status status = read_copy(&zip, &arena, &archive.buf, &err);
    assert_refused(status, &err, "overlap", "\"model/data.pkl\" and \"model/data/0\" overlap");
    archive.buf.data[archive.central[0] + 20] = archive.buf.data[archive.central[0] + 24] = 6;
    archive.buf.data[archive.central[1] + 20] = archive.buf.data[archive.central[1] + 24] = 11;
    status = read_copy(&zip, &arena, &archive.buf, &err);
    assert_refused(status, &err, "into the directory", "\"model/data/0\" of 11 bytes reaches");
    arena_deinit(&arena);
    buf_deinit(&archive.buf);
}

static void no_name_stands_twice(void **state) {
    struct archive archive;
    struct arena arena = {0};
    struct zip zip = {0};
    struct error err = {0};
    buf_init(&archive.buf, MiB);
    put_local(&archive, 0);
    const size_t first = archive.local[0];
    put_local(&archive, 0);
    const size_t second = archive.local[0], directory = archive.buf.len;
    archive.local[0] = first;
    put_central(&archive, 0, false);
    archive.local[0] = second;
    put_central(&archive, 0, false);
    const size_t size = archive.buf.len - directory;
    buf_puts(&archive.buf, "PK\5\6");
    put(&archive.buf, 0, 4);
    put(&archive.buf, 2, 2);
    put(&archive.buf, 2, 2);
    put(&archive.buf, size, 4);
    put(&archive.buf, directory, 4);
    put(&archive.buf, 0, 2);
    const enum status status = read_copy(&zip, &arena, &archive.buf, &err);
    assert_refused(status, &err, "twice", "entry \"model/data.pkl\" stands twice");
    arena_deinit(&arena);
    buf_deinit(&archive.buf);
}

static void takes_an_archive_without_entries(void **state) {
    static const char empty[] = "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    struct arena arena = {0};
    struct zip zip = {0};
    struct error err = {0};
    assert_true(zip_sniff((const uint8_t *)empty, 22));
    assert_int_equal(zip_read(&zip, &arena, (const uint8_t *)empty, 22, &err), STATUS_OK);
    assert_int_equal(zip.len, 0);
    assert_null(zip.first);
    assert_null(zip_find(&zip, "x", 1));
    arena_deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_is_stored),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(entries_do_not_overlap),
        cmocka_unit_test(no_name_stands_twice),
        cmocka_unit_test(takes_an_archive_without_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
