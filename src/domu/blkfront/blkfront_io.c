/* SPDX-License-Identifier: MIT */
/*
 * blkfront_io: the calls that read: blocking, and asynchronous by submit, kick and reap. Checks
 * the range.
 */
#include <assert.h>
#include <errno.h>

#include "base/clock.h"
#include "domu/blkfront/blkfront_private.h"
#include "ring/barrier.h"

static bool in_range(struct blkfront *bf, uint64_t sector, uint32_t sector_count)
{
    uint64_t sectors = load_relaxed_u64(&bf->sectors);
    return sector_count >= 1 && sector_count <= bf->options.sectors_per_request &&
           sector_count <= sectors && sector <= sectors - sector_count;
}

static void fill_entry(struct shadow_entry *entry, uint64_t sector, uint32_t sector_count,
                       void *buffer)
{
    entry->sector = sector;
    entry->sector_count = sector_count;
    entry->buffer = buffer;
}

/* When a blocking read that begins now is too late. */
static uint64_t deadline_ns(const struct blkfront *bf)
{
    uint64_t deadline;
    if (bf->options.timeout_ns == 0)
        return 0;
    if (__builtin_add_overflow(clock_monotonic_ns(), bf->options.timeout_ns, &deadline))
        return UINT64_MAX;
    return deadline;
}

/*
 * With the lock held: an entry of the shadow, waiting until one is free. NULL: the device failed,
 * or the deadline of owner, which is in no list yet, has passed.
 */
static struct shadow_entry *take_entry(struct blkfront *bf, const struct read_waiter *owner,
                                       struct wake_batch *wakes)
{
    struct read_waiter waiter = {
        .word = WAITER_AWAKE, .any = true, .deadline_ns = owner->deadline_ns};
    struct shadow_entry *entry;
    for (;;) {
        (void)blkfront_reap_ring(bf, wakes);
        entry = bf->failed != 0 || bf->linking ? NULL : shadow_take(&bf->shadow);
        if (entry != NULL || bf->failed != 0 || blkfront_is_late(&waiter))
            break;
        (void)blkfront_wait_step(bf, &waiter, wakes); /* never DONE: it has no request */
    }
    blkfront_unlist(bf, &waiter);
    return entry;
}

/* With the lock held: the answer has not come in time. */
static void give_up(struct blkfront *bf, struct shadow_entry *entry, struct read_waiter *waiter,
                    struct wake_batch *wakes)
{
    blkfront_unlist(bf, waiter);
    blkfront_abandon(bf, entry, wakes);
    waiter->status = -ETIMEDOUT;
}

int blkfront_read(struct blkfront *bf, uint64_t sector, uint32_t sector_count, void *buffer)
{
    struct read_waiter waiter = {.word = WAITER_AWAKE, .deadline_ns = deadline_ns(bf)};
    struct wake_batch wakes;
    wakes.count = 0;
    if (!in_range(bf, sector, sector_count))
        return -EINVAL;
    if (blkfront_view_read(bf, sector, sector_count, buffer))
        return 0;

    pthread_mutex_lock(&bf->lock);
    struct shadow_entry *entry = take_entry(bf, &waiter, &wakes);
    if (entry == NULL) {
        int rc = bf->failed != 0 ? bf->failed : -ETIMEDOUT;
        blkfront_unlock(bf, &wakes);
        return rc;
    }
    fill_entry(entry, sector, sector_count, buffer);
    entry->waiter = &waiter;
    uint32_t request_index = bf->ring.half.req_prod_pvt;
    bool asked = blkfront_ask(bf, entry, bf->stamped ? blkfront_now_ns(bf) : 0);
    blkfront_push(bf);
    uint32_t spin_ns = asked ? blkfront_may_spin(bf) : 0;
    if (spin_ns > 0) {
        blkfront_unlock(bf, &wakes);
        blkfront_spin(bf, &waiter, request_index, spin_ns, &wakes);
    } else {
        (void)blkfront_reap_ring(bf, &wakes);
    }
    while (load_acquire_u32(&waiter.word) != WAITER_DONE) {
        if (blkfront_is_late(&waiter)) {
            give_up(bf, entry, &waiter, &wakes);
            break;
        }
        if (blkfront_wait_step(bf, &waiter, &wakes))
            return waiter.status;
        (void)blkfront_reap_ring(bf, &wakes);
    }
    blkfront_unlock(bf, &wakes);
    return waiter.status;
}

/* With the lock held: a read that needs no slot of the ring is finished at once. */
static bool finish_from_view(struct blkfront *bf, const struct shadow_entry *read)
{
    if (!blkfront_view_read(bf, read->sector, read->sector_count, read->buffer))
        return false;
    bf->async_pending++;
    blkfront_finish_async(bf, read, 0, blkfront_now_ns(bf));
    return true;
}

int blkfront_submit(struct blkfront *bf, uint64_t sector, uint32_t sector_count, void *buffer,
                    void *cookie)
{
    struct wake_batch wakes;
    wakes.count = 0;
    if (!in_range(bf, sector, sector_count))
        return -EINVAL;
    uint64_t now_ns = blkfront_now_ns(bf);
    pthread_mutex_lock(&bf->lock);
    int rc = bf->failed;
    /* What is finished and not reaped yet counts: the queue of the finished has depth places. */
    bool full = bf->async_pending + bf->done_count >= bf->depth;
    struct shadow_entry read = {.cookie = cookie, .submitted_ns = now_ns};
    fill_entry(&read, sector, sector_count, buffer);
    if (rc == 0 && !full && finish_from_view(bf, &read)) {
        bf->starved = false;
        blkfront_unlock(bf, &wakes);
        return 0;
    }
    struct shadow_entry *entry = rc < 0 || full ? NULL : shadow_take(&bf->shadow);
    if (entry != NULL) {
        fill_entry(entry, sector, sector_count, buffer);
        entry->waiter = NULL;
        entry->cookie = cookie;
        entry->submitted_ns = now_ns;
        bf->async_pending++;
        /* Each read that is admitted has a place in done[]; pairs with finish_async. */
        assert(bf->async_pending + bf->done_count <= bf->depth);
        (void)blkfront_ask(bf, entry, now_ns);
    } else if (rc == 0) {
        rc = -EAGAIN;
    }
    bf->starved = rc == -EAGAIN && !full;
    blkfront_unlock(bf, &wakes);
    return rc;
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

/* With the lock held: is there something to wait for, for one who wants min finished reads? If a
 * submit was refused because others have all slots, then a free one. */
static bool must_wait(const struct blkfront *bf, uint32_t min)
{
    bool starved = bf->starved && bf->shadow.free_count == 0;
    return bf->done_count < min && bf->failed == 0 && (bf->async_pending > 0 || starved);
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
