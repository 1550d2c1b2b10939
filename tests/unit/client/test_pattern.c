/* SPDX-License-Identifier: MIT */
/* pattern: parsing, bounds, reproducibility. All seeds are fixed. */
#include <errno.h>
#include <stdbool.h>

#include "unit/client/pattern_fixture.h"

static const char *const all_patterns[] = {
    "uniform",      "sequential", "zipf:0.2",  "zipf:0.99",  "zipf:1",       "zipf:1.3",  "zipf:40",
    "hotset:0.001", "hotset:1",   "hotset:50", "hotset:100", "hotset:1:100", "hotset:1:5"};
enum { PATTERNS = sizeof(all_patterns) / sizeof(all_patterns[0]) };

static void good_texts_are_parsed(void **state)
{
    struct pattern_spec spec;

    (void)state;
    assert_int_equal(pattern_parse("uniform", &spec), 0);
    assert_int_equal(spec.kind, PATTERN_UNIFORM);
    assert_int_equal(pattern_parse("sequential", &spec), 0);
    assert_int_equal(spec.kind, PATTERN_SEQUENTIAL);
    assert_int_equal(pattern_parse("zipf:0.99", &spec), 0);
    assert_int_equal(spec.kind, PATTERN_ZIPF);
    assert_true(spec.parameter == 0.99);
    assert_int_equal(pattern_parse("hotset:1e-1", &spec), 0);
    assert_int_equal(spec.kind, PATTERN_HOTSET);
    assert_true(spec.parameter == 0.1);
    assert_true(spec.hot_share_percent == 90);
    assert_int_equal(pattern_parse("hotset:0.5:100", &spec), 0);
    assert_int_equal(spec.kind, PATTERN_HOTSET);
    assert_true(spec.parameter == 0.5);
    assert_true(spec.hot_share_percent == 100);
}

static void bad_texts_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "Uniform",
        "uniform ",
        "uniform:1",
        "sequential:",
        "zipf",
        "zipf:",
        "zipf:0",
        "zipf:-1",
        "zipf: 1",
        "zipf:1x",
        "zipf:nan",
        "zipf:inf",
        "zipf:1e999",
        "zipf:0x1",
        "zipf:1,5",
        "zipf:1:2",
        "zipf:+1",
        "zipf:.",
        "hotset",
        "hotset:",
        "hotset:0",
        "hotset:-5",
        "hotset:100.1",
        "random",
        "zipf:1e",
        "zipf:1.2.3",
        "hotset:1:",
        "hotset::1",
        "hotset:1:0",
        "hotset:1:101",
        "hotset:101:1",
        "hotset:1:2:3",
        "hotset:1:-2",
    };
    struct pattern_spec spec = {.kind = PATTERN_ZIPF, .parameter = 7, .hot_share_percent = 8},
                        before = spec;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (pattern_parse(bad[i], &spec) != -EINVAL)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_true(spec.kind == before.kind && spec.parameter == before.parameter &&
                    spec.hot_share_percent == before.hot_share_percent);
    }
}

static void impossible_ranges_are_refused(void **state)
{
    struct pattern_spec spec = {.kind = PATTERN_UNIFORM}, odd = {.kind = (enum pattern_kind)9};
    struct pattern p;

    (void)state;
    assert_int_equal(pattern_init(&p, &spec, 5, 4, 1, 0, 0, 1), -EINVAL);
    assert_int_equal(pattern_init(&p, &spec, 5, 7, 4, 0, 0, 1), -EINVAL);
    assert_int_equal(pattern_init(&p, &spec, 5, 7, 0, 0, 0, 1), -EINVAL);
    assert_int_equal(pattern_init(&p, &spec, 5, 7, 1, 0, 1, 1), -EINVAL);
    assert_int_equal(pattern_init(&p, &spec, 5, 7, 1, 0, 0, 0), -EINVAL);
    assert_int_equal(pattern_init(&p, &spec, 0, UINT64_MAX, 1, 0, 0, 1), -EINVAL);
    assert_int_equal(pattern_init(&p, &odd, 5, 7, 1, 0, 0, 1), -EINVAL);
    spec = (struct pattern_spec){.kind = PATTERN_ZIPF};
    assert_int_equal(pattern_init(&p, &spec, 5, 7, 1, 0, 0, 1), -EINVAL);
    spec = (struct pattern_spec){.kind = PATTERN_HOTSET, .parameter = 101, .hot_share_percent = 90};
    assert_int_equal(pattern_init(&p, &spec, 5, 7, 1, 0, 0, 1), -EINVAL);
    spec = (struct pattern_spec){.kind = PATTERN_HOTSET, .parameter = 1, .hot_share_percent = 0};
    assert_int_equal(pattern_init(&p, &spec, 5, 7, 1, 0, 0, 1), -EINVAL);
    spec = (struct pattern_spec){.kind = PATTERN_UNIFORM};
    assert_int_equal(pattern_init(&p, &spec, 5, 7, 3, 0, 0, 1), 0);
}

