/* SPDX-License-Identifier: MIT */
/*
 * A descriptor to poll. Dom0's events wake a thread that sleeps on a futex, which poll(2) cannot
 * wait for. So once somebody asks for the descriptor a thread of ours waits on the ring's vCPU in
 * the receiver's place, and an eventfd follows what there is to deliver.
 *
 * The eventfd is written and emptied with the lock held. It is readable while there is something to
 * tell; it may be so for a moment longer than that, for who receives without having polled.
 */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "domu/cancel_hold.h"
#include "domu/netfront/netfront_private.h"
#include "ring/barrier.h"
#include "ring/evtchn.h"

/* With the lock. */
static void show(struct netfront_queue *q, bool ready)
{
    eventfd_t count;
    if (ready == q->ready_shown)
        return;
    q->ready_shown = ready;
    if (ready)
        (void)eventfd_write(q->ready_fd, 1);
    else
        (void)eventfd_read(q->ready_fd, &count);
}

void netfront_show_delivered(struct netfront_queue *q)
{
    int64_t left_ns;
    if (!q->ready_shown || load_full_u32(&q->interrupted) != 0 || netfront_look(q, &left_ns) != 0)
        return;
    show(q, false);
    pthread_cond_signal(&q->undelivered);
}

/* With the lock: nothing is to be told. Until there may be something. */
static void wait_for_more(struct netfront_queue *q, int64_t left_ns)
{
    if (q->rx.linking)
        pthread_cond_wait(&q->rx.changed, &q->rx.lock);
    else if (left_ns >= 0 || q->rx.without_ring || !front_ring_final_check(&q->rx_ring.half))
        netfront_sleep(q->nf, &q->rx, left_ns);
}

static void *watch(void *arg)
{
    struct netfront_queue *q = arg;
    pthread_mutex_lock(&q->rx.lock);
    while (!q->watch_ends) {
        int64_t left_ns;
        int rc = netfront_look(q, &left_ns);
        bool interrupted = load_full_u32(&q->interrupted) != 0;
        if (rc != 0 || interrupted)
            show(q, true);
        if (rc < 0) /* then there is nothing to come */
            break;
        if (q->ready_shown)
            pthread_cond_wait(&q->undelivered, &q->rx.lock);
        else
            wait_for_more(q, left_ns);
    }
    pthread_mutex_unlock(&q->rx.lock);
    return NULL;
}

int netfront_fd_on(struct netfront *nf, uint32_t queue)
{
    CANCEL_HOLD();
    struct netfront_queue *q = netfront_queue_at(nf, queue);
    if (q == NULL)
        return -EINVAL;
    if (q->ready_fd >= 0)
        return q->ready_fd;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    pthread_mutex_lock(&q->rx.lock);
    q->ready_fd = fd;
    int rc = thread_start(&q->watch_thread, watch, q);
    if (rc < 0)
        q->ready_fd = -1;
    pthread_mutex_unlock(&q->rx.lock);
    if (rc < 0)
        close(fd);
    return rc < 0 ? rc : fd;
}

int netfront_fd(struct netfront *nf)
{
    return netfront_fd_on(nf, 0);
}

void netfront_await_shown(struct netfront_queue *q, int64_t limit_ns)
{
    struct pollfd ready = {.fd = q->ready_fd, .events = POLLIN};
    const struct timespec limit = clock_timespec((uint64_t)limit_ns); /* unused if negative */
    pthread_mutex_unlock(&q->rx.lock);
    (void)ppoll(&ready, 1, limit_ns < 0 ? NULL : &limit, NULL);
    pthread_mutex_lock(&q->rx.lock);
}

void netfront_fd_stop(struct netfront_queue *q)
{
    if (q->ready_fd < 0)
        return;
    pthread_mutex_lock(&q->rx.lock);
    q->watch_ends = true;
    pthread_cond_signal(&q->undelivered);
    pthread_cond_broadcast(&q->rx.changed);
    evtchn_raise_upcall(q->nf->shared_info, q->rx.vcpu);
    pthread_mutex_unlock(&q->rx.lock);
    pthread_join(q->watch_thread, NULL);
    close(q->ready_fd);
    q->ready_fd = -1;
}
