/* What the Inference API's dialect reads from headers. What it answers over sockets is
 * http_test.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "server/api/hf.h"

static void zero_shot_form_by_client(void **state) {
    static const struct {
        const char *user_agent;
        bool list;
    } rows[] = {
        {NULL, false},
        {"", false},
        {"curl/8", false},
        {"unknown/None; hf_hub/0.28.1; python/3.11", false},
        {"unknown/None; hf_hub/1.1.4; python/3.11", false},
        {"unknown/None; hf_hub/1.1.5; python/3.11", true},
        {"unknown/None; hf_hub/1.1.10", true},
        {"unknown/None; hf_hub/1.2.0.rc0", true},
        {"unknown/None; hf_hub/1.10", true},
        {"unknown/None; hf_hub/2.4.0; python/3.11", true},
        {"hf_hub/", false},
        {"hf_hub/x.y", false},
        {"hf_hub/99999999999999999999.1.1", false},
        {"@huggingface/inference/4.13.28", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (hf_wants_zero_shot_list(rows[i].user_agent) != rows[i].list)
            fail_msg("%s: wanted %d", rows[i].user_agent, rows[i].list);
    }
}

static void headers_that_say_yes(void **state) {
    static const struct {
        const char *value;
        bool on;
    } rows[] = {
        {NULL, false},  {"", false},    {"0", false},   {"false", false},
        {"true", true}, {"True", true}, {"TRUE", true}, {"1", true},
        {"yes", true},  {"on", true},   {"2", false},   {"truey", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(hf_header_is_on(rows[i].value), rows[i].on);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_shot_form_by_client),
        cmocka_unit_test(headers_that_say_yes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
