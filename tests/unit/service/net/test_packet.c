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
    assert_true(p.is_later_fragment && p.has_protocol && !p.has_ports);
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

/* An IPv6 packet of these extension headers, each of 16 bytes, and of UDP from port 53. */
static struct net_packet read_behind(const uint8_t *kinds, uint32_t count)
{
    uint8_t bytes[14 + 40 + 16 * 16 + 8] = {0}, *next = &bytes[20];
    uint32_t at = 54;
    memcpy(bytes + 12, "\x86\xdd\x60", 3);
    for (uint32_t i = 0; i < count; i++, at += 16) {
        *next = kinds[i];
        next = &bytes[at];
        bytes[at + 1] = kinds[i] == 51 ? 2 : 1; /* 51 counts words of 4 bytes, the others of 8 */
    }
    *next = NET_PROTOCOL_UDP;
    bytes[at + 1] = 53;
    return read_bytes(bytes, at + 8);
}

static void each_kind_of_header_between_has_its_length(void **state)
{
    (void)state;
    static const uint8_t kinds[] = {0, 43, 51, 60};
    for (uint32_t i = 0; i < sizeof kinds; i++) {
        const uint8_t twice[] = {kinds[i], kinds[i]};
        struct net_packet p = read_behind(twice, 2);
        assert_true(p.has_protocol && p.has_ports);
        assert_int_equal(p.protocol, NET_PROTOCOL_UDP);
        assert_int_equal(p.source_port, 53);
        assert_int_equal(p.transport_byte, 54 + 32);
    }
}

static void so_many_headers_between_are_passed_and_no_more(void **state)
{
    (void)state;
    static const uint8_t kinds[8] = {60, 60, 60, 60, 60, 60, 60, 60};
    assert_true(read_behind(kinds, 7).has_ports);
    struct net_packet p = read_behind(kinds, 8);
    assert_true(p.family == 6 && !p.has_protocol && !p.has_ports);
}

static void a_header_between_that_is_cut_ends_the_look(void **state)
{
    (void)state;
    uint8_t bytes[14 + 40 + 8] = {0};
    memcpy(bytes + 12, "\x86\xdd\x60", 3);
    bytes[20] = 60, bytes[54] = NET_PROTOCOL_UDP;
    assert_true(read_bytes(bytes, sizeof bytes).has_protocol); /* behind it lies nothing */
    assert_false(read_bytes(bytes, sizeof bytes).has_ports);
    assert_false(read_bytes(bytes, sizeof bytes - 1).has_protocol);
    assert_int_equal(read_bytes(bytes, 14 + 40).family, 6);
    assert_int_equal(read_bytes(bytes, 14 + 39).family, 0);
}

static void the_length_of_an_ipv4_header_is_believed_where_it_can_be(void **state)
{
    (void)state;
    uint8_t bytes[sizeof tcp4 + 4] = {0};
    memcpy(bytes, tcp4, 34);
    memcpy(bytes + 38, tcp4 + 34, 20);
    bytes[14] = 0x46; /* one word of options */
    struct net_packet p = read_bytes(bytes, sizeof bytes);
    assert_int_equal(p.transport_byte, 38);
    assert_int_equal(p.source_port, 12345);
    assert_int_equal(read_bytes(bytes, 38).family, 4);
    assert_int_equal(read_bytes(bytes, 37).family, 0); /* the header is cut */
    bytes[14] = 0x44;                                  /* shorter than there are */
    assert_int_equal(read_bytes(bytes, sizeof bytes).family, 0);
    bytes[14] = 0x65;
    assert_int_equal(read_bytes(bytes, sizeof bytes).family, 0);
    assert_int_equal(read_bytes(tcp4, 33).family, 0);
}

static void tcp_has_flags_with_its_whole_header_alone(void **state)
{
    (void)state;
    struct net_packet p = read_bytes(tcp4, sizeof tcp4 - 1);
    assert_true(p.has_ports);
    assert_int_equal(p.tcp_flags, 0);
    assert_int_equal(p.target_port, 80);
}

