/* SPDX-License-Identifier: MIT */
/* CPU time: a domain at TDF k has k times the cycles in each of its seconds, so what it uses takes
 * 1/k of its time. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/waits/waits.h"

enum { MS = 1000000 };

static void difference(int64_t (*read)(void))
{
    begin();
    go();
    int64_t from = read();
    while (!told_to_stop())
        burn();
    end(read() - from);
}

static int64_t timeval_ns(struct timeval at)
{
    return (int64_t)at.tv_sec * 1000000000 + at.tv_usec * 1000;
}

static int64_t process(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}
static int64_t thread(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}
static int64_t c_clock(void)
{
    return (int64_t)clock() * (1000000000 / CLOCKS_PER_SEC);
}

static int64_t of_pid(void)
{
    clockid_t clock;
    must(-clock_getcpuclockid(getpid(), &clock), "a CPU clock");
    return clock_ns(clock);
}

static int64_t of_thread(void)
{
    clockid_t clock;
    must(-pthread_getcpuclockid(pthread_self(), &clock), "a CPU clock");
    return clock_ns(clock);
}

static int64_t usage(int who)
{
    struct rusage usage;
    must(getrusage(who, &usage), "getrusage");
    return timeval_ns(usage.ru_utime) + timeval_ns(usage.ru_stime);
}

static int64_t usage_self(void)
{
    return usage(RUSAGE_SELF);
}
static int64_t usage_thread(void)
{
    return usage(RUSAGE_THREAD);
}

static int64_t by_times(void)
{
    struct tms tms;
    times(&tms);
    return (int64_t)(tms.tms_utime + tms.tms_stime) * (1000000000 / sysconf(_SC_CLK_TCK));
}

static int64_t by_schedstat(void)
{
    char text[128] = "";
    int fd = open("/proc/self/schedstat", O_RDONLY);
    if (fd < 0)
        absent("schedstat");
    must(read(fd, text, sizeof(text) - 1), "schedstat");
    close(fd);
    return strtoll(text, NULL, 10);
}

static void cpu_process(void)
{
    difference(process);
}
static void cpu_thread(void)
{
    difference(thread);
}
static void cpu_clock(void)
{
    difference(c_clock);
}
static void cpu_of_pid(void)
{
    difference(of_pid);
}
static void cpu_of_thread(void)
{
    difference(of_thread);
}
static void cpu_usage(void)
{
    difference(usage_self);
}
static void cpu_usage_thread(void)
{
    difference(usage_thread);
}
static void cpu_times(void)
{
    difference(by_times);
}
static void cpu_schedstat(void)
{
    difference(by_schedstat);
}

static void burn_until(int number)
{
    int pending = 0;
    sigset_t set;
    while (!pending) {
        burn();
        sigpending(&set);
        pending = sigismember(&set, number);
    }
    end(0);
}

static void block(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static void cpu_itimer(int number)
{
    struct itimerval when = {.it_value = wait_timeval()};
    block(number);
    begin();
    go();
    must(number == SIGPROF ? setitimer(ITIMER_PROF, &when, NULL)
                           : setitimer(ITIMER_VIRTUAL, &when, NULL),
         "setitimer");
    burn_until(number);
}

static void cpu_itimer_virtual(void)
{
    cpu_itimer(SIGVTALRM);
}
static void cpu_itimer_prof(void)
{
    cpu_itimer(SIGPROF);
}

static void cpu_timer(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
    struct itimerspec when = {.it_value = wait_timespec()};
    timer_t timer;
    block(SIGUSR2);
    must(timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer), "timer_create");
    begin();
    go();
    must(timer_settime(timer, 0, &when, NULL), "timer_settime");
    burn_until(SIGUSR2);
}

/* The old timers count the ticks of the kernel that meet the process: a sample. */
const struct wait_case cases_cpu[] = {
    {"PROCESS_CPUTIME_ID", KIND_CPU, cpu_process, 0, 1 * MS, 0, 0, 0},
    {"THREAD_CPUTIME_ID", KIND_CPU, cpu_thread, 0, 1 * MS, 0, 0, 0},
    {"clock", KIND_CPU, cpu_clock, 0, 1 * MS, 0, 0, 0},
    {"clock_getcpuclockid", KIND_CPU, cpu_of_pid, 0, 1 * MS, 0, 0, 0},
    {"pthread_getcpuclockid", KIND_CPU, cpu_of_thread, 0, 1 * MS, 0, 0, 0},
    {"getrusage", KIND_CPU, cpu_usage, 0, 8 * MS, 0, 0, 0},
    {"getrusage of a thread", KIND_CPU, cpu_usage_thread, 0, 8 * MS, 0, 0, 0},
    {"schedstat", KIND_CPU, cpu_schedstat, 0, 8 * MS, 0, 0, 0},
    {"CPU time of times", KIND_CPU, cpu_times, 20 * MS, 8 * MS, 0, 0, 0},
    {"ITIMER_VIRTUAL", KIND_CPUWAIT, cpu_itimer_virtual, 0, 12 * MS, 0, 0, 30},
    {"ITIMER_PROF", KIND_CPUWAIT, cpu_itimer_prof, 0, 12 * MS, 0, 0, 30},
    {"timer of CPU time", KIND_CPUWAIT, cpu_timer, 0, 12 * MS, 0, 0, 0},
    {.name = NULL},
};
