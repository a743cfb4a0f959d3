/* The Moses scripts as the Python package sacremoses has them: punctuation made plain, text cut
 * into words, words put together again. (Philipp Koehn and others, tokenizer.perl,
 * detokenizer.perl, normalize-punctuation.perl, replace-unicode-punctuation.perl.) Every pass is
 * linear in the text. */
#ifndef BRISK_TOKENIZER_MOSES_H
#define BRISK_TOKENIZER_MOSES_H

#include "tokenizer/moses_line.h"
#include "tokenizer/pipeline.h"

/* The rules that are not the same everywhere. */
enum moses_apostrophe { MOSES_APOSTROPHE_APART, MOSES_APOSTROPHE_EN, MOSES_APOSTROPHE_FR };

struct moses_rules {
    struct vocab prefixes; /* abbreviations; odd ids: they count before numbers only */
    enum moses_apostrophe apostrophe;
    bool english,
        german;         /* how quotes and commas change places: German means French, Spanish too */
    bool comma_numbers; /* a space within a number is a comma, else a period */
    bool splits_dashes; /* "a-b" is three words */
    bool escapes;       /* & | < > ' " [ ] become entities */
};

/* Of a language by its code; unknown ones are what sacremoses makes of them. */
void moses_rules_init(struct moses_rules *rules, const char *language);
void moses_rules_deinit(struct moses_rules *rules);
/* Why texts of this language cannot be prepared, words of it not be joined; NULL: they can. */
const char *moses_refuses_text(const char *language);
const char *moses_refuses_words(const char *language);

/* Full-width and other foreign punctuation in ASCII; punctuation and spaces as MosesPunctNormalizer
 * writes them; without what is not printed. */
void moses_replace_punctuation(struct moses_line *line);
void moses_normalize(struct moses_line *line, const struct moses_rules *rules);
void moses_drop_controls(struct moses_line *line);

/* MosesTokenizer: words with spaces between them. */
void moses_tokenize(struct moses_line *line, const struct moses_rules *rules);

/* MosesDetokenizer, from text to text: what nothing behind it can change is given out at once. */
struct moses_joiner;
struct moses_joiner *moses_joiner_create(const char *language);
void moses_joiner_destroy(struct moses_joiner *joiner); /* NULL is fine */
void moses_joiner_push(struct moses_joiner *joiner, const char *data, size_t len, struct buf *out);
/* All that is left; nothing is pushed afterwards. */
void moses_joiner_finish(struct moses_joiner *joiner, struct buf *out);

#endif
