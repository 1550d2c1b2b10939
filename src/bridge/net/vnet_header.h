/* SPDX-License-Identifier: MIT */
/*
 * vnet_header: what a frame from or for a tap device says of its checksum and its segments (struct
 * virtio_net_hdr), and what netfront says of the same.
 *
 * The two differ in one thing: Linux tells where a checksum is missing, Xen only that one is, and
 * both ends look into the headers: Ethernet with or without tags, IPv4 or IPv6, TCP or UDP.
 *
 * Pure functions, any thread. The frames are a stranger's.
 */
#ifndef SPLITDOM_BRIDGE_NET_VNET_HEADER_H
#define SPLITDOM_BRIDGE_NET_VNET_HEADER_H

#include <stdint.h>

#include <linux/virtio_net.h>

#include "splitdom/netfront.h"

/*
 * A frame from a tap device, whose data and length are set, for netfront_send. A checksum that
 * Xen's flag cannot tell of, or that Dom0 does not take (info), is computed here: then the data
 * change. Errors: -EINVAL the header makes no sense; -EOPNOTSUPP segments that Dom0 does not take.
 */
int vnet_header_to_frame(const struct virtio_net_hdr *header, const struct netfront_info *info,
                         uint8_t *data, struct netfront_frame *frame);

/* The header for a frame that netfront_receive gave. Errors: -EINVAL nobody could tell where its
 * checksum is missing. */
int vnet_header_of_frame(const struct netfront_frame *frame, struct virtio_net_hdr *header);

#endif
