/* BERT and its kin: vocab.txt, a token a line, as BertConverter builds it: WordPiece behind
 * BertNormalizer and BertPreTokenizer. */
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

enum status legacy_bert(struct loader *loader, struct error *err) {
    if (wordpiece(loader, err) != STATUS_OK || stages(loader, err) != STATUS_OK)
        return STATUS_ERROR;
    return legacy_cls_sep(loader, "BertProcessing", TOKEN_CLS, TOKEN_SEP, false, err);
}
