/* SPDX-License-Identifier: MIT */
/* evtchn_table: ports come and go, the reserved one stays. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ring/segment.h"
#include "service/back/evtchn_table.h"

static void every_port_is_given_out_once(void **state)
{
    (void)state;
    struct evtchn_table table = {0};
    bool seen[EVTCHN_TABLE_PORTS] = {false};
    evtchn_table_reserve(&table, SEGMENT_STORE_EVTCHN, 0);
    for (int i = 0; i < EVTCHN_TABLE_PORTS - 2; i++) { /* without port 0 and the store's */
        int port = evtchn_table_alloc(&table, (uint32_t)i % 4);
        assert_in_range(port, 2, EVTCHN_TABLE_PORTS - 1);
        assert_false(seen[port]);
        seen[port] = true;
        assert_int_equal(evtchn_table_vcpu(&table, (uint64_t)port), i % 4);
    }
    assert_int_equal(evtchn_table_alloc(&table, 0), -ENOSPC);
    for (evtchn_port_t port = 40; port < EVTCHN_TABLE_PORTS; port += 128) {
        assert_int_equal(evtchn_table_close(&table, port), 0);
        assert_int_equal(evtchn_table_vcpu(&table, port), -EINVAL);
        assert_int_equal(evtchn_table_vcpu(&table, port + 1), (port - 1) % 4);
        assert_int_equal(evtchn_table_alloc(&table, 3), port);
        assert_int_equal(evtchn_table_vcpu(&table, port), 3);
    }
}

static void a_vcpu_that_is_none_is_refused(void **state)
{
    (void)state;
    struct evtchn_table table = {0};
    assert_int_equal(evtchn_table_alloc(&table, XEN_LEGACY_MAX_VCPUS), -EINVAL);
    assert_int_equal(evtchn_table_alloc(&table, UINT32_MAX), -EINVAL);
    assert_true(evtchn_table_alloc(&table, XEN_LEGACY_MAX_VCPUS - 1) > 0);
}

static void only_ports_in_use_can_be_closed(void **state)
{
    (void)state;
    struct evtchn_table table = {0};
    evtchn_table_reserve(&table, SEGMENT_STORE_EVTCHN, 2);
    static const evtchn_port_t wrong[] = {0, SEGMENT_STORE_EVTCHN, 2, 63, 64, 65, UINT32_MAX};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(evtchn_table_close(&table, wrong[i]), -EINVAL);
    assert_int_equal(evtchn_table_vcpu(&table, SEGMENT_STORE_EVTCHN), 2);
    int port = evtchn_table_alloc(&table, 0);
    assert_int_equal(evtchn_table_close(&table, (evtchn_port_t)port), 0);
    assert_int_equal(evtchn_table_close(&table, (evtchn_port_t)port), -EINVAL);
}

/* As many as the disks that a service may offer have rings. */
static void sixty_four_disks_of_eight_rings_have_ports(void **state)
{
    (void)state;
    struct evtchn_table table = {0};
    evtchn_table_reserve(&table, SEGMENT_STORE_EVTCHN, 0);
    for (int i = 0; i < 64 * 8; i++)
        assert_true(evtchn_table_alloc(&table, 1) > 0);
}

/* Port numbers come out of store nodes as 64 bits. */
static void numbers_beyond_the_table_are_no_ports(void **state)
{
    (void)state;
    struct evtchn_table table;
    static const uint64_t wrong[] = {0,          EVTCHN_TABLE_PORTS,    2 * EVTCHN_TABLE_PORTS,
                                     UINT32_MAX, UINT64_C(1) << 32 | 5, UINT64_MAX};
    memset(&table, 0xff, sizeof(table));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(evtchn_table_vcpu(&table, wrong[i]), -EINVAL);
    assert_int_equal(evtchn_table_vcpu(&table, EVTCHN_TABLE_PORTS - 1), 0xff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_port_is_given_out_once),
        cmocka_unit_test(a_vcpu_that_is_none_is_refused),
        cmocka_unit_test(only_ports_in_use_can_be_closed),
        cmocka_unit_test(sixty_four_disks_of_eight_rings_have_ports),
        cmocka_unit_test(numbers_beyond_the_table_are_no_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
