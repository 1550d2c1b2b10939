/* SPDX-License-Identifier: MIT */
/*
 * domain_settings: what can be changed of a running domain, as nodes of the store.
 *
 *   /local/domain/<domid>/sched/weight   share of the disk, 1..65535
 *   /local/domain/<domid>/tdf            time dilation factor: "10", "1/100", "2.5"
 *   /local/domain/<domid>/pause          1: the domain's time stands still; 0: it goes on
 *
 * A value that makes no sense changes nothing; the node is set back to what holds, so that whoever
 * wrote it sees that it was refused.
 */
#ifndef SPLITDOM_SERVICE_DOM0_DOMAIN_SETTINGS_H
#define SPLITDOM_SERVICE_DOM0_DOMAIN_SETTINGS_H

struct domain;

/* Writes the nodes as they hold now and follows changes. Errors: -errno. */
int domain_settings_watch(struct domain *domain);
void domain_settings_unwatch(struct domain *domain);

#endif
