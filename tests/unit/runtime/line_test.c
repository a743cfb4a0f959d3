/* The line before the workers: requests that have begun are ended before others begin, and both
 * go in the order in which they came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/line.h"

static void begun_before_fresh_each_in_order(void **state) {
    static const struct {
        enum ticket_stage stages[5]; /* of the tickets, as they are pushed */
        size_t wanted[5];            /* as they are popped */
    } rows[] = {
        {{TICKET_NEW, TICKET_NEW, TICKET_NEW, TICKET_NEW, TICKET_NEW}, {0, 1, 2, 3, 4}},
        {{TICKET_RAN, TICKET_READY, TICKET_FAILED, TICKET_RAN, TICKET_RAN}, {0, 1, 2, 3, 4}},
        {{TICKET_NEW, TICKET_RAN, TICKET_NEW, TICKET_READY, TICKET_FAILED}, {1, 3, 4, 0, 2}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        static struct brisk_ticket tickets[5];
        struct line line = {0};
        for (int round = 0; round < 2; round++) { /* an emptied line is as a new one */
            for (size_t k = 0; k < ARRAY_LEN(tickets); k++) {
                tickets[k].stage = rows[i].stages[k];
                line_push(&line, &tickets[k]);
            }
            for (size_t k = 0; k < ARRAY_LEN(tickets); k++)
                assert_ptr_equal(line_pop(&line), &tickets[rows[i].wanted[k]]);
            assert_null(line_pop(&line));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begun_before_fresh_each_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
