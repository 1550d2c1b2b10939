/* SPDX-License-Identifier: MIT */
/*
 * fake_events: notes the watch that is added to a poller, so that a test can tell its callback what
 * a descriptor does not say when it is asked to: that it cannot be watched any more.
 */
#ifndef SPLITDOM_TESTS_FAKE_EVENTS_H
#define SPLITDOM_TESTS_FAKE_EVENTS_H

#include "service/loop/poller_private.h"

struct event_tap {
    struct poller_ops ops;
    struct poller *poller;
    const struct poller_ops *whole; /* the poller's own */
    poller_fn *fn;                  /* of the last watch that was added */
    void *ctx;
};

/* From now on watches are noted; until event_tap_close the poller must not run. */
void event_tap_open(struct event_tap *tap, struct poller *poller);
void event_tap_close(struct event_tap *tap);
/* Calls the last one. */
void event_tap_tell(const struct event_tap *tap, uint32_t revents);

#endif
