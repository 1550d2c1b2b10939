/* SPDX-License-Identifier: MIT */
/* clock_fixture: a domain's clock, shown in a shared page, on a source that tests set by hand. */
#ifndef SPLITDOM_TESTS_UNIT_TDF_CLOCK_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_TDF_CLOCK_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tdf/clock.h"
#include "tdf/pvclock.h"

#define NS_PER_SEC UINT64_C(1000000000)
#define START_NS   (1000 * NS_PER_SEC)
#define WALL_NS    (UINT64_C(1700000000) * NS_PER_SEC)

static const struct tdf factors[] = {{1, 1000}, {1, 7}, {1, 1}, {5, 2}, {10, 1}, {1000, 1}};
enum { NR_FACTORS = sizeof(factors) / sizeof(factors[0]) };

struct fixture {
    struct tdf_source source;
    struct tdf_clock clock;
    struct shared_info shared;
};

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return -1;
    *state = f;
    return tdf_source_manual(&f->source, NS_PER_SEC, START_NS, WALL_NS);
}

static inline int teardown(void **state)
{
    free(*state);
    return 0;
}

static inline void start(struct fixture *f, struct tdf tdf)
{
    assert_int_equal(tdf_clock_init(&f->clock, &f->source, &f->shared, 1, tdf), 0);
}

#endif
