/* SPDX-License-Identifier: MIT */
/*
 * mediate_hold: before the clock becomes slower, processes with timers arm them anew. Children that
 * block SIGSYS stand for them: a kick waits there until they take it.
 */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fakes/valgrind.h"
#include "ring/barrier.h"
#include "ring/futex.h"
#include "run/mediate_hold.h"
#include "run/mediate_private.h"
#include "tdf/clock.h"

#define PATIENCE_NS UINT64_C(10000000000)

struct fixture {
    struct tdf_source source;
    struct tdf_clock clock;
    struct shared_info *page;
    struct mediate *m;
    int fd;
    uint32_t ready; /* the last version that was told, | 1 */
    uint64_t tdf_at_ready;
};

static void ready(void *ctx, uint32_t version)
{
    struct fixture *f = ctx;

    f->tdf_at_ready = f->m->session->tdf_timers;
    store_full_u32(&f->ready, version | 1);
}

static int set_up(void **state)
{
    static struct fixture f;
    struct mediate_why why;

    f = (struct fixture){.fd = memfd_create("clock", MFD_CLOEXEC)};
    assert_true(f.fd >= 0);
    assert_int_equal(ftruncate(f.fd, 4096), 0);
    f.page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, f.fd, 0);
    assert_true(f.page != MAP_FAILED);
    tdf_source_real(&f.source);
    assert_int_equal(tdf_clock_init(&f.clock, &f.source, f.page, 2, (struct tdf){2, 1}), 0);
    /* No program is started, so that any file does for the shim. */
    const struct mediate_config config = {
        .clock_fd = f.fd, .shim_path = "/proc/self/exe", .tdf = {2, 1}, .ready = ready, .ctx = &f};
    if (mediate_prepare(&config, &f.m, &why) < 0)
        fail_msg("%s", why.text);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    mediate_close(f->m);
    munmap(f->page, 4096);
    close(f->fd);
    return 0;
}

static double timers(const struct fixture *f)
{
    const uint64_t tdf = load_full_u64(&f->m->session->tdf_timers);

    return (double)(tdf >> 32) / (double)(uint32_t)tdf;
}

/* What Dom0 does, and the look of the watcher at it. */
static int64_t announce(struct fixture *f, struct tdf next)
{
    assert_int_equal(tdf_clock_announce(&f->clock, next), 0);
    return mediate_hold_look(f->m, f->clock.time.version);
}

static bool is_ready(const struct fixture *f)
{
    return load_full_u32(&f->ready) == (f->clock.time.version | 1);
}

