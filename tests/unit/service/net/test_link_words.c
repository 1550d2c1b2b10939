/* SPDX-License-Identifier: MIT */
/* link_words: units. */
#include "service/net/link_words.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void rates_are_bits_a_second(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bps;
    } rates[] = {{"10mbit", 10000000},
                 {"10Mbit", 10000000},
                 {"1.5gbit", 1500000000},
                 {"125kbps", 1000000},
                 {"10Mb/s", 10000000},
                 {"1MB/s", 8000000},
                 {"300", 300},
                 {"100Gbit", UINT64_C(100000000000)}};
    uint64_t bps;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        assert_int_equal(link_words_rate(rates[i].text, &bps), 0);
        assert_true(bps == rates[i].bps);
    }
    static const char *const wrong[] = {
        "", "fast", "0", "10mb", "10 mbit", "-1", "10mB/s", "99999999999gbit", "1e3"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(link_words_rate(wrong[i], &bps), -EINVAL);
}

static void times_are_nanoseconds_exactly(void **state)
{
    (void)state;
    uint64_t ns;
    assert_int_equal(link_words_time("10ms", UINT64_MAX, &ns), 0);
    assert_true(ns == 10000000);
    assert_int_equal(link_words_time("0.000000001s", UINT64_MAX, &ns), 0);
    assert_true(ns == 1);
    assert_int_equal(link_words_time("634", UINT64_MAX, &ns), 0);
    assert_true(ns == 634000);
    assert_int_equal(link_words_time("2s", 1999999999, &ns), -EINVAL);
    assert_int_equal(link_words_time("2h", UINT64_MAX, &ns), -EINVAL);
}

static void bytes_have_kilos_of_1024(void **state)
{
    (void)state;
    uint64_t bytes;
    assert_int_equal(link_words_bytes("64kb", UINT64_MAX, &bytes), 0);
    assert_true(bytes == 65536);
    assert_int_equal(link_words_bytes("1.5M", UINT64_MAX, &bytes), 0);
    assert_true(bytes == 1572864);
    assert_int_equal(link_words_bytes("64", UINT64_MAX, &bytes), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_bits_a_second),
        cmocka_unit_test(times_are_nanoseconds_exactly),
        cmocka_unit_test(bytes_have_kilos_of_1024),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
