/* SPDX-License-Identifier: MIT */
/* turns_fixture: ports that take turns. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_NET_TURNS_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_NET_TURNS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net_fixture.h"
#include "service/net/turns.h"

static struct fixture_port ports[8];
static struct net_turns turns;

static inline void begin(uint32_t count)
{
    turns = (struct net_turns){.now = UINT64_MAX - 1000}; /* which goes round */
    turns.ready.origin = turns.now;
    for (uint32_t i = 0; i < count; i++) {
        fixture_init(&ports[i], "vif", 256);
        net_turns_add(&turns, &ports[i].port);
        ports[i].left = UINT64_MAX;
    }
}

static inline void run_bytes(uint64_t bytes)
{
    for (uint64_t taken = 0; taken < bytes;)
        taken += net_turns_run(&turns);
}

#endif
