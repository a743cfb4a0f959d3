/* The packed cache: what is stored is found again, bit for bit; whatever is damaged is told,
 * removed and never used; writers in two processes, killed ones and full limits leave only whole
 * files. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "formats/packed_file.h"
#include "formats/packed_seen.h"

static char folder[64];
static struct arena arena;
static struct team *team;
static const atomic_bool never;
static const struct packed_digest key = {{1, 2, 3, 0xfe}};
static const struct packed_sizes sizes = {.streamed = 300 * KiB + 64, .looked_up = 5000};

static int setup(void **state) {
    struct error err;
    snprintf(folder, sizeof folder, "/tmp/brisk-packed-XXXXXX");
    log_set_level(LOG_ERROR); /* warnings are what is tested */
    return mkdtemp(folder) != NULL && team_create(&team, 2, &err) == STATUS_OK ? 0 : -1;
}

static void remove_all(void) {
    char **names = folder_list(&arena, folder);
    for (size_t i = 0; names != NULL && names[i] != NULL; i++)
        unlink(path_join(&arena, folder, names[i]));
}

static int teardown(void **state) {
    remove_all();
    arena_deinit(&arena);
    team_destroy(team);
    return rmdir(folder);
}

static struct packed_cache *open_cache(size_t max_bytes) {
    const struct packed_options options = {.folder = folder, .max_bytes = max_bytes};
    struct packed_cache *cache = NULL;
    struct error err = {0};
    if (packed_cache_create(&cache, &options, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return cache;
}

/* An image whose bytes follow from their places. */
static struct region make_image(const struct packed_sizes *of) {
    struct region region = {0};
    struct error err;
    assert_int_equal(region_reserve(&region, packed_region_bytes(of), &err), STATUS_OK);
    assert_int_equal(region_memory(&region, 0, of->streamed, &err), STATUS_OK);
    assert_int_equal(region_memory(&region, packed_tables_at(of), of->looked_up, &err), STATUS_OK);
    for (size_t i = 0; i < of->streamed; i++)
        region.base[i] = (char)(i * 31 >> 3);
    for (size_t i = 0; i < of->looked_up; i++)
        region.base[packed_tables_at(of) + i] = (char)(i * 17 + 5);
    return region;
}

static void expect_image(const struct region *region, const struct packed_sizes *of) {
    struct region wanted = make_image(of);
    assert_memory_equal(region->base, wanted.base, of->streamed);
    assert_memory_equal(region->base + packed_tables_at(of), wanted.base + packed_tables_at(of),
                        of->looked_up);
    region_release(&wanted);
}

static void store(struct packed_cache *cache, const struct packed_digest *as) {
    struct region image = make_image(&sizes);
    packed_store(cache, as, &sizes, &image, &never);
    expect_image(&image, &sizes); /* also where the file now stands behind the tables */
    region_release(&image);
}

static const char *path_of(const struct packed_digest *as) {
    char hex[33];
    for (size_t i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", as->bytes[i]);
    return arena_printf(&arena, "%s/%s.packed", folder, hex);
}

/* Files of the cache are only to be read, as who wants to damage them must know. */
static int open_to_damage(const char *path) {
    assert_int_equal(chmod(path, 0600), 0);
    return open(path, O_RDWR);
}

static size_t count_files(const char *end) {
    char **names = folder_list(&arena, folder);
    size_t n = 0;
    for (size_t i = 0; names[i] != NULL; i++)
        n += strlen(names[i]) > strlen(end) &&
             strcmp(names[i] + strlen(names[i]) - strlen(end), end) == 0;
    return n;
}

static bool found(struct packed_cache *cache, const struct packed_digest *as) {
    struct region region = {0};
    if (packed_open(cache, as, &sizes, team, &region) != STATUS_OK) {
        assert_null(region.base);
        return false;
    }
    expect_image(&region, &sizes);
    region_collapse(&region, 0, sizes.streamed, &never);
    expect_image(&region, &sizes);
    region_release(&region);
    return true;
}

static void what_is_stored_is_found(void **state) {
    const struct packed_sizes shapes[] = {
        {0, 0}, {64, 0}, {0, 64}, {4096, 4096}, {256 * KiB, 1}, {9 * MiB + 64, 3 * MiB + 4}};
    struct packed_cache *cache = open_cache(0);
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        const struct packed_digest as = {{(uint8_t)i, 9}};
        struct region image = make_image(&shapes[i]), again = {0};
        assert_int_equal(packed_open(cache, &as, &shapes[i], team, &again), STATUS_DECLINED);
        packed_store(cache, &as, &shapes[i], &image, &never);
        assert_int_equal(packed_open(cache, &as, &shapes[i], team, &again), STATUS_OK);
        expect_image(&again, &shapes[i]);
        region_collapse(&again, 0, shapes[i].streamed, &never);
        unlink(path_of(&as)); /* who has it mapped keeps it */
        expect_image(&again, &shapes[i]);
        expect_image(&image, &shapes[i]);
        region_release(&again);
        region_release(&image);
    }
    const struct packed_figures figures = packed_cache_figures(cache);
    assert_int_equal(figures.hits, ARRAY_LEN(shapes));
    assert_int_equal(figures.misses, ARRAY_LEN(shapes));
    assert_int_equal(figures.stored, ARRAY_LEN(shapes));
    assert_int_equal(figures.damaged, 0);
    packed_cache_destroy(cache);
}

/* ---- damage ---- */

enum damage { FLIP, CUT, GROW, EMPTY };

static const struct {
    const char *what;
    enum damage damage;
    size_t at; /* byte to flip, or new size */
} damages[] = {
    {"magic", FLIP, 0},
    {"version", FLIP, 8},
    {"piece", FLIP, 12},
    {"key", FLIP, 16},
    {"build", FLIP, 32},
    {"streamed", FLIP, 48},
    {"looked up", FLIP, 57},
    {"file bytes", FLIP, 64},
    {"sums' hash", FLIP, 72},
    {"header's hash", FLIP, 80},
    {"a sum", FLIP, 4096 + 3},
    {"the last sum", FLIP, 4096 + 23},
    {"first byte", FLIP, 8192},
    {"streamed data", FLIP, 8192 + 256 * KiB + 77},
    {"last byte of streamed data", FLIP, 8192 + 300 * KiB + 63},
    {"tables", FLIP, 8192 + 308 * KiB - 4096 + 5},
    {"one byte is gone", CUT, 8192 + 312 * KiB - 1},
    {"data is gone", CUT, 8192 + 4096},
    {"only the header", CUT, 4096},
    {"not even that", CUT, 100},
    {"empty", EMPTY, 0},
    {"a byte more", GROW, 0},
};

static void damage_file(const char *path, size_t i) {
    const int fd = open_to_damage(path);
    struct stat info;
    uint8_t byte = 0;
    assert_true(fd >= 0 && fstat(fd, &info) == 0);
    switch (damages[i].damage) {
    case FLIP:
        assert_int_equal(pread(fd, &byte, 1, (off_t)damages[i].at), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)damages[i].at), 1);
        break;
    case CUT:
    case EMPTY:
        assert_true((off_t)damages[i].at < info.st_size);
        assert_int_equal(ftruncate(fd, (off_t)damages[i].at), 0);
        break;
    case GROW:
        assert_int_equal(ftruncate(fd, info.st_size + 1), 0);
        break;
    }
    close(fd);
}

