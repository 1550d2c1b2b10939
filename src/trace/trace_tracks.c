/* SPDX-License-Identifier: MIT */
#include "trace/trace_tracks.h"

#include <errno.h>
#include <stdlib.h>

enum {
    NS_MIN = 1,        /* a slice has a length, if there is room for one */
    PUBLISH_NS = 1000, /* how long showing answers looks: nobody takes its end */
    WORKS_MAX = 4,
};

bool trace_tracks_is_work(const struct trace_life *life, enum trace_stage stage)
{
    bool is_one = stage == TRACE_SUBMITTED || stage == TRACE_TAKEN || stage == TRACE_PUBLISHED ||
                  stage == TRACE_TAKEN_OFF;
    return is_one && life->at_ns[stage] != 0;
}

/* Where a life is drawn: lives of a domain with the same key are on one track. */
struct place {
    uint32_t domid, life;
    uint64_t key;
};

static int by_track(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->domid != y->domid)
        return x->domid < y->domid ? -1 : 1;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->life < y->life ? -1 : 1;
}

static bool is_same_place(const struct place *a, const struct place *b)
{
    return a->domid == b->domid && a->key == b->key;
}

/* Numbers the tracks from `number` on, in the order of domains and keys. Domains say what their
 * keys are: sorting bears as many as there are lives. Returns the number after the last one. */
static uint32_t number_tracks(struct place *places, size_t count, uint32_t number, uint32_t *of)
{
    qsort(places, count, sizeof(*places), by_track);
    for (size_t i = 0; i < count; i++) {
        number += i > 0 && !is_same_place(&places[i - 1], &places[i]);
        of[places[i].life] = number;
    }
    return count > 0 ? number + 1 : number;
}

/* So that they are numbered by which comes first in a domain, rather than by their keys. */
static void order_by_begin(struct place *places, size_t count)
{
    qsort(places, count, sizeof(*places), by_track);
    struct place last = {.domid = UINT32_MAX};
    uint32_t first = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_same_place(&last, &places[i]))
            first = places[i].life;
        last = places[i];
        places[i].key = first;
    }
}

/* Thread 0 is Dom0's loop. */
static int make_tracks(struct trace_tracks *t, const struct trace_set *set)
{
    struct place *places = calloc(set->count + 1, sizeof(*places));
    size_t count = 0;
    if (places == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct trace_life *life = &set->lives[i];
        if (life->state == TRACE_WHOLE)
            places[count++] = (struct place){.domid = life->domid, .life = i, .key = life->devid};
    }
    t->disk_count = number_tracks(places, count, 0, t->disk_of);
    for (size_t i = 0; i < count; i++)
        places[i].key = set->lives[places[i].life].thread;
    order_by_begin(places, count);
    t->thread_count = number_tracks(places, count, 1, t->thread_of);
    for (size_t i = 0; i < count; i++) {
        const struct trace_life *life = &set->lives[places[i].life];
        t->disks[t->disk_of[places[i].life]] =
            (struct trace_disk){.domid = life->domid, .devid = life->devid};
        t->threads[t->thread_of[places[i].life]] = (struct trace_thread){.domid = life->domid};
    }
    for (uint32_t i = 1; i < t->thread_count; i++)
        t->threads[i].number =
            t->threads[i - 1].domid == t->threads[i].domid ? t->threads[i - 1].number + 1 : 1;
    free(places);
    return 0;
}

static uint64_t end_of_work(const struct trace_life *life, enum trace_stage stage)
{
    const uint64_t *at_ns = life->at_ns;
    switch (stage) {
    case TRACE_SUBMITTED:
        return at_ns[TRACE_ON_RING] != 0 ? at_ns[TRACE_ON_RING] : at_ns[TRACE_RETURNED];
    case TRACE_TAKEN:
        if (at_ns[TRACE_QUEUED] != 0)
            return at_ns[TRACE_QUEUED];
        return at_ns[TRACE_COMPLETED] != 0 ? at_ns[TRACE_JUDGED] : at_ns[TRACE_ANSWERED];
    case TRACE_TAKEN_OFF:
        return at_ns[TRACE_RETURNED];
    default:
        return at_ns[stage] + PUBLISH_NS;
    }
}

