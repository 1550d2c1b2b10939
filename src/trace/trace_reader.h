/* SPDX-License-Identifier: MIT */
/*
 * trace_reader: takes records out of a trace memory that somebody else writes to (splitdom/trace.h)
 * at any time, and whoever that is. What comes out is a copy; nothing of it is checked but that no
 * record was being written over while it was copied.
 */
#ifndef SPLITDOM_TRACE_TRACE_READER_H
#define SPLITDOM_TRACE_TRACE_READER_H

#include <stdint.h>

#include "splitdom/trace.h"

enum { TRACE_LANES_MAX = 8 };

struct trace_reader {
    const struct trace_head *head;
    uint32_t lanes, records;
    uint64_t next[TRACE_LANES_MAX]; /* of each lane: the record to be taken next */
    uint64_t lost_before;
    uint64_t lost; /* records that were written over before they were taken */
};

/* Reads what is written from now on; fresh: all that ever was. fd stays the caller's. Errors:
 * -EBADFD it is no sealed file of that size; -errno. */
int trace_reader_open(struct trace_reader *out, uint32_t lanes, uint32_t records, int fd,
                      bool fresh);
void trace_reader_close(struct trace_reader *reader);

/* Hands all records that are there to take, at most as many as there is room for in the memory.
 * Returns how many. */
uint64_t trace_reader_take(struct trace_reader *reader,
                           void (*take)(void *ctx, const struct trace_record *record), void *ctx);

/* Records that were lost since trace_reader_open. A domain's say. */
uint64_t trace_reader_lost(const struct trace_reader *reader);
bool trace_reader_is_active(const struct trace_reader *reader);

#endif
