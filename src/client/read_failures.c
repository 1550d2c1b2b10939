/* SPDX-License-Identifier: MIT */
#include "client/read_failures.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

void read_failures_init(struct read_failures *failures)
{
    *failures = (struct read_failures){.count = 0};
    pthread_mutex_init(&failures->lock, NULL);
}

void read_failures_destroy(struct read_failures *failures)
{
    pthread_mutex_destroy(&failures->lock);
}

static const char *doing(enum blkfront_operation operation)
{
    return operation == BLKFRONT_READ ? "reading" : "writing";
}

void read_failures_add(struct read_failures *failures, enum blkfront_operation operation,
                       uint64_t sector, uint32_t sector_count, int error)
{
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t untold = 0;

    pthread_mutex_lock(&failures->lock);
    failures->count++;
    if (failures->told_count == 0 || now_ns - failures->told_ns >= CLOCK_NS_PER_SEC) {
        untold = failures->count - failures->told_count;
        failures->told_count = failures->count;
        failures->told_ns = now_ns;
    }
    pthread_mutex_unlock(&failures->lock);
    if (untold == 0)
        return;
    if (operation == BLKFRONT_FLUSH)
        fprintf(stderr, "client: a flush failed: %s", strerror(-error));
    else
        fprintf(stderr, "client: %s sector %" PRIu64 " (%" PRIu32 " in all) failed: %s",
                doing(operation), sector, sector_count, strerror(-error));
    if (untold > 1)
        fprintf(stderr, "; %" PRIu64 " failures since the last message", untold);
    fputc('\n', stderr);
}
