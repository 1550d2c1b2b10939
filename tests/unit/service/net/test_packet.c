/* SPDX-License-Identifier: MIT */
/* packet: what is read in honest frames, and that nothing is read outside of others. */
#include "service/net/packet.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "net_fixture.h"

static struct net_packet read_bytes(const uint8_t *bytes, uint32_t length)
{
    struct net_packet packet;
    struct net_frame *frame = net_frame_new(length);
    memcpy(frame->data, bytes, length);
    net_packet_read(frame, &packet);
    net_frame_put(frame);
    return packet;
}

static const uint8_t tcp4[] = {
    2,    0,    0, 0,  0, 1, 2,    0, 0,  0, 0, 2, 0x08, 0,                       /* Ethernet */
    0x45, 0,    0, 40, 0, 1, 0x40, 0, 64, 6, 0, 0, 10,   0,    0, 1, 10, 0, 0, 2, /* IPv4 */
    0x30, 0x39, 0, 80, 0, 0, 0,    1, 0,  0, 0, 0, 0x50, 0x12, 1, 0, 0,  0, 0, 0, /* TCP */
};

static void a_tcp_packet_is_read(void **state)
{
    (void)state;
    struct net_packet p = read_bytes(tcp4, sizeof tcp4);
    assert_int_equal(p.to, 0x020000000001);
    assert_int_equal(p.from, 0x020000000002);
    assert_int_equal(p.family, 4);
    assert_int_equal(p.protocol, NET_PROTOCOL_TCP);
    assert_true(p.has_ports);
    assert_int_equal(p.source_port, 12345);
    assert_int_equal(p.target_port, 80);
    assert_int_equal(p.tcp_flags, NET_TCP_SYN | NET_TCP_ACK);
    assert_int_equal(p.source.bytes[3], 1);
    assert_int_equal(p.target.bytes[3], 2);
}

static void two_tags_are_looked_behind_and_no_third(void **state)
{
    (void)state;
    uint8_t bytes[sizeof tcp4 + 12];
    static const uint8_t tags[] = {0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x81, 0, 0, 7};
    for (uint32_t count = 1; count <= 3; count++) {
        memcpy(bytes, tcp4, 12);
        memcpy(bytes + 12, tags, count * 4);
        memcpy(bytes + 12 + count * 4, tcp4 + 12, sizeof tcp4 - 12);
        struct net_packet p = read_bytes(bytes, (uint32_t)sizeof tcp4 + count * 4);
        assert_int_equal(p.ethertype, NET_ETHERTYPE_QINQ);
        assert_int_equal(p.family, count <= 2 ? 4 : 0);
    }
}

static void a_later_fragment_has_no_ports(void **state)
{
    (void)state;
    uint8_t bytes[sizeof tcp4];
    memcpy(bytes, tcp4, sizeof tcp4);
    bytes[21] = 1;
    struct net_packet p = read_bytes(bytes, sizeof bytes);
    assert_true(p.is_later_fragment && p.has_protocol);
    assert_false(p.has_ports);
}

static void headers_between_are_passed(void **state)
{
    (void)state;
    uint8_t bytes[14 + 40 + 16 + 8 + 8] = {0};
    bytes[12] = 0x86, bytes[13] = 0xdd;
    bytes[14] = 0x60, bytes[20] = 0; /* next: hop by hop */
    bytes[54] = 44, bytes[55] = 1;   /* of 16 bytes, then a fragment */
    bytes[70] = 17;                  /* the first one, of UDP */
    bytes[78] = 0, bytes[79] = 53, bytes[81] = 54;
    struct net_packet p = read_bytes(bytes, sizeof bytes);
    assert_int_equal(p.protocol, NET_PROTOCOL_UDP);
    assert_int_equal(p.source_port, 53);
    assert_int_equal(p.target_port, 54);
    bytes[73] = 8; /* a later one */
    p = read_bytes(bytes, sizeof bytes);
    assert_true(p.is_later_fragment && !p.has_ports);
    assert_int_equal(p.protocol, NET_PROTOCOL_UDP);
}

static void arp_names_its_sender(void **state)
{
    (void)state;
    uint8_t bytes[42] = {0};
    static const uint8_t arp[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 9, 10, 0, 0, 7};
    memcpy(bytes + 12, arp, sizeof arp);
    struct net_packet p = read_bytes(bytes, sizeof bytes);
    assert_true(p.is_arp);
    assert_int_equal(p.arp_mac, 0x020000000009);
    assert_int_equal(p.source.bytes[3], 7);
    assert_false(read_bytes(bytes, 41).is_arp);
}

/* Under AddressSanitizer a byte outside is found: each frame is an allocation of its own. */
static void nothing_is_read_outside_of_any_frame(void **state)
{
    (void)state;
    struct prng prng;
    static const uint8_t types[][2] = {{8, 0}, {8, 6}, {0x86, 0xdd}, {0x81, 0}, {0x88, 0xa8}};
    prng_init(&prng, 1, 1);
    for (int i = 0; i < 50000; i++) {
        uint8_t bytes[120];
        for (size_t k = 0; k < sizeof bytes; k++)
            bytes[k] = (uint8_t)prng_next(&prng);
        memcpy(bytes + 12, types[i % 5], 2);
        bytes[14] = (uint8_t)(i % 3 == 0 ? 0x40 + prng_below(&prng, 16) : 0x60);
        if (i % 7 == 0)
            memcpy(bytes + 16, types[prng_below(&prng, 5)], 2);
        static const uint8_t next[] = {0, 43, 44, 51, 60, 6, 17, 58, 1};
        bytes[20] = next[prng_below(&prng, sizeof next)];
        bytes[54] = next[prng_below(&prng, sizeof next)];
        (void)read_bytes(bytes, 14 + (uint32_t)prng_below(&prng, sizeof bytes - 13));
    }
}

