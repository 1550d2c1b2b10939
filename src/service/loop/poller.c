/* SPDX-License-Identifier: MIT */
#include "service/loop/poller.h"

#include <errno.h>
#include <stddef.h>

#include "service/loop/poller_private.h"

/*
 * The submission queue holds one burst between two submissions. The completion queue holds every
 * doorbell and every read in flight at once, with room to spare.
 */
#define SQ_ENTRIES 256
#define CQ_ENTRIES 4096

int poller_create(enum poller_kind kind, struct poller **out)
{
    *out = NULL;
    switch (kind) {
    case POLLER_URING:
        return poller_uring_create(SQ_ENTRIES, CQ_ENTRIES, out);
    case POLLER_EPOLL:
        return poller_epoll_create(out);
    }
    return -EINVAL;
}

void poller_destroy(struct poller *p)
{
    if (p)
        p->ops->destroy(p);
}

int poller_add(struct poller *p, int fd, uint32_t events, poller_fn *fn, void *ctx,
               struct poller_watch **out)
{
    *out = NULL;
    return p->ops->add(p, fd, events, fn, ctx, out);
}

void poller_remove(struct poller *p, struct poller_watch *watch)
{
    if (watch)
        p->ops->remove(p, watch);
}

int poller_run(struct poller *p, bool sleep)
{
    return p->ops->run(p, sleep);
}
