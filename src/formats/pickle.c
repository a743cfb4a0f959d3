/* The pickle machine: opcodes work on a stack of values, marks say where a container's items begin,
 * the memo remembers values by number. Opcodes as Python's pickletools describes them; those of
 * protocols 0 and 1 that no writer of protocol 2 emits are not known.
 *
 * Every opcode makes at most one value and one place in a container, each counted, so memory is
 * bounded by LIMIT_PICKLE_VALUES. Nothing here recurses. */
#include "formats/pickle.h"
#include "formats/advice.h"
#include "formats/bytes.h"

struct opcode {
    const char *name;
    uint8_t operand_bytes; /* little-endian, behind the opcode */
    uint8_t arg;           /* tells apart opcodes that share a function */
    enum status (*run)(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                       struct error *err);
};

const char *pickle_type_name(enum pickle_type type) {
    static const char *const names[] = {
        [PICKLE_NONE] = "None",        [PICKLE_BOOL] = "a bool",
        [PICKLE_INT] = "an int",       [PICKLE_LONG] = "an int beyond 64 bits",
        [PICKLE_FLOAT] = "a float",    [PICKLE_TEXT] = "a string",
        [PICKLE_BYTES] = "bytes",      [PICKLE_TUPLE] = "a tuple",
        [PICKLE_LIST] = "a list",      [PICKLE_DICT] = "a dictionary",
        [PICKLE_SET] = "a set",        [PICKLE_GLOBAL] = "a class or function",
        [PICKLE_OBJECT] = "an object",
    };
    return names[type];
}

bool pickle_is_text(const struct pickle_value *value, const char *text) {
    return (value->type == PICKLE_TEXT || value->type == PICKLE_BYTES) &&
           value->len == strlen(text) && memcmp(value->text, text, value->len) == 0;
}

/* ---- values ---- */

static enum status count_values(struct pickle *pickle, size_t n, struct error *err) {
    if (n > LIMIT_PICKLE_VALUES - pickle->n_values)
        return ERR(err, MODEL, "holds more than %d values, the most that are read",
                   LIMIT_PICKLE_VALUES);
    pickle->n_values += n;
    return STATUS_OK;
}

enum status pickle_new(struct pickle *pickle, enum pickle_type type, struct pickle_value **out,
                       struct error *err) {
    if (count_values(pickle, 1, err) != STATUS_OK)
        return STATUS_ERROR;
    *out = arena_zalloc(pickle->arena, 1, sizeof **out);
    (*out)->type = type;
    return STATUS_OK;
}

enum status pickle_append(struct pickle *pickle, struct pickle_value *container,
                          struct pickle_value *item, struct error *err) {
    if (count_values(pickle, 1, err) != STATUS_OK)
        return STATUS_ERROR;
    if (container->len == container->cap) {
        const uint32_t cap = container->cap == 0 ? 4 : 2 * container->cap;
        struct pickle_value **items = arena_alloc(pickle->arena, cap * sizeof *items);
        for (size_t i = 0; i < container->len; i++)
            items[i] = container->items[i];
        container->items = items;
        container->cap = cap;
    }
    container->items[container->len++] = item;
    return STATUS_OK;
}

/* ---- the stack ---- */

static enum status push(struct pickle *pickle, struct pickle_value *value, struct error *err) {
    if (pickle->depth >= LIMIT_PICKLE_STACK)
        return ERR(err, MODEL, "has more than %d values on its stack, the most that are kept",
                   LIMIT_PICKLE_STACK);
    pickle->stack =
        mem_grow(pickle->stack, &pickle->stack_cap, pickle->depth + 1, sizeof(*pickle->stack));
    pickle->stack[pickle->depth++] = value;
    return STATUS_OK;
}

static enum status push_new(struct pickle *pickle, enum pickle_type type, struct pickle_value **out,
                            struct error *err) {
    if (pickle_new(pickle, type, out, err) != STATUS_OK)
        return STATUS_ERROR;
    return push(pickle, *out, err);
}

/* Values above the last mark. */
static size_t above_mark(const struct pickle *pickle) {
    return pickle->depth - (pickle->n_marks > 0 ? pickle->marks[pickle->n_marks - 1] : 0);
}

static enum status need(const struct pickle *pickle, size_t n, struct error *err) {
    if (above_mark(pickle) < n)
        return ERR(err, MODEL,
                   "takes more values from its stack than are there: the file is "
                   "damaged; " DOWNLOAD);
    return STATUS_OK;
}

