/* The smaller Python classes on SentencePiece: Speech2Text, SpeechT5, BertGeneration, GPT-SW3,
 * XLM-ProphetNet, mLUKE, PLBart and BARTpho. */
#include "tokenizer/legacy_spm.h"

#include "tokenizer/normal_forms.h"
#include "base/banned.h"

/* ---- Speech2Text --------------------------------------------------------------------------- */

static void speech_join(const struct tokenizer *tokenizer, const struct strings *tokens,
                        struct buf *out) {
    static const struct spm_style style = {.behind = " ", .strips = true};
    spm_join_runs(tokenizer, tokens, out, &style);
}

/* The target language in front has the SentencePiece file's id, as the class asks for it; the other
 * tokens have vocab.json's. */
static enum status speech_finish(struct loader *loader, struct error *err) {
    const struct tokenizer *tokenizer = loader->tokenizer;
    const struct spm_pair *pair = tokenizer->slow->state;
    const char *code = json_get_string(loader->tokenizer_config, "tgt_lang", "pt");
    const char *token = arena_printf(&loader->arena, "<lang:%s>", code);
    if (!json_get_string(loader->tokenizer_config, "lang_codes", NULL))
        return STATUS_OK;
    if (!strstr(loader->class->extra_tokens, token))
        return ERR(err, MODEL, "tgt_lang is \"%s\", must be one of %s", code,
                   loader->class->extra_tokens);
    if (tokenizer->roles[TOKEN_EOS] < 0)
        return ERR(err, MODEL, "eos_token is null, but a %s ends texts with it",
                   loader->class->name);
    static const char piece[] = "{\"Sequence\":{\"id\":\"%s\",\"type_id\":0}}";
    static const char special[] = "{\"SpecialToken\":{\"id\":\"%s\",\"type_id\":0}}";
    struct arena *arena = &loader->arena;
    const char *a = arena_printf(arena, piece, "A"), *b = arena_printf(arena, piece, "B");
    const char *front = arena_printf(arena, special, "lang");
    const char *end = arena_printf(arena, special, "eos");
    return legacy_post_processor(
        loader,
        arena_printf(
            arena,
            "{\"type\":\"TemplateProcessing\",\"single\":[%s,%s,%s],\"pair\":[%s,%s,%s,%s],"
            "\"special_tokens\":{\"lang\":{\"id\":\"lang\",\"ids\":[%d],\"tokens\":[\"l\"]},"
            "\"eos\":{\"id\":\"eos\",\"ids\":[%d],\"tokens\":[\"e\"]}}}",
            front, a, end, front, a, b, end, spm_id(pair->encoder, token, strlen(token)),
            tokenizer->roles[TOKEN_EOS]),
        err);
}

static const struct slow_kind speech_to_text = {
    .join = speech_join, .destroy = spm_pair_destroy, .finish = speech_finish};

/* With lang_codes "mustc" a text begins with the target language. */
enum status legacy_speech_to_text(struct loader *loader, struct error *err) {
    const char *codes = json_get_string(loader->tokenizer_config, "lang_codes", NULL);
    if (codes && strcmp(codes, "mustc") != 0)
        return ERR(err, MODEL, "lang_codes is \"%s\", must be \"mustc\" or absent", codes);
    if (spm_begin(loader, &speech_to_text, "sentencepiece.bpe.model", err) != STATUS_OK ||
        legacy_vocab_json(loader, "vocab.json", err) != STATUS_OK)
        return STATUS_ERROR;
    struct slow *slow = loader->tokenizer->slow;
    ((struct spm_pair *)slow->state)->uppers = legacy_flag(loader, "do_upper_case", false);
    slow->lowers = legacy_flag(loader, "do_lower_case", false);
    slow->base_size = loader->tokenizer->vocab.count;
    if (!codes)
        slow_post(loader, "$A %e", "$A $B %e");
    return STATUS_OK;
}

/* ---- ids of the file ----------------------------------------------------------------------- */

static void stripped_join(const struct tokenizer *tokenizer, const struct strings *tokens,
                          struct buf *out) {
    static const struct spm_style style = {.behind = "", .strips = true};
    spm_join_runs(tokenizer, tokens, out, &style);
}

static void spaced_join(const struct tokenizer *tokenizer, const struct strings *tokens,
                        struct buf *out) {
    static const struct spm_style style = {.behind = "", .space_before = true};
    spm_join_runs(tokenizer, tokens, out, &style);
}

