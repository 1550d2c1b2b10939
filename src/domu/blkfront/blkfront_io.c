/* SPDX-License-Identifier: MIT */
/* blkfront_io: the asynchronous calls: submit, kick, reap. */
#include <assert.h>
#include <errno.h>

#include "domu/blkfront/blkfront_private.h"
#include "domu/blkfront/blkfront_traced.h"
#include "domu/blkfront/iov.h"
#include "domu/blkfront/transfer.h"
#include "domu/cancel_hold.h"

static int check_other(struct blkfront *bf, const struct blkfront_io *io)
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

/* Mostly a read into one buffer. */
static inline int check_io(struct blkfront *bf, const struct blkfront_io *io)
{
    if (io->operation != BLKFRONT_READ || io->iov_count != 0)
        return check_other(bf, io);
    return blkfront_has_sectors(bf, io->sector, io->sector_count) ? 0 : -EINVAL;
}

void blkfront_show_hits(struct blkfront_queue *queue)
{
    const struct blkfront_completion *hit;
    hit_queue_tell(&queue->bf->hits, blkfront_now_ns(queue->bf));
    while ((hit = hit_queue_first(&queue->bf->hits)) != NULL) {
        queue->async_pending++;
        blkfront_finish_async(queue, hit);
        hit_queue_drop_first(&queue->bf->hits);
    }
}

/* With the lock held; there is room for one more. */
static void start(struct blkfront_queue *queue, const struct blkfront_io *io, uint64_t now_ns,
                  uint64_t submitted_ns)
{
    queue->async_pending++;
    /* Each request that is admitted has a place in done[]; pairs with blkfront_finish_async. */
    assert(queue->async_pending + queue->done_count <= queue->depth);
    bool whole = io->iov_count == 0 && blkfront_fits(queue->bf, io->operation, io->sector_count);
    struct shadow_entry *entry = whole ? shadow_take(&queue->shadow) : NULL;
    if (entry == NULL) {
        transfer_start(queue, transfer_find_free(queue), io, NULL, now_ns);
        return;
    }
    blkfront_fill_entry(entry, io->operation, io->sector, io->sector_count, io->buffer);
    entry->transfer = NULL;
    entry->waiter = NULL;
    entry->cookie = io->cookie;
    entry->submitted_ns = now_ns;
    blkfront_trace_submit(queue, entry, submitted_ns);
    (void)blkfront_ask(queue, entry, now_ns);
}

/* When requests are submitted. It tells of the last hits' end, too, if that is to be told. */
static uint64_t submission_ns(struct blkfront_queue *queue)
{
    if (queue->bf->hits.open == 0)
        return blkfront_begin_ns(queue->bf);
    uint64_t now_ns = blkfront_now_ns(queue->bf);
    hit_queue_tell(&queue->bf->hits, now_ns);
    return now_ns;
}

static int ask_dom0(struct blkfront_queue *queue, const struct blkfront_io *io, uint64_t now_ns,
                    uint64_t looked_ns)
{
    CANCEL_HOLD();
    struct wake_batch wakes;
    wakes.count = 0;
    uint64_t submitted_ns = looked_ns != 0 ? looked_ns : blkfront_trace_begin_ns(queue);
    pthread_mutex_lock(&queue->lock);
    int rc = queue->failed;
    if (rc == 0 && queue->bf->unreaped >= queue->depth)
        rc = -EAGAIN;
    if (rc == 0) {
        queue->bf->unreaped++;
        /* Dom0 reckons with a stamp, so that must not precede what we have been told of. */
        start(queue, io, queue->stamped ? blkfront_now_ns(queue->bf) : now_ns, submitted_ns);
    }
    blkfront_unlock(queue, &wakes);
    return rc;
}

/* A hit needs no slot of the ring, and is finished at once. */
static inline int submit_at(struct blkfront_queue *queue, const struct blkfront_io *io, uint32_t at,
                            uint64_t now_ns)
{
    struct blkfront *bf = queue->bf;
    uint64_t looked_ns = 0;
    if (bf->unreaped >= queue->depth || !blkfront_look(bf, io, at, &looked_ns))
        return ask_dom0(queue, io, now_ns, looked_ns);
    hit_queue_add(&bf->hits, io, now_ns);
    bf->unreaped++;
    return 0;
}

/* Whoever polls is to see them. */
__attribute__((cold, noinline)) static void show_hits(struct blkfront_queue *queue)
{
    CANCEL_HOLD();
    struct wake_batch wakes;
    wakes.count = 0;
    pthread_mutex_lock(&queue->lock);
    blkfront_show_hits(queue);
    blkfront_unlock(queue, &wakes);
}

/* What is asked of a request without data beside its sectors. */
static struct blkfront_io without_data(const struct blkfront_io *given)
{
    struct blkfront_io io = *given;
    io.iov_count = 0;
    if (io.operation == BLKFRONT_FLUSH)
        io.sector = io.sector_count = 0;
    return io;
}

