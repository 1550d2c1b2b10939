/* SPDX-License-Identifier: MIT */
#include "xenstore/tree/xs_watcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/container_of.h"
#include "splitdom/xen/xs_wire.h"
#include "xenstore/xs_path.h"

/* All watches of a connection on one path, in the order in which they were set. */
struct point {
    struct xs_watch watch;    /* in the store's index */
    struct xs_hash_link link; /* in by_path */
    struct xs_watcher *watcher;
    struct list watches;
    struct list_node *cursor; /* the first that the event with this id has not passed */
    uint64_t cursor_of;
    char path[];
};

struct xs_own_watch {
    struct xs_hash_link link;  /* in by_token */
    struct list_node at_point; /* of the point */
    struct list_node at_all;   /* of the watcher */
    struct point *point;
    struct xs_event first_event;
    uint64_t number; /* the order in which they were set */
    uint32_t depth;
    size_t skip;
    char token[];
};

void xs_watcher_init(struct xs_watcher *watcher, struct xs_watch_index *index,
                     const struct xs_actor *actor, uint32_t events_max,
                     void (*event_posted)(void *ctx), void *ctx)
{
    *watcher = (struct xs_watcher){
        .index = index, .actor = actor, .event_posted = event_posted, .ctx = ctx};
    xs_events_init(&watcher->events, events_max, index->seed);
    xs_hash_init(&watcher->by_path);
    xs_hash_init(&watcher->by_token);
}

void xs_watcher_clear(struct xs_watcher *watcher)
{
    xs_watcher_reset(watcher);
    xs_events_clear(&watcher->events);
    xs_hash_clear(&watcher->by_path);
    xs_hash_clear(&watcher->by_token);
}

static struct point *find_point(const struct xs_watcher *watcher, const char *path, size_t len,
                                uint32_t hash)
{
    struct xs_hash_link *link = xs_hash_first(&watcher->by_path, hash);
    for (; link != NULL; link = xs_hash_next(link)) {
        struct point *point = container_of(link, struct point, link);
        if (strncmp(point->path, path, len) == 0 && point->path[len] == '\0')
            return point;
    }
    return NULL;
}

static void fire(struct xs_watch *watch, const char *path, enum xs_match match)
{
    struct xs_watcher *watcher = container_of(watch, struct point, watch)->watcher;
    if (watcher->last_firing == watcher->index->firings)
        return; /* another watched path is concerned by the same change */
    watcher->last_firing = watcher->index->firings;
    xs_events_post(&watcher->events, path, match, watcher->next_number);
    watcher->event_posted(watcher->ctx);
}

/* The point for path, made if there is none; NULL without memory. */
static struct point *get_point(struct xs_watcher *watcher, const char *path)
{
    size_t len = strlen(path);
    uint32_t hash = xs_hash_text(watcher->index->seed, path);
    struct point *point = find_point(watcher, path, len, hash);
    if (point != NULL)
        return point;
    point = calloc(1, sizeof(*point) + len + 1);
    if (point == NULL)
        return NULL;
    memcpy(point->path, path, len + 1);
    point->watcher = watcher;
    point->watch = (struct xs_watch){.actor = watcher->actor, .path = point->path, .fire = fire};
    xs_hash_add(&watcher->by_path, &point->link, hash);
    xs_watch_index_add(watcher->index, &point->watch);
    return point;
}

static void drop_point(struct point *point)
{
    xs_watch_index_remove(point->watcher->index, &point->watch);
    xs_hash_remove(&point->watcher->by_path, &point->link);
    free(point);
}

static struct xs_own_watch *find_watch(const struct xs_watcher *watcher, const char *path,
                                       const char *token, uint32_t *hash)
{
    *hash = xs_hash_text(xs_hash_byte(xs_hash_text(watcher->index->seed, path), '\0'), token);
    struct xs_hash_link *link = xs_hash_first(&watcher->by_token, *hash);
    for (; link != NULL; link = xs_hash_next(link)) {
        struct xs_own_watch *watch = container_of(link, struct xs_own_watch, link);
        if (strcmp(watch->token, token) == 0 && strcmp(watch->point->path, path) == 0)
            return watch;
    }
    return NULL;
}

bool xs_watcher_has(const struct xs_watcher *watcher, const char *path, const char *token)
{
    uint32_t hash;
    return find_watch(watcher, path, token, &hash) != NULL;
}

int xs_watcher_add(struct xs_watcher *watcher, const char *path, size_t skip, const char *token,
                   uint32_t depth)
{
    uint32_t hash;
    if (find_watch(watcher, path, token, &hash) != NULL)
        return -EEXIST;
    size_t size = strlen(token) + 1;
    struct xs_own_watch *watch = calloc(1, sizeof(*watch) + size);
    struct point *point = watch == NULL ? NULL : get_point(watcher, path);
    if (point == NULL) {
        free(watch);
        return -ENOMEM;
    }
    memcpy(watch->token, token, size);
    watch->point = point;
    watch->number = watcher->next_number++;
    watch->depth = depth;
    watch->skip = skip;
    point->watch.any_depth |= depth == XS_WATCH_DEPTH_ANY;
    if (depth != XS_WATCH_DEPTH_ANY && depth > point->watch.depth_max)
        point->watch.depth_max = depth;
    list_push_back(&point->watches, &watch->at_point);
    list_push_back(&watcher->watches, &watch->at_all);
    watcher->count++;
    xs_hash_add(&watcher->by_token, &watch->link, hash);
    xs_events_post_first(&watcher->events, &watch->first_event, point->path);
    watcher->event_posted(watcher->ctx);
    return 0;
}

