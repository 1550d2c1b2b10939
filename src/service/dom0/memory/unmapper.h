/* SPDX-License-Identifier: MIT */
/*
 * unmapper: a thread that lets go of the memory of domains that have ended, of the caches of disks
 * that have been detached, and of what was written down for a trace.
 *
 * Whoever lets go of memory last gives its pages back, and that takes milliseconds for a large
 * segment or a full cache: longer than Dom0's loop may be away from the rings. Sleeps while there
 * is nothing to do.
 */
#ifndef SPLITDOM_SERVICE_DOM0_MEMORY_UNMAPPER_H
#define SPLITDOM_SERVICE_DOM0_MEMORY_UNMAPPER_H

#include <stddef.h>
#include <stdint.h>

#include "ring/segment.h"

struct cache;
struct unmapper;

/* Errors: -ENOMEM; -EAGAIN there are as many threads as there may be. */
int unmapper_create(struct unmapper **out);

/* Takes the mapping over; *segment is zeroed. Nobody touches that memory any more. Without an
 * unmapper (NULL), and for want of memory, it is unmapped at once. */
void unmapper_take(struct unmapper *unmapper, struct segment *segment);

/* The same with a retired cache. ctx: the unmapper, or NULL. */
void unmapper_take_cache(void *ctx, struct cache *cache);

/* The same with a file in memory. */
struct unmapper_file {
    void *base; /* its mapping; NULL: none */
    size_t bytes;
    int fd; /* -1: closed already */
};
void unmapper_take_file(struct unmapper *unmapper, const struct unmapper_file *file);

/* How much of segments was taken over and is not given back yet. NULL: 0. */
uint64_t unmapper_pending_bytes(const struct unmapper *unmapper);

/* Gives everything back, then ends the thread. NULL allowed. */
void unmapper_destroy(struct unmapper *unmapper);

#endif
