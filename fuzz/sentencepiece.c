/* Fuzzing SentencePiece files, from the root of the repository. The first byte picks the class that
 * reads it, the rest is the file: a T5, Llama, XLM-R or ALBERT tokenizer is built of it and encodes
 * a text. */
#include "tokenizer/tokenizer.h"

#include "folder.h"

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
    folder_need();
    if (size == 0)
        return 0;
    const size_t i = data[0] % ARRAY_LEN(classes);
    folder_put("tokenizer_config.json", classes[i].config, strlen(classes[i].config));
    folder_put(classes[i].file, data + 1, size - 1);
    if (tokenizer_load(&tokenizer, folder, &err) == STATUS_OK) {
        run(tokenizer);
        tokenizer_destroy(tokenizer);
    }
    folder_drop(classes[i].file);
    return 0;
}
