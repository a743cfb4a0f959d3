/* Words and the tokens that a model made of them, shared by all threads that use a tokenizer.
 *
 * A table of fixed size: an entry is two cache lines, a word has one place and the last one to come
 * keeps it. Nobody waits: readers see an entry whole or not at all, a writer that finds another at
 * its place gives up. What is found is exact, the word is compared; what is not found is computed
 * anew. It never grows, and pages that no word fell on take no memory. */
#ifndef BRISK_TOKENIZER_WORD_CACHE_H
#define BRISK_TOKENIZER_WORD_CACHE_H

#include "base/base.h"

struct word_cache;

#define WORD_CACHE_BYTES  48 /* longer words are not kept */
#define WORD_CACHE_TOKENS 18 /* nor words of more tokens */

struct word_token {
    int32_t id;
    uint32_t len; /* bytes of the word; tokens stand one behind the other */
};

struct word_cache *word_cache_create(void);
void word_cache_destroy(struct word_cache *cache); /* NULL is fine */
/* Its tokens, or 0: not known. `kind` (0 or 1) tells words apart that only look the same. */
size_t word_cache_get(const struct word_cache *cache, const char *word, size_t len, int kind,
                      struct word_token tokens[WORD_CACHE_TOKENS]);
/* Remembers it, when it fits. Thread-safe, though the cache is the tokenizer's. */
void word_cache_put(struct word_cache *cache, const char *word, size_t len, int kind,
                    const struct word_token *tokens, size_t n);

#endif
