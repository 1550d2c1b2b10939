/* SPDX-License-Identifier: MIT */
/* domain_clock: Dom0's death, the time without one, and the next life. */
#include <errno.h>

#include "tdf/clock.h"
#include "unit/domu/domain_clock_fixture.h"

static void without_dom0_time_goes_on_at_the_last_rate(void **state)
{
    (void)state;
    run_at(&first, 1000, (struct tdf){1, 10});
    (void)read_with(0);
    domain_clock_orphan(&clock_, &first.info, NR_VCPUS);
    memset(&first.info, 0x5a, sizeof(first.info)); /* nobody looks there any more */
    uint64_t real_ns = clock_monotonic_ns(), begin_ns = read_with(-ENOTCONN);
    while (clock_monotonic_ns() - real_ns < 2000000)
        ;
    real_ns = clock_monotonic_ns() - real_ns;
    uint64_t passed_ns = read_with(-ENOTCONN) - begin_ns;
    assert_true(passed_ns >= 10 * UINT64_C(1900000));    /* 2 ms but for the headroom */
    assert_true(passed_ns / 10 <= clock_monotonic_ns()); /* no wrap */
    assert_true(real_ns >= 2000000);
}

/* Dead in the middle: the fields of vCPU 0 are torn, those of vCPU 1 are still the old line. */
static void the_line_of_a_dom0_that_died_in_an_update_is_saved(void **state)
{
    struct vcpu_time_info *torn = &first.info.vcpu_info[0].time;

    (void)state;
    run_at(&first, 7000, (struct tdf){1, 1});
    uint64_t last_ns = read_with(0);
    update_begin(&first);
    torn->tsc_timestamp = 1;
    torn->system_time = 2;
    (void)read_with(-ETIMEDOUT);
    uint64_t begin_ns = clock_monotonic_ns();
    while (clock_monotonic_ns() - begin_ns < 1000000)
        ;
    domain_clock_orphan(&clock_, &first.info, NR_VCPUS);
    uint64_t passed_ns = read_with(-ENOTCONN) - last_ns; /* the standstill is caught up with */
    assert_true(passed_ns >= 1000000);
    assert_true(passed_ns < UINT64_C(60000000000));
}

static void a_line_that_can_not_be_saved_stands(void **state)
{
    (void)state;
    show(&first, 8000);
    assert_int_equal(read_with(0), 8000);
    update_begin(&first);
    domain_clock_orphan(&clock_, &first.info, 1);
    assert_int_equal(read_with(-ENOTCONN), 8000);
    /* Now with an offset below 0. */
    show(&second, UINT64_C(1) << 40);
    domain_clock_adopt(&clock_, time_of(&second), UINT64_C(1) << 40);
    assert_int_equal(read_with(0), 8000);
    update_begin(&second);
    domain_clock_orphan(&clock_, &second.info, 1);
    assert_int_equal(read_with(-ENOTCONN), 8000);
}

static void dom0_dies_once(void **state)
{
    (void)state;
    show(&first, 8000);
    domain_clock_orphan(&clock_, &first.info, NR_VCPUS);
    show(&first, 9000);
    domain_clock_orphan(&clock_, &first.info, NR_VCPUS);
    assert_int_equal(read_with(-ENOTCONN), 8000);
}

/* Another page counts its versions from the beginning. */
static void the_next_life_forgets_what_was_waited_for(void **state)
{
    (void)state;
    update_begin(&first);
    (void)read_with(-ETIMEDOUT);
    assert_int_equal(clock_.held_version, time_of(&first)->version);
    domain_clock_orphan(&clock_, &first.info, NR_VCPUS);
    assert_int_equal(clock_.held_version, 0);
}

static void the_next_life_starts_where_the_clock_is(void **state)
{
    static const uint64_t births_ns[] = {0, 50, 1000, UINT64_C(1) << 60};

    (void)state;
    for (size_t i = 0; i < sizeof(births_ns) / sizeof(births_ns[0]); i++) {
        uint64_t last_ns = read_with(0);
        domain_clock_orphan(&clock_, &first.info, NR_VCPUS);
        assert_int_equal(read_with(-ENOTCONN), last_ns);
        show(&first, births_ns[i]);
        domain_clock_adopt(&clock_, time_of(&first), births_ns[i]);
        assert_int_equal(read_with(0), last_ns);
        assert_true(domain_clock_offset_ns(&clock_) == last_ns - births_ns[i]);
        show(&first, births_ns[i] + 30);
        assert_int_equal(read_with(0), last_ns + 30);
    }
}

/* What passed between the last reading and the next life is not lost. */
static void the_next_life_counts_the_time_without_dom0(void **state)
{
    (void)state;
    for (int life = 0; life < 3; life++) { /* the offset is 0, less, more */
        run_at(&first, first.line.system_time, (struct tdf){1, 1});
        uint64_t last_ns = read_with(0), begin_ns = clock_monotonic_ns();
        domain_clock_orphan(&clock_, &first.info, NR_VCPUS);
        while (clock_monotonic_ns() - begin_ns < 1000000)
            ;
        uint64_t born_ns = life == 0 ? UINT64_C(1) << 40 : 0;
        show(&first, born_ns);
        domain_clock_adopt(&clock_, time_of(&first), born_ns);
        uint64_t passed_ns = read_with(0) - last_ns;
        assert_in_range(passed_ns, 1000000, UINT64_C(60000000000));
    }
}

/* Stopped between the birth of the domain and our taking it over. */
static void a_life_that_begins_in_an_update_starts_at_its_birth(void **state)
{
    (void)state;
    uint64_t last_ns = read_with(0);
    domain_clock_orphan(&clock_, &first.info, NR_VCPUS);
    show(&second, 300);
    update_begin(&second);
    domain_clock_adopt(&clock_, time_of(&second), 300);
    assert_int_equal(read_with(-ETIMEDOUT), last_ns);
    second.line.system_time = 350;
    update_end(&second);
    assert_int_equal(read_with(0), last_ns + 50);
}

int main(void)
{
#define CLOCK_TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        CLOCK_TEST(without_dom0_time_goes_on_at_the_last_rate),
        CLOCK_TEST(the_line_of_a_dom0_that_died_in_an_update_is_saved),
        CLOCK_TEST(a_line_that_can_not_be_saved_stands),
        CLOCK_TEST(dom0_dies_once),
        CLOCK_TEST(the_next_life_forgets_what_was_waited_for),
        CLOCK_TEST(the_next_life_starts_where_the_clock_is),
        CLOCK_TEST(the_next_life_counts_the_time_without_dom0),
        CLOCK_TEST(a_life_that_begins_in_an_update_starts_at_its_birth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
