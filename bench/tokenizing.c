/* Times the tokenizer on one thread, on command: bench/tokenizing.py asks in turns with the library
 * that it compares with.
 *
 *     bench-tokenizing FOLDER FILE...      each FILE: texts, a zero byte behind each
 *
 * A line on standard input is the number of a file, "check" and a number, or "load"; the answer is
 * a line with nanoseconds of the thread's own time and the number of tokens of all texts, or with a
 * sum over ids and offsets, by which the two are known to do the same work. */
#include <stdio.h>
#include <time.h>

#include "tokenizer/tokenizer.h"
#include "base/banned.h"

struct texts {
    char *data;
    size_t len;
};

static uint64_t thread_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* An order-dependent sum; bench/tokenizing.py computes the same of the library's encodings. */
static uint32_t sum_of(uint32_t sum, const struct encoding *encoding) {
    for (size_t i = 0; i < encoding->n; i++) {
        sum = sum * 31 + (uint32_t)encoding->ids[i];
        sum = sum * 31 + encoding->offsets[i].start;
        sum = sum * 31 + encoding->offsets[i].end;
    }
    return sum;
}

/* Tokens, or with `sums` their sum. */
static size_t encode_all(const struct tokenizer *tokenizer, const struct texts *texts,
                         struct arena *arena, bool sums) {
    size_t tokens = 0;
    uint32_t sum = 0;
    struct error err;
    for (size_t pos = 0; pos < texts->len;) {
        const size_t len = strlen(texts->data + pos);
        struct encoding encoding;
        if (tokenizer_encode(tokenizer, &encoding, arena, texts->data + pos, len, NULL, 0, NULL,
                             &err) != STATUS_OK)
            PANIC("%s", err.text);
        tokens += encoding.n;
        if (sums)
            sum = sum_of(sum, &encoding);
        arena_reset(arena);
        pos += len + 1;
    }
    return sums ? sum : tokens;
}

static struct tokenizer *load(const char *folder) {
    struct tokenizer *tokenizer = NULL;
    struct error err;
    if (tokenizer_load(&tokenizer, folder, &err) != STATUS_OK)
        PANIC("%s: %s", folder, err.text);
    return tokenizer;
}

static void answer(uint64_t start, size_t tokens) {
    printf("%llu %zu\n", (unsigned long long)(thread_ns() - start), tokens);
    fflush(stdout);
}

static void serve(const char *folder, const struct texts *texts, size_t n) {
    struct tokenizer *tokenizer = load(folder);
    struct arena arena = {0};
    char line[32];
    while (fgets(line, sizeof line, stdin)) {
        const uint64_t start = thread_ns();
        const bool check = line[0] == 'c';
        const size_t i = strtoul(line + (check ? strlen("check") : 0), NULL, 10);
        if (line[0] == 'l') {
            struct tokenizer *again = load(folder);
            answer(start, tokenizer_vocab_size(again));
            tokenizer_destroy(again);
        } else if (i < n) {
            answer(start, encode_all(tokenizer, &texts[i], &arena, check));
        }
    }
    arena_deinit(&arena);
    tokenizer_destroy(tokenizer);
}

int main(int argc, char **argv) {
    struct arena arena = {0};
    struct error err;
    if (argc < 2) {
        fprintf(stderr, "bench-tokenizing FOLDER FILE...\n");
        return 2;
    }
    const size_t n = (size_t)argc - 2;
    struct texts *texts = arena_zalloc(&arena, n + 1, sizeof *texts);
    for (size_t i = 0; i < n; i++)
        if (file_read(&texts[i].data, &texts[i].len, &arena, argv[i + 2], LIMIT_TEXT, &err) !=
            STATUS_OK)
            PANIC("%s", err.text);
    serve(argv[1], texts, n);
    arena_deinit(&arena);
    return 0;
}
