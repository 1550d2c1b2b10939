/* SPDX-License-Identifier: MIT */
/* blkfront_link_fixture: a disk with reconnect, whose Dom0s the test starts and ends. */
#ifndef SPLITDOM_TESTS_UNIT_DOMU_BLKFRONT_BLKFRONT_LINK_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_DOMU_BLKFRONT_BLKFRONT_LINK_FIXTURE_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "domu/blkfront/blkfront_private.h"
#include "fakes/fake_dom0.h"

enum { DEPTH = 8, HANG_S = 60 };

static const struct blkfront_options options = {.size = sizeof(struct blkfront_options),
                                                .name = "fake",
                                                .depth = DEPTH,
                                                .sectors_per_request = 1,
                                                .reconnect = true};

static char base[64];

static struct fake_dom0 *dom0;

static struct blkfront *bf;

static struct blkfront_error why;

static uint8_t bytes[DEPTH][512];

static inline int setup(void **state)
{
    (void)state;
    alarm(HANG_S); /* a thread that waits for ever ends the test */
    bf = NULL;
    dom0 = NULL;
    snprintf(base, sizeof(base), "/tmp/splitdom-link-XXXXXX");
    return mkdtemp(base) != NULL ? 0 : -1;
}

static inline int teardown(void **state)
{
    (void)state;
    blkfront_close(bf);
    if (dom0 != NULL)
        fake_dom0_stop(dom0);
    alarm(0);
    return rmdir(base);
}

static inline void start(const struct fake_dom0_script *script)
{
    dom0 = fake_dom0_start(base, script);
    assert_non_null(dom0);
}

static inline int dial(bool reconnect)
{
    struct blkfront_options mine = options;
    mine.rundir = base;
    mine.reconnect = reconnect;
    return blkfront_connect(&mine, &bf, &why);
}

static inline void die(void)
{
    fake_dom0_stop(dom0);
    dom0 = NULL;
}

static inline bool is_linking(void)
{
    pthread_mutex_lock(&bf->queue[0].lock);
    bool linking = bf->queue[0].linking;
    pthread_mutex_unlock(&bf->queue[0].lock);
    return linking;
}

static inline void ignore(struct fake_dom0 *d, const struct blkif_request *req)
{
    (void)d;
    (void)req;
}

/* Submits reads of sectors first.. with the buffers from..DEPTH-1. */
static inline void submit(uint32_t from, uint32_t count)
{
    for (uint32_t i = from; i < from + count; i++)
        assert_int_equal(blkfront_submit(bf, 1000 + i, 1, bytes[i], bytes[i]), 0);
}

#endif
