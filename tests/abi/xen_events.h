/* SPDX-License-Identifier: MIT */
/*
 * xen_events: vCPU 0 of a domain that looks at everything it has at each upcall.
 */
#ifndef SPLITDOM_TESTS_ABI_XEN_EVENTS_H
#define SPLITDOM_TESTS_ABI_XEN_EVENTS_H

#include <stdint.h>

struct shared_info;

struct xen_events {
    struct shared_info *shared_info;
    int doorbell; /* eventfd */
    uint64_t kicks, upcalls;
};

/*
 * Sleeps until an upcall is pending and takes all pending ports. The caller looks for work after
 * that, never before: an event that comes while it looks stays pending. 0 or -ETIMEDOUT.
 */
int xen_events_wait(struct xen_events *events);

/* 0 or -errno. */
int xen_events_kick(struct xen_events *events);

#endif
