/* The pickle machine: every opcode gives the value that Python's pickle gives, nothing unknown is
 * called or passed over, and no pickle costs more than its limits. */
#include "unit/formats/files.h"

#include "formats/pickle.h"

/* ---- a machine with two globals: `made` may be called, `name` may not ---- */

static enum status call_made(struct pickle *pickle, const struct pickle_global *global,
                             const struct pickle_value *args, struct pickle_value **out,
                             struct error *err) {
    if (pickle_new(pickle, PICKLE_OBJECT, out, err) != STATUS_OK)
        return STATUS_ERROR;
    (*out)->object = pickle->context;
    return STATUS_OK;
}

static enum status persistent(struct pickle *pickle, const struct pickle_value *id,
                              struct pickle_value **out, struct error *err) {
    if (id->type != PICKLE_TEXT)
        return ERR(err, MODEL, "an id that is no text");
    return call_made(pickle, NULL, NULL, out, err);
}

static const struct pickle_global globals[] = {
    {"known", "made", call_made, NULL},
    {"known", "name", NULL, NULL},
};
static const struct pickle_rules rules = {
    .globals = globals, .n_globals = ARRAY_LEN(globals), .persistent = persistent};

static enum status read_text(struct pickle *pickle, struct arena *arena, const char *bytes,
                             size_t len, struct pickle_value **out, struct error *err) {
    size_t used = 0;
    *pickle = (struct pickle){.rules = &rules, .arena = arena};
    return pickle_read(pickle, arena_copy(arena, bytes, len), len, &used, out, err);
}

/* ---- values, shown as Python shows them ---- */

static void show(struct buf *buf, const struct pickle_value *value, int depth);

static void show_items(struct buf *buf, const struct pickle_value *value, char open, char close,
                       int depth) {
    buf_putc(buf, open);
    for (size_t i = 0; i < value->len; i++) {
        const bool is_value = value->type == PICKLE_DICT && i % 2 == 1;
        buf_puts(buf, i == 0 ? "" : is_value ? ": " : ", ");
        show(buf, value->items[i], depth + 1);
    }
    buf_putc(buf, close);
}

static void show(struct buf *buf, const struct pickle_value *value, int depth) {
    if (depth > 5) {
        buf_puts(buf, "...");
        return;
    }
    switch (value->type) {
    case PICKLE_NONE:
        buf_puts(buf, "None");
        break;
    case PICKLE_BOOL:
        buf_puts(buf, value->boolean ? "True" : "False");
        break;
    case PICKLE_INT:
        buf_printf(buf, "%lld", (long long)value->integer);
        break;
    case PICKLE_LONG:
        buf_printf(buf, "long of %zu bytes", value->len);
        break;
    case PICKLE_FLOAT:
        buf_printf(buf, "%g", value->number);
        break;
    case PICKLE_TEXT:
        buf_printf(buf, "'%.*s'", (int)value->len, value->text);
        break;
    case PICKLE_BYTES:
        buf_printf(buf, "b'%.*s'", (int)value->len, value->text);
        break;
    case PICKLE_TUPLE:
        show_items(buf, value, '(', ')', depth);
        break;
    case PICKLE_LIST:
        show_items(buf, value, '[', ']', depth);
        break;
    case PICKLE_DICT:
        show_items(buf, value, '{', '}', depth);
        break;
    case PICKLE_SET:
        show_items(buf, value, '<', '>', depth);
        break;
    case PICKLE_GLOBAL:
        buf_printf(buf, "%s.%s", value->global->module, value->global->name);
        break;
    case PICKLE_OBJECT:
        buf_puts(buf, "object");
        break;
    }
}

#define STR(bytes) bytes, sizeof(bytes) - 1

