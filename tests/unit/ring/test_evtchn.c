/* SPDX-License-Identifier: MIT */
/* evtchn: two-level pending bits, masks, upcalls and sleeping. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "ring/barrier.h"
#include "ring/evtchn.h"
#include "unit/ring/evtchn_fixture.h"

static const int64_t WAIT_LIMIT_NS = WAIT_LIMIT_MS * 1000000ll;

struct seen {
    struct shared_info *si;
    uint32_t count;
    evtchn_port_t port[NR_PORTS_MAX];
};

static void note(void *ctx, evtchn_port_t port)
{
    struct seen *seen = ctx;
    if (seen->count < NR_PORTS_MAX)
        seen->port[seen->count] = port;
    seen->count++;
}

static void an_event_sets_all_three_levels(void **state)
{
    struct shared_info *si = *state;
    static const evtchn_port_t ports[] = {1, 63, 64, 100, EVTCHN_2L_NR_CHANNELS - 1};
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        for (uint32_t vcpu = 0; vcpu < XEN_LEGACY_MAX_VCPUS; vcpu += 31) {
            memset(si, 0, sizeof(*si));
            assert_true(evtchn_set_pending(si, ports[i], vcpu));
            for (uint32_t w = 0; w < EVTCHN_WORDS; w++)
                assert_true(si->evtchn_pending[w] ==
                            (w == ports[i] / 64 ? 1ull << (ports[i] % 64) : 0));
            for (uint32_t v = 0; v < XEN_LEGACY_MAX_VCPUS; v++) {
                assert_true(si->vcpu_info[v].evtchn_pending_sel ==
                            (v == vcpu ? 1ull << (ports[i] / 64) : 0));
                assert_int_equal(si->vcpu_info[v].evtchn_upcall_pending, v == vcpu);
            }
        }
    }
}

static void edges_collapse(void **state)
{
    struct shared_info *si = *state;
    struct seen seen = {.si = si};
    assert_true(evtchn_set_pending(si, 5, 0));
    assert_false(evtchn_set_pending(si, 5, 0));
    assert_false(evtchn_set_pending(si, 5, 0));
    assert_int_equal(evtchn_collect(si, 0, note, &seen), 1);
    assert_int_equal(seen.port[0], 5);
    assert_int_equal(evtchn_collect(si, 0, note, &seen), 0);
    assert_true(evtchn_set_pending(si, 5, 0)); /* a new edge after the old one was taken */
}

static void only_the_first_port_needs_a_wake_up(void **state)
{
    struct shared_info *si = *state;
    struct seen seen = {.si = si};
    assert_true(evtchn_set_pending(si, 5, 0));
    assert_false(evtchn_set_pending(si, 6, 0));
    assert_false(evtchn_set_pending(si, 700, 0)); /* another word, the upcall is up already */
    assert_true(evtchn_set_pending(si, 8, 1));    /* another vCPU */
    assert_int_equal(evtchn_collect(si, 0, note, &seen), 4); /* pending bits are per domain */
}

static void collect_delivers_every_port_once_and_clears(void **state)
{
    struct shared_info *si = *state;
    static const evtchn_port_t ports[] = {1, 2, 63, 64, 128, 4000, EVTCHN_2L_NR_CHANNELS - 1};
    enum { N = sizeof(ports) / sizeof(ports[0]) };
    struct seen seen = {.si = si};
    for (size_t i = N; i-- > 0;)
        evtchn_set_pending(si, ports[i], 3);
    assert_int_equal(evtchn_collect(si, 3, note, &seen), N);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(seen.port[i], ports[i]);
    const struct shared_info zero = {0};
    assert_memory_equal(si, &zero, sizeof(zero));
}

static void again(void *ctx, evtchn_port_t port)
{
    struct seen *seen = ctx;
    /* The bit is down already, so an event that comes while we work is a new one. */
    if ((seen->si->evtchn_pending[port / 64] >> (port % 64)) & 1)
        fail_msg("port %u is still pending while it is handled", port);
    if (seen->count++ == 0)
        evtchn_set_pending(seen->si, port, 0);
}

