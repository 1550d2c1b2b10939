/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/timerfd.h>

#include <cmocka.h>

#include "faults/fault.h"
#include "ring/evtchn.h"
#include "service/loop/doorbell.h"
#include "service/loop/poller_private.h"

struct listener {
    uint32_t rang, muted, failed;
    uint64_t work, work_per_ring;
};

static void rang(void *ctx)
{
    struct listener *l = ctx;
    l->rang++;
    l->work += l->work_per_ring;
}

static uint64_t work(void *ctx)
{
    return ((struct listener *)ctx)->work;
}

static void muted(void *ctx)
{
    ((struct listener *)ctx)->muted++;
}

static void failed(void *ctx)
{
    ((struct listener *)ctx)->failed++;
}

static const struct doorbell_ops ops = {
    .rang = rang, .work = work, .muted = muted, .failed = failed};

static void honest_rings_are_never_muted(void **state)
{
    struct storm_guard guard = {0};
    (void)state;
    for (uint64_t i = 0; i < 100000; i++)
        assert_int_equal(storm_guard_ring(&guard, 1000 + i * 1000, i), 0);
    /* Half of them without work, as with the store. */
    for (uint64_t i = 0; i < 100000; i++)
        assert_int_equal(storm_guard_ring(&guard, 200000000 + i * 1000, i / 2), 0);
}

static void few_rings_without_work_are_nobodys_concern(void **state)
{
    struct storm_guard guard = {0};
    (void)state;
    for (uint64_t i = 1; i < 1000; i++) /* 50 in a window */
        assert_int_equal(storm_guard_ring(&guard, i * STORM_WINDOW_NS / 50, 0), 0);
}

/* Rings until muted; returns for how long. */
static uint64_t storm(struct storm_guard *guard, uint64_t *now_ns)
{
    for (int i = 0; i < 10 * STORM_RINGS; i++) {
        uint64_t mute_ns = storm_guard_ring(guard, *now_ns += 1000, 0);
        if (mute_ns > 0)
            return mute_ns;
    }
    return 0;
}

static void a_storm_is_muted_longer_each_time(void **state)
{
    struct storm_guard guard = {0};
    uint64_t now_ns = 1, wanted_ns = STORM_MUTE_MIN_NS;
    (void)state;
    for (int i = 0; i < 10; i++) {
        uint64_t mute_ns = storm(&guard, &now_ns);
        assert_int_equal(mute_ns, wanted_ns);
        now_ns += mute_ns;
        wanted_ns = 2 * wanted_ns < STORM_MUTE_MAX_NS ? 2 * wanted_ns : STORM_MUTE_MAX_NS;
    }
    now_ns += 1000000000; /* a quiet second */
    assert_int_equal(storm(&guard, &now_ns), STORM_MUTE_MIN_NS);
}

static void work_in_plenty_is_no_storm_even_with_many_rings(void **state)
{
    struct storm_guard guard = {0};
    (void)state;
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(storm_guard_ring(&guard, 1 + i, i * 32 / 100), 0);
}

static void a_muted_doorbell_is_looked_at_by_timer_and_watched_again(void **state)
{
    enum poller_kind kind = *(enum poller_kind *)*state;
    struct poller *poller;
    struct doorbell bell = DOORBELL_CLOSED;
    struct listener l = {0};
    if (poller_create(kind, &poller) < 0)
        skip();
    assert_int_equal(doorbell_create(&bell, poller, &ops, &l), 0);
    assert_int_equal(doorbell_watch(&bell), 0);
    for (int i = 0; i < 1000 && l.muted == 0; i++) {
        assert_int_equal(evtchn_kick(bell.fd), 0);
        assert_true(poller_run(poller, true) >= 0);
    }
    assert_int_equal(l.muted, 1);
    assert_null(bell.watch);
    uint32_t before = l.rang;
    /* Nobody rings any more; the timer looks, and in the end the doorbell is watched again. */
    while (bell.watch == NULL)
        assert_true(poller_run(poller, true) >= 0);
    assert_int_equal(l.rang - before, STORM_MUTE_MIN_NS / DOORBELL_LOOK_NS);
    struct itimerspec rest;
    assert_int_equal(timerfd_gettime(bell.timer_fd, &rest), 0);
    assert_int_equal(rest.it_value.tv_sec + rest.it_value.tv_nsec, 0);
    /* What was rung before the watch began counts as one ring; then a new one is heard. */
    assert_true(poller_run(poller, true) >= 0);
    before = l.rang;
    assert_int_equal(evtchn_kick(bell.fd), 0);
    while (l.rang == before)
        assert_true(poller_run(poller, true) >= 0);
    doorbell_destroy(&bell);
    poller_destroy(poller);
}

