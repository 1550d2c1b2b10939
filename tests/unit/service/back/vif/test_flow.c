/* SPDX-License-Identifier: MIT */
/* flow: frames of a flow have one hash, those of others mostly another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fakes/fake_ip.h"
#include "service/back/vif/flow.h"

static uint32_t hash_of(const struct ip_frame *ip)
{
    struct net_frame *frame = ip_frame_make(ip);
    assert_non_null(frame);
    uint32_t hash = flow_hash(frame);
    net_frame_put(frame);
    return hash;
}

static const struct ip_frame tcp = {.version = 4, .protocol = 6, .payload_bytes = 100};

static void payload_and_sequence_do_not_count(void **state)
{
    (void)state;
    struct ip_frame other = tcp;
    other.payload_bytes = 7;
    other.sequence = 12345;
    assert_int_equal(hash_of(&tcp), hash_of(&other));
}

static void ports_count_for_tcp_alone(void **state)
{
    (void)state;
    struct ip_frame other = tcp, udp = tcp;
    other.source_port = 1;
    assert_int_not_equal(hash_of(&tcp), hash_of(&other));
    udp.protocol = other.protocol = 17;
    assert_int_equal(hash_of(&udp), hash_of(&other));
}

static void addresses_count(void **state)
{
    (void)state;
    for (uint8_t version = 4; version <= 6; version += 2) {
        struct ip_frame a = tcp, b = tcp;
        a.version = b.version = version;
        b.source_host = 9;
        assert_int_not_equal(hash_of(&a), hash_of(&b));
    }
}

static void other_protocols_go_by_their_mac_addresses(void **state)
{
    (void)state;
    struct net_frame *frame = net_frame_new(60);
    assert_non_null(frame);
    memset(frame->data, 0, 60);
    uint32_t hash = flow_hash(frame);
    frame->data[59] = 1;
    assert_int_equal(flow_hash(frame), hash);
    frame->data[11] = 1;
    assert_int_not_equal(flow_hash(frame), hash);
    net_frame_put(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payload_and_sequence_do_not_count),
        cmocka_unit_test(ports_count_for_tcp_alone),
        cmocka_unit_test(addresses_count),
        cmocka_unit_test(other_protocols_go_by_their_mac_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
