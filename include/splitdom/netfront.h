/* SPDX-License-Identifier: MIT */
/*
 * netfront: a domain's network interface (vif). Part of the product's API.
 *
 *     struct netfront *nf;
 *     struct netfront_error why;
 *     struct netfront_options options = {.size = sizeof(options), .devid = 0};
 *     if (netfront_open(domu, &options, &nf, &why) < 0)
 *         errx(1, "%s", why.text);
 *     struct netfront_frame frame = {.data = bytes, .length_bytes = 60};
 *     netfront_send(nf, &frame, 1, -1);              // copied; blocks while the ring is full
 *     frame = (struct netfront_frame){.data = room, .room_bytes = sizeof(room)};
 *     netfront_receive(nf, &frame, 1, -1);           // blocks until there is one
 *     netfront_close(nf);
 *
 * A frame is an Ethernet frame without preamble and check sequence: 14 to 65535 bytes. Frames are
 * copied both ways, so that no buffer of the caller's is ever seen or written by Dom0.
 *
 * Functions return 0 (or a count) or -errno and print nothing.
 * Threads: for each queue one thread at a time in netfront_send_on and netfront_drain_on, one in
 * netfront_receive_on and netfront_fd_on; senders and receivers may run at the same time. Functions
 * without a queue are those of queue 0. netfront_info, netfront_statistics, netfront_queues,
 * netfront_interrupt and netfront_failure: any thread, at any time. netfront_close when no other
 * call is running. No call is a cancellation point (pthread_cancel): netfront_interrupt ends a
 * wait.
 *
 * Queues: the caller chooses where to send. Frames of one queue keep their order, those of
 * different ones do not: a flow stays in its queue. Dom0 chooses where frames come in: by addresses
 * of Ethernet and IP, and ports of TCP, so that each flow keeps its order; all queues must be
 * received from. fork: the child must not use an inherited handle.
 *
 * Errors that any call on a handle can return:
 *
 *   -ENOTCONN   Dom0 is gone or closed the interface; with .reconnect of the domain calls wait for
 *               the next Dom0, and return this only when there was none for a minute
 *   -EPROTO     Dom0 broke the protocol: the interface is disabled for good
 *
 * From the first of them on every call returns the same one. What came before is not delivered any
 * more. As on any network frames can be lost: what was sent and not yet taken when Dom0 dies or the
 * interface is closed may have gone out or not (netfront_statistics counts such frames).
 */
#ifndef SPLITDOM_NETFRONT_H
#define SPLITDOM_NETFRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "splitdom/domu.h"

