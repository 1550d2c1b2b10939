/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "fakes/fake_events.h"
#include "unit/service/block/engine/disk_model_fixture.h"

static void completes_when_due_and_not_before(void **state)
{
    struct fixture *f = make(state, "mean=200us,law=fixed");

    assert_true(disk_model_next_due_ns(f->disk) == UINT64_MAX);
    submit(f, 0, 8192);
    assert_int_equal(disk_model_next_due_ns(f->disk), 1200000);
    assert_int_equal(disk_model_expire(f->disk), 0);
    f->now_ns = 1199999;
    assert_int_equal(disk_model_expire(f->disk), 0);
    assert_int_equal(f->done, 0);
    f->now_ns = 1200000;
    assert_int_equal(disk_model_expire(f->disk), 1);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->reads[0].io.status, 0);
    assert_int_equal(f->reads[0].io.due_ns, 1200000);
    assert_pattern(f, 0, BLOCK_BYTES);
    assert_true(disk_model_next_due_ns(f->disk) == UINT64_MAX);
}

static void a_late_look_finishes_all_in_order(void **state)
{
    struct fixture *f = make(state, "mean=200us,channels=4,law=exponential");

    for (uint32_t i = 0; i < DEPTH; i++)
        submit(f, i, i * BLOCK_BYTES);
    f->now_ns = 1000000000;
    assert_int_equal(disk_model_expire(f->disk), DEPTH);
    for (uint32_t i = 0; i < DEPTH; i++) {
        assert_pattern(f, i, BLOCK_BYTES);
        for (uint32_t j = 0; j < DEPTH; j++)
            if (f->reads[i].io.due_ns < f->reads[j].io.due_ns)
                assert_true(f->reads[i].order < f->reads[j].order);
    }
}

static void a_model_without_service_time_does_not_loop(void **state)
{
    struct fixture *f = make(state, "mean=0,law=fixed");

    f->reads[0].is_repeated = true;
    submit(f, 0, 0);
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(disk_model_expire(f->disk), 1);
        assert_int_equal(f->done, i);
    }
    f->reads[0].is_repeated = false;
}

static void an_error_touches_no_data(void **state)
{
    struct fixture *f = make(state, "mean=1us,error=1");

    submit(f, 0, 0);
    f->now_ns += 1000000;
    assert_int_equal(disk_model_expire(f->disk), 1);
    assert_int_equal(f->reads[0].io.status, -EIO);
    for (uint32_t i = 0; i < BLOCK_BYTES; i++)
        assert_int_equal(f->pool[i], 0xa5);
}

static void a_short_read_delivers_half(void **state)
{
    struct fixture *f = make(state, "mean=1us,short=1");

    submit(f, 0, 40960);
    f->now_ns += 1000000;
    assert_int_equal(disk_model_expire(f->disk), 1);
    assert_int_equal(f->reads[0].io.status, -EIO);
    assert_pattern(f, 0, BLOCK_BYTES / 2);
    for (uint32_t i = BLOCK_BYTES / 2; i < BLOCK_BYTES; i++)
        assert_int_equal(f->pool[i], 0xdb);
}

static void a_stuck_read_ends_with_destroy(void **state)
{
    struct fixture *f = make(state, "mean=1us,stuck=1");

    submit(f, 0, 0);
    submit(f, 1, 0);
    assert_true(disk_model_next_due_ns(f->disk) == UINT64_MAX);
    f->now_ns += UINT64_C(1000000000000);
    assert_int_equal(disk_model_expire(f->disk), 0);
    disk_model_ops.destroy(f->disk);
    f->disk = NULL;
    assert_int_equal(f->done, 2);
    assert_int_equal(f->reads[0].io.status, -ECANCELED);
    assert_int_equal(f->reads[1].io.status, -ECANCELED);
}

static void destroy_cancels_what_is_in_flight(void **state)
{
    struct fixture *f = make(state, "mean=1ms");

    for (uint32_t i = 0; i < DEPTH; i++)
        submit(f, i, 0);
    disk_model_ops.destroy(f->disk);
    f->disk = NULL;
    assert_int_equal(f->done, DEPTH);
    for (uint32_t i = 0; i < DEPTH; i++)
        assert_int_equal(f->reads[i].io.status, -ECANCELED);
}

static void bad_parameters_are_refused_with_a_reason(void **state)
{
    struct fixture *f = *state;
    const struct disk_config config = config_of(f, "mean=soon");
    struct why why = {0};

    f->disk = (struct disk *)f;
    assert_int_equal(disk_model_ops.create(&config, &f->disk, &why), -EINVAL);
    assert_null(f->disk);
    assert_non_null(strstr(why.text, "mean=soon"));
}

static void runs_on_real_time(struct fixture *f, enum poller_kind kind)
{
    struct disk_config config;
    struct why why;

    if (poller_create(kind, &f->poller)) {
        print_message("no such poller here\n");
        skip();
    }
    config = config_of(f, "mean=100us,channels=2,seed=9");
    assert_int_equal(disk_model_ops.create(&config, &f->disk, &why), 0);
    for (int round = 1; round <= 5; round++) {
        for (uint32_t i = 0; i < DEPTH; i++)
            submit(f, i, i * BLOCK_BYTES);
        while (f->done < round * (int)DEPTH)
            assert_true(poller_run(f->poller, true) >= 0);
        for (uint32_t i = 0; i < DEPTH; i++) {
            assert_int_equal(f->reads[i].io.status, 0);
            assert_pattern(f, i, BLOCK_BYTES);
        }
    }
    assert_int_equal(poller_run(f->poller, false), 0);
}

static void runs_on_real_time_with_epoll(void **state)
{
    runs_on_real_time(*state, POLLER_EPOLL);
}

static void runs_on_real_time_with_uring(void **state)
{
    runs_on_real_time(*state, POLLER_URING);
}

/* Nothing would ever tell that a read is due. */
static void a_timer_that_fails_ends_the_poller(void **state)
{
    struct fixture *f = *state;
    struct disk_config config;
    struct event_tap tap;
    struct why why;

    assert_int_equal(poller_create(POLLER_EPOLL, &f->poller), 0);
    config = config_of(f, "mean=100us,channels=2,seed=9");
    event_tap_open(&tap, f->poller);
    assert_int_equal(disk_model_ops.create(&config, &f->disk, &why), 0);
    event_tap_close(&tap);
    event_tap_tell(&tap, POLLERR | POLLNVAL);
    assert_int_equal(poller_run(f->poller, false), -EIO);
    assert_non_null(strstr(poller_failure(f->poller), "model"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(completes_when_due_and_not_before),
        WITH_FIXTURE(a_late_look_finishes_all_in_order),
        WITH_FIXTURE(a_model_without_service_time_does_not_loop),
        WITH_FIXTURE(an_error_touches_no_data),
        WITH_FIXTURE(a_short_read_delivers_half),
        WITH_FIXTURE(a_stuck_read_ends_with_destroy),
        WITH_FIXTURE(destroy_cancels_what_is_in_flight),
        WITH_FIXTURE(bad_parameters_are_refused_with_a_reason),
        WITH_FIXTURE(a_timer_that_fails_ends_the_poller),
        WITH_FIXTURE(runs_on_real_time_with_epoll),
        WITH_FIXTURE(runs_on_real_time_with_uring),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
