/* Byte-pair encodings over bytes: vocab.json and merges.txt, as GPT2Converter, RobertaConverter,
 * CLIPConverter, Qwen2Converter and their kin build them. */
#include "tokenizer/slow.h"

#include "tokenizer/lossy.h"

#include "base/banned.h"

/* `settings` are members of the model's JSON behind its merges, each with a comma in front. The
 * first line of merges.txt is a head line, unless `versioned` says that it must look like one. */
static enum status bpe_versioned(struct loader *loader, const char *settings, bool versioned,
                                 struct error *err) {
    char *data;
    size_t len;
    const char *model =
        arena_printf(&loader->arena, "{\"type\":\"BPE\",\"merges\":[]%s}", settings);
    if (legacy_vocab_json(loader, "vocab.json", err) != STATUS_OK ||
        legacy_model(loader, model, err) != STATUS_OK ||
        legacy_read(loader, "merges.txt", &data, &len, err) != STATUS_OK)
        return STATUS_ERROR;
    if (versioned && strncmp(data, "#version:", 9) != 0) {
        data = arena_printf(&loader->arena, "\n%s", data);
        len = strlen(data);
    }
    if (bpe_add_merges(&loader->tokenizer->model, loader, data, len, err) != STATUS_OK)
        return error_prefix(err, "merges.txt: ");
    return STATUS_OK;
}

static enum status bpe(struct loader *loader, const char *settings, struct error *err) {
    return bpe_versioned(loader, settings, false, err);
}

static const char *byte_level(const struct loader *loader) {
    return legacy_flag(loader, "add_prefix_space", loader->class->prefix_space)
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
    if (!bos)
        return ERR(err, MODEL, "add_bos_token is true, but there is no bos_token");
    legacy_post(loader,
                (struct legacy_post){.single = arena_printf(&loader->arena, "%s:0 $A:0", bos),
                                     .pair = arena_printf(&loader->arena, "%s:0 $A:0 $B:1", bos)});
    return STATUS_OK;
}