/* The value that stands `below` others; there must be one. */
static struct pickle_value *peek(const struct pickle *pickle, size_t below) {
    return pickle->stack[pickle->depth - 1 - below];
}

/* Forgets the last mark. items[0, *n) stand above it and are still on the stack. */
static enum status pop_mark(struct pickle *pickle, struct pickle_value ***items, size_t *n,
                            struct error *err) {
    if (pickle->n_marks == 0)
        return ERR(err, MODEL,
                   "closes a container that it did not open: the file is "
                   "damaged; " DOWNLOAD);
    *n = above_mark(pickle);
    pickle->n_marks--;
    *items = *n == 0 ? NULL : pickle->stack + pickle->depth - *n;
    return STATUS_OK;
}

static enum status do_mark(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                           struct error *err) {
    if (pickle->n_marks >= LIMIT_PICKLE_MARKS)
        return ERR(err, MODEL, "opens more than %d containers in each other", LIMIT_PICKLE_MARKS);
    pickle->marks =
        mem_grow(pickle->marks, &pickle->marks_cap, pickle->n_marks + 1, sizeof(*pickle->marks));
    pickle->marks[pickle->n_marks++] = pickle->depth;
    return STATUS_OK;
}

static enum status do_pop(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                          struct error *err) {
    if (need(pickle, 1, err) != STATUS_OK)
        return STATUS_ERROR;
    pickle->depth--;
    return STATUS_OK;
}

static enum status do_pop_mark(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                               struct error *err) {
    struct pickle_value **items = NULL;
    size_t n = 0;
    if (pop_mark(pickle, &items, &n, err) != STATUS_OK)
        return STATUS_ERROR;
    pickle->depth -= n;
    return STATUS_OK;
}

static enum status do_dup(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                          struct error *err) {
    if (need(pickle, 1, err) != STATUS_OK)
        return STATUS_ERROR;
    return push(pickle, peek(pickle, 0), err);
}

static enum status do_nothing(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                              struct error *err) {
    return STATUS_OK;
}

static enum status do_protocol(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                               struct error *err) {
    if (operand > 5)
        return ERR(err, MODEL, "is of pickle protocol %llu, at most 5 is read",
                   (unsigned long long)operand);
    return STATUS_OK;
}

static enum status do_stop(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                           struct error *err) {
    if (pickle->n_marks != 0 || pickle->depth != 1)
        return ERR(err, MODEL,
                   "ends with %zu values on its stack, must be 1: the file is "
                   "damaged; " DOWNLOAD,
                   pickle->depth);
    pickle->stopped = true;
    return STATUS_OK;
}

/* ---- the memo ---- */

static enum status remember(struct pickle *pickle, uint64_t index, struct error *err) {
    if (need(pickle, 1, err) != STATUS_OK)
        return STATUS_ERROR;
    if (index >= LIMIT_PICKLE_MEMO)
        return ERR(err, MODEL, "remembers a value under number %llu, must be below %d",
                   (unsigned long long)index, LIMIT_PICKLE_MEMO);
    const size_t wanted = (size_t)index + 1;
    pickle->memo = mem_grow(pickle->memo, &pickle->memo_cap, wanted, sizeof(*pickle->memo));
    while (pickle->memo_len < wanted)
        pickle->memo[pickle->memo_len++] = NULL;
    pickle->memo[index] = peek(pickle, 0);
    return STATUS_OK;
}

static enum status do_put(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                          struct error *err) {
    return remember(pickle, operand, err);
}

static enum status do_memoize(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                              struct error *err) {
    return remember(pickle, pickle->memo_len, err); /* such writers leave no numbers out */
}

static enum status do_get(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                          struct error *err) {
    if (operand >= pickle->memo_len || pickle->memo[operand] == NULL)
        return ERR(err, MODEL,
                   "recalls value number %llu, which it never stored: the file is "
                   "damaged; " DOWNLOAD,
                   (unsigned long long)operand);
    return push(pickle, pickle->memo[operand], err);
}

/* ---- plain values ---- */

static enum status do_none(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                           struct error *err) {
    static struct pickle_value none = {.type = PICKLE_NONE};
    return push(pickle, &none, err);
}

static enum status do_bool(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                           struct error *err) {
    static struct pickle_value values[] = {{.type = PICKLE_BOOL, .boolean = false},
                                           {.type = PICKLE_BOOL, .boolean = true}};
    return push(pickle, &values[opcode->arg], err);
}

