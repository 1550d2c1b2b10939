/* SPDX-License-Identifier: MIT */
/*
 * The queues of a disk, and which of them is a thread's. Threads take turns when they come to the
 * disk for the first time, so that each queue has as many of them, and stay with their queue, whose
 * lines stay near their processor. (Linux spreads by processor; here a processor has as many
 * threads as it likes, and on one they all would be on one queue.)
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "domu/blkfront/blkfront_private.h"
#include "domu/blkfront/transfer.h"

static void init_queue(struct blkfront *bf, struct blkfront_queue *queue)
{
    pthread_condattr_t monotonic; /* so are the deadlines of those who wait for it */
    queue->bf = bf;
    queue->ready_fd = -1;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->link_changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    spin_budget_init(&queue->spin);
}

void blkfront_queues_init(struct blkfront *bf)
{
    bf->nr_queues = bf->queues_in_use = 1;
    for (uint32_t i = 0; i < BLKFRONT_QUEUES_MAX; i++)
        init_queue(bf, &bf->queue[i]);
}

void blkfront_queues_fini(struct blkfront *bf)
{
    for (uint32_t i = 0; i < BLKFRONT_QUEUES_MAX; i++) {
        struct blkfront_queue *queue = &bf->queue[i];
        blkfront_trace_free(queue);
        shadow_fini(&queue->shadow);
        free(queue->done);
        free(queue->transfers);
        pthread_cond_destroy(&queue->link_changed);
        pthread_mutex_destroy(&queue->lock);
    }
    if (bf->has_turn_key)
        pthread_key_delete(bf->turn_key);
}

/* With several queues threads are told apart from now on. */
static int spread(struct blkfront *bf)
{
    if (bf->nr_queues == 1 || bf->has_turn_key)
        return 0;
    int rc = pthread_key_create(&bf->turn_key, NULL);
    bf->has_turn_key = rc == 0;
    return -rc;
}

/* Of the first queue: for asynchronous requests. */
static int make_async(struct blkfront *bf)
{
    struct blkfront_queue *queue = &bf->queue[0];
    /* The ring that counts is the one that was granted, not the one that we asked for. */
    queue->depth = bf->options.depth < bf->nr_entries ? bf->options.depth : bf->nr_entries;
    free(queue->done); /* of an attempt that failed */
    free(queue->transfers);
    queue->done = calloc(queue->depth, sizeof(*queue->done));
    queue->transfers = calloc(queue->depth, sizeof(*queue->transfers));
    if (queue->done == NULL || queue->transfers == NULL)
        return -ENOMEM;
    hit_queue_fini(&bf->hits);
    return hit_queue_init(&bf->hits, queue->depth);
}

int blkfront_queues_make(struct blkfront *bf, char *why, size_t why_bytes)
{
    int rc = 0;
    for (uint32_t i = 0; i < bf->nr_queues && rc == 0; i++) {
        shadow_fini(&bf->queue[i].shadow); /* of an attempt that failed */
        rc = shadow_init(&bf->queue[i].shadow, bf->nr_entries, bf->queue[i].first_id);
    }
    if (rc == 0)
        rc = make_async(bf);
    if (rc == 0)
        rc = spread(bf);
    if (rc < 0)
        snprintf(why, why_bytes, "%s",
                 rc == -ENOMEM ? "out of memory" : "no key is left to tell threads apart by");
    return rc;
}

/* 1 and up, another one for each thread. */
static uint32_t turn_of_thread(struct blkfront *bf)
{
    uint32_t turn = (uint32_t)(uintptr_t)pthread_getspecific(bf->turn_key);
    while (turn == 0)
        turn = fetch_add_relaxed_u32(&bf->threads, 1) + 1;
    /* Without memory for that it has another turn the next time. */
    if (pthread_getspecific(bf->turn_key) == NULL)
        (void)pthread_setspecific(bf->turn_key, (void *)(uintptr_t)turn);
    return turn;
}

struct blkfront_queue *blkfront_queue_here(struct blkfront *bf)
{
    uint32_t count = load_relaxed_u32(&bf->queues_in_use);
    return &bf->queue[count == 1 ? 0 : (turn_of_thread(bf) - 1) % count];
}
