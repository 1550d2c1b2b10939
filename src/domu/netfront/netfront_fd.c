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
#include "domu/netfront/netfront_private.h"
#include "ring/barrier.h"
#include "ring/evtchn.h"

/* With the lock. */
static void show(struct netfront *nf, bool ready)
{
    eventfd_t count;
    if (ready == nf->ready_shown)
        return;
    nf->ready_shown = ready;
    if (ready)
        (void)eventfd_write(nf->ready_fd, 1);
    else
        (void)eventfd_read(nf->ready_fd, &count);
}

void netfront_show_delivered(struct netfront *nf)
{
    int64_t left_ns;
    if (!nf->ready_shown || load_full_u32(&nf->interrupted) != 0 ||
        netfront_look(nf, &left_ns) != 0)
        return;
    show(nf, false);
    pthread_cond_signal(&nf->undelivered);
}

/* With the lock: nothing is to be told. Until there may be something. */
static void wait_for_more(struct netfront *nf, int64_t left_ns)
{
    if (nf->rx.linking)
        pthread_cond_wait(&nf->rx.changed, &nf->rx.lock);
    else if (left_ns >= 0 || !front_ring_final_check(&nf->rx_ring.half))
        netfront_sleep(nf, &nf->rx, left_ns);
}

static void *watch(void *arg)
{
    struct netfront *nf = arg;
    pthread_mutex_lock(&nf->rx.lock);
    while (!nf->watch_ends) {
        int64_t left_ns;
        int rc = netfront_look(nf, &left_ns);
        bool interrupted = load_full_u32(&nf->interrupted) != 0;
        if (rc != 0 || interrupted)
            show(nf, true);
        if (rc < 0) /* then there is nothing to come */
            break;
        if (nf->ready_shown)
            pthread_cond_wait(&nf->undelivered, &nf->rx.lock);
        else
            wait_for_more(nf, left_ns);
    }
    pthread_mutex_unlock(&nf->rx.lock);
    return NULL;
}

int netfront_fd(struct netfront *nf)
{
    if (nf->ready_fd >= 0)
        return nf->ready_fd;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    pthread_mutex_lock(&nf->rx.lock);
    nf->ready_fd = fd;
    int rc = thread_start(&nf->watch_thread, watch, nf);
    if (rc < 0)
        nf->ready_fd = -1;
    pthread_mutex_unlock(&nf->rx.lock);
    if (rc < 0)
        close(fd);
    return rc < 0 ? rc : fd;
}

void netfront_await_shown(struct netfront *nf, int64_t limit_ns)
{
    struct pollfd ready = {.fd = nf->ready_fd, .events = POLLIN};
    const struct timespec limit = clock_timespec((uint64_t)limit_ns); /* unused if negative */
    pthread_mutex_unlock(&nf->rx.lock);
    (void)ppoll(&ready, 1, limit_ns < 0 ? NULL : &limit, NULL);
    pthread_mutex_lock(&nf->rx.lock);
}

void netfront_fd_stop(struct netfront *nf)
{
    if (nf->ready_fd < 0)
        return;
    pthread_mutex_lock(&nf->rx.lock);
    nf->watch_ends = true;
    pthread_cond_signal(&nf->undelivered);
    pthread_cond_broadcast(&nf->rx.changed);
    evtchn_raise_upcall(nf->shared_info, nf->rx.vcpu);
    pthread_mutex_unlock(&nf->rx.lock);
    pthread_join(nf->watch_thread, NULL);
    close(nf->ready_fd);
    nf->ready_fd = -1;
}