/* clang-format off */
static const struct {
    const char *name, *bytes;
    size_t len;
    const char *wanted;
} good[] = {
    {"None, bools", STR("\x80\2N\x88\x89\x87."), "(None, True, False)"},
    {"ints", STR("(K\xffM\xff\xffJ\xff\xff\xff\xffJ\0\0\0\x80t."), "(255, 65535, -1, -2147483648)"},
    {"longs", STR("(\x8a\0\x8a\1\xff\x8a\2\xff\0\x8a\5\0\0\0\0\x01\x8a\x8\xff\xff\xff\xff\xff\xff\xff\x7f\x8b\1\0\0\0\x80t."), "(0, -1, 255, 4294967296, 9223372036854775807, -128)"},
    {"longs beyond 64 bits", STR("\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."), "long of 10 bytes"},
    {"a float", STR("G\x3f\xf8\0\0\0\0\0\0."), "1.5"},
    {"texts", STR("(X\1\0\0\0a\x8c\2bc\x8d\1\0\0\0\0\0\0\0dU\1eT\1\0\0\0ft."), "('a', 'bc', 'd', 'e', 'f')"},
    {"text beyond ASCII", STR("X\2\0\0\0\xc3\xa9."), "'\xc3\xa9'"},
    {"bytes", STR("(C\1aB\1\0\0\0b\x8e\1\0\0\0\0\0\0\0c\x96\1\0\0\0\0\0\0\0dt."), "(b'a', b'b', b'c', b'd')"},
    {"tuples", STR(")K\1\x85K\1K\2\x86\x87."), "((), (1), (1, 2))"},
    {"nested tuples", STR("(K\1K\2\x86K\3K\4K\5\x87)K\6\x85t."), "((1, 2), (3, 4, 5), (), (6))"},
    {"lists", STR("(](K\1K\2e](K\3K\4l]K\5at."), "([1, 2], [], [3, 4], [5])"},
    {"dictionaries", STR("(}(K\1K\2K\3K\4u(K\5K\6d}K\7K\x8st."), "({1: 2, 3: 4}, {5: 6}, {7: 8})"},
    {"an empty batch", STR("}(u."), "{}"},
    {"sets", STR("\x8f(K\1K\2\x90(K\3\x91\x86."), "(<1, 2>, <3>)"},
    {"the memo", STR("]q\0K\1aK\2r\1\1\0\0" "0h\0j\1\1\0\0\x86\x86."), "([1], ([1], 2))"},
    {"memoize", STR("\x80\4\x95\x9\0\0\0\0\0\0\0K\1\x94K\2\x94h\0h\1\x86\x86\x86."), "(1, (2, (1, 2)))"},
    {"pop and dup", STR("K\1K\2" "02\x86."), "(1, 1)"},
    {"pop to the mark", STR("K\1(K\2K\3" "1."), "1"},
    {"a name", STR("cknown\nname\n."), "known.name"},
    {"a name by strings", STR("\x8c\5known\x8c\4name\x93."), "known.name"},
    {"a call", STR("cknown\nmade\n)R."), "object"},
    {"a new object", STR("cknown\nmade\n)\x81."), "object"},
    {"attributes of a dictionary are passed over", STR("}}X\1\0\0\0aK\1sb."), "{}"},
    {"a persistent id", STR("X\1\0\0\0aQ."), "object"},
    {"a list in itself", STR("]q\0h\0a."), "[[[[[[...]]]]]]"},
    {"what stands behind it", STR("K\1.junk"), "1"},
};
/* clang-format on */

static void gives_what_python_gives(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct pickle pickle;
        struct arena arena = {0};
        struct error err = {0};
        struct pickle_value *value = NULL;
        struct buf buf;
        buf_init(&buf, KiB);
        if (read_text(&pickle, &arena, good[i].bytes, good[i].len, &value, &err) != STATUS_OK)
            fail_msg("%s: %s", good[i].name, err.text);
        show(&buf, value, 0);
        if (strcmp(buf.data, good[i].wanted) != 0)
            fail_msg("%s:\n  wanted %s\n  got    %s", good[i].name, good[i].wanted, buf.data);
        buf_deinit(&buf);
        pickle_deinit(&pickle);
        arena_deinit(&arena);
    }
}

