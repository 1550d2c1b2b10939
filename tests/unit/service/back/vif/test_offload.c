/* SPDX-License-Identifier: MIT */
/* offload: checksums that are filled in, and large frames that are cut, against frames made right
 * from the start. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fakes/fake_ip.h"
#include "faults/fault.h"
#include "service/back/vif/offload.h"

enum { MADE_MAX = OFFLOAD_SEGMENTS_MAX };

static struct net_frame *made[MADE_MAX];
static uint32_t made_count;
static bool made_parts;

static const struct vif_features nothing = {.sg = true};

static void emit(void *ctx, struct net_frame *frame, bool part)
{
    (void)ctx;
    assert_true(made_count < MADE_MAX);
    assert_true(offload_fits(&nothing, frame));
    made_parts = part;
    made[made_count++] = net_frame_get(frame);
}

static int clear(void **state)
{
    (void)state;
    while (made_count > 0)
        net_frame_put(made[--made_count]);
    return 0;
}

static void assert_comes_from(const struct net_frame *frame, const struct net_frame *from)
{
    assert_int_equal(frame->arrived_ns, from->arrived_ns);
    assert_int_equal(frame->stamp_ns, from->stamp_ns);
    assert_int_equal(frame->source, from->source);
    assert_int_equal(frame->gso_type, NET_GSO_NONE);
    assert_int_equal(frame->gso_size_bytes, 0);
    assert_false(frame->checksum_blank);
    assert_true(frame->data_validated);
}

static void a_frame_fits_who_takes_it(void **state)
{
    (void)state;
    const struct vif_features all = {
        .sg = true, .gso_tcpv4 = true, .gso_tcpv6 = true, .csum_ipv4 = true, .csum_ipv6 = true};
    struct ip_frame ip = {.version = 4, .protocol = 6, .payload_bytes = 5000};
    struct net_frame *frame = ip_frame_make(&ip);
    struct vif_features some = all;
    assert_true(offload_fits(&all, frame));
    assert_true(offload_fits(&nothing, frame));
    some.sg = false;
    assert_false(offload_fits(&some, frame));
    frame->gso_type = NET_GSO_TCPV4;
    some = all;
    some.gso_tcpv4 = false;
    assert_true(offload_fits(&all, frame));
    assert_false(offload_fits(&some, frame));
    frame->gso_type = NET_GSO_TCPV6;
    assert_true(offload_fits(&some, frame));
    some.gso_tcpv6 = false;
    assert_false(offload_fits(&some, frame));
    net_frame_put(frame);
    for (ip.version = 4; ip.version <= 6; ip.version += 2) {
        frame = ip_frame_make(&ip);
        frame->checksum_blank = true;
        some = all;
        some.csum_ipv4 = false;
        assert_int_equal(offload_fits(&some, frame), ip.version == 6);
        some = all;
        some.csum_ipv6 = false;
        assert_int_equal(offload_fits(&some, frame), ip.version == 4);
        net_frame_put(frame);
    }
}

static void a_blank_checksum_is_filled_in(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 1, 100, 1460, 3000, 4001};
    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) * 4; i++) {
        struct ip_frame ip = {.version = i & 1 ? 6 : 4,
                              .protocol = i & 2 ? 17 : 6,
                              .vlan_tags = i % 3 == 0,
                              .payload_bytes = sizes[i / 4]};
        struct net_frame *right = ip_frame_make(&ip), *blank = ip_frame_make(&ip);
        ip_frame_blank(blank, &ip);
        blank->arrived_ns = 77;
        blank->stamp_ns = 66;
        blank->source = 5;
        assert_int_equal(offload_apply(&nothing, blank, emit, NULL), 0);
        assert_int_equal(made_count, 1);
        assert_false(made_parts);
        assert_false(made[0]->checksum_blank);
        assert_true(made[0]->data_validated);
        assert_comes_from(made[0], blank);
        assert_int_equal(made[0]->length_bytes, right->length_bytes);
        assert_memory_equal(made[0]->data, right->data, right->length_bytes);
        assert_true(blank->checksum_blank); /* others share it */
        clear(NULL);
        net_frame_put(right);
        net_frame_put(blank);
    }
}

