/* Times a request as a call of the library, without HTTP, for bench/serving.py.
 *
 *     bench-library FOLDER MODEL TASK PRECISION THREADS BODIES
 *
 * BODIES has one body a line. A line on standard input is a number of calls; the answer is a line
 * with their median in milliseconds. */
#include <stdio.h>

#include "base/base.h"
#include "brisk.h"
#include "base/banned.h"

#define MOST_CALLS  100000
#define MOST_BODIES 4096

struct bodies {
    const char *body[MOST_BODIES];
    uint32_t n;
};

static void split_lines(struct bodies *bodies, char *text) {
    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        if (bodies->n == MOST_BODIES)
            PANIC("more than %d bodies", MOST_BODIES);
        bodies->body[bodies->n++] = line;
    }
    if (bodies->n == 0)
        PANIC("no bodies");
}

static double call_ms(struct brisk *brisk, struct brisk_request *request, const char *body) {
    struct brisk_answer answer;
    request->body = body;
    request->body_len = strlen(body);
    const uint64_t start = clock_now_ns();
    brisk_run(brisk, request, &answer);
    const double ms = (double)(clock_now_ns() - start) / 1e6;
    if (answer.status != 200)
        PANIC("status %d: %s", answer.status, answer.body);
    brisk_answer_free(&answer);
    return ms;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    static struct bodies bodies;
    static double ms[MOST_CALLS];
    char error[512], line[64], *text = NULL;
    struct error err = {0};
    struct arena arena = {0};
    if (argc != 7)
        PANIC("usage: bench-library FOLDER MODEL TASK PRECISION THREADS BODIES");
    const char *const folders[] = {argv[1], NULL};
    const struct brisk_options options = {.model_folders = folders,
                                          .precision = argv[4],
                                          .threads = (uint32_t)strtoul(argv[5], NULL, 10)};
    struct brisk_request request = {
        .model = argv[2], .task = argv[3], .wait_for_model = true, .no_cache = true};
    struct brisk *brisk = NULL;
    size_t len = 0;
    if (file_read(&text, &len, &arena, argv[6], 64 * MiB, &err) != STATUS_OK)
        PANIC("%s", err.text);
    split_lines(&bodies, text);
    if (brisk_create(&brisk, &options, error, sizeof error) != 0)
        PANIC("%s", error);
    call_ms(brisk, &request, bodies.body[0]); /* loads the model */
    while (fgets(line, sizeof line, stdin)) {
        const long calls = strtol(line, NULL, 10);
        if (calls < 1 || calls > MOST_CALLS)
            PANIC("%ld calls, must be 1 to %d", calls, MOST_CALLS);
        for (long i = 0; i < calls; i++)
            ms[i] = call_ms(brisk, &request, bodies.body[(uint32_t)i % bodies.n]);
        qsort(ms, (size_t)calls, sizeof *ms, by_size);
        printf("%.4f\n", ms[calls / 2]);
        fflush(stdout);
    }
    brisk_destroy(brisk);
    arena_deinit(&arena);
    return 0;
}
