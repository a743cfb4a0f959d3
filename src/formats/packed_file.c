/* One packed file: layout, checking, writing. Checking reads the file with pread rather than
 * through a mapping: what cannot be read is then an error and not a signal. */
#include "formats/packed_file.h"

#include <errno.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define WRITE_STEP ((size_t)(4 * MiB)) /* between two looks at *stop */

_Static_assert(sizeof(struct packed_header) <= PACKED_PAGE, "the header is a page");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are written as they stand");

void packed_digest(struct packed_digest *out, const void *data, size_t len) {
    const XXH128_hash_t hash = XXH3_128bits(data, len);
    memcpy(out->bytes, &hash.low64, sizeof hash.low64);
    memcpy(out->bytes + sizeof hash.low64, &hash.high64, sizeof hash.high64);
}

/* ---- the build ---- */

/* The notes of the program itself, which comes first: among them the linker's build id. */
static int digest_notes(struct dl_phdr_info *info, size_t size, void *build) {
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_NOTE)
            continue;
        struct packed_digest both[2];
        both[0] = *(struct packed_digest *)build;
        packed_digest(&both[1], (const void *)(info->dlpi_addr + part->p_vaddr), part->p_memsz);
        packed_digest(build, both, sizeof both);
    }
    return 1;
}

struct packed_digest packed_build(void) {
    struct packed_digest build = {{PACKED_VERSION}};
    dl_iterate_phdr(digest_notes, &build);
    return build;
}

/* ---- layout ---- */

size_t packed_tables_at(const struct packed_sizes *sizes) {
    return region_round(sizes->streamed);
}

size_t packed_region_bytes(const struct packed_sizes *sizes) {
    size_t tables = region_round(sizes->looked_up), total;
    const size_t streamed = region_round(sizes->streamed);
    if ((streamed == 0 && sizes->streamed > 0) || (tables == 0 && sizes->looked_up > 0) ||
        !size_add(streamed, tables, &total) || total > PTRDIFF_MAX)
        return 0;
    return total > 0 ? total : 1;
}

static size_t page_round(size_t size) {
    return (size + PACKED_PAGE - 1) / PACKED_PAGE * PACKED_PAGE;
}

static size_t pieces_of(size_t size) {
    return (size + PACKED_PIECE - 1) / PACKED_PIECE;
}

bool packed_lay_out(struct packed_layout *out, const struct packed_sizes *sizes) {
    if (packed_region_bytes(sizes) == 0) /* then no sum below overflows either */
        return false;
    *out = (struct packed_layout){.sums_at = PACKED_PAGE,
                                  .streamed_pieces = pieces_of(sizes->streamed)};
    out->n_pieces = out->streamed_pieces + pieces_of(sizes->looked_up);
    out->streamed_at = out->sums_at + page_round(out->n_pieces * sizeof(uint64_t));
    out->tables_at = out->streamed_at + page_round(sizes->streamed);
    out->file_bytes = out->tables_at + page_round(sizes->looked_up);
    return true;
}

/* Part of the image that piece i is: its place in the file and in the region. */
struct piece {
    size_t file_at, region_at, size;
};

static struct piece piece_at(const struct packed_layout *layout, const struct packed_sizes *sizes,
                             size_t i) {
    const bool streamed = i < layout->streamed_pieces;
    const size_t at = (streamed ? i : i - layout->streamed_pieces) * PACKED_PIECE;
    const size_t part = streamed ? sizes->streamed : sizes->looked_up;
    return (struct piece){
        .file_at = (streamed ? layout->streamed_at : layout->tables_at) + at,
        .region_at = (streamed ? 0 : packed_tables_at(sizes)) + at,
        .size = part - at < PACKED_PIECE ? part - at : PACKED_PIECE,
    };
}

/* ---- checking ---- */

uint64_t packed_header_hash(const struct packed_header *header) {
    return XXH3_64bits(header, offsetof(struct packed_header, hash));
}

enum status packed_header_read(struct packed_header *out, struct packed_layout *layout,
                               const void *data, uint64_t file_size, struct error *err) {
    struct packed_header header;
    memcpy(&header, data, sizeof header);
    if (memcmp(header.magic, PACKED_MAGIC, sizeof header.magic) != 0)
        return ERR(err, MODEL, "is no packed file");
    if (header.version != PACKED_VERSION || header.piece != PACKED_PIECE)
        return ERR(err, MODEL, "has version %u, this program reads %d", header.version,
                   PACKED_VERSION);
    if (header.hash != packed_header_hash(&header))
        return ERR(err, MODEL, "its header is damaged");
    const struct packed_sizes sizes = {header.streamed, header.looked_up};
    if (!packed_lay_out(layout, &sizes) || layout->file_bytes != header.file_bytes)
        return ERR(err, MODEL, "its header contradicts itself");
    if (header.file_bytes != file_size)
        return ERR(err, MODEL, "has %llu bytes, should have %llu: it was cut off",
                   (unsigned long long)file_size, (unsigned long long)header.file_bytes);
    *out = header;
    return STATUS_OK;
}

