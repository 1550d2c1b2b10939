/* SPDX-License-Identifier: MIT */
/*
 * scene: a disk of the client library, bf, and a Dom0 that a thread of the test plays, below a
 * directory, base. A thread that waits for ever ends the test.
 */
#ifndef SPLITDOM_TESTS_UNIT_DOMU_BLKFRONT_SCENE_H
#define SPLITDOM_TESTS_UNIT_DOMU_BLKFRONT_SCENE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fakes/fake_dom0.h"
#include "splitdom/blkfront.h"

static char base[64];
static struct fake_dom0 *dom0;
static struct blkfront *bf;

/* Returns 0, or -1. */
static inline int scene_open(unsigned hang_s)
{
    alarm(hang_s);
    bf = NULL;
    dom0 = NULL;
    snprintf(base, sizeof(base), "/tmp/splitdom-blkfront-XXXXXX");
    return mkdtemp(base) != NULL ? 0 : -1;
}

/* The disk and Dom0 end; others may take their place. */
static inline void part(void)
{
    blkfront_close(bf);
    fake_dom0_stop(dom0);
    bf = NULL;
    dom0 = NULL;
}

/* A fixture's end, for cmocka. */
static inline int teardown(void **state)
{
    (void)state;
    part();
    alarm(0);
    return rmdir(base);
}

#endif
