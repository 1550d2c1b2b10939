/* SPDX-License-Identifier: MIT */
/*
 * xs_event: the queue of watch events of one connection: changes that it has not been told of yet.
 *
 * An event is one change, for all watches of the connection that the change concerns. These watches
 * are looked up when the messages are written (xs_watcher.h), so a change costs the same whether
 * the connection has one watch or ten thousand.
 *
 * Equal events that wait are merged, until the first message of the event has been handed over. The
 * number of events is bounded. Beyond the bound, or without memory, one event stands for all that
 * did not fit, and every watch reports its own path. So nothing is lost: a client that gets an
 * event reads the tree again, as with any event.
 */
#ifndef SPLITDOM_XENSTORE_TREE_XS_EVENT_H
#define SPLITDOM_XENSTORE_TREE_XS_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "xenstore/tree/xs_watch.h"
#include "xenstore/xs_hash.h"

enum xs_event_kind {
    XS_EVENT_CHANGE, /* of path */
    XS_EVENT_FIRST,  /* the one when a watch is set; part of the watch */
    XS_EVENT_ALL,    /* each watch reports its own path; part of the queue */
};

struct xs_event {
    struct list_node queued;
    struct xs_hash_link link; /* valid while is_equal_to_new */
    enum xs_event_kind kind;
    enum xs_match match;
    bool is_equal_to_new; /* a new event of this path may be left out */
    uint64_t id;          /* of its own */
    uint64_t from, to;    /* numbers of the watches that are still to be told: from..to-1 */
    uint64_t first_end;   /* where its first message ends in the output stream; 0: not there yet */
    const char *path;     /* absolute or special */
};

struct xs_event_queue {
    struct list all_queued;
    struct xs_event *next_out; /* the first that is not in the output stream as a whole */
    uint32_t count, count_max;
    uint32_t seed;
    uint64_t last_id;
    struct xs_hash equal; /* by path */
    struct xs_event all;
};

/* seed is for hashes of paths (xs_hash.h). */
void xs_events_init(struct xs_event_queue *queue, uint32_t count_max, uint32_t seed);
void xs_events_clear(struct xs_event_queue *queue); /* for good */

/* Queues a change for the watches with numbers below watch_end, unless an equal one waits. Never
 * fails. */
void xs_events_post(struct xs_event_queue *queue, const char *path, enum xs_match match,
                    uint64_t watch_end);

/* Queues the first event of a new watch; event is zero-initialised and must not move. */
void xs_events_post_first(struct xs_event_queue *queue, struct xs_event *event, const char *path);

/* Removes an event of xs_events_post_first; does nothing if it is not queued. */
void xs_events_forget_first(struct xs_event_queue *queue, struct xs_event *event);

/* Notes that a message of next_out is in the output stream, which it makes end bytes long. */
void xs_events_put(struct xs_event_queue *queue, uint64_t end);

/* Notes that next_out has no more messages. */
void xs_events_done(struct xs_event_queue *queue);

/* Notes that the first sent bytes of the output stream have been handed over. */
void xs_events_sent(struct xs_event_queue *queue, uint64_t sent);

/* Drops all that wait. */
void xs_events_drop(struct xs_event_queue *queue);

#endif
