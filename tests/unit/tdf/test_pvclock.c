/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "ring/barrier.h"
#include "tdf/counter.h"
#include "tdf/pvclock.h"

static struct vcpu_time_info line_at_hz(uint64_t hz)
{
    struct vcpu_time_info ti = {.flags = PVCLOCK_TSC_STABLE};

    pvclock_set_rate(&ti, tdf_rate_fp((struct tdf){1, 1}, 1000000000, hz));
    return ti;
}

/* What Xen computes for these frequencies, and the error that its rounding down leaves in a second;
 * rounding to the nearest gives the same or one more, and no error. */
static void test_rate_matches_xens_table(void **state)
{
    static const struct {
        uint64_t hz;
        uint32_t mul;
        int shift;
        unsigned up;
    } rows[] = {
        {1000000000, 0x80000000, 1, 0},  {2400000000, 0xd5555555, -1, 0},
        {2500000000, 0xcccccccc, -1, 1}, {3000000000, 0xaaaaaaaa, -1, 1},
        {24000000, 0xa6aaaaaa, 6, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vcpu_time_info ti = line_at_hz(rows[i].hz);
        assert_int_equal(ti.tsc_to_system_mul, rows[i].mul + rows[i].up);
        assert_int_equal(ti.tsc_shift, rows[i].shift);
        uint64_t second_ns = pvclock_ns_at(&ti, rows[i].hz);
        assert_int_equal(second_ns, rows[i].hz == 2400000000 ? 999999999 : 1000000000);
    }
}

static void test_rate_rounds_up_across_a_power_of_two(void **state)
{
    struct vcpu_time_info ti = {0};

    (void)state;
    pvclock_set_rate(&ti, fp_from_ns(1) - 1);
    assert_int_equal(ti.tsc_to_system_mul, 0x80000000);
    assert_int_equal(ti.tsc_shift, 1);
}

static void test_rate_zero_stands_still(void **state)
{
    struct vcpu_time_info ti = {.system_time = 42, .tsc_timestamp = 7};

    (void)state;
    pvclock_set_rate(&ti, 0);
    assert_int_equal(pvclock_ns_at(&ti, 7), 42);
    assert_int_equal(pvclock_ns_at(&ti, UINT64_C(1) << 60), 42);
}

static void test_rate_is_rounded_to_the_nearest(void **state)
{
    unsigned seed = 3;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        struct vcpu_time_info ti = {0};
        u128 rate = ((u128)(unsigned)rand_r(&seed) << 64 | (u128)(unsigned)rand_r(&seed) << 33) >>
                    (rand_r(&seed) % 50);
        if (rate < (u128)1 << 40)
            continue;
        pvclock_set_rate(&ti, rate);
        assert_true(ti.tsc_to_system_mul >= UINT32_C(1) << 31);
        assert_true(32 + ti.tsc_shift >= 0);
        u128 got = (u128)ti.tsc_to_system_mul << (32 + ti.tsc_shift);
        assert_true((got > rate ? got - rate : rate - got) <= rate >> 32);
    }
}

static void test_product_has_96_bits(void **state)
{
    struct vcpu_time_info ti = line_at_hz(1000000000);
    const uint64_t hundred_years_ns = UINT64_C(3155760000) * 1000000000;

    (void)state;
    ti.system_time = 5;
    assert_true(pvclock_ns_at(&ti, hundred_years_ns) == hundred_years_ns + 5);
}

static void test_counter_before_the_anchor_counts_as_the_anchor(void **state)
{
    struct vcpu_time_info ti = line_at_hz(1000000000);

    (void)state;
    ti.tsc_timestamp = 1000;
    ti.system_time = 77;
    assert_int_equal(pvclock_ns_at(&ti, 999), 77);
    assert_int_equal(pvclock_ns_at(&ti, 0), 77);
    assert_int_equal(pvclock_ns_at(&ti, 1001), 78);
}

