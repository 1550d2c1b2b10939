/* SPDX-License-Identifier: MIT */
/* netif_ring: how many slots a network device's rings have, and stamps in an extra info's six
 * bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ring/netif_ring.h"

static void both_rings_have_256_slots_in_a_page(void **state)
{
    (void)state;
    assert_int_equal(sring_entries(0, sizeof(union netif_tx_sring_entry)), NETIF_RING_ENTRIES);
    assert_int_equal(sring_entries(0, sizeof(union netif_rx_sring_entry)), NETIF_RING_ENTRIES);
}

static uint64_t through_the_wire(uint64_t stamp_ns, uint64_t now_ns)
{
    struct netif_extra_info extra = {0};
    splitdom_netif_stamp_put(&extra, stamp_ns);
    return splitdom_netif_stamp_get(&extra, now_ns);
}

/* 48 bits of ns are 78 hours: what is nearer than half of that comes out as it went in. */
static void a_stamp_means_the_time_next_to_now(void **state)
{
    (void)state;
    static const uint64_t nows[] = {
        0, 1000, 1ull << 47, (1ull << 48) - 1, 1ull << 48, 12345678901234567ull};
    static const int64_t offsets[] = {
        0, 1, -1, 1000000, -1000000, (1ll << 47) - 1, 1 - (1ll << 47)};
    for (size_t n = 0; n < sizeof(nows) / sizeof(nows[0]); n++) {
        for (size_t o = 0; o < sizeof(offsets) / sizeof(offsets[0]); o++) {
            if (offsets[o] < 0 && nows[n] < (uint64_t)-offsets[o])
                continue;
            uint64_t stamp_ns = nows[n] + (uint64_t)offsets[o];
            assert_int_equal(through_the_wire(stamp_ns, nows[n]), stamp_ns);
        }
    }
}

/* No time before 0: whatever six bytes a peer writes, the result doesn't wrap. */
static void a_stamp_before_the_clocks_beginning_does_not_wrap(void **state)
{
    (void)state;
    struct netif_extra_info extra;
    memset(&extra, 0xff, sizeof(extra));
    assert_int_equal(splitdom_netif_stamp_get(&extra, 5), (1ull << 48) - 1);
}

static void a_stamp_leaves_the_kind_of_its_extra_info_alone(void **state)
{
    (void)state;
    struct netif_extra_info extra = {.type = SPLITDOM_NETIF_EXTRA_TYPE_STAMP,
                                     .flags = XEN_NETIF_EXTRA_FLAG_MORE};
    splitdom_netif_stamp_put(&extra, UINT64_MAX - 1);
    assert_int_equal(extra.type, SPLITDOM_NETIF_EXTRA_TYPE_STAMP);
    assert_int_equal(extra.flags, XEN_NETIF_EXTRA_FLAG_MORE);
    assert_memory_equal(extra.u.mcast.addr, "\xfe\xff\xff\xff\xff\xff", 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_rings_have_256_slots_in_a_page),
        cmocka_unit_test(a_stamp_means_the_time_next_to_now),
        cmocka_unit_test(a_stamp_leaves_the_kind_of_its_extra_info_alone),
        cmocka_unit_test(a_stamp_before_the_clocks_beginning_does_not_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
