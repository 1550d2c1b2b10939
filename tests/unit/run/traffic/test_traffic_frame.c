/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "run/traffic/traffic_frame.h"

static const struct traffic_address address = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, 0};
static const struct traffic_header sent = {.stream = 7, .number = 99, .sent_ns = 123456789};
static uint8_t frame[TRAFFIC_FRAME_MAX];
static struct traffic_header got;

static void make(uint32_t length_bytes, bool is_tcp)
{
    struct traffic_address here = address;
    here.tcp_port = is_tcp ? 5001 : 0;
    traffic_frame_prepare(frame, length_bytes, &here, 7);
    traffic_frame_set(frame, length_bytes, &sent);
}

static void a_frame_is_read_as_it_was_written(void **state)
{
    (void)state;
    for (int segments = 0; segments <= 1; segments++)
        for (uint32_t length = TRAFFIC_SEGMENTS_MIN; length < 220; length++) {
            make(length, segments == 1);
            assert_int_equal(traffic_frame_judge(frame, length, &got), TRAFFIC_SOUND);
            assert_int_equal(got.number, 99);
            assert_int_equal(got.stream, 7);
            assert_int_equal(got.sent_ns, 123456789);
            assert_int_equal(got.flags, 0);
        }
    make(TRAFFIC_FRAME_MIN, false);
    assert_int_equal(traffic_frame_judge(frame, TRAFFIC_FRAME_MIN, &got), TRAFFIC_SOUND);
    make(TRAFFIC_TCP_MIN, true);
    assert_int_equal(traffic_frame_judge(frame, TRAFFIC_TCP_MIN, &got), TRAFFIC_SOUND);
    assert_int_equal(frame[34] << 8 | frame[35], 5001);
}

/* Of any byte behind the Ethernet header and what IP may change on the way. */
static void a_changed_byte_is_seen(void **state)
{
    (void)state;
    for (uint32_t at = 14; at < 300; at++) {
        make(300, false);
        frame[at] ^= 0x40;
        assert_int_equal(traffic_frame_judge(frame, 300, &got), TRAFFIC_CORRUPT);
    }
    make(300, false);
    assert_int_equal(traffic_frame_judge(frame, 299, &got), TRAFFIC_CORRUPT); /* cut off */
}

/* However much of a stripe of the checksum is left at its end. */
static void a_changed_bit_is_seen_in_frames_of_any_length(void **state)
{
    (void)state;
    for (uint32_t length = TRAFFIC_FRAME_MIN; length < 46 + 3 * 32; length++)
        for (uint32_t at = 46; at < length; at++) {
            make(length, false);
            frame[at] ^= (uint8_t)(1 << (at + length) % 8);
            assert_int_equal(traffic_frame_judge(frame, length, &got), TRAFFIC_CORRUPT);
        }
}

/* Words that differ in their highest bit alone, of one place in stripes that are far apart: whose
 * sums wrap does not see them. */
static void words_far_apart_in_another_order_are_seen(void **state)
{
    (void)state;
    for (uint32_t apart = 32; apart < 32768; apart *= 2) {
        make(40000, false);
        frame[46 + 3] |= 0x80;
        memcpy(frame + 46 + apart, frame + 46, 4);
        frame[46 + apart + 3] &= 0x7f;
        const struct traffic_header header = {.number = 1};
        traffic_frame_set(frame, 40000, &header);
        assert_int_equal(traffic_frame_judge(frame, 40000, &got), TRAFFIC_SOUND);
        frame[46 + 3] &= 0x7f;
        frame[46 + apart + 3] |= 0x80;
        assert_int_equal(traffic_frame_judge(frame, 40000, &got), TRAFFIC_CORRUPT);
    }
}

static void a_frame_can_be_sent_back(void **state)
{
    const uint8_t own[TRAFFIC_MAC_BYTES] = {2, 0, 0, 0, 0, 1};
    (void)state;
    for (int segments = 0; segments <= 1; segments++) {
        make(300, segments == 1);
        traffic_frame_return(frame, own);
        assert_memory_equal(frame, address.from, 6);
        assert_memory_equal(frame + 6, own, 6);
        assert_int_equal(traffic_frame_judge(frame, 300, &got), TRAFFIC_SOUND);
        assert_int_equal(got.flags, TRAFFIC_RETURNED);
    }
}

static void other_frames_are_foreign(void **state)
{
    (void)state;
    make(300, false);
    frame[12] = 0x08;
    frame[13] = 0x06;
    assert_int_equal(traffic_frame_judge(frame, 300, &got), TRAFFIC_FOREIGN);
    make(300, true);
    assert_int_equal(traffic_frame_judge(frame, 80, &got), TRAFFIC_FOREIGN);
    frame[54] ^= 1; /* some other TCP */
    assert_int_equal(traffic_frame_judge(frame, 300, &got), TRAFFIC_FOREIGN);
    assert_int_equal(traffic_frame_judge(frame, 14, &got), TRAFFIC_FOREIGN);
}

