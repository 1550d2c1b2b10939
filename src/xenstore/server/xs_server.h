/* SPDX-License-Identifier: MIT */
/*
 * xs_server: xenstore as a whole: one store, its connections, its own local watches.
 *
 * A pure state machine: no sockets, no threads, no clock. Transports feed bytes into connections
 * (xs_conn.h; xs_ring.h for the ring page of a domain), and xs_server_run does the work in
 * portions. One thread at a time. Several servers may exist side by side.
 */
#ifndef SPLITDOM_XENSTORE_SERVER_XS_SERVER_H
#define SPLITDOM_XENSTORE_SERVER_XS_SERVER_H

#include <stdbool.h>

#include "splitdom/xen/grant_table.h"
#include "splitdom/xen/xs_wire.h"
#include "xenstore/tree/xs_quota.h"

struct xs_server;
struct xs_conn;

/* The store's features, as in server_features of a ring's page. */
enum {
    XS_SERVER_FEATURES = XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR |
                         XENSTORE_SERVER_FEATURE_WATCHDEPTH | XENSTORE_SERVER_FEATURE_DOMID_ANY,
};

/*
 * Creates a store with /tool/xenstored and /local/domain/0. quota NULL: the defaults. Returns 0
 * with *out owned by the caller, or -ENOMEM.
 */
int xs_server_create(const struct xs_quota *quota, struct xs_server **out);

/* Closes all connections and local watches that are left. NULL is allowed. */
void xs_server_destroy(struct xs_server *server);

/*
 * Notes that a domain exists and fires @introduceDomain; creates no node. Returns 0, -EEXIST if it
 * exists already, or -ENOMEM if remains of a former domain of that number could not be removed.
 */
int xs_server_introduce(struct xs_server *server, domid_t domid);

/*
 * The domain has ended. Removes /local/domain/<domid>, every node that the domain owns, and its
 * rights from permission lists. Its connections are served no more (they still have to be closed).
 * Fires @releaseDomain. Not for Dom0. Does nothing for a domain that does not exist.
 */
void xs_server_release(struct xs_server *server, domid_t domid);

/* The same for a domain that lives on without a store: nodes in /local/domain/<domid> that Dom0
 * owns are kept. The domain can't come back to the store. */
void xs_server_disconnect(struct xs_server *server, domid_t domid);

/* line gets the lines that tools ask for (CONTROL `print`, `log on`), from xs_server_run. It must
 * not call this library. ctx outlives the server. */
void xs_server_set_log(struct xs_server *server, void (*line)(void *ctx, const char *text),
                       void *ctx);

/*
 * Does at most budget steps of the work that waits, each connection in turn. A step is a request, a
 * batch of events of one connection, or a call of a local watch. Returns whether work is left. Not
 * from within a callback of this library.
 */
bool xs_server_run(struct xs_server *server, unsigned budget);

/* Whether nothing waits, so that xs_server_run would do nothing. */
bool xs_server_idle(const struct xs_server *server);

/* Verifies the store's invariants, for tests. 0 or -EIO. */
int xs_server_check(const struct xs_server *server);

/* For tests: the number of nodes that a domain owns; the number of known paths of such nodes
 * outside its home. */
uint32_t xs_server_nodes(const struct xs_server *server, domid_t domid);
size_t xs_server_strays(const struct xs_server *server, domid_t domid);

#endif
