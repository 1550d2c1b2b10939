/* SPDX-License-Identifier: MIT */
/*
 * prefetch: memory that is about to be written, and that another core has read or written last. A
 * hint: nothing happens where the address is not to be had.
 */
#ifndef SPLITDOM_BASE_PREFETCH_H
#define SPLITDOM_BASE_PREFETCH_H

#include <stddef.h>
#include <stdint.h>

enum { PREFETCH_LINE_BYTES = 64 };

static inline void prefetch_to_write(const void *address, size_t bytes)
{
#pragma GCC unroll 8
    for (size_t at = 0; at < bytes; at += PREFETCH_LINE_BYTES) {
        const uint8_t *line = (const uint8_t *)address + at;
#if defined(__x86_64__)
        /* What compilers make of their own hint for a processor of 2003 fetches lines to be read,
         * and each must be asked for once more. Those that know no better take this for a nop. */
        __asm__ volatile("prefetchw %0" : : "m"(*line));
#else
        __builtin_prefetch(line, 1);
#endif
    }
}

#endif
