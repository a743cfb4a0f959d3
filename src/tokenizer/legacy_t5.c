/* SentencePiece models that keep the file's ids, or move them all: T5 with its sentinels, UDOP,
 * Pegasus with the masks and unknowns of its pretraining, BigBird, Reformer. */
#include "tokenizer/legacy_sentencepiece.h"

#include "base/banned.h"

static const char *t5_scheme(const struct loader *loader) {
    return scheme_of(legacy_flag(loader, "add_prefix_space", true),
                     legacy_flag(loader, "legacy", true));
}

static void numbered(struct loader *loader, struct piece_list *list, const char *name, int64_t i,
                     double score) {
    const char *token = arena_printf(&loader->arena, "<%s_%lld>", name, (long long)i);
    piece_list_add(list, token, strlen(token), score);
}

/* Sentinels stand behind the file's pieces, the first last. */
static void t5_vocabulary(struct loader *loader, struct piece_list *list,
                          const struct sentencepiece *model) {
    int64_t n = json_get_int(loader->tokenizer_config, "extra_ids", 100);
    piece_list_pieces(list, model, 0);
    for (n = n < LIMIT_VOCAB_SIZE ? n : LIMIT_VOCAB_SIZE; n > 0; n--)
        numbered(loader, list, "extra_id", n - 1, 0);
}

#define T5_TEMPLATE .single = "$A </s>", .pair = "$A </s> $B </s>"

RECIPE(t5, .file = "spiece.model", .vocabulary = t5_vocabulary, .scheme = t5_scheme, T5_TEMPLATE)
RECIPE(udop, .file = "spiece.model", .scheme = t5_scheme, T5_TEMPLATE)

RECIPE(big_bird, .file = "spiece.model", .single = "[CLS]:0 $A:0 [SEP]:0",
       .pair = "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1")
RECIPE(reformer, .file = "spiece.model")

/* ---- Pegasus ------------------------------------------------------------------------------- */

static int64_t pegasus_offset(const struct loader *loader) {
    const int64_t offset = json_get_int(loader->tokenizer_config, "offset", 103);
    return offset < 0 ? 0 : offset < LIMIT_VOCAB_SIZE ? offset : LIMIT_VOCAB_SIZE;
}

static void pegasus_token(struct loader *loader, struct piece_list *list, const char *token) {
    if (token)
        piece_list_add(list, arena_strndup(&loader->arena, token, strlen(token)), strlen(token), 0);
}

static void pegasus_vocabulary(struct loader *loader, struct piece_list *list,
                               const struct sentencepiece *model) {
    const int64_t offset = pegasus_offset(loader);
    const char *sentence = special_setting(loader, "mask_token_sent", "<mask_1>");
    pegasus_token(loader, list, special_content(loader, TOKEN_PAD));
    pegasus_token(loader, list, special_content(loader, TOKEN_EOS));
    pegasus_token(loader, list, sentence);
    if (sentence && offset > 3) /* else the mask is not among the first ids */
        pegasus_token(loader, list, special_content(loader, TOKEN_MASK));
    for (int64_t i = 2; i < offset; i++)
        numbered(loader, list, "unk", i, -100);
    piece_list_pieces(list, model, 2);
}

static enum status pegasus_pre_tokenizer(struct loader *loader, const char *scheme,
                                         struct error *err) {
    return legacy_pre_tokenizer(
        loader,
        arena_printf(
            &loader->arena,
            "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"},%s]}",
            metaspace(loader, scheme)),
        err);
}

enum status legacy_pegasus(struct loader *loader, struct error *err) {
    const char *eos = special_content(loader, TOKEN_EOS);
    if (!eos || !special_content(loader, TOKEN_PAD))
        return ERR(err, MODEL, "pad_token and eos_token must not be null");
    const struct recipe recipe = {
        .file = "spiece.model",
        .vocabulary = pegasus_vocabulary,
        .unk = UNK_OF_FILE,
        .unk_id = (int32_t)pegasus_offset(loader),
        .pre_tokenizer = pegasus_pre_tokenizer,
        .single = arena_printf(&loader->arena, "$A %s", eos),
        .pair = arena_printf(&loader->arena, "$A $B %s", eos),
    };
    return recipe_build(loader, &recipe, err);
}
