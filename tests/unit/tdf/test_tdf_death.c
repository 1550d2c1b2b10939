/* SPDX-License-Identifier: MIT */
/*
 * Dom0's writer dies, or is stopped, at any instruction of an update. A child publishes a clock and
 * is led through the update one instruction at a time; after each one this process looks at the
 * shared page as a domain would, if that instruction had been the last.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fakes/valgrind.h"
#include "tdf/clock.h"
#include "tdf/pvclock.h"

enum { NR_VCPUS = 3, STEPS_MAX = 10 * 1000 * 1000 };

enum what { SET_RATE, PAUSE, REANCHOR, SET_WALL };

#define BORN_NS   UINT64_C(1000000000)
#define UPDATE_NS (BORN_NS + 5000)
#define OLD_UTC   UINT64_C(1700000000999999999)
#define NEW_UTC   (UINT64_C(5000000000) * 1000000000 + 7)

static struct shared_info *page;

/* The counter stands, so a line is known by its fields alone, and each page that is not torn shows
 * one of two. */
static struct vcpu_time_info old_line, new_line;
static uint64_t old_utc_ns, new_utc_ns;

/* The clock as it is before the update. */
static void publish_first(struct tdf_source *source, struct tdf_clock *clock)
{
    if (tdf_source_manual(source, 3000000000, BORN_NS, OLD_UTC) < 0 ||
        tdf_clock_init(clock, source, page, NR_VCPUS, (struct tdf){1, 10}) < 0)
        _exit(2);
    tdf_clock_set_wall(clock, OLD_UTC);
    tdf_source_set_ns(source, UPDATE_NS);
}

static void update(struct tdf_clock *clock, enum what what)
{
    switch (what) {
    case SET_RATE:
    case PAUSE:
        if (tdf_clock_set_tdf(clock, (struct tdf){what == PAUSE ? 0 : 1000, 1}) < 0)
            _exit(2);
        return;
    case REANCHOR:
        tdf_clock_reanchor(clock);
        return;
    case SET_WALL:
        tdf_clock_set_wall(clock, NEW_UTC);
        return;
    }
}

static void writer(enum what what)
{
    struct tdf_source source;
    struct tdf_clock clock;

    publish_first(&source, &clock);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
        _exit(77);
    raise(SIGSTOP);
    update(&clock, what);
    raise(SIGSTOP); /* the end of the update; nothing after it counts */
    _exit(0);
}

static bool same_line(const struct vcpu_time_info *a, const struct vcpu_time_info *b)
{
    return a->tsc_timestamp == b->tsc_timestamp && a->system_time == b->system_time &&
           a->tsc_to_system_mul == b->tsc_to_system_mul && a->tsc_shift == b->tsc_shift &&
           a->pad1[0] == b->pad1[0];
}

/* The line that counts if the writer has died: the old one until vCPU 0 has the new one. */
static bool salvaged_is_right(void)
{
    struct vcpu_time_info line;

    if (pvclock_salvage(page, NR_VCPUS, &line) < 0)
        return false;
    bool new_one = page->vcpu_info[0].time.version == new_line.version;
    return same_line(&line, new_one ? &new_line : &old_line) && !(line.version & 1);
}

/* Each vCPU shows a whole line or says that it doesn't. Returns how many show the new one, or -1.
 */
static int count_new(void)
{
    int count = 0;

    for (int i = 0; i < NR_VCPUS; i++) {
        struct pvclock_look look;
        int rc = pvclock_look(&page->vcpu_info[i].time, true, &look);
        bool is_old = rc == 0 && same_line(&look.line, &old_line);
        bool is_new = rc == 0 && same_line(&look.line, &new_line);
        if (rc == 0 ? !is_old && !is_new : rc != -EBUSY)
            return -1;
        count += is_new;
    }
    return count;
}

/* UTC is the old one or the new one, or is said to be under way (and then not waited for: that
 * takes PVCLOCK_PATIENCE_NS). */
static bool look_at_wall(void *arg)
{
    uint64_t *odd = arg, utc_ns;

    if ((page->wc_version & 1) != 0) {
        ++*odd;
        return true;
    }
    return pvclock_read_wall_ns(page, 0, &utc_ns) == 0 &&
           (utc_ns == old_utc_ns || utc_ns == new_utc_ns);
}

