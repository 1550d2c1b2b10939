/* SPDX-License-Identifier: MIT */
/*
 * ports: the event channels of a domain's devices. Each device has a port on a vCPU of its own,
 * where its threads sleep, so that no device wakes another one's threads. The store's port and
 * vCPU are the life's (life.h).
 *
 * A device keeps its vCPU through all lives of the domain; its port is another one in each.
 * One thread at a time.
 */
#ifndef SPLITDOM_DOMU_PORTS_H
#define SPLITDOM_DOMU_PORTS_H

#include <stddef.h>
#include <stdint.h>

#include "domu/life.h"

enum { PORTS_MAX = XEN_LEGACY_MAX_VCPUS - LIFE_VCPU_DEVICES };

struct ports {
    /* By vCPU. owner NULL: the vCPU is free. */
    struct port {
        const void *owner;
        evtchn_port_t port;
    } vcpu[XEN_LEGACY_MAX_VCPUS];
};

/* Opens a port on a vCPU that is free, for owner (not NULL). Returns the vCPU. Errors: -ENOSPC all
 * vCPUs have owners; those of life_alloc_port. */
int ports_open(struct ports *ports, struct life *life, const void *owner);
/* For people: why ports_open has failed with rc, and what to do. */
void ports_explain(int rc, char *why, size_t why_bytes);
/* Closes the port of owner's vCPU, if that life still listens, and frees the vCPU. */
void ports_close(struct ports *ports, struct life *life, uint32_t vcpu, const void *owner);
/* The port, to be told to the back end. */
evtchn_port_t ports_port(const struct ports *ports, uint32_t vcpu, const void *owner);

/* Opens a port for each owner in the next life. Errors: those of life_alloc_port; to be repeated
 * with another life then. */
int ports_reopen(struct ports *ports, struct life *next);

#endif
