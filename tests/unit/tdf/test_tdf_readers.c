/* SPDX-License-Identifier: MIT */
/* Readers in other processes and threads against a writer that changes the rate all the time. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "ring/barrier.h"
#include "tdf/clock.h"
#include "tdf/counter.h"
#include "tdf/pvclock.h"

enum {
    NR_READERS = 4,
    NR_CHANGES = 10000,
    CHANGES_PER_ROUND = 500,
    FASTEST = 10, /* virtual ns per real ns, the most that rates[] has */
};

static const struct tdf rates[] = {{1, 10}, {1, 1}, {10, 1}, {100, 1}, {2, 7}};
enum { NR_RATES = sizeof(rates) / sizeof(rates[0]) };

/* Why a reader gave up: its exit code. */
enum { FINE, READ_FAILED, WENT_BACK, JUMPED_AHEAD, BEHIND_ANOTHER };

struct arena {
    struct shared_info info;
    uint64_t progress[NR_READERS]; /* one writer each: readings made */
    uint64_t newest_ns;            /* some reading of some reader, recently */
    uint32_t stop;
};

static struct arena *arena_map(void)
{
    struct arena *arena =
        mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(arena != MAP_FAILED);
    return arena;
}

/* Each reading is bracketed by CLOCK_MONOTONIC: time may run at most FASTEST times as fast, plus
 * the tilt of a published line and a few ns of sampling noise per change within the bracket. */
static int reader(struct arena *arena, int index)
{
    const struct vcpu_time_info *ti = &arena->info.vcpu_info[index].time;
    uint64_t last_ns = 0, last_real_ns = 0;

    while (!load_acquire_u32(&arena->stop)) {
        uint64_t others_ns = load_full_u64(&arena->newest_ns), now_ns;
        uint64_t real_before_ns = clock_monotonic_ns();
        int rc = pvclock_read_ordered_ns(ti, &now_ns);
        if (rc == 0 && now_ns < others_ns)
            return BEHIND_ANOTHER;
        for (int i = 0; i < 20 && rc == 0; i++) {
            uint64_t again_ns;
            rc = pvclock_read_ns(ti, &again_ns);
            if (rc == 0 && again_ns < now_ns)
                return WENT_BACK;
            now_ns = rc == 0 ? again_ns : now_ns;
        }
        if (rc == -ETIMEDOUT) /* the writer stands in an update, as long as the CPU is others' */
            continue;
        if (rc < 0)
            return READ_FAILED;
        uint64_t real_after_ns = clock_monotonic_ns();
        if (now_ns < last_ns)
            return WENT_BACK;
        uint64_t most_ns = (real_after_ns - last_real_ns) * FASTEST;
        if (last_ns != 0 && now_ns - last_ns > most_ns + most_ns / 1000 + 10)
            return JUMPED_AHEAD;
        last_ns = now_ns;
        last_real_ns = real_before_ns;
        store_full_u64(&arena->newest_ns, now_ns);
        store_release_u64(&arena->progress[index], arena->progress[index] + 1);
    }
    return FINE;
}

/* Waits until every reader has made another round, or has ended. */
static void await_progress(struct arena *arena, const pid_t *pids)
{
    for (int i = 0; i < NR_READERS; i++) {
        uint64_t seen = load_acquire_u64(&arena->progress[i]);
        siginfo_t info = {0};
        while (load_acquire_u64(&arena->progress[i]) == seen && info.si_pid == 0) {
            sched_yield();
            waitid(P_PID, (id_t)pids[i], &info, WEXITED | WNOHANG | WNOWAIT);
        }
    }
}

