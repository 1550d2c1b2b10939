/* SPDX-License-Identifier: MIT */
/* Readings of clocks: by the C library, by system calls of every kind, by the counter. */
#include <pthread.h>

#include "tests/waits/clock_calls.h"

/* Reads before and after what the judge lets pass. */
static void difference(int64_t (*read)(void))
{
    int64_t from = read();
    begin();
    go();
    end(read() - from);
}

static void *read_in_thread(void *read)
{
    difference((int64_t(*)(void))(uintptr_t)read);
    return NULL;
}

static void in_thread(int64_t (*read)(void))
{
    pthread_t thread;
    must(-pthread_create(&thread, NULL, read_in_thread, (void *)(uintptr_t)read), "thread");
    pthread_join(thread, NULL);
}

static void read_realtime(void)
{
    difference(realtime);
}
static void read_monotonic(void)
{
    difference(monotonic);
}
static void read_raw(void)
{
    difference(raw);
}
static void read_boottime(void)
{
    difference(boottime);
}
static void read_tai(void)
{
    difference(tai);
}
static void read_realtime_coarse(void)
{
    difference(realtime_coarse);
}
static void read_monotonic_coarse(void)
{
    difference(monotonic_coarse);
}
static void read_realtime_alarm(void)
{
    difference(realtime_alarm);
}
static void read_boottime_alarm(void)
{
    difference(boottime_alarm);
}
static void read_day(void)
{
    difference(day);
}
static void read_c11(void)
{
    difference(c11);
}
static void read_syscall(void)
{
    difference(by_syscall);
}
static void read_inline(void)
{
    difference(by_inline);
}
static void read_day_inline(void)
{
    difference(day_by_inline);
}
static void read_adjtimex(void)
{
    difference(by_adjtimex);
}
static void read_clock_adjtime(void)
{
    difference(by_clock_adjtime);
}
static void read_times(void)
{
    difference(by_times);
}
static void read_proc_uptime(void)
{
    difference(proc_uptime);
}
static void read_proc_uptime_stdio(void)
{
    difference(proc_uptime_stdio);
}
static void read_proc_uptime_kept(void)
{
    difference(proc_uptime_kept);
}
static void read_proc_uptime_pread(void)
{
    difference(proc_uptime_pread);
}
static void read_proc_uptime_preadv(void)
{
    difference(proc_uptime_preadv);
}
static void read_proc_uptime_preadv2(void)
{
    difference(proc_uptime_preadv2);
}
static void read_vdso(void)
{
    difference(by_vdso);
}
static void read_tsc(void)
{
    difference(tsc);
}
static void read_tscp(void)
{
    difference(tscp);
}
static void read_monotonic_thread(void)
{
    in_thread(monotonic);
}
static void read_syscall_thread(void)
{
    in_thread(by_syscall);
}

/* Clocks of whole seconds agree with CLOCK_REALTIME, whatever that is. */
static void equal_time(void)
{
    begin();
    end((int64_t)time(NULL) * 1000000000 - clock_ns(CLOCK_REALTIME) + 500000000);
}

static void equal_time_inline(void)
{
    begin();
    end((int64_t)inline_call(SYS_time, 0, 0, 0, 0, 0, 0) * 1000000000 - clock_ns(CLOCK_REALTIME) +
        500000000);
}

static void equal_sysinfo(void)
{
    struct sysinfo info;
    begin();
    must(sysinfo(&info), "sysinfo");
    end((int64_t)info.uptime * 1000000000 - clock_ns(CLOCK_BOOTTIME)); /* the kernel rounds up */
}

static void equal_uptime_at(void)
{
    begin();
    end(proc_uptime_at() - clock_ns(CLOCK_BOOTTIME));
}

static void equal_uptime(void)
{
    begin();
    end(proc_uptime() - clock_ns(CLOCK_BOOTTIME));
}

static void equal_syscall(void)
{
    begin();
    end(by_syscall() - monotonic());
}

static void equal_vdso(void)
{
    begin();
    end(by_vdso() - monotonic());
}

/* The resolution is no time: it stays. */
static void equal_getres(void)
{
    struct timespec at;
    begin();
    must(clock_getres(CLOCK_MONOTONIC, &at), "clock_getres");
    end(timespec_ns(at) == 1 ? 0 : 1000000000);
}

/* A hundred thousand readings of three kinds, none before the one before. */
static void monotone(void)
{
    int64_t last = 0;
    begin();
    for (int i = 0; i < 20000; i++) {
        int64_t now = i % 64 == 0 ? by_inline() : i % 2 == 0 ? monotonic() : by_vdso();
        if (now < last)
            end(1000000000);
        last = now;
    }
    end(0);
}