/* clang-format off */
static const struct {
    const char *name, *bytes;
    size_t len;
    const char *wanted;
} bad[] = {
    {"nothing", STR(""), "byte 0 of its pickle: has no end"},
    {"no end", STR("\x80\2N"), "byte 3 of its pickle: has no end"},
    {"protocol 6", STR("\x80\6N."), "is of pickle protocol 6, at most 5 is read"},
    {"two values at the end", STR("NN."), "ends with 2 values on its stack, must be 1"},
    {"no value at the end", STR("."), "ends with 0 values on its stack"},
    {"an open container at the end", STR("N(."), "ends with 1 values on its stack"},
    {"pop of nothing", STR("0."), "takes more values from its stack than are there"},
    {"pop below a mark", STR("N(0."), "takes more values from its stack than are there"},
    {"dup of nothing", STR("2."), "takes more values from its stack"},
    {"a tuple of too few", STR("N\x86."), "takes more values from its stack"},
    {"a tuple across a mark", STR("N(N\x86."), "takes more values from its stack"},
    {"no mark", STR("Nt."), "closes a container that it did not open"},
    {"no mark to pop to", STR("N1."), "closes a container that it did not open"},
    {"a batch for nothing", STR("(K\1e."), "takes more values from its stack"},
    {"append to a tuple", STR(")K\1a."), "puts an item into a tuple, must be a list"},
    {"set an item of a list", STR("]K\1K\2s."), "puts an item into a list, must be a dictionary"},
    {"add to a dictionary", STR("}(K\1\x90."), "puts an item into a dictionary, must be a set"},
    {"a key without a value", STR("}(K\1u."), "sets a key without a value"},
    {"a dictionary of three", STR("(K\1K\2K\3d."), "sets a key without a value"},
    {"an int that is cut", STR("J\1\2"), "ends within BININT"},
    {"text that is cut", STR("X\5\0\0\0abc"), "promises 5 bytes of a value, 3 are left"},
    {"4 GiB of text", STR("X\xff\xff\xff\xff" "a."), "promises 4294967295 bytes of a value, 2 are left"},
    {"2^64 - 1 bytes", STR("\x8e\xff\xff\xff\xff\xff\xff\xff\xff" "a."), "promises 18446744073709551615 bytes"},
    {"a long that is cut", STR("\x8a\xff\1\1."), "promises 255 bytes of a value, 3 are left"},
    {"a huge long", STR("\x8b\xff\xff\xff\x7f\1."), "promises 2147483647 bytes of a value, 2 are left"},
    {"text that is not UTF-8", STR("X\1\0\0\0\xff."), "holds a string that is not UTF-8"},
    {"a surrogate", STR("X\3\0\0\0\xed\xa0\x80."), "holds a string that is not UTF-8"},
    {"recalls what was never stored", STR("h\0."), "recalls value number 0, which it never stored"},
    {"recalls a hole", STR("Nq\5" "0h\3."), "recalls value number 3, which it never stored"},
    {"remembers nothing", STR("q\0."), "takes more values from its stack"},
    {"remembers number 2^32 - 1", STR("Nr\xff\xff\xff\xff."), "under number 4294967295, must be below 2097152"},
    {"os.system", STR("cos\nsystem\n(X\4\0\0\0" "exittR."), "byte 0 of its pickle: refers to os.system: only tensors are read, nothing is executed"},
    {"os.system by strings", STR("\x8c\2os\x8c\6system\x93."), "refers to os.system: only tensors are read"},
    {"the name of another module", STR("cother\nmade\n."), "refers to other.made"},
    {"a longer name", STR("cknown\nmade2\n."), "refers to known.made2"},
    {"a name by numbers", STR("K\1K\2\x93."), "names a class by an int, must be a string"},
    {"a name without an end", STR("cknown\nmade"), "has a class name without an end"},
    {"a call of a name", STR("cknown\nname\n)R."), "calls known.name, which is only a name here"},
    {"a call of an int", STR("K\1)R."), "calls an int with a tuple, must be a class or function"},
    {"a call with a list", STR("cknown\nmade\n]R."), "calls a class or function with a list"},
    {"a call of an object", STR("cknown\nmade\n)R)R."), "calls an object with a tuple"},
    {"attributes of an int", STR("K\1}b."), "sets attributes of an int, must be an object"},
    {"attributes of a class", STR("cknown\nname\n}b."), "sets attributes of a class or function"},
    {"an id that is none", STR("K\1Q."), "byte 2 of its pickle: an id that is no text"},
    {"INST", STR("(ios\nsystem\n."), "has opcode 0x69, which torch.save does not write"},
    {"OBJ", STR("(cknown\nmade\no."), "has opcode 0x6f"},
    {"NEWOBJ_EX", STR("cknown\nmade\n)}\x92."), "has opcode 0x92"},
    {"an extension", STR("\x82\1."), "has opcode 0x82"},
    {"text of protocol 0", STR("I1\n."), "has opcode 0x49"},
    {"a persistent id of protocol 0", STR("Pa\n."), "has opcode 0x50"},
    {"a buffer out of band", STR("\x97."), "has opcode 0x97"},
    {"no opcode at all", STR("\0."), "has opcode 0x00"},
};
/* clang-format on */

