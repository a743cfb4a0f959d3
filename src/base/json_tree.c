/* Looking things up in a parsed JSON tree, and the hash index of large objects.
 *
 * The index is open addressing with linear probing at a load of at most one half. index[0] is the
 * mask, index[1 + slot] a member's number plus one and above it bits of the key's hash, by which
 * most other keys are passed without a look at them; 0 for empty. The hash is SipHash-1-3
 * (Aumasson, Bernstein 2012) with a key made at start, so that no request can be built whose keys
 * collide. */
#include "base/json_tree.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/random.h"
#include "base/banned.h"

#define INDEX_MIN_MEMBERS 16
#define NUMBER_BITS       24 /* of a slot: a member's number plus one */

static_assert(LIMIT_JSON_VALUES < 1 << NUMBER_BITS, "a member's number fits a slot");

static uint64_t hash_key[2];
static pthread_once_t hash_key_once = PTHREAD_ONCE_INIT;

static void hash_key_make(void) {
    hash_key[0] = random_seed_fresh();
    hash_key[1] = random_seed_fresh();
}

static uint64_t rotate(uint64_t x, int bits) {
    return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4]) {
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32) + v[3];
    v[2] += v[1];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static uint64_t hash_of(const char *text, size_t len) {
    uint64_t v[4] = {hash_key[0] ^ 0x736f6d6570736575u, hash_key[1] ^ 0x646f72616e646f6du,
                     hash_key[0] ^ 0x6c7967656e657261u, hash_key[1] ^ 0x7465646279746573u};
    const size_t whole = len & ~(size_t)7;
    uint64_t word;
    for (size_t i = 0; i < whole; i += 8) {
        memcpy(&word, text + i, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = 0;
    memcpy(&word, text + whole, len - whole);
    word |= (uint64_t)len << 56;
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static bool key_is(const struct json_member *member, const char *key, size_t key_len) {
    return member->key_len == key_len && memcmp(member->key, key, key_len) == 0;
}

static uint32_t number_in(uint32_t slot) {
    return slot & ((1u << NUMBER_BITS) - 1);
}

/* The slot that holds the key, or the empty one where it would go; *tag is what the slot keeps of
 * its hash. */
static uint32_t slot_find(const uint32_t *index, const struct json_member *members, const char *key,
                          size_t key_len, uint32_t *tag) {
    const uint32_t mask = index[0];
    const uint64_t hash = hash_of(key, key_len);
    uint32_t slot = (uint32_t)hash & mask;
    *tag = (uint32_t)(hash >> 32) & ~((1u << NUMBER_BITS) - 1);
    for (;; slot = (slot + 1) & mask) {
        const uint32_t held = index[1 + slot];
        if (held == 0 || ((held ^ *tag) >> NUMBER_BITS == 0 &&
                          key_is(&members[number_in(held) - 1], key, key_len)))
            return 1 + slot;
    }
}

static uint32_t keep_last_of_few(struct json_member *members, uint32_t n) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t j = 0;
        while (j < kept && !key_is(&members[j], members[i].key, members[i].key_len))
            j++;
        members[j] = members[i];
        kept += j == kept;
    }
    return kept;
}

static uint32_t keep_last_of_many(struct json_member *members, uint32_t n, uint32_t *index) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t tag;
        const uint32_t slot = slot_find(index, members, members[i].key, members[i].key_len, &tag);
        if (index[slot] == 0) {
            members[kept] = members[i];
            index[slot] = ++kept | tag;
        } else {
            members[number_in(index[slot]) - 1].value = members[i].value;
        }
    }
    return kept;
}

void json_object_finish(struct json *object, struct json_member *members, uint32_t n,
                        struct arena *arena) {
    uint32_t *index = NULL;
    if (n < INDEX_MIN_MEMBERS) {
        n = keep_last_of_few(members, n);
    } else {
        pthread_once(&hash_key_once, hash_key_make);
        uint32_t slots = 2 * INDEX_MIN_MEMBERS;
        while (slots / 2 < n)
            slots *= 2;
        index = arena_zalloc(arena, (size_t)slots + 1, sizeof *index);
        index[0] = slots - 1;
        n = keep_last_of_many(members, n, index);
    }
    *object = (struct json){.type = JSON_OBJECT, .len = n, .members = members, .index = index};
}

