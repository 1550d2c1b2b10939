/* SPDX-License-Identifier: MIT */
/*
 * The client's library on a machine that has run out of something: each call for memory,
 * descriptors or threads fails, alone and with the next few, through connect, the first reads and
 * close.
 * Dom0 is a process of its own, with a disk whose data is known.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault.h"
#include "faults_dom0.h"
#include "splitdom/blkfront.h"

enum { HANG_S = 240, READS = 8 };

struct fixture {
    struct faults_place place;
    pid_t dom0;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    alarm(HANG_S);
    if (faults_place_make(&f->place) < 0)
        return -1;
    f->dom0 = faults_dom0_fork(&f->place);
    return f->dom0 < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    int status;
    alarm(0);
    kill(f->dom0, SIGTERM);
    if (waitpid(f->dom0, &status, 0) != f->dom0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return -1;
    int rc = faults_place_remove(&f->place);
    free(f);
    return rc;
}

/* One life of a client. Returns 0, or the -errno of the first call that failed. */
static int live(const struct faults_place *place, struct blkfront_error *why)
{
    const struct blkfront_options options = {.size = sizeof(struct blkfront_options),
                                             .rundir = place->base,
                                             .name = "faults",
                                             .depth = 4};
    struct blkfront_completion done[READS];
    uint8_t bytes[READS][512];
    struct blkfront *bf;
    int rc = blkfront_connect(&options, &bf, why);
    if (rc < 0)
        return rc;
    for (uint64_t i = 0; i < READS && rc == 0; i++) {
        rc = blkfront_read(bf, i * 7, 1, bytes[i]);
        if (rc == 0 && !faults_data_is_right(i * 7, bytes[i]))
            rc = -EILSEQ;
    }
    if (rc == 0)
        rc = blkfront_submit(bf, 3, 1, bytes[0], NULL);
    if (rc == 0)
        rc = blkfront_reap(bf, done, READS, 1) == 1 ? done[0].status : -EPIPE;
    if (rc == 0 && !faults_data_is_right(3, bytes[0]))
        rc = -EILSEQ;
    blkfront_close(bf);
    return rc;
}

/* A call on the thread that keeps the link ends the connection, and that is what others are told.
 */
static bool is_the_machines(int error, const char *text)
{
    return error == -ENOMEM || error == -EMFILE || error == -EAGAIN || error == -ENOSPC ||
           (error == -ENOTCONN && strstr(text, strerror(ENOMEM)) != NULL);
}

static void walk(const struct faults_place *place, enum fault_plan plan)
{
    struct blkfront_error why;
    const char *where;
    uint64_t n = 0;
    assert_int_equal(live(place, &why), 0);
    const int64_t blocks = fault_live_blocks();
    const uint32_t descriptors = fault_open_descriptors(), segments = fault_mapped_segments();
    do {
        fault_arm(++n, plan);
        const int rc = live(place, &why);
        where = fault_disarm();
        if (rc != 0 && (!is_the_machines(rc, why.text) || why.text[0] == '\0'))
            fail_msg("call %d, %s: %s: '%s'", (int)n, where, strerror(-rc), why.text);
        if (fault_live_blocks() != blocks || fault_open_descriptors() != descriptors ||
            fault_mapped_segments() != segments)
            fail_msg("call %d, %s: left: %d blocks, %d descriptors, %d segments", (int)n, where,
                     (int)(fault_live_blocks() - blocks),
                     (int)(fault_open_descriptors() - descriptors),
                     (int)(fault_mapped_segments() - segments));
        if (where == NULL)
            assert_int_equal(rc, 0);
        if (live(place, &why) != 0)
            fail_msg("call %d, %s: the next client fails: %s", (int)n, where, why.text);
    } while (where != NULL);
    print_message("%d calls failed\n", (int)n - 1);
    assert_true(n > 10);
}

static void a_call_that_fails_once_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    walk(&f->place, FAULT_ONCE);
}

static void a_burst_of_failures_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    walk(&f->place, FAULT_BURST);
}

static void no_call_minds_being_interrupted(void **state)
{
    struct fixture *f = *state;
    struct blkfront_error why;
    for (uint64_t n = 2; n < 20; n++) {
        fault_arm(n, FAULT_EINTR);
        const int rc = live(&f->place, &why);
        const char *where = fault_disarm();
        if (rc != 0)
            fail_msg("each %dth, first %s: %s: %s", (int)n, where, strerror(-rc), why.text);
        assert_non_null(where);
    }
}

static volatile sig_atomic_t signals_seen;

static void on_signal(int signal_number)
{
    (void)signal_number;
    signals_seen++;
}

/* Ten thousand a second, with a handler that restarts nothing: connect, reads and close go on. */
static void a_storm_of_signals_disturbs_nothing(void **state)
{
    enum { LIVES = 200, PERIOD_NS = 100000 };
    struct fixture *f = *state;
    struct blkfront_error why;
    struct sigaction storm = {.sa_handler = on_signal}, before;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    const struct itimerspec period = {.it_interval = {.tv_nsec = PERIOD_NS},
                                      .it_value = {.tv_nsec = PERIOD_NS}};
    timer_t timer;
    assert_int_equal(sigaction(SIGUSR1, &storm, &before), 0);
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    assert_int_equal(timer_settime(timer, 0, &period, NULL), 0);
    for (int i = 0; i < LIVES; i++) {
        int rc = live(&f->place, &why);
        if (rc != 0)
            fail_msg("life %d: %s: '%s'", i, strerror(-rc), why.text);
    }
    timer_delete(timer);
    sigaction(SIGUSR1, &before, NULL);
    print_message("%d signals in %d lives\n", (int)signals_seen, LIVES);
    assert_true(signals_seen > LIVES);
}

/* Runs the tests whose names match the argument. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_fails_once_leaves_nothing),
        cmocka_unit_test(a_burst_of_failures_leaves_nothing),
        cmocka_unit_test(no_call_minds_being_interrupted),
        cmocka_unit_test(a_storm_of_signals_disturbs_nothing),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, setup, teardown);
}
