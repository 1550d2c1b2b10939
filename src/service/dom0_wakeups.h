/* SPDX-License-Identifier: MIT */
/*
 * dom0_wakeups: what wakes Dom0 besides domains and disks: timers on its own clock, signals, and
 * settings of its own in the store.
 */
#ifndef SPLITDOM_SERVICE_DOM0_WAKEUPS_H
#define SPLITDOM_SERVICE_DOM0_WAKEUPS_H

struct dom0;
struct domain;

/* Starts Dom0's clock and idle timer, catches SIGTERM and SIGINT. Errors: -errno. */
int dom0_wakeups_create(struct dom0 *d);
/* Accepts what dom0_wakeups_create left half-built. */
void dom0_wakeups_destroy(struct dom0 *d);

/* domain_host.clock_changed: timers of that clock are due at other real times now. */
void dom0_clock_changed(void *ctx, struct domain *domain);

#endif