/* pvclock_ticks_until is the exact inverse: there and not one tick before. */
static void test_ticks_until_is_the_first_tick(void **state)
{
    static const uint64_t rates[] = {1000,       24000000,   1000000000,
                                     2250000000, 3000000000, 7999999999};
    unsigned seed = 4;

    (void)state;
    for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
        struct vcpu_time_info ti = line_at_hz(rates[r]);
        for (int i = 0; i < 20000; i++) {
            uint64_t advance_ns = (uint64_t)rand_r(&seed) << (rand_r(&seed) % 20);
            uint64_t ticks = pvclock_ticks_until(&ti, advance_ns);
            assert_true(pvclock_ns_at(&ti, ticks) >= advance_ns);
            assert_true(ticks == 0 || pvclock_ns_at(&ti, ticks - 1) < advance_ns);
        }
    }
}

static void test_ticks_until_says_never(void **state)
{
    struct vcpu_time_info paused = {0}, slow = line_at_hz(3000000000);

    (void)state;
    assert_int_equal(pvclock_ticks_until(&paused, 0), 0);
    assert_true(pvclock_ticks_until(&paused, 1) == UINT64_MAX);
    assert_true(pvclock_ticks_until(&slow, UINT64_MAX) == UINT64_MAX);
    /* What is too much before the shift is too much, also where the shift makes it small. */
    const struct vcpu_time_info half = {.tsc_to_system_mul = UINT32_C(1) << 31, .tsc_shift = 1};
    const struct vcpu_time_info slower = {.tsc_to_system_mul = UINT32_C(1) << 31, .tsc_shift = -1};
    assert_true(pvclock_ticks_until(&slower, UINT64_C(1) << 61) == UINT64_MAX);
    assert_true(pvclock_ticks_until(&slower, (UINT64_C(1) << 61) - 1) < UINT64_MAX);
    assert_true(pvclock_ticks_until(&half, UINT64_C(1) << 62) == UINT64_MAX);
    assert_true(pvclock_ticks_until(&half, (UINT64_C(1) << 62) - 1) < UINT64_MAX);
}

static void test_published_line_is_read_back(void **state)
{
    struct vcpu_time_info shared, value = line_at_hz(1000000000);
    uint64_t now_ns = 0;

    (void)state;
    memset(&shared, 0xa5, sizeof(shared));
    value.pad1[0] = PVCLOCK_COUNTER_MONOTONIC;
    value.tsc_timestamp = clock_monotonic_ns();
    value.system_time = 1000;
    value.version = 2;
    pvclock_publish_begin(&shared, 0);
    assert_int_equal(shared.version, 1);
    pvclock_publish_end(&shared, &value);
    assert_int_equal(shared.version, 2);
    assert_int_equal(shared.flags, PVCLOCK_TSC_STABLE);
    assert_int_equal(shared.pad1[1], 0);
    assert_int_equal(pvclock_read_ns(&shared, &now_ns), 0);
    uint64_t elapsed_ns = clock_monotonic_ns() - value.tsc_timestamp;
    assert_in_range(now_ns, 1000, 1000 + elapsed_ns);
    assert_int_equal(pvclock_read_ordered_ns(&shared, &now_ns), 0);
    assert_true(now_ns >= 1000);
}

static void test_stepped_line_stands_at_its_anchor(void **state)
{
    struct vcpu_time_info ti = line_at_hz(1000000000);
    uint64_t now_ns = 0;

    (void)state;
    ti.pad1[0] = PVCLOCK_COUNTER_STEPPED;
    ti.tsc_timestamp = 123;
    ti.system_time = 456;
    assert_int_equal(pvclock_read_ns(&ti, &now_ns), 0);
    assert_int_equal(now_ns, 456);
}

static void test_dead_writer_is_reported(void **state)
{
    struct vcpu_time_info ti = line_at_hz(1000000000);
    uint64_t now_ns = 99;

    (void)state;
    pvclock_publish_begin(&ti, 0);
    uint64_t before = clock_monotonic_ns();
    assert_int_equal(pvclock_read_ns(&ti, &now_ns), -ETIMEDOUT);
    uint64_t waited_ns = clock_monotonic_ns() - before;
    assert_int_equal(now_ns, 99);
    assert_true(waited_ns >= PVCLOCK_PATIENCE_NS);
    /* generous: the machine may be busy, but an endless loop would not get here at all */
    assert_true(waited_ns < UINT64_C(50) * PVCLOCK_PATIENCE_NS);
    assert_int_equal(pvclock_read_ordered_ns(&ti, &now_ns), -ETIMEDOUT);
}