/* A process with timers, which answers `kicks` kicks and ends. */
static pid_t start_process(struct fixture *f, unsigned slot, unsigned kicks)
{
    struct session *session = f->m->session;
    sigset_t set, before;

    if (under_valgrind()) /* it does not outlive a signal right behind a fork */
        skip();
    sigemptyset(&set);
    sigaddset(&set, SIGSYS);
    sigprocmask(SIG_BLOCK, &set, &before); /* that of the child, from its begin */
    pid_t pid = fork();
    if (pid == 0) {
        for (; kicks > 0; kicks--) {
            if (sigwaitinfo(&set, NULL) != SIGSYS)
                _exit(1);
            store_full_u32(&session->held[slot], load_full_u32(&session->generation));
            fetch_add_relaxed_u32(&session->answers, 1);
            futex_wake(&session->answers, 1, FUTEX_SCOPE_SHARED);
        }
        _exit(0);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    assert_true(pid > 0);
    store_full_u64(&session->waiters[slot], (uint64_t)pid << 32);
    return pid;
}

static void assert_ends(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void without_timers_all_are_ready_at_once(void **state)
{
    struct fixture *f = *state;

    assert_true(announce(f, (struct tdf){10, 1}) > 0);
    assert_true(is_ready(f));
    assert_true(timers(f) >= 10 && timers(f) < 10.01);
    assert_true(f->m->session->tdf == (UINT64_C(2) << 32 | 1));
}

static void each_process_with_timers_has_answered_before(void **state)
{
    struct fixture *f = *state;
    pid_t pids[3];

    for (unsigned i = 0; i < 3; i++)
        pids[i] = start_process(f, 10 + i, 1);
    assert_true(announce(f, (struct tdf){5, 1}) > 0);
    assert_true(is_ready(f));
    for (unsigned i = 0; i < 3; i++) {
        assert_true((int32_t)(f->m->session->held[10 + i] - f->m->held_from) >= 0);
        assert_ends(pids[i]);
    }
}

/* It was armed by the slower rate, and Dom0 takes its time. */
static void a_timer_that_is_due_meanwhile_rings(void **state)
{
    struct fixture *f = *state;
    const uint64_t end_ns = clock_monotonic_ns() + PATIENCE_NS;
    const pid_t pid = start_process(f, 10, 2);
    int status = 1;

    announce(f, (struct tdf){10, 1});
    while (waitpid(pid, &status, WNOHANG) == 0 && clock_monotonic_ns() < end_ns && f->m->is_held)
        assert_true(mediate_hold_left(f->m, f->clock.time.version) > 0);
    assert_true(f->m->is_held);
    assert_int_equal(status, 0);
}

static void who_has_ended_is_not_waited_for(void **state)
{
    struct fixture *f = *state;
    const pid_t pid = start_process(f, 20, 0);

    assert_ends(pid);
    assert_true(announce(f, (struct tdf){5, 1}) > 0);
    assert_true(is_ready(f));
    assert_true(f->m->session->waiters[20] == 0);
}

static void before_a_pause_no_timer_is_armed(void **state)
{
    struct fixture *f = *state;

    assert_true(announce(f, (struct tdf){0, 1}) > 0);
    assert_true(f->tdf_at_ready >> 32 == 0);
}

static void the_change_ends_the_hold(void **state)
{
    struct fixture *f = *state;

    announce(f, (struct tdf){10, 1});
    assert_int_equal(tdf_clock_set_tdf(&f->clock, (struct tdf){10, 1}), 0);
    mediate_look(f->m);
    assert_int_equal(mediate_hold_look(f->m, f->clock.time.version), -1);
    assert_false(f->m->is_held);
    assert_true(f->m->session->tdf_timers == f->m->session->tdf);
}

static void what_is_told_of_the_change_before_does_not_end_the_hold(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(tdf_clock_set_tdf(&f->clock, (struct tdf){3, 1}), 0);
    mediate_look(f->m);
    announce(f, (struct tdf){30, 1});
    mediate_changed(f->m, (struct tdf){3, 1});
    assert_true(f->m->session->tdf == (UINT64_C(3) << 32 | 1));
    assert_true(timers(f) >= 29.99);
}

static void who_takes_it_back_gets_the_timers_back(void **state)
{
    struct fixture *f = *state;

    announce(f, (struct tdf){10, 1});
    assert_int_equal(tdf_clock_set_tdf(&f->clock, (struct tdf){2, 1}), 0);
    mediate_look(f->m);
    assert_int_equal(mediate_hold_look(f->m, f->clock.time.version), -1);
    assert_true(timers(f) == 2);
}

/* The timers go on by the rate of now, as the clock does, and are left alone then. */
static void a_dom0_that_dies_before_the_change_is_not_waited_for_for_ever(void **state)
{
    struct fixture *f = *state;

    assert_true(announce(f, (struct tdf){10, 1}) > 0);
    f->m->held_ns -= MEDIATE_HOLD_NS;
    assert_int_equal(mediate_hold_look(f->m, f->clock.time.version), -1);
    assert_true(timers(f) == 2);
    const uint32_t generation = f->m->session->generation;
    assert_int_equal(mediate_hold_look(f->m, f->clock.time.version), -1);
    assert_int_equal(f->m->session->generation, generation);
}

static void a_dom0_that_dies_in_the_change_is_not_waited_for_for_ever(void **state)
{
    struct fixture *f = *state;
    struct session *session = f->m->session;
    const uint64_t from_ns = clock_monotonic_ns();

    assert_true(announce(f, (struct tdf){10, 1}) > 0);
    const uint32_t generation = session->generation;
    store_full_u32(&f->page->vcpu_info[0].time.version, f->clock.time.version + 1);
    f->m->held_ns -= MEDIATE_HOLD_NS;
    assert_int_equal(mediate_watch(f->m), 0);
    while (timers(f) != 2 && clock_monotonic_ns() - from_ns < PATIENCE_NS)
        sched_yield();
    mediate_unwatch(f->m);
    assert_true(timers(f) == 2);
    assert_int_equal(session->generation, generation + 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(without_timers_all_are_ready_at_once),
        TEST(each_process_with_timers_has_answered_before),
        TEST(a_timer_that_is_due_meanwhile_rings),
        TEST(who_has_ended_is_not_waited_for),
        TEST(before_a_pause_no_timer_is_armed),
        TEST(the_change_ends_the_hold),
        TEST(what_is_told_of_the_change_before_does_not_end_the_hold),
        TEST(who_takes_it_back_gets_the_timers_back),
        TEST(a_dom0_that_dies_before_the_change_is_not_waited_for_for_ever),
        TEST(a_dom0_that_dies_in_the_change_is_not_waited_for_for_ever),
    };
#if !defined(__x86_64__)
    return 77;
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
