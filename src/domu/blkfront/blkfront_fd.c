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
#include "ring/evtchn.h"

void blkfront_show_ready(struct blkfront *bf)
{
    bool ready = bf->done_count > 0 || bf->failed != 0;
    eventfd_t count;
    if (ready == bf->ready_shown)
        return;
    bf->ready_shown = ready;
    if (ready)
        (void)eventfd_write(bf->ready_fd, 1);
    else
        (void)eventfd_read(bf->ready_fd, &count);
}

static void *watch(void *arg)
{
    struct blkfront *bf = arg;
    struct read_waiter waiter = {.word = WAITER_AWAKE, .any = true};
    struct wake_batch wakes;
    wakes.count = 0;
    pthread_mutex_lock(&bf->lock);
    for (;;) {
        (void)blkfront_reap_ring(bf, &wakes);
        if (bf->watch_ends || bf->failed != 0) /* then there is nothing to come */
            break;
        (void)blkfront_wait_step(bf, &waiter, &wakes); /* never DONE: it has no request */
    }
    blkfront_unlist(bf, &waiter);
    blkfront_unlock(bf, &wakes);
    return NULL;
}

int blkfront_fd(struct blkfront *bf)
{
    struct wake_batch wakes;
    wakes.count = 0;
    if (bf->ready_fd >= 0)
        return bf->ready_fd;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    int rc = thread_start(&bf->watch_thread, watch, bf);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    pthread_mutex_lock(&bf->lock);
    bf->ready_fd = fd;
    blkfront_show_hits(bf); /* from now on all that is finished is in done[] */
    blkfront_unlock(bf, &wakes);
    return fd;
}

void blkfront_fd_stop(struct blkfront *bf)
{
    struct wake_batch wakes;
    wakes.count = 0;
    if (bf->ready_fd < 0)
        return;
    pthread_mutex_lock(&bf->lock);
    bf->watch_ends = true;
    /* No other call is running: so it leads or is about to, or waits for a next Dom0. */
    pthread_cond_broadcast(&bf->link_changed);
    evtchn_raise_upcall(bf->shared_info, bf->vcpu);
    blkfront_unlock(bf, &wakes);
    pthread_join(bf->watch_thread, NULL);
    close(bf->ready_fd);
    bf->ready_fd = -1;
}
