/* SPDX-License-Identifier: MIT */
/*
 * poller_epoll: the poller on epoll, edge-triggered.
 *
 * A watch that is removed while a batch of events is being handed out may still be named by a later
 * event of that batch. So it is only marked, and freed when the batch is through.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/container_of.h"
#include "base/list.h"
#include "service/loop/poller.h"
#include "service/loop/poller_private.h"

/* What is left over stays ready and comes with the next call. */
#define BATCH 256

struct poller_watch {
    struct list_node link; /* in removed */
    poller_fn *fn;
    void *ctx;
    int fd;
    bool is_removed;
};

struct poller_epoll {
    struct poller base;
    int fd;
    bool is_running;
    struct list removed; /* to be freed after the batch */
    struct epoll_event batch[BATCH];
};

static struct poller_epoll *epoll_of(struct poller *p)
{
    return container_of(p, struct poller_epoll, base);
}

static void free_removed(struct poller_epoll *pe)
{
    struct list_node *node;

    while ((node = list_pop_front(&pe->removed)) != NULL)
        free(container_of(node, struct poller_watch, link));
}

static void epoll_destroy(struct poller *p)
{
    struct poller_epoll *pe = epoll_of(p);

    close(pe->fd);
    free(pe);
}

static int epoll_add(struct poller *p, int fd, uint32_t events, poller_fn *fn, void *ctx,
                     struct poller_watch **out)
{
    struct poller_epoll *pe = epoll_of(p);
    struct poller_watch *watch = calloc(1, sizeof(*watch));
    /* EPOLLIN and so on have the values of POLLIN and so on. */
    struct epoll_event event = {.events = events | EPOLLET, .data.ptr = watch};

    if (!watch)
        return -ENOMEM;
    watch->fn = fn;
    watch->ctx = ctx;
    watch->fd = fd;
    if (epoll_ctl(pe->fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        int err = -errno;

        free(watch);
        return err;
    }
    *out = watch;
    return 0;
}

static void epoll_remove(struct poller *p, struct poller_watch *watch)
{
    struct poller_epoll *pe = epoll_of(p);
    int rc;

    assert(!watch->is_removed);
    rc = epoll_ctl(pe->fd, EPOLL_CTL_DEL, watch->fd, NULL);
    assert(rc == 0 || p->error < 0); /* the fd is still open: contract of poller_add */
    (void)rc;
    if (!pe->is_running) {
        free(watch);
        return;
    }
    watch->is_removed = true;
    list_push_front(&pe->removed, &watch->link);
}

static int epoll_run(struct poller *p, bool sleep)
{
    struct poller_epoll *pe = epoll_of(p);
    int event_count, called = 0;

    assert(!pe->is_running);
    event_count = epoll_wait(pe->fd, pe->batch, BATCH, sleep ? -1 : 0);
    if (event_count < 0)
        return errno == EINTR ? 0 : -errno;

    pe->is_running = true;
    for (int i = 0; i < event_count; i++) {
        struct poller_watch *watch = pe->batch[i].data.ptr;

        if (watch->is_removed)
            continue;
        watch->fn(watch->ctx, pe->batch[i].events);
        called++;
    }
    pe->is_running = false;
    free_removed(pe);
    return called;
}

static const struct poller_ops epoll_ops = {
    .name = "epoll_wait",
    .destroy = epoll_destroy,
    .add = epoll_add,
    .remove = epoll_remove,
    .run = epoll_run,
};

int poller_epoll_create(struct poller **out)
{
    struct poller_epoll *pe = calloc(1, sizeof(*pe));

    if (!pe)
        return -ENOMEM;
    pe->base.ops = &epoll_ops;
    pe->fd = epoll_create1(EPOLL_CLOEXEC);
    if (pe->fd < 0) {
        int err = -errno;

        free(pe);
        return err;
    }
    *out = &pe->base;
    return 0;
}
