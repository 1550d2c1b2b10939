/* SPDX-License-Identifier: MIT */
/*
 * mediate_change: a change of rate is seen in the clock's page, before anybody tells
 * of it.
 */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
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

enum { PATIENCE_S = 60 };

struct fixture {
    struct tdf_source source;
    struct tdf_clock clock;
    struct shared_info *page;
    struct mediate *m;
    int fd;
};

static int set_up(void **state)
{
    static struct fixture f;
    const struct tdf one = {1, 1};
    struct mediate_why why;

    f.fd = memfd_create("clock", MFD_CLOEXEC);
    assert_true(f.fd >= 0);
    assert_int_equal(ftruncate(f.fd, 4096), 0);
    f.page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, f.fd, 0);
    assert_true(f.page != MAP_FAILED);
    tdf_source_real(&f.source);
    assert_int_equal(tdf_clock_init(&f.clock, &f.source, f.page, 2, one), 0);
    /* No program is started, so that any file does for the shim. */
    const struct mediate_config config = {
        .clock_fd = f.fd, .shim_path = "/proc/self/exe", .tdf = one};
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

static uint32_t generation(struct fixture *f)
{
    return load_full_u32(&f->m->session->generation);
}

/* As Dom0 does. */
static void set_rate(struct fixture *f, struct tdf tdf)
{
    assert_int_equal(tdf_clock_set_tdf(&f->clock, tdf), 0);
    futex_wake(&f->page->vcpu_info[0].time.version, 16, FUTEX_SCOPE_SHARED);
}

static double rate_in_force(struct fixture *f)
{
    const uint64_t tdf = load_full_u64(&f->m->session->tdf);

    return (double)(tdf >> 32) / (double)(uint32_t)tdf;
}

static bool becomes(struct fixture *f, double tdf)
{
    const uint64_t end_ns = clock_monotonic_ns() + PATIENCE_S * CLOCK_NS_PER_SEC;

    while (rate_in_force(f) > tdf * 1.001 || rate_in_force(f) < tdf * 0.999) {
        if (clock_monotonic_ns() > end_ns)
            return false;
        sched_yield();
    }
    return true;
}

static void the_watcher_sees_each_change_and_pause(void **state)
{
    static const struct tdf tdfs[] = {{10, 1}, {1, 2}, {0, 1}, {3, 1}, {1000, 1}, {1, 1}};
    struct fixture *f = *state;

    assert_int_equal(mediate_watch(f->m), 0);
    for (size_t i = 0; i < sizeof(tdfs) / sizeof(tdfs[0]); i++) {
        set_rate(f, tdfs[i]);
        assert_true(becomes(f, (double)tdfs[i].num / (double)tdfs[i].den));
    }
    mediate_unwatch(f->m);
}

static void what_is_told_later_is_exact_and_wakes_nobody_again(void **state)
{
    struct fixture *f = *state;

    set_rate(f, (struct tdf){7, 3});
    mediate_look(f->m);
    const uint32_t seen = generation(f), spans = f->m->session->span_count;
    mediate_changed(f->m, (struct tdf){7, 3});
    assert_int_equal(generation(f), seen);
    assert_int_equal(f->m->session->span_count, spans);
    assert_true(f->m->session->tdf == (UINT64_C(7) << 32 | 3));
    assert_true(f->m->session->spans[spans - 1].tdf == (UINT64_C(7) << 32 | 3));
}

static void a_rate_of_before_that_is_told_late_is_passed_over(void **state)
{
    struct fixture *f = *state;

    set_rate(f, (struct tdf){2, 1});
    set_rate(f, (struct tdf){5, 1});
    mediate_look(f->m);
    const uint32_t seen = generation(f);
    mediate_changed(f->m, (struct tdf){2, 1});
    assert_int_equal(generation(f), seen);
    assert_true(becomes(f, 5));
}

static void a_line_that_was_made_anew_is_no_change(void **state)
{
    struct fixture *f = *state;
    const uint32_t before = generation(f);

    tdf_clock_reanchor(&f->clock);
    mediate_look(f->m);
    assert_int_equal(generation(f), before);
}

/* Of a program that was killed in a wait, or had armed a timer, the number stays in the table. */
static void who_has_got_the_number_of_a_dead_program_is_left_alone(void **state)
{
    struct fixture *f = *state;
    int status, there[2];
    char byte;

    assert_int_equal(pipe(there), 0);
    void (*const caught)(int) = signal(SIGSYS, SIG_DFL); /* cmocka's */
    const pid_t pid = fork();
    if (pid == 0) {
        (void)!write(there[1], "x", 1); /* a fork may block signals until it returns */
        for (;;)
            pause();
    }
    signal(SIGSYS, caught);
    assert_true(pid > 0);
    assert_int_equal(read(there[0], &byte, 1), 1);
    close(there[0]);
    close(there[1]);
    f->m->session->waiters[7] = (uint64_t)pid << 32 | (uint32_t)pid;
    f->m->session->waiters[8] = (uint64_t)pid << 32;
    set_rate(f, (struct tdf){2, 1});
    mediate_changed(f->m, (struct tdf){2, 1});
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
    assert_true(f->m->session->waiters[7] == 0);
    assert_true(f->m->session->waiters[8] == 0);
}

enum { KICKED = 7 };