static void drop_watch(struct xs_watcher *watcher, struct xs_own_watch *watch)
{
    struct point *point = watch->point;
    /* Whoever is at this watch goes on with the next. */
    if (point->cursor == &watch->at_point)
        point->cursor = list_next(&point->watches, &watch->at_point);
    if (watcher->cursor == &watch->at_all)
        watcher->cursor = list_next(&watcher->watches, &watch->at_all);
    list_remove(&watch->at_point);
    list_remove(&watch->at_all);
    watcher->count--;
    xs_events_forget_first(&watcher->events, &watch->first_event);
    xs_hash_remove(&watcher->by_token, &watch->link);
    free(watch);
    if (list_is_empty(&point->watches))
        drop_point(point);
}

int xs_watcher_remove(struct xs_watcher *watcher, const char *path, const char *token)
{
    uint32_t hash;
    struct xs_own_watch *watch = find_watch(watcher, path, token, &hash);
    if (watch == NULL)
        return -ENOENT;
    drop_watch(watcher, watch);
    return 0;
}

void xs_watcher_reset(struct xs_watcher *watcher)
{
    struct list_node *node;
    while ((node = list_first(&watcher->watches)) != NULL)
        drop_watch(watcher, container_of(node, struct xs_own_watch, at_all));
    xs_events_drop(&watcher->events);
}

/* The first watch of the point that the event is for and that it has not passed. */
static struct xs_own_watch *next_of_point(struct point *point, const struct xs_event *event,
                                          uint32_t levels)
{
    if (point->cursor_of != event->id) {
        point->cursor_of = event->id;
        point->cursor = list_first(&point->watches);
    }
    for (; point->cursor != NULL; point->cursor = list_next(&point->watches, point->cursor)) {
        struct xs_own_watch *watch = container_of(point->cursor, struct xs_own_watch, at_point);
        if (watch->number >= event->from && xs_match_wants(event->match, watch->depth, levels))
            return watch;
    }
    return NULL;
}

/* The watch of the lowest number of those on the event's path and on its ancestors. */
static struct xs_own_watch *next_of_change(struct xs_watcher *watcher, const struct xs_event *event)
{
    struct xs_own_watch *next = NULL;
    struct xs_ancestry a;
    xs_ancestry_begin(&a, event->path, watcher->index->seed);
    while (xs_ancestry_next(&a)) {
        struct point *point = find_point(watcher, event->path, a.len, a.hash);
        struct xs_own_watch *watch = point == NULL ? NULL : next_of_point(point, event, a.levels);
        if (watch != NULL && (next == NULL || watch->number < next->number))
            next = watch;
    }
    return next;
}

static struct xs_own_watch *next_of_all(struct xs_watcher *watcher, const struct xs_event *event)
{
    if (watcher->cursor_of != event->id) {
        watcher->cursor_of = event->id;
        watcher->cursor = list_first(&watcher->watches);
    }
    for (; watcher->cursor != NULL;
         watcher->cursor = list_next(&watcher->watches, watcher->cursor)) {
        struct xs_own_watch *watch = container_of(watcher->cursor, struct xs_own_watch, at_all);
        if (watch->number >= event->from)
            return watch;
    }
    return NULL;
}

static struct xs_own_watch *next_of_event(struct xs_watcher *watcher, struct xs_event *event)
{
    switch (event->kind) {
    case XS_EVENT_CHANGE:
        return next_of_change(watcher, event);
    case XS_EVENT_ALL:
        return next_of_all(watcher, event);
    case XS_EVENT_FIRST:
        return event->first_end != 0 ? NULL : container_of(event, struct xs_own_watch, first_event);
    }
    return NULL;
}

bool xs_watcher_next(struct xs_watcher *watcher, struct xs_watch_message *message)
{
    struct xs_event *event;
    while ((event = watcher->events.next_out) != NULL) {
        struct xs_own_watch *watch = next_of_event(watcher, event);
        if (watch == NULL || (event->kind != XS_EVENT_FIRST && watch->number >= event->to)) {
            xs_events_done(&watcher->events);
            continue;
        }
        event->from = watch->number + 1;
        message->token = watch->token;
        message->path = event->kind == XS_EVENT_ALL ? watch->point->path : event->path;
        /* If the path is too long for a message, the watched path is sent: that always fits. */
        if (strlen(message->path + watch->skip) + strlen(watch->token) + 2 > XENSTORE_PAYLOAD_MAX)
            message->path = watch->point->path;
        message->path += watch->skip;
        return true;
    }
    return false;
}
