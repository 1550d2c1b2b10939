/* SPDX-License-Identifier: MIT */
/*
 * toolstack: what libxl does in Xen: the store nodes that exist before a domain runs, and those of
 * the disk that it is given. Who writes and who reads each node: docs/nodes.md.
 */
#ifndef SPLITDOM_SERVICE_BACK_TOOLSTACK_H
#define SPLITDOM_SERVICE_BACK_TOOLSTACK_H

#include "splitdom/xen/grant_table.h"
#include "xenstore/xs_server.h"

/* Creates the domain's home and both directories of its disk (state 1, online 1). The domain has
 * been introduced to the store. image_path is what the `params` node says. Errors: -errno. */
int toolstack_create_domain(struct xs_server *store, domid_t domid, const char *image_path);

/* Removes both directories of the domain's disk: it has been detached. */
void toolstack_remove_disk(struct xs_server *store, domid_t domid);

/* Removes the domain's directory and, in Dom0's part of the store, what belongs to its device,
 * error nodes included. -ENOMEM: something is left; call it again. */
int toolstack_remove_domain(struct xs_server *store, domid_t domid);

#endif
