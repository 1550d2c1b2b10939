/* SPDX-License-Identifier: MIT */
/* abandon_fixture: a disk whose Dom0 keeps its answers until it is told to give them. */
#ifndef SPLITDOM_TESTS_UNIT_DOMU_BLKFRONT_ABANDON_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_DOMU_BLKFRONT_ABANDON_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "domu/blkfront/blkfront_private.h"
#include "unit/domu/blkfront/scene.h"

#define MS UINT64_C(1000000)

enum { DEPTH = 32, READERS = 40, HANG_S = 60, UNTOUCHED = 0xa5 };

/* A Dom0 that keeps all requests until it is told to answer them. */
struct keeper {
    struct blkif_request kept[DEPTH];
    uint32_t count;    /* atomic */
    uint32_t answers;  /* atomic: it does */
    uint32_t answered; /* atomic: how many */
};

static struct keeper keeper; /* the thread of Dom0 outlives the test's function */
static uint8_t bytes[READERS][512];

static inline int setup(void **state)
{
    (void)state;
    keeper = (struct keeper){.count = 0};
    memset(bytes, UNTOUCHED, sizeof(bytes));
    return scene_open(HANG_S);
}

static inline void keep(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct keeper *k = fake_dom0_ctx(d);
    uint32_t count = load_full_u32(&k->count);
    k->kept[count] = *req;
    store_full_u32(&k->count, count + 1);
}

static inline void answer_kept(struct fake_dom0 *d)
{
    struct keeper *k = fake_dom0_ctx(d);
    uint32_t count = load_full_u32(&k->count);
    if (load_full_u32(&k->answers) == 0)
        return;
    store_full_u32(&k->count, 0);
    for (uint32_t i = count; i-- > 0;)
        fake_dom0_serve(d, &k->kept[i]);
    store_full_u32(&k->answered, load_full_u32(&k->answered) + count);
}

static inline void start(void)
{
    dom0 = fake_dom0_start(
        base, &(struct fake_dom0_script){.request = keep, .idle = answer_kept, .ctx = &keeper});
    assert_non_null(dom0);
}

static inline void connect_as(uint64_t timeout_ns, bool reconnect)
{
    struct blkfront_error why;
    struct blkfront_options options = {.size = sizeof(options),
                                       .rundir = base,
                                       .name = "fake",
                                       .depth = DEPTH,
                                       .sectors_per_request = 1,
                                       .reconnect = reconnect,
                                       .timeout_ns = timeout_ns};
    start();
    if (blkfront_connect(&options, &bf, &why) < 0)
        fail_msg("%s", why.text);
}

static inline void connect_to(uint64_t timeout_ns)
{
    connect_as(timeout_ns, true);
}

static inline void let_it_answer(void)
{
    store_full_u32(&keeper.answers, 1);
    fake_dom0_wake(dom0);
}

/* Until all that were abandoned are answered, too. */
static inline void take_all_answers(void)
{
    struct blkfront_completion none;
    while (bf->queue[0].shadow.free_count < DEPTH)
        assert_int_equal(blkfront_reap(bf, &none, 0, 0), 0);
}

static inline bool is_untouched(const uint8_t *buffer)
{
    for (uint32_t i = 0; i < 512; i++) {
        if (buffer[i] != UNTOUCHED)
            return false;
    }
    return true;
}

#endif
