/* SPDX-License-Identifier: MIT */
/* blkfront_sleep: threads that sleep until Dom0 wakes them, each on the word of its own request
 * (splitdom/sleepers.h). */
#ifndef SPLITDOM_DOMU_BLKFRONT_BLKFRONT_SLEEP_H
#define SPLITDOM_DOMU_BLKFRONT_BLKFRONT_SLEEP_H

#include "domu/blkfront/blkfront_private.h"

/* With the domain claimed: words for the queues, as far as the domain has any left, and the first
 * ids of their shadows; and back. */
void blkfront_take_words(struct blkfront *bf);
void blkfront_give_words(struct blkfront *bf);
/* With the lock held. The queue has a ring to the present Dom0: may threads rely on being woken? */
void blkfront_start_words(struct blkfront_queue *queue);
/* With the lock held: can the waiter sleep until Dom0 wakes it? */
bool blkfront_may_lie(const struct blkfront_queue *queue, const struct read_waiter *waiter);
/* As a step of waiting: with the lock held and the ring reaped, returns with the lock held. */
void blkfront_lie(struct blkfront_queue *queue, struct read_waiter *waiter,
                  struct wake_batch *wakes);
/* With the lock held: wakes all that lie. */
void blkfront_rouse(struct blkfront_queue *queue);

#endif
