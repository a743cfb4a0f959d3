/* A hash table with chains and one list in the order of use. The whole key is kept and compared, so
 * two requests never get each other's answer however their hashes fall. */
#include "runtime/answers.h"

#include <string.h>

#include "base/banned.h"

#define BUCKETS 4096 /* power of two; answers are a few hundred bytes and more */

struct entry {
    uint64_t hash;
    struct entry *chain;
    struct entry *newer, *older; /* by use */
    size_t bytes;
    size_t key_len, body_len;
    struct job_facts facts;
    char data[]; /* key, then body */
};

struct answers {
    struct lock lock;
    size_t max_bytes, bytes; /* guarded by lock, as all below */
    struct entry *newest, *oldest;
    struct entry *buckets[BUCKETS];
};

struct answers *answers_create(size_t max_bytes) {
    struct answers *answers = mem_zalloc(1, sizeof(*answers));
    lock_init(&answers->lock);
    answers->max_bytes = max_bytes;
    return answers;
}

static uint64_t hash_of(const char *key, size_t len) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)key[i]) * 0x100000001b3u;
    return hash;
}

static struct entry **slot_of(struct answers *answers, uint64_t hash, const char *key, size_t len) {
    struct entry **slot = &answers->buckets[hash & (BUCKETS - 1)];
    while (*slot != NULL && ((*slot)->hash != hash || (*slot)->key_len != len ||
                             memcmp((*slot)->data, key, len) != 0))
        slot = &(*slot)->chain;
    return slot;
}

static void use_remove(struct answers *answers, struct entry *entry) {
    if (entry->newer != NULL)
        entry->newer->older = entry->older;
    else
        answers->newest = entry->older;
    if (entry->older != NULL)
        entry->older->newer = entry->newer;
    else
        answers->oldest = entry->newer;
}

static void use_add(struct answers *answers, struct entry *entry) {
    entry->newer = NULL;
    entry->older = answers->newest;
    if (answers->newest != NULL)
        answers->newest->newer = entry;
    else
        answers->oldest = entry;
    answers->newest = entry;
}

static void drop(struct answers *answers, struct entry *entry) {
    struct entry **slot = slot_of(answers, entry->hash, entry->data, entry->key_len);
    *slot = entry->chain;
    use_remove(answers, entry);
    answers->bytes -= entry->bytes;
    mem_free(entry);
}

void answers_destroy(struct answers *answers) {
    if (answers == NULL)
        return;
    while (answers->oldest != NULL)
        drop(answers, answers->oldest);
    lock_deinit(&answers->lock);
    mem_free(answers);
}

bool answers_find(struct answers *answers, const char *key, size_t key_len,
                  struct cached_answer *out) {
    const uint64_t hash = hash_of(key, key_len);
    lock_take(&answers->lock);
    struct entry *entry = *slot_of(answers, hash, key, key_len);
    if (entry != NULL) {
        use_remove(answers, entry);
        use_add(answers, entry);
        *out = (struct cached_answer){.body = mem_strndup(entry->data + key_len, entry->body_len),
                                      .body_len = entry->body_len,
                                      .facts = entry->facts};
    }
    lock_drop(&answers->lock);
    return entry != NULL;
}

void answers_put(struct answers *answers, const char *key, size_t key_len,
                 const struct cached_answer *answer) {
    const size_t bytes = sizeof(struct entry) + key_len + answer->body_len;
    if (bytes > answers->max_bytes / 16)
        return;
    struct entry *entry = mem_alloc(bytes);
    *entry = (struct entry){.hash = hash_of(key, key_len),
                            .bytes = bytes,
                            .key_len = key_len,
                            .body_len = answer->body_len,
                            .facts = answer->facts};
    memcpy(entry->data, key, key_len);
    memcpy(entry->data + key_len, answer->body, answer->body_len);
    lock_take(&answers->lock);
    struct entry *before = *slot_of(answers, entry->hash, key, key_len);
    if (before != NULL)
        drop(answers, before);
    while (answers->oldest != NULL && answers->bytes + bytes > answers->max_bytes)
        drop(answers, answers->oldest);
    *slot_of(answers, entry->hash, key, key_len) = entry;
    use_add(answers, entry);
    answers->bytes += bytes;
    lock_drop(&answers->lock);
}

size_t answers_bytes(struct answers *answers) {
    lock_take(&answers->lock);
    const size_t bytes = answers->bytes;
    lock_drop(&answers->lock);
    return bytes;
}
