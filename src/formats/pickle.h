/* Pickles: the values that Python's pickle module wrote, read without executing anything.
 *
 * The machine knows the opcodes of protocols 2 to 5 and plain values: numbers, text, bytes, tuples,
 * lists, dictionaries, sets. A class or function is known only when the caller has a row for it;
 * any other is refused by name. Values are only data: they may contain themselves, so whoever walks
 * them bounds the walk. Private to this room. */
#ifndef BRISK_FORMATS_PICKLE_H
#define BRISK_FORMATS_PICKLE_H

#include "base/base.h"

enum pickle_type {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_LONG, /* an integer beyond 64 bits: its bytes, little-endian two's complement */
    PICKLE_FLOAT,
    PICKLE_TEXT, /* valid UTF-8 */
    PICKLE_BYTES,
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_DICT, /* items: key, value, key, value, … in the order of setting, keys may repeat */
    PICKLE_SET,
    PICKLE_GLOBAL,
    PICKLE_OBJECT, /* made by a row's call or by `persistent` */
};

struct pickle;
struct pickle_value {
    enum pickle_type type;
    uint32_t cap; /* of items */
    size_t len;   /* bytes of LONG, TEXT, BYTES; items of containers */
    union {
        bool boolean;
        int64_t integer;
        double number;
        const char *text; /* LONG, TEXT, BYTES: in the pickle, not zero-terminated */
        struct pickle_value **items;
        const struct pickle_global *global;
        void *object;
    };
};

/* A class or function that a pickle may name. */
struct pickle_global {
    const char *module, *name;
    /* What calling it gives; NULL: it may not be called. `args` is a tuple. */
    enum status (*call)(struct pickle *pickle, const struct pickle_global *global,
                        const struct pickle_value *args, struct pickle_value **out,
                        struct error *err);
    const void *data; /* the caller's */
};

struct pickle_rules {
    const struct pickle_global *globals;
    size_t n_globals;
    /* What a persistent id stands for; NULL: ids are refused. */
    enum status (*persistent)(struct pickle *pickle, const struct pickle_value *id,
                              struct pickle_value **out, struct error *err);
    /* Sets an OBJECT's state; NULL: that is refused. Of dictionaries it is ignored. */
    enum status (*build)(struct pickle *pickle, struct pickle_value *object,
                         const struct pickle_value *state, struct error *err);
};

/* Set rules, context and arena (values go there), zero the rest. May read many pickles in turn;
 * the limit on values counts them together. */
struct pickle {
    const struct pickle_rules *rules;
    void *context; /* the caller's */
    struct arena *arena;
    /* Below: the machine's. */
    const uint8_t *at, *end;
    struct pickle_value **stack;
    size_t depth, stack_cap;
    size_t *marks; /* depths of the stack where containers begin */
    size_t n_marks, marks_cap;
    struct pickle_value **memo; /* NULL where nothing is remembered */
    size_t memo_len, memo_cap;
    size_t n_values;
    bool stopped;
};

/* Reads the pickle that data[size] begins with; *used is its length. MODEL when it is damaged,
 * names what is not known, or exceeds a limit: the text starts with the byte. */
enum status pickle_read(struct pickle *pickle, const uint8_t *data, size_t size, size_t *used,
                        struct pickle_value **out, struct error *err) MUST_CHECK;
void pickle_deinit(struct pickle *pickle);

/* For calls: a zeroed value, and appending to a LIST, DICT or SET (a key, then its value). */
enum status pickle_new(struct pickle *pickle, enum pickle_type type, struct pickle_value **out,
                       struct error *err) MUST_CHECK;
enum status pickle_append(struct pickle *pickle, struct pickle_value *container,
                          struct pickle_value *item, struct error *err) MUST_CHECK;
bool pickle_is_text(const struct pickle_value *value, const char *text);
const char *pickle_type_name(enum pickle_type type); /* "a list" */

#endif
