/* SPDX-License-Identifier: MIT */
/*
 * fake_dom0: a Dom0 for one client, on a thread of the test: a real store, the control socket's
 * protocol and the back half of the ring. It does what a script tells it, lies included.
 *
 * All functions of the script run on the fake's thread, where the fake_dom0_* calls that are marked
 * so may be used.
 */
#ifndef SPLITDOM_TESTS_FAKE_DOM0_H
#define SPLITDOM_TESTS_FAKE_DOM0_H

#include <stdbool.h>
#include <stdint.h>

#include "ring/blkif_back_ring.h"
#include "ring/segment.h"
#include "splitdom/control.h"
#include "xenstore/server/xs_server.h"

struct fake_dom0;

enum { FAKE_DOM0_DISKS_MAX = 4, FAKE_DOM0_QUEUES_MAX = 8 };

struct fake_dom0_script {
    /* All optional. Changes the reply to CREATE_DOMAIN; fd_count: 0..2 of segment and doorbell. */
    void (*change_reply)(struct control_reply *reply, int *fd_count);
    /* Changes the segment before it is sent. */
    void (*change_segment)(struct segment *segment);
    /* Puts others in the place of the segment's and the doorbell's descriptor; they are closed once
     * they are sent. */
    void (*change_fds)(struct fake_dom0 *dom0, int fds[2]);
    /* Changes the back end's nodes before it goes to Connected. */
    void (*change_nodes)(struct fake_dom0 *dom0, struct xs_server *store);
    /* Changes the features before it goes to InitWait. */
    void (*change_features)(struct fake_dom0 *dom0, struct xs_server *store);
    /* A request came; not given: it is answered at once as a good Dom0 would. */
    void (*request)(struct fake_dom0 *dom0, const struct blkif_request *req);
    /* The ring is empty: answer what was kept. */
    void (*idle)(struct fake_dom0 *dom0);
    /* Devices of other classes, on the fake's thread: made with the domain, looked at when the
     * doorbell rings, ended before the store is. */
    void (*make_devices)(struct fake_dom0 *dom0, struct xs_server *store);
    void (*serve_devices)(struct fake_dom0 *dom0);
    void (*end_devices)(struct fake_dom0 *dom0);
    void *devices;
    void *ctx;
    uint64_t sectors; /* of the disk; 0: 1 << 20 */
    /* Its contents, the test's: it can be written, flushed and discarded (which zeroes it). NULL:
     * it can only be read, and each sector is full of its own number. */
    uint8_t *disk;
    uint32_t indirect_segments; /* feature-max-indirect-segments; 0: absent */
    uint32_t max_order;         /* of a ring's pages */
    uint32_t queues;         /* multi-queue-max-queues, at most FAKE_DOM0_QUEUES_MAX; 0: absent */
    uint32_t disks;          /* of the domain: xvda, xvdb, ...; 0: 1 */
    bool empty_reply;        /* to CREATE_DOMAIN: a packet of nothing but descriptors */
    bool hangs_up;           /* closes the connection instead of a reply to CREATE_DOMAIN */
    bool hangs_up_once;      /* the first time alone */
    bool destroys_asker;     /* who asks for a port is answered that its domain is destroyed */
    int32_t mapped_status;   /* instead of sealing the memory, in reply to MAPPED; 0: it seals */
    bool refuse_ring;        /* Closing instead of Connected */
    bool silent;             /* no events, and nobody is woken, once the first request has come */
    bool wakes_nobody;       /* offers not to wake threads by their words */
    bool skip_init_wait;     /* Connected from the beginning */
    bool virtual_completion; /* offers it; the script stamps its responses */
};

/* Listens as service "fake" below the directory base, which must exist (mode 0700). NULL: failed.
 */
