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

static void headers_between_are_passed(void **state)
{
    static const uint8_t kinds[] = {0, 43, 60, 44};
    (void)state;
    for (size_t i = 0; i < sizeof(kinds); i++) {
        uint16_t start = make(0, true, kinds[i], 16 + 20);
        data[start] = 6;     /* then TCP */
        data[start + 1] = 1; /* 16 bytes long */
        frame.checksum_blank = true;
        int rc = vnet_header_of_frame(&frame, &header);
        assert_int_equal(rc, kinds[i] == 44 ? -EINVAL : 0); /* a fragment's is nobody's */
        if (rc == 0)
            assert_int_equal(header.csum_start, start + 16);
        frame.length_bytes--;
        assert_int_equal(vnet_header_of_frame(&frame, &header), -EINVAL);
    }
}

static void so_many_headers_between_are_passed_and_no_more(void **state)
{
    (void)state;
    for (uint32_t count = 8; count <= 9; count++) {
        uint16_t start = make(0, true, 60, 8 * count + 20);
        for (uint32_t i = 0; i < count; i++)
            data[start + 8 * i] = i + 1 < count ? 60 : 6;
        frame.checksum_blank = true;
        assert_int_equal(vnet_header_of_frame(&frame, &header), count == 8 ? 0 : -EINVAL);
    }
}

static void a_third_tag_is_not_looked_behind(void **state)
{
    (void)state;
    make(3, false, 6, 40);
    frame.checksum_blank = true;
    assert_int_equal(vnet_header_of_frame(&frame, &header), -EINVAL);
}

static void a_header_shorter_than_ipv4s_is_not_understood(void **state)
{
    (void)state;
    make(0, false, 6, 40);
    frame.checksum_blank = true;
    data[14] = 0x45;
    assert_int_equal(vnet_header_of_frame(&frame, &header), 0);
    assert_int_equal(header.csum_start, 34);
    data[14] = 0x44;
    assert_int_equal(vnet_header_of_frame(&frame, &header), -EINVAL);
}

static void udp_needs_its_whole_header(void **state)
{
    (void)state;
    make(0, false, 17, 8);
    frame.checksum_blank = true;
    assert_int_equal(vnet_header_of_frame(&frame, &header), 0);
    assert_int_equal(header.csum_offset, 6);
    frame.length_bytes--;
    assert_int_equal(vnet_header_of_frame(&frame, &header), -EINVAL);
}

/* Behind the last byte there is no room for a checksum. */
static void a_checksum_lies_inside_of_the_frame(void **state)
{
    (void)state;
    make(0, false, 1, 40); /* ICMP: Dom0 cannot be told of its checksum */
    header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    header.csum_start = (uint16_t)(frame.length_bytes - 10);
    header.csum_offset = 8;
    data[frame.length_bytes] = 0x55;
    assert_int_equal(vnet_header_to_frame(&header, &all, data, &frame), 0);
    assert_int_equal(sum_of(header.csum_start, frame.length_bytes), 0xffff);
    assert_int_equal(data[frame.length_bytes], 0x55);
    header.csum_offset = 9;
    assert_int_equal(vnet_header_to_frame(&header, &all, data, &frame), -EINVAL);
}

/* 0 would say that there is none. */
static void a_computed_checksum_is_never_0(void **state)
{
    (void)state;
    uint16_t start = make(0, true, 17, 8);
    data[start] = data[start + 1] = 0xff; /* what is summed is 0xffff, of which ~ is 0 */
    header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    header.csum_start = start;
    header.csum_offset = 6;
    assert_int_equal(vnet_header_to_frame(&header, &none, data, &frame), 0);
    assert_memory_equal(data + start + 6, "\xff\xff", 2);
}

static void dom0_is_told_of_a_checksum_where_it_knows_the_place(void **state)
{
    (void)state;
    uint16_t start = make(0, false, 6, 40);
    header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    header.csum_start = start;
    header.csum_offset = 16;
    assert_int_equal(vnet_header_to_frame(&header, &none, data, &frame), 0);
    assert_true(frame.checksum_blank); /* IPv4 always */
    header.csum_offset = 14;
    assert_int_equal(vnet_header_to_frame(&header, &none, data, &frame), 0);
    assert_false(frame.checksum_blank);
    header.csum_offset = 16;
    header.csum_start = (uint16_t)(start - 2);
    assert_int_equal(vnet_header_to_frame(&header, &none, data, &frame), 0);
    assert_false(frame.checksum_blank);
    header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4; /* of segments nobody could compute them */
    header.gso_size = 10;
    assert_int_equal(vnet_header_to_frame(&header, &all, data, &frame), -EOPNOTSUPP);
}

static void segments_are_of_tcp_and_of_their_kind_of_ip(void **state)
{
    (void)state;
    make(0, false, 6, 40);
    frame.gso_type = NETFRONT_GSO_TCPV6;
    assert_int_equal(vnet_header_of_frame(&frame, &header), -EINVAL);
    make(0, true, 6, 40);
    frame.gso_type = NETFRONT_GSO_TCPV4;
    assert_int_equal(vnet_header_of_frame(&frame, &header), -EINVAL);
    make(0, false, 17, 40);
    frame.gso_type = NETFRONT_GSO_TCPV4;
    assert_int_equal(vnet_header_of_frame(&frame, &header), -EINVAL);
}

/* That a segment's ECN bits may be set is nothing that Xen would have to know. */
static void segments_with_ecn_are_segments(void **state)
{
    static const struct netfront_info v4 = {.gso_tcpv4 = true}, v6 = {.gso_tcpv6 = true};
    (void)state;
    make(0, false, 6, 40);
    header.gso_size = 1;
    header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN;
    assert_int_equal(vnet_header_to_frame(&header, &v4, data, &frame), 0);
    assert_int_equal(frame.gso_type, NETFRONT_GSO_TCPV4);
    assert_int_equal(frame.gso_size_bytes, 1);
    assert_int_equal(vnet_header_to_frame(&header, &v6, data, &frame), -EOPNOTSUPP);
    header.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
    assert_int_equal(vnet_header_to_frame(&header, &v4, data, &frame), -EOPNOTSUPP);
    header.flags = VIRTIO_NET_HDR_F_DATA_VALID;
    assert_int_equal(vnet_header_to_frame(&header, &v6, data, &frame), 0);
    assert_true(frame.data_validated);
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
        cmocka_unit_test(headers_between_are_passed),
        cmocka_unit_test(so_many_headers_between_are_passed_and_no_more),
        cmocka_unit_test(a_third_tag_is_not_looked_behind),
        cmocka_unit_test(a_header_shorter_than_ipv4s_is_not_understood),
        cmocka_unit_test(udp_needs_its_whole_header),
        cmocka_unit_test(a_checksum_lies_inside_of_the_frame),
        cmocka_unit_test(a_computed_checksum_is_never_0),
        cmocka_unit_test(dom0_is_told_of_a_checksum_where_it_knows_the_place),
        cmocka_unit_test(segments_are_of_tcp_and_of_their_kind_of_ip),
        cmocka_unit_test(segments_with_ecn_are_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