static void damaged_files_are_not_used_but_written_anew(void **state) {
    struct packed_cache *cache = open_cache(0);
    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        store(cache, &key);
        assert_true(found(cache, &key));
        damage_file(path_of(&key), i);
        if (found(cache, &key))
            fail_msg("%s: used", damages[i].what);
        if (file_exists(path_of(&key)))
            fail_msg("%s: still there", damages[i].what);
    }
    assert_int_equal(packed_cache_figures(cache).damaged, ARRAY_LEN(damages));
    packed_cache_destroy(cache);
}

/* packed_check sees what opening sees, in memory. */
static void the_check_finds_all_damage(void **state) {
    struct packed_cache *cache = open_cache(0);
    struct error err;
    char *data = NULL;
    size_t len = 0;
    store(cache, &key);
    assert_int_equal(file_read(&data, &len, &arena, path_of(&key), 2 * MiB, &err), STATUS_OK);
    assert_int_equal(packed_check(data, len, &err), STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        if (damages[i].damage == FLIP) {
            data[damages[i].at] ^= 0x10;
            if (packed_check(data, len, &err) != STATUS_ERROR)
                fail_msg("%s: not seen", damages[i].what);
            data[damages[i].at] ^= 0x10;
        } else if (packed_check(data, damages[i].at, &err) != STATUS_ERROR) {
            fail_msg("%s: not seen", damages[i].what);
        }
    }
    packed_cache_destroy(cache);
    unlink(path_of(&key));
}

