/* SPDX-License-Identifier: MIT */
/* trace_memory: where in a trace memory (splitdom/trace.h) lanes and records are. */
#ifndef SPLITDOM_TRACE_TRACE_MEMORY_H
#define SPLITDOM_TRACE_TRACE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "splitdom/trace.h"

enum { TRACE_RECORD_WORDS = sizeof(struct trace_packed) / sizeof(uint64_t) };

static inline struct trace_lane *trace_memory_lane(const struct trace_head *head, uint32_t lane)
{
    return (struct trace_lane *)(uintptr_t)(head + 1) + lane;
}

/* The words of the record of that number in a lane. */
static inline uint64_t *trace_memory_record(const struct trace_head *head, uint32_t lanes,
                                            uint32_t records, const struct trace_lane *lane,
                                            uint64_t number)
{
    size_t index =
        (size_t)(lane - trace_memory_lane(head, 0)) * records + (size_t)(number & (records - 1));
    uint64_t *first = (uint64_t *)(void *)trace_memory_lane(head, lanes);
    return first + index * TRACE_RECORD_WORDS;
}

#endif
