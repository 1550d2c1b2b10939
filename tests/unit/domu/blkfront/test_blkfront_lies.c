/* SPDX-License-Identifier: MIT */
/* blkfront: a Dom0 that lies on the ring, or dies. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "unit/domu/blkfront/blkfront_fixture.h"

static void every_lie_fails_all_waiters(void **state)
{
    (void)state;
    for (enum lie which = LIE_UNKNOWN_ID; which < LIES; which++) {
        struct liar liar = {.lie = which, .wait_for = READERS};
        struct reader readers[READERS];
        uint8_t bytes[512];
        connect_to(&(struct fake_dom0_script){.request = lie, .wakes_nobody = true, .ctx = &liar},
                   (struct blkfront_options){.depth = 32, .sectors_per_request = 1});
        start_readers(readers, READERS, 1);
        for (uint32_t i = 0; i < READERS; i++)
            pthread_join(readers[i].thread, NULL);
        uint32_t failed = 0;
        for (uint32_t i = 0; i < READERS; i++) {
            assert_true(readers[i].rc == -EPROTO || readers[i].rc == 0);
            failed += readers[i].rc == -EPROTO;
        }
        /* Answered twice: the first answer counted. */
        assert_int_equal(failed, which == LIE_ANSWERED_TWICE ? READERS - 1 : READERS);
        assert_int_equal(blkfront_read(bf, 0, 1, bytes), -EPROTO);
        assert_int_equal(blkfront_submit(bf, 0, 1, bytes, NULL), -EPROTO);
        struct blkfront_completion done;
        assert_int_equal(blkfront_reap(bf, &done, 1, 1), -EPROTO);
        assert_true(strlen(blkfront_failure(bf)) > 0);
        blkfront_close(bf);
        fake_dom0_stop(dom0);
        bf = NULL;
        dom0 = NULL;
    }
}

/* Never notifies; the second request finds a lie. */
static void lie_quietly(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct quiet_liar *liar = fake_dom0_ctx(d);
    if (load_full_u32(&liar->seen) == 1)
        fake_dom0_respond(d, req->id ^ 1ull << 40, req->operation, BLKIF_RSP_OKAY);
    fake_dom0_flush(d);
    store_full_u32(&liar->seen, load_full_u32(&liar->seen) + 1);
}

/* One thread sleeps on the ring for all, and Dom0 never wakes it. A lie that another thread finds
 * must end its sleep, too. */
static void the_thread_that_sleeps_for_all_is_woken_by_a_failure(void **state)
{
    (void)state;
    struct quiet_liar liar = {0};
    struct reader sleeper;
    uint8_t bytes[512];
    connect_to(&(struct fake_dom0_script){.request = lie_quietly, .silent = true, .ctx = &liar},
               (struct blkfront_options){.depth = 32, .no_spin = true});
    start_readers(&sleeper, 1, 1);
    wait_until_seen(&liar, 1);
    assert_int_equal(blkfront_submit(bf, 7, 1, bytes, NULL), 0);
    assert_int_equal(blkfront_kick(bf), 0);
    wait_until_seen(&liar, 2);
    struct blkfront_completion done;
    assert_int_equal(blkfront_reap(bf, &done, 1, 0), 1);
    assert_int_equal(done.status, -EPROTO);
    assert_int_equal(blkfront_reap(bf, &done, 1, 0), -EPROTO);
    join_readers(&sleeper, 1, -EPROTO);
}

static void dom0s_death_wakes_everybody_soon(void **state)
{
    (void)state;
    struct quiet_liar counter = {0};
    struct reader readers[READERS];
    struct timespec begin, end;
    connect_to(&(struct fake_dom0_script){.request = ignore, .wakes_nobody = true, .ctx = &counter},
               (struct blkfront_options){.depth = 32, .sectors_per_request = 1});
    start_readers(readers, READERS, 1);
    wait_until_seen(&counter, READERS);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    fake_dom0_stop(dom0);
    dom0 = NULL;
    join_readers(readers, READERS, -ENOTCONN);
    clock_gettime(CLOCK_MONOTONIC, &end);
    int64_t took_ms = (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000;
    assert_true(took_ms < 5000);
    assert_non_null(strstr(blkfront_failure(bf), "Dom0 is gone"));
    uint8_t bytes[512];
    assert_int_equal(blkfront_read(bf, 0, 1, bytes), -ENOTCONN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRONT_TEST(every_lie_fails_all_waiters),
        FRONT_TEST(the_thread_that_sleeps_for_all_is_woken_by_a_failure),
        FRONT_TEST(dom0s_death_wakes_everybody_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
