/* SPDX-License-Identifier: MIT */
#include "xenstore/xs_event.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void xs_events_init(struct xs_event_queue *queue, uint32_t count_max)
{
    *queue = (struct xs_event_queue){.count_max = count_max};
    queue->last = &queue->first;
}

int xs_event_source_init(struct xs_event_source *source)
{
    source->reserve = calloc(1, sizeof(*source->reserve));
    if (source->reserve == NULL)
        return -ENOMEM;
    source->reserve->path = source->path;
    source->reserve->source = source;
    return 0;
}

void xs_event_source_clear(struct xs_event_source *source)
{
    free(source->reserve);
    source->reserve = NULL;
}

static uint32_t hash_event(const struct xs_event_source *source, const char *path)
{
    uint32_t hash = 2166136261u ^ (uint32_t)((uintptr_t)source >> 4);
    while (*path != '\0')
        hash = (hash ^ (uint8_t)*path++) * 16777619u;
    return hash ^ (hash >> 16);
}

static bool is_queued(const struct xs_event_queue *queue, const struct xs_event_source *source,
                      const char *path, uint32_t hash)
{
    const struct xs_event *e = queue->bucket[hash % XS_EVENT_BUCKETS];
    while (e != NULL && (e->hash != hash || e->source != source || strcmp(e->path, path) != 0))
        e = e->bucket_next;
    return e != NULL;
}

static void append(struct xs_event_queue *queue, struct xs_event *event, uint32_t hash)
{
    struct xs_event **bucket = &queue->bucket[hash % XS_EVENT_BUCKETS];
    event->hash = hash;
    event->bucket_next = *bucket;
    *bucket = event;
    event->next = NULL;
    event->end = 0;
    *queue->last = event;
    queue->last = &event->next;
    if (queue->next_out == NULL)
        queue->next_out = event;
    queue->count++;
}

static struct xs_event *new_event(struct xs_event_source *source, const char *path)
{
    size_t size = strlen(path) + 1;
    struct xs_event *event = malloc(sizeof(*event) + size);
    if (event == NULL)
        return NULL;
    memcpy(event->text, path, size);
    event->path = event->text;
    event->source = source;
    event->on_heap = true;
    return event;
}

void xs_events_post(struct xs_event_queue *queue, struct xs_event_source *source, const char *path)
{
    uint32_t hash = hash_event(source, path);
    if (is_queued(queue, source, path, hash))
        return;
    struct xs_event *event = NULL;
    if (queue->count < queue->count_max)
        event = new_event(source, path);
    if (event == NULL) {
        /* Falling back to the watched path; if that is queued already, it says it all. */
        hash = hash_event(source, source->path);
        if (is_queued(queue, source, source->path, hash))
            return;
        event = source->reserve;
    }
    append(queue, event, hash);
}

void xs_events_moved(struct xs_event_queue *queue, uint64_t end)
{
    queue->next_out->end = end;
    queue->next_out = queue->next_out->next;
}

/* Takes out *slot. */
static void take_out(struct xs_event_queue *queue, struct xs_event **slot)
{
    struct xs_event *event = *slot;
    struct xs_event **bucket = &queue->bucket[event->hash % XS_EVENT_BUCKETS];
    while (*bucket != event)
        bucket = &(*bucket)->bucket_next;
    *bucket = event->bucket_next;
    *slot = event->next;
    if (queue->last == &event->next)
        queue->last = slot;
    if (queue->next_out == event)
        queue->next_out = event->next;
    queue->count--;
    if (event->on_heap)
        free(event);
}

void xs_events_sent(struct xs_event_queue *queue, uint64_t sent)
{
    while (queue->first != queue->next_out && queue->first->end <= sent)
        take_out(queue, &queue->first);
}

void xs_events_forget(struct xs_event_queue *queue, const struct xs_event_source *source)
{
    struct xs_event **slot = &queue->first;
    while (*slot != NULL) {
        if ((*slot)->source == source)
            take_out(queue, slot);
        else
            slot = &(*slot)->next;
    }
}

void xs_events_clear(struct xs_event_queue *queue)
{
    while (queue->first != NULL)
        take_out(queue, &queue->first);
}