static enum status push_int(struct pickle *pickle, int64_t integer, struct error *err) {
    struct pickle_value *value = NULL;
    if (push_new(pickle, PICKLE_INT, &value, err) != STATUS_OK)
        return STATUS_ERROR;
    value->integer = integer;
    return STATUS_OK;
}

static enum status do_int(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                          struct error *err) {
    const bool is_signed = opcode->operand_bytes == 4;
    return push_int(pickle, is_signed ? (int32_t)(uint32_t)operand : (int64_t)operand, err);
}

static enum status do_float(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                            struct error *err) {
    struct pickle_value *value = NULL;
    if (push_new(pickle, PICKLE_FLOAT, &value, err) != STATUS_OK)
        return STATUS_ERROR;
    const uint64_t bits = __builtin_bswap64(operand); /* the one big-endian operand */
    memcpy(&value->number, &bits, sizeof value->number);
    return STATUS_OK;
}

/* The n bytes behind the operand. */
static enum status take(struct pickle *pickle, uint64_t n, const char **bytes, struct error *err) {
    if (n > (uint64_t)(pickle->end - pickle->at))
        return ERR(err, MODEL,
                   "promises %llu bytes of a value, %zu are left: the file is "
                   "incomplete or damaged; " DOWNLOAD,
                   (unsigned long long)n, (size_t)(pickle->end - pickle->at));
    *bytes = (const char *)pickle->at;
    pickle->at += n;
    return STATUS_OK;
}

static enum status do_bytes(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                            struct error *err) {
    struct pickle_value *value = NULL;
    if (push_new(pickle, opcode->arg, &value, err) != STATUS_OK)
        return STATUS_ERROR;
    value->len = (size_t)operand;
    return take(pickle, operand, &value->text, err);
}

static enum status do_text(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                           struct error *err) {
    if (do_bytes(pickle, opcode, operand, err) != STATUS_OK)
        return STATUS_ERROR;
    const struct pickle_value *value = peek(pickle, 0);
    if (!utf8_valid(value->text, value->len, NULL))
        return ERR(err, MODEL, "holds a string that is not UTF-8: the file is damaged; " DOWNLOAD);
    return STATUS_OK;
}

static enum status do_long(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                           struct error *err) {
    const char *bytes = NULL;
    if (take(pickle, operand, &bytes, err) != STATUS_OK)
        return STATUS_ERROR;
    if (operand <= 8) {
        const size_t n = (size_t)operand;
        uint64_t bits = bytes_little((const uint8_t *)bytes, n);
        if (n > 0 && n < 8 && (bits >> (8 * n - 1)) != 0) /* negative: the sign goes on */
            bits |= UINT64_MAX << (8 * n);
        return push_int(pickle, (int64_t)bits, err);
    }
    struct pickle_value *value = NULL;
    if (push_new(pickle, PICKLE_LONG, &value, err) != STATUS_OK)
        return STATUS_ERROR;
    value->len = (size_t)operand;
    value->text = bytes;
    return STATUS_OK;
}

/* ---- containers ---- */

static enum status do_empty(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                            struct error *err) {
    struct pickle_value *value = NULL;
    return push_new(pickle, opcode->arg, &value, err);
}

/* Replaces the upper n values by a container of them. */
static enum status collect(struct pickle *pickle, enum pickle_type type, size_t n,
                           struct error *err) {
    struct pickle_value *value = NULL;
    if (count_values(pickle, n, err) != STATUS_OK ||
        pickle_new(pickle, type, &value, err) != STATUS_OK)
        return STATUS_ERROR;
    if (n > 0)
        value->items =
            arena_copy(pickle->arena, pickle->stack + pickle->depth - n, n * sizeof *value->items);
    value->len = n;
    value->cap = (uint32_t)n;
    pickle->depth -= n;
    return push(pickle, value, err);
}

static enum status do_tuple(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                            struct error *err) {
    if (need(pickle, opcode->arg, err) != STATUS_OK)
        return STATUS_ERROR;
    return collect(pickle, PICKLE_TUPLE, opcode->arg, err);
}

static enum status refuse_odd(size_t n, struct error *err) {
    if (n % 2 != 0)
        return ERR(err, MODEL, "sets a key without a value: the file is damaged; " DOWNLOAD);
    return STATUS_OK;
}

