/* Byte-pair encodings over bytes: vocab.json and merges.txt, as GPT2Converter, RobertaConverter,
 * CLIPConverter and Qwen2Converter build them. */
#include "tokenizer/legacy.h"

#include "base/banned.h"

/* `settings` are members of the model's JSON behind its merges, each with a comma in front. */
static enum status bpe(struct loader *loader, const char *settings, struct error *err) {
    char *data;
    size_t len;
    const char *model =
        arena_printf(&loader->arena, "{\"type\":\"BPE\",\"merges\":[]%s}", settings);
    if (legacy_vocab_json(loader, "vocab.json", err) != STATUS_OK ||
        legacy_model(loader, model, err) != STATUS_OK ||
        legacy_read(loader, "merges.txt", &data, &len, err) != STATUS_OK)
        return STATUS_ERROR;
    if (bpe_add_merges(&loader->tokenizer->model, loader, data, len, err) != STATUS_OK)
        return error_prefix(err, "merges.txt: ");
    return STATUS_OK;
}

static const char *byte_level(const struct loader *loader) {
    return legacy_flag(loader, "add_prefix_space", false)
               ? "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}"
               : "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}";
}

static enum status stages(struct loader *loader, const char *pre_tokenizer, struct error *err) {
    if (legacy_pre_tokenizer(loader, pre_tokenizer, err) != STATUS_OK)
        return STATUS_ERROR;
    return legacy_decoder(loader, "{\"type\":\"ByteLevel\"}", err);
}

enum status legacy_gpt2(struct loader *loader, struct error *err) {
    if (bpe(loader, "", err) != STATUS_OK || stages(loader, byte_level(loader), err) != STATUS_OK)
        return STATUS_ERROR;
    if (!legacy_flag(loader, "add_bos_token", false))
        return legacy_post_processor(loader, "{\"type\":\"ByteLevel\",\"trim_offsets\":false}",
                                     err);
    const char *bos = special_content(loader, TOKEN_BOS);
    if (!bos || tokenizer_token_to_id(loader->tokenizer, bos, strlen(bos)) < 0)
        return ERR(err, MODEL, "add_bos_token is true, but bos_token is not in the vocabulary");
    return legacy_template(loader, arena_printf(&loader->arena, "%s:0 $A:0", bos),
                           arena_printf(&loader->arena, "%s:0 $A:0 $B:1", bos), err);
}

enum status legacy_roberta(struct loader *loader, struct error *err) {
    if (bpe(loader, "", err) != STATUS_OK || stages(loader, byte_level(loader), err) != STATUS_OK)
        return STATUS_ERROR;
    return legacy_cls_sep(loader, "RobertaProcessing", TOKEN_CLS, TOKEN_SEP,
                          legacy_flag(loader, "trim_offsets", true), err);
}

enum status legacy_clip(struct loader *loader, struct error *err) {
    static const char normalizer[] =
        "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"Replace\","
        "\"pattern\":{\"Regex\":\"\\\\s+\"},\"content\":\" \"},{\"type\":\"Lowercase\"}]}";
    static const char pre_tokenizer[] =
        "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":"
        "\"'s|'t|'re|'ve|'m|'ll|'d|[\\\\p{L}]+|[\\\\p{N}]|[^\\\\s\\\\p{L}\\\\p{N}]+\"},"
        "\"behavior\":\"Removed\",\"invert\":true},{\"type\":\"ByteLevel\","
        "\"add_prefix_space\":false}]}";
    const char *unk = special_content(loader, TOKEN_UNK);
    const char *settings =
        arena_printf(&loader->arena, ",\"end_of_word_suffix\":\"</w>\",\"unk_token\":%s",
                     unk ? legacy_quoted(loader, unk) : "null");
    if (bpe(loader, settings, err) != STATUS_OK ||
        legacy_normalizer(loader, normalizer, err) != STATUS_OK ||
        stages(loader, pre_tokenizer, err) != STATUS_OK)
        return STATUS_ERROR;
    return legacy_cls_sep(loader, "RobertaProcessing", TOKEN_BOS, TOKEN_EOS, false, err);
}

enum status legacy_qwen2(struct loader *loader, struct error *err) {
    static const char pre_tokenizer[] =
        "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":"
        "\"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}|"
        " ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"},"
        "\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\",\"use_regex\":false,"
        "\"add_prefix_space\":false}]}";
    if (bpe(loader, "", err) != STATUS_OK ||
        legacy_normalizer(loader, "{\"type\":\"NFC\"}", err) != STATUS_OK ||
        stages(loader, pre_tokenizer, err) != STATUS_OK)
        return STATUS_ERROR;
    return legacy_post_processor(loader, "{\"type\":\"ByteLevel\",\"trim_offsets\":false}", err);
}
