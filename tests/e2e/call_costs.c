/* SPDX-License-Identifier: MIT */
/*
 * call_costs: what a reading of the clock costs, and a system call that needs no mediation, by the
 * TSC, which is not dilated: the least of many batches, as neighbours only ever add. Prints both
 * in hundredths of a tick.
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { BATCHES = 400, CALLS = 1000 };

static uint64_t read_clock(void)
{
    struct timespec ts;
    const uint64_t from = __builtin_ia32_rdtsc();

    for (unsigned i = 0; i < CALLS; i++)
        clock_gettime(CLOCK_MONOTONIC, &ts);
    return __builtin_ia32_rdtsc() - from;
}

static uint64_t make_calls(void)
{
    const uint64_t from = __builtin_ia32_rdtsc();

    for (unsigned i = 0; i < CALLS; i++)
        syscall(SYS_getppid);
    return __builtin_ia32_rdtsc() - from;
}

int main(void)
{
    uint64_t reading = UINT64_MAX, call = UINT64_MAX;

    for (unsigned i = 0; i < BATCHES; i++) {
        const uint64_t a = read_clock(), b = make_calls();
        reading = a < reading ? a : reading;
        call = b < call ? b : call;
    }
    printf("%llu %llu\n", (unsigned long long)reading * 100 / CALLS,
           (unsigned long long)call * 100 / CALLS);
    return 0;
}
