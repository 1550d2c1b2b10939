/* SPDX-License-Identifier: MIT */
/* disk_model_law: channels and caps, and who waits for whom. */
#include "unit/service/block/engine/disk_model_law_fixture.h"

static void one_channel_serves_in_turn(void **state)
{
    struct disk_model_law *law = make("mean=10us,law=fixed");

    (void)state;
    for (uint64_t i = 0; i < 5; i++) {
        struct disk_model_outcome outcome = disk_model_law_arrive(law, 1000, DISK_READ, 0, 512);

        assert_int_equal(outcome.begin_ns, 1000 + i * 10000);
        assert_int_equal(outcome.due_ns, 11000 + i * 10000);
    }
    assert_int_equal(disk_model_law_arrive(law, 1000000, DISK_READ, 0, 512).due_ns, 1010000);
    disk_model_law_destroy(law);
}

static void channels_serve_side_by_side(void **state)
{
    struct disk_model_law *law = make("mean=10us,law=fixed,channels=3");
    static const uint64_t due_ns[] = {10000, 10000, 10000, 20000, 20000, 20000, 30000};

    (void)state;
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(disk_model_law_arrive(law, 0, DISK_READ, 0, 512).due_ns, due_ns[i]);
    disk_model_law_destroy(law);
}

/* First come, first served: nobody begins before somebody who came earlier. */
static void nobody_overtakes_in_the_queue(void **state)
{
    struct disk_model_law *law =
        make("mean=50us,law=exponential,channels=4,iops=70000,mbps=100,slow=0.1:1ms");
    uint64_t before_ns = 0;

    (void)state;
    for (uint64_t i = 0; i < 10000; i++) {
        struct disk_model_outcome outcome =
            disk_model_law_arrive(law, i * 11000, DISK_READ, 0, 512);

        assert_true(outcome.begin_ns >= before_ns && outcome.begin_ns >= i * 11000);
        before_ns = outcome.begin_ns;
    }
    disk_model_law_destroy(law);
}

static void iops_cap_is_exact_on_average(void **state)
{
    struct disk_model_law *law = make("mean=0,law=fixed,iops=70001");
    uint64_t due_ns = 0;

    (void)state;
    for (int i = 0; i <= 70001; i++)
        due_ns = disk_model_law_arrive(law, 0, DISK_READ, 0, 512).due_ns;
    assert_int_equal(due_ns, 1000000000); /* the 70,002nd begins after one second */
    disk_model_law_destroy(law);
}

static void iops_cap_saves_nothing_up(void **state)
{
    struct disk_model_law *law = make("mean=0,law=fixed,iops=1000");

    (void)state;
    assert_int_equal(disk_model_law_arrive(law, 0, DISK_READ, 0, 512).due_ns, 0);
    assert_int_equal(disk_model_law_arrive(law, 50000000, DISK_READ, 0, 512).due_ns, 50000000);
    assert_int_equal(disk_model_law_arrive(law, 50000000, DISK_READ, 0, 512).due_ns, 51000000);
    assert_int_equal(disk_model_law_arrive(law, 50000000, DISK_READ, 0, 512).due_ns, 52000000);
    disk_model_law_destroy(law);
}

/* The third of a nanosecond that the first request left is not added to those after a pause. */
static void iops_cap_begins_anew_after_a_pause(void **state)
{
    struct disk_model_law *law = make("mean=0,law=fixed,iops=3");

    (void)state;
    assert_int_equal(disk_model_law_arrive(law, 0, DISK_READ, 0, 512).due_ns, 0);
    assert_int_equal(disk_model_law_arrive(law, 1000000000, DISK_READ, 0, 512).due_ns, 1000000000);
    assert_int_equal(disk_model_law_arrive(law, 1000000000, DISK_READ, 0, 512).due_ns, 1333333333);
    assert_int_equal(disk_model_law_arrive(law, 1000000000, DISK_READ, 0, 512).due_ns, 1666666666);
    assert_int_equal(disk_model_law_arrive(law, 1000000000, DISK_READ, 0, 512).due_ns, 2000000000);
    disk_model_law_destroy(law);
}

static void bandwidth_cap_counts_bytes(void **state)
{
    struct disk_model_law *law = make("mean=0,law=fixed,mbps=3");
    uint64_t due_ns = 0;

    (void)state;
    assert_int_equal(disk_model_law_arrive(law, 0, DISK_READ, 0, 3000).due_ns, 0);
    assert_int_equal(disk_model_law_arrive(law, 0, DISK_READ, 0, 512).due_ns, 1000000);
    assert_int_equal(disk_model_law_arrive(law, 0, DISK_READ, 0, 512).due_ns, 1170666);
    for (int i = 0; i < 1500; i++) /* 1,500 x 2,000 bytes: a second, exactly */
        due_ns = disk_model_law_arrive(law, 0, DISK_READ, 0, 2000).due_ns;
    due_ns = disk_model_law_arrive(law, 0, DISK_READ, 0, 1).due_ns;
    assert_int_equal(due_ns, 1001341333);
    disk_model_law_destroy(law);
}

static void caps_take_the_largest_sizes(void **state)
{
    struct disk_model_law *law = make("mean=0,law=fixed,mbps=0.001");

    (void)state;
    assert_int_equal(disk_model_law_arrive(law, 0, DISK_READ, 0, UINT32_MAX).due_ns, 0);
    assert_true(disk_model_law_arrive(law, 0, DISK_READ, 0, 512).due_ns ==
                UINT64_C(4294967295000000));
    disk_model_law_destroy(law);
    law = make("mean=0,law=fixed,mbps=1000000000");
    assert_int_equal(disk_model_law_arrive(law, 0, DISK_READ, 0, UINT32_MAX).due_ns, 0);
    assert_int_equal(disk_model_law_arrive(law, 0, DISK_READ, 0, 512).due_ns, 4294);
    disk_model_law_destroy(law);
}

/* By hand: test_disk_drive.c. */
static void a_drive_serves_one_request_after_the_other(void **state)
{
    struct disk_model_law *law = make("drive=hp97560,flush=1ms");
    (void)state;
    assert_int_equal(disk_model_law_arrive(law, 0, DISK_WRITE, 0, 512).due_ns, 15200733);
    /* From 17,400,733 on under way, and sector 20 begins at 19,157,088.122. */
    struct disk_model_outcome outcome = disk_model_law_arrive(law, 5, DISK_READ, 20 * 512, 512);
    assert_int_equal(outcome.begin_ns, 15200733);
    assert_int_equal(outcome.due_ns, 19365318 + 51200); /* a read crosses the bus at its end */
    assert_int_equal(disk_model_law_arrive(law, 20000000, DISK_DISCARD, 0, 0).due_ns, 22200000);
    assert_int_equal(disk_model_law_arrive(law, 30000000, DISK_FLUSH, 0, 0).due_ns, 31000000);
    disk_model_law_destroy(law);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_channel_serves_in_turn),
        cmocka_unit_test(channels_serve_side_by_side),
        cmocka_unit_test(nobody_overtakes_in_the_queue),
        cmocka_unit_test(iops_cap_is_exact_on_average),
        cmocka_unit_test(iops_cap_saves_nothing_up),
        cmocka_unit_test(iops_cap_begins_anew_after_a_pause),
        cmocka_unit_test(bandwidth_cap_counts_bytes),
        cmocka_unit_test(caps_take_the_largest_sizes),
        cmocka_unit_test(a_drive_serves_one_request_after_the_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
