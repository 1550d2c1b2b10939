/* SPDX-License-Identifier: MIT */
/* reach: where a thread is, from what /proc tells of it; and who is kicked. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "run/reach.h"
#include "run/session.h"

enum { HANG_S = 60 };

#if defined(__x86_64__)
static void test_a_wait_that_a_signal_ends_has_a_place(void **state)
{
    (void)state;
    assert_int_equal(reach_place("7 0x7ffd10 0x1 0xffffffff 0x0 0x0 0x0 0x7ffd00 0x7f0010\n"),
                     session_place(7, 0x7f0010, 0x7ffd00));
    assert_int_equal(reach_place("34 0x0 0x0 0x0 0x0 0x0 0x0 0x7ffd00 0x7f0010\n"),
                     session_place(34, 0x7f0010, 0x7ffd00));
}

static void test_others_have_none(void **state)
{
    (void)state;
    assert_int_equal(reach_place("running\n"), 0);
    assert_int_equal(reach_place("-1 0x7ffd00 0x7f0010\n"), 0);
    assert_int_equal(reach_place(""), 0);
    /* wait4 is begun again by the kernel, and what the shim calls by the shim. */
    assert_int_equal(reach_place("61 0x0 0x0 0x0 0x0 0x0 0x0 0x7ffd00 0x7f0010\n"), 0);
    assert_int_equal(reach_place("7 0x0 0x0 0x0 0x0 0x0 0x0 0x7ffd00 0x7e900000a03f\n"), 0);
}
#endif

static void test_places_differ_by_number_and_by_where_it_is(void **state)
{
    const uint32_t place = session_place(7, 0x7f0010, 0x7ffd00);

    (void)state;
    assert_int_equal(place & ((1u << SESSION_PLACE_NR_BITS) - 1), 8);
    assert_int_not_equal(place >> SESSION_PLACE_NR_BITS,
                         session_place(7, 0x7f0020, 0x7ffd00) >> SESSION_PLACE_NR_BITS);
    assert_int_not_equal(place >> SESSION_PLACE_NR_BITS,
                         session_place(7, 0x7f0010, 0x7ffd08) >> SESSION_PLACE_NR_BITS);
}

static bool is_this(void *arg, pid_t pid)
{
    return pid == *(pid_t *)arg;
}

enum { KICKED = 7, TAKEN = 8 };

static void end_kicked(int signal_number)
{
    (void)signal_number;
    _exit(KICKED);
}

/* A child that waits for ever, and ends by the kick. */
static pid_t make_child(void (*on_sigsys)(int))
{
    int there[2];
    char byte;
#ifdef __SANITIZE_THREAD__
    skip(); /* it keeps handlers waiting until a call that it knows, and there is none */
#endif
    assert_int_equal(pipe(there), 0);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGSYS, on_sigsys); /* cmocka has a handler for it */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)!write(there[1], "x", 1);
        for (;;)
            pause();
    }
    assert_true(pid > 0);
    assert_int_equal(read(there[0], &byte, 1), 1);
    close(there[0]);
    close(there[1]);
    return pid;
}

static void test_the_family_is_kicked_but_for_who_was(void **state)
{
    pid_t known = make_child(end_kicked), other = make_child(end_kicked);
    int status;

    (void)state;
    reach_family(is_this, &known);
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == KICKED);
    assert_int_equal(waitpid(known, &status, WNOHANG), 0);
    assert_int_equal(kill(known, SIGKILL), 0);
    assert_int_equal(waitpid(known, &status, 0), known);
    assert_int_equal(reach_kick(known, known, 0), -ESRCH);
}

