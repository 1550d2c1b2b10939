/* SPDX-License-Identifier: MIT */
/*
 * xs_session: what the store keeps of one connection apart from its bytes: its domain, its watches,
 * its transactions and the events that wait for it.
 */
#ifndef SPLITDOM_XENSTORE_SERVER_XS_SESSION_H
#define SPLITDOM_XENSTORE_SERVER_XS_SESSION_H

#include <stdint.h>

#include "xenstore/tree/xs_store.h"
#include "xenstore/tree/xs_transaction.h"
#include "xenstore/tree/xs_watcher.h"

enum {
    XS_SESSION_EVENTS = 1024,             /* that wait, of an unprivileged connection */
    XS_SESSION_EVENTS_PRIVILEGED = 16384, /* the same for Dom0's */
};

struct xs_server;

struct xs_session {
    struct xs_server *server;
    struct xs_store *store; /* the server's */
    struct xs_actor actor;
    struct xs_watcher watcher;
    struct xs_transaction *transactions;
    uint32_t transaction_count;
    uint32_t last_transaction_id;
};

/* event_posted is called whenever an event may wait. The session stays where it is. */
void xs_session_init(struct xs_session *session, struct xs_server *server, struct xs_actor actor,
                     void (*event_posted)(void *ctx), void *ctx);
void xs_session_clear(struct xs_session *session); /* for good */

/* The limits that hold for it. */
static inline const struct xs_quota *xs_session_quota(const struct xs_session *session)
{
    return xs_quotas_of(&session->store->quotas, session->actor.domid);
}

/* Drops watches, transactions and events. */
void xs_session_reset(struct xs_session *session);

/* path is absolute (events leave out its first skip bytes) or special. The watch fires once when it
 * is set. The path without these bytes and the token fit one payload. Returns 0, -EEXIST, -E2BIG
 * (too many), -ENOMEM. */
int xs_session_watch(struct xs_session *session, const char *path, size_t skip, const char *token,
                     uint32_t depth);
/* Returns 0, -ENOSPC or -ENOMEM. */
int xs_session_begin(struct xs_session *session, uint32_t *id);
/* Ends the transaction in any case. Returns 0 or an error of xs_transaction_commit. */
int xs_session_end(struct xs_session *session, struct xs_transaction *tx, bool commit);
struct xs_transaction *xs_session_transaction(const struct xs_session *session, uint32_t id);

#endif
