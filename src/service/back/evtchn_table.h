/* SPDX-License-Identifier: MIT */
/*
 * evtchn_table: which ports a domain has and which vCPU each one notifies. The hypervisor's part of
 * event channels (Xen: common/event_channel.c), in Dom0's private memory.
 */
#ifndef SPLITDOM_SERVICE_BACK_EVTCHN_TABLE_H
#define SPLITDOM_SERVICE_BACK_EVTCHN_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "splitdom/xen/shared_info.h"

/* Enough for 64 disks with 8 rings each, and as much again. */
enum { EVTCHN_TABLE_PORTS = 1024, EVTCHN_TABLE_WORDS = EVTCHN_TABLE_PORTS / 64 };

struct evtchn_table {
    uint64_t in_use[EVTCHN_TABLE_WORDS]; /* bit per port; port 0 is never valid */
    uint8_t vcpu[EVTCHN_TABLE_PORTS];
};

/* Takes a fixed port (xenstore's) at start-up. */
void evtchn_table_reserve(struct evtchn_table *table, evtchn_port_t port, uint32_t vcpu);
/* EVTCHNOP_alloc_unbound. Returns the port, or -EINVAL (vcpu), -ENOSPC. */
int evtchn_table_alloc(struct evtchn_table *table, uint32_t vcpu);
/* EVTCHNOP_close. Errors: -EINVAL not a port of ours, or a reserved one. */
int evtchn_table_close(struct evtchn_table *table, evtchn_port_t port);
/* Which vCPU port notifies, or -EINVAL: no such port. */
int evtchn_table_vcpu(const struct evtchn_table *table, uint64_t port);

#endif
