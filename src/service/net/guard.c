/* SPDX-License-Identifier: MIT */
#include "service/net/guard.h"

#include <errno.h>
#include <string.h>

int net_guard_add(struct net_guard *guard, const char *text)
{
    struct net_address address;
    uint32_t bits;
    int family = net_address_parse(text, &address, &bits);

    if (family < 0)
        return family;
    if (guard->address_count == NET_GUARD_ADDRESSES_MAX)
        return -ENOSPC;

    uint32_t i = guard->address_count++;

    guard->addresses[i].family = (uint8_t)family;
    guard->addresses[i].prefix_bits = bits;
    guard->addresses[i].address = address;
    return 0;
}

static bool is_unspecified(const struct net_address *address)
{
    static const struct net_address zero = {{0}};

    return memcmp(address, &zero, sizeof zero) == 0;
}

static bool may_be_source(const struct net_guard *guard, uint8_t family,
                          const struct net_address *source)
{
    static const struct net_address link_local = {{0xfe, 0x80}};

    if (is_unspecified(source) || (family == 6 && net_address_is_in(source, &link_local, 10)))
        return true;
    for (uint32_t i = 0; i < guard->address_count; i++) {
        if (guard->addresses[i].family == family &&
            net_address_is_in(source, &guard->addresses[i].address,
                              guard->addresses[i].prefix_bits))
            return true;
    }
    return false;
}

/* Linux takes off any number of tags of VLAN 0. */
static bool is_tag(uint16_t ethertype)
{
    return ethertype == NET_ETHERTYPE_VLAN || ethertype == NET_ETHERTYPE_QINQ;
}

/* IPv6's talk of neighbours in fragments: an option may be in a later one. Nobody sends that, and
 * who follows RFC 6980 takes none. */
static bool hides_neighbours(const struct net_packet *packet)
{
    return packet->has_fragment_header && !packet->is_later_fragment &&
           packet->protocol == NET_PROTOCOL_ICMPV6 &&
           (!packet->has_icmp ||
            (packet->icmp_type >= NET_ND_FIRST && packet->icmp_type <= NET_ND_LAST));
}

bool net_guard_passes(const struct net_guard *guard, const struct net_packet *packet)
{
    if (guard->mac_only && packet->from != guard->mac)
        return false;
    /* Of ARP that is not understood here nobody knows what another one reads there. */
    if (guard->mac_only && packet->inner_type == NET_ETHERTYPE_ARP &&
        (!packet->is_arp || packet->arp_mac != guard->mac))
        return false;
    if (guard->mac_only &&
        (packet->names_other_mac || hides_neighbours(packet) ||
         (packet->family == 6 && !packet->has_protocol) || is_tag(packet->inner_type)))
        return false; /* or it may name one behind more headers, or tags, than were looked at */
    if (guard->address_count == 0)
        return true;
    if (packet->is_arp)
        return may_be_source(guard, 4, &packet->source);
    if (packet->family != 0)
        return may_be_source(guard, packet->family, &packet->source);
    /* What claims to be IP and is not whole has a source that nobody has read. */
    return packet->inner_type != NET_ETHERTYPE_IPV4 && packet->inner_type != NET_ETHERTYPE_IPV6 &&
           packet->inner_type != NET_ETHERTYPE_ARP && !is_tag(packet->inner_type);
}
