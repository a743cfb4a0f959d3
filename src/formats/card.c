/* The front matter of a model card: between a first line `---` and the next one, in YAML.
 *
 * Only two top-level keys matter here, so libyaml's events are walked and no tree is built: aliases
 * are not expanded (nothing can blow up), and reading stops as soon as both are known. Where the
 * block ends is decided as the hub does: a line of exactly three dashes. */
#include "formats/card.h"

#include <yaml.h>

/* Reading goes no deeper than this: benchmark lists nest to about 7. */
enum { CARD_DEPTH = 64 };

static bool is_newline(char c) {
    return c == '\n' || c == '\r';
}

/* Three dashes at `at` and nothing more on the line. */
static bool is_dashes(const char *at, const char *end) {
    return end - at >= 3 && memcmp(at, "---", 3) == 0 && (end - at == 3 || is_newline(at[3]));
}

/* The front matter of text[*len]: returns its start, behind the first line of dashes, and cuts *len
 * to what stands before the second; NULL when there is none. */
static const char *front_matter(const char *text, size_t *len) {
    const char *at = text, *end = text + *len;
    if (*len >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
        at += 3;
    while (at < end && (is_newline(*at) || *at == ' ' || *at == '\t'))
        at++;
    if (!is_dashes(at, end))
        return NULL;
    const char *start = at + 3;
    for (at = start; at < end; at++) {
        if (is_newline(*at) && is_dashes(at + 1, end)) {
            *len = (size_t)(at + 1 - start);
            return start;
        }
    }
    return NULL;
}

/* Where the walk stands in the event stream. */
struct walk {
    struct card *card;
    struct arena *arena;
    int depth;          /* 1: inside the top-level mapping */
    bool is_value;      /* at depth 1: a key was read, its value comes */
    const char **field; /* of the card, when that key is one of ours */
};

static bool scalar_is(const yaml_event_t *event, const char *text) {
    return event->data.scalar.length == strlen(text) &&
           memcmp(event->data.scalar.value, text, event->data.scalar.length) == 0;
}

static bool scalar_is_null(const yaml_event_t *event) {
    return event->data.scalar.plain_implicit &&
           (event->data.scalar.length == 0 || scalar_is(event, "~") || scalar_is(event, "null") ||
            scalar_is(event, "Null") || scalar_is(event, "NULL"));
}

static void take_scalar(struct walk *walk, const yaml_event_t *event) {
    if (walk->depth != 1)
        return;
    if (!walk->is_value) {
        walk->field = scalar_is(event, "pipeline_tag")   ? &walk->card->pipeline_tag
                      : scalar_is(event, "library_name") ? &walk->card->library_name
                                                         : NULL;
    } else if (walk->field != NULL && event->data.scalar.length > 0 && !scalar_is_null(event)) {
        *walk->field = arena_strndup(walk->arena, (const char *)event->data.scalar.value,
                                     event->data.scalar.length);
    }
    walk->is_value = !walk->is_value;
}

static void leave_collection(struct walk *walk) {
    walk->depth--;
    if (walk->depth == 1)
        walk->is_value = !walk->is_value;
}

/* True while there is more to read. */
static bool take_event(struct walk *walk, const yaml_event_t *event) {
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        take_scalar(walk, event);
        return walk->depth > 0; /* a document that is one scalar holds no keys */
    case YAML_ALIAS_EVENT:
        if (walk->depth == 1)
            walk->is_value = !walk->is_value;
        return true;
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return ++walk->depth < CARD_DEPTH &&
               !(walk->depth == 1 && event->type == YAML_SEQUENCE_START_EVENT);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        leave_collection(walk);
        return walk->depth > 0;
    case YAML_STREAM_END_EVENT:
        return false;
    default:
        return true;
    }
}

enum status card_parse(struct card *card, struct arena *arena, const char *text, size_t len,
                       struct error *err) {
    *card = (struct card){0};
    const char *yaml = front_matter(text, &len);
    if (yaml == NULL)
        return STATUS_OK;
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        PANIC("out of memory");
    yaml_parser_set_input_string(&parser, (const unsigned char *)yaml, len);
    struct walk walk = {.card = card, .arena = arena};
    enum status status = STATUS_OK;
    bool more = true;
    while (more && (card->pipeline_tag == NULL || card->library_name == NULL)) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            status = ERR(err, MODEL, "front matter is damaged at line %zu column %zu: %s",
                         parser.problem_mark.line + 1, parser.problem_mark.column + 1,
                         parser.problem != NULL ? parser.problem : "not YAML");
            break;
        }
        more = take_event(&walk, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    if (status != STATUS_OK)
        *card = (struct card){0};
    return status;
}
