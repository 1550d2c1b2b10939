/* SPDX-License-Identifier: MIT */
/* guard: a vif speaks for itself alone. */
#include "service/net/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/net/frame.h"

static struct net_packet of_mac(uint64_t from)
{
    return (struct net_packet){.from = from, .ethertype = 0x88b5, .inner_type = 0x88b5};
}

static struct net_packet of_ip(const char *source)
{
    struct net_packet packet = of_mac(7);
    uint32_t bits;
    int family = net_address_parse(source, &packet.source, &bits);
    packet.family = (uint8_t)family;
    packet.inner_type = family == 4 ? NET_ETHERTYPE_IPV4 : NET_ETHERTYPE_IPV6;
    return packet;
}

static bool passes(const struct net_guard *guard, struct net_packet packet)
{
    return net_guard_passes(guard, &packet);
}

static void only_its_own_address_is_a_source(void **state)
{
    (void)state;
    struct net_guard guard = {.mac_only = true, .mac = 7};
    assert_true(passes(&guard, of_mac(7)));
    assert_false(passes(&guard, of_mac(8)));
    guard.mac_only = false;
    assert_true(passes(&guard, of_mac(8)));
}

static void arp_must_name_the_same_sender(void **state)
{
    (void)state;
    struct net_guard guard = {.mac_only = true, .mac = 7};
    struct net_packet arp = of_mac(7);
    arp.inner_type = NET_ETHERTYPE_ARP;
    arp.is_arp = true;
    arp.arp_mac = 8;
    assert_false(passes(&guard, arp));
    arp.arp_mac = 7;
    assert_true(passes(&guard, arp));
    arp.is_arp = false; /* of another kind: who is its sender? */
    assert_false(passes(&guard, arp));
    arp.is_arp = true;
    assert_int_equal(net_guard_add(&guard, "10.0.0.1"), 0);
    assert_true(passes(&guard, arp)); /* a probe, from 0.0.0.0 */
    arp.source.bytes[0] = 10;
    assert_false(passes(&guard, arp));
    arp.source.bytes[3] = 1;
    assert_true(passes(&guard, arp));
}

static void ipv6_neighbours_must_name_the_same_mac(void **state)
{
    (void)state;
    struct net_guard guard = {.mac_only = true, .mac = 7};
    struct net_packet packet = of_ip("fe80::7");
    packet.has_protocol = packet.names_other_mac = true;
    assert_false(passes(&guard, packet));
    packet.names_other_mac = false;
    assert_true(passes(&guard, packet));
    packet.has_protocol = false; /* more headers than were looked at: who knows what is behind */
    assert_false(passes(&guard, packet));
    guard.mac_only = false;
    assert_true(passes(&guard, packet));
}

static struct net_packet read_fragment(const uint8_t *bytes, uint32_t length)
{
    struct net_packet packet;
    struct net_frame *frame = net_frame_new(length);
    memcpy(frame->data, bytes, length);
    net_packet_read(frame, &packet);
    net_frame_put(frame);
    return packet;
}

/* The option that names another one may come in the next fragment, as may the message itself. */
static void ipv6_neighbours_must_not_come_in_fragments(void **state)
{
    (void)state;
    struct net_guard guard = {.mac_only = true};
    uint8_t bytes[54 + 8 + 24 + 8] = {0};
    memcpy(bytes + 6, "\2\0\0\0\0\7\x86\xdd\x60", 9);
    bytes[20] = 44; /* a fragment's header */
    bytes[54] = NET_PROTOCOL_ICMPV6;
    bytes[57] = 1; /* there are more */
    bytes[62] = 136;
    struct net_packet packet = read_fragment(bytes, sizeof(bytes));
    guard.mac = packet.from;
    assert_false(passes(&guard, packet));
    assert_false(passes(&guard, read_fragment(bytes, 62 + 7)));
    bytes[57] = 0; /* the only one */
    assert_false(passes(&guard, read_fragment(bytes, sizeof(bytes))));
    bytes[62] = 128; /* an echo */
    assert_true(passes(&guard, read_fragment(bytes, sizeof(bytes))));
    bytes[57] = 8; /* the second one: of what the first one has said */
    assert_true(passes(&guard, read_fragment(bytes, sizeof(bytes))));
    bytes[57] = 0;
    bytes[54] = NET_PROTOCOL_UDP;
    assert_true(passes(&guard, read_fragment(bytes, 62)));
    guard.mac_only = false;
    bytes[54] = NET_PROTOCOL_ICMPV6;
    assert_true(passes(&guard, read_fragment(bytes, 62)));
}

static void only_given_addresses_are_ip_sources(void **state)
{
    (void)state;
    struct net_guard guard = {.mac = 7};
    assert_true(passes(&guard, of_ip("1.2.3.4"))); /* none given: any */
    assert_int_equal(net_guard_add(&guard, "10.0.0.1"), 0);
    assert_int_equal(net_guard_add(&guard, "10.9.0.0/16"), 0);
    assert_true(passes(&guard, of_ip("10.0.0.1")));
    assert_true(passes(&guard, of_ip("10.9.7.7")));
    assert_true(passes(&guard, of_ip("0.0.0.0")));
    assert_false(passes(&guard, of_ip("10.0.0.2")));
    assert_false(passes(&guard, of_ip("2001:db8::1")));
    assert_true(passes(&guard, of_ip("fe80::7")));
    assert_true(passes(&guard, of_ip("::")));
    assert_true(passes(&guard, of_mac(7))); /* no IP at all */
}

static void what_claims_to_be_ip_and_is_not_whole_does_not_pass(void **state)
{
    (void)state;
    struct net_guard guard = {.mac = 7};
    assert_int_equal(net_guard_add(&guard, "10.0.0.1"), 0);
    struct net_packet broken = of_mac(7);
    broken.inner_type = NET_ETHERTYPE_IPV4;
    assert_false(passes(&guard, broken));
    broken.inner_type = NET_ETHERTYPE_VLAN; /* a third tag */
    assert_false(passes(&guard, broken));
}

static void tags_that_were_not_looked_behind_do_not_pass(void **state)
{
    (void)state;
    struct net_guard guard = {.mac_only = true, .mac = 7};
    struct net_packet tagged = of_mac(7);
    tagged.inner_type = NET_ETHERTYPE_VLAN;
    assert_false(passes(&guard, tagged));
    tagged.inner_type = NET_ETHERTYPE_QINQ;
    assert_false(passes(&guard, tagged));
    guard.mac_only = false;
    assert_true(passes(&guard, tagged));
}

static void wrong_and_too_many_addresses_are_refused(void **state)
{
    (void)state;
    struct net_guard guard = {.mac = 7};
    assert_int_equal(net_guard_add(&guard, "10.0.0"), -EINVAL);
    for (int i = 0; i < NET_GUARD_ADDRESSES_MAX; i++)
        assert_int_equal(net_guard_add(&guard, "10.0.0.1"), 0);
    assert_int_equal(net_guard_add(&guard, "10.0.0.1"), -ENOSPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_its_own_address_is_a_source),
        cmocka_unit_test(arp_must_name_the_same_sender),
        cmocka_unit_test(ipv6_neighbours_must_name_the_same_mac),
        cmocka_unit_test(ipv6_neighbours_must_not_come_in_fragments),
        cmocka_unit_test(only_given_addresses_are_ip_sources),
        cmocka_unit_test(what_claims_to_be_ip_and_is_not_whole_does_not_pass),
        cmocka_unit_test(tags_that_were_not_looked_behind_do_not_pass),
        cmocka_unit_test(wrong_and_too_many_addresses_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