/* Each segment is what the sender's TCP would have made itself. */
static void a_large_frame_is_cut(void **state)
{
    (void)state;
    enum { FIN_PSH_ACK = 0x19, ACK = 0x10, CWR = 0x80 };
    for (uint8_t version = 4; version <= 6; version += 2) {
        struct ip_frame ip = {.version = version,
                              .protocol = 6,
                              .tcp_option_bytes = 12,
                              .tcp_flags = FIN_PSH_ACK | CWR,
                              .identification = 0xfffe,
                              .sequence = 0xffffff00,
                              .payload_bytes = 10000};
        struct net_frame *large = ip_frame_make(&ip);
        ip_frame_blank(large, &ip);
        large->gso_type = version == 4 ? NET_GSO_TCPV4 : NET_GSO_TCPV6;
        large->gso_size_bytes = 1448;
        large->arrived_ns = 77;
        large->stamp_ns = 66;
        large->source = 5;
        assert_int_equal(offload_apply(&nothing, large, emit, NULL), 0);
        assert_int_equal(made_count, 7);
        assert_true(made_parts);
        uint32_t header = ip_frame_header_bytes(&ip);
        for (uint32_t i = 0; i < 7; i++) {
            struct ip_frame one = ip;
            one.payload_bytes = i < 6 ? 1448 : 10000 - 6 * 1448;
            one.sequence += 1448 * i;
            one.identification = (uint16_t)(ip.identification + i);
            one.tcp_flags = (uint8_t)(i == 6 ? FIN_PSH_ACK : i == 0 ? ACK | CWR : ACK);
            struct net_frame *right = ip_frame_make(&one);
            assert_comes_from(made[i], large);
            assert_int_equal(made[i]->length_bytes, right->length_bytes);
            assert_true(ip_frame_is_right(made[i]->data, made[i]->length_bytes, 14));
            assert_memory_equal(made[i]->data + header, large->data + header + 1448 * i,
                                one.payload_bytes);
            /* All of the header but the checksum, which is over another payload. */
            memcpy(right->data + header, large->data + header + 1448 * i, one.payload_bytes);
            uint32_t field = header - 32 + 16;
            memcpy(right->data + field, made[i]->data + field, 2);
            assert_memory_equal(made[i]->data, right->data, right->length_bytes);
            net_frame_put(right);
        }
        clear(NULL);
        net_frame_put(large);
    }
}

static int cut(const struct ip_frame *ip, uint16_t gso_size, const struct vif_features *features)
{
    struct net_frame *large = ip_frame_make(ip);
    assert_non_null(large);
    large->gso_type = NET_GSO_TCPV4;
    large->gso_size_bytes = gso_size;
    int rc = offload_apply(features, large, emit, NULL);
    net_frame_put(large);
    return rc;
}

/* A tiny size would make 65,000 frames of one. */
static void the_number_of_segments_is_bounded(void **state)
{
    (void)state;
    const struct ip_frame ip = {.version = 4, .protocol = 6, .payload_bytes = 256 * 60};
    assert_int_equal(cut(&ip, 59, &nothing), -EMSGSIZE);
    assert_int_equal(made_count, 0);
    assert_int_equal(cut(&ip, 60, &nothing), 0);
    assert_int_equal(made_count, 256);
}

/* A small frame would be as dear as a hundred, and paid for as one. */
static void segments_of_a_few_bytes_are_refused(void **state)
{
    (void)state;
    struct ip_frame ip = {.version = 4, .protocol = 6, .payload_bytes = 100};
    assert_int_equal(cut(&ip, 1, &nothing), -EMSGSIZE);
    assert_int_equal(cut(&ip, 47, &nothing), -EMSGSIZE);
    assert_int_equal(made_count, 0);
    assert_int_equal(cut(&ip, 48, &nothing), 0);
    assert_int_equal(made_count, 3);
    ip.payload_bytes = 47; /* nothing to cut */
    assert_int_equal(cut(&ip, 47, &nothing), 0);
}