static void says_what_is_wrong(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct pickle pickle;
        struct arena arena = {0};
        struct error err = {0};
        struct pickle_value *value = NULL;
        const enum status status =
            read_text(&pickle, &arena, bad[i].bytes, bad[i].len, &value, &err);
        assert_refused(status, &err, bad[i].name, bad[i].wanted);
        assert_int_equal(err.code, ERROR_MODEL);
        assert_null(value);
        pickle_deinit(&pickle);
        arena_deinit(&arena);
    }
}

/* ---- limits ---- */

static const struct {
    const char *name, *start, *again;
    size_t times;
    const char *wanted;
} bombs[] = {
    {"marks", "", "(", LIMIT_PICKLE_MARKS + 1, "opens more than 1000 containers in each other"},
    {"the stack", "", "N", LIMIT_PICKLE_STACK + 1, "more than 1048576 values on its stack"},
    {"values", "",
     "J0000"
     "0",
     LIMIT_PICKLE_VALUES + 1, "holds more than 8388608 values"},
    {"places", "]", "2a", LIMIT_PICKLE_VALUES, "holds more than 8388608 values"},
    {"tuples in tuples", ")", "\x85", LIMIT_PICKLE_VALUES / 2, "holds more than 8388608 values"},
    {"an end that does not come", "N", "20", LIMIT_PICKLE / 2,
     "has no end where its bytes or 64 MiB end"},
};

static void bombs_are_cheap(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(bombs); i++) {
        const size_t len = strlen(bombs[i].again);
        struct buf buf;
        buf_init(&buf, 256 * MiB);
        buf_puts(&buf, bombs[i].start);
        char *room = buf_reserve(&buf, bombs[i].times * len);
        assert_non_null(room);
        for (size_t n = 0; n < bombs[i].times * len; n++)
            room[n] = bombs[i].again[n % len];
        buf.len += bombs[i].times * len;
        struct pickle pickle = {.rules = &rules};
        struct arena arena = {0};
        struct error err = {0};
        struct pickle_value *value = NULL;
        size_t used = 0;
        pickle.arena = &arena;
        const enum status status =
            pickle_read(&pickle, (const uint8_t *)buf.data, buf.len, &used, &value, &err);
        assert_refused(status, &err, bombs[i].name, bombs[i].wanted);
        assert_true(arena.total <= 1 * GiB);
        pickle_deinit(&pickle);
        arena_deinit(&arena);
        buf_deinit(&buf);
    }
}

/* Pickles one after the other: each has a memo of its own. */
static void reads_one_after_the_other(void **state) {
    static const char row[] = "\x80\2K\1q\0.\x80\2h\0.";
    struct arena arena = {0};
    struct error err = {0};
    struct pickle pickle = {.rules = &rules, .arena = &arena};
    struct pickle_value *value = NULL;
    size_t used = 0;
    assert_int_equal(pickle_read(&pickle, (const uint8_t *)row, sizeof row, &used, &value, &err),
                     STATUS_OK);
    assert_int_equal(used, 7);
    value = NULL;
    const enum status status =
        pickle_read(&pickle, (const uint8_t *)row + used, sizeof row - used, &used, &value, &err);
    assert_refused(status, &err, "memo", "recalls value number 0, which it never stored");
    pickle_deinit(&pickle);
    arena_deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_what_python_gives),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(bombs_are_cheap),
        cmocka_unit_test(reads_one_after_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
