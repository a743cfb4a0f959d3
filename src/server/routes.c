/* Matching paths against routes.inc, segment by segment; nothing of a path reaches the file system
 * from here. */
#include "server/routes.h"

#include <string.h>

#include "base/banned.h"

static const struct route table[] = {
#define ROUTE(verb, pattern, name, text)                                                           \
    {.method = METHOD_##verb, .path = pattern, .summary = text, .handler = route_##name},
#include "server/routes.inc"
#undef ROUTE
};

static const char *const method_names[] = {
#define METHOD(name) #name,
    METHODS(METHOD)
#undef METHOD
};

size_t routes_count(void) {
    return ARRAY_LEN(table);
}

const struct route *routes_at(size_t i) {
    return &table[i];
}

enum method method_parse(const char *text) {
    if (strcmp(text, "HEAD") == 0)
        return METHOD_GET;
    for (size_t i = 0; i < ARRAY_LEN(method_names); i++) {
        if (strcmp(text, method_names[i]) == 0)
            return (enum method)i;
    }
    return METHOD_OTHER;
}

const char *method_name(enum method method) {
    return method < METHOD_OTHER ? method_names[method] : "?";
}

/* Bytes of the segment at the start of path, which begins behind a slash. */
static size_t segment_len(const char *path) {
    return strcspn(path, "/");
}

static bool word_set(char *word, size_t size, const char *text, size_t len) {
    if (len == 0 || len >= size)
        return false;
    memcpy(word, text, len);
    word[len] = '\0';
    return true;
}

static bool match(const char *pattern, const char *path, struct route_words *words);

/* The rest behind a segment: both end, or both go on behind a slash. */
static bool match_rest(const char *pattern, const char *path, struct route_words *words) {
    if (*pattern == '\0' || *path == '\0')
        return *pattern == *path;
    return match(pattern + 1, path + 1, words);
}

static bool match_id(const char *pattern, const char *path, struct route_words *words) {
    const size_t first = segment_len(path);
    const size_t second = path[first] == '/' ? segment_len(path + first + 1) : 0;
    const size_t both = first + 1 + second;
    if (first > 0 && second > 0 && match_rest(pattern, path + both, words))
        return word_set(words->id, sizeof(words->id), path, both);
    return match_rest(pattern, path + first, words) &&
           word_set(words->id, sizeof(words->id), path, first);
}

/* Recursion is bounded by the pattern, which is ours. */
static bool match(const char *pattern, const char *path, struct route_words *words) {
    const size_t len = segment_len(pattern), n = segment_len(path);
    if (strncmp(pattern, "{id}", 4) == 0)
        return match_id(pattern + len, path, words);
    if (strncmp(pattern, "{task}", 6) == 0)
        return match_rest(pattern + len, path + n, words) &&
               word_set(words->task, sizeof(words->task), path, n);
    return len == n && memcmp(pattern, path, n) == 0 && match_rest(pattern + len, path + n, words);
}

const struct route *routes_find(enum method method, const char *path, struct route_words *words,
                                unsigned *allowed) {
    *allowed = 0;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        *words = (struct route_words){0};
        if (path[0] != '/' || !match(table[i].path + 1, path + 1, words))
            continue;
        if (table[i].method == method)
            return &table[i];
        *allowed |= 1u << table[i].method;
    }
    return NULL;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool path_decode(const char *path, char *out, size_t size) {
    size_t n = 0;
    for (size_t i = 0; path[i] != '\0'; i++) {
        int c = (unsigned char)path[i];
        if (c == '%') {
            const int high = hex_digit(path[i + 1]);
            const int low = high < 0 ? -1 : hex_digit(path[i + 2]);
            c = high * 16 + low;
            if (low < 0 || c == 0)
                return false;
            i += 2;
        }
        if (n + 1 >= size)
            return false;
        out[n++] = (char)c;
    }
    if (n > 1 && out[n - 1] == '/')
        n--; /* "/models/x/" is "/models/x" */
    out[n] = '\0';
    return utf8_valid(out, n, NULL);
}
