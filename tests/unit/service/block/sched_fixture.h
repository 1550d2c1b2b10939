/* SPDX-License-Identifier: MIT */
/* sched_fixture: entities of a scheduler whose reads the test begins and ends. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_BLOCK_SCHED_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_BLOCK_SCHED_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/block/sched.h"

enum { W = SCHED_WINDOW_NS };

static inline uint32_t unit_cost(const struct sched_entity *e)
{
    (void)e;
    return 1;
}

static inline void enqueue(struct sched *s, struct sched_entity *e, uint32_t count, uint64_t now_ns)
{
    for (uint32_t i = 0; i < count; i++)
        sched_enqueue(s, e, now_ns);
}

/* One turn of a device that serves one read after the other, with e's backlog kept as it is. */
static inline struct sched_entity *serve(struct sched *s, uint64_t now_ns)
{
    struct sched_entity *e = sched_pick(s, now_ns, unit_cost);

    if (e) {
        sched_complete(s, e, now_ns);
        sched_enqueue(s, e, now_ns);
    }
    return e;
}

#endif
