/* Base64: the vectors of RFC 4648, all lengths there and back, and what is none. Speed is not
 * tested: nothing here is long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/base.h"

static void the_rfcs_vectors(void **state) {
    static const char *const rows[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf buf;
        uint8_t out[16];
        size_t n;
        buf_init(&buf, KiB);
        base64_encode(&buf, rows[i][0], strlen(rows[i][0]));
        assert_string_equal(buf.data ? buf.data : "", rows[i][1]);
        assert_true(base64_decode(out, &n, rows[i][1], strlen(rows[i][1])));
        assert_int_equal(n, strlen(rows[i][0]));
        assert_memory_equal(out, rows[i][0], n);
        buf_deinit(&buf);
    }
}

static void all_bytes_come_back(void **state) {
    uint8_t bytes[256], out[258];
    for (size_t i = 0; i < 256; i++)
        bytes[i] = (uint8_t)(255 - i);
    for (size_t len = 0; len <= 256; len++) {
        struct buf buf;
        size_t n;
        buf_init(&buf, KiB);
        base64_encode(&buf, bytes, len);
        assert_true(base64_decode(out, &n, buf.data ? buf.data : "", buf.len));
        assert_int_equal(n, len);
        assert_memory_equal(out, bytes, len);
        buf_deinit(&buf);
    }
}

static void what_is_none_is_refused(void **state) {
    static const char *const rows[] = {"A",    "AA",   "AAA",  "AA=A", "=AAA",
                                       "A===", "AA A", "AA-A", "====", "Zg==Zg=="};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t out[16];
        size_t n;
        if (base64_decode(out, &n, rows[i], strlen(rows[i])))
            fail_msg("\"%s\" was taken", rows[i]);
    }
    uint8_t out[3];
    size_t n;
    assert_true(base64_decode(out, &n, "Zh==", 4)); /* bits behind the byte are told by out[n] */
    assert_int_equal(n, 1);
    assert_int_not_equal(out[1], 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfcs_vectors),
        cmocka_unit_test(all_bytes_come_back),
        cmocka_unit_test(what_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