const struct json *json_get_n(const struct json *object, const char *key, size_t key_len) {
    if (!json_is(object, JSON_OBJECT))
        return NULL;
    const struct json_member *members = object->members;
    if (object->index) {
        uint32_t tag;
        const uint32_t slot = slot_find(object->index, members, key, key_len, &tag);
        const uint32_t number = number_in(object->index[slot]);
        return number ? &members[number - 1].value : NULL;
    }
    for (uint32_t i = 0; i < object->len; i++)
        if (key_is(&members[i], key, key_len))
            return &members[i].value;
    return NULL;
}

const struct json *json_get(const struct json *object, const char *key) {
    return json_get_n(object, key, strlen(key));
}

const struct json *json_at(const struct json *array, size_t i) {
    return json_is(array, JSON_ARRAY) && i < array->len ? &array->items[i] : NULL;
}

bool json_is(const struct json *value, enum json_type type) {
    return value && value->type == type;
}

bool json_is_null(const struct json *value) {
    return !value || value->type == JSON_NULL;
}

bool json_equals(const struct json *value, const char *text) {
    return json_is(value, JSON_STRING) && value->len == strlen(text) &&
           memcmp(value->text, text, value->len) == 0;
}

const char *json_get_string(const struct json *object, const char *key, const char *otherwise) {
    const struct json *value = json_get(object, key);
    return json_is(value, JSON_STRING) ? value->text : otherwise;
}

double json_get_number(const struct json *object, const char *key, double otherwise) {
    const struct json *value = json_get(object, key);
    return json_is(value, JSON_NUMBER) ? value->number : otherwise;
}

int64_t json_get_int(const struct json *object, const char *key, int64_t otherwise) {
    int64_t value;
    return json_to_int(json_get(object, key), &value) ? value : otherwise;
}

bool json_get_bool(const struct json *object, const char *key, bool otherwise) {
    const struct json *value = json_get(object, key);
    return json_is(value, JSON_BOOL) ? value->boolean : otherwise;
}

/* Digits as written, so that integers beyond 2^53 are exact. */
static bool integer_of_text(const char *text, uint32_t len, int64_t *out) {
    const bool negative = text[0] == '-';
    int64_t value = 0; /* counted downwards: INT64_MIN has no positive twin */
    for (uint32_t i = negative; i < len; i++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, text[i] - '0', &value))
            return false;
    if (!negative && value == INT64_MIN)
        return false;
    *out = negative ? value : -value;
    return true;
}

bool json_to_int(const struct json *value, int64_t *out) {
    if (!json_is(value, JSON_NUMBER))
        return false;
    if (value->boolean)
        return integer_of_text(value->text, value->len, out);
    /* 5.0 and 1e3 are integers too; NaN fails the first comparison. */
    if (!(fabs(value->number) < 0x1p63) || value->number != trunc(value->number))
        return false;
    *out = (int64_t)value->number;
    return true;
}

const struct json *json_merge(struct arena *arena, const struct json *object,
                              const struct json *over) {
    const uint32_t n = object->len + over->len;
    struct json *merged = arena_alloc(arena, sizeof *merged);
    struct json_member *members = arena_alloc(arena, (n + 1) * sizeof *members);
    for (uint32_t i = 0; i < n; i++) /* an empty one has no array */
        members[i] = i < object->len ? object->members[i] : over->members[i - object->len];
    json_object_finish(merged, members, n, arena);
    return merged;
}

const char *json_type_name(enum json_type type) {
    static const char *const names[] = {
        [JSON_NULL] = "null",     [JSON_BOOL] = "boolean", [JSON_NUMBER] = "number",
        [JSON_STRING] = "string", [JSON_ARRAY] = "array",  [JSON_OBJECT] = "object",
    };
    return (size_t)type < ARRAY_LEN(names) ? names[type] : "value";
}
