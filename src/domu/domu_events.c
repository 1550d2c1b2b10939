/* SPDX-License-Identifier: MIT */
#include "domu/domu_events.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "splitdom/tdf.h"
#include "xenstore/xs_client.h"

int domu_events_init(struct domu_events_queue *queue, const struct domu_options *wanted)
{
    pthread_mutex_init(&queue->lock, NULL);
    queue->fd = -1;
    queue->kept = (struct domu_events){.size = sizeof(queue->kept),
                                       .tdf_num = wanted->tdf_num != 0 ? wanted->tdf_num : 1,
                                       .tdf_den = wanted->tdf_den != 0 ? wanted->tdf_den : 1,
                                       .cpu_share_num = wanted->cpu_share_num,
                                       .cpu_share_den = wanted->cpu_share_den};
    if (!wanted->events)
        return 0;
    queue->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return queue->fd < 0 ? -errno : 0;
}

void domu_events_fini(struct domu_events_queue *queue)
{
    if (queue->fd >= 0)
        close(queue->fd);
    queue->fd = -1;
    pthread_mutex_destroy(&queue->lock);
}

int domu_events_take(struct domu_events_queue *queue, struct domu_events *out)
{
    size_t size = out->size;
    eventfd_t unused;
    if (!domu_events_wanted(queue) || size < sizeof(size))
        return -EINVAL;
    pthread_mutex_lock(&queue->lock);
    memset(out, 0, size);
    memcpy(out, &queue->kept, size < sizeof(queue->kept) ? size : sizeof(queue->kept));
    out->size = size;
    queue->kept.happened = 0;
    (void)eventfd_read(queue->fd, &unused);
    pthread_mutex_unlock(&queue->lock);
    return 0;
}

/* With the lock. */
static void happened(struct domu_events_queue *queue, uint32_t event)
{
    queue->kept.happened |= event;
    (void)eventfd_write(queue->fd, 1);
}

/* 1: there is one. 0: none, or nonsense. -errno: the store is of no use any more. */
static int read_ratio(struct xs_client *store, const char *node, struct tdf *out)
{
    char text[TDF_TEXT_SIZE];
    int rc = xs_client_read(store, 0, node, text, sizeof(text));
    if (rc == -ENOENT || rc == -EACCES || rc == -E2BIG || rc == -EINVAL)
        return 0;
    if (rc < 0)
        return rc;
    return tdf_parse(text, out) == 0;
}

int domu_events_read_clock(struct domu_events_queue *queue, struct xs_client *store)
{
    struct tdf tdf;
    int rc = read_ratio(store, "splitdom/tdf-in-force", &tdf);
    if (rc <= 0)
        return rc;
    pthread_mutex_lock(&queue->lock);
    if (queue->kept.tdf_num != tdf.num || queue->kept.tdf_den != tdf.den) {
        queue->kept.tdf_num = tdf.num;
        queue->kept.tdf_den = tdf.den;
        happened(queue, DOMU_EVENT_CLOCK);
    }
    pthread_mutex_unlock(&queue->lock);
    return 0;
}

int domu_events_read_share(struct domu_events_queue *queue, struct xs_client *store)
{
    struct tdf share;
    int rc = read_ratio(store, "cpu-share", &share);
    if (rc <= 0 || share.num == 0 || share.num > share.den)
        return rc < 0 ? rc : 0;
    pthread_mutex_lock(&queue->lock);
    queue->kept.cpu_share_num = share.num;
    queue->kept.cpu_share_den = share.den;
    happened(queue, DOMU_EVENT_CPU_SHARE);
    pthread_mutex_unlock(&queue->lock);
    return 0;
}

void domu_events_note_shutdown(struct domu_events_queue *queue, const char *reason)
{
    pthread_mutex_lock(&queue->lock);
    snprintf(queue->kept.shutdown, sizeof(queue->kept.shutdown), "%s", reason);
    happened(queue, DOMU_EVENT_SHUTDOWN);
    pthread_mutex_unlock(&queue->lock);
}

void domu_events_note_destroyed(struct domu_events_queue *queue)
{
    if (!domu_events_wanted(queue))
        return;
    pthread_mutex_lock(&queue->lock);
    happened(queue, DOMU_EVENT_DESTROYED);
    pthread_mutex_unlock(&queue->lock);
}
