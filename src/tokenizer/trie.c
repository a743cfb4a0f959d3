/* A byte trie. Children of a node are a linked list, as only texts like "<|…" ever walk it; the
 * root's are a table, as every byte of a text asks it. */
#include "tokenizer/trie.h"

#include "base/banned.h"

struct node {
    uint32_t child, sibling; /* 0: none */
    int32_t value;           /* -1: no string ends here */
    uint8_t byte;
};

struct trie {
    struct node *nodes; /* [n], the root first */
    size_t n, cap;
    uint32_t roots[256]; /* the root's children, by byte; 0: none */
};

static uint32_t node_create(struct trie *trie, uint8_t byte) {
    trie->nodes = mem_grow(trie->nodes, &trie->cap, trie->n + 1, sizeof *trie->nodes);
    trie->nodes[trie->n] = (struct node){.value = -1, .byte = byte};
    return (uint32_t)trie->n++;
}

struct trie *trie_create(void) {
    struct trie *trie = mem_zalloc(1, sizeof *trie);
    node_create(trie, 0);
    return trie;
}

void trie_destroy(struct trie *trie) {
    if (!trie)
        return;
    mem_free(trie->nodes);
    mem_free(trie);
}

bool trie_is_empty(const struct trie *trie) {
    return trie->n == 1;
}

static uint32_t child_of(const struct trie *trie, uint32_t node, uint8_t byte) {
    if (node == 0)
        return trie->roots[byte];
    uint32_t child = trie->nodes[node].child;
    while (child && trie->nodes[child].byte != byte)
        child = trie->nodes[child].sibling;
    return child;
}

void trie_add(struct trie *trie, const char *string, size_t len, int32_t value) {
    uint32_t node = 0;
    for (size_t i = 0; i < len; i++) {
        const uint8_t byte = (uint8_t)string[i];
        uint32_t child = child_of(trie, node, byte);
        if (!child) {
            child = node_create(trie, byte);
            trie->nodes[child].sibling = trie->nodes[node].child;
            trie->nodes[node].child = child;
            if (node == 0)
                trie->roots[byte] = child;
        }
        node = child;
    }
    if (len > 0 && trie->nodes[node].value < 0)
        trie->nodes[node].value = value;
}

static int32_t longest_at(const struct trie *trie, const char *text, size_t len, size_t start,
                          size_t *end) {
    int32_t value = -1;
    uint32_t node = 0;
    for (size_t i = start; i < len; i++) {
        node = child_of(trie, node, (uint8_t)text[i]);
        if (!node)
            break;
        if (trie->nodes[node].value >= 0) {
            value = trie->nodes[node].value;
            *end = i + 1;
        }
    }
    return value;
}

bool trie_starts(const struct trie *trie, const char *text, size_t len, size_t *end) {
    return longest_at(trie, text, len, 0, end) >= 0;
}

int32_t trie_find(const struct trie *trie, const char *text, size_t len, size_t from, size_t *start,
                  size_t *end) {
    if (trie_is_empty(trie))
        return -1;
    for (size_t i = from; i < len; i++) {
        if (!trie->roots[(uint8_t)text[i]])
            continue;
        const int32_t value = longest_at(trie, text, len, i, end);
        if (value >= 0) {
            *start = i;
            return value;
        }
    }
    return -1;
}
