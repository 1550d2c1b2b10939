/* SPDX-License-Identifier: MIT */
/* What is shared: memory with a child of vfork, the session with a crowd, a call with many events.
 */
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/waits/sleep.h"
#include "tests/waits/waits.h"

enum { CROWD = 4600, WAKEUPS_MAX = 2000 };

static void block(int signo)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signo);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static void await(int signo)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signo);
    while (sigwaitinfo(&set, NULL) != signo)
        ;
}

/* The timer of a child that still has its parent's memory is not its parent's. */
static void alarm_in_vfork(void)
{
    const struct itimerval once = {.it_value = wait_timeval()};
    struct itimerval left;
    block(SIGALRM);
    begin();
    must(setitimer(ITIMER_REAL, &once, NULL), "setitimer");
    pid_t pid = vfork();
    if (pid == 0)
        _exit(alarm(1000) != 0);
    int status;
    if (waitpid(pid, &status, 0) != pid || status != 0)
        broken("a child of vfork has its parent's alarm");
    must(getitimer(ITIMER_REAL, &left), "getitimer");
    if (left.it_value.tv_sec == 0 && left.it_value.tv_usec == 0)
        broken("a child of vfork has taken its parent's timer");
    if (left.it_value.tv_sec > 900)
        broken("a child of vfork has set its parent's timer");
    await(SIGALRM);
    end(0);
}

static void timer_in_vfork(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
    const struct itimerspec once = {.it_value = wait_timespec()},
                            far = {.it_value = {.tv_sec = 1000}};
    struct itimerspec left;
    static timer_t timer, childs;
    block(SIGUSR2);
    must(timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create");
    begin();
    must(timer_settime(timer, 0, &once, NULL), "timer_settime");
    pid_t pid = vfork();
    if (pid == 0)
        _exit(timer_create(CLOCK_MONOTONIC, &event, &childs) != 0 ||
              timer_settime(childs, 0, &far, NULL) != 0);
    int status;
    if (waitpid(pid, &status, 0) != pid || status != 0)
        broken("a child of vfork gets no timer");
    must(timer_gettime(timer, &left), "timer_gettime");
    if (left.it_value.tv_sec > 900 || timespec_ns(left.it_value) == 0)
        broken("a child of vfork has its parent's timer");
    await(SIGUSR2);
    end(0);
}

static atomic_int crowd;

static void *wait_for_long(void *arg)
{
    const struct timespec far = {.tv_sec = 1000000};
    atomic_fetch_add(&crowd, 1);
    nanosleep(&far, NULL);
    return arg;
}

static long wakeups(void)
{
    struct rusage usage;
    must(getrusage(RUSAGE_SELF, &usage), "getrusage");
    return usage.ru_nvcsw;
}

/* However many wait, nobody wakes up in between. */
static void crowd_sleeps(void)
{
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    for (int i = 0; i < CROWD; i++) {
        pthread_t thread;
        if (pthread_create(&thread, &small, wait_for_long, NULL) != 0)
            absent("so many threads");
    }
    while (atomic_load(&crowd) < CROWD)
        sched_yield();
    long before, after = wakeups();
    do { /* until the last of them has gone to sleep */
        before = after;
        sleep_once();
        after = wakeups();
    } while (after - before > WAKEUPS_MAX && before < 100L * CROWD);
    if (after - before > WAKEUPS_MAX)
        broken("a crowd does not sleep");
    sleep_and_end();
}

/* An event that is there, and one that does not come: the first is told when the time is over. */
static void one_event_of_two(void)
{
    struct timespec span = wait_timespec();
    struct io_event events[2];
    aio_context_t context = 0;
    int pipes[2][2];
    struct iocb blocks[2], *list[2] = {&blocks[0], &blocks[1]};
    if (syscall(SYS_io_setup, 2, &context) < 0)
        absent("no kernel AIO");
    for (int i = 0; i < 2; i++) {
        must(pipe(pipes[i]), "pipe");
        blocks[i] = (struct iocb){.aio_lio_opcode = IOCB_CMD_POLL,
                                  .aio_fildes = (unsigned)pipes[i][0],
                                  .aio_buf = POLLIN,
                                  .aio_data = (unsigned)i};
    }
    if (syscall(SYS_io_submit, context, 2, list) != 2)
        absent("IOCB_CMD_POLL");
    must(write(pipes[0][1], "x", 1), "write");
    begin();
    if (syscall(SYS_io_getevents, context, 2, 2, events, &span) != 1 || events[0].data != 0)
        broken("io_getevents of one event");
    end(0);
}

const struct wait_case cases_shared[] = {
    {"setitimer, and vfork with alarm", KIND_WAIT, alarm_in_vfork, 0, 0, 0, 0, 0},
    {"timer, and vfork with another", KIND_WAIT, timer_in_vfork, 0, 0, 0, 0, 0},
    {"after a crowd fell asleep", KIND_WAIT, crowd_sleeps, 0, 0, 0, 0, 0},
    {"io_getevents, one of two", KIND_WAIT, one_event_of_two, 0, 0, 0, 0, 0},
    {.name = NULL},
};