static void test_dead_writer_of_the_wall_clock_is_reported(void **state)
{
    struct shared_info *shared = calloc(1, sizeof(*shared));
    uint64_t now_ns = 99;

    (void)state;
    assert_non_null(shared);
    shared->wc_version = 3;
    assert_int_equal(pvclock_read_wall_ns(shared, 0, &now_ns), -ETIMEDOUT);
    assert_int_equal(now_ns, 99);
    free(shared);
}

static void test_wall_clock_is_base_plus_time(void **state)
{
    struct shared_info *shared = calloc(1, sizeof(*shared));
    const uint64_t base_ns = UINT64_C(1700000000123456789);
    uint64_t now_ns = 0;

    (void)state;
    assert_non_null(shared);
    shared->vcpu_info[3].time.pad1[0] = PVCLOCK_COUNTER_STEPPED;
    shared->vcpu_info[3].time.system_time = 1000;
    pvclock_publish_wall(shared, 0, base_ns);
    assert_int_equal(shared->wc_version, 2);
    assert_int_equal(shared->wc_sec, 1700000000);
    assert_int_equal(shared->wc_nsec, 123456789);
    assert_int_equal(pvclock_read_wall_ns(shared, 3, &now_ns), 0);
    assert_int_equal(now_ns, base_ns + 1000);
    /* beyond 2106 the upper half of the seconds counts */
    pvclock_publish_wall(shared, 2, UINT64_C(5000000000) * 1000000000);
    assert_int_equal(shared->wc_sec_hi, 1);
    assert_int_equal(pvclock_read_wall_ns(shared, 3, &now_ns), 0);
    assert_int_equal(now_ns, UINT64_C(5000000000) * 1000000000 + 1000);
    free(shared);
}

static void test_a_look_does_not_wait(void **state)
{
    struct vcpu_time_info ti = line_at_hz(1000000000);
    struct pvclock_look look;

    (void)state;
    ti.pad1[0] = PVCLOCK_COUNTER_STEPPED;
    ti.tsc_timestamp = 5;
    ti.system_time = 456;
    ti.version = 8;
    assert_int_equal(pvclock_look(&ti, true, &look), 0);
    assert_int_equal(look.now_ns, 456);
    assert_int_equal(look.line.version, 8);
    assert_int_equal(look.line.tsc_timestamp, 5);
    assert_int_equal(look.line.tsc_to_system_mul, ti.tsc_to_system_mul);
    assert_int_equal(look.line.pad1[0], PVCLOCK_COUNTER_STEPPED);
    pvclock_publish_begin(&ti, 8);
    assert_int_equal(pvclock_look(&ti, true, &look), -EBUSY);
    assert_int_equal(look.line.version, 9);
}

/* vCPU 0 is the last to become odd and the first to become even. */
static void test_all_vcpus_are_published_around_the_first(void **state)
{
    struct shared_info *shared = calloc(1, sizeof(*shared));
    struct vcpu_time_info value = line_at_hz(1000000000);

    (void)state;
    assert_non_null(shared);
    value.version = 2;
    value.system_time = 77;
    pvclock_publish_all_begin(shared, 3, 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(shared->vcpu_info[i].time.version, i < 3);
    pvclock_publish_all_end(shared, 3, &value);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(shared->vcpu_info[i].time.version, i < 3 ? 2 : 0);
        assert_int_equal(shared->vcpu_info[i].time.system_time, i < 3 ? 77 : 0);
    }
    free(shared);
}

static void test_a_whole_line_is_salvaged_from_the_first_vcpu(void **state)
{
    struct shared_info *shared = calloc(1, sizeof(*shared));
    struct vcpu_time_info value = line_at_hz(3000000000), line;

    (void)state;
    assert_non_null(shared);
    value.version = 2;
    value.system_time = 77;
    value.tsc_timestamp = 12;
    value.pad1[0] = PVCLOCK_COUNTER_MONOTONIC;
    pvclock_publish_all_begin(shared, 1, 0);
    pvclock_publish_all_end(shared, 1, &value);
    assert_int_equal(pvclock_salvage(shared, 1, &line), 0);
    assert_memory_equal(&line, &value, sizeof(line));
    free(shared);
}

