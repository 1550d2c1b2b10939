/* SPDX-License-Identifier: MIT */
/*
 * dom0_wakeups: what Dom0 does without being asked by a domain: it ends at a signal or after a time
 * without requests, follows its own settings in the store, and keeps the domains' clocks right.
 */
#ifndef SPLITDOM_SERVICE_DOM0_DOM0_WAKEUPS_H
#define SPLITDOM_SERVICE_DOM0_DOM0_WAKEUPS_H

struct dom0;

/* Starts the idle time-out, catches signals that end Dom0. There is a worker. Errors: -errno. */
int dom0_wakeups_create(struct dom0 *d);
/* Follows /local/domain/0/splitdom/image/refresh: 1 makes Dom0 look at the image
 * again; what it found stands there then: 0, or why that is refused. */
int dom0_settings_create(struct dom0 *d);
/* Accepts what the two left half-built. */
void dom0_wakeups_destroy(struct dom0 *d);

/* worker_ops.reanchor: the clocks of all domains, those that somebody may read. */
void dom0_reanchor_domains(void *ctx);

#endif
