/* SPDX-License-Identifier: MIT */
/*
 * vbd_nodes: what the store says of a disk: the toolstack's nodes and the back end's. Their names
 * and their order are those of libxl and of Linux's back end (docs/nodes.md).
 *
 * Functions that return int return 0 or the error of xenbus_back_put.
 */
#ifndef SPLITDOM_SERVICE_BACK_VBD_VBD_NODES_H
#define SPLITDOM_SERVICE_BACK_VBD_VBD_NODES_H

#include <stdbool.h>

#include "service/back/vbd/vbd_back.h"

/* The toolstack's (back_class.h). The options are a struct vbd_options. */
void vbd_nodes_of_front(const struct back_spec *spec, back_node_fn *put, void *ctx);
void vbd_nodes_of_back(const struct back_spec *spec, domid_t domid, back_node_fn *put, void *ctx);

/* Before state 2: what a front end must know to connect. */
int vbd_nodes_offer(struct xenbus_back *back, const struct vbd_options *options);
/* Before state 4: what the disk is and can do. discard: discards are enabled. */
int vbd_nodes_describe(struct xenbus_back *back, const struct vbd_options *options, bool discard);
/* Of these, those that turn 0 when the vdisk turns out not to be able to, */
int vbd_nodes_abilities(struct xenbus_back *back, const struct vbd_options *options, bool discard);
/* and those that a resize changes. */
int vbd_nodes_disk(struct xenbus_back *back, const struct vbd_options *options);

#endif
