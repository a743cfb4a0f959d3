/* Fuzzing SentencePiece files, from the root of the repository. The first byte picks the class that
 * reads it, the rest is the file: a T5, Llama, XLM-R or ALBERT tokenizer is built of it and encodes
 * a text. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tokenizer/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *file, *config;
} classes[] = {
    {"spiece.model", "{\"tokenizer_class\":\"T5Tokenizer\",\"extra_ids\":5}"},
    {"tokenizer.model", "{\"tokenizer_class\":\"LlamaTokenizer\",\"legacy\":false}"},
    {"sentencepiece.bpe.model", "{\"tokenizer_class\":\"XLMRobertaTokenizer\"}"},
    {"spiece.model", "{\"tokenizer_class\":\"AlbertTokenizer\"}"},
    {"tokenizer.model", "{\"tokenizer_class\":\"GemmaTokenizer\"}"},
};

static char folder[] = "/tmp/brisk-fuzz-XXXXXX", config[64], model[64];
static bool started;

static void remove_folder(void) {
    unlink(config);
    unlink(model);
    rmdir(folder);
}

static void start(void) {
    if (!mkdtemp(folder))
        PANIC("cannot make a folder below /tmp");
    snprintf(config, sizeof config, "%s/tokenizer_config.json", folder);
    atexit(remove_folder);
    started = true;
}

static void put(const char *path, const void *data, size_t size) {
    FILE *out = fopen(path, "wb");
    if (!out)
        PANIC("cannot write %s", path);
    fwrite(data, 1, size, out);
    fclose(out);
}

static void run(const struct tokenizer *tokenizer) {
    static const char text[] =
        "The quick brown  fox's 1,234 caf\xC3\xA9 \xF0\x9F\x98\x80 <s><mask>";
    struct arena arena = {0};
    struct error err;
    struct encoding encoding;
    if (tokenizer_encode(tokenizer, &encoding, &arena, text, strlen(text), text, strlen(text), NULL,
                         &err) == STATUS_OK) {
        struct buf out;
        buf_init(&out, 64 * MiB);
        tokenizer_decode(tokenizer, &out, encoding.ids, encoding.n, (struct decode_options){0});
        if (out.len > 0 && !utf8_valid(out.data, out.len, NULL))
            PANIC("the decoded text is not UTF-8");
        buf_deinit(&out);
    }
    arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct tokenizer *tokenizer;
    struct error err;
    if (!started)
        start();
    if (size == 0)
        return 0;
    const size_t i = data[0] % ARRAY_LEN(classes);
    if (model[0])
        unlink(model);
    snprintf(model, sizeof model, "%s/%s", folder, classes[i].file);
    put(config, classes[i].config, strlen(classes[i].config));
    put(model, data + 1, size - 1);
    if (tokenizer_load(&tokenizer, folder, &err) == STATUS_OK) {
        run(tokenizer);
        tokenizer_destroy(tokenizer);
    }
    return 0;
}
