/* SPDX-License-Identifier: MIT */
/* headers: what is found in a frame, and that nothing outside it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "fakes/fake_ip.h"
#include "service/back/vif/headers.h"

static void tcp_and_udp_are_found_behind_ip(void **state)
{
    (void)state;
    for (uint8_t version = 4; version <= 6; version += 2) {
        for (uint8_t tags = 0; tags <= 2; tags++) {
            for (uint8_t protocol = 6; protocol <= 17; protocol += 11) {
                struct ip_frame ip = {.version = version,
                                      .protocol = protocol,
                                      .vlan_tags = tags,
                                      .payload_bytes = 100};
                struct net_frame *frame = ip_frame_make(&ip);
                struct headers h;
                assert_non_null(frame);
                headers_read(frame->data, frame->length_bytes, &h);
                assert_int_equal(h.ip_version, version);
                assert_int_equal(h.protocol, protocol);
                assert_int_equal(h.ip_at, 14 + 4 * tags);
                assert_int_equal(h.transport_at, h.ip_at + (version == 4 ? 20 : 40));
                assert_int_equal(h.end, frame->length_bytes);
                assert_int_equal(headers_tcp_bytes(frame->data, &h), protocol == 6 ? 20 : 0);
                net_frame_put(frame);
            }
        }
    }
}

static void a_fragment_has_no_transport(void **state)
{
    (void)state;
    static const uint16_t fields[] = {0x2000, 0x0001, 0x1fff};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct ip_frame ip = {
            .version = 4, .protocol = 6, .payload_bytes = 9, .fragment = fields[i]};
        struct net_frame *frame = ip_frame_make(&ip);
        struct headers h;
        assert_non_null(frame);
        headers_read(frame->data, frame->length_bytes, &h);
        assert_int_equal(h.ip_version, 4);
        assert_int_equal(h.transport_at, 0);
        net_frame_put(frame);
    }
}

/* Cut anywhere, with guarded memory behind in the sanitizer's build: what is found lies inside. */
static void nothing_is_found_beyond_the_frame(void **state)
{
    (void)state;
    struct ip_frame ip = {.version = 6, .protocol = 6, .vlan_tags = 1, .payload_bytes = 10};
    for (ip.version = 4; ip.version <= 6; ip.version += 2) {
        struct net_frame *frame = ip_frame_make(&ip);
        assert_non_null(frame);
        for (uint32_t length = 0; length < frame->length_bytes; length++) {
            uint8_t *cut = malloc(length > 0 ? length : 1);
            struct headers h;
            assert_non_null(cut);
            memcpy(cut, frame->data, length);
            headers_read(cut, length, &h);
            assert_int_equal(h.transport_at, 0); /* the packet says that it is longer */
            free(cut);
        }
        net_frame_put(frame);
    }
}

/* Random changes of right frames: all that is found is in the frame. */
static void random_headers_stay_within_the_frame(void **state)
{
    (void)state;
    struct prng random;
    prng_init(&random, 20261130, 0);
    for (uint32_t round = 0; round < 20000; round++) {
        struct ip_frame ip = {.version = round % 2 == 0 ? 4 : 6,
                              .protocol = round % 3 == 0 ? 17 : 6,
                              .vlan_tags = (uint8_t)(round % 4),
                              .payload_bytes = round % 50};
        struct net_frame *frame = ip_frame_make(&ip);
        struct headers h;
        assert_non_null(frame);
        for (uint32_t i = 0; i < 3; i++)
            frame->data[12 + prng_below(&random, frame->length_bytes - 12)] =
                (uint8_t)prng_below(&random, 256);
        headers_read(frame->data, frame->length_bytes, &h);
        assert_true(h.end <= frame->length_bytes);
        if (h.transport_at != 0) {
            assert_true(h.transport_at + (h.protocol == 6 ? 20u : 8u) <= h.end);
            assert_true(h.transport_at + headers_tcp_bytes(frame->data, &h) <= h.end);
        }
        net_frame_put(frame);
    }
}

/* Each says what the next one is, and how long it is itself. */
static void tcp_is_found_behind_extensions(void **state)
{
    (void)state;
    uint8_t data[14 + 40 + 8 + 16 + 8 + 20] = {0};
    struct headers h;
    memcpy(data + 12, "\x86\xdd\x60", 3);
    data[19] = sizeof(data) - 54;
    data[20] = 0;                /* hop by hop, */
    data[54] = 43;               /* then routing */
    data[62] = 60, data[63] = 1; /* of 16 bytes, then options for the target */
    data[78] = 6;                /* then TCP */
    data[86 + 12] = 0x50;
    headers_read(data, sizeof(data), &h);
    assert_int_equal(h.ip_version, 6);
    assert_int_equal(h.protocol, 6);
    assert_int_equal(h.transport_at, 86);
    assert_int_equal(headers_tcp_bytes(data, &h), 20);
    data[78] = 59; /* nothing behind it */
    headers_read(data, sizeof(data), &h);
    assert_int_equal(h.transport_at, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_and_udp_are_found_behind_ip),
        cmocka_unit_test(a_fragment_has_no_transport),
        cmocka_unit_test(nothing_is_found_beyond_the_frame),
        cmocka_unit_test(random_headers_stay_within_the_frame),
        cmocka_unit_test(tcp_is_found_behind_extensions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
