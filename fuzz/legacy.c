/* Fuzzing the files of tokenizer classes that exist in Python only, and tiktoken's, from the root
 * of the repository. The first byte picks class and file, the rest is that file: a tokenizer is
 * built of it and encodes a text, whose ids are decoded. From 128 on it picks a golden folder of
 * the classes on the Moses scripts, and the rest is the text. */
#include "tokenizer/tokenizer.h"

#include "folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *config, *file, *other, *content; /* other: a file that stays as it is, or NULL */
} classes[] = {
    {"{\"tokenizer_class\":\"LlamaTokenizer\"}", "tokenizer.model", NULL, NULL},
    {"{\"tokenizer_class\":\"PhobertTokenizer\"}", "bpe.codes", "vocab.txt", "the 1\nfox@@ 1\n"},
    {"{\"tokenizer_class\":\"PhobertTokenizer\"}", "vocab.txt", "bpe.codes", "t h 2\nth e</w> 1\n"},
    {"{\"tokenizer_class\":\"CTRLTokenizer\"}", "merges.txt", "vocab.json",
     "{\"<unk>\":0,\"the\":1}"},
    {"{\"tokenizer_class\":\"BertGenerationTokenizer\"}", "spiece.model", NULL, NULL},
    {"{\"tokenizer_class\":\"GPTSw3Tokenizer\",\"do_lower_case\":true}", "spiece.model", NULL,
     NULL},
    {"{\"tokenizer_class\":\"PLBartTokenizer\"}", "sentencepiece.bpe.model", NULL, NULL},
    {"{\"tokenizer_class\":\"Wav2Vec2CTCTokenizer\",\"do_lower_case\":true}", "vocab.json", NULL,
     NULL},
    {"{\"tokenizer_class\":\"EsmTokenizer\"}", "vocab.txt", NULL, NULL},
    {NULL, "tokenizer_config.json", NULL, NULL},
    {"{\"tokenizer_class\":\"ProphetNetTokenizer\",\"never_split\":[\"fox's\"]}",
     "prophetnet.tokenizer", NULL, NULL},
    {"{\"tokenizer_class\":\"TapasTokenizer\"}", "vocab.txt", NULL, NULL},
    {"{\"tokenizer_class\":\"MyT5Tokenizer\"}", "byte_maps.json", NULL, NULL},
    {"{\"tokenizer_class\":\"QWenTokenizer\"}", "qwen.tiktoken", NULL, NULL},
    {"{\"tokenizer_class\":\"LlamaTokenizer\"}", "tekken.json", NULL, NULL},
    {"{\"tokenizer_class\":\"LukeTokenizer\"}", "merges.txt", "vocab.json",
     "{\"<unk>\":0,\"t\":1,\"h\":2,\"th\":3}"},
};

/* Classes on the Moses scripts: the file is a text, which is encoded and decoded. */
static const char *const text_folders[] = {"xlm-cased", "flaubert-lower", "fsmt-de-en",
                                           "fsmt-ru-fr", "biogpt"};

static void run(const struct tokenizer *tokenizer, const char *text, size_t len) {
    struct arena arena = {0};
    struct error err;
    struct encoding encoding;
    if (tokenizer_encode(tokenizer, &encoding, &arena, text, len, text, len, NULL, &err) ==
        STATUS_OK) {
        struct buf out;
        buf_init(&out, 64 * MiB);
        tokenizer_decode(tokenizer, &out, encoding.ids, encoding.n,
                         (struct decode_options){.keep_special = true});
        if (out.len > 0 && !utf8_valid(out.data, out.len, NULL))
            PANIC("the decoded text is not UTF-8");
        buf_deinit(&out);
        for (size_t i = 0; i < encoding.n; i++)
            if (encoding.offsets[i].start > encoding.offsets[i].end ||
                encoding.offsets[i].end > utf8_count(text, len))
                PANIC("offset [%u, %u)", encoding.offsets[i].start, encoding.offsets[i].end);
    }
    arena_deinit(&arena);
}

/* The tokenizers stay loaded. */
static void run_text(size_t pick, const char *text, size_t len) {
    static struct tokenizer *tokenizers[ARRAY_LEN(text_folders)];
    char path[100];
    struct error err;
    snprintf(path, sizeof path, "tests/golden/tokenizer-moses/%s", text_folders[pick]);
    if (!tokenizers[pick] && tokenizer_load(&tokenizers[pick], path, &err) != STATUS_OK)
        PANIC("%s", err.text);
    run(tokenizers[pick], text, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char text[] = "The quick brown  fox's 1,234 caf\xC3\xA9\n \xF0\x9F\x98\x80 "
                               "<s><mask> >>fra<< \xE2\x96\x81the";
    folder_need();
    if (size == 0)
        return 0;
    if (data[0] >= 128) {
        run_text(data[0] % ARRAY_LEN(text_folders), (const char *)data + 1, size - 1);
        return 0;
    }
    const size_t pick = data[0] % ARRAY_LEN(classes);
    struct tokenizer *tokenizer;
    struct error err;
    folder_put(classes[pick].file, data + 1, size - 1);
    if (classes[pick].config)
        folder_put("tokenizer_config.json", classes[pick].config, strlen(classes[pick].config));
    if (classes[pick].other)
        folder_put(classes[pick].other, classes[pick].content, strlen(classes[pick].content));
    if (tokenizer_load(&tokenizer, folder, &err) == STATUS_OK) {
        run(tokenizer, text, strlen(text));
        tokenizer_destroy(tokenizer);
    }
    folder_drop("tokenizer_config.json");
    folder_drop(classes[pick].file);
    if (classes[pick].other)
        folder_drop(classes[pick].other);
    return 0;
}
