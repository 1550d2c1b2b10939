/* SPDX-License-Identifier: MIT */
/*
 * A descriptor to poll. Dom0's events wake a thread that sleeps on a futex, which poll(2) cannot
 * wait for. So once somebody asks for the descriptor a thread of ours waits for progress, as one
 * waiter among the others (blkfront_wait.c), and an eventfd follows what there is to reap.
 *
 * The eventfd is written and emptied with the lock held, where every release of the lock passes: it
 * is readable exactly while blkfront_reap has something to tell.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/thread.h"
#include "domu/blkfront/blkfront_private.h"
#include "domu/cancel_hold.h"
#include "ring/evtchn.h"

void blkfront_show_ready(struct blkfront_queue *queue)
{
    bool ready = queue->done_count > 0 || queue->failed != 0;
    eventfd_t count;
    if (ready == queue->ready_shown)
        return;
    queue->ready_shown = ready;
    if (ready)
        (void)eventfd_write(queue->ready_fd, 1);
    else
        (void)eventfd_read(queue->ready_fd, &count);
}

static void *watch(void *arg)
{
    struct blkfront_queue *queue = arg;
    struct read_waiter waiter = {.word = WAITER_AWAKE, .any = true};
    struct wake_batch wakes;
    wakes.count = 0;
    pthread_mutex_lock(&queue->lock);
    for (;;) {
        (void)blkfront_reap_ring(queue, &wakes);
        if (queue->watch_ends || queue->failed != 0) /* then there is nothing to come */
            break;
        (void)blkfront_wait_step(queue, &waiter, &wakes); /* never DONE: it has no request */
    }
    blkfront_unlist(queue, &waiter);
    blkfront_unlock(queue, &wakes);
    return NULL;
}

int blkfront_fd(struct blkfront *bf)
{
    CANCEL_HOLD();
    struct blkfront_queue *queue = &bf->queue[0];
    struct wake_batch wakes;
    wakes.count = 0;
    if (queue->ready_fd >= 0)
        return queue->ready_fd;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    int rc = thread_start(&queue->bf->watch_thread, watch, queue);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    pthread_mutex_lock(&queue->lock);
    queue->ready_fd = fd;
    blkfront_show_hits(queue); /* from now on all that is finished is in done[] */
    blkfront_unlock(queue, &wakes);
    return fd;
}

void blkfront_fd_stop(struct blkfront *bf)
{
    struct blkfront_queue *queue = &bf->queue[0];
    struct wake_batch wakes;
    wakes.count = 0;
    if (queue->ready_fd < 0)
        return;
    pthread_mutex_lock(&queue->lock);
    queue->watch_ends = true;
    /* No other call is running: so it leads or is about to, or waits for a next Dom0. */
    pthread_cond_broadcast(&queue->link_changed);
    evtchn_raise_upcall(queue->bf->shared_info, queue->vcpu);
    blkfront_unlock(queue, &wakes);
    pthread_join(queue->bf->watch_thread, NULL);
    close(queue->ready_fd);
    queue->ready_fd = -1;
}