static void spaced_stripped_join(const struct tokenizer *tokenizer, const struct strings *tokens,
                                 struct buf *out) {
    static const struct spm_style style = {.behind = "", .space_before = true, .strips = true};
    spm_join_runs(tokenizer, tokens, out, &style);
}

static const struct slow_kind bert_generation = {.join = stripped_join,
                                                 .destroy = spm_pair_destroy};
static const struct slow_kind gpt_sw3 = {
    .never_cleans = true, .byte_pieces = true, .join = spaced_join, .destroy = spm_pair_destroy};
static const struct slow_kind speecht5 = {.join = spaced_stripped_join,
                                          .destroy = spm_pair_destroy};

enum status legacy_bert_generation(struct loader *loader, struct error *err) {
    if (spm_begin(loader, &bert_generation, "spiece.model", err) != STATUS_OK)
        return STATUS_ERROR;
    spm_vocabulary(loader, "", 0);
    return STATUS_OK;
}

enum status legacy_speecht5(struct loader *loader, struct error *err) {
    if (legacy_flag(loader, "normalize", false))
        return ERR(err, MODEL,
                   "\"normalize\": true (English numbers in words) is not supported; "
                   "set it to false and write numbers out");
    if (spm_begin(loader, &speecht5, "spm_char.model", err) != STATUS_OK)
        return STATUS_ERROR;
    spm_vocabulary(loader, "", 0);
    slow_post(loader, "$A %e", "$A $B %e");
    return STATUS_OK;
}

static bool sw3_drops(uint32_t c) {
    return c <= 8 || (c >= 11 && c <= 31) || (c >= 127 && c <= 160) || c == 0xAD || c == 0x200B;
}

static bool sw3_is_space(uint32_t c) {
    return c == 0x2002 || c == 0x2003 || c == 0x2005 || (c >= 0x2008 && c <= 0x200A) ||
           c == 0x202F || c == 0x3000 || c == 0xFFFC;
}

/* Characters that do not print go, odd spaces are made plain, then NFC. */
static void sw3_normalize(const struct stage *stage, struct text *text, struct arena *scratch) {
    struct writer writer = writer_begin(scratch, text->len);
    for (size_t pos = 0; pos < text->len;) {
        size_t next = pos;
        const uint32_t c = text_next(text->data, text->len, &next);
        if (!sw3_drops(c))
            writer_put(&writer, sw3_is_space(c) ? ' ' : c, text_from(text, pos, next));
        pos = next;
    }
    writer_end(&writer, text);
    normal_form(text, scratch, (struct normal_form){.compose = true});
    spm_normalize(((struct spm_pair *)stage->state)->encoder, text, scratch);
}

static const struct stage_kind sw3_normalizer = {.type = "GPT-SW3", .normalize = sw3_normalize};

enum status legacy_gpt_sw3(struct loader *loader, struct error *err) {
    if (spm_begin(loader, &gpt_sw3, "spiece.model", err) != STATUS_OK)
        return STATUS_ERROR;
    struct slow *slow = loader->tokenizer->slow;
    slow->lowers = legacy_flag(loader, "do_lower_case", false);
    loader->tokenizer->normalizer = slow_stage(loader, &sw3_normalizer, slow->state);
    spm_vocabulary(loader, "", 0);
    return STATUS_OK;
}

/* ---- ids moved as fairseq's ---------------------------------------------------------------- */

static const struct slow_kind fairseq = {.join = spm_join_concat, .destroy = spm_pair_destroy};

enum status legacy_xlm_prophetnet(struct loader *loader, struct error *err) {
    if (spm_begin(loader, &fairseq, "prophetnet.tokenizer", err) != STATUS_OK)
        return STATUS_ERROR;
    spm_vocabulary(loader,
                   "[PAD] [CLS] [SEP] [UNK] [MASK] [unused0] [unused1] [unused2] [unused3] "
                   "[unused4] [unused5] [unused6] [unused7] [unused8] [unused9]",
                   12);
    slow_post(loader, "$A %s", "$A %s $B %s");
    return STATUS_OK;
}

enum status legacy_mluke(struct loader *loader, struct error *err) {
    if (spm_begin(loader, &fairseq, "sentencepiece.bpe.model", err) != STATUS_OK)
        return STATUS_ERROR;
    spm_vocabulary(loader, "<s> <pad> </s> <unk>", 1);
    struct slow *slow = loader->tokenizer->slow;
    spm_put_token(loader, "<mask>", slow->base_size++);
    slow_post(loader, "%c $A %s", "%c $A %s %s $B %s");
    return STATUS_OK;
}