static void what_cannot_be_cut_is_refused(void **state)
{
    (void)state;
    struct ip_frame ip = {.version = 4, .protocol = 17, .payload_bytes = 5000};
    assert_int_equal(cut(&ip, 1448, &nothing), -EMSGSIZE); /* UDP */
    ip.protocol = 6;
    ip.fragment = 0x2000;
    assert_int_equal(cut(&ip, 1448, &nothing), -EMSGSIZE);
    ip.fragment = 0;
    assert_int_equal(cut(&ip, 0, &nothing), -EMSGSIZE);
    const struct vif_features one_page = {.sg = false};
    assert_int_equal(cut(&ip, 4090, &one_page), -EMSGSIZE);
    assert_int_equal(made_count, 0);
    assert_int_equal(cut(&ip, 4096 - 54, &one_page), 0);
    assert_int_equal(made_count, 2);
}

static void a_large_frame_without_payload_is_one_segment(void **state)
{
    (void)state;
    const struct ip_frame ip = {.version = 4, .protocol = 6};
    assert_int_equal(cut(&ip, 1448, &nothing), 0);
    assert_int_equal(made_count, 1);
    assert_true(ip_frame_is_right(made[0]->data, made[0]->length_bytes, 14));
}

static void without_memory_a_frame_is_not_made(void **state)
{
    (void)state;
    const struct ip_frame ip = {.version = 4, .protocol = 6, .payload_bytes = 1000};
    struct net_frame *frame = ip_frame_make(&ip);
    ip_frame_blank(frame, &ip);
    fault_arm_call("malloc", 1, ENOMEM);
    int rc = offload_apply(&nothing, frame, emit, NULL);
    fault_disarm();
    assert_int_equal(rc, -ENOMEM);
    assert_int_equal(made_count, 0);
    frame->gso_type = NET_GSO_TCPV4;
    frame->gso_size_bytes = 400;
    fault_arm_call("malloc", 3, ENOMEM); /* of three segments the last */
    rc = offload_apply(&nothing, frame, emit, NULL);
    fault_disarm();
    assert_int_equal(rc, -ENOMEM);
    assert_int_equal(made_count, 2);
    net_frame_put(frame);
}

/* Of UDP 0 would mean that there is none (RFC 768). */
static void a_checksum_of_zero_is_written_as_all_ones(void **state)
{
    (void)state;
    const struct ip_frame ip = {.version = 4, .protocol = 17, .payload_bytes = 2};
    struct net_frame *frame = ip_frame_make(&ip);
    uint32_t payload = ip_frame_header_bytes(&ip), field = payload - 2;
    memset(frame->data + payload, 0, 2);
    ip_frame_blank(frame, &ip);
    assert_int_equal(offload_apply(&nothing, frame, emit, NULL), 0);
    memcpy(frame->data + payload, made[0]->data + field, 2); /* makes the sum all ones */
    assert_int_equal(offload_apply(&nothing, frame, emit, NULL), 0);
    assert_int_equal(made[1]->data[field] << 8 | made[1]->data[field + 1], 0xffff);
    net_frame_put(frame);
}

static void a_large_frame_that_only_lacks_its_checksum_is_refused_without_sg(void **state)
{
    (void)state;
    const struct ip_frame ip = {.version = 4, .protocol = 6, .payload_bytes = 5000};
    const struct vif_features one_page = {.sg = false};
    struct net_frame *frame = ip_frame_make(&ip);
    ip_frame_blank(frame, &ip);
    assert_int_equal(offload_apply(&one_page, frame, emit, NULL), -EMSGSIZE);
    assert_int_equal(made_count, 0);
    net_frame_put(frame);
}

#define TEST(name) cmocka_unit_test_teardown(name, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_frame_fits_who_takes_it),
        TEST(a_blank_checksum_is_filled_in),
        TEST(a_large_frame_is_cut),
        TEST(the_number_of_segments_is_bounded),
        TEST(segments_of_a_few_bytes_are_refused),
        TEST(what_cannot_be_cut_is_refused),
        TEST(a_large_frame_without_payload_is_one_segment),
        TEST(without_memory_a_frame_is_not_made),
        TEST(a_checksum_of_zero_is_written_as_all_ones),
        TEST(a_large_frame_that_only_lacks_its_checksum_is_refused_without_sg),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
