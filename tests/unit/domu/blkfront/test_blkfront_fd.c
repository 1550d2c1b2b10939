/* SPDX-License-Identifier: MIT */
/* blkfront_fd: readable exactly while there is something to reap. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include "domu/blkfront/blkfront_private.h"
#include "fakes/fake_disk.h"
#include "faults/fault.h"
#include "unit/domu/blkfront/scene.h"

#define MS UINT64_C(1000000)

enum { DEPTH = 32, HANG_S = 60, HANG_MS = 30000, AHEAD_MS = 30 };

/* A Dom0 that keeps requests, and answers so many of them as it is allowed. */
struct keeper {
    struct blkif_request kept[DEPTH];
    uint64_t asked_ns[DEPTH];
    uint32_t count;
    uint32_t answers; /* atomic: how many more it may give */
    bool stamps;      /* each answer is due AHEAD_MS after its read was asked */
};

static int ready_fd;
static struct keeper keeper; /* the thread of Dom0 outlives the test's function */
static uint8_t bytes[DEPTH][512];

static int setup(void **state)
{
    (void)state;
    keeper = (struct keeper){.count = 0};
    return scene_open(HANG_S);
}

static void keep(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct keeper *k = fake_dom0_ctx(d);
    if (k->stamps)
        k->asked_ns[k->count] = blkif_take_request_stamp(fake_dom0_ring(d));
    k->kept[k->count++] = *req;
}

static void answer_some(struct fake_dom0 *d)
{
    struct keeper *k = fake_dom0_ctx(d);
    for (; k->count > 0 && load_full_u32(&k->answers) > 0; k->count--) {
        struct blkif_request *req = &k->kept[k->count - 1];
        store_full_u32(&k->answers, load_full_u32(&k->answers) - 1);
        fake_dom0_fill(d, req);
        fake_dom0_respond(d, req->id, req->operation, BLKIF_RSP_OKAY);
        if (k->stamps)
            blkif_put_response_stamp(fake_dom0_ring(d), k->asked_ns[k->count - 1] + AHEAD_MS * MS);
    }
    fake_dom0_flush(d);
}

static void start(void)
{
    keeper.count = 0;
    dom0 = fake_dom0_start(base, &(struct fake_dom0_script){.request = keep,
                                                            .idle = answer_some,
                                                            .virtual_completion = keeper.stamps,
                                                            .ctx = &keeper});
    assert_non_null(dom0);
}

static void connect_to(bool reconnect)
{
    struct blkfront_error why;
    struct blkfront_options options = {.size = sizeof(options),
                                       .rundir = base,
                                       .name = "fake",
                                       .depth = DEPTH,
                                       .sectors_per_request = 1,
                                       .reconnect = reconnect};
    start();
    if (blkfront_connect(&options, &bf, &why) < 0)
        fail_msg("%s", why.text);
    ready_fd = blkfront_fd(bf);
    assert_true(ready_fd >= 0);
}

static void submit(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(blkfront_submit(bf, i, 1, bytes[i], bytes[i]), 0);
    assert_int_equal(blkfront_kick(bf), 0);
}

static void let_it_answer(uint32_t count)
{
    store_full_u32(&keeper.answers, count);
    fake_dom0_wake(dom0);
}

static bool is_readable(int timeout_ms)
{
    struct pollfd ready = {.fd = ready_fd, .events = POLLIN};
    int rc = poll(&ready, 1, timeout_ms);
    assert_true(rc >= 0);
    return rc == 1;
}

/* Reaps by poll alone. */
static void reap_by_poll(uint32_t count)
{
    struct blkfront_completion done[DEPTH];
    while (count > 0) {
        assert_true(is_readable(HANG_MS));
        int n = blkfront_reap(bf, done, DEPTH, 0);
        assert_true(n > 0);
        for (int i = 0; i < n; i++) {
            assert_int_equal(done[i].status, 0);
            assert_true(fake_disk_holds(done[i].buffer, done[i].sector, 1));
        }
        count -= (uint32_t)n;
    }
    assert_false(is_readable(0));
}