static void an_honest_doorbell_stays_watched(void **state)
{
    enum poller_kind kind = *(enum poller_kind *)*state;
    struct poller *poller;
    struct doorbell bell = DOORBELL_CLOSED;
    struct listener l = {.work_per_ring = 1};
    if (poller_create(kind, &poller) < 0)
        skip();
    assert_int_equal(doorbell_create(&bell, poller, &ops, &l), 0);
    assert_int_equal(doorbell_watch(&bell), 0);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(evtchn_kick(bell.fd), 0);
        assert_true(poller_run(poller, true) >= 0);
    }
    assert_int_equal(l.muted, 0);
    doorbell_destroy(&bell);
    poller_destroy(poller);
}

/* ---- a poller that says what the test wants -----------------------------------------------------
 */

enum { WATCHES_MAX = 4 };

struct poller_watch {
    poller_fn *fn;
    void *ctx;
};

struct teller {
    struct poller base;
    struct poller_watch watch[WATCHES_MAX]; /* in the order of poller_add; fn NULL: removed */
    int added;
};

static int teller_add(struct poller *p, int fd, uint32_t events, poller_fn *fn, void *ctx,
                      struct poller_watch **out)
{
    struct teller *t = (struct teller *)p;
    (void)fd;
    (void)events;
    assert_true(t->added < WATCHES_MAX);
    *out = &t->watch[t->added++];
    **out = (struct poller_watch){fn, ctx};
    return 0;
}

static void teller_remove(struct poller *p, struct poller_watch *watch)
{
    (void)p;
    watch->fn = NULL;
}

static const struct poller_ops teller_ops = {.add = teller_add, .remove = teller_remove};

static void an_error_of_the_doorbell_is_told_once(void **state)
{
    const uint32_t errors[] = {POLLERR, POLLIN | POLLERR, POLLERR | POLLNVAL, POLLHUP};
    (void)state;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct teller t = {.base.ops = &teller_ops};
        struct doorbell bell = DOORBELL_CLOSED;
        struct listener l = {0};
        assert_int_equal(doorbell_create(&bell, &t.base, &ops, &l), 0);
        assert_int_equal(doorbell_watch(&bell), 0);
        t.watch[0].fn(t.watch[0].ctx, errors[i]);
        assert_int_equal(l.failed, 1);
        assert_int_equal(l.rang, 0);
        assert_null(t.watch[0].fn); /* nothing is heard from there again */
        doorbell_destroy(&bell);
    }
}

static void an_error_of_a_muted_doorbells_timer_is_told(void **state)
{
    struct teller t = {.base.ops = &teller_ops};
    struct doorbell bell = DOORBELL_CLOSED;
    struct listener l = {0};
    (void)state;
    assert_int_equal(doorbell_create(&bell, &t.base, &ops, &l), 0);
    assert_int_equal(doorbell_watch(&bell), 0);
    for (int i = 0; i < 1000 && l.muted == 0; i++)
        t.watch[0].fn(t.watch[0].ctx, POLLIN);
    assert_int_equal(l.muted, 1);
    uint32_t before = l.rang;
    t.watch[1].fn(t.watch[1].ctx, POLLERR | POLLNVAL);
    assert_int_equal(l.failed, 1);
    assert_int_equal(l.rang, before);
    assert_null(t.watch[1].fn);
    doorbell_destroy(&bell);
}

