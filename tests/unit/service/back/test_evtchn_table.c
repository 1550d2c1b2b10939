/* SPDX-License-Identifier: MIT */
/* evtchn_table: ports come and go, the reserved one stays. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ring/segment.h"
#include "service/back/evtchn_table.h"

static void every_port_is_given_out_once(void **state)
{
    (void)state;
    struct evtchn_table table = {0};
    uint64_t seen = 0;
    evtchn_table_reserve(&table, SEGMENT_STORE_EVTCHN, 0);
    for (int i = 0; i < EVTCHN_TABLE_PORTS - 2; i++) { /* without port 0 and the store's */
        int port = evtchn_table_alloc(&table, (uint32_t)i % 4);
        assert_in_range(port, 2, EVTCHN_TABLE_PORTS - 1);
        assert_true((seen >> port & 1) == 0);
        seen |= 1ull << port;
        assert_int_equal(evtchn_table_vcpu(&table, (uint64_t)port), i % 4);
    }
    assert_int_equal(evtchn_table_alloc(&table, 0), -ENOSPC);
    assert_int_equal(evtchn_table_close(&table, 40), 0);
    assert_int_equal(evtchn_table_vcpu(&table, 40), -EINVAL);
    assert_int_equal(evtchn_table_alloc(&table, 3), 40);
    assert_int_equal(evtchn_table_vcpu(&table, 40), 3);
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

/* Port numbers come out of store nodes as 64 bits. */
static void numbers_beyond_the_table_are_no_ports(void **state)
{
    (void)state;
    struct evtchn_table table = {.in_use = UINT64_MAX};
    static const uint64_t wrong[] = {0, 64, 128, UINT32_MAX, UINT64_C(1) << 32 | 5, UINT64_MAX};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(evtchn_table_vcpu(&table, wrong[i]), -EINVAL);
    assert_int_equal(evtchn_table_vcpu(&table, 63), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_port_is_given_out_once),
        cmocka_unit_test(a_vcpu_that_is_none_is_refused),
        cmocka_unit_test(only_ports_in_use_can_be_closed),
        cmocka_unit_test(numbers_beyond_the_table_are_no_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