static void test_a_torn_line_is_salvaged_from_the_second_vcpu(void **state)
{
    struct shared_info *shared = calloc(1, sizeof(*shared));
    struct vcpu_time_info value = line_at_hz(3000000000), line;

    (void)state;
    assert_non_null(shared);
    value.version = 2;
    value.system_time = 77;
    pvclock_publish_all_begin(shared, 2, 0);
    pvclock_publish_all_end(shared, 2, &value);
    pvclock_publish_all_begin(shared, 2, 2);
    shared->vcpu_info[0].time.system_time = 999;
    assert_int_equal(pvclock_salvage(shared, 2, &line), 0);
    assert_memory_equal(&line, &value, sizeof(line));
    assert_int_equal(pvclock_salvage(shared, 1, &line), -ENODATA);
    shared->vcpu_info[1].time.version = 0; /* of a writer that leaves it alone */
    assert_int_equal(pvclock_salvage(shared, 2, &line), -ENODATA);
    free(shared);
}

/* A domain can write anything there. Reading must end and trap nothing (the sanitizers look on). */
static void test_any_bytes_are_survived(void **state)
{
    unsigned seed = 5;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        struct vcpu_time_info ti;
        unsigned char *bytes = (unsigned char *)&ti;
        uint64_t now_ns;
        for (size_t b = 0; b < sizeof(ti); b++)
            bytes[b] = (unsigned char)rand_r(&seed);
        ti.version &= ~1u;
        assert_int_equal(pvclock_read_ns(&ti, &now_ns), 0);
    }
}

struct storm {
    struct vcpu_time_info ti;
    uint8_t stop;
};

static void *storm_writer(void *arg)
{
    struct storm *storm = arg;
    uint32_t version = 0;

    while (!load_acquire_u8(&storm->stop))
        store_full_u32(&storm->ti.version, version += 2);
    return NULL;
}

/* A version that changes all the time, without ever being odd: either a reading or -EAGAIN. */
static void test_endless_updates_are_bounded(void **state)
{
    struct storm storm = {.ti = line_at_hz(1000000000)};
    pthread_t writer;

    (void)state;
    assert_int_equal(pthread_create(&writer, NULL, storm_writer, &storm), 0);
    for (int i = 0; i < 1000; i++) {
        uint64_t now_ns;
        int rc = pvclock_read_ns(&storm.ti, &now_ns);
        if (rc == -EAGAIN)
            break;
        assert_int_equal(rc, 0);
    }
    store_release_u8(&storm.stop, 1);
    pthread_join(writer, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate_matches_xens_table),
        cmocka_unit_test(test_rate_zero_stands_still),
        cmocka_unit_test(test_rate_rounds_up_across_a_power_of_two),
        cmocka_unit_test(test_rate_is_rounded_to_the_nearest),
        cmocka_unit_test(test_product_has_96_bits),
        cmocka_unit_test(test_counter_before_the_anchor_counts_as_the_anchor),
        cmocka_unit_test(test_ticks_until_is_the_first_tick),
        cmocka_unit_test(test_ticks_until_says_never),
        cmocka_unit_test(test_published_line_is_read_back),
        cmocka_unit_test(test_stepped_line_stands_at_its_anchor),
        cmocka_unit_test(test_dead_writer_is_reported),
        cmocka_unit_test(test_dead_writer_of_the_wall_clock_is_reported),
        cmocka_unit_test(test_wall_clock_is_base_plus_time),
        cmocka_unit_test(test_a_look_does_not_wait),
        cmocka_unit_test(test_all_vcpus_are_published_around_the_first),
        cmocka_unit_test(test_a_whole_line_is_salvaged_from_the_first_vcpu),
        cmocka_unit_test(test_a_torn_line_is_salvaged_from_the_second_vcpu),
        cmocka_unit_test(test_any_bytes_are_survived),
        cmocka_unit_test(test_endless_updates_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
