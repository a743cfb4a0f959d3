/* What a model answers at a precision, number by number: bench/quality.py compares precisions.
 *
 *     bench-quality FOLDER PRECISION
 *
 * A line on standard input is a text, token ids with spaces between; of a model with encoder and
 * decoder the encoder's ids, ";" and the decoder's. The answer is the head's outputs for every token of
 * the (decoder's) text: two 32-bit numbers, rows and outputs, then as many floats. */
#include <stdio.h>

#include "models/models.h"
#include "base/banned.h"

enum { MOST_TOKENS = 4096, THREADS = 2 };

struct text {
    int32_t tokens[MOST_TOKENS];
    uint32_t n;
};

static void must(enum status status, const struct error *err) {
    if (status != STATUS_OK)
        PANIC("%s", err->text);
}

static struct model *load(const char *folder, enum precision precision, struct repository *repository,
                          struct arch *arch) {
    struct error err = {0};
    struct checkpoint *checkpoint = NULL;
    struct team *team = NULL;
    struct model *model = NULL;
    must(repository_open(repository, folder, &err), &err);
    must(models_describe(arch, repository, &err), &err);
    must(checkpoint_open_repository(&checkpoint, repository, &err), &err);
    must(team_create(&team, THREADS, &err), &err);
    const struct model_options options = {.precision = precision, .team = team};
    must(model_create(&model, arch, checkpoint, &options, &err), &err);
    checkpoint_close(checkpoint);
    return model;
}

/* Ids up to the line's end or ";"; returns what follows. */
static char *read_ids(struct text *text, char *at, uint32_t vocab) {
    for (text->n = 0;;) {
        char *end;
        const long id = strtol(at, &end, 10);
        if (end == at)
            break;
        if (id < 0 || id >= (long)vocab || text->n == MOST_TOKENS)
            PANIC("token %ld, the %u. of a text, cannot be", id, text->n + 1);
        text->tokens[text->n++] = (int32_t)id;
        at = end;
    }
    at += strspn(at, " ");
    return *at == ';' ? at + 1 : at;
}

static void answer(struct model *model, const struct arch *arch, char *line) {
    static struct text texts[2];
    struct memory *memory = NULL;
    struct error err = {0};
    struct text *last = &texts[0];
    line = read_ids(&texts[0], line, arch->stacks[ARCH_TEXT_STACK].vocab_size);
    if (arch_has_decoder(arch)) {
        must(memory_create(&memory, model, arch->decoder_stack, texts[0].n, &err), &err);
        const struct segment encoded = {.tokens = texts[0].tokens, .n = texts[0].n, .remember = memory};
        model_forward(model, ARCH_TEXT_STACK, &encoded, 1);
        last = &texts[1];
        read_ids(last, line, arch->stacks[arch->decoder_stack].vocab_size);
    }
    const uint32_t sizes[] = {last->n, arch->head.outputs};
    const size_t floats = (size_t)sizes[0] * sizes[1];
    float *logits = mem_zalloc(floats, sizeof(float));
    const struct segment segment = {.tokens = last->tokens,
                                    .n = last->n,
                                    .memory = memory,
                                    .n_rows = last->n,
                                    .logits = logits};
    model_forward(model, arch->decoder_stack, &segment, 1);
    if (fwrite(sizes, sizeof(sizes), 1, stdout) != 1 || fwrite(logits, 4, floats, stdout) != floats ||
        fflush(stdout) != 0)
        PANIC("cannot write");
    mem_free(logits);
    memory_unref(memory);
}

int main(int argc, char **argv) {
    struct repository repository;
    struct arch arch;
    enum precision precision;
    char *line = NULL;
    size_t room = 0;
    if (argc != 3 || !precision_parse(argv[2], &precision))
        PANIC("usage: bench-quality FOLDER PRECISION");
    struct model *model = load(argv[1], precision, &repository, &arch);
    while (getline(&line, &room, stdin) > 0)
        answer(model, &arch, line);
    return 0;
}
