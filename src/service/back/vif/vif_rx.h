/* SPDX-License-Identifier: MIT */
/*
 * vif_rx: a network interface's frames from the port to its rx ring: vif_queue_deliver. For
 * vif_queue.c.
 */
#ifndef SPLITDOM_SERVICE_BACK_VIF_VIF_RX_H
#define SPLITDOM_SERVICE_BACK_VIF_VIF_RX_H

#include "service/back/vif/vif_queue.h"

/* Puts frames that wait on the ring, as far as there are pages, and shows them. Returns how many
 * frames, or -EPROTO: the index is invalid. */
int vif_rx_serve(struct vif_queue *q, uint64_t now_ns);
/* Asks for the doorbell if frames wait for pages, or the front end is stalled. True: pages have
 * come meanwhile. */
bool vif_rx_arm(struct vif_queue *q);
/* counter: which one of q->stats. */
void vif_rx_drop_all(struct vif_queue *q, enum net_drop why, uint64_t *counter);

#endif