/* A process that ends by the first kick it gets: blocked, so that none is too early. */
static pid_t make_process(void)
{
    sigset_t set, before;

    sigemptyset(&set);
    sigaddset(&set, SIGSYS);
    sigprocmask(SIG_BLOCK, &set, &before);
    const pid_t pid = fork();
    if (pid == 0)
        _exit(sigwaitinfo(&set, NULL) == SIGSYS ? KICKED : 1);
    sigprocmask(SIG_SETMASK, &before, NULL);
    assert_true(pid > 0);
    return pid;
}

static void assert_kicked(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == KICKED);
}

static void change_to(struct fixture *f, struct tdf tdf)
{
    set_rate(f, tdf);
    mediate_changed(f->m, tdf);
}

static void a_change_kicks_who_waits_and_who_has_timers(void **state)
{
    struct fixture *f = *state;

    change_to(f, (struct tdf){2, 1}); /* time is real no longer: everybody hears of that */
    const pid_t waiting = make_process(), timing = make_process(), neither = make_process();
    int status;
    store_full_u64(&f->m->session->waiters[3], (uint64_t)waiting << 32 | (uint32_t)waiting);
    store_full_u64(&f->m->session->waiters[4], (uint64_t)timing << 32);
    change_to(f, (struct tdf){3, 1});
    assert_kicked(waiting);
    assert_kicked(timing);
    assert_int_equal(waitpid(neither, &status, WNOHANG), 0);
    assert_int_equal(kill(neither, SIGTERM), 0);
    assert_int_equal(waitpid(neither, &status, 0), neither);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static void everybody_hears_that_time_is_real_no_longer(void **state)
{
    struct fixture *f = *state;
    const pid_t pid = make_process();

    change_to(f, (struct tdf){2, 1});
    assert_kicked(pid);
}

static void note_ready(void *ctx, uint32_t version)
{
    store_full_u32(ctx, version | 1);
}

static bool comes(const uint32_t *word, uint32_t value)
{
    const uint64_t end_ns = clock_monotonic_ns() + PATIENCE_S * CLOCK_NS_PER_SEC;

    while (load_full_u32(word) != value && clock_monotonic_ns() < end_ns)
        sched_yield();
    return load_full_u32(word) == value;
}

/* Whoever has started the watch hears that it looks, and then that a change may come. */
static void the_watcher_tells_when_it_is_ready(void **state)
{
    static uint32_t ready;
    struct fixture *f = *state;

    ready = 0;
    f->m->ready = note_ready;
    f->m->ready_ctx = &ready;
    assert_int_equal(mediate_watch(f->m), 0);
    assert_true(comes(&ready, 1));
    assert_int_equal(tdf_clock_announce(&f->clock, (struct tdf){10, 1}), 0);
    futex_wake(&f->page->vcpu_info[0].time.version, 16, FUTEX_SCOPE_SHARED);
    assert_true(comes(&ready, f->clock.time.version | 1));
    mediate_unwatch(f->m);
}

/* Timers are armed by the slower rate then, and by that of now when nobody comes to change it. */
static void the_watcher_gives_up_a_change_that_never_ends(void **state)
{
    struct fixture *f = *state;
    const uint64_t *timers = &f->m->session->tdf_timers;
    const uint64_t from_ns = clock_monotonic_ns(), now = load_full_u64(timers);

    assert_int_equal(tdf_clock_announce(&f->clock, (struct tdf){10, 1}), 0);
    assert_true(mediate_hold_look(f->m, f->clock.time.version) > 0);
    assert_true(load_full_u64(timers) != now);
    f->m->held_ns -= MEDIATE_HOLD_NS;
    store_full_u32(&f->page->vcpu_info[0].time.version, f->clock.time.version + 1);
    assert_int_equal(mediate_watch(f->m), 0);
    while (load_full_u64(timers) != now &&
           clock_monotonic_ns() - from_ns < PATIENCE_S * CLOCK_NS_PER_SEC)
        sched_yield();
    mediate_unwatch(f->m);
    assert_true(load_full_u64(timers) == now);
}

/* A program that runs for a second shall not take some per cent longer for that. */
static void a_session_is_made_in_some_milliseconds(void **state)
{
    enum { TRIES = 10, LIMIT_NS = 15000000 };
    struct fixture *f = *state;
    const struct mediate_config config = {
        .clock_fd = f->fd, .shim_path = "/proc/self/exe", .tdf = {1, 1}};
    uint64_t least_ns = UINT64_MAX;

    if (under_valgrind())
        skip();
    for (int i = 0; i < TRIES; i++) {
        const uint64_t from_ns = clock_monotonic_ns();
        struct mediate *m;
        assert_int_equal(mediate_prepare(&config, &m, NULL), 0);
        const uint64_t span_ns = clock_monotonic_ns() - from_ns;
        least_ns = span_ns < least_ns ? span_ns : least_ns;
        mediate_close(m);
    }
    assert_true(least_ns < LIMIT_NS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_watcher_sees_each_change_and_pause),
        TEST(what_is_told_later_is_exact_and_wakes_nobody_again),
        TEST(a_rate_of_before_that_is_told_late_is_passed_over),
        TEST(a_line_that_was_made_anew_is_no_change),
        TEST(who_has_got_the_number_of_a_dead_program_is_left_alone),
        TEST(a_change_kicks_who_waits_and_who_has_timers),
        TEST(everybody_hears_that_time_is_real_no_longer),
        TEST(the_watcher_tells_when_it_is_ready),
        TEST(the_watcher_gives_up_a_change_that_never_ends),
        TEST(a_session_is_made_in_some_milliseconds),
    };
#if !defined(__x86_64__)
    return 77;
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
