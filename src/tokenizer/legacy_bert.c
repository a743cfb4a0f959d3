/* BERT and its kin: vocab.txt, a token a line, as BertConverter builds it: WordPiece behind
 * BertNormalizer and BertPreTokenizer. Funnel, MPNet and Splinter differ in their templates. */
#include "tokenizer/legacy.h"

#include "base/banned.h"

static enum status stages(struct loader *loader, struct error *err) {
    const struct json *strip = json_get(loader->tokenizer_config, "strip_accents");
    const char *normalizer =
        arena_printf(&loader->arena,
                     "{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":%s,"
                     "\"strip_accents\":%s,\"lowercase\":%s}",
                     legacy_bool(legacy_flag(loader, "tokenize_chinese_chars", true)),
                     json_is(strip, JSON_BOOL) ? legacy_bool(strip->boolean) : "null",
                     legacy_bool(legacy_flag(loader, "do_lower_case", true)));
    if (legacy_normalizer(loader, normalizer, err) != STATUS_OK ||
        legacy_pre_tokenizer(loader, "{\"type\":\"BertPreTokenizer\"}", err) != STATUS_OK)
        return STATUS_ERROR;
    return legacy_decoder(loader, "{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}",
                          err);
}

static enum status wordpiece(struct loader *loader, struct error *err) {
    const char *unk = special_content(loader, TOKEN_UNK);
    if (legacy_vocab_txt(loader, "vocab.txt", err) != STATUS_OK)
        return STATUS_ERROR;
    return legacy_model(loader,
                        arena_printf(&loader->arena, "{\"type\":\"WordPiece\",\"unk_token\":%s}",
                                     legacy_quoted(loader, unk ? unk : "[UNK]")),
                        err);
}

static enum status build(struct loader *loader, const char *single, const char *pair,
                         struct error *err) {
    if (wordpiece(loader, err) != STATUS_OK || stages(loader, err) != STATUS_OK)
        return STATUS_ERROR;
    legacy_post(loader, (struct legacy_post){.single = single, .pair = pair});
    return STATUS_OK;
}

static const char *token(struct loader *loader, enum special_token role) {
    const char *content = special_content(loader, role);
    return content ? content : "";
}

enum status legacy_bert(struct loader *loader, struct error *err) {
    if (wordpiece(loader, err) != STATUS_OK || stages(loader, err) != STATUS_OK)
        return STATUS_ERROR;
    legacy_post(loader,
                (struct legacy_post){.type = "BertProcessing", .cls = TOKEN_CLS, .sep = TOKEN_SEP});
    return STATUS_OK;
}

/* The first token is of type 2. */
enum status legacy_funnel(struct loader *loader, struct error *err) {
    const char *cls = token(loader, TOKEN_CLS), *sep = token(loader, TOKEN_SEP);
    const char *single = arena_printf(&loader->arena, "%s:2 $A:0 %s:0", cls, sep);
    return build(loader, single, arena_printf(&loader->arena, "%s $B:1 %s:1", single, sep), err);
}

/* Two ends between the texts. */
enum status legacy_mpnet(struct loader *loader, struct error *err) {
    const char *cls = token(loader, TOKEN_CLS), *sep = token(loader, TOKEN_SEP);
    const char *single = arena_printf(&loader->arena, "%s:0 $A:0 %s:0", cls, sep);
    const char *pair = arena_printf(&loader->arena, "%s %s:0 $B:1 %s:1", single, sep, sep);
    return build(loader, single, pair, err);
}

/* A question token and a full stop behind the question, on the side where the padding is not. */
enum status legacy_splinter(struct loader *loader, struct error *err) {
    if (wordpiece(loader, err) != STATUS_OK || stages(loader, err) != STATUS_OK)
        return STATUS_ERROR;
    const char *cls = token(loader, TOKEN_CLS), *sep = token(loader, TOKEN_SEP);
    const char *question = special_setting(loader, "question_token", "[QUESTION]");
    const char *side = json_get_string(loader->tokenizer_config, "padding_side", "right");
    /* The slow class does not add the question token: its id is the unknown token's then. */
    if (question && vocab_find(&loader->tokenizer->vocab, question, strlen(question)) < 0)
        question = token(loader, TOKEN_UNK);
    const char *ask = question ? arena_printf(&loader->arena, "%s . ", question) : "";
    const bool right = strcmp(side, "right") == 0;
    const char *single = arena_printf(&loader->arena, "%s:0 $A:0 %s:0", cls, sep);
    const char *pair = arena_printf(&loader->arena, "%s:0 $A:0 %s%s:0 $B:1 %s%s:1", cls,
                                    right ? ask : "", sep, right ? "" : ask, sep);
    legacy_post(loader, (struct legacy_post){.single = single, .pair = pair});
    return STATUS_OK;
}
