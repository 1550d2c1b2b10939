/* SPDX-License-Identifier: MIT */
/* evtchn_fixture: a shared_info, and what is collected from it. */
#ifndef SPLITDOM_TESTS_UNIT_RING_EVTCHN_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_RING_EVTCHN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#include <cmocka.h>

enum { WAIT_LIMIT_MS = 30000, NR_PORTS_MAX = 64 };

static inline int setup(void **state)
{
    *state = calloc(1, 4096);
    return *state == NULL ? -1 : 0;
}

static inline int teardown(void **state)
{
    free(*state);
    return 0;
}

#endif
