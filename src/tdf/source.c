/* SPDX-License-Identifier: MIT */
#include "tdf/source.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "ring/barrier.h"
#include "tdf/counter.h"
#include "tdf/rational.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define NS_PER_SEC UINT64_C(1000000000)

enum {
    SAMPLE_TRIES = 5,      /* brackets per sample; the narrowest counts */
    SAMPLE_TRIES_MAX = 40, /* as many again while none is near the narrowest ever */
};

/* The TSC's rate is measured over 8 to 16 s: long enough that some ten ns of noise at each end are
 * a few parts in 10^9, short enough to follow the kernel's steering of CLOCK_MONOTONIC. */
#define RATE_SPAN_NS      (8 * NS_PER_SEC)
#define RATE_NS_LIMIT     (UINT64_C(1) << 34)
#define CALIBRATION_NS    (10 * 1000 * 1000)
#define EXACT_SETTLE_NS   NS_PER_SEC
#define SAMPLED_SETTLE_NS (8 * NS_PER_SEC)

/* The kernel has tried the counter against its other clocks, and gives it up when it goes wrong. */
static bool kernel_keeps_time_by_tsc(void)
{
    char name[32] = "";
    FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");

    /* Hidden, as in some containers: then nothing vouches for the counter. */
    if (file == NULL)
        return false;
    bool read = fgets(name, sizeof(name), file) != NULL;
    fclose(file);
    return read && strcmp(name, COUNTER_CLOCKSOURCE "\n") == 0;
}

/* One rate for ever, whatever the processor's frequency, and readable by this process. */
static bool tsc_is_invariant(void)
{
#if defined(__x86_64__)
    unsigned eax, ebx, ecx, edx;
    const unsigned invariant = 1u << 8;
    int mode = 0;

    if (!__get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) || !(edx & invariant))
        return false;
    /* Where it is forbidden, reading it would be a SIGSEGV. */
    return prctl(PR_GET_TSC, &mode) < 0 || mode == PR_TSC_ENABLE;
#elif defined(__aarch64__)
    return true; /* the architecture demands it, and Linux lets programs read it or reads it for
                    them */
#else
    return false;
#endif
}

/* The narrowest of a few brackets TSC, CLOCK_MONOTONIC, TSC: whatever interrupts a bracket widens
 * it. Gives up on narrowness after SAMPLE_TRIES_MAX rounds: late is better than never. */
static void sample_tsc(struct tdf_source *source, struct tdf_sample *out)
{
    uint64_t best = UINT64_MAX;

    for (int i = 0; i < SAMPLE_TRIES_MAX; i++) {
        uint64_t before = counter_tsc_ordered();
        uint64_t now_ns = clock_monotonic_ns();
        uint64_t width = counter_tsc_ordered() - before;
        if (width < best) {
            best = width;
            out->counter = before + width / 2;
            out->monotonic_ns = now_ns;
        }
        if (i + 1 >= SAMPLE_TRIES && best <= 2 * source->best_width)
            break;
    }
    if (best < source->best_width)
        source->best_width = best;
}

static void set_rate(struct tdf_source *source, uint64_t ticks, uint64_t ns)
{
    while (ns >= RATE_NS_LIMIT) {
        ns >>= 1;
        ticks >>= 1;
    }
    if (ticks == 0) /* it hardly moved in all that time */
        return;
    source->rate_ticks = ticks;
    source->rate_ns = ns;
}

static void refine_rate(struct tdf_source *source, const struct tdf_sample *now)
{
    /* The TSC was set back, as after a suspend to disk: start again, keep the last rate. */
    if (now->counter <= source->newer.counter) {
        source->older = *now;
        source->newer = *now;
        return;
    }
    /* Never measure over less than what the present rate was measured over at first. */
    if (now->monotonic_ns - source->older.monotonic_ns >= CALIBRATION_NS)
        set_rate(source, now->counter - source->older.counter,
                 now->monotonic_ns - source->older.monotonic_ns);
    if (now->monotonic_ns - source->newer.monotonic_ns >= RATE_SPAN_NS) {
        source->older = source->newer;
        source->newer = *now;
    }
}

void tdf_source_monotonic(struct tdf_source *source)
{
    *source = (struct tdf_source){
        .counter = PVCLOCK_COUNTER_MONOTONIC,
        .rate_ticks = NS_PER_SEC,
        .rate_ns = NS_PER_SEC,
        .settle_ns = EXACT_SETTLE_NS,
    };
}

