/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tdf/rational.h"

static void assert_parses(const char *text, uint32_t num, uint32_t den)
{
    struct tdf tdf = {77, 77};

    assert_int_equal(tdf_parse(text, &tdf), 0);
    assert_int_equal(tdf.num, num);
    assert_int_equal(tdf.den, den);
}

static void assert_refused(const char *text, int rc)
{
    struct tdf tdf = {77, 78};

    assert_int_equal(tdf_parse(text, &tdf), rc);
    assert_int_equal(tdf.num, 77);
    assert_int_equal(tdf.den, 78);
}

static void test_parse_accepts_the_three_forms(void **state)
{
    (void)state;
    assert_parses("10", 10, 1);
    assert_parses("1/100", 1, 100);
    assert_parses("2.5", 5, 2);
    assert_parses("0.125", 1, 8);
    assert_parses("007", 7, 1);
    assert_parses("2.500000000", 5, 2);
    assert_parses("3.14159265", 62831853, 20000000);
}

static void test_parse_reduces(void **state)
{
    (void)state;
    assert_parses("10/4", 5, 2);
    assert_parses("4000000000/8000000000", 1, 2);
}

static void test_parse_accepts_zero_as_paused(void **state)
{
    (void)state;
    assert_parses("0", 0, 1);
    assert_parses("0/7", 0, 1);
    assert_parses("0.0", 0, 1);
}

static void test_parse_bounds_are_inclusive(void **state)
{
    (void)state;
    assert_parses("1000", 1000, 1);
    assert_parses("1/1000", 1, 1000);
    assert_parses("0.001", 1, 1000);
    assert_refused("1001", -ERANGE);
    assert_refused("1000.000001", -ERANGE);
    assert_refused("1/1001", -ERANGE);
    assert_refused("0.000999999", -ERANGE);
}

static void test_parse_refuses_other_texts(void **state)
{
    static const char *const texts[] = {"",      " ",     "-1",  "+1",   "1e3", "1 ",  " 1",
                                        "1/",    "/2",    "1/0", "0/0",  ".5",  "1.",  "1.2.3",
                                        "1/2/3", "2.5/3", "1,5", "0x10", "ten", "1/2x"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_refused(texts[i], -EINVAL);
}

static void test_parse_refuses_too_many_digits(void **state)
{
    (void)state;
    assert_refused("99999999999999999999999999999999", -ERANGE);
    assert_refused("1/99999999999999999999999999999999", -ERANGE);
    assert_refused("1.0000000001", -ERANGE);
    assert_refused("999.123456789", -ERANGE);
    assert_refused("18446744073709551617", -ERANGE);
}

static void test_check_finds_what_no_clock_runs_at(void **state)
{
    (void)state;
    assert_int_equal(tdf_check((struct tdf){1, 0}), -EINVAL);
    assert_int_equal(tdf_check((struct tdf){1001, 1}), -ERANGE);
    assert_int_equal(tdf_check((struct tdf){1, 1001}), -ERANGE);
    assert_int_equal(tdf_check((struct tdf){UINT32_MAX, UINT32_MAX}), -ERANGE);
    assert_int_equal(tdf_check((struct tdf){0, 1}), 0);
}

static void test_format_reads_back(void **state)
{
    static const struct {
        struct tdf tdf;
        const char *text;
    } cases[] = {
        {{10, 1}, "10"},   {{1, 100}, "1/100"},     {{5, 2}, "2.5"},       {{0, 1}, "0"},
        {{10, 3}, "10/3"}, {{1001, 1000}, "1.001"}, {{1, 1000}, "1/1000"}, {{81, 80}, "1.0125"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[TDF_TEXT_SIZE];
        tdf_format(cases[i].tdf, text, sizeof(text));
        assert_string_equal(text, cases[i].text);
        assert_parses(text, cases[i].tdf.num, cases[i].tdf.den);
    }
}

static void test_format_reads_back_for_random_factors(void **state)
{
    unsigned seed = 7;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        char in[64], out[TDF_TEXT_SIZE];
        struct tdf first, second;
        snprintf(in, sizeof(in), "%d/%d", 1 + rand_r(&seed) % 100000, 1 + rand_r(&seed) % 100000);
        if (tdf_parse(in, &first) < 0)
            continue;
        tdf_format(first, out, sizeof(out));
        assert_int_equal(tdf_parse(out, &second), 0);
        assert_memory_equal(&first, &second, sizeof(first));
    }
}

static void test_format_longest_fits(void **state)
{
    char text[TDF_TEXT_SIZE];

    (void)state;
    tdf_format((struct tdf){999999999, 1000000000}, text, sizeof(text));
    assert_string_equal(text, "999999999/1000000000");
}

static void test_virtual_is_real_over_tdf(void **state)
{
    (void)state;
    assert_int_equal(tdf_virtual_ns((struct tdf){10, 1}, 12345), 1234);
    assert_int_equal(tdf_virtual_ns((struct tdf){1, 10}, 12345), 123450);
    assert_int_equal(tdf_virtual_ns((struct tdf){5, 2}, 10), 4);
    assert_int_equal(tdf_virtual_ns((struct tdf){0, 1}, 12345), 0);
    /* half of 1: the fraction is kept */
    assert_true(tdf_virtual_fp((struct tdf){2, 1}, 1) == (u128)1 << 63);
    assert_true(tdf_virtual_fp((struct tdf){2, 1}, 3) == fp_from_ns(1) + ((u128)1 << 63));
}

static void test_real_rounds_up(void **state)
{
    (void)state;
    assert_int_equal(tdf_real_ns((struct tdf){1, 10}, 1), 1);
    assert_int_equal(tdf_real_ns((struct tdf){1, 10}, 11), 2);
    assert_int_equal(tdf_real_ns((struct tdf){5, 2}, 3), 8);
    assert_int_equal(tdf_real_ns((struct tdf){0, 1}, 0), 0);
    assert_true(tdf_real_ns((struct tdf){0, 1}, 1) == UINT64_MAX);
    assert_true(tdf_real_ns((struct tdf){1000, 1}, UINT64_MAX / 2) == UINT64_MAX);
}

/* A deadline converted to real time and back is not early, and late by less than one real
 * nanosecond (which is den/num virtual ones). */
static void test_there_and_back_is_the_identity(void **state)
{
    static const struct tdf factors[] = {{1, 1}, {10, 1}, {1000, 1}, {5, 2},    {7, 1},
                                         {1, 7}, {1, 10}, {1, 1000}, {355, 113}};
    unsigned seed = 1;

    (void)state;
    for (size_t f = 0; f < sizeof(factors) / sizeof(factors[0]); f++) {
        struct tdf tdf = factors[f];
        for (int i = 0; i < 10000; i++) {
            uint64_t virtual_ns = ((uint64_t)rand_r(&seed) << 20) ^ (uint64_t)rand_r(&seed);
            uint64_t back = tdf_virtual_ns(tdf, tdf_real_ns(tdf, virtual_ns));
            assert_true(back >= virtual_ns);
            assert_true(back - virtual_ns <= tdf.den / tdf.num);
        }
    }
}

static void test_a_then_b_equals_ab(void **state)
{
    static const struct {
        struct tdf a, b, ab;
    } cases[] = {
        {{10, 1}, {10, 1}, {100, 1}}, {{5, 2}, {1, 7}, {5, 14}},    {{1, 10}, {10, 1}, {1, 1}},
        {{7, 1}, {1, 3}, {7, 3}},     {{1, 30}, {1, 30}, {1, 900}}, {{1, 1}, {81, 80}, {81, 80}},
    };
    unsigned seed = 2;

    (void)state;
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        for (int i = 0; i < 10000; i++) {
            uint64_t real_ns = ((uint64_t)rand_r(&seed) << 20) ^ (uint64_t)rand_r(&seed);
            uint64_t once = tdf_virtual_ns(cases[c].ab, real_ns);
            uint64_t twice = tdf_virtual_ns(cases[c].b, tdf_virtual_ns(cases[c].a, real_ns));
            /* the inner floor costs less than 1 ns of the inner clock */
            assert_true(twice <= once);
            assert_true(once - twice <= 1 + cases[c].b.den / cases[c].b.num);
        }
    }
}