static void run_readers(struct tdf_source *source)
{
    struct arena *arena = arena_map();
    struct tdf_clock clock;
    pid_t pids[NR_READERS];
    unsigned seed = 21;

    assert_int_equal(tdf_clock_init(&clock, source, &arena->info, NR_READERS, rates[0]), 0);
    for (int i = 0; i < NR_READERS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0)
            _exit(reader(arena, i));
    }
    for (int i = 0; i < NR_CHANGES; i++) {
        if (i % CHANGES_PER_ROUND == 0)
            await_progress(arena, pids);
        int rc = tdf_clock_set_tdf(&clock, rates[rand_r(&seed) % NR_RATES]);
        assert_int_equal(rc, 0);
    }
    store_release_u32(&arena->stop, 1);
    for (int i = 0; i < NR_READERS; i++) {
        int status = -1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), FINE);
        assert_true(arena->progress[i] >= NR_CHANGES / CHANGES_PER_ROUND);
    }
    munmap(arena, sizeof(*arena));
}

static void test_processes_see_no_step_on_the_real_source(void **state)
{
    struct tdf_source source;

    (void)state;
    tdf_source_real(&source);
    run_readers(&source);
}

static void test_processes_see_no_step_on_clock_monotonic(void **state)
{
    struct tdf_source source;

    (void)state;
    tdf_source_monotonic(&source);
    run_readers(&source);
}

/* The writer reads what a reader reads, the readers' counter being chosen by the shared page. */
static void test_writer_and_reader_agree(void **state)
{
    struct arena *arena = arena_map();
    struct tdf_source source;
    struct tdf_clock clock;

    (void)state;
    tdf_source_real(&source);
    for (int k = 0; k < NR_RATES; k++) {
        assert_int_equal(tdf_clock_init(&clock, &source, &arena->info, 1, rates[k]), 0);
        for (int i = 0; i < 10000; i++) {
            uint64_t read_ns, before_ns = tdf_clock_now_ns(&clock);
            assert_int_equal(pvclock_read_ns(&arena->info.vcpu_info[0].time, &read_ns), 0);
            assert_true(before_ns <= read_ns && read_ns <= tdf_clock_now_ns(&clock));
        }
    }
    munmap(arena, sizeof(*arena));
}

static void test_writer_killed_in_an_update_does_not_hang_readers(void **state)
{
    struct arena *arena = arena_map();
    struct tdf_source source;
    struct tdf_clock clock;
    uint64_t now_ns;
    int status;

    (void)state;
    tdf_source_real(&source);
    assert_int_equal(tdf_clock_init(&clock, &source, &arena->info, 1, rates[0]), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        pvclock_publish_begin(&arena->info.vcpu_info[0].time, clock.time.version);
        raise(SIGKILL);
        _exit(1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(pvclock_read_ns(&arena->info.vcpu_info[0].time, &now_ns), -ETIMEDOUT);
    /* a new writer that takes over makes it readable again */
    tdf_clock_reanchor(&clock);
    assert_int_equal(pvclock_read_ns(&arena->info.vcpu_info[0].time, &now_ns), 0);
    munmap(arena, sizeof(*arena));
}

static void *reader_thread(void *arg)
{
    struct arena *arena = arg;

    return (void *)(intptr_t)reader(arena, 0);
}

/* The same within one process, where ThreadSanitizer can look on. */
static void test_threads_see_no_step(void **state)
{
    struct arena *arena = arena_map();
    struct tdf_source source;
    struct tdf_clock clock;
    pthread_t thread;
    void *result;

    (void)state;
    tdf_source_real(&source);
    assert_int_equal(tdf_clock_init(&clock, &source, &arena->info, 1, rates[0]), 0);
    assert_int_equal(pthread_create(&thread, NULL, reader_thread, arena), 0);
    while (load_acquire_u64(&arena->progress[0]) == 0)
        sched_yield();
    for (int i = 0; i < NR_CHANGES; i++)
        assert_int_equal(tdf_clock_set_tdf(&clock, rates[i % NR_RATES]), 0);
    store_release_u32(&arena->stop, 1);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_int_equal((intptr_t)result, FINE);
    munmap(arena, sizeof(*arena));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_processes_see_no_step_on_the_real_source),
        cmocka_unit_test(test_processes_see_no_step_on_clock_monotonic),
        cmocka_unit_test(test_writer_and_reader_agree),
        cmocka_unit_test(test_writer_killed_in_an_update_does_not_hang_readers),
        cmocka_unit_test(test_threads_see_no_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