/* TUPLE, LIST, DICT, FROZENSET: all above the mark. */
static enum status do_collect(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                              struct error *err) {
    struct pickle_value **items = NULL;
    size_t n = 0;
    if (pop_mark(pickle, &items, &n, err) != STATUS_OK)
        return STATUS_ERROR;
    if (opcode->arg == PICKLE_DICT && refuse_odd(n, err) != STATUS_OK)
        return STATUS_ERROR;
    return collect(pickle, opcode->arg, n, err);
}

/* Moves the upper n values into the container of the opcode's type below them. */
static enum status move_items(struct pickle *pickle, enum pickle_type type, size_t n,
                              struct error *err) {
    if (need(pickle, n + 1, err) != STATUS_OK)
        return STATUS_ERROR;
    struct pickle_value *container = peek(pickle, n);
    if (container->type != type)
        return ERR(err, MODEL, "puts an item into %s, must be %s",
                   pickle_type_name(container->type), pickle_type_name(type));
    if (type == PICKLE_DICT && refuse_odd(n, err) != STATUS_OK)
        return STATUS_ERROR;
    for (size_t i = pickle->depth - n; i < pickle->depth; i++) {
        if (pickle_append(pickle, container, pickle->stack[i], err) != STATUS_OK)
            return STATUS_ERROR;
    }
    pickle->depth -= n;
    return STATUS_OK;
}

static enum status do_append(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                             struct error *err) {
    return move_items(pickle, opcode->arg, opcode->arg == PICKLE_DICT ? 2 : 1, err);
}

static enum status do_append_all(struct pickle *pickle, const struct opcode *opcode,
                                 uint64_t operand, struct error *err) {
    struct pickle_value **items = NULL;
    size_t n = 0;
    if (pop_mark(pickle, &items, &n, err) != STATUS_OK)
        return STATUS_ERROR;
    return move_items(pickle, opcode->arg, n, err);
}

/* ---- classes, functions, objects ---- */

static enum status push_global(struct pickle *pickle, const char *module, size_t module_len,
                               const char *name, size_t name_len, struct error *err) {
    const struct pickle_rules *rules = pickle->rules;
    for (size_t i = 0; i < rules->n_globals; i++) {
        const struct pickle_global *global = &rules->globals[i];
        if (strlen(global->name) != name_len || memcmp(global->name, name, name_len) != 0 ||
            strlen(global->module) != module_len || memcmp(global->module, module, module_len) != 0)
            continue;
        struct pickle_value *value = NULL;
        if (push_new(pickle, PICKLE_GLOBAL, &value, err) != STATUS_OK)
            return STATUS_ERROR;
        value->global = global;
        return STATUS_OK;
    }
    return ERR(err, MODEL,
               "refers to %.*s.%.*s: only tensors are read, nothing is executed; save the model's "
               "state_dict() alone, best as safetensors",
               (int)(module_len < 100 ? module_len : 100), module,
               (int)(name_len < 100 ? name_len : 100), name);
}

/* A line of the pickle, without its end. */
static enum status take_line(struct pickle *pickle, const char **line, size_t *len,
                             struct error *err) {
    const size_t left = (size_t)(pickle->end - pickle->at);
    const size_t most = left < LIMIT_PICKLE_NAME ? left : LIMIT_PICKLE_NAME;
    const uint8_t *end = memchr(pickle->at, '\n', most);
    if (end == NULL)
        return ERR(err, MODEL,
                   "has a class name without an end within %d bytes: the file is "
                   "incomplete or damaged; " DOWNLOAD,
                   LIMIT_PICKLE_NAME);
    *line = (const char *)pickle->at;
    *len = (size_t)(end - pickle->at);
    pickle->at = end + 1;
    return STATUS_OK;
}

static enum status do_global(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                             struct error *err) {
    const char *module = NULL, *name = NULL;
    size_t module_len = 0, name_len = 0;
    if (take_line(pickle, &module, &module_len, err) != STATUS_OK ||
        take_line(pickle, &name, &name_len, err) != STATUS_OK)
        return STATUS_ERROR;
    return push_global(pickle, module, module_len, name, name_len, err);
}

static enum status do_stack_global(struct pickle *pickle, const struct opcode *opcode,
                                   uint64_t operand, struct error *err) {
    if (need(pickle, 2, err) != STATUS_OK)
        return STATUS_ERROR;
    const struct pickle_value *module = peek(pickle, 1), *name = peek(pickle, 0);
    if (module->type != PICKLE_TEXT || name->type != PICKLE_TEXT)
        return ERR(err, MODEL, "names a class by %s, must be a string",
                   pickle_type_name(module->type != PICKLE_TEXT ? module->type : name->type));
    pickle->depth -= 2;
    return push_global(pickle, module->text, module->len, name->text, name->len, err);
}