/* The largest image has 2^54 - 1 sectors. */
static void a_disk_of_any_size_is_read(void **state)
{
    const uint64_t last = (UINT64_C(1) << 54) - 2;
    const struct pattern_spec zipf = {.kind = PATTERN_ZIPF, .parameter = 1};
    const struct pattern_spec hotset = {
        .kind = PATTERN_HOTSET, .parameter = 1, .hot_share_percent = 90};
    struct pattern p, sequential = make("sequential", 0, last, 2, 1, 0, 1);
    struct pattern uniform = make("uniform", 0, last, 3, 1, 0, 1);
    bool beyond = false;

    (void)state;
    for (int k = 0; k < 500; k++) {
        const uint64_t sector = pattern_next(&uniform);
        assert_true(sector <= last - 2);
        beyond |= sector > UINT64_C(1) << 53;
        assert_int_equal(pattern_next(&sequential), 2 * k);
    }
    assert_true(beyond);
    assert_int_equal(pattern_init(&p, &zipf, 0, last, 1, 0, 0, 1), -EFBIG);
    assert_int_equal(pattern_init(&p, &hotset, 0, last, 1, 0, 0, 1), -EFBIG);
}

static void requests_stay_inside(void **state)
{
    static const struct {
        uint64_t first, last;
        uint32_t sectors;
    } ranges[] = {
        {0, 0, 1},
        {7, 7, 1},
        {10, 11, 1},
        {10, 12, 2},
        {100, 187, 88},
        {3, 1002, 7},
        {UINT64_MAX - 99, UINT64_MAX, 3},
        {0, (UINT64_C(1) << 53) - 1, 1},
    };

    (void)state;
    for (size_t r = 0; r < sizeof(ranges) / sizeof(ranges[0]); r++)
        for (int i = 0; i < PATTERNS; i++)
            for (uint32_t thread = 0; thread < 3; thread++) {
                struct pattern p = make(all_patterns[i], ranges[r].first, ranges[r].last,
                                        ranges[r].sectors, 1, thread, 3);

                for (int k = 0; k < 500; k++) {
                    uint64_t sector = pattern_next(&p);

                    assert_true(sector >= ranges[r].first && sector <= ranges[r].last);
                    assert_true(ranges[r].last - sector >= ranges[r].sectors - 1);
                }
            }
}

static void same_seed_same_sequence(void **state)
{
    (void)state;
    for (int i = 0; i < PATTERNS; i++) {
        struct pattern a = make(all_patterns[i], 0, 999999, 1, 42, 3, 8);
        struct pattern b = make(all_patterns[i], 0, 999999, 1, 42, 3, 8);

        for (int k = 0; k < 1000; k++)
            assert_int_equal(pattern_next(&a), pattern_next(&b));
    }
}