/* Who cuts frames into segments trusts these headers, so each field is that of a packet. */
static void segments_are_packets_of_tcp(void **state)
{
    uint32_t sum = 0;
    (void)state;
    make(1000, true);
    assert_memory_equal(frame, address.to, 6);
    assert_memory_equal(frame + 6, address.from, 6);
    assert_memory_equal(frame + 12, "\x08\x00\x45", 3);
    assert_int_equal(frame[16] << 8 | frame[17], 1000 - 14);
    assert_int_equal(frame[23], 6);
    assert_memory_equal(frame + 26, "\x0a\x00\x00\x01\x0a\x00\x00\x02", 8);
    for (int i = 14; i < 34; i += 2)
        sum += (uint32_t)frame[i] << 8 | frame[i + 1];
    assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
    assert_memory_equal(frame + 34, "\x13\x89\x13\x89", 4); /* both ports are iperf's */
    assert_int_equal(frame[46], 0x50);
    assert_int_equal(frame[47], 0x10);
}

static void a_frame_that_is_cut_below_its_header_is_foreign(void **state)
{
    (void)state;
    make(300, false);
    assert_int_equal(traffic_frame_judge(frame, TRAFFIC_FRAME_MIN - 1, &got), TRAFFIC_FOREIGN);
    assert_int_equal(traffic_frame_judge(frame, TRAFFIC_FRAME_MIN, &got), TRAFFIC_CORRUPT);
    make(300, true);
    assert_int_equal(traffic_frame_judge(frame, 14 + 20 + 20 + 31, &got), TRAFFIC_FOREIGN);
    assert_int_equal(traffic_frame_judge(frame, 14 + 20 + 20 + 32, &got), TRAFFIC_CORRUPT);
}

static void an_own_frame_without_its_word_is_corrupt(void **state)
{
    (void)state;
    make(300, false);
    memset(frame + 14, 0, 32);
    assert_int_equal(traffic_frame_judge(frame, 300, &got), TRAFFIC_CORRUPT);
}

/* A checksum that only added would not see these. */
static void bytes_in_another_order_are_seen(void **state)
{
    (void)state;
    for (uint32_t apart = 1; apart <= 64; apart++) {
        for (uint32_t at = 46; at + apart < 300; at += 7) {
            make(300, false);
            uint8_t byte = frame[at];
            frame[at] = frame[at + apart];
            frame[at + apart] = byte;
            assert_int_equal(traffic_frame_judge(frame, 300, &got),
                             frame[at] == byte ? TRAFFIC_SOUND : TRAFFIC_CORRUPT);
        }
    }
}

static void each_stream_has_contents_of_its_own(void **state)
{
    uint8_t first[300];
    uint32_t same = 0, equal_neighbours = 0;
    (void)state;
    traffic_frame_prepare(frame, 300, &address, 1);
    memcpy(first, frame, 300);
    traffic_frame_prepare(frame, 300, &address, 2);
    for (uint32_t at = 46; at < 300; at++) {
        same += frame[at] == first[at];
        equal_neighbours += frame[at] == frame[at - 1];
    }
    assert_true(same < 30 && equal_neighbours < 30);
    traffic_frame_prepare(frame, 300, &address, 1);
    assert_memory_equal(frame + 46, first + 46, 254); /* the same each time */
}

static void headers_are_as_a_peer_expects_them(void **state)
{
    static const uint8_t none[20] = {0};
    (void)state;
    make(1000, true);
    assert_int_equal(frame[22], 64); /* hops */
    assert_memory_equal(frame + 15, none, 1);
    assert_memory_equal(frame + 18, none, 4);               /* no fragment */
    assert_memory_equal(frame + 38, none, 8);               /* numbers of TCP */
    assert_memory_equal(frame + 48, "\xff\xff\0\0\0\0", 6); /* window, no checksum */
    make(300, false);
    assert_memory_equal(frame + 12, "\x88\xb5", 2);
    assert_int_equal(traffic_frame_judge(frame, 300, &got), TRAFFIC_SOUND);
    assert_memory_equal(got.pad, none, sizeof(got.pad));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_read_as_it_was_written),
        cmocka_unit_test(a_changed_byte_is_seen),
        cmocka_unit_test(a_changed_bit_is_seen_in_frames_of_any_length),
        cmocka_unit_test(words_far_apart_in_another_order_are_seen),
        cmocka_unit_test(a_frame_can_be_sent_back),
        cmocka_unit_test(other_frames_are_foreign),
        cmocka_unit_test(segments_are_packets_of_tcp),
        cmocka_unit_test(a_frame_that_is_cut_below_its_header_is_foreign),
        cmocka_unit_test(an_own_frame_without_its_word_is_corrupt),
        cmocka_unit_test(bytes_in_another_order_are_seen),
        cmocka_unit_test(each_stream_has_contents_of_its_own),
        cmocka_unit_test(headers_are_as_a_peer_expects_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
