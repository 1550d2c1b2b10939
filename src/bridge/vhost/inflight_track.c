/* SPDX-License-Identifier: MIT */
#include "bridge/vhost/inflight_track.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory_file.h"
#include "bridge/vhost/split_queue.h"
#include "ring/barrier.h"

/* As the protocol lays them out; one for each descriptor of the queue. */
struct inflight_desc {
    uint8_t inflight;
    uint8_t padding[5];
    uint16_t next;    /* the head that was given back before this one, in a batch */
    uint64_t counter; /* the larger, the later it was taken */
};

struct inflight_region {
    uint64_t features;
    uint16_t version; /* 0: nobody has used it yet */
    uint16_t desc_count;
    uint16_t last_batch_head;
    uint16_t used_index; /* of the used ring, when last_batch_head was given back */
    struct inflight_desc desc[];
};

enum { VERSION = 1, REGION_ALIGN = 64 };

_Static_assert(sizeof(struct inflight_desc) == 16 && sizeof(struct inflight_region) == 16,
               "as other devices lay them out");

static size_t region_bytes(uint32_t queue_size)
{
    size_t bytes = sizeof(struct inflight_region) + queue_size * sizeof(struct inflight_desc);

    return (bytes + REGION_ALIGN - 1) & ~(size_t)(REGION_ALIGN - 1);
}

static int check_queues(const struct vhost_user_inflight *wanted)
{
    return wanted->queue_count == 0 || wanted->queue_count > INFLIGHT_QUEUES_MAX ||
                   wanted->queue_size == 0 || wanted->queue_size > SPLIT_QUEUE_SIZE_MAX
               ? -EINVAL
               : 0;
}

static size_t bytes_of(const struct vhost_user_inflight *wanted)
{
    return wanted->queue_count * region_bytes(wanted->queue_size);
}

int inflight_track_make(const struct vhost_user_inflight *asked, struct vhost_user_inflight *answer)
{
    int rc = check_queues(asked);

    if (rc < 0)
        return rc;
    int fd = memory_file_create("vhost-inflight");
    if (fd < 0)
        return fd;
    rc = ftruncate(fd, (off_t)bytes_of(asked)) < 0 ? -errno : 0;
    if (rc == 0)
        rc = memory_file_seal(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    *answer = (struct vhost_user_inflight){.mmap_bytes = bytes_of(asked),
                                           .queue_count = asked->queue_count,
                                           .queue_size = asked->queue_size};
    return fd;
}

/* The file begins with the memory, as we make it. */
static int check_file(const struct vhost_user_inflight *given, int fd)
{
    struct stat status;
    int rc = memory_file_check(fd, F_SEAL_SHRINK);

    if (rc < 0)
        return rc;
    if (fstat(fd, &status) < 0)
        return -errno;
    return given->mmap_offset != 0 || (uint64_t)status.st_size < bytes_of(given) ? -EINVAL : 0;
}

int inflight_track_map(struct inflight_track *track, const struct vhost_user_inflight *given,
                       int fd)
{
    int rc = check_queues(given);

    if (rc == 0)
        rc = check_file(given, fd);
    if (rc < 0)
        return rc;
    void *mapping = mmap(NULL, bytes_of(given), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapping == MAP_FAILED)
        return -errno;
    inflight_track_unmap(track);
    *track = (struct inflight_track){.mapping = mapping,
                                     .bytes = bytes_of(given),
                                     .queue_count = given->queue_count,
                                     .queue_size = given->queue_size};
    return 0;
}

void inflight_track_unmap(struct inflight_track *track)
{
    if (track->mapping != NULL)
        munmap(track->mapping, track->bytes);
    *track = (struct inflight_track){0};
}

/* ---- a queue ---- */

/*
 * An earlier device may have died when it had moved the used ring and had not noted that: the
 * requests that it gave back last, from last_batch_head on, are not in flight.
 */
static void forget_given(struct inflight_queue *queue, uint16_t used_index)
{
    struct inflight_region *region = queue->region;
    uint16_t count = (uint16_t)(used_index - load_relaxed_u16(&region->used_index));
    uint32_t head = load_relaxed_u16(&region->last_batch_head);

    for (; count > 0 && head < queue->size; count--) {
        store_relaxed_u8(&region->desc[head].inflight, 0);
        head = load_relaxed_u16(&region->desc[head].next);
    }
    store_relaxed_u16(&region->used_index, used_index);
}

struct found {
    uint64_t counter;
    uint16_t head;
};

static int compare(const void *a, const void *b)
{
    const struct found *x = a, *y = b;

    return (x->counter > y->counter) - (x->counter < y->counter);
}

static int find_again(struct inflight_queue *queue)
{
    struct found found[SPLIT_QUEUE_SIZE_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < queue->size; i++) {
        const struct inflight_desc *desc = &queue->region->desc[i];
        if (load_relaxed_u8(&desc->inflight) != 0)
            found[count++] =
                (struct found){.counter = load_relaxed_u64(&desc->counter), .head = (uint16_t)i};
    }
    if (count == 0)
        return 0;
    queue->again = calloc(count, sizeof(*queue->again));
    if (queue->again == NULL)
        return -ENOMEM;
    qsort(found, count, sizeof(found[0]), compare);
    for (uint32_t i = 0; i < count; i++)
        queue->again[i] = found[i].head;
    queue->again_count = count;
    queue->counter = found[count - 1].counter + 1;
    return 0;
}

int inflight_queue_attach(struct inflight_queue *out, const struct inflight_track *track,
                          uint32_t index, uint32_t size, uint16_t used_index)
{
    *out = (struct inflight_queue){0};
    if (track->mapping == NULL || index >= track->queue_count || size > track->queue_size)
        return 0;
    out->region = (void *)((char *)track->mapping + index * region_bytes(track->queue_size));
    out->size = size;
    if (load_relaxed_u16(&out->region->version) != 0) {
        forget_given(out, used_index);
        return find_again(out);
    }
    store_relaxed_u16(&out->region->desc_count, (uint16_t)track->queue_size);
    store_relaxed_u16(&out->region->used_index, used_index);
    store_release_u16(&out->region->version, VERSION);
    return 0;
}

void inflight_queue_detach(struct inflight_queue *queue)
{
    free(queue->again);
    *queue = (struct inflight_queue){0};
}

bool inflight_queue_next(struct inflight_queue *queue, uint16_t *head)
{
    if (queue->again_next == queue->again_count)
        return false;
    *head = queue->again[queue->again_next++];
    return true;
}

/* Whoever is killed leaves what it has stored, in this order: release keeps the compiler to it. */
void inflight_queue_take(struct inflight_queue *queue, uint16_t head)
{
    if (queue->region == NULL || head >= queue->size)
        return;
    store_relaxed_u64(&queue->region->desc[head].counter, queue->counter++);
    store_release_u8(&queue->region->desc[head].inflight, 1);
}

void inflight_queue_will_give(struct inflight_queue *queue, uint16_t head)
{
    if (queue->region == NULL || head >= queue->size)
        return;
    store_relaxed_u16(&queue->region->desc[head].next,
                      load_relaxed_u16(&queue->region->last_batch_head));
    store_release_u16(&queue->region->last_batch_head, head);
}

void inflight_queue_gave(struct inflight_queue *queue, uint16_t head, uint16_t used_index)
{
    if (queue->region == NULL || head >= queue->size)
        return;
    store_release_u8(&queue->region->desc[head].inflight, 0);
    store_release_u16(&queue->region->used_index, used_index);
}
