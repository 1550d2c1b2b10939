/* SPDX-License-Identifier: MIT */
/*
 * toolstack: what libxl does in Xen: the store nodes that exist before a domain runs, and those of
 * the devices that it is given. Who writes and who reads each node: docs/nodes.md.
 */
#ifndef SPLITDOM_SERVICE_DOM0_TOOLSTACK_H
#define SPLITDOM_SERVICE_DOM0_TOOLSTACK_H

#include "service/back/back_class.h"
#include "xenstore/server/xs_server.h"

/* Creates the domain's home. The domain has been introduced to the store. Errors: -errno. */
int toolstack_create_domain(struct xs_server *store, domid_t domid);

/* Creates both directories of a device (state 1, online 1), as its class describes them. The
 * domain's home is there. Errors: -errno; what was written stays. */
int toolstack_create_device(struct xs_server *store, domid_t domid, const struct back_spec *spec);

/* Removes the domain's directory and, in Dom0's part of the store, what belongs to its devices,
 * error nodes included. -ENOMEM: something is left; call it again. */
int toolstack_remove_domain(struct xs_server *store, domid_t domid);

#endif
