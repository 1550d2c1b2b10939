/* SPDX-License-Identifier: MIT */
/*
 * xs_conn: one connection to the store, as bytes in and bytes out.
 *
 * The transport moves bytes: into the connection while xs_conn_input_room allows it, out of the
 * connection while xs_conn_output has bytes. Requests are carried out in order, by xs_server_run
 * only. A request waits until the output has room for the largest possible reply. So a peer that
 * does not read its replies is not served, and no more of its requests are taken: both buffers are
 * bounded.
 */
#ifndef SPLITDOM_XENSTORE_SERVER_XS_CONN_H
#define SPLITDOM_XENSTORE_SERVER_XS_CONN_H

#include <stdbool.h>
#include <stddef.h>

#include "splitdom/xen/grant_table.h"
#include "xenstore/server/xs_server.h"

/*
 * Both are optional and are called from within functions of this library. They may call
 * xs_conn_output and xs_conn_output_done, and nothing else of it. ctx comes from xs_conn_open.
 */
struct xs_conn_ops {
    void (*output_ready)(void *ctx); /* there was nothing to send, now there is */
    void (*work_ready)(void *ctx);   /* xs_server_run has something to do for this connection */
};

/*
 * Opens a connection of domid. privileged: a program of Dom0, which may do everything and has no
 * limits. ops (may be NULL) must outlive the connection. Returns 0 with *out owned by the caller,
 * or -ENOMEM.
 */
int xs_conn_open(struct xs_server *server, domid_t domid, bool privileged,
                 const struct xs_conn_ops *ops, void *ctx, struct xs_conn **out);

/* Drops its watches, its transactions and everything queued. NULL is allowed. */
void xs_conn_close(struct xs_conn *conn);

/* Makes it as new: drops the same as xs_conn_close. The next byte is the first of a request. */
void xs_conn_reset(struct xs_conn *conn);

/*
 * How many bytes it takes now. 0: the maximum number of requests wait; ask again after
 * xs_server_run. For an unprivileged connection this is never more than the rest of one request, so
 * exactly as many requests wait as the quota allows.
 */
size_t xs_conn_input_room(const struct xs_conn *conn);

/* Takes n bytes, n <= xs_conn_input_room. Returns 0, or -EPROTO if the peer broke the protocol (a
 * payload longer than XENSTORE_PAYLOAD_MAX): then it takes nothing more and is to be closed. */
int xs_conn_input(struct xs_conn *conn, const void *bytes, size_t n);

/* Whether complete requests wait to be carried out. */
bool xs_conn_has_requests(const struct xs_conn *conn);

/* The bytes that wait to be sent, contiguous, valid until the next call; returns their number. */
size_t xs_conn_output(const struct xs_conn *conn, const void **bytes);

/* The first n of them have been sent. Requests and events that waited for room become ready. */
void xs_conn_output_done(struct xs_conn *conn, size_t n);

#endif
