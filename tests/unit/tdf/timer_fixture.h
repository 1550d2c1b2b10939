/* SPDX-License-Identifier: MIT */
/* timer_fixture: timers of two clocks on a source that tests set by hand, and a log of what fired.
 */
#ifndef SPLITDOM_TESTS_UNIT_TDF_TIMER_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_TDF_TIMER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tdf/timer.h"

#define NS_PER_SEC UINT64_C(1000000000)
#define MS         UINT64_C(1000000)
#define START_NS   (1000 * NS_PER_SEC)

enum { LOG_SIZE = 64 };

/* A loop with two clocks on one manual source, and a log of what fired. */
struct fixture {
    struct tdf_source source;
    struct tdf_clock clock, other;
    struct timers timers;
    struct timer_clock member, other_member;
    struct timer timer, second, third;
    struct timer *log[LOG_SIZE];
    size_t fired;
};

static inline void record(struct timer *timer, void *opaque)
{
    struct fixture *f = opaque;

    if (f->fired < LOG_SIZE)
        f->log[f->fired] = timer;
    f->fired++;
}

static inline int setup(void **state)
{
    const struct tdf one = {1, 1};
    struct fixture *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return -1;
    *state = f;
    timers_init(&f->timers);
    if (tdf_source_manual(&f->source, NS_PER_SEC, START_NS, 0) < 0 ||
        tdf_clock_init(&f->clock, &f->source, NULL, 0, one) < 0 ||
        tdf_clock_init(&f->other, &f->source, NULL, 0, one) < 0)
        return -1;
    timers_add_clock(&f->timers, &f->member, &f->clock);
    timers_add_clock(&f->timers, &f->other_member, &f->other);
    timer_init(&f->timer, &f->member, record, f);
    timer_init(&f->second, &f->member, record, f);
    timer_init(&f->third, &f->other_member, record, f);
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    timers_drop_clock(&f->timers, &f->member);
    timers_drop_clock(&f->timers, &f->other_member);
    free(f);
    return 0;
}

#endif
