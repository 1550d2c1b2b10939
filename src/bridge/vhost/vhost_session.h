/* SPDX-License-Identifier: MIT */
/*
 * vhost_session: a front end from its connect to its end: what it has negotiated, its memory, its
 * queues. Answers messages, and moves requests between the queues and the disk.
 *
 * A front end that breaks the rules is told nothing: its session ends, with the reason in why.
 *
 * One thread.
 */
#ifndef SPLITDOM_BRIDGE_VHOST_VHOST_SESSION_H
#define SPLITDOM_BRIDGE_VHOST_VHOST_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/why.h"
#include "bridge/vhost/blk_device.h"
#include "bridge/vhost/guest_memory.h"
#include "bridge/vhost/inflight_track.h"
#include "bridge/vhost/split_queue.h"
#include "bridge/vhost/vhost_link.h"

enum { VHOST_QUEUES_MAX = 64 };

struct vhost_queue {
    struct split_queue ring; /* valid while runs, as inflight */
    struct inflight_queue inflight;
    struct vhost_user_vring_addr addr;
    uint32_t size;
    uint16_t base;
    bool has_addr, enabled, runs;
    int kick_fd, call_fd; /* -1: none */
};

struct vhost_session {
    struct vhost_link link;
    struct blk_device *device;
    int stop_fd; /* readable: what we wait for is not to be waited for any more */
    int back_fd; /* for our own requests to the front end; -1: none */
    uint64_t features, protocol_features;
    bool config_is_known; /* as it is now: the front end has read it, or was told to */
    struct guest_memory memory;
    struct inflight_track track;
    uint32_t queue_count; /* of those that the front end has named: the others are as they were */
    uint32_t first_queue; /* modulo their number: whose turn to get slots is next */
    struct vhost_queue queues[VHOST_QUEUES_MAX];
};

/* Begins with a connected socket, which becomes the session's. */
void vhost_session_open(struct vhost_session *session, int fd, struct blk_device *device,
                        int stop_fd);
/* Waits for what is in flight, or cancels it when stop_fd is readable. */
void vhost_session_close(struct vhost_session *session);

/* Takes and answers what messages have arrived. Errors: -ENOTCONN the front end has ended; else it
 * has broken the protocol. */
int vhost_session_hear(struct vhost_session *session, struct why *why);

/*
 * Moves what there is to move: answers to the queues, requests to the disk. Returns whether there
 * was any; with false, kicks are asked for and the caller may sleep. Errors: -EPROTO the guest has
 * broken the rules; -EFAULT its memory is gone.
 */
int vhost_session_move(struct vhost_session *session, struct why *why);

/* The disk may have another size: judges requests by that from now on, and tells the front end. */
void vhost_session_resize(struct vhost_session *session, const struct blkfront_geometry *geometry);

/* The kick descriptors of the queues that run, up to VHOST_QUEUES_MAX; none while all slots are
 * taken: there is nothing to take requests for. */
uint32_t vhost_session_kicks(const struct vhost_session *session, int *fds);

#endif
