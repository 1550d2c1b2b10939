/* SPDX-License-Identifier: MIT */
/*
 * xs_server_private: what connections and local watches share of the server; private to the layer.
 */
#ifndef SPLITDOM_XENSTORE_SERVER_XS_SERVER_PRIVATE_H
#define SPLITDOM_XENSTORE_SERVER_XS_SERVER_PRIVATE_H

#include "base/list.h"
#include "xenstore/server/xs_trace.h"
#include "xenstore/tree/xs_store.h"

struct xs_conn;

struct xs_server {
    struct xs_store store;
    struct list conns;                     /* all xs_conn, by link */
    struct list ready;                     /* those with something to do, in turn, by ready */
    struct list locals;                    /* all xs_local_watch, by link */
    struct list due;                       /* those with an event, in turn, by due */
    uint8_t unclean[(UINT16_MAX + 1) / 8]; /* domids whose remains are still in the store */
    struct xs_trace trace;
};

/* One turn of a connection that was taken off the ready list. Does one step of each kind, and puts
 * the connection back on the list if it has more work. Returns the steps done. */
unsigned xs_conn_turn(struct xs_conn *conn);

/* Takes the first connection off the ready list; NULL: none. */
struct xs_conn *xs_conn_next_ready(struct xs_server *server);

/* Closes all connections. */
void xs_conn_close_all(struct xs_server *server);

/* Drops what the connections of a dead domain hold. They take no input and send nothing more. */
void xs_conn_deafen(struct xs_server *server, domid_t domid);

/* Drops watches and transactions of a domain's connections. */
void xs_conn_reset_sessions(struct xs_server *server, domid_t domid);

/* The connections of a domain may also do what another domain may do. */
void xs_conn_set_target(struct xs_server *server, domid_t domid, domid_t target);

/* What the connections of a domain hold. */
struct xs_conn_usage {
    uint32_t watches, transactions, outstanding;
};
struct xs_conn_usage xs_conn_usage(const struct xs_server *server, domid_t domid);

/* The number of all connections. */
uint32_t xs_conn_count(const struct xs_server *server);

/* Calls the first local watch that is due; at least one is. */
void xs_local_deliver(struct xs_server *server);

/* Ends all local watches. */
void xs_local_unwatch_all(struct xs_server *server);

#endif
