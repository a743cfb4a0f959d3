/* SentencePiece models in front of which the classes normalize themselves: ALBERT, FNet, XLNet,
 * RemBERT, DeBERTa-v2. */
#include "tokenizer/legacy_sentencepiece.h"

#include "base/banned.h"

#define REPLACE(pattern, content)                                                                  \
    "{\"type\":\"Replace\",\"pattern\":{" pattern "},\"content\":\"" content "\"}"
#define SINGLE_SPACES REPLACE("\"Regex\":\" {2,}\"", " ")
#define CLS_SEP       .single = "[CLS]:0 $A:0 [SEP]:0", .pair = "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"

/* "9," would eat a number's end: such pieces are made unlikely. isdigit() takes more than 0 to 9,
 * but no such piece is known. */
static bool is_number_comma(const struct sentencepiece_piece *piece) {
    return piece->len >= 2 && piece->data[piece->len - 1] == ',' &&
           piece->data[piece->len - 2] >= '0' && piece->data[piece->len - 2] <= '9';
}

static void albert_vocabulary(struct loader *loader, struct piece_list *list,
                              const struct sentencepiece *model) {
    for (size_t i = 0; i < model->n; i++) {
        const struct sentencepiece_piece *piece = &model->pieces[i];
        piece_list_add(list, piece->data, piece->len,
                       (double)piece->score - (is_number_comma(piece) ? 100 : 0));
    }
}

/* RemBERT joins spaces before it takes accents off, the others at the end. */
static enum status normalizer(struct loader *loader, const struct sentencepiece *model,
                              bool lowercase, bool keeps_accents, bool spaces_first,
                              struct error *err) {
    struct normalizers list = normalizers_begin();
    normalizers_add(&list, REPLACE("\"String\":\"``\"", "\\\""));
    normalizers_add(&list, REPLACE("\"String\":\"''\"", "\\\""));
    if (spaces_first)
        normalizers_add(&list, SINGLE_SPACES);
    if (!legacy_flag(loader, "keep_accents", keeps_accents)) {
        normalizers_add(&list, "{\"type\":\"NFKD\"}");
        normalizers_add(&list, "{\"type\":\"StripAccents\"}");
    }
    if (legacy_flag(loader, "do_lower_case", lowercase))
        normalizers_add(&list, "{\"type\":\"Lowercase\"}");
    normalizers_charsmap(&list, model);
    if (!spaces_first)
        normalizers_add(&list, SINGLE_SPACES);
    return normalizers_end(&list, loader, err);
}

static enum status albert_normalizer(struct loader *loader, const struct sentencepiece *model,
                                     struct error *err) {
    return normalizer(loader, model, true, false, false, err);
}

static enum status fnet_normalizer(struct loader *loader, const struct sentencepiece *model,
                                   struct error *err) {
    return normalizer(loader, model, false, true, false, err);
}

static enum status xlnet_normalizer(struct loader *loader, const struct sentencepiece *model,
                                    struct error *err) {
    return normalizer(loader, model, false, false, false, err);
}

static enum status rembert_normalizer(struct loader *loader, const struct sentencepiece *model,
                                      struct error *err) {
    return normalizer(loader, model, false, true, true, err);
}

RECIPE(albert, .file = "spiece.model", .vocabulary = albert_vocabulary,
       .normalizer = albert_normalizer, CLS_SEP)
RECIPE(fnet, .file = "spiece.model", .vocabulary = albert_vocabulary, .normalizer = fnet_normalizer,
       CLS_SEP)
RECIPE(xlnet, .file = "spiece.model", .vocabulary = albert_vocabulary,
       .normalizer = xlnet_normalizer, .single = "$A:0 <sep>:0 <cls>:2",
       .pair = "$A:0 <sep>:0 $B:1 <sep>:1 <cls>:2")
RECIPE(rembert, .file = "sentencepiece.model", .normalizer = rembert_normalizer, CLS_SEP)

/* ---- DeBERTa-v2 ---------------------------------------------------------------------------- */

static enum status deberta_normalizer(struct loader *loader, const struct sentencepiece *model,
                                      struct error *err) {
    struct normalizers list = normalizers_begin();
    if (legacy_flag(loader, "do_lower_case", false))
        normalizers_add(&list, "{\"type\":\"Lowercase\"}");
    normalizers_add(&list, "{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true}");
    normalizers_charsmap(&list, model);
    normalizers_add(&list, SINGLE_SPACES);
    return normalizers_end(&list, loader, err);
}

static enum status deberta_pre_tokenizer(struct loader *loader, const char *scheme,
                                         struct error *err) {
    const char *punctuation = legacy_flag(loader, "split_by_punct", false)
                                  ? "{\"type\":\"Punctuation\",\"behavior\":\"Isolated\"},"
                                  : "";
    return legacy_pre_tokenizer(loader,
                                arena_printf(&loader->arena,
                                             "{\"type\":\"Sequence\",\"pretokenizers\":[%s%s]}",
                                             punctuation, metaspace(loader, scheme)),
                                err);
}

RECIPE(deberta_v2, .file = "spm.model", .normalizer = deberta_normalizer,
       .pre_tokenizer = deberta_pre_tokenizer, CLS_SEP)
