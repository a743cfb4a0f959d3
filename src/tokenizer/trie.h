/* A set of strings, found in a text leftmost first and longest at its place: what the library asks
 * of its Aho-Corasick automaton. Walked anew from every place where a string can start; the bytes
 * that start one are few, so nearly all places are skipped. */
#ifndef BRISK_TOKENIZER_TRIE_H
#define BRISK_TOKENIZER_TRIE_H

#include "base/base.h"

struct trie;

struct trie *trie_create(void);
void trie_destroy(struct trie *trie); /* NULL is fine */
/* The first value of a string counts; an empty string is left out. */
void trie_add(struct trie *trie, const char *string, size_t len, int32_t value);
bool trie_is_empty(const struct trie *trie);
/* The next match at or behind `from`; its value, or -1. */
int32_t trie_find(const struct trie *trie, const char *text, size_t len, size_t from, size_t *start,
                  size_t *end);

/* Whether the text starts with a string of the trie; *end is behind the longest. */
bool trie_starts(const struct trie *trie, const char *text, size_t len, size_t *end);

#endif