static void the_first_fragment_has_ports(void **state)
{
    (void)state;
    uint8_t bytes[sizeof tcp4];
    memcpy(bytes, tcp4, sizeof tcp4);
    bytes[20] = 0x20; /* more will follow */
    struct net_packet p = read_bytes(bytes, sizeof bytes);
    assert_true(p.has_ports && !p.is_later_fragment);
    bytes[20] = 0x10; /* the highest bit of the place */
    p = read_bytes(bytes, sizeof bytes);
    assert_true(p.is_later_fragment && p.has_protocol && !p.has_ports);
    assert_int_equal(p.protocol, NET_PROTOCOL_TCP);
}

static void arp_is_of_ipv4_over_ethernet_and_has_a_target(void **state)
{
    (void)state;
    uint8_t bytes[42] = {0};
    static const uint8_t arp[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 9, 10, 0, 0, 7};
    memcpy(bytes + 12, arp, sizeof arp);
    memcpy(bytes + 38, "\x0a\x00\x00\x08", 4);
    struct net_packet p = read_bytes(bytes, sizeof bytes);
    assert_memory_equal(p.source.bytes, "\x0a\x00\x00\x07", 4);
    assert_memory_equal(p.target.bytes, "\x0a\x00\x00\x08", 4);
    assert_int_equal(p.family, 0);
    for (int i = 14; i < 20; i++) {
        bytes[i]++;
        assert_false(read_bytes(bytes, sizeof bytes).is_arp);
        bytes[i]--;
    }
    bytes[15] = 6; /* IEEE 802: Linux answers to it, and learns from it, as from Ethernet's */
    assert_int_equal(read_bytes(bytes, sizeof bytes).arp_mac, 0x020000000009);
}

/* A tag whose second half is cut is none. */
static void a_tag_that_is_cut_is_not_looked_behind(void **state)
{
    (void)state;
    uint8_t bytes[18] = {0};
    memcpy(bytes + 12, "\x81\x00\x00\x05\x08\x00", 6);
    struct net_packet p = read_bytes(bytes, 18);
    assert_int_equal(p.inner_type, NET_ETHERTYPE_IPV4);
    assert_int_equal(p.network_byte, 18);
    p = read_bytes(bytes, 17);
    assert_int_equal(p.inner_type, NET_ETHERTYPE_VLAN);
    assert_int_equal(p.network_byte, 14);
}

static void every_bit_of_a_prefix_counts(void **state)
{
    (void)state;
    struct net_address net = {{0}}, other;
    for (uint32_t bit = 0; bit < 128; bit++) {
        other = net;
        other.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        assert_true(net_address_is_in(&other, &net, bit));
        assert_false(net_address_is_in(&other, &net, bit + 1));
    }
    assert_true(net_address_is_in(&net, &net, 128));
}

static void a_text_longer_than_any_address_is_refused(void **state)
{
    (void)state;
    struct net_address address;
    uint32_t bits;
    char text[64] = "0000:0000:0000:0000:0000:ffff:192.168.100.228"; /* the longest: 45 */
    assert_int_equal(net_address_parse(text, &address, &bits), 6);
    assert_int_equal(bits, 128);
    strcat(text, "0");
    assert_int_equal(net_address_parse(text, &address, &bits), -EINVAL);
    strcpy(text, "1.2.3.4/32");
    assert_int_equal(net_address_parse(text, &address, &bits), 4);
    strcpy(text, "1.2.3.4/0");
    assert_int_equal(net_address_parse(text, &address, &bits), 4);
    assert_int_equal(bits, 0);
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
        cmocka_unit_test(each_kind_of_header_between_has_its_length),
        cmocka_unit_test(so_many_headers_between_are_passed_and_no_more),
        cmocka_unit_test(a_header_between_that_is_cut_ends_the_look),
        cmocka_unit_test(the_length_of_an_ipv4_header_is_believed_where_it_can_be),
        cmocka_unit_test(tcp_has_flags_with_its_whole_header_alone),
        cmocka_unit_test(the_first_fragment_has_ports),
        cmocka_unit_test(arp_is_of_ipv4_over_ethernet_and_has_a_target),
        cmocka_unit_test(a_tag_that_is_cut_is_not_looked_behind),
        cmocka_unit_test(every_bit_of_a_prefix_counts),
        cmocka_unit_test(a_text_longer_than_any_address_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