/* REDUCE and NEWOBJ: here the same, a class makes its object. */
static enum status do_call(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                           struct error *err) {
    if (need(pickle, 2, err) != STATUS_OK)
        return STATUS_ERROR;
    const struct pickle_value *callee = peek(pickle, 1), *args = peek(pickle, 0);
    if (callee->type != PICKLE_GLOBAL || args->type != PICKLE_TUPLE)
        return ERR(err, MODEL, "calls %s with %s, must be a class or function with a tuple",
                   pickle_type_name(callee->type), pickle_type_name(args->type));
    const struct pickle_global *global = callee->global;
    if (global->call == NULL)
        return ERR(err, MODEL, "calls %s.%s, which is only a name here: nothing is executed",
                   global->module, global->name);
    struct pickle_value *result = NULL;
    if (global->call(pickle, global, args, &result, err) != STATUS_OK)
        return STATUS_ERROR;
    pickle->depth -= 2;
    return push(pickle, result, err);
}

static enum status do_build(struct pickle *pickle, const struct opcode *opcode, uint64_t operand,
                            struct error *err) {
    if (need(pickle, 2, err) != STATUS_OK)
        return STATUS_ERROR;
    struct pickle_value *object = peek(pickle, 1);
    const struct pickle_value *state = peek(pickle, 0);
    if (object->type == PICKLE_OBJECT && pickle->rules->build != NULL) {
        if (pickle->rules->build(pickle, object, state, err) != STATUS_OK)
            return STATUS_ERROR;
    } else if (object->type != PICKLE_DICT) {
        return ERR(err, MODEL, "sets attributes of %s, must be an object",
                   pickle_type_name(object->type));
    }
    pickle->depth--;
    return STATUS_OK;
}

static enum status do_persistent(struct pickle *pickle, const struct opcode *opcode,
                                 uint64_t operand, struct error *err) {
    if (need(pickle, 1, err) != STATUS_OK)
        return STATUS_ERROR;
    if (pickle->rules->persistent == NULL)
        return ERR(err, MODEL, "refers to a storage where none may be");
    struct pickle_value *value = NULL;
    if (pickle->rules->persistent(pickle, peek(pickle, 0), &value, err) != STATUS_OK)
        return STATUS_ERROR;
    pickle->depth--;
    return push(pickle, value, err);
}

/* ---- the machine ---- */