/* A whole file under another name, or of another model's sizes. */
static void files_of_other_weights_are_not_used(void **state) {
    struct packed_cache *cache = open_cache(0);
    const struct packed_digest other = {{7}};
    store(cache, &key);
    assert_int_equal(rename(path_of(&key), path_of(&other)), 0);
    assert_false(found(cache, &other));
    store(cache, &key);
    const struct packed_sizes more = {sizes.streamed + 64, sizes.looked_up};
    struct region region = {0};
    assert_int_equal(packed_open(cache, &key, &more, team, &region), STATUS_DECLINED);
    packed_cache_destroy(cache);
}

/* A correct file whose header says another build: no damage, but not used either. */
static void files_of_other_builds_are_written_anew(void **state) {
    struct packed_cache *cache = open_cache(0);
    struct packed_header header;
    store(cache, &key);
    const int fd = open_to_damage(path_of(&key));
    assert_int_equal(pread(fd, &header, sizeof header, 0), sizeof header);
    header.build.bytes[0] ^= 1;
    header.hash = packed_header_hash(&header);
    assert_int_equal(pwrite(fd, &header, sizeof header, 0), sizeof header);
    close(fd);
    assert_false(found(cache, &key));
    assert_int_equal(packed_cache_figures(cache).damaged, 0);
    store(cache, &key);
    assert_true(found(cache, &key));
    packed_cache_destroy(cache);
}

/* ---- writers ---- */