static void answers_make_it_readable_until_they_are_reaped(void **state)
{
    (void)state;
    struct blkfront_completion done[DEPTH];
    connect_to(false);
    assert_int_equal(blkfront_fd(bf), ready_fd);
    assert_true((fcntl(ready_fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_false(is_readable(0));
    submit(4);
    assert_false(is_readable(0));
    let_it_answer(4);
    assert_true(is_readable(HANG_MS));
    struct blkfront_stats stats;
    do
        blkfront_stats(bf, &stats);
    while (stats.responses < 4);
    assert_int_equal(blkfront_reap(bf, done, 3, 0), 3);
    assert_true(is_readable(0));
    assert_int_equal(blkfront_reap(bf, done, 3, 0), 1);
    assert_false(is_readable(0));
    assert_int_equal(blkfront_reap(bf, done, 3, 0), 0);
}

static void one_can_live_by_poll_alone(void **state)
{
    (void)state;
    connect_to(false);
    store_full_u32(&keeper.answers, UINT32_MAX);
    for (uint32_t round = 0; round < 300; round++) {
        submit(1 + round % DEPTH);
        reap_by_poll(1 + round % DEPTH);
    }
}

/* Edges, too: each answer that comes to an empty queue is one. */
static void epoll_sees_each_time_that_it_becomes_readable(void **state)
{
    (void)state;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    struct blkfront_completion done;
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    connect_to(false);
    store_full_u32(&keeper.answers, UINT32_MAX);
    assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, ready_fd, &event), 0);
    for (uint32_t round = 0; round < 100; round++) {
        submit(1);
        assert_int_equal(epoll_wait(epoll_fd, &event, 1, HANG_MS), 1);
        assert_int_equal(blkfront_reap(bf, &done, 1, 0), 1);
    }
    assert_int_equal(epoll_wait(epoll_fd, &event, 1, 0), 0);
    close(epoll_fd);
}

static void *read_many(void *arg)
{
    static const uint32_t reads = 300;
    uint8_t mine[512];
    uintptr_t bad = 0;
    (void)arg;
    for (uint32_t i = 0; i < reads; i++)
        bad += blkfront_read(bf, 1000 + i, 1, mine) != 0 || !fake_disk_holds(mine, 1000 + i, 1);
    return (void *)bad;
}

static void blocking_readers_go_on_beside_it(void **state)
{
    (void)state;
    pthread_t readers[3];
    connect_to(false);
    store_full_u32(&keeper.answers, UINT32_MAX);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_many, NULL), 0);
    for (uint32_t round = 0; round < 200; round++) {
        submit(8);
        reap_by_poll(8);
    }
    for (uint32_t i = 0; i < 3; i++) {
        void *bad;
        assert_int_equal(pthread_join(readers[i], &bad), 0);
        assert_null(bad);
    }
}

/* The answer is there long before its time. */
static void answers_that_are_held_back_make_it_readable_in_their_time(void **state)
{
    (void)state;
    struct blkfront_completion done;
    keeper.stamps = true;
    connect_to(false);
    store_full_u32(&keeper.answers, UINT32_MAX);
    submit(1);
    assert_true(is_readable(HANG_MS));
    assert_int_equal(blkfront_reap(bf, &done, 1, 0), 1);
    assert_int_equal(done.completed_ns - done.submitted_ns, AHEAD_MS * MS);
    assert_true(blkfront_now_ns(bf) >= done.completed_ns);
}

static void a_death_makes_it_readable_for_good(void **state)
{
    (void)state;
    struct blkfront_completion done[DEPTH];
    connect_to(false);
    submit(2);
    fake_dom0_stop(dom0);
    dom0 = NULL;
    assert_true(is_readable(HANG_MS));
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 0), 2);
    assert_int_equal(done[0].status, -ENOTCONN);
    assert_true(is_readable(0));
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 0), -ENOTCONN);
    assert_true(is_readable(0));
}