static inline int submit(struct blkfront *bf, const struct blkfront_io *ios, uint32_t count)
{
    struct blkfront_queue *queue = &bf->queue[0];
    uint32_t done = 0, at = CACHE_VIEW_ANYWHERE;
    int rc = count > 0 ? check_io(bf, &ios[0]) : 0;
    if (rc < 0 || count == 0)
        return rc;
    uint64_t now_ns = submission_ns(queue);
    do {
        const struct blkfront_io *io = &ios[done];
        struct blkfront_io bare;
        /* While this one's data are copied, the next ones' are fetched. */
        uint32_t next_at = blkfront_view_expect(bf, io + 1, count - done - 1);
        if (__builtin_expect(!blkfront_has_data(io->operation), false)) {
            bare = without_data(io);
            io = &bare;
        }
        rc = submit_at(queue, io, at, now_ns);
        at = next_at;
        done += rc == 0;
    } while (rc == 0 && done < count && (rc = check_io(bf, &ios[done])) == 0);
    if (queue->ready_fd >= 0 && bf->hits.count > 0)
        show_hits(queue);
    return done > 0 ? (int)done : rc;
}

int blkfront_submit_io(struct blkfront *bf, const struct blkfront_io *io)
{
    int rc = submit(bf, io, 1);
    return rc < 0 ? rc : 0;
}

int blkfront_submit_many(struct blkfront *bf, const struct blkfront_io *ios, uint32_t count)
{
    return submit(bf, ios, count);
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
    CANCEL_HOLD();
    struct blkfront_queue *queue = &bf->queue[0];
    struct wake_batch wakes;
    wakes.count = 0;
    pthread_mutex_lock(&queue->lock);
    int rc = queue->failed;
    if (rc == 0 && !queue->linking)
        blkfront_push(queue);
    blkfront_unlock(queue, &wakes);
    return rc;
}

static uint32_t take_hits(struct blkfront_queue *queue, struct blkfront_completion *out,
                          uint32_t max)
{
    uint32_t count = hit_queue_take(&queue->bf->hits, out, max);
    queue->bf->unreaped -= count;
    return count;
}

/* With the lock held: hits and those that Dom0 has answered, in order of completion. */
static uint32_t take_done(struct blkfront_queue *queue, struct blkfront_completion *out,
                          uint32_t max)
{
    uint32_t count = 0, hits = 0;
    while (count + hits < max && queue->done_count > 0) {
        const struct blkfront_completion *done = &queue->done[queue->done_head];
        const struct blkfront_completion *hit = hit_queue_first(&queue->bf->hits);
        if (hit != NULL && hit->completed_ns <= done->completed_ns) {
            hits += take_hits(queue, &out[count + hits], 1);
            continue;
        }
        out[count + hits] = *done;
        queue->done_head = (queue->done_head + 1) % queue->depth;
        queue->done_count--;
        count++;
    }
    queue->bf->unreaped -= count;
    return count + hits + take_hits(queue, &out[count + hits], max - count - hits);
}

/* With the lock held: is there something to wait for, for one who wants min finished requests? */
static bool must_wait(const struct blkfront_queue *queue, uint32_t min)
{
    return queue->done_count + queue->bf->hits.count < min && queue->failed == 0 &&
           queue->async_pending > 0;
}

int blkfront_reap(struct blkfront *bf, struct blkfront_completion *out, uint32_t max, uint32_t min)
{
    struct blkfront_queue *queue = &bf->queue[0];
    struct read_waiter waiter = {.word = WAITER_AWAKE, .any = true};
    struct wake_batch wakes;
    wakes.count = 0;
    if (min > max)
        return -EINVAL;
    if (queue->bf->hits.open > 0)
        hit_queue_tell(&queue->bf->hits, blkfront_now_ns(queue->bf));
    if (queue->bf->hits.count > 0 &&
        queue->bf->hits.count == queue->bf->unreaped) /* there are no others */
        return (int)take_hits(queue, out, max);
    CANCEL_HOLD();
    pthread_mutex_lock(&queue->lock);
    if (queue->failed == 0 && !queue->linking)
        blkfront_push(queue);
    (void)blkfront_reap_ring(queue, &wakes);
    uint32_t spin_ns = must_wait(queue, min) ? blkfront_may_spin(queue) : 0;
    if (spin_ns > 0) {
        const struct spin_target oldest = {.request_index = queue->ring.half.rsp_cons};
        blkfront_unlock(queue, &wakes);
        blkfront_spin(queue, &waiter, &oldest, spin_ns, &wakes);
    }
    while (must_wait(queue, min)) {
        (void)blkfront_wait_step(queue, &waiter, &wakes);
        (void)blkfront_reap_ring(queue, &wakes);
    }
    blkfront_unlist(queue, &waiter);
    int count = (int)take_done(queue, out, max);
    if (count == 0 && queue->failed != 0)
        count = queue->failed;
    blkfront_unlock(queue, &wakes);
    return count;
}
