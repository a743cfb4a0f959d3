/* Searching: literals by memmem, shared patterns by their scanner, the rest by Oniguruma. What is
 * done with the matches is the caller's. */
#include "tokenizer/pattern.h"

#include <oniguruma.h>

#include "tokenizer/regex_properties.h"
#include "tokenizer/text.h"
#include "base/banned.h"

struct pattern {
    char *literal; /* or NULL */
    size_t literal_len;
    scanner *scan;  /* or NULL */
    regex_t *regex; /* or NULL */
};

static pthread_once_t initialized = PTHREAD_ONCE_INIT;

static void initialize(void) {
    OnigEncoding encodings[] = {ONIG_ENCODING_UTF8};
    onig_initialize(encodings, 1);
    regex_properties_define();
}

static enum status regex_create(regex_t **out, const char *expression, size_t len,
                                struct error *err) {
    if (len > LIMIT_PATTERN)
        return ERR(err, MODEL, "a regular expression has %zu bytes, at most %llu are allowed", len,
                   LIMIT_PATTERN);
    pthread_once(&initialized, initialize);
    struct arena scratch = {0};
    size_t n;
    const OnigUChar *start = (const OnigUChar *)regex_rewrite(&scratch, expression, len, &n);
    OnigErrorInfo info;
    const int code = onig_new(out, start, start + n, ONIG_OPTION_NONE, ONIG_ENCODING_UTF8,
                              ONIG_SYNTAX_ONIGURUMA, &info);
    OnigUChar text[ONIG_MAX_ERROR_MESSAGE_LEN];
    const int text_len = code == ONIG_NORMAL ? 0 : onig_error_code_to_str(text, code, &info);
    arena_deinit(&scratch);
    if (code == ONIG_NORMAL)
        return STATUS_OK;
    return ERR(err, MODEL, "regular expression \"%.*s\": %.*s", (int)(len > 100 ? 100 : len),
               expression, text_len, (const char *)text);
}

enum status pattern_create_plain(struct pattern **out, const char *expression, size_t len,
                                 struct error *err) {
    regex_t *regex = NULL;
    if (regex_create(&regex, expression, len, err) != STATUS_OK)
        return STATUS_ERROR;
    *out = mem_zalloc(1, sizeof **out);
    (*out)->regex = regex;
    return STATUS_OK;
}

enum status pattern_create(struct pattern **out, const char *expression, size_t len, bool literal,
                           struct error *err) {
    scanner *scan = literal ? NULL : scanner_find(expression, len);
    if (!literal && !scan)
        return pattern_create_plain(out, expression, len, err);
    *out = mem_zalloc(1, sizeof **out);
    (*out)->scan = scan;
    if (literal) {
        (*out)->literal = mem_strndup(expression, len);
        (*out)->literal_len = len;
    }
    return STATUS_OK;
}

void pattern_destroy(struct pattern *pattern) {
    if (!pattern)
        return;
    mem_free(pattern->literal);
    onig_free(pattern->regex);
    mem_free(pattern);
}

/* ---- searching ----------------------------------------------------------------------------- */

struct search search_begin(const struct pattern *pattern, const char *data, size_t len) {
    return (struct search){pattern, data, len, 0, SIZE_MAX, NULL};
}

void search_end(struct search *search) {
    if (search->region)
        onig_region_free(search->region, 1);
    search->region = NULL;
}

/* As memmem, which prepares itself anew at each call: most literals are a character, and near. */
static const char *literal_find(const struct pattern *pattern, const char *data, size_t len) {
    const char *end = data + len;
    while ((size_t)(end - data) >= pattern->literal_len) {
        data = memchr(data, pattern->literal[0], (size_t)(end - data) - pattern->literal_len + 1);
        if (!data || memcmp(data, pattern->literal, pattern->literal_len) == 0)
            return data;
        data++;
    }
    return NULL;
}

static bool literal_next(struct search *search, size_t *start, size_t *end) {
    const struct pattern *pattern = search->pattern;
    if (pattern->literal_len == 0 || search->pos >= search->len)
        return false;
    const char *found =
        literal_find(pattern, search->data + search->pos, search->len - search->pos);
    if (!found)
        return false;
    *start = (size_t)(found - search->data);
    *end = search->pos = *start + pattern->literal_len;
    return true;
}

static bool scan_next(struct search *search, size_t *start, size_t *end) {
    while (search->pos < search->len) {
        *start = search->pos;
        *end = search->pattern->scan(search->data, search->len, search->pos);
        if (*end > *start) {
            search->pos = *end;
            return true;
        }
        text_next(search->data, search->len, &search->pos);
    }
    return false;
}

/* One search from search->pos; false: nothing found (or Oniguruma's limits were reached). */
static bool regex_search(struct search *search, size_t *start, size_t *end) {
    const OnigUChar *text = (const OnigUChar *)search->data;
    const OnigUChar *text_end = text + search->len;
    OnigRegion *region = search->region;
    if (onig_search(search->pattern->regex, text, text_end, text + search->pos, text_end, region,
                    ONIG_OPTION_NONE) < 0)
        return false;
    *start = (size_t)region->beg[0];
    *end = (size_t)region->end[0];
    return true;
}

/* An empty match right behind the last match does not count: the search goes on a character on. */
static bool regex_next(struct search *search, size_t *start, size_t *end) {
    if (!search->region)
        search->region = onig_region_new();
    while (search->pos <= search->len && regex_search(search, start, end)) {
        if (*start != *end || search->last_end != *end) {
            search->pos = search->last_end = *end;
            return true;
        }
        if (search->pos >= search->len)
            break;
        text_next(search->data, search->len, &search->pos);
    }
    return false;
}

bool search_next(struct search *search, size_t *start, size_t *end) {
    if (search->pattern->scan)
        return scan_next(search, start, end);
    if (search->pattern->regex)
        return regex_next(search, start, end);
    return literal_next(search, start, end);
}