static void two_processes_may_write_at_once(void **state) {
    enum { ROUNDS = 20, CHILDREN = 3 };
    pid_t children[CHILDREN];
    for (size_t i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        if (children[i] != 0)
            continue;
        struct packed_cache *cache = open_cache(0);
        struct region image = make_image(&sizes);
        for (int round = 0; round < ROUNDS; round++) {
            unlink(path_of(&key));
            packed_store(cache, &key, &sizes, &image, &never);
        }
        _exit(packed_cache_figures(cache).stored > 0 ? 0 : 1);
    }
    struct packed_cache *cache = open_cache(0);
    for (int round = 0; round < ROUNDS; round++)
        (void)found(cache, &key); /* there or not, but never half */
    for (size_t i = 0; i < CHILDREN; i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(packed_cache_figures(cache).damaged, 0);
    store(cache, &key);
    assert_true(found(cache, &key));
    assert_int_equal(count_files(".tmp"), 0);
    packed_cache_destroy(cache);
}

static void a_stopped_writer_leaves_nothing(void **state) {
    const atomic_bool stop = true;
    const struct packed_digest as = {{0x55}};
    struct packed_cache *cache = open_cache(0);
    struct region image = make_image(&sizes);
    packed_store(cache, &as, &sizes, &image, &stop);
    assert_false(file_exists(path_of(&as)));
    assert_int_equal(count_files(".tmp"), 0);
    expect_image(&image, &sizes);
    region_release(&image);
    packed_cache_destroy(cache);
}

/* A process that is killed at its work leaves a part, under a name that is not looked for; the next
 * writer removes it, but not one that is being written. */
static void what_a_killed_writer_leaves_is_removed(void **state) {
    const struct packed_digest as = {{0x66}};
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
        const char *path = arena_printf(&arena, "%s/66%030d.1.0.tmp", folder, 0);
        const int fd = open(path, O_RDWR | O_CREAT, 0600);
        if (fd < 0 || flock(fd, LOCK_EX) != 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    struct packed_cache *cache = open_cache(0);
    store(cache, &as);
    assert_int_equal(count_files(".tmp"), 1); /* the other one's */
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    unlink(path_of(&as));
    store(cache, &as);
    assert_int_equal(count_files(".tmp"), 0);
    assert_true(found(cache, &as));
    packed_cache_destroy(cache);
    close(ready[0]);
    close(ready[1]);
}

/* Root may write everywhere, so it becomes somebody else for a while. */
static void become(uid_t user) {
    char **names = folder_list(&arena, folder);
    if (geteuid() == 0 && user != 0) {
        assert_int_equal(chown(folder, user, (gid_t)-1), 0);
        for (size_t i = 0; names[i] != NULL; i++)
            assert_int_equal(chown(path_join(&arena, folder, names[i]), user, (gid_t)-1), 0);
        assert_int_equal(seteuid(user), 0);
    } else if (getuid() == 0) {
        assert_int_equal(seteuid(0), 0);
    }
}

static void a_folder_that_cannot_be_written_is_only_read(void **state) {
    enum { NOBODY = 65534 };
    const struct packed_digest as = {{0x77}};
    struct packed_cache *cache = open_cache(0);
    unlink(path_of(&key));
    store(cache, &key);
    assert_int_equal(chmod(folder, 0500), 0);
    become(NOBODY);
    store(cache, &as);
    assert_true(found(cache, &key));
    assert_false(found(cache, &as));
    assert_int_equal(packed_cache_figures(cache).stored, 1);
    packed_cache_destroy(cache);
    become(0);
    assert_int_equal(chmod(folder, 0700), 0);
}

/* The same for everybody: the folder is gone. */
static void a_folder_that_is_gone_harms_nobody(void **state) {
    char gone[80];
    snprintf(gone, sizeof gone, "%s/gone", folder);
    const struct packed_options options = {.folder = gone};
    struct packed_cache *cache = NULL;
    struct error err = {0};
    assert_int_equal(packed_cache_create(&cache, &options, &err), STATUS_OK);
    assert_int_equal(rmdir(gone), 0);
    store(cache, &key);
    assert_false(found(cache, &key));
    assert_int_equal(packed_cache_figures(cache).stored, 0);
    packed_cache_destroy(cache);
    const int fd = open(gone, O_CREAT | O_WRONLY, 0600); /* now a file is in the way */
    close(fd);
    assert_int_equal(packed_cache_create(&cache, &options, &err), STATUS_ERROR);
    assert_non_null(strstr(err.text, "gone"));
    unlink(gone);
}

static mode_t mode_of(const char *path) {
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return info.st_mode & 07777;
}

/* Who may shorten a file that a server has mapped can end that server: nobody else may, whatever
 * the umask, and its owner not by accident. */
static void only_the_owner_can_touch_what_is_stored(void **state) {
    static const mode_t masks[] = {0, 022, 0277};
    for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
        char made[80];
        const struct packed_options options = {.folder = made};
        struct packed_cache *cache = NULL;
        struct error err = {0};
        snprintf(made, sizeof made, "%s/made%zu", folder, i);
        const mode_t before = umask(i == 2 ? 0 : masks[i]); /* folders without w are no use */
        assert_int_equal(packed_cache_create(&cache, &options, &err), STATUS_OK);
        umask(masks[i]);
        store(cache, &key);
        struct seen seen = {0};
        seen_add(&seen, &(struct file_identity){1, 2, 3, 4, 5}, &key, 100ll * 1000000000);
        assert_int_equal(seen_write(&seen, path_join(&arena, made, "seen"), &err), STATUS_OK);
        seen_deinit(&seen);
        umask(before);
        assert_int_equal(mode_of(made), 0700);
        char **names = folder_list(&arena, made);
        size_t n = 0;
        for (; names[n] != NULL; n++) {
            const char *path = path_join(&arena, made, names[n]);
            assert_int_equal(mode_of(path),
                             strstr(path, ".packed") != NULL ? 0400 : 0600 & ~masks[i]);
            unlink(path);
        }
        assert_int_equal(n, 2);
        packed_cache_destroy(cache);
        rmdir(made);
    }
}

/* Whoever has a file mapped keeps it, whatever the cache does with its name. */
static void what_is_mapped_outlives_its_name(void **state) {
    struct packed_cache *cache = open_cache(0);
    struct region region = {0};
    unlink(path_of(&key));
    store(cache, &key);
    assert_int_equal(packed_open(cache, &key, &sizes, team, &region), STATUS_OK);
    const int fd = open_to_damage(path_of(&key));
    struct stat mapped, info;
    assert_int_equal(fstat(fd, &mapped), 0);
    const struct packed_sizes more = {sizes.streamed + 64, sizes.looked_up};
    struct region none = {0};
    assert_int_equal(packed_open(cache, &key, &more, team, &none), STATUS_DECLINED); /* removed */
    store(cache, &key);                                                              /* anew */
    assert_int_equal(fstat(fd, &info), 0);
    assert_int_equal(info.st_size, mapped.st_size);
    assert_int_equal(info.st_nlink, 0);
    expect_image(&region, &sizes);
    close(fd);
    region_release(&region);
    packed_cache_destroy(cache);
}

/* ---- the limit ---- */

static void use_at(const struct packed_digest *as, time_t when) {
    const struct timespec times[2] = {{.tv_sec = when}, {.tv_sec = when}};
    assert_int_equal(utimensat(AT_FDCWD, path_of(as), times, 0), 0);
}

static void the_longest_unused_go_first(void **state) {
    struct packed_layout layout;
    struct packed_digest as[4] = {{{1}}, {{2}}, {{3}}, {{4}}};
    assert_true(packed_lay_out(&layout, &sizes));
    remove_all();
    struct packed_cache *cache = open_cache(3 * layout.file_bytes + 100);
    for (size_t i = 0; i < 3; i++) {
        store(cache, &as[i]);
        use_at(&as[i], 1000 + (time_t)i);
    }
    assert_true(found(cache, &as[0])); /* and thereby used now */
    store(cache, &as[3]);
    assert_true(file_exists(path_of(&as[0])));
    assert_false(file_exists(path_of(&as[1])));
    assert_true(file_exists(path_of(&as[2])));
    assert_true(file_exists(path_of(&as[3])));
    assert_int_equal(packed_cache_figures(cache).evicted, 1);
    packed_cache_destroy(cache);
    cache = open_cache(layout.file_bytes - 1); /* not even one */
    const struct packed_digest large = {{5}};
    store(cache, &large);
    assert_false(file_exists(path_of(&large)));
    assert_true(file_exists(path_of(&as[0]))); /* nothing is removed for nothing */
    packed_cache_destroy(cache);
}

static void write_bytes(const char *path, size_t n, char first) {
    FILE *file = fopen(path, "wb");
    for (size_t i = 0; i < n; i++)
        putc(i == 0 ? first : (char)i, file);
    assert_int_equal(fclose(file), 0);
}

/* A folder that others use too ("/tmp") loses nothing of theirs, however small the limit. */
static void files_of_others_are_left_alone(void **state) {
    static const char *const names[] = {
        "mine.tmp",
        "seen.1.0.tmp", /* being written by another process, and renamed when it is done */
        "0123456789abcdef0123456789abcde.1.0.tmp",
        "0123456789abcdef0123456789abcdef0.packed",
        "0123456789ABCDEF0123456789ABCDEF.packed",
        "mine.packed",
    };
    struct packed_layout layout;
    const struct packed_digest first = {{1}}, second = {{2}};
    assert_true(packed_lay_out(&layout, &sizes));
    remove_all();
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        write_bytes(path_join(&arena, folder, names[i]), layout.file_bytes, 'x');
    struct packed_cache *cache = open_cache(layout.file_bytes + 100);
    store(cache, &first);
    store(cache, &second);
    assert_true(found(cache, &second));
    assert_int_equal(packed_cache_figures(cache).evicted, 1); /* the first, ours */
    packed_cache_destroy(cache);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!file_exists(path_join(&arena, folder, names[i])))
            fail_msg("%s was removed", names[i]);
    }
}