static void an_event_during_the_handler_is_not_lost(void **state)
{
    struct shared_info *si = *state;
    struct seen seen = {.si = si};
    evtchn_set_pending(si, 77, 0);
    assert_int_equal(evtchn_collect(si, 0, again, &seen), 1);
    assert_int_equal(evtchn_wait(si, 0, 0), 0);
    assert_int_equal(evtchn_collect(si, 0, again, &seen), 1);
    assert_int_equal(seen.count, 2);
}

static void a_masked_port_raises_nothing(void **state)
{
    struct shared_info *si = *state;
    struct seen seen = {.si = si};
    si->evtchn_mask[1] = 1ull << 6;
    assert_false(evtchn_set_pending(si, 70, 0));
    assert_int_equal(si->vcpu_info[0].evtchn_upcall_pending, 0);
    assert_true(si->vcpu_info[0].evtchn_pending_sel == 0);
    assert_true(si->evtchn_pending[1] == 1ull << 6); /* but it is remembered */
    assert_int_equal(evtchn_collect(si, 0, note, &seen), 0);
    assert_true(evtchn_set_pending(si, 71, 0)); /* its neighbour is not masked */
    assert_int_equal(evtchn_collect(si, 0, note, &seen), 1);
    assert_int_equal(seen.port[0], 71);
    assert_true(si->evtchn_pending[1] == 1ull << 6);
}

static void raise_upcall_wakes_without_a_port(void **state)
{
    struct shared_info *si = *state;
    struct seen seen = {.si = si};
    evtchn_raise_upcall(si, 2);
    assert_int_equal(evtchn_wait(si, 2, -1), 0);
    assert_int_equal(evtchn_collect(si, 2, note, &seen), 0);
    assert_int_equal(evtchn_wait(si, 2, 1000), -ETIMEDOUT); /* collected, so it is down again */
}

static void wait_times_out(void **state)
{
    struct shared_info *si = *state;
    assert_int_equal(evtchn_wait(si, 0, 0), -ETIMEDOUT);
    assert_int_equal(evtchn_wait(si, 0, 1000000), -ETIMEDOUT);
}

struct waker {
    struct shared_info *si;
    uint32_t stop;
};

/* Wakes vCPU 0 again and again although nothing is pending. */
static void *wake_for_nothing(void *arg)
{
    struct waker *waker = arg;
    const struct timespec pause = {.tv_nsec = 500000};
    for (int i = 0; i < 40000 && load_full_u32(&waker->stop) == 0; i++) {
        (void)evtchn_wake(waker->si, 0);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static void wake_ups_for_nothing_do_not_lengthen_the_wait(void **state)
{
    struct waker waker = {.si = *state};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_for_nothing, &waker), 0);
    uint64_t begin_ns = clock_monotonic_ns();
    assert_int_equal(evtchn_wait(waker.si, 0, 50000000), -ETIMEDOUT);
    uint64_t took_ns = clock_monotonic_ns() - begin_ns;
    store_full_u32(&waker.stop, 1);
    pthread_join(thread, NULL);
    assert_true(took_ns < 10 * CLOCK_NS_PER_SEC);
}

/* Whatever lies beside the flag in the futex word must neither wake nor block. */
static void wait_looks_only_at_the_flag(void **state)
{
    struct shared_info *si = *state;
    si->vcpu_info[0].evtchn_upcall_mask = 1;
    si->vcpu_info[0].pad[0] = 0xaa;
    si->vcpu_info[0].pad[1] = 0x55;
    assert_int_equal(evtchn_wait(si, 0, 1000000), -ETIMEDOUT);
    assert_true(evtchn_set_pending(si, 9, 0));
    assert_int_equal(evtchn_wait(si, 0, -1), 0);
}

static void *sleep_as_vcpu_1(void *arg)
{
    struct shared_info *si = arg;
    return evtchn_wait(si, 1, WAIT_LIMIT_NS) == 0 ? NULL : si;
}

static void an_event_ends_a_sleep(void **state)
{
    struct shared_info *si = *state;
    for (int i = 0; i < 100; i++) {
        pthread_t thread;
        void *failed;
        struct seen seen = {.si = si};
        assert_int_equal(pthread_create(&thread, NULL, sleep_as_vcpu_1, si), 0);
        if (evtchn_set_pending(si, 40, 1))
            assert_int_equal(evtchn_wake(si, 1), 0);
        assert_int_equal(pthread_join(thread, &failed), 0);
        assert_null(failed);
        assert_int_equal(evtchn_collect(si, 1, note, &seen), 1);
    }
}

