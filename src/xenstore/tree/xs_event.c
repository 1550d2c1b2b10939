/* SPDX-License-Identifier: MIT */
#include "xenstore/tree/xs_event.h"

#include <stdlib.h>
#include <string.h>

#include "base/container_of.h"

/* An event of its own; one of the other kinds is a part of something. */
struct change {
    struct xs_event event;
    char path[];
};

void xs_events_init(struct xs_event_queue *queue, uint32_t count_max, uint32_t seed)
{
    *queue = (struct xs_event_queue){.count_max = count_max, .seed = seed};
    queue->all.kind = XS_EVENT_ALL;
    xs_hash_init(&queue->equal);
}

void xs_events_clear(struct xs_event_queue *queue)
{
    xs_events_drop(queue);
    xs_hash_clear(&queue->equal);
}

static struct xs_event *first_of(const struct xs_event_queue *queue)
{
    return container_or_null(list_first(&queue->all_queued), struct xs_event, queued);
}

static struct xs_event *after(const struct xs_event_queue *queue, const struct xs_event *event)
{
    return container_or_null(list_next(&queue->all_queued, &event->queued), struct xs_event,
                             queued);
}

static void append(struct xs_event_queue *queue, struct xs_event *event)
{
    event->id = ++queue->last_id;
    event->first_end = 0;
    list_push_back(&queue->all_queued, &event->queued);
    if (queue->next_out == NULL)
        queue->next_out = event;
    queue->count++;
}

static void set_unequal(struct xs_event_queue *queue, struct xs_event *event)
{
    if (event->is_equal_to_new)
        xs_hash_remove(&queue->equal, &event->link);
    event->is_equal_to_new = false;
}

static void take_out(struct xs_event_queue *queue, struct xs_event *event)
{
    set_unequal(queue, event);
    if (queue->next_out == event)
        queue->next_out = after(queue, event);
    list_remove(&event->queued);
    queue->count--;
    if (event->kind == XS_EVENT_CHANGE)
        free(container_of(event, struct change, event));
}

static struct xs_event *new_change(const char *path, enum xs_match match)
{
    size_t size = strlen(path) + 1;
    struct change *change = calloc(1, sizeof(*change) + size);
    if (change == NULL)
        return NULL;
    memcpy(change->path, path, size);
    change->event.path = change->path;
    change->event.kind = XS_EVENT_CHANGE;
    change->event.match = match;
    return &change->event;
}

/* One event for everything; if part of it is out already, it starts again. */
static void post_all(struct xs_event_queue *queue, uint64_t watch_end)
{
    if (!list_is_linked(&queue->all.queued))
        append(queue, &queue->all);
    queue->all.id = ++queue->last_id;
    queue->all.from = 0;
    queue->all.to = watch_end;
}

static struct xs_event *find_equal(const struct xs_event_queue *queue, const char *path,
                                   enum xs_match match, uint32_t hash)
{
    struct xs_hash_link *link = xs_hash_first(&queue->equal, hash);
    for (; link != NULL; link = xs_hash_next(link)) {
        struct xs_event *event = container_of(link, struct xs_event, link);
        if (event->match == match && strcmp(event->path, path) == 0)
            return event;
    }
    return NULL;
}

void xs_events_post(struct xs_event_queue *queue, const char *path, enum xs_match match,
                    uint64_t watch_end)
{
    uint32_t hash = xs_hash_text(queue->seed, path);
    struct xs_event *equal = find_equal(queue, path, match, hash);
    if (equal != NULL && equal->to == watch_end)
        return;
    if (equal != NULL)
        set_unequal(queue, equal); /* there are watches that it is not for */
    struct xs_event *event = queue->count < queue->count_max ? new_change(path, match) : NULL;
    if (event == NULL) {
        post_all(queue, watch_end);
        return;
    }
    event->to = watch_end;
    append(queue, event);
    if (path[0] == '@')
        return; /* each of them counts: the path says nothing that could be looked up */
    event->is_equal_to_new = true;
    xs_hash_add(&queue->equal, &event->link, hash);
}

void xs_events_post_first(struct xs_event_queue *queue, struct xs_event *event, const char *path)
{
    event->kind = XS_EVENT_FIRST;
    event->path = path;
    append(queue, event);
}

void xs_events_forget_first(struct xs_event_queue *queue, struct xs_event *event)
{
    if (list_is_linked(&event->queued))
        take_out(queue, event);
}

void xs_events_put(struct xs_event_queue *queue, uint64_t end)
{
    if (queue->next_out->first_end == 0)
        queue->next_out->first_end = end;
}

void xs_events_done(struct xs_event_queue *queue)
{
    struct xs_event *event = queue->next_out;
    queue->next_out = after(queue, event);
    if (!event->is_equal_to_new || event->first_end == 0)
        take_out(queue, event);
}

void xs_events_sent(struct xs_event_queue *queue, uint64_t sent)
{
    struct xs_event *event;
    while ((event = first_of(queue)) != queue->next_out && event->first_end <= sent)
        take_out(queue, event);
    if (queue->next_out != NULL && queue->next_out->first_end != 0 &&
        queue->next_out->first_end <= sent)
        set_unequal(queue, queue->next_out);
}

void xs_events_drop(struct xs_event_queue *queue)
{
    struct xs_event *event;
    while ((event = first_of(queue)) != NULL)
        take_out(queue, event);
}