/* ---- contents ---- */

static struct packed_digest content(struct packed_cache *cache, const char *path) {
    struct file_map map;
    struct error err;
    struct packed_digest digest;
    assert_int_equal(file_map_open(&map, path, &err), STATUS_OK);
    packed_content(cache, &map, 1, team, &digest);
    file_map_close(&map);
    return digest;
}

static void contents_follow_the_bytes(void **state) {
    const char *a = path_join(&arena, folder, "a"), *b = path_join(&arena, folder, "b");
    struct packed_cache *cache = open_cache(0);
    write_bytes(a, 5 * MiB, 1);
    write_bytes(b, 5 * MiB, 1);
    const struct packed_digest first = content(cache, a);
    struct packed_digest other = content(cache, b);
    assert_memory_equal(&first, &other, sizeof first);
    write_bytes(b, 5 * MiB, 2);
    other = content(cache, b);
    assert_memory_not_equal(&first, &other, sizeof first);
    write_bytes(b, 5 * MiB - 1, 1);
    other = content(cache, b);
    assert_memory_not_equal(&first, &other, sizeof first);
    packed_cache_destroy(cache);
    unlink(a);
    unlink(b);
}

static void only_settled_files_are_remembered(void **state) {
    const char *path = path_join(&arena, folder, "seen");
    const int64_t now = 1000ll * 1000000000;
    const struct file_identity old = {1, 2, 3, now - 100ll * 1000000000, now - 50ll * 1000000000};
    const struct file_identity fresh = {1, 3, 3, now - 100ll * 1000000000, now - 1000000000};
    struct seen seen = {0}, again = {0};
    struct packed_digest digest = {{42}}, known;
    struct error err;
    unlink(path);
    seen_add(&seen, &old, &digest, now);
    seen_add(&seen, &fresh, &digest, now);
    assert_true(seen_find(&seen, &old, &known));
    assert_int_equal(known.bytes[0], 42);
    assert_false(seen_find(&seen, &fresh, &known));
    assert_int_equal(seen_write(&seen, path, &err), STATUS_OK);
    seen_read(&again, path);
    assert_true(seen_find(&again, &old, &known));
    const struct file_identity changes[] = {
        {0, 2, 3, old.modified_ns, old.changed_ns},
        {1, 0, 3, old.modified_ns, old.changed_ns},
        {1, 2, 4, old.modified_ns, old.changed_ns},
        {1, 2, 3, old.modified_ns + 1, old.changed_ns},
        {1, 2, 3, old.modified_ns, old.changed_ns - 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(changes); i++)
        assert_false(seen_find(&again, &changes[i], &known));
    seen_deinit(&again);
    seen_deinit(&seen);
}

static void a_damaged_memory_of_files_knows_nothing(void **state) {
    const char *path = path_join(&arena, folder, "seen");
    const struct file_identity old = {1, 2, 3, 4, 5};
    const struct packed_digest digest = {{42}};
    for (size_t at = 0; at < 80; at++) {
        struct seen seen = {0}, again = {0};
        struct packed_digest known;
        struct error err;
        unlink(path);
        seen_add(&seen, &old, &digest, 100ll * 1000000000);
        assert_int_equal(seen_write(&seen, path, &err), STATUS_OK);
        const int fd = open(path, O_RDWR);
        uint8_t byte = 0;
        assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
        byte ^= 0xff;
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
        close(fd);
        seen_read(&again, path);
        if (seen_find(&again, &old, &known) || again.n != 0)
            fail_msg("byte %zu: believed", at);
        seen_deinit(&again);
        seen_deinit(&seen);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_stored_is_found),
        cmocka_unit_test(damaged_files_are_not_used_but_written_anew),
        cmocka_unit_test(the_check_finds_all_damage),
        cmocka_unit_test(files_of_other_weights_are_not_used),
        cmocka_unit_test(files_of_other_builds_are_written_anew),
        cmocka_unit_test(two_processes_may_write_at_once),
        cmocka_unit_test(a_stopped_writer_leaves_nothing),
        cmocka_unit_test(what_a_killed_writer_leaves_is_removed),
        cmocka_unit_test(a_folder_that_cannot_be_written_is_only_read),
        cmocka_unit_test(a_folder_that_is_gone_harms_nobody),
        cmocka_unit_test(only_the_owner_can_touch_what_is_stored),
        cmocka_unit_test(what_is_mapped_outlives_its_name),
        cmocka_unit_test(the_longest_unused_go_first),
        cmocka_unit_test(files_of_others_are_left_alone),
        cmocka_unit_test(contents_follow_the_bytes),
        cmocka_unit_test(only_settled_files_are_remembered),
        cmocka_unit_test(a_damaged_memory_of_files_knows_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
