/* Fuzzes the front matter reader twice an input: as a whole README.md, and as the YAML between two
 * lines of dashes (so that the fuzzer need not find them). */
#include "formats/card.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const char *text, size_t len) {
    struct arena arena = {0};
    struct error err = {0};
    struct card card;
    (void)!card_parse(&card, &arena, text, len, &err);
    arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    parse((const char *)data, size);
    struct buf buf;
    buf_init(&buf, size + 16);
    buf_puts(&buf, "---\n");
    buf_append(&buf, data, size);
    buf_puts(&buf, "\n---\n");
    parse(buf.data, buf.len);
    buf_deinit(&buf);
    return 0;
}
