/* SPDX-License-Identifier: MIT */
/*
 * xs_event: the watch events of one connection that are not yet on their way.
 *
 * At most one event per watch and path waits, until its last byte has been handed over. The number
 * is bounded: beyond the bound, or without memory, a watch reports the path that it watches, with
 * an event that it has kept in reserve for that. So nothing is ever lost: whoever gets the event
 * looks at the tree again, as with any event.
 */
#ifndef SPLITDOM_XENSTORE_XS_EVENT_H
#define SPLITDOM_XENSTORE_XS_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xs_event {
    struct xs_event *next, *bucket_next;
    struct xs_event_source *source;
    const char *path; /* absolute or special */
    uint64_t end;     /* position in the output stream after its last byte, once it is there */
    uint32_t hash;
    bool on_heap;
    char text[];
};

/* A watch as the origin of events. */
struct xs_event_source {
    const char *path;  /* that it watches */
    const char *token; /* opaque to the store */
    size_t skip;       /* bytes of each path that a relative watch does not see */
    struct xs_event *reserve;
};

enum { XS_EVENT_BUCKETS = 256 };

/* Zero-initialise it and call xs_events_init. */
struct xs_event_queue {
    struct xs_event *first, **last;
    struct xs_event *next_out; /* the first that is not in the output stream */
    uint32_t count, count_max;
    struct xs_event *bucket[XS_EVENT_BUCKETS];
};

void xs_events_init(struct xs_event_queue *queue, uint32_t count_max);
void xs_events_clear(struct xs_event_queue *queue); /* before the sources are freed */

/* path, token and skip are set. Returns 0 or -ENOMEM. */
int xs_event_source_init(struct xs_event_source *source);
void xs_event_source_clear(struct xs_event_source *source); /* after xs_events_forget */

/* Queues an event unless the same one waits. Never fails. */
void xs_events_post(struct xs_event_queue *queue, struct xs_event_source *source, const char *path);

/* Notes that queue->next_out is in the output stream, which it makes end bytes long. */
void xs_events_moved(struct xs_event_queue *queue, uint64_t end);

/* Notes that the first sent bytes of the output stream have been handed over. */
void xs_events_sent(struct xs_event_queue *queue, uint64_t sent);

/* Drops all events of a source. */
void xs_events_forget(struct xs_event_queue *queue, const struct xs_event_source *source);

#endif
