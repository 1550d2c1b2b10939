/* SPDX-License-Identifier: MIT */
/*
 * xs_watcher: the watches of one connection, and which of them an event concerns.
 *
 * All watches of the connection on one path are one entry in the store's index. An event becomes
 * one message for each watch that it concerns, in the order in which the watches were set.
 */
#ifndef SPLITDOM_XENSTORE_TREE_XS_WATCHER_H
#define SPLITDOM_XENSTORE_TREE_XS_WATCHER_H

#include "xenstore/tree/xs_event.h"
#include "xenstore/tree/xs_watch.h"

struct xs_own_watch;

struct xs_watcher {
    struct xs_watch_index *index;
    const struct xs_actor *actor;
    void (*event_posted)(void *ctx); /* called whenever one may wait */
    void *ctx;
    struct xs_event_queue events;
    uint32_t count;
    uint64_t next_number;
    uint64_t last_firing;     /* of the index, that is queued or known to be queued */
    struct xs_hash by_path;   /* entries of the index */
    struct xs_hash by_token;  /* watches, by path and token */
    struct list watches;      /* all, in the order in which they were set */
    struct list_node *cursor; /* of the event that is for all */
    uint64_t cursor_of;       /* its id */
};

/* A message to be sent; the texts are valid until the next call. */
struct xs_watch_message {
    const char *path; /* as the watch sees it */
    const char *token;
};

/* index and actor outlive it; it stays where it is. */
void xs_watcher_init(struct xs_watcher *watcher, struct xs_watch_index *index,
                     const struct xs_actor *actor, uint32_t events_max,
                     void (*event_posted)(void *ctx), void *ctx);
void xs_watcher_clear(struct xs_watcher *watcher); /* for good */

bool xs_watcher_has(const struct xs_watcher *watcher, const char *path, const char *token);

/* path is absolute (messages leave out its first skip bytes) or special. The watch fires once when
 * it is set. Returns 0, -EEXIST or -ENOMEM. */
int xs_watcher_add(struct xs_watcher *watcher, const char *path, size_t skip, const char *token,
                   uint32_t depth);
/* Returns 0 or -ENOENT. */
int xs_watcher_remove(struct xs_watcher *watcher, const char *path, const char *token);

/* Drops watches and events. */
void xs_watcher_reset(struct xs_watcher *watcher);

static inline bool xs_watcher_has_events(const struct xs_watcher *watcher)
{
    return watcher->events.next_out != NULL;
}

/* The next message that waits; false: there is none. The caller must send it, and then calls
 * xs_events_put to note where it ends. */
bool xs_watcher_next(struct xs_watcher *watcher, struct xs_watch_message *message);

#endif
