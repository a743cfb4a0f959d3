/* Patterns that split or replace: a literal string, a regular expression, or one of the split
 * patterns that most models share, which have a scanner written by hand (scanners.c).
 *
 * Expressions run on Oniguruma, as in the library; the properties \p{L}, \p{N}, \s and \w are its
 * own version's. Immutable after pattern_create; any number of threads may search at once. */
#ifndef BRISK_TOKENIZER_PATTERN_H
#define BRISK_TOKENIZER_PATTERN_H

#include "base/base.h"

struct pattern;

enum status pattern_create(struct pattern **out, const char *expression, size_t len, bool literal,
                           struct error *err) MUST_CHECK;
void pattern_destroy(struct pattern *pattern);

/* The same without a hand-written scanner, for tests. */
enum status pattern_create_plain(struct pattern **out, const char *expression, size_t len,
                                 struct error *err) MUST_CHECK;

/* All matches of a text, one after the other, as onig's find_iter. */
struct search {
    const struct pattern *pattern;
    const char *data;
    size_t len;
    size_t pos;      /* where the next search starts */
    size_t last_end; /* of the last match, SIZE_MAX: none yet */
    void *region;    /* Oniguruma's, made at the first need */
};
struct search search_begin(const struct pattern *pattern, const char *data, size_t len);
bool search_next(struct search *search, size_t *start, size_t *end); /* false: no more */
void search_end(struct search *search);

/* A hand-written scanner: the end of the match that starts at pos, or pos when none does. */
typedef size_t scanner(const char *data, size_t len, size_t pos);
scanner *scanner_find(const char *expression, size_t len); /* NULL: none for it */
extern const char SCANNER_GPT2[];         /* the pattern of ByteLevel's use_regex */
const char *scanner_expression(size_t i); /* NULL behind the last; for tests */

#endif
