/* SPDX-License-Identifier: MIT */
#include "xenstore/xs_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/container_of.h"

void xs_session_init(struct xs_session *session, struct xs_store *store, struct xs_actor actor,
                     void (*event_posted)(struct xs_session *))
{
    *session = (struct xs_session){.store = store, .actor = actor, .event_posted = event_posted};
    xs_events_init(&session->events,
                   actor.privileged ? XS_SESSION_EVENTS_PRIVILEGED : XS_SESSION_EVENTS);
}

static void fire(struct xs_watch *watch, const char *path)
{
    struct xs_session_watch *sw = container_of(watch, struct xs_session_watch, watch);
    xs_events_post(&sw->session->events, &sw->source, path);
    sw->session->event_posted(sw->session);
}

static struct xs_session_watch **find_watch(struct xs_session *session, const char *path,
                                            const char *token)
{
    struct xs_session_watch **slot = &session->watches;
    while (*slot != NULL &&
           (strcmp((*slot)->watch.path, path) != 0 || strcmp((*slot)->source.token, token) != 0))
        slot = &(*slot)->next;
    return slot;
}

int xs_session_watch(struct xs_session *session, const char *path, size_t skip, const char *token,
                     uint32_t depth)
{
    size_t path_size = strlen(path) + 1, token_size = strlen(token) + 1;
    if (token_size > XS_SESSION_TOKEN_MAX)
        return -E2BIG;
    if (*find_watch(session, path, token) != NULL)
        return -EEXIST;
    if (!session->actor.privileged && session->watch_count >= session->store->quota.watches)
        return -ENOSPC;
    struct xs_session_watch *sw = calloc(1, sizeof(*sw) + path_size + token_size);
    if (sw == NULL)
        return -ENOMEM;
    memcpy(sw->text, path, path_size);
    memcpy(sw->text + path_size, token, token_size);
    sw->source.path = sw->text;
    sw->source.token = sw->text + path_size;
    sw->source.skip = skip;
    if (xs_event_source_init(&sw->source) < 0) {
        free(sw);
        return -ENOMEM;
    }
    sw->watch =
        (struct xs_watch){.actor = session->actor, .path = sw->text, .depth = depth, .fire = fire};
    sw->session = session;
    sw->next = session->watches;
    session->watches = sw;
    session->watch_count++;
    xs_watch_index_add(&session->store->watches, &sw->watch);
    fire(&sw->watch, sw->text);
    return 0;
}

static void drop_watch(struct xs_session *session, struct xs_session_watch **slot)
{
    struct xs_session_watch *sw = *slot;
    *slot = sw->next;
    session->watch_count--;
    xs_watch_index_remove(&session->store->watches, &sw->watch);
    xs_events_forget(&session->events, &sw->source);
    xs_event_source_clear(&sw->source);
    free(sw);
}

int xs_session_unwatch(struct xs_session *session, const char *path, const char *token)
{
    struct xs_session_watch **slot = find_watch(session, path, token);
    if (*slot == NULL)
        return -ENOENT;
    drop_watch(session, slot);
    return 0;
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
        session->transaction_count >= session->store->quota.transactions)
        return -ENOSPC;
    do
        *id = ++session->last_transaction_id;
    while (*id == 0 || xs_session_transaction(session, *id) != NULL);
    int rc = xs_transaction_open(session->store, session->actor, *id, &tx);
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
    /* All at once first: each watch then finds none of its own. */
    xs_events_clear(&session->events);
    while (session->watches != NULL)
        drop_watch(session, &session->watches);
    while (session->transactions != NULL)
        xs_session_end(session, session->transactions, false);
}
