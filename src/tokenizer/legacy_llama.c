/* SentencePiece models with byte fallback: Llama (and Mistral, Phi-3, Code Llama, which have its
 * converter) and Gemma. Their post-processors are made when the class is applied. */
#include "tokenizer/legacy_sentencepiece.h"

#include "base/banned.h"

#define SPACE_TO_MARK                                                                              \
    "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\xE2\x96\x81\"}"
#define BYTES_DECODER                                                                              \
    "{\"type\":\"Replace\",\"pattern\":{\"String\":\"\xE2\x96\x81\"},\"content\":\" \"},"          \
    "{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}"

/* ---- Llama --------------------------------------------------------------------------------- */

static bool prefix_space(const struct loader *loader) {
    return loader->class->extra == EXTRA_INFILLING ||
           legacy_flag(loader, "add_prefix_space", true); /* Code Llama does not know it */
}

static bool legacy_mode(const struct loader *loader) {
    return loader->class->extra == EXTRA_INFILLING || legacy_flag(loader, "legacy", true);
}

/* The added token with this id, which stands for the file's piece in the vocabulary; or NULL. */
static const struct json *added_with_id(const struct loader *loader, uint32_t id) {
    const struct json *decoder = json_get(loader->tokenizer_config, "added_tokens_decoder");
    const struct json *list = decoder ? NULL : json_get(loader->tokenizer_json, "added_tokens");
    char key[16];
    snprintf(key, sizeof key, "%u", id);
    if (decoder)
        return json_get(json_get(decoder, key), "content");
    for (uint32_t i = 0; json_is(list, JSON_ARRAY) && i < list->len; i++)
        if (json_get_int(json_at(list, i), "id", -1) == (int64_t)id)
            return json_get(json_at(list, i), "content");
    return NULL;
}

static void llama_vocabulary(struct loader *loader, struct piece_list *list,
                             const struct sentencepiece *model) {
    piece_list_pieces(list, model, 0);
    for (uint32_t i = 0; i < 3 && i < list->n; i++) {
        const struct json *content = added_with_id(loader, i);
        list->items[i].score = 0;
        if (json_is(content, JSON_STRING) && content->len > 0) {
            list->items[i].data = content->text;
            list->items[i].len = content->len;
        }
    }
}

static enum status llama_normalizer(struct loader *loader, const struct sentencepiece *model,
                                    struct error *err) {
    if (!legacy_mode(loader))
        return STATUS_OK;
    struct normalizers list = normalizers_begin();
    if (prefix_space(loader))
        normalizers_add(&list, "{\"type\":\"Prepend\",\"prepend\":\"\xE2\x96\x81\"}");
    normalizers_add(&list, SPACE_TO_MARK);
    return normalizers_end(&list, loader, err);
}

static enum status llama_pre_tokenizer(struct loader *loader, const char *scheme,
                                       struct error *err) {
    if (legacy_mode(loader))
        return STATUS_OK;
    return legacy_pre_tokenizer(
        loader,
        arena_printf(&loader->arena,
                     "{\"type\":\"Metaspace\",\"replacement\":\"\xE2\x96\x81\","
                     "\"prepend_scheme\":\"%s\",\"split\":false}",
                     scheme),
        err);
}

static enum status llama_decoder(struct loader *loader, const char *scheme, struct error *err) {
    const char *strip = ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}";
    return legacy_decoder(loader,
                          arena_printf(&loader->arena,
                                       "{\"type\":\"Sequence\",\"decoders\":[" BYTES_DECODER "%s]}",
                                       prefix_space(loader) ? strip : ""),
                          err);
}

static const char *llama_scheme(const struct loader *loader) {
    return scheme_of(prefix_space(loader), legacy_mode(loader));
}

RECIPE(llama, .file = "tokenizer.model", .vocabulary = llama_vocabulary, .unk = UNK_AT, .unk_id = 0,
       .byte_fallback = true, .normalizer = llama_normalizer, .pre_tokenizer = llama_pre_tokenizer,
       .decoder = llama_decoder, .scheme = llama_scheme)

/* ---- Gemma --------------------------------------------------------------------------------- */

static void gemma_vocabulary(struct loader *loader, struct piece_list *list,
                             const struct sentencepiece *model) {
    static const enum special_token roles[] = {TOKEN_PAD, TOKEN_EOS, TOKEN_BOS};
    bool has_tab = false;
    size_t tab_byte = 0;
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        const char *content = special_content(loader, roles[i]);
        content = arena_printf(&loader->arena, "%s", content ? content : "");
        piece_list_add(list, content, strlen(content), 0);
    }
    piece_list_pieces(list, model, 3);
    for (size_t i = 0; i < list->n; i++) {
        const struct scored_piece *piece = &list->items[i];
        has_tab = has_tab || (piece->len == 1 && piece->data[0] == '\t');
        if (tab_byte == 0 && piece->len == 6 && memcmp(piece->data, "<0x09>", 6) == 0)
            tab_byte = i;
    }
    if (!has_tab && tab_byte > 0)
        list->items[tab_byte] = (struct scored_piece){"\t", 1, 0};
}

static enum status gemma_normalizer(struct loader *loader, const struct sentencepiece *model,
                                    struct error *err) {
    return legacy_normalizer(loader, SPACE_TO_MARK, err);
}

static enum status gemma_pre_tokenizer(struct loader *loader, const char *scheme,
                                       struct error *err) {
    return legacy_pre_tokenizer(loader,
                                "{\"type\":\"Split\",\"pattern\":{\"String\":\" \"},"
                                "\"behavior\":\"MergedWithPrevious\",\"invert\":false}",
                                err);
}

static enum status gemma_decoder(struct loader *loader, const char *scheme, struct error *err) {
    return legacy_decoder(loader, "{\"type\":\"Sequence\",\"decoders\":[" BYTES_DECODER "]}", err);
}

RECIPE(gemma, .file = "tokenizer.model", .vocabulary = gemma_vocabulary, .unk = UNK_AT, .unk_id = 3,
       .byte_fallback = true, .normalizer = gemma_normalizer, .pre_tokenizer = gemma_pre_tokenizer,
       .decoder = gemma_decoder, .tab_is_byte = true, .specials = "<start_of_turn> <end_of_turn>")