int tdf_source_tsc(struct tdf_source *source)
{
    struct tdf_sample end;
    struct timespec pause = {.tv_nsec = CALIBRATION_NS};

    if (!tsc_is_invariant())
        return -ENOTSUP;
    tdf_source_monotonic(source);
    source->counter = PVCLOCK_COUNTER_TSC;
    source->settle_ns = SAMPLED_SETTLE_NS;
    source->best_width = UINT64_MAX / 2;
    sample_tsc(source, &source->older);
    source->newer = source->older;
    /* Both ends are sampled, so a sleep cut short by a signal costs precision only: the next
     * samples make up for it. */
    do {
        nanosleep(&pause, NULL);
        sample_tsc(source, &end);
    } while (end.monotonic_ns - source->older.monotonic_ns < CALIBRATION_NS);
    refine_rate(source, &end);
    return 0;
}

void tdf_source_real(struct tdf_source *source)
{
    if (!kernel_keeps_time_by_tsc() || tdf_source_tsc(source) < 0)
        tdf_source_monotonic(source);
}

int tdf_source_manual(struct tdf_source *source, uint64_t hz, uint64_t now_ns, uint64_t wall_ns)
{
    if (hz < 1000 || hz > 8 * NS_PER_SEC)
        return -EINVAL;
    *source = (struct tdf_source){
        .counter = PVCLOCK_COUNTER_STEPPED,
        .rate_ticks = hz,
        .rate_ns = NS_PER_SEC,
        .settle_ns = EXACT_SETTLE_NS,
        .manual_hz = hz,
        .manual_wall_ns = wall_ns - now_ns,
    };
    tdf_source_set_ns(source, now_ns);
    return 0;
}

void tdf_source_set_ns(struct tdf_source *source, uint64_t monotonic_ns)
{
    assert(source->counter == PVCLOCK_COUNTER_STEPPED);
    uint64_t ticks = muldiv_up(monotonic_ns, source->manual_hz, NS_PER_SEC);

    store_release_u64(&source->manual_counter, ticks);
}

static uint64_t manual_monotonic_ns(const struct tdf_source *source)
{
    return muldiv_down(load_acquire_u64(&source->manual_counter), NS_PER_SEC, source->manual_hz);
}

void tdf_source_advance_ns(struct tdf_source *source, uint64_t ns)
{
    tdf_source_set_ns(source, manual_monotonic_ns(source) + ns);
}

uint64_t tdf_source_counter(const struct tdf_source *source)
{
    switch (source->counter) {
    case PVCLOCK_COUNTER_TSC:
        return counter_tsc();
    case PVCLOCK_COUNTER_MONOTONIC:
        return clock_monotonic_ns();
    case PVCLOCK_COUNTER_STEPPED:
        break;
    }
    return load_acquire_u64(&source->manual_counter);
}

uint64_t tdf_source_counter_ordered(const struct tdf_source *source)
{
    if (source->counter == PVCLOCK_COUNTER_TSC)
        return counter_tsc_ordered();
    counter_wait_for_stores(); /* clock_gettime comes after loads by itself */
    return tdf_source_counter(source);
}

void tdf_source_sample(struct tdf_source *source, struct tdf_sample *out)
{
    switch (source->counter) {
    case PVCLOCK_COUNTER_TSC:
        sample_tsc(source, out);
        refine_rate(source, out);
        return;
    case PVCLOCK_COUNTER_MONOTONIC:
        out->counter = clock_monotonic_ns();
        out->monotonic_ns = out->counter;
        return;
    case PVCLOCK_COUNTER_STEPPED:
        out->counter = load_acquire_u64(&source->manual_counter);
        out->monotonic_ns = manual_monotonic_ns(source);
        return;
    }
}

uint64_t tdf_source_monotonic_at(const struct tdf_source *source, const struct tdf_sample *sample,
                                 uint64_t counter)
{
    uint64_t ticks = counter - sample->counter;

    if ((int64_t)ticks < 0)
        return sample->monotonic_ns;
    return sample->monotonic_ns + muldiv_down(ticks, source->rate_ns, source->rate_ticks);
}

uint64_t tdf_source_wall_ns(const struct tdf_source *source)
{
    if (source->counter == PVCLOCK_COUNTER_STEPPED)
        return source->manual_wall_ns + manual_monotonic_ns(source);
    return clock_ns(CLOCK_REALTIME);
}