#ifdef __cplusplus
extern "C" {
#endif

struct netfront;

enum {
    NETFRONT_MAC_BYTES = 6,
    NETFRONT_FRAME_MIN = 14,    /* bytes: an Ethernet header */
    NETFRONT_FRAME_MAX = 65535, /* bytes */
    NETFRONT_SLOTS_MIN = 32,
    NETFRONT_SLOTS_MAX = 256, /* a ring of one page holds as many */
    NETFRONT_DEVID_MAX = 65535,
    NETFRONT_QUEUES_MAX = 8,
};

/* New members come at the end, and zero means what was before them. */
struct netfront_options {
    size_t size;       /* sizeof(struct netfront_options), as the caller was compiled */
    uint32_t devid;    /* which interface of the domain: 0, 1, ... */
    uint32_t tx_slots; /* pages of 4096 bytes for frames on their way out, and in; a power of two */
    uint32_t rx_slots; /* from NETFRONT_SLOTS_MIN to _MAX; 0 = _MAX. A frame takes a page for each
                        * 4096 bytes */
    bool no_stamps;    /* no departure and arrival times, also where Dom0 offers them */
    bool no_spin;      /* always sleep at once when there is nothing */
    bool no_offload;   /* what is received has its checksums, and never stands for many segments */
    /* Pairs of rings, up to NETFRONT_QUEUES_MAX; 0 = 1. Dom0 may offer fewer (netfront_queues).
     * Each has slots and takes pages as above, and has a sender and a receiver of its own. */
    uint32_t queues;
};

struct netfront_error {
    char text[256]; /* one line: what failed, on what, what to do */
};

/* Values of netfront_frame.gso_type, Xen's. */
enum netfront_gso {
    NETFRONT_GSO_NONE = 0,
    NETFRONT_GSO_TCPV4 = 1,
    NETFRONT_GSO_TCPV6 = 2,
};

#define NETFRONT_NO_STAMP UINT64_MAX

struct netfront_frame {
    void *data;            /* the caller's; a send only reads it */
    uint32_t length_bytes; /* send: of the frame. receive: of the frame that came */
    uint32_t room_bytes;   /* receive: at data. Of a longer frame the rest is lost, see truncated */
    bool truncated;        /* receive: length_bytes says how long it was; data are the beginning */
    /* The checksum of TCP or UDP is that of the pseudo header alone: nothing on the way has been
     * computed yet, because both ends share a machine. */
    bool checksum_blank;
    bool data_validated; /* the checksum needs no look: it is blank, or somebody has verified it */
    uint8_t gso_type;    /* enum netfront_gso: one frame for many segments */
    uint16_t gso_size_bytes; /* of TCP's payload in each of them; 0 without gso_type */
    /* Where Dom0 and we have agreed on stamps (netfront_info.stamps), this domain's clock: send:
     * when the frame leaves, 0 = now. receive: when it arrived, which is never later than the clock
     * shows. Else NETFRONT_NO_STAMP after a receive, and ignored by a send. */
    uint64_t stamp_ns;
};

struct netfront_info {
    uint8_t mac[NETFRONT_MAC_BYTES];
    uint32_t mtu_bytes; /* what follows the Ethernet header. Advice: longer frames can be sent */
    bool link_up;       /* connected to a Dom0 that lives */
    /* What may be sent; the others are refused with -EOPNOTSUPP: */
    bool scatter_gather; /* frames longer than a page of 4096 bytes */
    bool gso_tcpv4, gso_tcpv6;
    bool ipv6_checksum; /* checksum_blank in IPv6; in IPv4 it always may be */
    bool stamps;        /* frames carry times */
    uint16_t domid;
    uint32_t devid;
};

struct netfront_statistics {
    uint64_t tx_frames, tx_bytes; /* put on the ring */
    uint64_t tx_errors;           /* Dom0 answered that a frame was invalid */
    uint64_t tx_dropped;          /* Dom0 answered that it had dropped a frame */
    uint64_t tx_lost;             /* unanswered when a Dom0 died: may have gone out or not */
    uint64_t tx_waits;            /* sends that found the ring full */
    uint64_t rx_frames, rx_bytes; /* delivered to the caller */
    uint64_t rx_errors;           /* frames that came with an error in the place of data */
    uint64_t rx_truncated;        /* of rx_frames */
    uint64_t rx_slots;            /* slots of the ring that frames came in */
    uint64_t kicks;               /* doorbells rung */
    uint64_t upcalls;             /* wake-ups from sleep */
    uint64_t spins_won, spins_lost;
    uint64_t reconnects;
};

/* How many pages of its domain (domu_options.pages) an interface with these options takes; 0 if
 * they are out of range. */
uint32_t netfront_pages(const struct netfront_options *options);

/*
 * Connects an interface of a domain, through xenstore and the xenbus states. Blocks until
 * connected. On success *out is owned by the caller (netfront_close), who closes all devices of a
 * domain before the domain. On failure *out is NULL, and why->text (why may be NULL) says what
 * failed and what to do.
 * Errors: -EINVAL options out of range, or their size is not set; -E2BIG options are set that this
 * library is too old for; -EBUSY the interface is open in this domain; -ENOSPC the domain has too
 * little memory, or as many rings as it can have, 31 with those of disks; -ENODEV it has no such
 * interface; -EOPNOTSUPP Dom0 lacks what we need; -ENOTCONN Dom0 is gone; -ECONNREFUSED Dom0
 * refused the rings; -EPROTO; -ETIMEDOUT; others from the system.
 */
int netfront_open(struct domu *domu, const struct netfront_options *options, struct netfront **out,
                  struct netfront_error *why);

/*
 * Sends count frames (1 or more), in this order, by one doorbell at most. Returns how many are on
 * their way, from the first one on: all of them, unless the ring was full for timeout_ns of real
 * time (0: does not wait; < 0: waits for as long as it takes) or one of them is not to be sent.
 * When that is none:
 * -EAGAIN the ring is full; -EINVAL the length or the kind of the first frame is impossible;
 * -EOPNOTSUPP it needs what Dom0 does not have (netfront_info).
 */
int netfront_send(struct netfront *nf, const struct netfront_frame *frames, uint32_t count,
                  int64_t timeout_ns);

/* Waits until Dom0 has taken all that was sent. Errors: -EAGAIN it has not, within timeout_ns. */
int netfront_drain(struct netfront *nf, int64_t timeout_ns);

/*
 * Receives up to count frames (1 or more), each into the room at its data. Waits for the first one
 * for timeout_ns of real time (0: does not wait; < 0: for as long as it takes), and for no further
 * one. Returns how many there are. Errors: -EAGAIN none; -EINVAL a frame without room.
 */
int netfront_receive(struct netfront *nf, struct netfront_frame *frames, uint32_t count,
                     int64_t timeout_ns);

/*
 * The same for queue 0..netfront_queues - 1. When a next Dom0 offers fewer queues than the first
 * one (reconnect), those beyond have no ring: what is sent there goes out by the others, nothing
 * comes in, and a receiver goes on waiting. Errors: as above; -EINVAL there is no such queue.
 */
int netfront_send_on(struct netfront *nf, uint32_t queue, const struct netfront_frame *frames,
                     uint32_t count, int64_t timeout_ns);
int netfront_drain_on(struct netfront *nf, uint32_t queue, int64_t timeout_ns);
int netfront_receive_on(struct netfront *nf, uint32_t queue, struct netfront_frame *frames,
                        uint32_t count, int64_t timeout_ns);

/* How many queues there are: options.queues, or what the first Dom0 offered if that was less. */
uint32_t netfront_queues(struct netfront *nf);

/* In each queue, lets a netfront_receive that waits, or else the next one that would, return
 * -ECANCELED. Any thread. */
void netfront_interrupt(struct netfront *nf);

/*
 * A descriptor for poll, select or epoll: readable while netfront_receive has a frame to deliver,
 * or an error to tell, without waiting. Only to be polled, not read, written or closed; the same
 * one at each call, until netfront_close. From the first call on a thread of the library waits for
 * frames, and is the dearer way to wait for them. Errors: -EMFILE, -ENFILE, -ENOMEM, -EAGAIN no
 * descriptor or no thread is to be had.
 */
int netfront_fd(struct netfront *nf);
int netfront_fd_on(struct netfront *nf, uint32_t queue); /* -EINVAL there is no such queue */

void netfront_info(struct netfront *nf, struct netfront_info *out);
void netfront_statistics(struct netfront *nf, struct netfront_statistics *out);

/* Why calls fail now ("Dom0 is gone …"); empty while connected. Valid until netfront_close. */
const char *netfront_failure(struct netfront *nf);

/* Closes the interface. NULL is allowed. What was sent and not taken may be lost (netfront_drain).
 * Dom0 is told, and waited for as for any other step. */
void netfront_close(struct netfront *nf);

#ifdef __cplusplus
}
#endif

#endif