/* A kick would end it: e.g. what a shell had started before it became the supervisor. */
static void test_a_child_that_knows_no_kick_gets_none(void **state)
{
    pid_t stranger = make_child(SIG_DFL), other = make_child(end_kicked), none = 0;
    int status;

    (void)state;
    reach_family(is_this, &none);
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(kill(stranger, SIGTERM), 0);
    assert_int_equal(waitpid(stranger, &status, 0), stranger);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

/* Until its parent has taken its status the kernel tells of its handlers as if it lived. */
static void test_a_child_that_has_ended_has_no_shim(void **state)
{
    pid_t child = make_child(end_kicked);
    siginfo_t info;
    int status;

    (void)state;
    assert_true(reach_has_shim(child));
    assert_int_equal(reach_kick(child, child, 0), 0);
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    assert_false(reach_has_shim(child));
    assert_int_equal(waitpid(child, &status, 0), child);
}

#if defined(__x86_64__)
/* signal(7): these end with EINTR after any handler, and are not begun again. */
static void test_each_wait_that_a_signal_ends_has_a_place(void **state)
{
    static const int ended[] = {0, 7, 19, 23, 34, 65, 69, 70, 208, 220, 232, 270, 271, 281, 333,
                                441,
                                /* of sockets with a time-out */
                                1, 20, 40, 42, 43, 44, 45, 46, 47, 275, 288, 299, 307};
    char line[128];
    (void)state;
    /* A poll after a stop. */
    assert_int_equal(reach_place("219 0x0 0x0 0x0 0x0 0x0 0x0 0x7ffd00 0x7f0010\n"),
                     session_place(7, 0x7f0010, 0x7ffd00));
    for (int nr = 0; nr < 500; nr++) {
        if (nr == 219)
            continue;
        bool is_ended = false;
        for (size_t i = 0; i < sizeof(ended) / sizeof(ended[0]); i++)
            is_ended |= ended[i] == nr;
        (void)snprintf(line, sizeof(line), "%d 0x0 0x0 0x0 0x0 0x0 0x0 0x7ffd00 0x7f0010\n", nr);
        assert_int_equal(reach_place(line),
                         is_ended ? session_place((uint32_t)nr, 0x7f0010, 0x7ffd00) : 0);
    }
}

static void test_the_shim_has_no_place_from_its_first_byte_to_its_last(void **state)
{
    const struct {
        uint64_t pc;
        bool is_shim;
    } rows[] = {{SESSION_SHIM_ADDRESS - 1, false},
                {SESSION_SHIM_ADDRESS, true},
                {SESSION_CLOCK_ADDRESS - 1, true},
                {SESSION_CLOCK_ADDRESS, false}};
    char line[128];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)snprintf(line, sizeof(line), "7 0x0 0x0 0x0 0x0 0x0 0x0 0x7ffd00 0x%llx\n",
                       (unsigned long long)rows[i].pc);
        assert_int_equal(reach_place(line) == 0, rows[i].is_shim);
    }
}
#endif

static void test_who_knows_kicks_has_the_shim(void **state)
{
    pid_t knows = make_child(end_kicked), does_not = make_child(SIG_DFL);

    (void)state;
    assert_true(reach_has_shim(knows));
    assert_false(reach_has_shim(does_not));
    assert_int_equal(kill(knows, SIGKILL), 0);
    assert_int_equal(kill(does_not, SIGKILL), 0);
    assert_int_equal(waitpid(knows, NULL, 0), knows);
    assert_int_equal(waitpid(does_not, NULL, 0), does_not);
    assert_false(reach_has_shim(knows));
}

/* Any thread of it. */
static void test_a_process_is_kicked_without_naming_a_thread(void **state)
{
    pid_t child = make_child(end_kicked);
    int status;

    (void)state;
    assert_int_equal(reach_kick(child, 0, 0), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == KICKED);
}

static void *sleep_for_ever(void *arg)
{
    const int *there = arg;
    const pid_t tid = (pid_t)syscall(SYS_gettid);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGSYS);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)!write(there[1], &tid, sizeof(tid));
    for (;;)
        pause();
    return NULL;
}

/* A child whose second thread sleeps and blocks the kick, while the main thread spins and takes it;
 * *tid gets the second. */
