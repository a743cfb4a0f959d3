/* Dicts: entries in the order of their making, found linearly while there are few and by a hash
 * when there are many. Keys are equal as Python's are: 1, 1.0 and true are one key. */
#include "template/builtin.h"

#include <string.h>

#include "base/banned.h"

#define INDEX_FROM 12 /* entries; below, looking at each is faster */

static uint64_t hash_bytes(const char *data, size_t len) {
    uint64_t hash = 1469598103934665603ull; /* FNV-1a */
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)data[i]) * 1099511628211ull;
    return hash;
}

static uint64_t hash_value(struct value key) {
    switch (key.kind) {
    case KIND_STRING:
    case KIND_BIG:
        return hash_bytes(key.str->data, key.str->len);
    case KIND_BOOL:
    case KIND_INT:
    case KIND_FLOAT: {
        const double number = as_double(key) + 0.0; /* -0.0 is 0.0 */
        return hash_bytes((const char *)&number, sizeof(number));
    }
    case KIND_TUPLE: {
        uint64_t hash = key.seq->n;
        for (size_t i = 0; i < key.seq->n; i++)
            hash = hash * 31 + hash_value(key.seq->items[i]);
        return hash;
    }
    default:
        return (uint64_t)key.kind;
    }
}

struct value value_dict(struct render *r, size_t cap) {
    struct dict *dict = render_new(r, sizeof(*dict));
    dict->entries = render_alloc(r, cap, sizeof(*dict->entries));
    dict->cap = dict->entries == NULL ? 0 : cap;
    return (struct value){.kind = KIND_DICT, .dict = dict};
}

static void index_put(struct dict *dict, size_t entry) {
    size_t slot = (size_t)(hash_value(dict->entries[entry].key) * 0x9E3779B97F4A7C15ull >> 32);
    while (dict->index[slot & (dict->slots - 1)] != 0)
        slot++;
    dict->index[slot & (dict->slots - 1)] = (uint32_t)entry + 1;
}

static void index_build(struct render *r, struct dict *dict) {
    size_t slots = 32;
    while (slots < dict->cap * 2)
        slots *= 2;
    uint32_t *index = render_alloc(r, slots, sizeof(*index));
    if (index == NULL)
        return;
    memset(index, 0, slots * sizeof(*index));
    dict->index = index;
    dict->slots = slots;
    for (size_t i = 0; i < dict->n; i++)
        index_put(dict, i);
}

static struct entry *find(struct render *r, const struct dict *dict, struct value key) {
    if (dict->index == NULL) {
        for (size_t i = 0; i < dict->n; i++) {
            if (values_equal(r, dict->entries[i].key, key))
                return &dict->entries[i];
        }
        return NULL;
    }
    size_t slot = (size_t)(hash_value(key) * 0x9E3779B97F4A7C15ull >> 32);
    for (;; slot++) {
        const uint32_t at = dict->index[slot & (dict->slots - 1)];
        if (at == 0)
            return NULL;
        if (values_equal(r, dict->entries[at - 1].key, key))
            return &dict->entries[at - 1];
        if (r->failed)
            return NULL;
    }
}

struct entry *dict_find(struct render *r, const struct dict *dict, struct value key) {
    if (!hashable(key)) {
        fail(r, "unhashable type: '%s'", type_name(key));
        return NULL;
    }
    if (is(key, KIND_STRING))
        step(r, key.str->len / 16);
    return find(r, dict, key);
}

struct entry *dict_find_text(const struct dict *dict, const char *key, size_t len) {
    if (dict->index == NULL) {
        for (size_t i = 0; i < dict->n; i++) {
            const struct value have = dict->entries[i].key;
            if (is(have, KIND_STRING) && have.str->len == len &&
                memcmp(have.str->data, key, len) == 0)
                return &dict->entries[i];
        }
        return NULL;
    }
    size_t slot = (size_t)(hash_bytes(key, len) * 0x9E3779B97F4A7C15ull >> 32);
    for (;; slot++) {
        const uint32_t at = dict->index[slot & (dict->slots - 1)];
        if (at == 0)
            return NULL;
        const struct value have = dict->entries[at - 1].key;
        if (is(have, KIND_STRING) && have.str->len == len && memcmp(have.str->data, key, len) == 0)
            return &dict->entries[at - 1];
    }
}

static bool make_room(struct render *r, struct dict *dict) {
    if (dict->n < dict->cap)
        return true;
    const size_t cap = dict->cap < 4 ? 8 : dict->cap * 2;
    struct entry *entries = render_alloc(r, cap, sizeof(*entries));
    if (entries == NULL)
        return false;
    if (dict->n > 0)
        memcpy(entries, dict->entries, dict->n * sizeof(*entries));
    dict->entries = entries;
    dict->cap = cap;
    dict->index = NULL;
    return true;
}

void dict_set(struct render *r, struct dict *dict, struct value key, struct value value) {
    struct entry *entry = dict_find(r, dict, key);
    if (entry != NULL)
        entry->value = value;
    if (entry != NULL || r->failed || !make_room(r, dict))
        return;
    dict->entries[dict->n] = (struct entry){.key = key, .value = value};
    dict->n++;
    if (dict->index != NULL)
        index_put(dict, dict->n - 1);
    else if (dict->n >= INDEX_FROM)
        index_build(r, dict);
}
