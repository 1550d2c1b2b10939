/* SPDX-License-Identifier: MIT */
/* pvclock: how far a line has gone, as a fixed point number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tdf/pvclock.h"

static void test_advance_is_exact_in_either_direction_of_shift(void **state)
{
    static const struct {
        uint64_t from, to;
        uint32_t mul;
        int8_t shift;
        uint64_t hi, lo; /* of the fixed point number */
    } rows[] = {
        {100, 101, 0x80000000, 1, 1, 0}, {100, 103, 0x80000000, 0, 1, UINT64_C(1) << 63},
        {100, 101, 3, -33, 0, 1},        {100, 101, 5, -32, 0, 5},
        {100, 100, 0x80000000, 1, 0, 0}, {100, 99, 0x80000000, 1, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct vcpu_time_info ti = {.tsc_timestamp = rows[i].from,
                                          .tsc_to_system_mul = rows[i].mul,
                                          .tsc_shift = rows[i].shift};
        u128 fp = pvclock_advance_fp(&ti, rows[i].to);
        assert_int_equal((uint64_t)(fp >> 64), rows[i].hi);
        assert_int_equal((uint64_t)fp, rows[i].lo);
    }
}

static void test_an_announcement_belongs_to_the_line_of_its_version(void **state)
{
    struct vcpu_time_info ti = {0}, value = {.version = 2};

    (void)state;
    pvclock_publish_begin(&ti, 0);
    pvclock_publish_slower(&ti, 5);
    pvclock_publish_end(&ti, &value);
    assert_int_equal(pvclock_slower(&ti, 2), 5);
    assert_int_equal(pvclock_slower(&ti, 4), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_advance_is_exact_in_either_direction_of_shift),
        cmocka_unit_test(test_an_announcement_belongs_to_the_line_of_its_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