static pid_t make_spinner(pid_t *tid)
{
    int there[2];
#ifdef __SANITIZE_THREAD__
    skip(); /* it keeps handlers waiting until a call that it knows, and there is none */
#endif
    assert_int_equal(pipe(there), 0);
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        signal(SIGSYS, end_kicked);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (pthread_create(&thread, NULL, sleep_for_ever, there) != 0)
            _exit(1);
        for (;;)
            __asm__ volatile("");
    }
    assert_true(pid > 0);
    assert_int_equal(read(there[0], tid, sizeof(*tid)), sizeof(*tid));
    close(there[0]);
    close(there[1]);
    return pid;
}

static void assert_kicked(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == KICKED);
}

static void test_the_thread_that_sleeps_is_chosen(void **state)
{
    struct reach_thread found;
    pid_t tid, child = make_spinner(&tid);

    (void)state;
    do
        reach_choose(child, &found);
    while (found.tid == 0); /* it is on its way to sleep */
    assert_int_equal(found.tid, tid);
    assert_true(found.main_runs);
    assert_int_equal(reach_process(child, &found), 0);
    assert_kicked(child); /* the main thread, since it runs: the other one does not take it */
}

static void test_a_thread_that_has_ended_stands_for_its_process(void **state)
{
    const pid_t child = make_child(end_kicked);
    const struct reach_thread ended = {.tid = child + 1};

    (void)state;
    assert_int_equal(reach_process(child, &ended), 0);
    assert_kicked(child);
    assert_int_equal(reach_process(child, &ended), -ESRCH);
}

static void end_taken(int signo)
{
    (void)signo;
    _exit(TAKEN);
}

static void *take_kicks(void *arg)
{
    for (;;)
        pause();
    return arg;
}

/* Not one of the process. */
static bool has_own_kick(void)
{
    char line[128];
    unsigned long pending = 0;
    FILE *status = fopen("/proc/thread-self/status", "re");
    while (status != NULL && pending == 0 && fgets(line, sizeof(line), status) != NULL)
        (void)sscanf(line, "SigPnd: %lx", &pending);
    if (status != NULL)
        fclose(status);
    return (pending >> (SIGSYS - 1) & 1) != 0;
}

/* A kick for the process would go to the thread that does not block it. */
static void test_a_kick_for_the_main_thread_is_no_other_ones(void **state)
{
    const struct reach_thread runs = {.main_runs = true};
    int there[2];
    char byte;

    (void)state;
    assert_int_equal(pipe(there), 0);
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        sigset_t set;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGSYS, end_taken);
        sigemptyset(&set);
        sigaddset(&set, SIGSYS);
        if (pthread_create(&thread, NULL, take_kicks, NULL) != 0 ||
            pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 || write(there[1], "", 1) != 1)
            _exit(1);
        while (!has_own_kick())
            ;
        _exit(KICKED);
    }
    assert_true(child > 0);
    assert_int_equal(read(there[0], &byte, 1), 1);
    close(there[0]);
    close(there[1]);
    assert_int_equal(reach_process(child, &runs), 0);
    assert_kicked(child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#if defined(__x86_64__)
        cmocka_unit_test(test_a_wait_that_a_signal_ends_has_a_place),
        cmocka_unit_test(test_others_have_none),
        cmocka_unit_test(test_each_wait_that_a_signal_ends_has_a_place),
        cmocka_unit_test(test_the_shim_has_no_place_from_its_first_byte_to_its_last),
#endif
        cmocka_unit_test(test_places_differ_by_number_and_by_where_it_is),
        cmocka_unit_test(test_the_family_is_kicked_but_for_who_was),
        cmocka_unit_test(test_a_child_that_knows_no_kick_gets_none),
        cmocka_unit_test(test_a_child_that_has_ended_has_no_shim),
        cmocka_unit_test(test_who_knows_kicks_has_the_shim),
        cmocka_unit_test(test_a_process_is_kicked_without_naming_a_thread),
        cmocka_unit_test(test_the_thread_that_sleeps_is_chosen),
        cmocka_unit_test(test_a_thread_that_has_ended_stands_for_its_process),
        cmocka_unit_test(test_a_kick_for_the_main_thread_is_no_other_ones),
    };

    alarm(HANG_S);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
