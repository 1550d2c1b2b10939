/* SPDX-License-Identifier: MIT */
/*
 * mac: Ethernet addresses as numbers, so that they compare and hash at once: the first byte of the
 * wire is the highest of 48 bits.
 */
#ifndef SPLITDOM_SERVICE_NET_MAC_H
#define SPLITDOM_SERVICE_NET_MAC_H

#include <stdbool.h>
#include <stdint.h>

#define NET_MAC_BROADCAST UINT64_C(0xffffffffffff)

static inline uint64_t net_mac_get(const uint8_t bytes[6])
{
    uint64_t mac = 0;

    for (int i = 0; i < 6; i++)
        mac = mac << 8 | bytes[i];
    return mac;
}

/* To more than one: multicast or broadcast. */
static inline bool net_mac_is_group(uint64_t mac)
{
    return (mac >> 40 & 1) != 0;
}

/* 01:80:c2:00:00:0x: for the next bridge alone, which does not pass such frames on (IEEE 802.1D,
 * 7.12.6). */
static inline bool net_mac_is_link_local(uint64_t mac)
{
    return (mac & ~UINT64_C(0xf)) == UINT64_C(0x0180c2000000);
}

#endif