static const char *plbart_language(const struct loader *loader, const char *code) {
    static const char *const codes[] = {"java", "python", "en_XX", "javascript",
                                        "php",  "ruby",   "go"};
    for (size_t i = 0; code && i < ARRAY_LEN(codes); i++)
        if (strcmp(code, codes[i]) == 0)
            return arena_printf((struct arena *)&loader->arena, "__%s__", code);
    return code;
}

/* So that a request can name another source language. */
static enum status plbart_finish(struct loader *loader, struct error *err) {
    struct tokenizer *tokenizer = loader->tokenizer;
    const char *source = json_get_string(loader->tokenizer_config, "src_lang", "en_XX");
    const char *token = plbart_language(loader, source);
    tokenizer->language_format = "__%s__";
    tokenizer->language = tokenizer_token_to_id(tokenizer, token, strlen(token));
    return STATUS_OK;
}

static const struct slow_kind plbart = {
    .join = spm_join_concat, .finish = plbart_finish, .destroy = spm_pair_destroy};

/* The text ends with eos and the source language, if one is named. */
enum status legacy_plbart(struct loader *loader, struct error *err) {
    const char *codes = json_get_string(loader->tokenizer_config, "language_codes", "base");
    const bool base = strcmp(codes, "base") == 0;
    if (spm_begin(loader, &plbart, "sentencepiece.bpe.model", err) != STATUS_OK)
        return STATUS_ERROR;
    spm_vocabulary(loader, "<s> <pad> </s> <unk>", 1);
    struct slow *slow = loader->tokenizer->slow;
    const char *languages = base ? "__java__ __python__ __en_XX__"
                                 : "__java__ __python__ __en_XX__ __javascript__ __php__ __ruby__ "
                                   "__go__";
    struct tokenizer_class *class = arena_copy(&loader->arena, loader->class, sizeof *class);
    class->extra_tokens = languages;
    loader->class = class;
    for (const char *at = languages; *at;) {
        const size_t len = strcspn(at, " ");
        spm_put_token(loader, arena_strndup(&loader->arena, at, len), slow->base_size++);
        at += len + (at[len] == ' ');
    }
    if (base)
        spm_put_token(loader, "<mask>", slow->base_size++);
    const char *source = plbart_language(
        loader, json_get_string(loader->tokenizer_config, "src_lang", base ? NULL : "__en_XX__"));
    const char *tail = source ? arena_printf(&loader->arena, " %s", source) : "";
    slow_post(loader, arena_printf(&loader->arena, "$A %%e%s", tail),
              arena_printf(&loader->arena, "$A $B %%e%s", tail));
    return STATUS_OK;
}

/* ---- BARTpho ------------------------------------------------------------------------------- */

/* The roles' tokens, then the first word of each line of dict.txt, then the mask. */
static enum status bartpho_vocabulary(struct loader *loader, struct error *err) {
    static const enum special_token roles[] = {TOKEN_BOS, TOKEN_PAD, TOKEN_EOS,
                                               TOKEN_UNK, TOKEN_SEP, TOKEN_CLS};
    struct vocab *vocab = &loader->tokenizer->vocab;
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        const char *token = special_content(loader, roles[i]);
        if (token && vocab_find(vocab, token, strlen(token)) < 0)
            spm_put_token(loader, token, vocab->count);
    }
    char *data;
    size_t len;
    if (legacy_read(loader, "dict.txt", &data, &len, err) != STATUS_OK)
        return STATUS_ERROR;
    if (!utf8_valid(data, len, NULL))
        return ERR(err, MODEL, "dict.txt is not valid UTF-8");
    for (char *at = data; *at;) {
        char *end = at + strcspn(at, "\n");
        at += strspn(at, " \t\r");
        const size_t word = strcspn(at, " \t\r\n");
        if (word > 0 && vocab->count < LIMIT_VOCAB_SIZE)
            vocab_put(vocab, at, word, vocab->count);
        at = end + (*end == '\n');
    }
    const char *mask = special_content(loader, TOKEN_MASK);
    if (mask && vocab_find(vocab, mask, strlen(mask)) < 0)
        spm_put_token(loader, mask, vocab->count);
    return STATUS_OK;
}

enum status legacy_bartpho(struct loader *loader, struct error *err) {
    if (spm_begin(loader, &fairseq, "sentencepiece.bpe.model", err) != STATUS_OK ||
        bartpho_vocabulary(loader, err) != STATUS_OK)
        return STATUS_ERROR;
    loader->tokenizer->slow->base_size = loader->tokenizer->vocab.count;
    slow_post(loader, "%c $A %s", "%c $A %s %s $B %s");
    return STATUS_OK;
}