static enum status check_sums(const struct packed_header *header, const uint64_t *sums, size_t n,
                              struct error *err) {
    if (header->sums_hash != XXH3_64bits(sums, n * sizeof *sums))
        return ERR(err, MODEL, "its table of sums is damaged");
    return STATUS_OK;
}

static enum status damaged_at(size_t piece, struct error *err) {
    return ERR(err, MODEL, "is damaged in piece %zu", piece);
}

enum status packed_check(const void *data, size_t size, struct error *err) {
    struct packed_header header;
    struct packed_layout layout;
    if (size < PACKED_PAGE)
        return ERR(err, MODEL, "has %zu bytes, too few for a header", size);
    if (packed_header_read(&header, &layout, data, size, err) != STATUS_OK)
        return STATUS_ERROR;
    const struct packed_sizes sizes = {header.streamed, header.looked_up};
    struct arena arena = {0};
    const uint64_t *sums =
        arena_copy(&arena, (const char *)data + layout.sums_at, layout.n_pieces * sizeof *sums);
    enum status status = check_sums(&header, sums, layout.n_pieces, err);
    for (size_t i = 0; status == STATUS_OK && i < layout.n_pieces; i++) {
        const struct piece piece = piece_at(&layout, &sizes, i);
        if (XXH3_64bits((const char *)data + piece.file_at, piece.size) != sums[i])
            status = damaged_at(i, err);
    }
    arena_deinit(&arena);
    return status;
}