static void add_slices(struct trace_tracks *t, const struct trace_life *life, uint32_t thread)
{
    for (int i = 0; i < TRACE_STAGES; i++) {
        enum trace_stage stage = (enum trace_stage)i;
        if (!trace_tracks_is_work(life, stage))
            continue;
        bool front = trace_stage_is_front(stage);
        t->slices[t->slice_count++] = (struct trace_slice){.domid = front ? life->domid : 0,
                                                           .thread = front ? thread : 0,
                                                           .stage = stage,
                                                           .begin_ns = life->at_ns[i],
                                                           .end_ns = end_of_work(life, stage),
                                                           .requests = 1};
    }
}

static int by_track_and_time(const void *a, const void *b)
{
    const struct trace_slice *x = a, *y = b;
    if (x->domid != y->domid)
        return x->domid < y->domid ? -1 : 1;
    if (x->thread != y->thread)
        return x->thread < y->thread ? -1 : 1;
    if (x->begin_ns != y->begin_ns)
        return x->begin_ns < y->begin_ns ? -1 : 1;
    return (int)x->stage - (int)y->stage;
}

static bool is_same_track(const struct trace_slice *a, const struct trace_slice *b)
{
    return a->domid == b->domid && a->thread == b->thread;
}

/* One slice for what began together, none that lasts beyond the begin of the next. */
static void settle(struct trace_tracks *t)
{
    size_t kept = 0;
    if (t->slice_count == 0)
        return;
    qsort(t->slices, t->slice_count, sizeof(*t->slices), by_track_and_time);
    for (size_t i = 1; i < t->slice_count; i++) {
        struct trace_slice *last = &t->slices[kept], *slice = &t->slices[i];
        if (is_same_track(last, slice) && last->begin_ns == slice->begin_ns &&
            last->stage == slice->stage) {
            last->requests++;
            last->end_ns = slice->end_ns > last->end_ns ? slice->end_ns : last->end_ns;
        } else {
            t->slices[++kept] = *slice;
        }
    }
    t->slice_count = kept + 1;
    for (size_t i = 0; i < t->slice_count; i++) {
        struct trace_slice *slice = &t->slices[i], *next = slice + 1;
        if (slice->end_ns < slice->begin_ns + NS_MIN)
            slice->end_ns = slice->begin_ns + NS_MIN;
        if (i + 1 < t->slice_count && is_same_track(slice, next) && slice->end_ns > next->begin_ns)
            slice->end_ns = next->begin_ns;
    }
}

int trace_tracks_make(struct trace_tracks *out, const struct trace_set *set)
{
    struct trace_tracks *t = out;
    size_t room = set->count + 1;
    *t = (struct trace_tracks){.disks = calloc(room, sizeof(*t->disks)),
                               .threads = calloc(room, sizeof(*t->threads)),
                               .slices = calloc(room * WORKS_MAX, sizeof(*t->slices)),
                               .disk_of = calloc(room, sizeof(*t->disk_of)),
                               .thread_of = calloc(room, sizeof(*t->thread_of))};
    if (t->disks == NULL || t->threads == NULL || t->slices == NULL || t->disk_of == NULL ||
        t->thread_of == NULL || make_tracks(t, set) < 0) {
        trace_tracks_free(t);
        return -ENOMEM;
    }
    for (size_t i = 0; i < set->count; i++) {
        if (set->lives[i].state == TRACE_WHOLE)
            add_slices(t, &set->lives[i], t->thread_of[i]);
    }
    settle(t);
    return 0;
}

void trace_tracks_free(struct trace_tracks *tracks)
{
    free(tracks->disks);
    free(tracks->threads);
    free(tracks->slices);
    free(tracks->disk_of);
    free(tracks->thread_of);
    *tracks = (struct trace_tracks){.disk_count = 0};
}
