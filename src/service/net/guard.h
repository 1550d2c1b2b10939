/* SPDX-License-Identifier: MIT */
/*
 * net_guard: what a vif may say of itself: nothing is passed on that has another source address
 * than the vif's own, nor, with addresses given, another IP source; the same for what ARP says of
 * its sender, and IPv6's neighbours of their MAC addresses. (Xen 2003's firewall rules against
 * spoofing; `ip=` of xl.)
 */
#ifndef SPLITDOM_SERVICE_NET_GUARD_H
#define SPLITDOM_SERVICE_NET_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "service/net/packet.h"

enum { NET_GUARD_ADDRESSES_MAX = 8 };

struct net_guard {
    bool mac_only;          /* the source address must be mac */
    uint64_t mac;           /* mac.h */
    uint32_t address_count; /* 0: any IP source */
    struct {
        uint8_t family;
        uint32_t prefix_bits;
        struct net_address address;
    } addresses[NET_GUARD_ADDRESSES_MAX];
};

/* Adds an address or a net as net_address_parse reads it. -EINVAL; -ENOSPC: there are too many. */
int net_guard_add(struct net_guard *guard, const char *text);

/* May the vif send this? With addresses: IPv4 may also come from 0.0.0.0 (DHCP asks so, ARP probes
 * so), IPv6 from :: and fe80::/10 (neighbours are found so). */
bool net_guard_passes(const struct net_guard *guard, const struct net_packet *packet);

#endif
