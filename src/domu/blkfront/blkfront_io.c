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

void blkfront_show_hits(struct blkfront *bf)
{
    const struct blkfront_completion *hit;
    hit_queue_tell(&bf->hits, blkfront_now_ns(bf));
    while ((hit = hit_queue_first(&bf->hits)) != NULL) {
        bf->async_pending++;
        blkfront_finish_async(bf, hit);
        hit_queue_drop_first(&bf->hits);
    }
}

/* With the lock held; there is room for one more. */
static void start(struct blkfront *bf, const struct blkfront_io *io, uint64_t now_ns)
{
    bf->async_pending++;
    /* Each request that is admitted has a place in done[]; pairs with finish_async. */
    assert(bf->async_pending + bf->done_count <= bf->depth);
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

/* It needs no slot of the ring, and is finished at once. */
static void take_hit(struct blkfront *bf, const struct blkfront_io *io, uint64_t now_ns)
{
    struct wake_batch wakes;
    wakes.count = 0;
    hit_queue_add(&bf->hits, io, now_ns);
    bf->unreaped++;
    if (bf->ready_fd < 0)
        return;
    pthread_mutex_lock(&bf->lock);
    blkfront_show_hits(bf);
    blkfront_unlock(bf, &wakes);
}

/* When a request is submitted. It tells of the last hit's end, too, if that is to be told. */
static uint64_t submission_ns(struct blkfront *bf)
{
    if (!bf->hits.is_open)
        return blkfront_begin_ns(bf);
    uint64_t now_ns = blkfront_now_ns(bf);
    hit_queue_tell(&bf->hits, now_ns);
    return now_ns;
}

static int submit(struct blkfront *bf, const struct blkfront_io *io)
{
    struct wake_batch wakes;
    wakes.count = 0;
    int rc = check_io(bf, io);
    if (rc < 0)
        return rc;
    uint64_t now_ns = submission_ns(bf);
    bool has_room = bf->unreaped < bf->depth;
    if (has_room && blkfront_hits_view(bf, io)) {
        take_hit(bf, io, now_ns);
        return 0;
    }
    pthread_mutex_lock(&bf->lock);
    rc = bf->failed;
    if (rc == 0 && !has_room)
        rc = -EAGAIN;
    if (rc == 0) {
        bf->unreaped++;
        /* Dom0 reckons with a stamp, so that must not precede what we have been told of. */
        start(bf, io, bf->stamped ? blkfront_now_ns(bf) : now_ns);
    }
    blkfront_unlock(bf, &wakes);
    return rc;
}

int blkfront_submit_io(struct blkfront *bf, const struct blkfront_io *given)
{
    if (blkfront_has_data(given->operation))
        return submit(bf, given);
    struct blkfront_io io = *given;
    io.iov_count = 0;
    if (io.operation == BLKFRONT_FLUSH)
        io.sector = io.sector_count = 0;
    return submit(bf, &io);
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

static uint32_t take_hits(struct blkfront *bf, struct blkfront_completion *out, uint32_t max)
{
    uint32_t count = bf->hits.count < max ? bf->hits.count : max;
    for (uint32_t i = 0; i < count; i++) {
        out[i] = *hit_queue_first(&bf->hits);
        hit_queue_drop_first(&bf->hits);
    }
    bf->unreaped -= count;
    return count;
}

/* With the lock held: hits and those that Dom0 has answered, in order of completion. */
static uint32_t take_done(struct blkfront *bf, struct blkfront_completion *out, uint32_t max)
{
    uint32_t count = 0, hits = 0;
    while (count + hits < max && bf->done_count > 0) {
        const struct blkfront_completion *done = &bf->done[bf->done_head];
        const struct blkfront_completion *hit = hit_queue_first(&bf->hits);
        if (hit != NULL && hit->completed_ns <= done->completed_ns) {
            hits += take_hits(bf, &out[count + hits], 1);
            continue;
        }
        out[count + hits] = *done;
        bf->done_head = (bf->done_head + 1) % bf->depth;
        bf->done_count--;
        count++;
    }
    bf->unreaped -= count;
    return count + hits + take_hits(bf, &out[count + hits], max - count - hits);
}

/* With the lock held: is there something to wait for, for one who wants min finished requests? */
static bool must_wait(const struct blkfront *bf, uint32_t min)
{
    return bf->done_count + bf->hits.count < min && bf->failed == 0 && bf->async_pending > 0;
}

int blkfront_reap(struct blkfront *bf, struct blkfront_completion *out, uint32_t max, uint32_t min)
{
    struct read_waiter waiter = {.word = WAITER_AWAKE, .any = true};
    struct wake_batch wakes;
    wakes.count = 0;
    if (min > max)
        return -EINVAL;
    if (bf->hits.is_open)
        hit_queue_tell(&bf->hits, blkfront_now_ns(bf));
    if (bf->hits.count > 0 && bf->hits.count == bf->unreaped) /* there are no others */
        return (int)take_hits(bf, out, max);
    pthread_mutex_lock(&bf->lock);
    if (bf->failed == 0 && !bf->linking)
        blkfront_push(bf);
    (void)blkfront_reap_ring(bf, &wakes);
    uint32_t spin_ns = must_wait(bf, min) ? blkfront_may_spin(bf) : 0;
    if (spin_ns > 0) {
        const struct spin_target oldest = {.request_index = bf->ring.half.rsp_cons};
        blkfront_unlock(bf, &wakes);
        blkfront_spin(bf, &waiter, &oldest, spin_ns, &wakes);
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
