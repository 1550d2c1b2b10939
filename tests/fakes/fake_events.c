/* SPDX-License-Identifier: MIT */
#include "fake_events.h"

#include "base/container_of.h"

static int note(struct poller *p, int fd, uint32_t events, poller_fn *fn, void *ctx,
                struct poller_watch **out)
{
    struct event_tap *tap = container_of(p->ops, struct event_tap, ops);
    tap->fn = fn;
    tap->ctx = ctx;
    p->ops = tap->whole; /* which may insist on it */
    int rc = p->ops->add(p, fd, events, fn, ctx, out);
    p->ops = &tap->ops;
    return rc;
}

void event_tap_open(struct event_tap *tap, struct poller *poller)
{
    *tap = (struct event_tap){.ops = *poller->ops, .poller = poller, .whole = poller->ops};
    tap->ops.add = note;
    poller->ops = &tap->ops;
}

void event_tap_close(struct event_tap *tap)
{
    tap->poller->ops = tap->whole;
}

void event_tap_tell(const struct event_tap *tap, uint32_t revents)
{
    tap->fn(tap->ctx, revents);
}