static void the_next_dom0_makes_it_readable(void **state)
{
    (void)state;
    connect_to(true);
    submit(DEPTH);
    fake_dom0_stop(dom0);
    store_full_u32(&keeper.answers, UINT32_MAX);
    start();
    reap_by_poll(DEPTH);
}

static void a_cancelled_read_makes_it_readable(void **state)
{
    (void)state;
    struct blkfront_completion done;
    connect_to(false);
    submit(1);
    assert_int_equal(blkfront_cancel(bf, bytes[0]), 1);
    assert_true(is_readable(0));
    assert_int_equal(blkfront_reap(bf, &done, 1, 0), 1);
    assert_false(is_readable(0));
}

/* All slots are taken by reads that were cancelled: the next one waits for a slot, and is asked by
 * the thread that waits. */
static void a_read_that_found_no_slot_makes_it_readable(void **state)
{
    (void)state;
    struct blkfront_completion done[DEPTH];
    connect_to(false);
    submit(DEPTH);
    for (uint32_t i = 0; i < DEPTH; i++)
        assert_int_equal(blkfront_cancel(bf, bytes[i]), 1);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 0), DEPTH);
    assert_int_equal(blkfront_submit(bf, 1, 1, bytes[0], NULL), 0);
    assert_false(is_readable(0));
    let_it_answer(UINT32_MAX);
    assert_true(is_readable(HANG_MS));
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 0), 1);
    assert_int_equal(done[0].status, 0);
    assert_false(is_readable(0));
}

/* Whatever its thread is about: leading, sleeping beside one who leads, waiting for a next Dom0. */
static void closing_ends_its_thread(void **state)
{
    (void)state;
    for (uint32_t away = 0; away < 2; away++) {
        connect_to(true);
        submit(2);
        if (away == 1) {
            fake_dom0_stop(dom0);
            dom0 = NULL;
        }
        blkfront_close(bf);
        bf = NULL;
        assert_int_equal(fcntl(ready_fd, F_GETFD), -1);
        fake_dom0_stop(dom0);
        dom0 = NULL;
    }
}

static void without_a_descriptor_or_a_thread_there_is_none_yet(void **state)
{
    (void)state;
    struct blkfront_error why;
    struct blkfront_options options = {
        .size = sizeof(options), .rundir = base, .name = "fake", .sectors_per_request = 1};
    start();
    assert_int_equal(blkfront_connect(&options, &bf, &why), 0);
    const uint32_t descriptors = fault_open_descriptors();
    fault_arm_call("eventfd", 1, EMFILE);
    assert_int_equal(blkfront_fd(bf), -EMFILE);
    fault_disarm();
    fault_arm_call("pthread_create", 1, EAGAIN);
    assert_int_equal(blkfront_fd(bf), -EAGAIN);
    fault_disarm();
    assert_int_equal(fault_open_descriptors(), descriptors);
    ready_fd = blkfront_fd(bf);
    assert_true(ready_fd >= 0);
    submit(1);
    let_it_answer(1);
    reap_by_poll(1);
}

int main(void)
{
#define FD_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        FD_TEST(answers_make_it_readable_until_they_are_reaped),
        FD_TEST(one_can_live_by_poll_alone),
        FD_TEST(epoll_sees_each_time_that_it_becomes_readable),
        FD_TEST(blocking_readers_go_on_beside_it),
        FD_TEST(answers_that_are_held_back_make_it_readable_in_their_time),
        FD_TEST(a_death_makes_it_readable_for_good),
        FD_TEST(the_next_dom0_makes_it_readable),
        FD_TEST(a_cancelled_read_makes_it_readable),
        FD_TEST(a_read_that_found_no_slot_makes_it_readable),
        FD_TEST(closing_ends_its_thread),
        cmocka_unit_test_setup_teardown(without_a_descriptor_or_a_thread_there_is_none_yet, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
