/* SPDX-License-Identifier: MIT */
/* domu_fixture: a domain with two disks, and a Dom0 that has a back end for each. */
#ifndef SPLITDOM_TESTS_UNIT_DOMU_DOMU_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_DOMU_DOMU_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "domu/blkfront/blkfront_private.h"
#include "fakes/fake_disk.h"
#include "fakes/fake_dom0.h"

enum { DEPTH = 8, XVDA = 51712, XVDB = 51728, HANG_S = 60, READS = 200 };

static char base[64];

static struct fake_dom0 *dom0;

static struct domu *domu;

static struct blkfront *disk[2];

static struct domu_error domu_why;

static struct blkfront_error why;

static uint8_t bytes[2][DEPTH][512];

static const struct blkfront_options options[2] = {
    {.size = sizeof(struct blkfront_options),
     .vdev = XVDA,
     .depth = DEPTH,
     .sectors_per_request = 1},
    {.size = sizeof(struct blkfront_options),
     .vdev = XVDB,
     .depth = DEPTH,
     .sectors_per_request = 1},
};

static inline int setup(void **state)
{
    (void)state;
    alarm(HANG_S); /* a thread that waits for ever ends the test */
    dom0 = NULL;
    domu = NULL;
    disk[0] = disk[1] = NULL;
    snprintf(base, sizeof(base), "/tmp/splitdom-domu-XXXXXX");
    return mkdtemp(base) != NULL ? 0 : -1;
}

static inline int teardown(void **state)
{
    (void)state;
    blkfront_close(disk[0]);
    blkfront_close(disk[1]);
    domu_close(domu);
    fake_dom0_stop(dom0);
    alarm(0);
    return rmdir(base);
}

static inline void start(const struct fake_dom0_script *script)
{
    struct fake_dom0_script mine = *script;
    mine.disks = 2;
    dom0 = fake_dom0_start(base, &mine);
    assert_non_null(dom0);
}

static inline void die(void)
{
    fake_dom0_stop(dom0);
    dom0 = NULL;
}

static inline void open_domu(uint32_t pages, bool reconnect)
{
    const struct domu_options wanted = {.size = sizeof(wanted),
                                        .rundir = base,
                                        .name = "fake",
                                        .pages = pages,
                                        .reconnect = reconnect};
    if (domu_open(&wanted, &domu, &domu_why) < 0)
        fail_msg("%s", domu_why.text);
}

static inline void open_disk(uint32_t i)
{
    if (blkfront_open(domu, &options[i], &disk[i], &why) < 0)
        fail_msg("%s", why.text);
}

static inline void open_all(bool reconnect)
{
    open_domu(blkfront_pages(&options[0]) + blkfront_pages(&options[1]), reconnect);
    open_disk(0);
    open_disk(1);
}

static inline void close_disk(uint32_t i)
{
    blkfront_close(disk[i]);
    disk[i] = NULL;
}

static inline void assert_reads(uint32_t i, uint64_t sector)
{
    memset(bytes[i][0], 0, sizeof(bytes[i][0]));
    assert_int_equal(blkfront_read(disk[i], sector, 1, bytes[i][0]), 0);
    assert_true(fake_disk_holds(bytes[i][0], sector, 1));
}

static inline void lie_about_xvdb(struct fake_dom0 *d, const struct blkif_request *req)
{
    if (fake_dom0_vdev(d) == XVDB)
        fake_dom0_respond(d, req->id + 1, req->operation, BLKIF_RSP_OKAY);
    else
        fake_dom0_serve(d, req);
    fake_dom0_flush(d);
}

#endif
