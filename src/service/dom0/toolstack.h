/* SPDX-License-Identifier: MIT */
/*
 * toolstack: what libxl does in Xen: the store nodes that exist before a domain runs, and those of
 * the devices that it is given. Who writes and who reads each node: docs/nodes.md.
 */
#ifndef SPLITDOM_SERVICE_DOM0_TOOLSTACK_H
#define SPLITDOM_SERVICE_DOM0_TOOLSTACK_H

#include <sys/types.h>

#include "service/back/back_class.h"
#include "splitdom/xen/shared_info.h"
#include "xenstore/server/xs_server.h"

/* What the nodes of a domain's home say. */
struct toolstack_domain {
    domid_t domid;
    uint64_t memory_kib;
    uint32_t store_pfn; /* page of its memory that is the ring of the store */
    evtchn_port_t store_evtchn;
};

/* Creates what Dom0 says of itself. Errors: -errno. */
int toolstack_create_dom0(struct xs_server *store);

/* Creates the domain's home. The domain has been introduced to the store. Errors: -errno. */
int toolstack_create_domain(struct xs_server *store, const struct toolstack_domain *domain);

/* Writes which process a domain (Dom0 included) is, splitdom/pid in its home. Errors: -errno. */
int toolstack_tell_pid(struct xs_server *store, domid_t domid, pid_t pid);

/* Gives the domain another name. Errors: -errno. */
int toolstack_tell_name(struct xs_server *store, domid_t domid, const char *name);

/* Creates both directories of a device (state 1, online 1), as its class describes them. The
 * domain's home is there. Errors: -errno; what was written stays. */
int toolstack_create_device(struct xs_server *store, domid_t domid, const struct back_spec *spec);

/* Removes the domain's directory and, in Dom0's part of the store, what belongs to its devices,
 * error nodes included. -ENOMEM: something is left; call it again. */
int toolstack_remove_domain(struct xs_server *store, domid_t domid);

#endif
