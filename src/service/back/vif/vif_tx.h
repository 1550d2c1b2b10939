/* SPDX-License-Identifier: MIT */
/*
 * vif_tx: a network interface's frames from its tx ring to the port: vif_queue_take. For
 * vif_queue.c.
 */
#ifndef SPLITDOM_SERVICE_BACK_VIF_VIF_TX_H
#define SPLITDOM_SERVICE_BACK_VIF_VIF_TX_H

#include "service/back/vif/vif_queue.h"

/* Shows filled responses. */
void vif_tx_flush(struct vif_queue *q);

#endif
