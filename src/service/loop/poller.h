/* SPDX-License-Identifier: MIT */
/*
 * poller: Dom0's one wait. Doorbells, sockets, timers and disk completions all end here.
 *
 * Two implementations behind one interface: poller_uring.c (io_uring with SINGLE_ISSUER and
 * DEFER_TASKRUN; multishot polls; the uring disk engine puts its reads on the same ring) and
 * poller_epoll.c (for places where io_uring is forbidden).
 *
 * Watches are edge-triggered: a callback must take everything there is (or remember that it did
 * not), because it is called again only after something new happened. A doorbell (eventfd) needs no
 * read: each write to it is an edge.
 *
 * One thread owns a poller; callbacks run inside poller_run on that thread and may add and remove
 * watches, their own included.
 */
#ifndef SPLITDOM_SERVICE_LOOP_POLLER_H
#define SPLITDOM_SERVICE_LOOP_POLLER_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

struct poller;
struct poller_watch;
struct io_uring;
struct io_uring_sqe;

enum poller_kind { POLLER_URING, POLLER_EPOLL };

/*
 * revents: POLLIN, POLLOUT, POLLHUP, POLLERR, POLLNVAL bits of poll(2). POLLNVAL: the descriptor
 * cannot be watched (any more), and this was the last call of fn; the watch is still to be removed.
 */
typedef void poller_fn(void *ctx, uint32_t revents);

/* In revents of what has no other end (an eventfd, a timerfd, a signalfd): nothing comes from it
 * any more. Whoever watches such a descriptor must look at this. */
#define POLLER_BROKEN ((uint32_t)(POLLERR | POLLHUP | POLLNVAL))

/* One operation on the io_uring of POLLER_URING; embed it in the object that waits for it. */
struct poller_op {
    void (*complete)(struct poller_op *op, int32_t res);
};

/*
 * Creates a poller. Errors: -ENOSYS, -EPERM, -ENOMEM when the kernel forbids or lacks what
 * POLLER_URING needs (DEFER_TASKRUN, multishot poll: Linux 6.1); the caller then takes
 * POLLER_EPOLL.
 */
int poller_create(enum poller_kind kind, struct poller **out);
/* All watches have been removed. Not within poller_run. NULL allowed. */
void poller_destroy(struct poller *p);

/*
 * events: POLLIN and/or POLLOUT. The fd must stay open until poller_remove; watch it only once
 * (epoll says -EEXIST). If it is ready already, that counts as an edge. Errors: -ENOMEM, ...;
 * POLLER_URING tells an fd that can't be polled by a callback with POLLERR and POLLNVAL. A poll
 * that the kernel ends for want of something is made again, a bounded number of times.
 */
int poller_add(struct poller *p, int fd, uint32_t events, poller_fn *fn, void *ctx,
               struct poller_watch **out);
/* After this fn is not called again, not even for an edge that was already queued. NULL allowed. */
void poller_remove(struct poller *p, struct poller_watch *watch);

/*
 * Submits what is queued and runs the callbacks of everything that has happened; with sleep, waits
 * until something has. Returns the number of callbacks run (0 is possible after a signal), or
 * -errno. Without sleep POLLER_URING makes no system call when there is nothing to submit and
 * nothing due; POLLER_EPOLL always makes one.
 *
 * What passes (EINTR, EAGAIN, EBUSY, ENOMEM) is tried again: 0 is returned, after a pause, for at
 * most POLLER_RETRIES calls on end. Every other error is for good: each later call returns it, too,
 * and poller_failure says what failed.
 */
int poller_run(struct poller *p, bool sleep);

enum { POLLER_RETRIES = 250, POLLER_PAUSE_NS = 1000000 };

/*
 * For whoever watches a descriptor without which nothing can go on (the engine's, a timer): the
 * poller has failed with error (-errno), what says of what (static). The present and each later
 * poller_run returns error; the first failure counts. Returns that error.
 */
int poller_fail(struct poller *p, int error, const char *what);
/* What failed, NULL: nothing. */
const char *poller_failure(const struct poller *p);

/* POLLER_URING only (else NULL): the ring, for registering files and buffers. */
struct io_uring *poller_uring(struct poller *p);
/*
 * A free SQE whose completion goes to op->complete (leave its user_data alone); submits older ones
 * to make room if it must. NULL if the kernel takes none of those: it is out of memory.
 */
struct io_uring_sqe *poller_uring_sqe(struct poller *p, struct poller_op *op);
/*
 * Gives queued SQEs to the kernel now, without waiting; may be called from callbacks. Errors:
 * -EAGAIN (kernel out of memory), ...: they stay queued for the next submission.
 */
int poller_uring_submit(struct poller *p);

#endif