static void threads_and_seeds_differ(void **state)
{
    static const uint64_t seeds[][2] = {{1, 2}, {2, 1}, {0, 0}, {0, 1}, {1, 0}, {2, 2}, {3, 1}};
    enum { SEEDS = sizeof(seeds) / sizeof(seeds[0]) };
    struct pattern p[SEEDS];
    int same = 0;

    (void)state;
    for (int i = 0; i < SEEDS; i++)
        p[i] = make("uniform", 0, 999999, 1, seeds[i][0], (uint32_t)seeds[i][1], 8);
    for (int k = 0; k < 1000; k++) {
        uint64_t sector[SEEDS];

        for (int i = 0; i < SEEDS; i++)
            sector[i] = pattern_next(&p[i]);
        for (int i = 0; i < SEEDS; i++)
            for (int j = 0; j < i; j++)
                same += sector[i] == sector[j];
    }
    assert_true(same <= 3);
}

static void threads_together_walk_over_the_disk(void **state)
{
    enum { THREADS = 5 };
    static const uint32_t sectors[] = {1, 8, 7};

    (void)state;
    for (size_t s = 0; s < 3; s++) {
        struct pattern p[THREADS];
        uint64_t range = 1000, blocks = (range + sectors[s] - 1) / sectors[s], n = 0;

        for (uint32_t t = 0; t < THREADS; t++)
            p[t] = make("sequential", 40, 40 + range - 1, sectors[s], 9, t, THREADS);
        for (int round = 0; round < 1000; round++)
            for (int t = 0; t < THREADS; t++, n++) {
                uint64_t want = n % blocks * sectors[s];

                if (want + sectors[s] > range)
                    want = range - sectors[s];
                assert_int_equal(pattern_next(&p[t]), 40 + want);
            }
    }
}

static void threads_share_out_a_trace(void **state)
{
    uint64_t sectors[] = {9, 5, 7, 5};
    struct sector_trace trace = {.sectors = sectors, .count = 4, .last = 9};
    struct pattern_spec spec;
    struct pattern one, two;

    (void)state;
    assert_int_equal(pattern_parse("trace:f", &spec), 0);
    assert_string_equal(spec.trace_path, "f");
    assert_int_equal(pattern_parse("trace:", &spec), -EINVAL);
    assert_int_equal(pattern_init(&one, &spec, 5, 9, 1, 0, 0, 3), -EINVAL);
    spec.trace = &trace;
    assert_int_equal(pattern_init(&one, &spec, 5, 9, 1, 0, 0, 3), 0);
    assert_int_equal(pattern_init(&two, &spec, 5, 9, 1, 0, 2, 3), 0);
    assert_int_equal(pattern_next(&one), 9);
    assert_int_equal(pattern_next(&one), 5);
    assert_int_equal(pattern_next(&one), 7);
    assert_int_equal(pattern_next(&two), 7);
    assert_int_equal(pattern_next(&two), 5);
}

static void a_trace_of_another_disk_is_refused(void **state)
{
    uint64_t sectors[] = {9, 5};
    struct sector_trace trace = {.sectors = sectors, .count = 2, .last = 9};
    struct pattern_spec spec = {.kind = PATTERN_TRACE, .trace = &trace};
    struct pattern pattern;

    (void)state;
    assert_int_equal(pattern_init(&pattern, &spec, 0, 8, 1, 0, 0, 1), -ERANGE);
    assert_int_equal(pattern_init(&pattern, &spec, 6, 9, 1, 0, 0, 1), -ERANGE);
    assert_int_equal(pattern_init(&pattern, &spec, 0, 9, 2, 0, 0, 1), -ERANGE);
    assert_int_equal(pattern_init(&pattern, &spec, 5, 9, 1, 0, 0, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_texts_are_parsed),
        cmocka_unit_test(bad_texts_are_refused),
        cmocka_unit_test(impossible_ranges_are_refused),
        cmocka_unit_test(a_disk_of_any_size_is_read),
        cmocka_unit_test(requests_stay_inside),
        cmocka_unit_test(same_seed_same_sequence),
        cmocka_unit_test(threads_and_seeds_differ),
        cmocka_unit_test(threads_together_walk_over_the_disk),
        cmocka_unit_test(threads_share_out_a_trace),
        cmocka_unit_test(a_trace_of_another_disk_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
