/* Fuzzing the tokenizer, from the root of the repository. The first byte picks: 0, the rest up to a
 * zero byte is a tokenizer.json, what follows a text for it; else one of the golden tokenizers
 * encodes the rest. What comes out must lie inside the text and decode to UTF-8. */
#include "tokenizer/tokenizer.h"

#include "folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 255 /* golden tokenizers in use: what a byte can pick */

static struct tokenizer *goldens[MOST];
static size_t n_goldens;

static void start(void) {
    struct arena arena = {0};
    struct error err;
    static const char *const roots[] = {"tests/golden/tokenizer-slow", "tests/golden/tokenizer"};
    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        char **names = folder_list(&arena, roots[i]);
        for (; names && *names && n_goldens < MOST; names++)
            if (tokenizer_load(&goldens[n_goldens], path_join(&arena, roots[i], *names), &err) ==
                STATUS_OK)
                n_goldens++;
    }
    arena_deinit(&arena);
    if (n_goldens == 0)
        PANIC("run from the root of the repository");
    folder_need();
}

static void check_encoding(const struct encoding *encoding, size_t code_points) {
    for (size_t i = 0; i < encoding->n; i++)
        if (encoding->offsets[i].start > encoding->offsets[i].end ||
            encoding->offsets[i].end > code_points)
            PANIC("offset [%u, %u) of %zu", encoding->offsets[i].start, encoding->offsets[i].end,
                  code_points);
}

/* `strict`: the tokenizer is one of ours, so that its offsets must be sane. */
static void run(const struct tokenizer *tokenizer, const char *text, size_t len, bool strict) {
    static const struct encode_options options[] = {
        {0},
        {.no_special_tokens = true},
        {.truncation = TRUNCATE_LONGEST_FIRST, .max_length = 7, .overflow = true, .stride = 1},
        {.truncation = TRUNCATE_ONLY_FIRST, .max_length = 9, .truncate_left = true},
    };
    struct arena arena = {0};
    struct error err;
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        struct encoding encoding;
        const char *pair = i % 2 ? text : NULL;
        if (tokenizer_encode(tokenizer, &encoding, &arena, text, len, pair, pair ? len / 2 : 0,
                             &options[i], &err) != STATUS_OK)
            continue;
        if (strict)
            check_encoding(&encoding, utf8_count(text, len));
        struct buf out;
        buf_init(&out, 64 * MiB);
        tokenizer_decode(tokenizer, &out, encoding.ids, encoding.n, (struct decode_options){0});
        if (out.len > 0 && !utf8_valid(out.data, out.len, NULL))
            PANIC("the decoded text is not UTF-8");
        buf_deinit(&out);
    }
    arena_deinit(&arena);
}

static void run_file(const char *data, size_t size) {
    const char *zero = memchr(data, 0, size);
    const size_t len = zero ? (size_t)(zero - data) : size;
    struct tokenizer *tokenizer;
    struct error err;
    folder_put("tokenizer.json", data, len);
    if (tokenizer_load(&tokenizer, folder, &err) != STATUS_OK)
        return;
    static const char known[] = "The dog's 123 caf\xC3\xA9 \xF0\x9F\x98\x80 <s> <unk>";
    run(tokenizer, known, strlen(known), false);
    if (zero)
        run(tokenizer, zero + 1, size - len - 1, false);
    tokenizer_destroy(tokenizer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (n_goldens == 0)
        start();
    if (size == 0)
        return 0;
    const char *rest = (const char *)data + 1;
    if (data[0] == 0)
        run_file(rest, size - 1);
    else
        run(goldens[(data[0] - 1) % n_goldens], rest, size - 1, true);
    return 0;
}
