/* SPDX-License-Identifier: MIT */
/*
 * vif_nodes: what the store says of a network interface: the toolstack's nodes and the back end's.
 * Their names and their order are those of libxl and of Linux's back end (docs/nodes.md).
 */
#ifndef SPLITDOM_SERVICE_BACK_VIF_VIF_NODES_H
#define SPLITDOM_SERVICE_BACK_VIF_VIF_NODES_H

#include "service/back/vif/vif_back.h"

/* The toolstack's (back_class.h). The options are a struct vif_options. */
void vif_nodes_of_front(const struct back_spec *spec, back_node_fn *put, void *ctx);
void vif_nodes_of_back(const struct back_spec *spec, domid_t domid, back_node_fn *put, void *ctx);

/* Before state 2: what a front end must know to connect. Errors: those of xenbus_back_put. */
int vif_nodes_offer(struct xenbus_back *back, const struct vif_options *options);

/* What the node `rate` says now: *bytes in each interval; absent, or with an interval of 0: 0, no
 * limit. Errors: -EINVAL, -ERANGE it says nothing of the kind; -errno it cannot be read. */
int vif_nodes_rate(struct xenbus_back *back, uint64_t *bytes, uint32_t *interval_us);

/* What Xen's hotplug script says: the interface is on its bridge. Errors: as above. */
int vif_nodes_joined(struct xenbus_back *back);
/* It could not be; why is a line. It is connected to nothing any more. */
void vif_nodes_not_joined(struct xenbus_back *back, const char *why);
void vif_nodes_left(struct xenbus_back *back);

#endif
