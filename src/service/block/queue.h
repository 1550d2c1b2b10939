/* SPDX-License-Identifier: MIT */
/*
 * queue: the way of a request to its data: cache, sharing of misses, turns, device.
 *
 *     block_submit --- all sectors cached? -------------------------------> copied, done at once
 *           |----------- a read of them is in flight? ---> joins it -----\
 *           '----------- else waits for a turn (sched) --> engine --------> copied to all, cached
 *
 * The engine reads into Dom0's own buffers, never into a domain's memory: a page that a client can
 * write must not become the source of a cache entry, and a domain may die while its read is in
 * flight.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_QUEUE_H
#define SPLITDOM_SERVICE_BLOCK_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "service/block/client.h"
#include "service/block/device.h"
#include "service/block/request.h"

/*
 * Takes a request whose sectors lie within the client's vdisk (its capabilities). done is called
 * once: from inside (a hit, what is refused), from device_dispatch, from the poller or from a
 * timer. done may submit and cancel requests; the client stays open until done returns.
 *
 * A write or discard of a vdisk that is not writable ends with -EROFS, a flush or discard that it
 * can't do with -EOPNOTSUPP. The order in which requests are carried out is open: who wants one
 * after another submits that one when the other was answered.
 */
void block_submit(struct block_client *client, struct block_request *request, uint64_t now_ns);
/*
 * Takes a request back. true: done will not be called for it, and what its segments name is left
 * alone; a write may be carried out or not. false: the device is at work on the segments' memory,
 * which stays as it is until done is called; nothing new is begun for the request. An idle request:
 * true, and nothing happens.
 */
bool block_cancel(struct block_request *request);
/* Whether the block layer has the request. */
static inline bool block_request_is_active(const struct block_request *request)
{
    return request->state != BLOCK_REQUEST_IDLE;
}

/*
 * Once per turn of the loop: sends waiting reads to the engine as far as turns and depth allow, and
 * goes on with what completions left to be copied. Returns how many requests were sent or answered;
 * only after 0 nothing is left to be done before the next completion. The last reads may reach the
 * engine only with the next poller_run.
 *
 * What is copied between two calls is bounded: see COPY_SECTORS in queue.c.
 */
uint32_t device_dispatch(struct device *device, uint64_t now_ns);

#endif
