/* SPDX-License-Identifier: MIT */
/* blkfront_fixture: a disk of the client library whose Dom0 a thread of the test plays. Each
 * program that includes this has one. */
#ifndef SPLITDOM_TESTS_UNIT_DOMU_BLKFRONT_BLKFRONT_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_DOMU_BLKFRONT_BLKFRONT_FIXTURE_H

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "fakes/fake_disk.h"
#include "ring/barrier.h"
#include "unit/domu/blkfront/scene.h"
#include "xenstore/server/xs_local.h"

enum { READERS = 12, HANG_S = 60 };

static struct blkfront_error why;

static inline int setup(void **state)
{
    (void)state;
    return scene_open(HANG_S);
}

static inline int dial(const struct fake_dom0_script *script, struct blkfront_options options)
{
    dom0 = fake_dom0_start(base, script);
    assert_non_null(dom0);
    options.size = sizeof(options);
    options.rundir = base;
    options.name = "fake";
    return blkfront_connect(&options, &bf, &why);
}

static inline void connect_to(const struct fake_dom0_script *script,
                              struct blkfront_options options)
{
    int rc = dial(script, options);
    if (rc < 0)
        fail_msg("%s", why.text);
}

static inline int open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

struct reader {
    pthread_t thread;
    uint32_t tid; /* atomic; 0: it has not begun */
    uint32_t id, reads;
    int rc;
    uint32_t bad;
};

static inline void *read_many(void *arg)
{
    struct reader *reader = arg;
    uint8_t bytes[512];
    store_full_u32(&reader->tid, (uint32_t)gettid());
    for (uint32_t i = 0; i < reader->reads; i++) {
        uint64_t sector = (uint64_t)reader->id * 10000 + i;
        reader->rc = blkfront_read(bf, sector, 1, bytes);
        if (reader->rc < 0)
            return NULL;
        if (!fake_disk_holds(bytes, sector, 1))
            reader->bad++;
    }
    return NULL;
}

static inline void start_readers(struct reader *readers, uint32_t count, uint32_t reads)
{
    for (uint32_t i = 0; i < count; i++) {
        readers[i] = (struct reader){.id = i, .reads = reads};
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_many, &readers[i]), 0);
    }
}

/* In the kernel. */
static inline bool is_asleep(const struct reader *reader)
{
    char path[64], state = '?';
    snprintf(path, sizeof(path), "/proc/self/task/%u/stat", load_full_u32(&reader->tid));
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    (void)!fscanf(file, "%*d %*s %c", &state);
    fclose(file);
    return state == 'S';
}

static inline void join_readers(struct reader *readers, uint32_t count, int expected)
{
    for (uint32_t i = 0; i < count; i++)
        pthread_join(readers[i].thread, NULL);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(readers[i].rc, expected);
        assert_int_equal(readers[i].bad, 0);
    }
}

enum lie {
    LIE_UNKNOWN_ID,
    LIE_ANSWERED_TWICE,
    LIE_OPERATION,
    LIE_STATUS,
    LIE_TOO_FAR,
    LIE_BACKWARDS,
    LIES
};

struct liar {
    enum lie lie;
    uint32_t wait_for; /* requests, before it lies */
    uint32_t seen;
};

static inline void lie(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct liar *liar = fake_dom0_ctx(d);
    struct blkif_back_ring *ring = fake_dom0_ring(d);
    if (++liar->seen != liar->wait_for)
        return;
    switch (liar->lie) {
    case LIE_UNKNOWN_ID:
        fake_dom0_respond(d, req->id ^ 1ull << 40, req->operation, BLKIF_RSP_OKAY);
        break;
    case LIE_ANSWERED_TWICE:
        fake_dom0_respond(d, req->id, req->operation, BLKIF_RSP_OKAY);
        fake_dom0_respond(d, req->id, req->operation, BLKIF_RSP_OKAY);
        break;
    case LIE_OPERATION:
        fake_dom0_respond(d, req->id, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
        break;
    case LIE_STATUS:
        fake_dom0_respond(d, req->id, req->operation, 1);
        break;
    case LIE_TOO_FAR:
        ring->half.rsp_prod_pvt = ring->half.req_cons + 1;
        break;
    case LIE_BACKWARDS:
        ring->half.rsp_prod_pvt = ring->half.rsp_prod - 1;
        break;
    case LIES:
        break;
    }
    fake_dom0_flush(d);
}

struct quiet_liar {
    uint32_t seen; /* atomic */
};

static inline void wait_until_seen(struct quiet_liar *liar, uint32_t count)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    while (load_full_u32(&liar->seen) < count)
        nanosleep(&pause, NULL);
}

static inline void ignore(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct quiet_liar *counter = fake_dom0_ctx(d);
    (void)req;
    store_full_u32(&counter->seen, load_full_u32(&counter->seen) + 1);
}

#define FRONT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
