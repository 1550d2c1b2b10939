/* SPDX-License-Identifier: MIT */
/*
 * traffic_stream: what became of the frames of one sender: numbers that came, came twice, came
 * behind a later one, or never came.
 *
 * Of the last TRAFFIC_WINDOW numbers each one is known; of one that is older nobody knows whether
 * it came before. Pure bookkeeping, one thread.
 */
#ifndef SPLITDOM_RUN_TRAFFIC_TRAFFIC_STREAM_H
#define SPLITDOM_RUN_TRAFFIC_TRAFFIC_STREAM_H

#include <stdbool.h>
#include <stdint.h>

enum { TRAFFIC_WINDOW = 65536 };

struct traffic_stream {
    uint32_t id;
    bool ended;
    uint64_t total; /* as the end says */
    uint64_t next;  /* one more than the largest number that came */
    uint64_t unique, duplicates, reordered;
    uint64_t too_late; /* older than the window: not in the others */
    uint64_t bytes;    /* of the unique ones */
    uint64_t window[TRAFFIC_WINDOW / 64];
};

void traffic_stream_take(struct traffic_stream *stream, uint64_t number, uint32_t length_bytes);
void traffic_stream_end(struct traffic_stream *stream, uint64_t total);
/* How many were sent, as far as is known, and how many of them never came. */
uint64_t traffic_stream_expected(const struct traffic_stream *stream);
uint64_t traffic_stream_lost(const struct traffic_stream *stream);

#endif
