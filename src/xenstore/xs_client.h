/* SPDX-License-Identifier: MIT */
/*
 * xs_client: a domain's access to the store over its ring page, for front ends.
 *
 * One thread at a time. Calls block until the answer is there, XS_CLIENT_TIMEOUT_MS at most. The
 * store's answers are not trusted. All functions return 0 or what they say, or -errno:
 *
 *   what the store answered: -ENOENT, -EACCES, -EINVAL, -ENOSPC, -EAGAIN, ...
 *   -E2BIG      the request or the answer does not fit
 *   -ETIMEDOUT  no answer in time; the connection is unusable from then on
 *   -ENOTCONN   the store is gone (from the wait callback); unusable from then on
 *   -ETIME      the caller has no time left (from the wait callback); unusable from then on
 *   -EPROTO     the store broke the protocol; unusable from then on
 *   -ENOMEM     also unusable from then on
 *
 * tx is 0 or an id from xs_client_transaction_start. Relative paths start at the domain's home.
 */
#ifndef SPLITDOM_XENSTORE_XS_CLIENT_H
#define SPLITDOM_XENSTORE_XS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "splitdom/xen/xs_wire.h"

enum {
    XS_CLIENT_TIMEOUT_MS = 30000,
    XS_CLIENT_EVENTS_MAX = 1024, /* different ones that may wait unread; more is -EPROTO */
};

struct xs_client;

struct xs_client_ops {
    /* Tells the store that an index has moved (event channel). Never blocks. */
    void (*notify)(void *ctx);
    /* Sleeps until the store's event channel fires. An event since the last call counts: it is
     * remembered, and cleared before the return. Returns 0, -ETIMEDOUT, -ENOTCONN, -ETIME (do not
     * wait any more, even if timeout_ms has not passed) or, only under xs_client_next_event,
     * -EINTR (another thread has work for this thread). */
    int (*wait)(void *ctx, int timeout_ms);
};

/* page: prepared by the store (xs_ring_init); nobody else in this domain uses it. ops must outlive
 * the client. Returns 0 with *out owned by the caller, or -ENOMEM. */
int xs_client_create(struct xenstore_domain_interface *page, const struct xs_client_ops *ops,
                     void *ctx, struct xs_client **out);
void xs_client_destroy(struct xs_client *client); /* NULL is allowed */

/* The same page is mapped elsewhere from now on, and ops are called with another ctx. */
void xs_client_move(struct xs_client *client, struct xenstore_domain_interface *page, void *ctx);

/* Reads a text: returns its length, with buf NUL-terminated. -E2BIG: does not fit into size bytes
 * with its NUL; -EINVAL: contains a NUL. */
int xs_client_read(struct xs_client *client, uint32_t tx, const char *path, char *buf, size_t size);

/* Reads a number as Linux's xenbus_scanf does: blanks before the number and any bytes after it are
 * allowed. -EINVAL: no number; -ERANGE: greater than max. */
int xs_client_read_u64(struct xs_client *client, uint32_t tx, const char *path, uint64_t max,
                       uint64_t *out);

int xs_client_write(struct xs_client *client, uint32_t tx, const char *path, const char *value);
int xs_client_writef(struct xs_client *client, uint32_t tx, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
int xs_client_rm(struct xs_client *client, uint32_t tx, const char *path);

int xs_client_transaction_start(struct xs_client *client, uint32_t *tx);

/* -EAGAIN: somebody else has changed what the transaction used: start it again. The id is invalid
 * in any case. */
int xs_client_transaction_end(struct xs_client *client, uint32_t tx, bool commit);

/* token names the watch in its events. The watch fires once when it is set. */
int xs_client_watch(struct xs_client *client, const char *path, const char *token);

/*
 * Takes the next watch event; waits up to timeout_ms for one (0: does not wait). Equal events that
 * wait are merged. Returns 0, -ETIMEDOUT or -EINTR (the connection stays usable), -E2BIG (a buffer
 * is too small; the event is lost), or one of the above; -ETIME where a call had no answer in time.
 */
int xs_client_next_event(struct xs_client *client, int timeout_ms, char *path, size_t path_size,
                         char *token, size_t token_size);

#endif
