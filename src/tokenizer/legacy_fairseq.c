/* SentencePiece models whose first ids were moved to match fairseq's: XLM-RoBERTa, CamemBERT,
 * BARThez, mBART, NLLB, SeamlessM4T, XGLM. The language that a template names here is replaced by
 * the source language when the class is applied. */
#include "tokenizer/legacy_sentencepiece.h"

#include "base/banned.h"

#define FAIRSEQ_HEAD    .head = "<s> <pad> </s> <unk>", .skip = 3, .unk = UNK_AT, .unk_id = 3
#define FRENCH_TEMPLATE .single = "<s> $A </s>", .pair = "<s> $A </s> </s> $B </s>"

RECIPE(xlm_roberta, .file = "sentencepiece.bpe.model", FAIRSEQ_HEAD, .tail = "<mask>",
       FRENCH_TEMPLATE)

RECIPE(barthez, .file = "sentencepiece.bpe.model", .unk = UNK_AT, .unk_id = 3, FRENCH_TEMPLATE)

RECIPE(nllb, .file = "sentencepiece.bpe.model", FAIRSEQ_HEAD)

RECIPE(xglm, .file = "sentencepiece.bpe.model", FAIRSEQ_HEAD,
       .tail = "<madeupword0> <madeupword1> <madeupword2> <madeupword3> <madeupword4> "
               "<madeupword5> <madeupword6>",
       .single = "</s> $A", .pair = "</s> $A </s> </s> $B")

/* The file's own unknown piece is made unlikely: the added one is meant. */
static void camembert_vocabulary(struct loader *loader, struct piece_list *list,
                                 const struct sentencepiece *model) {
    piece_list_words(list, "<s>NOTUSED <pad> </s>NOTUSED <unk>", 0);
    piece_list_words(list, "<unk>NOTUSED", -100);
    piece_list_pieces(list, model, 1);
    piece_list_words(list, "<mask>", 0);
}

RECIPE(camembert, .file = "sentencepiece.bpe.model", .vocabulary = camembert_vocabulary,
       .unk = UNK_AT, .unk_id = 3, FRENCH_TEMPLATE)

static void mbart_vocabulary(struct loader *loader, struct piece_list *list,
                             const struct sentencepiece *model) {
    piece_list_words(list, "<s> <pad> </s> <unk>", 0);
    piece_list_pieces(list, model, 3);
    piece_list_words(list, loader->class->extra_tokens, 0);
    piece_list_words(list, "<mask>", 0);
}

RECIPE(mbart, .file = "sentencepiece.bpe.model", .vocabulary = mbart_vocabulary, .unk = UNK_AT,
       .unk_id = 3)
RECIPE(mbart50, .file = "sentencepiece.bpe.model", .vocabulary = mbart_vocabulary, .unk = UNK_AT,
       .unk_id = 3)

static const char *seamless_scheme(const struct loader *loader) {
    return scheme_of(legacy_flag(loader, "add_prefix_space", true), false);
}

RECIPE(seamless_m4t, .file = "sentencepiece.bpe.model", .head = "<pad> <unk> <s> </s>", .skip = 3,
       .unk = UNK_AT, .unk_id = 1, .scheme = seamless_scheme)
