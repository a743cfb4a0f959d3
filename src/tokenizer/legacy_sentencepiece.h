/* How a converter of SentencePiece models differs from SpmConverter: a recipe a class. What all
 * legacy formats share is in legacy.h. */
#ifndef BRISK_TOKENIZER_LEGACY_SENTENCEPIECE_H
#define BRISK_TOKENIZER_LEGACY_SENTENCEPIECE_H

#include "tokenizer/legacy.h"
#include "tokenizer/sentencepiece.h"

/* The vocabulary in the making; an id is a place in it. */
struct piece_list {
    struct scored_piece *items;
    size_t n, cap;
};
void piece_list_add(struct piece_list *list, const char *token, size_t len, double score);
/* Tokens separated by spaces, all with this score. */
void piece_list_words(struct piece_list *list, const char *words, double score);
/* The file's pieces from `skip` on. */
void piece_list_pieces(struct piece_list *list, const struct sentencepiece *model, size_t skip);

/* The list of a normalizer Sequence, as JSON. */
struct normalizers {
    struct buf text;
};
struct normalizers normalizers_begin(void);
void normalizers_add(struct normalizers *list, const char *json);
void normalizers_charsmap(struct normalizers *list, const struct sentencepiece *model);
enum status normalizers_end(struct normalizers *list, struct loader *loader,
                            struct error *err) MUST_CHECK;

struct recipe {
    const char *file;
    /* The vocabulary: `head` for the file's first `skip` pieces, `tail` behind them. */
    const char *head, *tail;
    size_t skip;
    enum { UNK_OF_FILE, UNK_AT } unk;
    int32_t unk_id; /* with UNK_AT */
    bool byte_fallback;
    const char *single, *pair; /* as template_set takes them; NULL: none */
    /* The rest is NULL where the converter does as SpmConverter. */
    void (*vocabulary)(struct loader *loader, struct piece_list *list,
                       const struct sentencepiece *model);
    enum status (*normalizer)(struct loader *loader, const struct sentencepiece *model,
                              struct error *err);
    enum status (*pre_tokenizer)(struct loader *loader, const char *scheme, struct error *err);
    enum status (*decoder)(struct loader *loader, const char *scheme, struct error *err);
    const char *(*scheme)(const struct loader *loader); /* of Metaspace; NULL: "always" */
    bool tab_is_byte;     /* Gemma: a piece "\t" that is not there is <0x09> */
    const char *specials; /* user-defined pieces that are special, separated by spaces */
};

/* Reads recipe->file and builds all of the tokenizer. */
enum status recipe_build(struct loader *loader, const struct recipe *recipe,
                         struct error *err) MUST_CHECK;

/* {"type":"Metaspace", …} with the scheme. */
const char *metaspace(struct loader *loader, const char *scheme);
/* "never" without add_prefix_space, else "first" or, in legacy mode, "always". */
const char *scheme_of(bool add_prefix_space, bool legacy);

/* legacy_<name> of a recipe. */
#define RECIPE(name, ...)                                                                          \
    enum status legacy_##name(struct loader *loader, struct error *err) {                          \
        static const struct recipe recipe = {__VA_ARGS__};                                         \
        return recipe_build(loader, &recipe, err);                                                 \
    }

#endif
