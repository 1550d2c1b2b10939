/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/net/vnet_header.h"

static const struct netfront_info all = {
    .scatter_gather = true, .gso_tcpv4 = true, .gso_tcpv6 = true, .ipv6_checksum = true};
static const struct netfront_info none;

static uint8_t data[256];
static struct virtio_net_hdr header;
static struct netfront_frame frame;

/* Ethernet, so many tags, IP, then `payload` bytes of TCP or UDP. Returns where that begins. */
static uint16_t make(int tags, bool ipv6, uint8_t protocol, uint32_t payload)
{
    uint32_t at = 12;
    memset(data, 0, sizeof(data));
    for (int i = 0; i < tags; i++, at += 4)
        memcpy(data + at, i == 0 && tags == 2 ? "\x88\xa8\x00\x05" : "\x81\x00\x00\x07", 4);
    memcpy(data + at, ipv6 ? "\x86\xdd" : "\x08\x00", 2);
    at += 2;
    data[at] = ipv6 ? 0x60 : 0x46; /* IPv4 with a word of options */
    data[at + (ipv6 ? 6 : 9)] = protocol;
    at += ipv6 ? 40 : 24;
    if (protocol == 6)
        data[at + 12] = 0x80; /* TCP with 12 bytes of options */
    frame = (struct netfront_frame){.data = data, .length_bytes = at + payload};
    header = (struct virtio_net_hdr){.flags = 0};
    return (uint16_t)at;
}

static void a_plain_frame_has_an_empty_header(void **state)
{
    (void)state;
    make(0, false, 6, 40);
    assert_int_equal(vnet_header_to_frame(&header, &none, data, &frame), 0);
    assert_false(frame.checksum_blank || frame.data_validated);
    assert_int_equal(vnet_header_of_frame(&frame, &header), 0);
    assert_int_equal(header.flags, 0);
    frame.data_validated = true;
    assert_int_equal(vnet_header_of_frame(&frame, &header), 0);
    assert_int_equal(header.flags, VIRTIO_NET_HDR_F_DATA_VALID);
}

