/* SPDX-License-Identifier: MIT */
/* clock_calls: every way to ask for the time. */
#ifndef SPLITDOM_TESTS_WAITS_CLOCK_CALLS_H
#define SPLITDOM_TESTS_WAITS_CLOCK_CALLS_H

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/waits/waits.h"

static inline long inline_call(long number, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
#else
    return syscall(number, a, b, c, d, e, f);
#endif
}

static inline int64_t realtime(void)
{
    return clock_ns(CLOCK_REALTIME);
}
static inline int64_t monotonic(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}
static inline int64_t raw(void)
{
    return clock_ns(CLOCK_MONOTONIC_RAW);
}
static inline int64_t boottime(void)
{
    return clock_ns(CLOCK_BOOTTIME);
}
static inline int64_t tai(void)
{
    return clock_ns(CLOCK_TAI);
}
static inline int64_t realtime_coarse(void)
{
    return clock_ns(CLOCK_REALTIME_COARSE);
}
static inline int64_t monotonic_coarse(void)
{
    return clock_ns(CLOCK_MONOTONIC_COARSE);
}

/* Not every machine has these. */
static inline int64_t alarm_clock(clockid_t clock)
{
    struct timespec at;
    if (clock_gettime(clock, &at) < 0)
        absent("no such clock");
    return timespec_ns(at);
}

static inline int64_t realtime_alarm(void)
{
    return alarm_clock(CLOCK_REALTIME_ALARM);
}
static inline int64_t boottime_alarm(void)
{
    return alarm_clock(CLOCK_BOOTTIME_ALARM);
}

static inline int64_t day(void)
{
    struct timeval at;
    gettimeofday(&at, NULL);
    return (int64_t)at.tv_sec * 1000000000 + at.tv_usec * 1000;
}

static inline int64_t c11(void)
{
    struct timespec at;
    timespec_get(&at, TIME_UTC);
    return timespec_ns(at);
}

static inline int64_t by_syscall(void)
{
    struct timespec at;
    must(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &at), "syscall");
    return timespec_ns(at);
}

static inline int64_t by_inline(void)
{
    struct timespec at;
    inline_call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&at, 0, 0, 0, 0);
    return timespec_ns(at);
}

static inline int64_t day_by_inline(void)
{
    struct timeval at;
    inline_call(SYS_gettimeofday, (long)&at, 0, 0, 0, 0, 0);
    return (int64_t)at.tv_sec * 1000000000 + at.tv_usec * 1000;
}

static inline int64_t by_adjtimex(void)
{
    struct timex timex = {.modes = 0};
    must(adjtimex(&timex), "adjtimex");
    return (int64_t)timex.time.tv_sec * 1000000000 +
           timex.time.tv_usec * ((timex.status & STA_NANO) ? 1 : 1000);
}

static inline int64_t by_clock_adjtime(void)
{
    struct timex timex = {.modes = 0};
    must(clock_adjtime(CLOCK_REALTIME, &timex), "clock_adjtime");
    return (int64_t)timex.time.tv_sec * 1000000000 +
           timex.time.tv_usec * ((timex.status & STA_NANO) ? 1 : 1000);
}

static inline int64_t by_times(void)
{
    struct tms unused;
    return (int64_t)times(&unused) * (1000000000 / sysconf(_SC_CLK_TCK));
}

static inline int64_t proc_uptime(void)
{
    char text[64] = "";
    int fd = open("/proc/uptime", O_RDONLY);
    must(fd, "/proc/uptime");
    must(read(fd, text, sizeof(text) - 1), "/proc/uptime");
    close(fd);
    return (int64_t)(strtod(text, NULL) * 1e9);
}

