/* SPDX-License-Identifier: MIT */
#include "bridge/vhost/vhost_session.h"

#include <errno.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bridge/vhost/vhost_session_private.h"

_Static_assert((int)INFLIGHT_QUEUES_MAX >= (int)VHOST_QUEUES_MAX, "each queue may be tracked");

enum {
    DONE_MAX = 64,
    TAKE_MAX = 32, /* requests of a queue, before the next one's turn */
};

void vhost_session_open(struct vhost_session *session, int fd, struct blk_device *device,
                        int stop_fd)
{
    *session = (struct vhost_session){.device = device, .stop_fd = stop_fd, .back_fd = -1};
    vhost_link_open(&session->link, fd);
    for (uint32_t i = 0; i < VHOST_QUEUES_MAX; i++)
        session->queues[i].kick_fd = session->queues[i].call_fd = -1;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void vhost_session_close(struct vhost_session *session)
{
    vhost_session_drain(session);
    for (uint32_t i = 0; i < session->queue_count; i++) {
        session->queues[i].runs = false;
        inflight_queue_detach(&session->queues[i].inflight);
        close_fd(&session->queues[i].kick_fd);
        close_fd(&session->queues[i].call_fd);
    }
    close_fd(&session->back_fd);
    guest_memory_unmap(&session->memory);
    inflight_track_unmap(&session->track);
    vhost_link_close(&session->link);
}

/* ---- requests ---- */

/* What the disk has not answered stays with the front end if that keeps it for the next device;
 * otherwise the guest hears that it has failed. */
static void give_back(struct vhost_session *session, struct blk_slot *slot)
{
    struct vhost_queue *queue = &session->queues[slot->queue];
    bool stays = slot->undone && inflight_queue_is_kept(&queue->inflight);
    uint16_t head = slot->request.chain.head;

    if (queue->runs && !stays) {
        inflight_queue_will_give(&queue->inflight, head);
        split_queue_give(&queue->ring, head, slot->request.written);
        inflight_queue_gave(&queue->inflight, head, queue->ring.used_prod);
    }
    blk_device_put(session->device, slot);
}

/* The driver may have its eventfd full, or be gone: then it knows without us. */
static void call_all(struct vhost_session *session)
{
    for (uint32_t i = 0; i < session->queue_count; i++) {
        struct vhost_queue *queue = &session->queues[i];
        if (queue->runs && split_queue_wants_call(&queue->ring) && queue->call_fd >= 0)
            (void)eventfd_write(queue->call_fd, 1);
    }
}

/* Returns how many were given back, or those of blkfront_reap. */
static int give_back_all(struct vhost_session *session)
{
    struct blk_slot *done[DONE_MAX];
    int count = blk_device_reap(session->device, done, DONE_MAX);

    for (int i = 0; i < count; i++)
        give_back(session, done[i]);
    return count;
}

void vhost_session_drain(struct vhost_session *session)
{
    struct pollfd fds[] = {{.fd = blkfront_fd(session->device->bf), .events = POLLIN},
                           {.fd = session->stop_fd, .events = POLLIN}};

    while (session->device->in_flight > 0) {
        if (give_back_all(session) != 0) /* an error: the next look finds it finished */
            continue;
        (void)poll(fds, 2, -1);
        if ((fds[1].revents & POLLIN) != 0)
            blk_device_cancel(session->device);
    }
    call_all(session);
}

/* First what an earlier device had, then what has come. As split_queue_take. */
static int take_one(struct vhost_session *session, struct vhost_queue *queue,
                    struct split_chain *chain)
{
    uint16_t head;

    if (inflight_queue_next(&queue->inflight, &head)) {
        int rc = split_queue_take_again(&queue->ring, &session->memory, head, chain);
        return rc < 0 ? rc : 1;
    }
    int rc = split_queue_take(&queue->ring, &session->memory, chain);
    if (rc > 0)
        inflight_queue_take(&queue->inflight, chain->head);
    return rc;
}

/* Takes requests of a queue as long as there are slots. Returns how many. */
static int take_all(struct vhost_session *session, uint32_t index)
{
    struct vhost_queue *queue = &session->queues[index];
    int count = 0;

    while (count < TAKE_MAX) {
        struct blk_slot *slot = blk_device_get(session->device);
        if (slot == NULL)
            return count;
        slot->queue = index;
        int rc = take_one(session, queue, &slot->request.chain);
        if (rc <= 0) {
            blk_device_put(session->device, slot);
            return rc < 0 ? rc : count;
        }
        rc = blk_device_start(session->device, slot);
        if (rc < 0)
            blk_device_put(session->device, slot);
        if (rc < 0)
            return rc;
        if (rc > 0)
            give_back(session, slot);
        count++;
    }
    return count;
}

/*
 * Each queue in its turn. Where the slots run out the next turn begins behind the queue that got
 * the last one: no queue is served for ever at the cost of those behind it. Returns how many were
 * taken.
 */
static int take_in_turn(struct vhost_session *session, struct why *why)
{
    uint32_t first = session->first_queue;
    int count = 0;

    for (uint32_t k = 0; k < session->queue_count && session->device->free != NULL; k++) {
        uint32_t i = (first + k) % session->queue_count;
        int rc = session->queues[i].runs ? take_all(session, i) : 0;
        if (rc == -EPROTO)
            return why_fail(why, rc, "the guest broke the rules of queue %u", i);
        if (rc < 0)
            return why_fail(why, rc, "the disk: %s", blkfront_failure(session->device->bf));
        count += rc;
        session->first_queue = i + 1;
    }
    return count;
}

/* Asks for kicks of all queues. Returns whether one has requests already. */
static bool arm_all(struct vhost_session *session)
{
    bool any = false;

    if (session->device->free == NULL)
        return false;
    for (uint32_t i = 0; i < session->queue_count; i++)
        any |= session->queues[i].runs && split_queue_arm(&session->queues[i].ring);
    return any;
}

int vhost_session_move(struct vhost_session *session, struct why *why)
{
    int taken = take_in_turn(session, why);

    if (taken < 0)
        return taken;
    int rc = give_back_all(session);
    if (rc < 0)
        return why_fail(why, rc, "the disk: %s", blkfront_failure(session->device->bf));
    bool moved = taken > 0 || rc > 0;
    call_all(session);
    if (guest_memory_is_lost(&session->memory))
        return why_fail(why, -EFAULT, "the guest's memory is gone");
    return moved || arm_all(session);
}

/* ---- the disk's size ---- */

static bool driver_is_at_work(const struct vhost_session *session)
{
    for (uint32_t i = 0; i < session->queue_count; i++)
        if (session->queues[i].runs)
            return true;
    return false;
}

/* A line that is full has one such message already; one that is broken is the front end's loss. */
void vhost_session_tell_config(struct vhost_session *session)
{
    static const uint64_t needed =
        1ULL << VHOST_USER_PROTOCOL_F_CONFIG | 1ULL << VHOST_USER_PROTOCOL_F_BACKEND_REQ;
    const struct vhost_user_header message = {.request = VHOST_USER_BACKEND_CONFIG_CHANGE_MSG,
                                              .flags = VHOST_USER_VERSION};

    if (session->config_is_known || session->back_fd < 0 ||
        (session->protocol_features & needed) != needed || !driver_is_at_work(session))
        return;
    (void)unix_socket_send(session->back_fd, &message, sizeof(message), NULL, 0, false);
    session->config_is_known = true;
}

void vhost_session_resize(struct vhost_session *session, const struct blkfront_geometry *geometry)
{
    if (!blk_device_resize(session->device, geometry))
        return;
    session->config_is_known = false;
    vhost_session_tell_config(session);
}

uint32_t vhost_session_kicks(const struct vhost_session *session, int *fds)
{
    uint32_t count = 0;

    if (session->device->free == NULL)
        return 0;
    for (uint32_t i = 0; i < session->queue_count; i++)
        if (session->queues[i].runs)
            fds[count++] = session->queues[i].kick_fd;
    return count;
}
