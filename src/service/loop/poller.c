/* SPDX-License-Identifier: MIT */
#include "service/loop/poller.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <time.h>

#include "base/clock.h"
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
    if (p == NULL)
        return;
    assert(p->watches == 0);
    p->ops->destroy(p);
}

int poller_add(struct poller *p, int fd, uint32_t events, poller_fn *fn, void *ctx,
               struct poller_watch **out)
{
    *out = NULL;
    int rc = p->ops->add(p, fd, events, fn, ctx, out);
    p->watches += rc == 0;
    return rc;
}

void poller_remove(struct poller *p, struct poller_watch *watch)
{
    if (watch == NULL)
        return;
    p->watches--;
    p->ops->remove(p, watch);
}

static bool passes(int error)
{
    return error == -EINTR || error == -EAGAIN || error == -EBUSY || error == -ENOMEM;
}

/* Neither ignored nor spun on. */
static int run_failed(struct poller *p, int error)
{
    if (!passes(error) || p->retries == POLLER_RETRIES)
        return poller_fail(p, error, p->ops->name);
    const struct timespec pause = clock_timespec(POLLER_PAUSE_NS);
    p->retries++;
    (void)nanosleep(&pause, NULL); /* a signal may end it */
    return 0;
}

int poller_run(struct poller *p, bool sleep)
{
    if (p->error < 0)
        return p->error;
    int rc = p->ops->run(p, sleep);
    if (p->error < 0) /* a callback said so */
        return p->error;
    if (rc < 0)
        return run_failed(p, rc);
    if (rc > 0 || sleep) /* else perhaps no call was made */
        p->retries = 0;
    return rc;
}

int poller_fail(struct poller *p, int error, const char *what)
{
    assert(error < 0);
    if (p->error == 0) {
        p->error = error;
        p->failure = what;
    }
    return p->error;
}

const char *poller_failure(const struct poller *p)
{
    return p->failure;
}
