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

/* Each unit of tc(8), as typed in any case (its get_rate64, get_time64, get_size), and those of xl.
 */
static void every_unit_of_tc_and_xl_is_known(void **state)
{
    (void)state;
    enum { RATE, TIME, BYTES };
    static const struct {
        const char *text;
        int kind;
        uint64_t value;
    } all[] = {
        {"2BIT", RATE, 2},
        {"2Kbit", RATE, 2000},
        {"2MBIT", RATE, 2000000},
        {"2tbit", RATE, UINT64_C(2000000000000)},
        {"2Kibit", RATE, 2048},
        {"2mibit", RATE, 2 << 20},
        {"2Gibit", RATE, UINT64_C(2) << 30},
        {"2tibit", RATE, UINT64_C(2) << 40},
        {"2Bps", RATE, 16},
        {"2KBps", RATE, 16000},
        {"2MBps", RATE, 16000000},
        {"2GBps", RATE, UINT64_C(16000000000)},
        {"2TBps", RATE, UINT64_C(16000000000000)},
        {"2KiBps", RATE, 16 << 10},
        {"2mibps", RATE, 16 << 20},
        {"2GiBps", RATE, UINT64_C(16) << 30},
        {"2TiBps", RATE, UINT64_C(16) << 40},
        {"2b/s", RATE, 2},
        {"2Kb/s", RATE, 2000},
        {"2Mb/s", RATE, 2000000},
        {"2Gb/s", RATE, 2000000000},
        {"2B/s", RATE, 16},
        {"2KB/s", RATE, 16000},
        {"2MB/s", RATE, 16000000},
        {"2GB/s", RATE, UINT64_C(16000000000)},
        {"2NS", TIME, 2},
        {"2nsec", TIME, 2},
        {"2nsecs", TIME, 2},
        {"2Us", TIME, 2000},
        {"2USEC", TIME, 2000},
        {"2usecs", TIME, 2000},
        {"2MS", TIME, 2000000},
        {"2msec", TIME, 2000000},
        {"2Msecs", TIME, 2000000},
        {"2S", TIME, 2000000000},
        {"2sec", TIME, 2000000000},
        {"2Secs", TIME, 2000000000},
        {"2B", BYTES, 2},
        {"2K", BYTES, 2048},
        {"2KB", BYTES, 2048},
        {"2kbit", BYTES, 256},
        {"2M", BYTES, 2 << 20},
        {"2Mb", BYTES, 2 << 20},
        {"2mbit", BYTES, 2 << 17},
        {"2g", BYTES, UINT64_C(2) << 30},
        {"2GB", BYTES, UINT64_C(2) << 30},
        {"2Gbit", BYTES, 2 << 27},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        uint64_t value = 0;
        int rc = all[i].kind == RATE   ? link_words_rate(all[i].text, &value)
                 : all[i].kind == TIME ? link_words_time(all[i].text, UINT64_MAX, &value)
                                       : link_words_bytes(all[i].text, UINT64_MAX, &value);
        if (rc < 0 || value != all[i].value)
            fail_msg("%s: %d, %llu", all[i].text, rc, (unsigned long long)value);
    }
}

/* A bit is no byte, and a milli no mega. */
static void the_units_of_xl_are_told_apart_by_their_case(void **state)
{
    static const char *const none[] = {"2kb/s", "2KB/S", "2kB/s", "2mb/s", "2MB/S",  "2mB/s",
                                       "2gb/s", "2GB/S", "2gB/s", "2B/S",  "2KbIt/s"};
    uint64_t value;
    (void)state;
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_int_equal(link_words_rate(none[i], &value), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_bits_a_second),
        cmocka_unit_test(times_are_nanoseconds_exactly),
        cmocka_unit_test(bytes_have_kilos_of_1024),
        cmocka_unit_test(every_unit_of_tc_and_xl_is_known),
        cmocka_unit_test(the_units_of_xl_are_told_apart_by_their_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
