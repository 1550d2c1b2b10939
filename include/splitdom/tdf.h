/* SPDX-License-Identifier: MIT */
/*
 * tdf: the time dilation factor of a domain's clock.
 *
 *     TDF = real time / perceived time        (Gupta et al., "To Infinity and Beyond", NSDI'06)
 *
 * Under TDF 10 ten real seconds pass while the domain's clock shows one, so disks and peers look
 * ten times faster to it. Under TDF 1/10 the domain's clock runs ten times faster than real time.
 * (The web page of SELENA, ANCS'14, states the reciprocal.) TDF 0 is no rate but a state: the clock
 * is paused and its time stands still.
 *
 * Thread rules: pure functions, any thread.
 */
#ifndef SPLITDOM_TDF_H
#define SPLITDOM_TDF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A rational in lowest terms. num == 0 means paused (then den is 1). */
struct tdf {
    uint32_t num;
    uint32_t den;
};

enum {
    TDF_LIMIT = 1000,          /* a running clock has 1/TDF_LIMIT <= TDF <= TDF_LIMIT */
    TDF_TERM_MAX = 1000000000, /* bound on num and den: see rational.h for what relies on it */
    TDF_TEXT_SIZE = 24,        /* enough for any formatted TDF and its terminating zero */
};

/*
 * What tsc_timestamp of a vcpu_time_info counts. Xen leaves pad1[] zero; the first of the two bytes
 * tells which counter the reader must subtract it from. Zero is Xen's own meaning, so a stock
 * pvclock reader works wherever the TSC is in use.
 */
enum pvclock_counter {
    PVCLOCK_COUNTER_TSC = 0,       /* the processor's: on aarch64, cntvct_el0 */
    PVCLOCK_COUNTER_MONOTONIC = 1, /* CLOCK_MONOTONIC in nanoseconds */
    PVCLOCK_COUNTER_STEPPED = 2,   /* moved by hand in Dom0: the time is system_time until the next
                                    * update, whatever the real clocks do */
};

/*
 * What pad0 of vCPU 0's vcpu_time_info tells, which Xen leaves zero, in 1/4096 and rounded up: how
 * many times slower than by this line the clock is about to run. Zero: nothing is announced.
 */
enum { PVCLOCK_SLOWER_UNIT = 4096 };
#define PVCLOCK_STANDSTILL UINT32_MAX /* it is about to be paused */

/* Bits of vcpu_time_info.flags, as Xen defines them. */
enum {
    PVCLOCK_TSC_STABLE = 1 << 0, /* one line for all vCPUs: no maximum over vCPUs is needed */
    PVCLOCK_GUEST_STOPPED = 1 << 1,
};

/*
 * Reads "10", "1/100", "2.5" or "0" (paused) and reduces it. Digits only: no sign, no exponent, no
 * white space. *out is written on success only.
 * -EINVAL: not of that form, or a zero denominator. -ERANGE: outside 1/1000..1000, or too many
 * digits for struct tdf.
 */
int tdf_parse(const char *text, struct tdf *out);

/* Writes the shortest of the forms above that tdf_parse reads back as the same value; cut off like
 * snprintf if size is below TDF_TEXT_SIZE. */
void tdf_format(struct tdf tdf, char *buf, size_t size);

/* 0 if a clock can run at (or be paused by) this factor; else -EINVAL (den 0) or -ERANGE. */
int tdf_check(struct tdf tdf);

#endif
