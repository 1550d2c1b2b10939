/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "unit/tdf/clock_fixture.h"

static void test_every_vcpu_in_use_gets_the_same_line(void **state)
{
    struct fixture *f = *state;
    struct vcpu_time_info untouched = {0};

    assert_int_equal(tdf_clock_init(&f->clock, &f->source, &f->shared, 5, (struct tdf){7, 1}), 0);
    tdf_source_advance_ns(&f->source, 12345);
    tdf_clock_reanchor(&f->clock);
    for (int i = 0; i < 5; i++)
        assert_memory_equal(&f->shared.vcpu_info[i].time, &f->clock.time, sizeof(untouched));
    for (int i = 5; i < XEN_LEGACY_MAX_VCPUS; i++)
        assert_memory_equal(&f->shared.vcpu_info[i].time, &untouched, sizeof(untouched));
    assert_int_equal(f->shared.vcpu_info[0].time.flags, PVCLOCK_TSC_STABLE);
    assert_int_equal(f->shared.vcpu_info[0].time.version % 2, 0);
}

static void test_scribbling_on_the_shared_page_moves_nothing(void **state)
{
    struct fixture *f = *state;

    start(f, (struct tdf){10, 1});
    tdf_source_advance_ns(&f->source, 1000);
    memset(&f->shared, 0xff, sizeof(f->shared));
    assert_int_equal(tdf_clock_now_ns(&f->clock), START_NS + 100);
    tdf_clock_reanchor(&f->clock);
    assert_int_equal(tdf_clock_now_ns(&f->clock), START_NS + 100);
    /* and the next update repairs what the domain had done to itself */
    assert_memory_equal(&f->shared.vcpu_info[0].time.tsc_timestamp, &f->clock.time.tsc_timestamp,
                        24);
    assert_int_equal(f->shared.vcpu_info[0].time.version, f->clock.time.version);
}

static void test_wall_clock_base_stays_and_its_time_is_dilated(void **state)
{
    struct fixture *f = *state;
    uint64_t read_ns = 0;

    start(f, (struct tdf){10, 1});
    uint32_t sec = f->shared.wc_sec;
    assert_int_equal(sec, WALL_NS / NS_PER_SEC - 1000);
    assert_int_equal(pvclock_read_wall_ns(&f->shared, 0, &read_ns), 0);
    assert_int_equal(read_ns, WALL_NS);
    tdf_source_advance_ns(&f->source, 20 * NS_PER_SEC);
    assert_int_equal(tdf_clock_set_tdf(&f->clock, (struct tdf){1, 1}), 0);
    assert_int_equal(f->shared.wc_sec, sec);
    assert_int_equal(pvclock_read_wall_ns(&f->shared, 0, &read_ns), 0);
    assert_int_equal(read_ns, WALL_NS + 2 * NS_PER_SEC);
    tdf_clock_set_wall(&f->clock, WALL_NS * 2);
    assert_int_equal(pvclock_read_wall_ns(&f->shared, 0, &read_ns), 0);
    assert_int_equal(read_ns, WALL_NS * 2);
    assert_int_equal(tdf_clock_now_ns(&f->clock), START_NS + 2 * NS_PER_SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_vcpu_in_use_gets_the_same_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scribbling_on_the_shared_page_moves_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_wall_clock_base_stays_and_its_time_is_dilated, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
