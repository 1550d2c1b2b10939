/* SPDX-License-Identifier: MIT */
/*
 * trace_tracks: what a picture of lives has tracks for: the threads of domains, and their disks;
 * and the work that threads do for requests, as slices that do not overlap on a track.
 */
#ifndef SPLITDOM_TRACE_TRACE_TRACKS_H
#define SPLITDOM_TRACE_TRACE_TRACKS_H

#include "trace/trace_set.h"

struct trace_disk {
    uint32_t domid, devid;
    int64_t on_ring, at_engine; /* requests, as far as a writer has come */
    uint64_t ring_shown_ns, engine_shown_ns;
};

struct trace_thread {
    uint32_t domid, number; /* in its domain, from 1 on */
};

/* Requests that a thread worked on together: with the same time at the same stage. */
struct trace_slice {
    uint32_t domid, thread; /* thread: number in threads; Dom0: 0 */
    enum trace_stage stage;
    uint64_t begin_ns, end_ns;
    uint32_t requests;
};

/* Disks in the order of their domains and numbers; threads in that of their domains and begins,
 * after number 0, which is Dom0's loop. */
struct trace_tracks {
    struct trace_disk *disks;
    struct trace_thread *threads;
    struct trace_slice *slices;
    uint32_t disk_count, thread_count;
    size_t slice_count;
    uint32_t *disk_of, *thread_of; /* by life */
};

/* Of the whole lives of a set that has ended. Errors: -ENOMEM. */
int trace_tracks_make(struct trace_tracks *out, const struct trace_set *set);
void trace_tracks_free(struct trace_tracks *tracks);

/* A life's work is at these stages: it is submitted, taken, published, taken off. */
bool trace_tracks_is_work(const struct trace_life *life, enum trace_stage stage);

#endif