static enum poller_kind kinds[] = {POLLER_URING, POLLER_EPOLL};

/* A doorbell that was rung until it was muted; on a busy machine that may take some windows. */
static void ring_until_muted(struct doorbell *bell, struct listener *l)
{
    struct poller *poller;
    assert_int_equal(poller_create(POLLER_EPOLL, &poller), 0);
    assert_int_equal(doorbell_create(bell, poller, &ops, l), 0);
    assert_int_equal(doorbell_watch(bell), 0);
    while (l->muted == 0) {
        assert_int_equal(evtchn_kick(bell->fd), 0);
        assert_true(poller_run(poller, true) >= 0);
    }
}

static void a_doorbell_without_a_timer_stays_watched(void **state)
{
    static const struct {
        const char *call;
        int error;
    } lacks[] = {{"timerfd_create", EMFILE}, {"calloc", ENOMEM}, {"timerfd_settime", EINVAL}};
    (void)state;
    for (size_t i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++) {
        struct doorbell bell = DOORBELL_CLOSED;
        struct listener l = {0};
        struct poller *poller;
        assert_int_equal(poller_create(POLLER_EPOLL, &poller), 0);
        assert_int_equal(doorbell_create(&bell, poller, &ops, &l), 0);
        assert_int_equal(doorbell_watch(&bell), 0);
        uint32_t kicks = 0;
        do { /* until it is asked for */
            fault_arm_call(lacks[i].call, 0, lacks[i].error);
            for (int k = 0; k < 1000; k++, kicks++) {
                assert_int_equal(evtchn_kick(bell.fd), 0);
                assert_true(poller_run(poller, true) >= 0);
            }
        } while (fault_disarm() == NULL);
        assert_int_equal(l.muted, 0);
        assert_int_equal(l.rang, kicks);
        assert_non_null(bell.watch);
        doorbell_destroy(&bell);
        poller_destroy(poller);
    }
}

static void the_timer_goes_on_while_the_doorbell_cannot_be_watched(void **state)
{
    struct doorbell bell = DOORBELL_CLOSED;
    struct listener l = {0};
    (void)state;
    ring_until_muted(&bell, &l);
    struct poller *poller = bell.poller;
    uint32_t looks = STORM_MUTE_MIN_NS / DOORBELL_LOOK_NS, before = l.rang;
    fault_arm_call("calloc", 0, ENOMEM);
    while (l.rang < before + looks + 3)
        assert_true(poller_run(poller, true) >= 0);
    fault_disarm();
    assert_null(bell.watch);
    while (bell.watch == NULL)
        assert_true(poller_run(poller, true) >= 0);
    assert_int_equal(l.rang, before + looks + 4); /* one more look, and no more */
    doorbell_destroy(&bell);
    poller_destroy(poller);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_rings_are_never_muted),
        cmocka_unit_test(few_rings_without_work_are_nobodys_concern),
        cmocka_unit_test(a_storm_is_muted_longer_each_time),
        cmocka_unit_test(work_in_plenty_is_no_storm_even_with_many_rings),
        cmocka_unit_test_prestate(a_muted_doorbell_is_looked_at_by_timer_and_watched_again,
                                  &kinds[0]),
        cmocka_unit_test_prestate(a_muted_doorbell_is_looked_at_by_timer_and_watched_again,
                                  &kinds[1]),
        cmocka_unit_test(an_error_of_the_doorbell_is_told_once),
        cmocka_unit_test(an_error_of_a_muted_doorbells_timer_is_told),
        cmocka_unit_test_prestate(an_honest_doorbell_stays_watched, &kinds[0]),
        cmocka_unit_test_prestate(an_honest_doorbell_stays_watched, &kinds[1]),
        cmocka_unit_test(a_doorbell_without_a_timer_stays_watched),
        cmocka_unit_test(the_timer_goes_on_while_the_doorbell_cannot_be_watched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
