/* SPDX-License-Identifier: MIT */
/* blkfront_io: the asynchronous calls: submit, kick, reap. */
#include <assert.h>
#include <errno.h>

#include "domu/blkfront/blkfront_private.h"
#include "domu/blkfront/iov.h"
#include "domu/blkfront/transfer.h"

static int check_io(struct blkfront *bf, const struct blkfront_io *io)
{
    uint64_t bytes, wanted;
    int rc = blkfront_check(bf, io->operation, io->sector, io->sector_count);
    if (rc < 0 || io->iov_count == 0 || !blkfront_has_data(io->operation))
        return rc;
    rc = iov_bytes(io->iov, io->iov_count, &bytes);
    if (rc == 0 && __builtin_mul_overflow(io->sector_count, (uint64_t)BLKIF_SECTOR_SIZE, &wanted))
        rc = -EINVAL;
    return rc == 0 && bytes != wanted ? -EINVAL : rc;
}

/* With the lock held; there is room for one more. */
static void start(struct blkfront *bf, const struct blkfront_io *io, uint64_t now_ns)
{
    bf->async_pending++;
    /* Each request that is admitted has a place in done[]; pairs with finish_async. */
    assert(bf->async_pending + bf->done_count <= bf->depth);
    if (blkfront_hits_view(bf, io)) { /* it needs no slot of the ring, and is finished at once */
        blkfront_finish_async(bf,
                              &(struct blkfront_completion){.sector = io->sector,
                                                            .sector_count = io->sector_count,
                                                            .operation = io->operation,
                                                            .buffer = io->buffer,
                                                            .cookie = io->cookie,
                                                            .submitted_ns = now_ns,
                                                            .completed_ns = blkfront_now_ns(bf)});
        return;
    }
    bool whole = io->iov_count == 0 && blkfront_fits(bf, io->operation, io->sector_count);
    struct shadow_entry *entry = whole ? shadow_take(&bf->shadow) : NULL;
    if (entry == NULL) {
        transfer_start(bf, transfer_find_free(bf), io, NULL, now_ns);
        return;
    }
    blkfront_fill_entry(entry, io->operation, io->sector, io->sector_count, io->buffer);
    entry->transfer = NULL;
    entry->waiter = NULL;
    entry->cookie = io->cookie;
    entry->submitted_ns = now_ns;
    (void)blkfront_ask(bf, entry, now_ns);
}

int blkfront_submit_io(struct blkfront *bf, const struct blkfront_io *given)
{
    struct blkfront_io io = *given;
    struct wake_batch wakes;
    wakes.count = 0;
    if (!blkfront_has_data(io.operation))
        io.iov_count = 0;
    if (io.operation == BLKFRONT_FLUSH)
        io.sector = io.sector_count = 0;
    int rc = check_io(bf, &io);
    if (rc < 0)
        return rc;
    uint64_t now_ns = blkfront_now_ns(bf);
    pthread_mutex_lock(&bf->lock);
    rc = bf->failed;
    /* What is finished and not reaped yet counts: the queue of the finished has depth places. */
    if (rc == 0 && bf->async_pending + bf->done_count >= bf->depth)
        rc = -EAGAIN;
    if (rc == 0)
        start(bf, &io, now_ns);
    blkfront_unlock(bf, &wakes);
    return rc;
}

int blkfront_submit(struct blkfront *bf, uint64_t sector, uint32_t sector_count, void *buffer,
                    void *cookie)
{
    return blkfront_submit_io(bf, &(struct blkfront_io){.operation = BLKFRONT_READ,
                                                        .sector = sector,
                                                        .sector_count = sector_count,
                                                        .buffer = buffer,
                                                        .cookie = cookie});
}

int blkfront_kick(struct blkfront *bf)
{
    struct wake_batch wakes;
    wakes.count = 0;
    pthread_mutex_lock(&bf->lock);
    int rc = bf->failed;
    if (rc == 0 && !bf->linking)
        blkfront_push(bf);
    blkfront_unlock(bf, &wakes);
    return rc;
}

static uint32_t take_done(struct blkfront *bf, struct blkfront_completion *out, uint32_t max)
{
    uint32_t count = bf->done_count < max ? bf->done_count : max;
    for (uint32_t i = 0; i < count; i++) {
        out[i] = bf->done[bf->done_head];
        bf->done_head = (bf->done_head + 1) % bf->depth;
    }
    bf->done_count -= count;
    return count;
}

/* With the lock held: is there something to wait for, for one who wants min finished requests? */
static bool must_wait(const struct blkfront *bf, uint32_t min)
{
    return bf->done_count < min && bf->failed == 0 && bf->async_pending > 0;
}

int blkfront_reap(struct blkfront *bf, struct blkfront_completion *out, uint32_t max, uint32_t min)
{
    struct read_waiter waiter = {.word = WAITER_AWAKE, .any = true};
    struct wake_batch wakes;
    wakes.count = 0;
    if (min > max)
        return -EINVAL;
    pthread_mutex_lock(&bf->lock);
    if (bf->failed == 0 && !bf->linking)
        blkfront_push(bf);
    (void)blkfront_reap_ring(bf, &wakes);
    uint32_t spin_ns = must_wait(bf, min) ? blkfront_may_spin(bf) : 0;
    if (spin_ns > 0) {
        uint32_t oldest = bf->ring.half.rsp_cons;
        blkfront_unlock(bf, &wakes);
        blkfront_spin(bf, &waiter, oldest, spin_ns, &wakes);
    }
    while (must_wait(bf, min)) {
        (void)blkfront_wait_step(bf, &waiter, &wakes);
        (void)blkfront_reap_ring(bf, &wakes);
    }
    blkfront_unlist(bf, &waiter);
    int count = (int)take_done(bf, out, max);
    if (count == 0 && bf->failed != 0)
        count = bf->failed;
    blkfront_unlock(bf, &wakes);
    return count;
}