/* Leads the child to the end of its update. Returns the number of instructions. */
static long follow(pid_t pid, bool (*look)(void *arg), void *arg, bool *good)
{
    long steps = 0;
    int status;

    for (*good = true; *good && steps < STEPS_MAX; steps++) {
        if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0 || waitpid(pid, &status, 0) != pid)
            break;
        if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
            break; /* the SIGSTOP that ends it */
        *good = look(arg);
    }
    return steps;
}

/* Starts the child; false, with its exit code, when it can't be traced. */
static bool start_writer(enum what what, pid_t *pid)
{
    int status = 0;

    *pid = fork();
    assert_true(*pid >= 0);
    if (*pid == 0)
        writer(what);
    assert_int_equal(waitpid(*pid, &status, 0), *pid);
    if (WIFEXITED(status)) {
        assert_int_equal(WEXITSTATUS(status), 77);
        return false;
    }
    return true;
}

static void end_writer(pid_t pid)
{
    int status;

    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* What the page holds before and after the update, from a clock of our own. */
static void remember_lines(enum what what)
{
    struct tdf_source source;
    struct tdf_clock clock;

    publish_first(&source, &clock);
    old_line = clock.time;
    assert_int_equal(pvclock_read_wall_ns(page, 0, &old_utc_ns), 0);
    update(&clock, what);
    new_line = clock.time;
    assert_int_equal(pvclock_read_wall_ns(page, 0, &new_utc_ns), 0);
    memset(page, 0, sizeof(*page));
}

struct progress {
    int seen_new;
    uint64_t first_odd, last_odd; /* step numbers at which vCPU 0 was odd */
    uint64_t steps;
};

static bool look_at_line(void *arg)
{
    struct progress *progress = arg;
    int count = count_new();

    progress->steps++;
    if (page->vcpu_info[0].time.version & 1) {
        if (progress->first_odd == 0)
            progress->first_odd = progress->steps;
        progress->last_odd = progress->steps;
    }
    bool good = count >= progress->seen_new && salvaged_is_right();
    progress->seen_new = count;
    return good;
}

static void check_update(enum what what)
{
    struct progress progress = {0};
    bool good;
    pid_t pid;

    if (under_valgrind()) /* it would be led through valgrind itself */
        skip();
    remember_lines(what);
    if (!start_writer(what, &pid))
        skip();
    assert_true(same_line(&page->vcpu_info[0].time, &old_line));
    (void)follow(pid, look_at_line, &progress, &good);
    end_writer(pid);
    assert_true(good);
    assert_int_equal(progress.seen_new, NR_VCPUS);
    assert_true(progress.first_odd > 0); /* it was led through the update, not past it */
    assert_true(progress.last_odd > progress.first_odd + 10);
}

static void test_a_change_of_rate_can_end_anywhere(void **state)
{
    (void)state;
    check_update(SET_RATE);
}

static void test_a_pause_can_end_anywhere(void **state)
{
    (void)state;
    check_update(PAUSE);
}

static void test_a_new_anchor_can_end_anywhere(void **state)
{
    (void)state;
    check_update(REANCHOR);
}

/* Old and new differ in all three words. */
static void test_a_step_of_the_wall_clock_can_end_anywhere(void **state)
{
    uint64_t odd = 0, utc_ns;
    bool good;
    pid_t pid;

    (void)state;
    if (under_valgrind())
        skip();
    remember_lines(SET_WALL);
    assert_true(old_utc_ns != new_utc_ns);
    if (!start_writer(SET_WALL, &pid))
        skip();
    (void)follow(pid, look_at_wall, &odd, &good);
    end_writer(pid);
    assert_true(good);
    assert_true(odd >= 3); /* one after each word */
    assert_int_equal(pvclock_read_wall_ns(page, 0, &utc_ns), 0);
    assert_true(utc_ns == new_utc_ns);
}

static int map_page(void **state)
{
    (void)state;
    page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? -1 : 0;
}

static int unmap_page(void **state)
{
    (void)state;
    return munmap(page, sizeof(*page));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_change_of_rate_can_end_anywhere, map_page,
                                        unmap_page),
        cmocka_unit_test_setup_teardown(test_a_pause_can_end_anywhere, map_page, unmap_page),
        cmocka_unit_test_setup_teardown(test_a_new_anchor_can_end_anywhere, map_page, unmap_page),
        cmocka_unit_test_setup_teardown(test_a_step_of_the_wall_clock_can_end_anywhere, map_page,
                                        unmap_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