/* From the directory, and with a flag that says nothing. */
static inline int64_t proc_uptime_at(void)
{
    char text[64] = {0};
    int directory = open("/proc/self", O_PATH | O_DIRECTORY);
    int fd = openat(directory, "../uptime", O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    must(fd, "/proc/uptime");
    must(read(fd, text, sizeof(text) - 1), "/proc/uptime");
    close(fd);
    close(directory);
    return (int64_t)(strtod(text, NULL) * 1e9);
}

/* By one descriptor for ever, as top reads. */
static inline int64_t proc_uptime_kept(void)
{
    static int fd = -1;
    char text[64] = {0};
    if (fd < 0)
        must(fd = open("/proc/uptime", O_RDONLY), "/proc/uptime");
    must(lseek(fd, 0, SEEK_SET), "/proc/uptime");
    must(read(fd, text, sizeof(text) - 1), "/proc/uptime");
    return (int64_t)(strtod(text, NULL) * 1e9);
}

static inline int64_t proc_uptime_pread(void)
{
    static int fd = -1;
    char text[64] = {0};
    if (fd < 0)
        must(fd = fcntl(open("/proc/uptime", O_RDONLY), F_DUPFD, 20), "/proc/uptime");
    must(pread(fd, text, sizeof(text) - 1, 0), "/proc/uptime");
    return (int64_t)(strtod(text, NULL) * 1e9);
}

/* flags: of preadv2; -1: preadv. */
static inline int64_t proc_uptime_vector(int flags)
{
    static int fd = -1;
    char text[64] = {0};
    const struct iovec part = {text, sizeof(text) - 1};
    if (fd < 0)
        must(fd = open("/proc/uptime", O_RDONLY), "/proc/uptime");
    if (flags < 0)
        must(preadv(fd, &part, 1, 0), "preadv of /proc/uptime");
    else if (syscall(SYS_preadv2, fd, &part, 1, 0, 0, flags) < 0)
        absent("preadv2");
    return (int64_t)(strtod(text, NULL) * 1e9);
}

static inline int64_t proc_uptime_preadv(void)
{
    return proc_uptime_vector(-1);
}

static inline int64_t proc_uptime_preadv2(void)
{
    return proc_uptime_vector(0);
}

static inline int64_t proc_uptime_stdio(void)
{
    double seconds = 0;
    FILE *file = fopen("/proc/uptime", "r");
    if (file == NULL || fscanf(file, "%lf", &seconds) != 1)
        broken("/proc/uptime");
    fclose(file);
    return (int64_t)(seconds * 1e9);
}

typedef int clock_function(clockid_t, struct timespec *);

/* The function that the kernel offers, as a program finds it that knows no C library. */
static inline clock_function *find_in_vdso(const char *wanted)
{
    const char *base = (const char *)getauxval(AT_SYSINFO_EHDR);
    if (base == NULL)
        return NULL;
    const Elf64_Ehdr *head = (const void *)base;
    const Elf64_Shdr *sections = (const void *)(base + head->e_shoff);
    for (int i = 0; head->e_shoff != 0 && i < head->e_shnum; i++) {
        if (sections[i].sh_type != SHT_DYNSYM)
            continue;
        const Elf64_Sym *symbols = (const void *)(base + sections[i].sh_offset);
        const char *names = base + sections[sections[i].sh_link].sh_offset;
        for (size_t j = 0; j < sections[i].sh_size / sizeof(*symbols); j++) {
            if (strcmp(names + symbols[j].st_name, wanted) == 0)
                return (clock_function *)(uintptr_t)(base + symbols[j].st_value);
        }
    }
    return NULL;
}

static inline int64_t by_vdso(void)
{
    struct timespec at;
    clock_function *function = find_in_vdso("__vdso_clock_gettime");
    if (function == NULL)
        absent("no vDSO");
    function(CLOCK_MONOTONIC, &at);
    return timespec_ns(at);
}

static inline int64_t tsc(void)
{
#if defined(__x86_64__)
    return (int64_t)__builtin_ia32_rdtsc();
#else
    absent("no TSC");
    return 0;
#endif
}

static inline int64_t tscp(void)
{
#if defined(__x86_64__)
    unsigned cpu;
    return (int64_t)__builtin_ia32_rdtscp(&cpu);
#else
    absent("no TSC");
    return 0;
#endif
}

#endif