static void the_place_of_a_checksum_is_found_again(void **state)
{
    (void)state;
    for (int tags = 0; tags <= 2; tags++)
        for (int ipv6 = 0; ipv6 <= 1; ipv6++)
            for (uint8_t protocol = 6; protocol <= 17; protocol = (uint8_t)(protocol + 11)) {
                uint16_t start = make(tags, ipv6 == 1, protocol, 60);
                header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
                header.csum_start = start;
                header.csum_offset = protocol == 6 ? 16 : 6;
                assert_int_equal(vnet_header_to_frame(&header, &all, data, &frame), 0);
                assert_true(frame.checksum_blank && frame.data_validated);
                assert_int_equal(vnet_header_of_frame(&frame, &header), 0);
                assert_int_equal(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
                assert_int_equal(header.csum_start, start);
                assert_int_equal(header.csum_offset, protocol == 6 ? 16 : 6);
            }
}

static void segments_are_told_both_ways(void **state)
{
    (void)state;
    for (int ipv6 = 0; ipv6 <= 1; ipv6++) {
        uint16_t start = make(0, ipv6 == 1, 6, 100);
        header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        header.csum_start = start;
        header.csum_offset = 16;
        header.gso_type = ipv6 == 1 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
        header.gso_size = 1440;
        assert_int_equal(vnet_header_to_frame(&header, &all, data, &frame), 0);
        assert_int_equal(frame.gso_type, ipv6 == 1 ? NETFRONT_GSO_TCPV6 : NETFRONT_GSO_TCPV4);
        assert_int_equal(frame.gso_size_bytes, 1440);
        assert_int_equal(vnet_header_to_frame(&header, &none, data, &frame), -EOPNOTSUPP);
        assert_int_equal(vnet_header_to_frame(&header, &all, data, &frame), 0);
        const struct virtio_net_hdr before = header;
        assert_int_equal(vnet_header_of_frame(&frame, &header), 0);
        assert_int_equal(header.gso_type, before.gso_type);
        assert_int_equal(header.gso_size, 1440);
        assert_int_equal(header.hdr_len, start + 32);
    }
}

/* The Internet checksum over all of the data, which is 0xffff once the field is right. */
static uint32_t sum_of(uint32_t start, uint32_t end)
{
    uint32_t sum = 0;
    for (uint32_t i = start; i < end; i++)
        sum += i % 2 == start % 2 ? (uint32_t)data[i] << 8 : data[i];
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static void a_checksum_that_xen_cannot_tell_of_is_computed(void **state)
{
    (void)state;
    uint16_t start = make(0, true, 17, 61); /* IPv6, where Dom0 does not take that; odd */
    for (uint32_t i = start; i < frame.length_bytes; i++)
        data[i] = (uint8_t)(i * 13);
    data[start + 6] = 0x12; /* the sum of a pseudo header */
    data[start + 7] = 0x34;
    header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    header.csum_start = start;
    header.csum_offset = 6;
    assert_int_equal(vnet_header_to_frame(&header, &none, data, &frame), 0);
    assert_false(frame.checksum_blank);
    uint32_t sum = sum_of(start, frame.length_bytes) + 0x1234;
    assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
}

static void headers_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    uint16_t start = make(0, false, 6, 40);
    header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    header.csum_start = (uint16_t)frame.length_bytes;
    assert_int_equal(vnet_header_to_frame(&header, &all, data, &frame), -EINVAL);
    header.csum_start = header.csum_offset = UINT16_MAX;
    assert_int_equal(vnet_header_to_frame(&header, &all, data, &frame), -EINVAL);
    header = (struct virtio_net_hdr){.gso_type = VIRTIO_NET_HDR_GSO_TCPV4};
    assert_int_equal(vnet_header_to_frame(&header, &all, data, &frame), -EINVAL); /* no size */
    header.gso_size = 100;
    header.gso_type = VIRTIO_NET_HDR_GSO_UDP;
    assert_int_equal(vnet_header_to_frame(&header, &all, data, &frame), -EOPNOTSUPP);
    (void)start;
}

/* Whatever is cut off where: nothing is read behind the end (a sanitizer would see it). */
static void frames_that_end_early_are_not_understood(void **state)
{
    (void)state;
    for (int ipv6 = 0; ipv6 <= 1; ipv6++) {
        uint16_t start = make(1, ipv6 == 1, 6, 60);
        frame.checksum_blank = true;
        for (uint32_t length = NETFRONT_FRAME_MIN; length < start + 20u; length++) {
            frame.length_bytes = length;
            assert_int_equal(vnet_header_of_frame(&frame, &header), -EINVAL);
        }
        frame.length_bytes = start + 20u;
        assert_int_equal(vnet_header_of_frame(&frame, &header), 0);
    }
    make(0, false, 1, 40); /* ICMP has no such checksum */
    frame.checksum_blank = true;
    assert_int_equal(vnet_header_of_frame(&frame, &header), -EINVAL);
}

/* Whatever the frame said before. */
static void nothing_of_the_last_frame_is_left(void **state)
{
    (void)state;
    make(0, false, 6, 40);
    frame.checksum_blank = frame.data_validated = true;
    frame.gso_type = NETFRONT_GSO_TCPV4;
    frame.gso_size_bytes = 1440;
    assert_int_equal(vnet_header_to_frame(&header, &all, data, &frame), 0);
    assert_false(frame.checksum_blank || frame.data_validated);
    assert_int_equal(frame.gso_type, NETFRONT_GSO_NONE);
    assert_int_equal(frame.gso_size_bytes, 0);
    header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM; /* and the other way round */
    header.gso_type = 7;
    assert_int_equal(vnet_header_of_frame(&frame, &header), 0);
    assert_int_equal(header.flags, 0);
    assert_int_equal(header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_frame_has_an_empty_header),
        cmocka_unit_test(the_place_of_a_checksum_is_found_again),
        cmocka_unit_test(segments_are_told_both_ways),
        cmocka_unit_test(a_checksum_that_xen_cannot_tell_of_is_computed),
        cmocka_unit_test(headers_that_make_no_sense_are_refused),
        cmocka_unit_test(frames_that_end_early_are_not_understood),
        cmocka_unit_test(nothing_of_the_last_frame_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
