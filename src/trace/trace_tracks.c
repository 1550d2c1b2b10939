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

static uint32_t find_disk(struct trace_tracks *t, const struct trace_life *life, uint32_t guess)
{
    for (uint32_t i = 0; i < t->disk_count; i++) {
        uint32_t at = (guess + i) % t->disk_count;
        if (t->disks[at].domid == life->domid && t->disks[at].devid == life->devid)
            return at;
    }
    t->disks[t->disk_count] = (struct trace_disk){.domid = life->domid, .devid = life->devid};
    return t->disk_count++;
}

/* Number 0 is Dom0's loop. */
static uint32_t find_thread(struct trace_tracks *t, const struct trace_life *life, uint32_t guess)
{
    for (uint32_t i = 0; i < t->thread_count; i++) {
        uint32_t at = (guess + i) % t->thread_count;
        if (t->threads[at].domid == life->domid && t->threads[at].thread == life->thread)
            return at;
    }
    t->threads[t->thread_count] =
        (struct trace_thread){.domid = life->domid, .thread = life->thread};
    return t->thread_count++;
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
    uint32_t disk = 0, thread = 0;
    *t = (struct trace_tracks){.disks = calloc(room, sizeof(*t->disks)),
                               .threads = calloc(room, sizeof(*t->threads)),
                               .slices = calloc(room * WORKS_MAX, sizeof(*t->slices)),
                               .disk_of = calloc(room, sizeof(*t->disk_of)),
                               .thread_of = calloc(room, sizeof(*t->thread_of))};
    if (t->disks == NULL || t->threads == NULL || t->slices == NULL || t->disk_of == NULL ||
        t->thread_of == NULL) {
        trace_tracks_free(t);
        return -ENOMEM;
    }
    t->thread_count = 1;
    for (size_t i = 0; i < set->count; i++) {
        const struct trace_life *life = &set->lives[i];
        if (life->state != TRACE_WHOLE)
            continue;
        disk = t->disk_of[i] = find_disk(t, life, disk);
        thread = t->thread_of[i] = find_thread(t, life, thread);
        add_slices(t, life, thread);
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