/* clang-format off */
static const struct opcode opcodes[256] = {
    ['('] = {"MARK", 0, 0, do_mark},
    ['.'] = {"STOP", 0, 0, do_stop},
    ['0'] = {"POP", 0, 0, do_pop},
    ['1'] = {"POP_MARK", 0, 0, do_pop_mark},
    ['2'] = {"DUP", 0, 0, do_dup},
    ['h'] = {"BINGET", 1, 0, do_get},
    ['j'] = {"LONG_BINGET", 4, 0, do_get},
    ['q'] = {"BINPUT", 1, 0, do_put},
    ['r'] = {"LONG_BINPUT", 4, 0, do_put},
    [0x94] = {"MEMOIZE", 0, 0, do_memoize},
    [0x80] = {"PROTO", 1, 0, do_protocol},
    [0x95] = {"FRAME", 8, 0, do_nothing},

    ['N'] = {"NONE", 0, 0, do_none},
    [0x88] = {"NEWTRUE", 0, 1, do_bool},
    [0x89] = {"NEWFALSE", 0, 0, do_bool},
    ['J'] = {"BININT", 4, 0, do_int},
    ['K'] = {"BININT1", 1, 0, do_int},
    ['M'] = {"BININT2", 2, 0, do_int},
    [0x8a] = {"LONG1", 1, 0, do_long},
    [0x8b] = {"LONG4", 4, 0, do_long},
    ['G'] = {"BINFLOAT", 8, 0, do_float},
    ['U'] = {"SHORT_BINSTRING", 1, PICKLE_TEXT, do_text}, /* Python 2's str */
    ['T'] = {"BINSTRING", 4, PICKLE_TEXT, do_text},
    ['X'] = {"BINUNICODE", 4, PICKLE_TEXT, do_text},
    [0x8c] = {"SHORT_BINUNICODE", 1, PICKLE_TEXT, do_text},
    [0x8d] = {"BINUNICODE8", 8, PICKLE_TEXT, do_text},
    ['C'] = {"SHORT_BINBYTES", 1, PICKLE_BYTES, do_bytes},
    ['B'] = {"BINBYTES", 4, PICKLE_BYTES, do_bytes},
    [0x8e] = {"BINBYTES8", 8, PICKLE_BYTES, do_bytes},
    [0x96] = {"BYTEARRAY8", 8, PICKLE_BYTES, do_bytes},

    [')'] = {"EMPTY_TUPLE", 0, 0, do_tuple},
    [0x85] = {"TUPLE1", 0, 1, do_tuple},
    [0x86] = {"TUPLE2", 0, 2, do_tuple},
    [0x87] = {"TUPLE3", 0, 3, do_tuple},
    ['t'] = {"TUPLE", 0, PICKLE_TUPLE, do_collect},
    [']'] = {"EMPTY_LIST", 0, PICKLE_LIST, do_empty},
    ['l'] = {"LIST", 0, PICKLE_LIST, do_collect},
    ['a'] = {"APPEND", 0, PICKLE_LIST, do_append},
    ['e'] = {"APPENDS", 0, PICKLE_LIST, do_append_all},
    ['}'] = {"EMPTY_DICT", 0, PICKLE_DICT, do_empty},
    ['d'] = {"DICT", 0, PICKLE_DICT, do_collect},
    ['s'] = {"SETITEM", 0, PICKLE_DICT, do_append},
    ['u'] = {"SETITEMS", 0, PICKLE_DICT, do_append_all},
    [0x8f] = {"EMPTY_SET", 0, PICKLE_SET, do_empty},
    [0x90] = {"ADDITEMS", 0, PICKLE_SET, do_append_all},
    [0x91] = {"FROZENSET", 0, PICKLE_SET, do_collect},

    ['c'] = {"GLOBAL", 0, 0, do_global},
    [0x93] = {"STACK_GLOBAL", 0, 0, do_stack_global},
    ['R'] = {"REDUCE", 0, 0, do_call},
    [0x81] = {"NEWOBJ", 0, 0, do_call},
    ['b'] = {"BUILD", 0, 0, do_build},
    ['Q'] = {"BINPERSID", 0, 0, do_persistent},
};
/* clang-format on */

static enum status step(struct pickle *pickle, struct error *err) {
    if (pickle->at == pickle->end)
        return ERR(err, MODEL,
                   "has no end where its bytes or %llu MiB end: the file is "
                   "incomplete or damaged; " DOWNLOAD,
                   LIMIT_PICKLE / MiB);
    const uint8_t code = *pickle->at++;
    const struct opcode *opcode = &opcodes[code];
    if (opcode->run == NULL)
        return ERR(err, MODEL,
                   "has opcode 0x%02x, which torch.save does not write: the file is "
                   "damaged, or not of torch.save",
                   code);
    if (opcode->operand_bytes > (size_t)(pickle->end - pickle->at))
        return ERR(err, MODEL, "ends within %s: the file is incomplete or damaged; " DOWNLOAD,
                   opcode->name);
    const uint64_t operand = bytes_little(pickle->at, opcode->operand_bytes);
    pickle->at += opcode->operand_bytes;
    return opcode->run(pickle, opcode, operand, err);
}

enum status pickle_read(struct pickle *pickle, const uint8_t *data, size_t size, size_t *used,
                        struct pickle_value **out, struct error *err) {
    pickle->at = data;
    pickle->end = data + (size < LIMIT_PICKLE ? size : LIMIT_PICKLE);
    pickle->depth = pickle->n_marks = pickle->memo_len = 0;
    pickle->stopped = false;
    while (!pickle->stopped) {
        const size_t at = (size_t)(pickle->at - data);
        if (step(pickle, err) != STATUS_OK)
            return error_prefix(err, "byte %zu of its pickle: ", at);
    }
    *used = (size_t)(pickle->at - data);
    *out = pickle->stack[0];
    return STATUS_OK;
}

void pickle_deinit(struct pickle *pickle) {
    mem_free(pickle->stack);
    mem_free(pickle->marks);
    mem_free(pickle->memo);
    pickle->stack = pickle->memo = NULL;
    pickle->marks = NULL;
    pickle->stack_cap = pickle->marks_cap = pickle->memo_cap = 0;
}
