/* SPDX-License-Identifier: MIT */
/* blkfront_call_fixture: a disk in memory, with what Dom0 offers as the test wants it. */
#ifndef SPLITDOM_TESTS_UNIT_DOMU_BLKFRONT_BLKFRONT_CALL_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_DOMU_BLKFRONT_BLKFRONT_CALL_FIXTURE_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "unit/domu/blkfront/scene.h"

enum { SECTORS = 8192, BYTES = SECTORS * 512, HANG_S = 120, KEPT_MAX = 64 };

static uint8_t disk[BYTES], data[BYTES], back[BYTES];

static inline int setup(void **state)
{
    (void)state;
    memset(disk, 0, sizeof(disk));
    for (uint32_t i = 0; i < BYTES; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    return scene_open(HANG_S);
}

static inline void meet(struct fake_dom0_script script, struct blkfront_options options)
{
    struct blkfront_error why;
    script.sectors = SECTORS;
    dom0 = fake_dom0_start(base, &script);
    assert_non_null(dom0);
    options.size = sizeof(options);
    options.rundir = base;
    options.name = "fake";
    if (blkfront_connect(&options, &bf, &why) < 0)
        fail_msg("%s", why.text);
}

/* A copy of the disk, as it is now that all is answered. */
static inline const uint8_t *seen(void)
{
    static uint8_t copy[BYTES];
    fake_dom0_sync(dom0);
    memcpy(copy, disk, sizeof(copy));
    fake_dom0_sync(dom0);
    return copy;
}

static inline void meet_disk(void)
{
    meet((struct fake_dom0_script){.disk = disk}, (struct blkfront_options){.depth = 8});
}

static inline uint64_t requests(void)
{
    struct blkfront_stats stats;
    blkfront_stats(bf, &stats);
    return stats.requests;
}

struct caller {
    pthread_t thread;
    uint32_t sector, count;
    int rc;
};

#endif
