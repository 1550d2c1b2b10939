/* SPDX-License-Identifier: MIT */
/* ecn: marks, checksums, and that a shared frame stays as it is. */
#include "service/net/ecn.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net_fixture.h"

static uint16_t header_sum(const uint8_t *header)
{
    uint32_t sum = 0;
    for (int i = 0; i < 20; i += 2)
        sum += (uint32_t)(header[i] << 8 | header[i + 1]);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static struct net_frame *ipv4(uint8_t tos, uint16_t id)
{
    struct net_frame *frame = fixture_frame(2, 4, 0x0800, 60);
    uint8_t *header = frame->data + 14;
    header[0] = 0x45;
    header[1] = tos;
    header[3] = 46;
    header[4] = (uint8_t)(id >> 8);
    header[5] = (uint8_t)id;
    header[8] = 64;
    header[9] = 6;
    uint16_t sum = header_sum(header);
    header[10] = (uint8_t)(sum >> 8);
    header[11] = (uint8_t)sum;
    return frame;
}

static void a_mark_keeps_the_checksum_right(void **state)
{
    (void)state;
    for (uint32_t id = 0; id < 65536; id++) {
        struct net_frame *frame = ipv4(id % 2 == 0 ? 1 : 0xb2, (uint16_t)id);
        struct net_frame *marked = net_ecn_mark(frame);
        assert_non_null(marked);
        assert_int_equal(marked->data[15] & 3, 3);
        assert_int_equal(marked->data[15] & ~3, frame->data[15] & ~3);
        assert_int_equal(header_sum(marked->data + 14), 0);
        assert_int_not_equal(frame->data[15] & 3, 3); /* others share it */
        net_frame_put(marked);
        net_frame_put(frame);
    }
}

static void what_has_the_mark_keeps_it(void **state)
{
    (void)state;
    struct net_frame *frame = ipv4(3, 1);
    struct net_frame *marked = net_ecn_mark(frame);
    assert_ptr_equal(marked, frame);
    net_frame_put(marked);
    net_frame_put(frame);
}

static void who_does_not_understand_is_not_marked(void **state)
{
    (void)state;
    struct net_frame *frame = ipv4(0, 1);
    assert_null(net_ecn_mark(frame));
    net_frame_put(frame);
    frame = fixture_frame(2, 4, 0x88b5, 60);
    assert_null(net_ecn_mark(frame));
    net_frame_put(frame);
}

static void ipv6_has_its_mark_elsewhere(void **state)
{
    (void)state;
    struct net_frame *frame = fixture_frame(2, 4, 0x86dd, 60);
    frame->data[14] = 0x6a;
    frame->data[15] = 0x1f; /* traffic class 0xa1: ECT(1) */
    struct net_frame *marked = net_ecn_mark(frame);
    assert_int_equal(marked->data[14], 0x6a);
    assert_int_equal(marked->data[15], 0x3f);
    net_frame_put(marked);
    net_frame_put(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mark_keeps_the_checksum_right),
        cmocka_unit_test(what_has_the_mark_keeps_it),
        cmocka_unit_test(who_does_not_understand_is_not_marked),
        cmocka_unit_test(ipv6_has_its_mark_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