static bool read_at(int fd, void *data, size_t size, size_t at) {
    char *to = data;
    while (size > 0) {
        const ssize_t n = pread(fd, to, size, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        to += n;
        at += (size_t)n;
        size -= (size_t)n;
    }
    return true;
}

struct verifying {
    int fd;
    const struct packed_sizes *sizes;
    const struct packed_layout *layout;
    const uint64_t *sums;
    char *buffers;       /* [lanes, PACKED_PIECE] */
    atomic_size_t worst; /* a damaged piece, or n_pieces; read after the run */
};

static bool verify_piece(const struct verifying *v, size_t i, char *buffer) {
    const struct piece piece = piece_at(v->layout, v->sizes, i);
    return read_at(v->fd, buffer, piece.size, piece.file_at) &&
           XXH3_64bits(buffer, piece.size) == v->sums[i];
}

static void verify_lane(struct lane *lane, void *arg) {
    struct verifying *v = arg;
    size_t from, to;
    lane_range(lane, v->layout->n_pieces, 1, &from, &to);
    for (size_t i = from; i < to; i++) {
        if (!verify_piece(v, i, v->buffers + lane->index * PACKED_PIECE)) {
            atomic_store(&v->worst, i);
            return;
        }
    }
}

static enum status verify_pieces(int fd, const struct packed_sizes *sizes,
                                 const struct packed_layout *layout, const uint64_t *sums,
                                 struct team *team, struct error *err) {
    void *buffers = NULL;
    const size_t bytes = team_threads(team) * PACKED_PIECE;
    if (mem_try_alloc(&buffers, bytes, err) != STATUS_OK)
        return STATUS_ERROR;
    struct verifying v = {fd, sizes, layout, sums, buffers, layout->n_pieces};
    team_run(team, verify_lane, &v);
    mem_free_large(buffers, bytes);
    return v.worst == layout->n_pieces ? STATUS_OK : damaged_at(v.worst, err);
}

static enum status read_head(int fd, struct packed_header *header, struct packed_layout *layout,
                             struct error *err) {
    char page[PACKED_PAGE];
    struct stat info;
    if (fstat(fd, &info) != 0 || info.st_size < PACKED_PAGE || !read_at(fd, page, sizeof page, 0))
        return ERR(err, MODEL, "is too short or cannot be read");
    return packed_header_read(header, layout, page, (uint64_t)info.st_size, err);
}

enum status packed_verify(int fd, const struct packed_digest *key, const struct packed_sizes *sizes,
                          struct packed_layout *layout, struct team *team, struct error *err) {
    struct packed_header header;
    if (read_head(fd, &header, layout, err) != STATUS_OK)
        return STATUS_ERROR;
    if (memcmp(&header.key, key, sizeof *key) != 0)
        return ERR(err, MODEL, "holds other weights than its name says");
    const struct packed_digest build = packed_build();
    if (memcmp(&header.build, &build, sizeof build) != 0)
        return STATUS_DECLINED;
    if (header.streamed != sizes->streamed || header.looked_up != sizes->looked_up)
        return ERR(err, MODEL, "holds %llu + %llu bytes, the model has %zu + %zu",
                   (unsigned long long)header.streamed, (unsigned long long)header.looked_up,
                   sizes->streamed, sizes->looked_up);
    struct arena arena = {0};
    enum status status = STATUS_OK;
    uint64_t *sums = arena_zalloc(&arena, layout->n_pieces, sizeof *sums);
    if (!read_at(fd, sums, layout->n_pieces * sizeof *sums, layout->sums_at))
        status = ERR(err, MODEL, "its table of sums cannot be read");
    if (status == STATUS_OK)
        status = check_sums(&header, sums, layout->n_pieces, err);
    if (status == STATUS_OK)
        status = verify_pieces(fd, sizes, layout, sums, team, err);
    arena_deinit(&arena);
    return status;
}

/* ---- writing ---- */

static enum status write_at(int fd, const void *data, size_t size, size_t at, struct error *err) {
    const char *from = data;
    while (size > 0) {
        const ssize_t n = pwrite(fd, from, size, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR(err, IO, "writing failed: %s", strerrordesc_np(errno));
        from += n;
        at += (size_t)n;
        size -= (size_t)n;
    }
    return STATUS_OK;
}

/* Data of a part, step by step. */
static enum status write_part(int fd, const char *data, size_t size, size_t at,
                              const atomic_bool *stop, struct error *err) {
    for (size_t done = 0; done < size; done += WRITE_STEP) {
        if (atomic_load(stop))
            return STATUS_AGAIN;
        const size_t n = size - done < WRITE_STEP ? size - done : WRITE_STEP;
        if (write_at(fd, data + done, n, at + done, err) != STATUS_OK)
            return STATUS_ERROR;
    }
    return STATUS_OK;
}

static enum status write_head(int fd, const struct packed_digest *key,
                              const struct packed_sizes *sizes, const struct packed_layout *layout,
                              const struct region *region, struct error *err) {
    struct arena arena = {0};
    uint64_t *sums = arena_zalloc(&arena, layout->n_pieces, sizeof *sums);
    for (size_t i = 0; i < layout->n_pieces; i++) {
        const struct piece piece = piece_at(layout, sizes, i);
        sums[i] = XXH3_64bits(region->base + piece.region_at, piece.size);
    }
    struct packed_header header = {
        .magic = PACKED_MAGIC,
        .version = PACKED_VERSION,
        .piece = PACKED_PIECE,
        .key = *key,
        .build = packed_build(),
        .streamed = sizes->streamed,
        .looked_up = sizes->looked_up,
        .file_bytes = layout->file_bytes,
        .sums_hash = XXH3_64bits(sums, layout->n_pieces * sizeof *sums),
    };
    header.hash = packed_header_hash(&header);
    enum status status = write_at(fd, &header, sizeof header, 0, err);
    if (status == STATUS_OK)
        status = write_at(fd, sums, layout->n_pieces * sizeof *sums, layout->sums_at, err);
    arena_deinit(&arena);
    return status;
}

enum status packed_write(int fd, const struct packed_digest *key, const struct packed_sizes *sizes,
                         const struct region *region, const atomic_bool *stop, struct error *err) {
    struct packed_layout layout;
    if (!packed_lay_out(&layout, sizes))
        return ERR(err, IO, "an image of %zu + %zu bytes fits no file", sizes->streamed,
                   sizes->looked_up);
    if (ftruncate(fd, (off_t)layout.file_bytes) != 0) /* zeros wherever nothing is written */
        return ERR(err, IO, "writing failed: %s", strerrordesc_np(errno));
    enum status status =
        write_part(fd, region->base, sizes->streamed, layout.streamed_at, stop, err);
    if (status == STATUS_OK)
        status = write_part(fd, region->base + packed_tables_at(sizes), sizes->looked_up,
                            layout.tables_at, stop, err);
    if (status == STATUS_OK)
        status = write_head(fd, key, sizes, &layout, region, err);
    if (status == STATUS_OK && fsync(fd) != 0)
        status = ERR(err, IO, "writing failed: %s", strerrordesc_np(errno));
    return status;
}
