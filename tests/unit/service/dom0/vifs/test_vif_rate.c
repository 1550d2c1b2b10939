/* SPDX-License-Identifier: MIT */
/* vif_rate: rounding and bounds; test_vif_spec has the rest. */
#include "service/dom0/vifs/vif_rate.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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

static void rates_are_bits_or_bytes_of_thousands(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
        uint32_t interval_us;
    } rows[] = {{"1000B/s@1s", 1000, 1000000},
                {"8000b/s@1s", 1000, 1000000},
                {"1KB/s@1s", 1000, 1000000},
                {"2MB/s@1s", 2000000, 1000000},
                {"3GB/s@1s", 3000000000, 1000000},
                {"8Kb/s@1s", 1000, 1000000},
                {"10Mb/s", 62500, 50000}, /* in 50 ms */
                {"1MB/s@20ms", 20000, 20000},
                {"1MB/s@50us", 50, 50},
                {"8b/s@1s", 1, 1000000},
                {"1B/s@4294967295us", 4295, UINT32_MAX},
                {"1499B/s@1ms", 1, 1000},
                {"1500B/s@1ms", 2, 1000},
                {"000000000000000010B/s@1s", 10, 1000000}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(vif_rate_parse(rows[i].text, &bytes, &interval_us, &why), 0);
        assert_int_equal(bytes, rows[i].bytes);
        assert_int_equal(interval_us, rows[i].interval_us);
    }
}

static void what_is_no_rate_is_refused_with_the_reason(void **state)
{
    static const struct {
        const char *text, *reason;
    } rows[] = {{"", "invalid rate"},
                {"B/s", "invalid rate"},
                {"10", "invalid rate"},
                {"10M", "invalid rate"},
                {"10Tb/s", "invalid rate"},
                {"10kb/s", "invalid rate"},
                {"10MKb/s", "invalid rate"},
                {"10Mb", "invalid rate"},
                {"10Mb/", "invalid rate"},
                {"10Mb/m", "invalid rate"},
                {"10Mb/sec", "invalid rate"},
                {"7b/s", "invalid rate"}, /* less than a byte */
                {"0B/s", "invalid rate"},
                {"-1B/s", "invalid rate"},
                {"0000000000000000010B/s", "invalid rate"}, /* 19 digits */
                {"1B/s@", "invalid replenishment interval"},
                {"1B/s@ms", "invalid replenishment interval"},
                {"1B/s@0s", "invalid replenishment interval"},
                {"1B/s@1", "invalid replenishment interval"},
                {"1B/s@1m", "invalid replenishment interval"},
                {"1B/s@1ks", "invalid replenishment interval"},
                {"1B/s@1ss", "invalid replenishment interval"},
                {"1B/s@4294967296us", "invalid replenishment interval"},
                {"999999999GB/s@4294s", "rate overflow"}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char expected[128];
        assert_int_equal(vif_rate_parse(rows[i].text, &bytes, &interval_us, &why), -EINVAL);
        (void)snprintf(expected, sizeof(expected), "config parsing error in vif: %s in `%s'",
                       rows[i].reason, rows[i].text);
        assert_string_equal(why.text, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_of_an_interval_are_rounded_and_never_none),
        cmocka_unit_test(numbers_beyond_64_bits_are_refused),
        cmocka_unit_test(rates_are_bits_or_bytes_of_thousands),
        cmocka_unit_test(what_is_no_rate_is_refused_with_the_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