static void test_muldiv_saturates(void **state)
{
    (void)state;
    assert_true(muldiv_down(UINT64_MAX, 3, 3) == UINT64_MAX);
    assert_true(muldiv_down(UINT64_MAX, 2, 1) == UINT64_MAX);
    assert_true(muldiv_up(UINT64_MAX, UINT64_MAX, 1) == UINT64_MAX);
    assert_int_equal(muldiv_down(7, 3, 2), 10);
    assert_int_equal(muldiv_up(7, 3, 2), 11);
    assert_int_equal(muldiv_up(8, 3, 2), 12);
}

static void test_rate_is_exact_to_its_last_bit(void **state)
{
    (void)state;
    assert_true(tdf_rate_fp((struct tdf){1, 1}, 1000000000, 1000000000) == fp_from_ns(1));
    assert_true(tdf_rate_fp((struct tdf){1, 1}, 1000000000, 500000000) == fp_from_ns(2));
    assert_true(tdf_rate_fp((struct tdf){4, 1}, 1, 1) == (u128)1 << 62);
    assert_true(tdf_rate_fp((struct tdf){0, 1}, 1, 1) == 0);
    /* the largest product that the bounds allow */
    u128 rate = tdf_rate_fp((struct tdf){1000000, 1000000000}, (UINT64_C(1) << 34) - 1,
                            (UINT64_C(1) << 34) - 1);
    assert_true(rate == fp_from_ns(1000));
}

static void test_slower_is_the_greater_factor_and_paused_the_slowest(void **state)
{
    const struct tdf paused = {0, 1}, one = {1, 1}, two = {2, 1}, half = {1, 2}, also_two = {4, 2};

    (void)state;
    assert_true(tdf_is_slower(two, one));
    assert_true(tdf_is_slower(one, half));
    assert_false(tdf_is_slower(one, two));
    assert_false(tdf_is_slower(half, one));
    assert_false(tdf_is_slower(two, also_two));
    assert_false(tdf_is_slower(also_two, two));
    assert_true(tdf_is_slower(paused, two));
    assert_false(tdf_is_slower(two, paused));
    assert_false(tdf_is_slower(paused, paused));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_accepts_the_three_forms),
        cmocka_unit_test(test_parse_reduces),
        cmocka_unit_test(test_parse_accepts_zero_as_paused),
        cmocka_unit_test(test_parse_bounds_are_inclusive),
        cmocka_unit_test(test_parse_refuses_other_texts),
        cmocka_unit_test(test_parse_refuses_too_many_digits),
        cmocka_unit_test(test_check_finds_what_no_clock_runs_at),
        cmocka_unit_test(test_format_reads_back),
        cmocka_unit_test(test_format_reads_back_for_random_factors),
        cmocka_unit_test(test_format_longest_fits),
        cmocka_unit_test(test_virtual_is_real_over_tdf),
        cmocka_unit_test(test_real_rounds_up),
        cmocka_unit_test(test_there_and_back_is_the_identity),
        cmocka_unit_test(test_a_then_b_equals_ab),
        cmocka_unit_test(test_muldiv_saturates),
        cmocka_unit_test(test_rate_is_exact_to_its_last_bit),
        cmocka_unit_test(test_slower_is_the_greater_factor_and_paused_the_slowest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
