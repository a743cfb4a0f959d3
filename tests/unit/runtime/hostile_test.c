/* Repositories that are made to exhaust memory, stack or patience: each loads in a process of its
 * own, which must end with a clear error and may not have needed more memory than its row says.
 * What single parsers refuse is in their own tests; this is about what all of them cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/resource.h>
#include <sys/wait.h>

#include "runtime/runtime.h"
#include "unit/runtime/folder.h"
#include "unit/runtime/goldens.h"
#include "unit/measured.h"

#define GOOD "bert/multi-label"
#define BODY "{\"inputs\":\"Rain.\"}"

/* One thread of each child works: the thread sanitizer would see nothing, in two minutes. */
#if defined(__SANITIZE_THREAD__)
#define PASSED_OVER true
#else
#define PASSED_OVER false
#endif

/* Of torch's legacy layout: the magic number, the version, then the pickle of the names. */
#define LEGACY                                                                                     \
    "\x80\2\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xe9\3.\x80\2"                    \
    "}."                                                                                           \
    "\x80\2"
#define BYTES(text) text, sizeof(text) - 1

static const struct {
    const char *name, *file;
    /* The file: begin, then unit as many times, then end. */
    const char *begin;
    size_t begin_len;
    const char *unit;
    size_t unit_len, times;
    const char *end;
    const char *wanted; /* in the answer */
    size_t most;        /* MiB of memory */
} rows[] = {
    {"a header of 10^7 entries", "model.safetensors", BYTES("{"), BYTES("\"\":1,"), 10000000,
     "\"\":1}", "model.safetensors", 700},
    {"a deep header", "model.safetensors", BYTES("{\"a\":"), BYTES("["), 10000000, "",
     "model.safetensors", 100},
    {"a header of deep objects", "model.safetensors", BYTES(""), BYTES("{\"a\":"), 2000000, "",
     "model.safetensors", 100},
    {"a deep config", "config.json", BYTES("{\"a\":"), BYTES("["), 10000000, "", "config.json",
     100},
    {"a config of many values", "config.json", BYTES("{\"a\":["), BYTES("0,"), 8000000, "0]}",
     "config.json", 700},
    {"a config of 100 MB", "config.json", BYTES("{\"a\":\""), BYTES("0123456789"), 10000000, "\"}",
     "config.json", 100},
    {"a deep tokenizer", "tokenizer.json", BYTES("{\"model\":"), BYTES("{\"a\":"), 2000000, "",
     "tokenizer.json", 100},
    {"a tokenizer of many values", "tokenizer.json", BYTES("{\"model\":["), BYTES("[],"), 20000000,
     "0]}", "tokenizer.json", 700},
    {"deep settings of a tokenizer", "tokenizer_config.json", BYTES("{\"a\":"), BYTES("["), 1000000,
     "", "tokenizer_config.json", 100},
    {"deep generation settings", "generation_config.json", BYTES("{\"a\":"), BYTES("["), 1000000,
     "", "generation_config.json", 100},
    {"a deep index", "model.safetensors.index.json", BYTES("{\"weight_map\":"), BYTES("{\"a\":"),
     1000000, "", "model.safetensors.index.json", 100},
    {"an index of many shards", "model.safetensors.index.json",
     BYTES("{\"weight_map\":{\"z\":\"1\""), BYTES(",\"a\":\"b\""), 1000000, "}}",
     "model.safetensors.index.json", 300},
    {"a pickle of marks", "pytorch_model.bin", BYTES(LEGACY), BYTES("("), 10000000, "",
     "opens more than 1000 containers", 100},
    {"a pickle of tuples in tuples", "pytorch_model.bin", BYTES(LEGACY ")"), BYTES("\x85"),
     20000000, ".", "holds more than 8388608 values", 500},
    {"a pickle that remembers", "pytorch_model.bin", BYTES(LEGACY "N"), BYTES("\x94"), 20000000,
     ".", "pytorch_model.bin", 200},
    {"a pickle of waiting values", "pytorch_model.bin", BYTES(LEGACY), BYTES("N"), 20000000, ".",
     "values on its stack", 200},
    {"a pickle that remembers number 2^32 - 1", "pytorch_model.bin",
     BYTES(LEGACY "Nr\xff\xff\xff\xff."), BYTES(""), 0, "", "must be below 2097152", 100},
    {"a pickle of 2^31 digits", "pytorch_model.bin", BYTES(LEGACY "\x8b\xff\xff\xff\x7f."),
     BYTES(""), 0, "", "promises 2147483647 bytes", 100},
    {"10^9 tensors of GGUF", "model.gguf",
     BYTES("GGUF\3\0\0\0\0\xca\x9a\x3b\0\0\0\0\0\0\0\0\0\0\0\0"), BYTES("\0"), 1000, "",
     "promises 1000000000 tensors", 100},
    {"10^9 keys of GGUF", "model.gguf", BYTES("GGUF\3\0\0\0\0\0\0\0\0\0\0\0\0\xca\x9a\x3b\0\0\0\0"),
     BYTES("\0"), 1000, "", "promises 1000000000 keys", 100},
    {"a vocabulary of 10^7 pieces", "spiece.model", BYTES(""), BYTES("\x0A\3\x0A\1a"), 10000000, "",
     "spiece.model", 700},
    {"a piece of 2^63 bytes", "spiece.model", BYTES("\x0A\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
     BYTES("a"), 1000, "", "spiece.model", 100},
    {"arrays in arrays of GGUF", "model.gguf",
     BYTES("GGUF\3\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0k\x9\0\0\0"),
     BYTES("\x9\0\0\0\1\0\0\0\0\0\0\0"), 1000000, "", "model.gguf", 100},
};

static void write_row(struct folder *folder, size_t i) {
    const bool is_header = strcmp(rows[i].file, "model.safetensors") == 0;
    const bool is_weights = strstr(rows[i].file, ".json") == NULL;
    const size_t end_len = strlen(rows[i].end);
    const size_t len = rows[i].begin_len + rows[i].unit_len * rows[i].times + end_len;
    struct buf buf;
    buf_init(&buf, 256 * (size_t)MiB);
    for (size_t k = 0; is_header && k < 8; k++)
        buf_putc(&buf, (char)(len >> 8 * k & 255));
    buf_append(&buf, rows[i].begin, rows[i].begin_len);
    for (size_t k = 0; k < rows[i].times; k++)
        buf_append(&buf, rows[i].unit, rows[i].unit_len);
    buf_append(&buf, rows[i].end, end_len);
    assert_false(buf.overflow);
    const bool is_tokenizer = strcmp(rows[i].file, "spiece.model") == 0;
    if ((is_weights && !is_tokenizer) || strstr(rows[i].file, "index") != NULL)
        unlink(folder_path(folder, "model/model.safetensors"));
    if (is_tokenizer) {
        unlink(folder_path(folder, "model/tokenizer.json"));
        folder_write(folder, "model/tokenizer_config.json",
                     "{\"tokenizer_class\":\"AlbertTokenizer\"}");
    }
    folder_write_n(folder, path_join(&folder->arena, "model", rows[i].file), buf.data, buf.len);
    buf_deinit(&buf);
}

/* In the child: asks once, and tells the answer. */
static void load(const char *models, int out) {
    const char *const folders[] = {models, NULL};
    const struct brisk_options options = {
        .model_folders = folders, .precision = "fp32", .threads = 1};
    const struct brisk_request request = {
        .model = "model", .body = BODY, .body_len = sizeof BODY - 1, .wait_for_model = true};
    char error[LIMIT_ERROR_TEXT];
    struct brisk *brisk = NULL;
    struct brisk_answer answer = {0};
    if (brisk_create(&brisk, &options, error, sizeof error) != 0)
        _exit(2);
    brisk_run(brisk, &request, &answer);
    dprintf(out, "%d %.900s", answer.status, answer.body);
    brisk_answer_free(&answer);
    brisk_destroy(brisk);
    _exit(0);
}

static void what_is_made_to_exhaust_is_refused_cheaply(void **state) {
    if (PASSED_OVER)
        skip();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct folder folder;
        struct rusage used;
        char answer[1024] = "";
        int pipes[2], status = 0;
        folder_make(&folder);
        folder_copy(&folder, GOLDEN_FOLDER "/" GOOD, "model");
        write_row(&folder, i);
        assert_int_equal(pipe(pipes), 0);
        fflush(NULL);
        const pid_t child = fork();
        if (child == 0)
            load(folder.path, pipes[1]);
        close(pipes[1]);
        for (ssize_t n = 0, at = 0; at < (ssize_t)sizeof answer - 1; at += n) {
            n = read(pipes[0], answer + at, sizeof answer - 1 - (size_t)at);
            if (n <= 0)
                break;
        }
        close(pipes[0]);
        assert_int_equal(wait4(child, &status, 0, &used), child);
        const size_t most = (size_t)used.ru_maxrss / 1024;
        if (status != 0 || strncmp(answer, "500 ", 4) != 0 ||
            strstr(answer, rows[i].wanted) == NULL)
            fail_msg("%s: wanted 500 \"%s\", got (status %d) %s", rows[i].name, rows[i].wanted,
                     status, answer);
        if (MEASURED && most > rows[i].most)
            fail_msg("%s: took %zu MiB, may take %zu", rows[i].name, most, rows[i].most);
        folder_remove(&folder);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_made_to_exhaust_is_refused_cheaply),
    };
    log_set_level(LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
