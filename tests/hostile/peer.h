/* SPDX-License-Identifier: MIT */
/*
 * peer: a domain made of bare parts, so that a test can break each of its promises: its own line to
 * Dom0, segment, doorbell, store connection and ring, none of them behind a library.
 *
 * All functions return 0 or what they say, or -errno. A peer belongs to one thread.
 */
#ifndef SPLITDOM_TESTS_HOSTILE_PEER_H
#define SPLITDOM_TESTS_HOSTILE_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rundir.h"
#include "ring/blkif_front_ring.h"
#include "ring/segment.h"
#include "splitdom/control.h"
#include "splitdom/xen/xenbus.h"
#include "xenstore/xs_client.h"

enum {
    PEER_PAGES = 128,
    PEER_REF = GNTTAB_NR_RESERVED_ENTRIES, /* the ring's first page; data pages follow */
    PEER_DATA_PAGES = 64,
    PEER_PATIENCE_MS = 3000,
    PEER_STATUS_MAX = 1 << 20,
};

struct peer {
    struct rundir rundir;
    int control_fd, doorbell_fd, segment_fd;
    struct segment segment;
    struct xs_client *store;
    evtchn_port_t port;
    uint32_t order;
    uint32_t ring_pfn[1 << BLKIF_RING_PAGE_ORDER_MAX];
    uint32_t data_pfn;
    grant_ref_t data_ref;
    struct blkif_front_ring ring;
    bool scattered; /* ring pages in descending order */
    void *view;     /* of scattered ring pages */
};

/* A connection to dom0.sock or xenstore.sock. */
int peer_dial(const char *path, int type);
/* One control request, one reply; up to two descriptors (-1: none). */
int peer_ask(int control_fd, struct control_request *request, struct control_reply *reply,
             int fds[2]);

/* Becomes a domain, with an event channel and granted pages; the disk is not touched. */
int peer_create(struct peer *peer, const struct rundir *rundir, uint32_t order, bool scattered);
void peer_destroy(struct peer *peer);
/* Publishes the ring as an honest front end does, and waits for Connected. */
int peer_connect(struct peer *peer);
/* peer_create and peer_connect of a one-page ring. */
int peer_open(struct peer *peer, const struct rundir *rundir);

int peer_write(struct peer *peer, const char *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int peer_state(struct peer *peer, enum xenbus_state state);
/* The back end's state now. */
int peer_back_state(struct peer *peer);
/* Waits until the back end is in that state. */
int peer_wait_state(struct peer *peer, enum xenbus_state state);
/* Closed, then from the beginning: the back end waits again. */
int peer_restart(struct peer *peer);

/* A read of sectors first..last of a page at sector, into data page 0. */
struct blkif_request peer_read_request(const struct peer *peer, uint64_t id, uint64_t sector);
/* Fills the next slot, there must be one; any nr_segments. */
void peer_put(struct peer *peer, const struct blkif_request *req);
/* Shows what was put on the ring and rings the doorbell if it was asked for (or always). */
void peer_push(struct peer *peer, bool always);
/* Waits for one response. -ETIMEDOUT */
int peer_response(struct peer *peer, struct blkif_response *rsp);
/* One request from beginning to end; returns the response's status (0, -1, -2) or -errno < -2. */
int peer_request(struct peer *peer, const struct blkif_request *req);

/* A number of this domain's object in the service's status, or of the whole if domid is 0. Text
 * true is 1, false 0. -ENOENT: no such domain. */
int64_t peer_status(const struct rundir *rundir, domid_t domid, const char *field);
int64_t peer_now_ms(void);
void peer_sleep_ms(int64_t ms);

#endif