enum { MS = 1000000 };

const struct wait_case cases_read[] = {
    {"clock_gettime REALTIME", KIND_READ, read_realtime, 0, 0, 0, 0, 0},
    {"clock_gettime MONOTONIC", KIND_READ, read_monotonic, 0, 0, 0, 0, 0},
    {"clock_gettime MONOTONIC_RAW", KIND_READ, read_raw, 0, 0, 0, 0, 0},
    {"clock_gettime BOOTTIME", KIND_READ, read_boottime, 0, 0, 0, 0, 0},
    {"clock_gettime TAI", KIND_READ, read_tai, 0, 0, 0, 0, 0},
    {"clock_gettime REALTIME_COARSE", KIND_READ, read_realtime_coarse, 0, 8 * MS, 0, 0, 0},
    {"clock_gettime MONOTONIC_COARSE", KIND_READ, read_monotonic_coarse, 0, 8 * MS, 0, 0, 0},
    {"clock_gettime REALTIME_ALARM", KIND_READ, read_realtime_alarm, 0, 0, 0, 0, 0},
    {"clock_gettime BOOTTIME_ALARM", KIND_READ, read_boottime_alarm, 0, 0, 0, 0, 0},
    {"gettimeofday", KIND_READ, read_day, 0, 0, 0, 0, 0},
    {"timespec_get", KIND_READ, read_c11, 0, 0, 0, 0, 0},
    {"syscall(clock_gettime)", KIND_READ, read_syscall, 0, 0, 0, 0, 0},
    {"inline clock_gettime", KIND_READ, read_inline, 0, 0, 0, 0, 0},
    {"inline gettimeofday", KIND_READ, read_day_inline, 0, 0, 0, 0, 0},
    {"vDSO clock_gettime", KIND_READ, read_vdso, 0, 0, 0, 0, 0},
    {"adjtimex", KIND_READ, read_adjtimex, 0, 0, 0, 0, 0},
    {"clock_adjtime", KIND_READ, read_clock_adjtime, 0, 0, 0, 0, 0},
    {"times", KIND_READ, read_times, 10 * MS, 0, 0, 0, 0},
    {"/proc/uptime", KIND_READ, read_proc_uptime, 10 * MS, 0, 0, 0, 0},
    {"/proc/uptime by stdio", KIND_READ, read_proc_uptime_stdio, 10 * MS, 0, 0, 0, 0},
    {"/proc/uptime kept open", KIND_READ, read_proc_uptime_kept, 10 * MS, 0, 0, 0, 0},
    {"/proc/uptime by pread", KIND_READ, read_proc_uptime_pread, 10 * MS, 0, 0, 0, 0},
    {"/proc/uptime by preadv", KIND_READ, read_proc_uptime_preadv, 10 * MS, 0, 0, 0, 0},
    {"/proc/uptime by preadv2", KIND_READ, read_proc_uptime_preadv2, 10 * MS, 0, 0, 0, 0},
    {"clock_gettime in a thread", KIND_READ, read_monotonic_thread, 0, 0, 0, 0, 0},
    {"syscall(clock_gettime) in a thread", KIND_READ, read_syscall_thread, 0, 0, 0, 0, 0},
    {"rdtsc", KIND_TICKS, read_tsc, 0, 0, 0, 0, 0},
    {"rdtscp", KIND_TICKS, read_tscp, 0, 0, 0, 0, 0},
    {"time and CLOCK_REALTIME", KIND_EQUAL, equal_time, 520 * MS, 0, 0, 0, 0},
    {"inline time and CLOCK_REALTIME", KIND_EQUAL, equal_time_inline, 520 * MS, 0, 0, 0, 0},
    {"sysinfo and CLOCK_BOOTTIME", KIND_EQUAL, equal_sysinfo, 1020 * MS, 0, 0, 0, 0},
    {"/proc/uptime and CLOCK_BOOTTIME", KIND_EQUAL, equal_uptime, 10 * MS, 0, 0, 0, 0},
    {"../uptime and CLOCK_BOOTTIME", KIND_EQUAL, equal_uptime_at, 10 * MS, 0, 0, 0, 0},
    {"syscall and library", KIND_EQUAL, equal_syscall, 0, 0, 0, 0, 0},
    {"vDSO and library", KIND_EQUAL, equal_vdso, 0, 0, 0, 0, 0},
    {"clock_getres stays", KIND_EQUAL, equal_getres, 0, 0, 0, 0, 0},
    {"readings of three kinds are monotone", KIND_EQUAL, monotone, 0, 0, 0, 0, 0},
    {.name = NULL},
};
