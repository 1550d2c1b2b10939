/* SPDX-License-Identifier: MIT */
/*
 * flow: which frames belong together, so that their order is kept: those between two addresses, and
 * for TCP between two ports.
 */
#ifndef SPLITDOM_SERVICE_BACK_VIF_FLOW_H
#define SPLITDOM_SERVICE_BACK_VIF_FLOW_H

#include <stdint.h>

#include "service/net/frame.h"

/* The same for all frames of a flow. */
uint32_t flow_hash(const struct net_frame *frame);

#endif
