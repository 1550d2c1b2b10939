/* SPDX-License-Identifier: MIT */
/* vif_rate: rounding and bounds; test_vif_spec has the rest. */
#include "service/dom0/vifs/vif_rate.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t bytes;
static uint32_t interval_us;
static struct why why;

static void bytes_of_an_interval_are_rounded_and_never_none(void **state)
{
    (void)state;
    assert_int_equal(vif_rate_parse("1B/s@1ms", &bytes, &interval_us, &why), 0);
    assert_int_equal(bytes, 1);
    assert_int_equal(vif_rate_parse("2500B/s@1ms", &bytes, &interval_us, &why), 0);
    assert_int_equal(bytes, 3);
}

static void numbers_beyond_64_bits_are_refused(void **state)
{
    (void)state;
    assert_int_equal(vif_rate_parse("99999999999999999999b/s", &bytes, &interval_us, &why),
                     -EINVAL);
    assert_int_equal(vif_rate_parse("999999999999999999GB/s", &bytes, &interval_us, &why), -EINVAL);
    assert_int_equal(vif_rate_parse("1b/s@4295s", &bytes, &interval_us, &why), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_of_an_interval_are_rounded_and_never_none),
        cmocka_unit_test(numbers_beyond_64_bits_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