static void addresses_are_parsed_and_compared_by_prefix(void **state)
{
    (void)state;
    struct net_address a, b;
    uint32_t bits;
    assert_int_equal(net_address_parse("10.1.2.3/12", &a, &bits), 4);
    assert_int_equal(bits, 12);
    assert_int_equal(net_address_parse("10.15.255.255", &b, &bits), 4);
    assert_int_equal(bits, 32);
    assert_true(net_address_is_in(&b, &a, 12));
    assert_false(net_address_is_in(&b, &a, 13));
    assert_true(net_address_is_in(&b, &a, 0));
    assert_int_equal(net_address_parse("fe80::1/64", &a, &bits), 6);
    assert_int_equal(bits, 64);
    static const char *const wrong[] = {"",    "10.0.0",    "10.0.0.1/33", "::/129",
                                        "::/", "1.2.3.4/x", "fe80::1%eth0"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(net_address_parse(wrong[i], &a, &bits), -EINVAL);
}

static void an_ipv6_packet_has_the_addresses_of_one(void **state)
{
    (void)state;
    uint8_t bytes[14 + 40 + 8] = {0};
    struct net_address from, to;
    uint32_t bits;
    bytes[12] = 0x86, bytes[13] = 0xdd;
    bytes[14] = 0x60, bytes[20] = NET_PROTOCOL_UDP;
    assert_int_equal(net_address_parse("fe80::1", &from, &bits), 6);
    assert_int_equal(net_address_parse("ff02::fb", &to, &bits), 6);
    memcpy(bytes + 22, from.bytes, 16);
    memcpy(bytes + 38, to.bytes, 16);
    struct net_packet p = read_bytes(bytes, sizeof bytes);
    assert_int_equal(p.family, 6);
    assert_memory_equal(p.source.bytes, from.bytes, 16);
    assert_memory_equal(p.target.bytes, to.bytes, 16);
    assert_int_equal(p.protocol, NET_PROTOCOL_UDP);
    bytes[14] = 0x40; /* not by its own word */
    assert_int_equal(read_bytes(bytes, sizeof bytes).family, 0);
}

static void an_ipv4_address_is_4_bytes_and_no_more(void **state)
{
    (void)state;
    static const uint8_t none[12] = {0};
    struct net_packet p = read_bytes(tcp4, sizeof tcp4);
    assert_memory_equal(p.source.bytes, tcp4 + 26, 4);
    assert_memory_equal(p.source.bytes + 4, none, 12);
    assert_memory_equal(p.target.bytes, tcp4 + 30, 4);
    assert_memory_equal(p.target.bytes + 4, none, 12);
}

/* Without a port of both ends there are none. */
static void ports_are_read_whole_or_not_at_all(void **state)
{
    (void)state;
    uint8_t bytes[14 + 20 + 4] = {0};
    memcpy(bytes, tcp4, 14 + 20);
    bytes[23] = NET_PROTOCOL_UDP;
    bytes[37] = 53;
    struct net_packet p = read_bytes(bytes, sizeof bytes);
    assert_true(p.has_ports);
    assert_int_equal(p.target_port, 53);
    assert_false(read_bytes(bytes, sizeof bytes - 1).has_ports);
}

static void an_echo_has_a_type_and_an_id(void **state)
{
    (void)state;
    uint8_t bytes[14 + 20 + 8];
    memcpy(bytes, tcp4, 14 + 20);
    memcpy(bytes + 34, "\x08\x01\x00\x00\x12\x34\x00\x07", 8);
    bytes[23] = NET_PROTOCOL_ICMP;
    struct net_packet p = read_bytes(bytes, sizeof bytes);
    assert_true(p.has_icmp && !p.has_ports);
    assert_int_equal(p.icmp_type, 8);
    assert_int_equal(p.icmp_id, 0x1234);
    assert_int_equal(p.transport_byte, 34);
    assert_false(read_bytes(bytes, sizeof bytes - 1).has_icmp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tcp_packet_is_read),
        cmocka_unit_test(two_tags_are_looked_behind_and_no_third),
        cmocka_unit_test(a_later_fragment_has_no_ports),
        cmocka_unit_test(headers_between_are_passed),
        cmocka_unit_test(arp_names_its_sender),
        cmocka_unit_test(nothing_is_read_outside_of_any_frame),
        cmocka_unit_test(addresses_are_parsed_and_compared_by_prefix),
        cmocka_unit_test(an_ipv6_packet_has_the_addresses_of_one),
        cmocka_unit_test(an_ipv4_address_is_4_bytes_and_no_more),
        cmocka_unit_test(ports_are_read_whole_or_not_at_all),
        cmocka_unit_test(an_echo_has_a_type_and_an_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