enum status legacy_roberta(struct loader *loader, struct error *err) {
    if (bpe(loader, "", err) != STATUS_OK || stages(loader, byte_level(loader), err) != STATUS_OK)
        return STATUS_ERROR;
    legacy_post(loader, (struct legacy_post){.type = "RobertaProcessing",
                                             .cls = TOKEN_CLS,
                                             .sep = TOKEN_SEP,
                                             .trim_offsets = true});
    return STATUS_OK;
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
    legacy_post(loader, (struct legacy_post){
                            .type = "RobertaProcessing", .cls = TOKEN_BOS, .sep = TOKEN_EOS});
    return STATUS_OK;
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

static enum status byte_level_template(struct loader *loader, const char *settings,
                                       const char *single, const char *pair, struct error *err) {
    if (bpe(loader, settings, err) != STATUS_OK ||
        stages(loader, byte_level(loader), err) != STATUS_OK)
        return STATUS_ERROR;
    legacy_post(loader, (struct legacy_post){.single = single, .pair = pair});
    return STATUS_OK;
}

enum status legacy_deberta(struct loader *loader, struct error *err) {
    return byte_level_template(loader, "", "[CLS]:0 $A:0 [SEP]:0",
                               "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", err);
}

enum status legacy_blenderbot(struct loader *loader, struct error *err) {
    const char *eos = special_content(loader, TOKEN_EOS);
    const char *single = eos ? arena_printf(&loader->arena, "$A:0 %s:0", eos) : "$A:0";
    return byte_level_template(loader, "", single, "$A:0 $B:1", err);
}

enum status legacy_markuplm(struct loader *loader, struct error *err) {
    const char *cls = special_content(loader, TOKEN_CLS), *sep = special_content(loader, TOKEN_SEP);
    const char *unk = special_content(loader, TOKEN_UNK);
    if (!cls || !sep || !unk)
        return ERR(err, MODEL, "cls_token, sep_token and unk_token must not be null");
    const char *settings =
        arena_printf(&loader->arena, ",\"unk_token\":%s", legacy_quoted(loader, unk));
    const char *single = arena_printf(&loader->arena, "%s $A %s", cls, sep);
    return byte_level_template(loader, settings, single,
                               arena_printf(&loader->arena, "%s $B %s", single, sep), err);
}

/* Without a language and a task in its settings. */
enum status legacy_whisper(struct loader *loader, struct error *err) {
    static const char head[] = "<|startoftranscript|>:0 <|notimestamps|>:0";
    const char *eos = special_content(loader, TOKEN_EOS);
    if (!eos)
        return ERR(err, MODEL, "eos_token must not be null");
    return byte_level_template(loader, "", arena_printf(&loader->arena, "%s $A:0 %s:0", head, eos),
                               arena_printf(&loader->arena, "%s $A:0 $B:1 %s:1", head, eos), err);
}

/* ---- LUKE ---------------------------------------------------------------------------------- */

static void luke_join(const struct tokenizer *tokenizer, const struct strings *tokens,
                      struct buf *out) {
    struct buf bytes;
    buf_init(&bytes, LIMIT_TEXT);
    for (size_t i = 0; i < tokens->n; i++) {
        const struct string *token = &tokens->items[i];
        for (size_t pos = 0; pos < token->len;) {
            const size_t at = pos;
            const int byte = byte_level_byte(text_next(token->data, token->len, &pos));
            if (byte >= 0)
                buf_putc(&bytes, (char)byte);
            else
                buf_append(&bytes, token->data + at, pos - at);
        }
    }
    if (bytes.len > 0)
        lossy_append(out, bytes.data, bytes.len);
    buf_deinit(&bytes);
}

/* add_prefix_space: of the whole text. */
static void luke_prepare(struct text *text, struct arena *scratch) {
    size_t pos = 0;
    if (text->len > 0 && !slow_is_space(text_next(text->data, text->len, &pos)))
        text_prepend(text, scratch, " ", 1);
}

static const struct slow_kind luke = {.join = luke_join};
static const struct slow_kind luke_with_space = {.join = luke_join, .prepare = luke_prepare};

/* RoBERTa's pairs by the rules of Python classes. Its entities are no text, and not looked at. */
enum status legacy_luke(struct loader *loader, struct error *err) {
    const char *unk = special_content(loader, TOKEN_UNK);
    const char *settings = arena_printf(&loader->arena, ",\"unk_token\":%s",
                                        unk ? legacy_quoted(loader, unk) : "null");
    const bool space = legacy_flag(loader, "add_prefix_space", false);
    struct slow *slow = slow_begin(loader, space ? &luke_with_space : &luke, NULL);
    slow->keeps_unknown = true;
    /* A Sequence: the class does not put spaces in front of every part of a text. */
    if (bpe(loader, settings, err) != STATUS_OK ||
        legacy_pre_tokenizer(loader,
                             "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\","
                             "\"add_prefix_space\":false}]}",
                             err) != STATUS_OK)
        return STATUS_ERROR;
    slow->base_size = loader->tokenizer->vocab.count;
    slow_post(loader, "%c $A %s", "%c $A %s %s $B %s");
    return STATUS_OK;
}

/* TAPEX: LUKE's text without entities, BART's tokens; its tables become text in table_lines.c. */
enum status legacy_tapex(struct loader *loader, struct error *err) {
    const uint32_t cell_tokens = legacy_count(loader, "max_cell_length");
    loader->tokenizer->tables = (struct table_settings){
        .form = TABLES_LINEAR,
        .cell_tokens = cell_tokens > 0 ? cell_tokens : 15,
        .lowercase = legacy_flag(loader, "do_lower_case", true),
    };
    if (legacy_luke(loader, err) != STATUS_OK)
        return STATUS_ERROR;
    loader->tokenizer->slow->lowers = loader->tokenizer->tables.lowercase;
    return STATUS_OK;
}

/* ---- pairs of characters ------------------------------------------------------------------- */

/* OpenAI GPT and HerBERT: words end in "</w>", no bytes. */
static enum status word_bpe(struct loader *loader, bool lowercase, const char *strip_accents,
                            struct error *err) {
    const char *unk = special_content(loader, TOKEN_UNK);
    const char *settings =
        arena_printf(&loader->arena, ",\"end_of_word_suffix\":\"</w>\",\"unk_token\":%s",
                     unk ? legacy_quoted(loader, unk) : "null");
    const char *normalizer = arena_printf(
        &loader->arena,
        "{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"
        "\"strip_accents\":%s,\"lowercase\":%s}",
        strip_accents, legacy_bool(lowercase));
    if (bpe_versioned(loader, settings, !lowercase, err) != STATUS_OK ||
        legacy_normalizer(loader, normalizer, err) != STATUS_OK ||
        legacy_pre_tokenizer(loader, "{\"type\":\"BertPreTokenizer\"}", err) != STATUS_OK)
        return STATUS_ERROR;
    return legacy_decoder(loader, "{\"type\":\"BPEDecoder\",\"suffix\":\"</w>\"}", err);
}

enum status legacy_openai_gpt(struct loader *loader, struct error *err) {
    const char *unk = special_content(loader, TOKEN_UNK);
    if (word_bpe(loader, true, "null", err) != STATUS_OK)
        return STATUS_ERROR;
    if (unk && vocab_find(&loader->tokenizer->vocab, unk, strlen(unk)) >= 0)
        added_add(
            loader->tokenizer,
            (struct added_token){.content = arena_strndup(loader_arena(loader), unk, strlen(unk)),
                                 .len = strlen(unk),
                                 .special = true});
    return STATUS_OK;
}

enum status legacy_herbert(struct loader *loader, struct error *err) {
    if (word_bpe(loader, false, "false", err) != STATUS_OK)
        return STATUS_ERROR;
    legacy_post(loader,
                (struct legacy_post){.type = "BertProcessing", .cls = TOKEN_CLS, .sep = TOKEN_SEP});
    return STATUS_OK;
}
