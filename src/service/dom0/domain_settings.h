/* SPDX-License-Identifier: MIT */
/*
 * domain_settings: what can be changed of a running domain, as nodes of the store.
 *
 *   /local/domain/<domid>/sched/weight   share of what domains compete for, 1..65535
 *   /local/domain/<domid>/tdf            time dilation factor: "10", "1/100", "2.5"
 *   /local/domain/<domid>/pause          pauses; above 0 the domain's time stands still
 *   /local/domain/<domid>/disk-scale     how many times slower its disks are, 1..1000
 *   /local/domain/<domid>/cpu-share      what it may have of each CPU: "1/10", "1"; of domains
 * alone that apply that themselves
 *
 * And what holds now, for the domain: Dom0 writes that when its clock shows it already.
 *
 *   /local/domain/<domid>/splitdom/tdf-in-force   as tdf; "0" while paused
 *
 * A value that is invalid changes nothing; the node is set back to what holds, so that whoever
 * wrote it sees that it was refused.
 */
#ifndef SPLITDOM_SERVICE_DOM0_DOMAIN_SETTINGS_H
#define SPLITDOM_SERVICE_DOM0_DOMAIN_SETTINGS_H

#include "splitdom/tdf.h"

struct domain;
struct setting;
struct xs_local_watch;

enum { DOMAIN_SETTINGS = 5, DOMAIN_SETTINGS_OF_ALL = 4 };

/* One followed node. Zeroed: none. */
struct setting_watch {
    struct domain *domain;
    const struct setting *setting;
    struct xs_local_watch *watch;
};

/* Writes the nodes as they hold now and follows changes. Errors: -errno. */
int domain_settings_watch(struct domain *domain);
/* The domain's memory is sealed: what was set before takes effect there. */
void domain_settings_apply(struct domain *domain);
void domain_settings_unwatch(struct domain *domain);
/* The domain applies a share of the CPU, from this one on. Errors: -errno. */
int domain_settings_offer_share(struct domain *domain, struct tdf share);
/* The domain begins with this weight, 1..SCHED_WEIGHT_MAX, which its node shows. Errors: -errno;
 * then it has the one that it had. */
int domain_settings_begin_weight(struct domain *domain, uint32_t weight);

/* Traces the domain as is wanted now (tracer.h): its devices do, and a node asks the domain to. */
void domain_settings_trace(struct domain *domain);
/* Writes down what the domain's clock shows, if the domain is traced. */
void domain_settings_trace_clock(struct domain *domain);

#endif
