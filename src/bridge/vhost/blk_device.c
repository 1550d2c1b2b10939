/* SPDX-License-Identifier: MIT */
#include "bridge/vhost/blk_device.h"

#include <assert.h>
#include <errno.h>
#include <linux/virtio_blk.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bridge/vhost/pieces.h"

enum {
    ZERO_BYTES = 1 << 20, /* written as often as it takes */
    REAP_MAX = 64,
};

_Static_assert((uint64_t)BLK_REQUEST_SECTORS_MAX *BLK_SECTOR_BYTES / ZERO_BYTES <=
                   SPLIT_QUEUE_PIECES_MAX,
               "a request's zeros fit into the pieces of its chain");

int blk_device_open(struct blk_device *device, struct blkfront *bf)
{
    struct blkfront_stats stats;

    *device = (struct blk_device){.bf = bf};
    device->waiting_end = &device->waiting;
    int rc = blkfront_geometry(bf, &device->geometry);
    if (rc < 0)
        return rc;
    blkfront_stats(bf, &stats);
    device->slots = calloc(stats.depth, sizeof(*device->slots));
    device->zeros = mmap(NULL, ZERO_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (device->zeros == MAP_FAILED)
        device->zeros = NULL;
    if (device->slots == NULL || device->zeros == NULL) {
        blk_device_close(device);
        return -ENOMEM;
    }
    device->slot_count = stats.depth;
    for (uint32_t i = 0; i < stats.depth; i++)
        blk_device_put(device, &device->slots[i]);
    return 0;
}

void blk_device_forbid_writes(struct blk_device *device)
{
    assert(device->in_flight == 0);
    device->geometry.read_only = true;
    device->geometry.discard = false;
    device->geometry.discard_granularity = 0;
}

bool blk_device_resize(struct blk_device *device, const struct blkfront_geometry *geometry)
{
    struct blkfront_geometry *own = &device->geometry;
    bool is_news =
        own->first_sector != geometry->first_sector || own->last_sector != geometry->last_sector;

    own->first_sector = geometry->first_sector;
    own->last_sector = geometry->last_sector;
    return is_news;
}

void blk_device_close(struct blk_device *device)
{
    assert(device->in_flight == 0);
    if (device->zeros != NULL)
        munmap(device->zeros, ZERO_BYTES);
    free(device->slots);
    *device = (struct blk_device){0};
}

struct blk_slot *blk_device_get(struct blk_device *device)
{
    struct blk_slot *slot = device->free;

    if (slot != NULL) {
        device->free = slot->next;
        slot->undone = false;
    }
    return slot;
}

void blk_device_put(struct blk_device *device, struct blk_slot *slot)
{
    slot->next = device->free;
    device->free = slot;
}

static void wait_for_room(struct blk_device *device, struct blk_slot *slot)
{
    slot->next = NULL;
    *device->waiting_end = slot;
    device->waiting_end = &slot->next;
}

static int submit_now(struct blk_device *device, const struct blk_slot *slot)
{
    int rc = blkfront_submit_io(device->bf, &slot->request.io);

    device->unshown |= rc == 0;
    return rc;
}

/* Behind those that wait already. Errors: those of blkfront_submit_io but -EAGAIN. */
static int submit(struct blk_device *device, struct blk_slot *slot)
{
    int rc = device->waiting != NULL ? -EAGAIN : submit_now(device, slot);

    if (rc == -EAGAIN)
        wait_for_room(device, slot);
    return rc == -EAGAIN ? 0 : rc;
}

/* The chain has been read: its pieces are free for ours. */
static void point_to_zeros(const struct blk_device *device, struct blk_request *request)
{
    uint64_t left = request->io.sector_count * BLK_SECTOR_BYTES;
    uint32_t count = 0;

    for (; left > 0; count++) {
        size_t part = left < ZERO_BYTES ? left : ZERO_BYTES;
        request->chain.pieces[count] = (struct iovec){.iov_base = device->zeros, .iov_len = part};
        left -= part;
    }
    request->io.iov = request->chain.pieces;
    request->io.iov_count = count;
}

static void write_answer(struct blk_request *request, uint8_t status)
{
    if (status != VIRTIO_BLK_S_OK)
        request->written = 1;
    *request->status_byte = status;
}

static void write_id(struct blk_request *request)
{
    static const char id[BLK_ID_BYTES] = "splitdom";

    pieces_copy_in(request->data, request->data_count, id, sizeof(id));
    write_answer(request, VIRTIO_BLK_S_OK);
}

/* Is the request wrong, and not the disk dead? */
static bool is_own_fault(int rc)
{
    return rc == -EINVAL || rc == -EOPNOTSUPP || rc == -EROFS;
}

int blk_device_start(struct blk_device *device, struct blk_slot *slot)
{
    struct blk_request *request = &slot->request;
    const struct blkfront_geometry *geometry = &device->geometry;
    int rc = blk_request_parse(request, geometry->last_sector - geometry->first_sector + 1,
                               geometry->read_only);

    if (rc < 0)
        return rc;
    if (request->action == BLK_ID)
        write_id(request);
    if (request->action == BLK_ANSWER)
        write_answer(request, request->status);
    if (request->action == BLK_ID || request->action == BLK_ANSWER)
        return 1;
    if (request->action == BLK_ZERO)
        point_to_zeros(device, request);
    request->io.cookie = slot;
    rc = submit(device, slot);
    if (is_own_fault(rc)) {
        write_answer(request, blk_request_status(rc));
        return 1;
    }
    if (rc == 0)
        device->in_flight++;
    return rc;
}

static bool needs_flush(const struct blk_device *device, const struct blkfront_completion *done)
{
    return device->write_through && device->geometry.flush && done->status == 0 &&
           (done->operation == BLKFRONT_WRITE || done->operation == BLKFRONT_DISCARD);
}

/* Taken back by us, or left over by a Dom0 that is gone or talks nonsense. */
static bool is_undone(int32_t status)
{
    return status == -ECANCELED || status == -ENOTCONN || status == -EPROTO;
}

/* Returns whether the request is done: a write may be followed by a flush. */
static bool finish(struct blk_device *device, const struct blkfront_completion *done)
{
    struct blk_slot *slot = done->cookie;
    int32_t status = done->status;

    if (needs_flush(device, done)) {
        slot->request.io.operation = BLKFRONT_FLUSH;
        status = submit(device, slot);
        if (status == 0)
            return false;
    }
    slot->undone = is_undone(status);
    write_answer(&slot->request, blk_request_status(status));
    device->in_flight--;
    return true;
}

/* The first that waits does so no longer. */
static struct blk_slot *stop_waiting(struct blk_device *device)
{
    struct blk_slot *slot = device->waiting;

    device->waiting = slot->next;
    if (device->waiting == NULL)
        device->waiting_end = &device->waiting;
    return slot;
}

/* The same; it is answered, and never gets to the disk. */
static struct blk_slot *fail_first(struct blk_device *device, int rc)
{
    struct blk_slot *slot = stop_waiting(device);

    slot->undone = !is_own_fault(rc);
    write_answer(&slot->request, blk_request_status(rc));
    device->in_flight--;
    return slot;
}

/* What was right when it came may not be any more: the disk may have become smaller. */
static int submit_waiting(struct blk_device *device, struct blk_slot **done, uint32_t max,
                          uint32_t *count)
{
    while (device->waiting != NULL && *count < max) {
        int rc = submit_now(device, device->waiting);
        if (rc == 0)
            (void)stop_waiting(device);
        else if (is_own_fault(rc))
            done[(*count)++] = fail_first(device, rc);
        else
            return rc == -EAGAIN ? 0 : rc;
    }
    return 0;
}

/* What waits when the disk has died never gets there. */
static int fail_waiting(struct blk_device *device, struct blk_slot **done, uint32_t max, int rc)
{
    int count = 0;

    while (device->waiting != NULL && (uint32_t)count < max)
        done[count++] = fail_first(device, rc);
    return count;
}

int blk_device_reap(struct blk_device *device, struct blk_slot **done, uint32_t max)
{
    struct blkfront_completion completions[REAP_MAX];
    uint32_t most = max < REAP_MAX ? max : REAP_MAX, count = 0;
    device->unshown = false; /* reaping rings */
    int rc = blkfront_reap(device->bf, completions, most, 0);

    for (int i = 0; i < rc; i++)
        if (finish(device, &completions[i]))
            done[count++] = completions[i].cookie;
    int failed = rc < 0 ? rc : submit_waiting(device, done, max, &count);
    if (device->unshown) /* the caller may sleep now */
        (void)blkfront_kick(device->bf);
    if (failed < 0 && count == 0)
        count = (uint32_t)fail_waiting(device, done, max, failed);
    return failed < 0 && count == 0 ? failed : (int)count;
}

void blk_device_cancel(struct blk_device *device)
{
    for (uint32_t i = 0; i < device->slot_count; i++)
        (void)blkfront_cancel(device->bf, &device->slots[i]);
}