struct fake_dom0 *fake_dom0_start(const char *base, const struct fake_dom0_script *script);
/* Dies: closes the connection as a killed process does, and gives everything back. */
void fake_dom0_stop(struct fake_dom0 *dom0);
/* How many event channels the client has closed (any thread). */
uint32_t fake_dom0_closed_ports(struct fake_dom0 *dom0);
/* How many domains were made and not ended by their client (any thread). */
uint32_t fake_dom0_domains(struct fake_dom0 *dom0);
/* Ends the domain, and tells it that somebody wanted that. */
void fake_dom0_destroy_domain(struct fake_dom0 *dom0);
/* The last CONTROL_DESCRIBE: returns its weight, UINT32_MAX for none; *name is what it said, as
 * long as no other one comes. */
uint32_t fake_dom0_described(struct fake_dom0 *dom0, const char **name);

/* Stops it, as SIGSTOP does: it holds all that it has and answers nothing, until fake_dom0_stop
 * (any thread). Returns when it stands still. */
void fake_dom0_freeze(struct fake_dom0 *dom0);
/* Lets it look at the ring once more, as if a doorbell had been rung (any thread). */
void fake_dom0_wake(struct fake_dom0 *dom0);

/* On the fake's thread: */
void *fake_dom0_ctx(struct fake_dom0 *dom0);
/* Of the disk that is being served, and of its ring that is, which is what all of these calls are
 * about. */
struct blkif_back_ring *fake_dom0_ring(struct fake_dom0 *dom0);
uint32_t fake_dom0_vdev(struct fake_dom0 *dom0);
/* Which of its rings is being served. */
uint32_t fake_dom0_queue(struct fake_dom0 *dom0);
/* Writes the data that a read asks for, which is none of the indirect ones. */
void fake_dom0_fill(struct fake_dom0 *dom0, const struct blkif_request *req);
/*
 * Does what any request asks for, without answering. Returns the status of the answer: ERROR if
 * what is asked is out of range, not offered, or if a page is granted otherwise than it should be:
 * those that are only read by Dom0 read-only, the others not.
 */
int16_t fake_dom0_do(struct fake_dom0 *dom0, const struct blkif_request *req);
/* The operation of the answer: that of an indirect request is the one inside. */
uint8_t fake_dom0_operation(const struct blkif_request *req);
/* The test's thread, after an answer and before it looks at the disk, or after it has changed the
 * disk and before it asks: tells what the order is. (It is the rings' and that of the two mappings
 * of their memory, which ThreadSanitizer takes for two memories.) */
void fake_dom0_sync(struct fake_dom0 *dom0);
/* How many threads were woken by their words (any thread). */
uint32_t fake_dom0_woken(struct fake_dom0 *dom0);
/* How many flushes were done (any thread). */
uint32_t fake_dom0_flushes(struct fake_dom0 *dom0);
void fake_dom0_respond(struct fake_dom0 *dom0, uint64_t id, uint8_t operation, int16_t status);
/* Shows the responses and notifies the client. */
void fake_dom0_flush(struct fake_dom0 *dom0);
/* What a good Dom0 does with any request. */
void fake_dom0_serve(struct fake_dom0 *dom0, const struct blkif_request *req);
/* The client's memory, as a file. */
int fake_dom0_segment_fd(struct fake_dom0 *dom0);
void *fake_dom0_devices(struct fake_dom0 *dom0);
domid_t fake_dom0_domid(struct fake_dom0 *dom0);
/* An event on a port of the client's. */
void fake_dom0_notify(struct fake_dom0 *dom0, evtchn_port_t port);
/* Is the page granted to us, read-only or not? */
bool fake_dom0_is_granted(struct fake_dom0 *dom0, grant_ref_t ref, bool readonly);
/* The page behind a grant. */
uint8_t *fake_dom0_page(struct fake_dom0 *dom0, grant_ref_t ref);
/* So many events on every port, without a cause. */
void fake_dom0_storm(struct fake_dom0 *dom0, uint32_t count);
/* Lets the store work off what waits: events of a node that was written in a request. */
void fake_dom0_pump(struct fake_dom0 *dom0);
/* Writes a store node of the back end. */
void fake_dom0_node(struct fake_dom0 *dom0, const char *node, const char *value);

#endif