static void raise_upcall_ends_every_sleep(void **state)
{
    struct shared_info *si = *state;
    enum { SLEEPERS = 4 };
    pthread_t threads[SLEEPERS];
    for (int i = 0; i < SLEEPERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sleep_as_vcpu_1, si), 0);
    evtchn_raise_upcall(si, 1);
    for (int i = 0; i < SLEEPERS; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

enum { STORM_PORTS = 64, STORM_ROUNDS = 200000 };

struct storm {
    struct shared_info *si;
    uint32_t sent[STORM_PORTS]; /* sender writes, receiver reads after the event */
    uint32_t got[STORM_PORTS];
};

static evtchn_port_t storm_port(uint32_t i)
{
    return 64 + i; /* one word: an event in another could cover up a lost selector bit */
}

static void *send_storm(void *arg)
{
    struct storm *storm = arg;
    for (uint32_t round = 1; round <= STORM_ROUNDS; round++) {
        uint32_t i = (round * 2654435761u >> 16) % STORM_PORTS;
        if (round > STORM_ROUNDS - STORM_PORTS)
            i = round % STORM_PORTS; /* all of them end on their last value */
        for (uint32_t pause = round * 7 % 16; pause > 0; pause--)
            cpu_relax(); /* so that the two meet at every point of their ways */
        store_relaxed_u32(&storm->sent[i], round);
        if (evtchn_set_pending(storm->si, storm_port(i), 0))
            evtchn_wake(storm->si, 0);
    }
    return NULL;
}

static void take_storm(void *ctx, evtchn_port_t port)
{
    struct storm *storm = ctx;
    uint32_t i = port - storm_port(0);
    storm->got[i] = load_relaxed_u32(&storm->sent[i]);
}

static bool storm_is_over(const struct storm *storm)
{
    for (uint32_t i = 0; i < STORM_PORTS; i++) {
        if (storm->got[i] <= STORM_ROUNDS - STORM_PORTS)
            return false;
    }
    return true;
}

/* However the two interleave, what was written before the last event is seen after it. */
static void no_event_is_lost_in_a_storm(void **state)
{
    struct storm storm = {.si = *state};
    const uint8_t *upcall = &storm.si->vcpu_info[0].evtchn_upcall_pending;
    pthread_t sender;
    assert_int_equal(pthread_create(&sender, NULL, send_storm, &storm), 0);
    while (!storm_is_over(&storm)) {
        for (int i = 0; i < 200 && !load_relaxed_u8(upcall); i++)
            cpu_relax(); /* a receiver that is awake meets more of the sender's steps */
        if (evtchn_wait(storm.si, 0, WAIT_LIMIT_NS) == -ETIMEDOUT)
            fail_msg("an event was lost");
        evtchn_collect(storm.si, 0, take_storm, &storm);
    }
    assert_int_equal(pthread_join(sender, NULL), 0);
}

static void wake_survives_memory_that_was_taken_away(void **state)
{
    (void)state;
    int fd = memfd_create("shared_info", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 4096), 0);
    struct shared_info *si = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(si, MAP_FAILED);
    assert_int_equal(evtchn_wake(si, 0), 0);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(evtchn_wake(si, 0), -EFAULT);
    munmap(si, 4096);
    close(fd);
}

int main(void)
{
#define SI_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        SI_TEST(an_event_sets_all_three_levels),
        SI_TEST(edges_collapse),
        SI_TEST(only_the_first_port_needs_a_wake_up),
        SI_TEST(collect_delivers_every_port_once_and_clears),
        SI_TEST(an_event_during_the_handler_is_not_lost),
        SI_TEST(a_masked_port_raises_nothing),
        SI_TEST(raise_upcall_wakes_without_a_port),
        SI_TEST(wait_times_out),
        SI_TEST(wake_ups_for_nothing_do_not_lengthen_the_wait),
        SI_TEST(wait_looks_only_at_the_flag),
        SI_TEST(an_event_ends_a_sleep),
        SI_TEST(raise_upcall_ends_every_sleep),
        SI_TEST(no_event_is_lost_in_a_storm),
        cmocka_unit_test(wake_survives_memory_that_was_taken_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
