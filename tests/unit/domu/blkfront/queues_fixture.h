/* SPDX-License-Identifier: MIT */
/* queues_fixture: a disk with several rings, a Dom0 that notes who was asked, threads that read. */
#ifndef SPLITDOM_TESTS_UNIT_DOMU_BLKFRONT_QUEUES_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_DOMU_BLKFRONT_QUEUES_FIXTURE_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
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
#include "ring/barrier.h"

enum { DEPTH = 4, THREADS = 12, HANG_S = 60 };

static char base[64];
static struct fake_dom0 *dom0;
static struct blkfront *bf;
static struct blkfront_error why;
static uint32_t asked[FAKE_DOM0_QUEUES_MAX]; /* requests by queue; atomic */
static pthread_t threads[THREADS];
static uint8_t bytes[THREADS][64 * 512];

static inline int setup(void **state)
{
    (void)state;
    alarm(HANG_S); /* a thread that waits for ever ends the test */
    bf = NULL;
    dom0 = NULL;
    memset(asked, 0, sizeof(asked));
    snprintf(base, sizeof(base), "/tmp/splitdom-queues-XXXXXX");
    return mkdtemp(base) != NULL ? 0 : -1;
}

static inline void stop(void)
{
    if (dom0 != NULL)
        fake_dom0_stop(dom0);
    dom0 = NULL;
}

static inline int teardown(void **state)
{
    (void)state;
    blkfront_close(bf);
    stop();
    alarm(0);
    return rmdir(base);
}

static inline void note(struct fake_dom0 *d)
{
    (void)fetch_add_relaxed_u32(&asked[fake_dom0_queue(d)], 1);
}

static inline void serve_and_note(struct fake_dom0 *d, const struct blkif_request *req)
{
    note(d);
    fake_dom0_serve(d, req);
}

static inline void keep(struct fake_dom0 *d, const struct blkif_request *req)
{
    (void)req;
    note(d);
}

static inline void start(uint32_t queues,
                         void (*request)(struct fake_dom0 *, const struct blkif_request *))
{
    dom0 = fake_dom0_start(base, &(struct fake_dom0_script){.queues = queues, .request = request});
    assert_non_null(dom0);
}

static inline int dial(struct blkfront_options mine)
{
    mine.size = sizeof(mine);
    mine.rundir = base;
    mine.name = "fake";
    mine.depth = DEPTH;
    return blkfront_connect(&mine, &bf, &why);
}

static inline void open_with(struct blkfront_options mine)
{
    if (dial(mine) < 0)
        fail_msg("%s", why.text);
}

struct reader {
    uint32_t index, reads;
    uint32_t sectors;
    int status;
};

static struct reader readers[THREADS];

static inline void *read_some(void *arg)
{
    struct reader *reader = arg;
    for (uint32_t i = 0; i < reader->reads && reader->status == 0; i++) {
        uint64_t sector = 1000 * (uint64_t)reader->index + i;
        reader->status = blkfront_read(bf, sector, reader->sectors, bytes[reader->index]);
        if (reader->status == 0 && !fake_disk_holds(bytes[reader->index], sector, reader->sectors))
            reader->status = -EILSEQ;
    }
    return NULL;
}

/* One after the other has come to the disk when this returns, if they read once: with kept set each
 * waits for its answer by then. */
static inline void begin(uint32_t count, uint32_t reads, uint32_t sectors, bool kept)
{
    for (uint32_t i = 0; i < count; i++) {
        readers[i] = (struct reader){.index = i, .reads = reads, .sectors = sectors};
        assert_int_equal(pthread_create(&threads[i], NULL, read_some, &readers[i]), 0);
        uint32_t came = 0;
        while (kept && came <= i) {
            sched_yield();
            came = 0;
            for (uint32_t k = 0; k < FAKE_DOM0_QUEUES_MAX; k++)
                came += load_full_u32(&asked[k]);
        }
    }
}

static inline void end(uint32_t count, int status)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(readers[i].status, status);
    }
}

static inline void expect_asked(const uint32_t *expected, uint32_t count)
{
    for (uint32_t i = 0; i < FAKE_DOM0_QUEUES_MAX; i++)
        assert_int_equal(load_full_u32(&asked[i]), i < count ? expected[i] : 0);
}

static inline void expect_first_alone(void)
{
    expect_asked((const uint32_t[]){load_full_u32(&asked[0])}, 1);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
