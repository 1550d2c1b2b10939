/* SPDX-License-Identifier: MIT */
#include "xenstore/server/xs_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xenstore/server/xs_server_private.h"

void xs_session_init(struct xs_session *session, struct xs_server *server, struct xs_actor actor,
                     void (*event_posted)(void *ctx), void *ctx)
{
    *session = (struct xs_session){.server = server, .store = &server->store, .actor = actor};
    xs_watcher_init(&session->watcher, &server->store.watches, &session->actor,
                    actor.privileged ? XS_SESSION_EVENTS_PRIVILEGED : XS_SESSION_EVENTS,
                    event_posted, ctx);
}

void xs_session_clear(struct xs_session *session)
{
    xs_session_reset(session);
    xs_watcher_clear(&session->watcher);
}

int xs_session_watch(struct xs_session *session, const char *path, size_t skip, const char *token,
                     uint32_t depth)
{
    if (xs_watcher_has(&session->watcher, path, token))
        return -EEXIST;
    if (!session->actor.privileged &&
        xs_quota_exceeded(xs_session_quota(session)->watches, session->watcher.count))
        return -E2BIG;
    return xs_watcher_add(&session->watcher, path, skip, token, depth);
}

struct xs_transaction *xs_session_transaction(const struct xs_session *session, uint32_t id)
{
    struct xs_transaction *tx = session->transactions;
    while (tx != NULL && tx->id != id)
        tx = tx->next;
    return tx;
}

int xs_session_begin(struct xs_session *session, uint32_t *id)
{
    struct xs_transaction *tx;
    if (!session->actor.privileged &&
        xs_quota_exceeded(xs_session_quota(session)->transactions, session->transaction_count))
        return -ENOSPC;
    do
        *id = ++session->last_transaction_id;
    while (*id == 0 || xs_session_transaction(session, *id) != NULL);
    int rc = xs_transaction_open(session->store, &session->actor, *id, &tx);
    if (rc < 0)
        return rc;
    tx->next = session->transactions;
    session->transactions = tx;
    session->transaction_count++;
    return 0;
}

int xs_session_end(struct xs_session *session, struct xs_transaction *tx, bool commit)
{
    struct xs_transaction **slot = &session->transactions;
    while (*slot != tx)
        slot = &(*slot)->next;
    *slot = tx->next;
    session->transaction_count--;
    int rc = commit ? xs_transaction_commit(tx) : 0;
    xs_transaction_close(tx);
    return rc;
}

void xs_session_reset(struct xs_session *session)
{
    xs_watcher_reset(&session->watcher);
    while (session->transactions != NULL)
        xs_session_end(session, session->transactions, false);
}
