/* SPDX-License-Identifier: MIT */
/* fdb: learning, ageing, moving, and what a flood of addresses costs others. */
#include "service/net/fdb.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "faults/fault.h"
#include "net_fixture.h"

static struct fixture_port a, b;
static struct net_fdb fdb;
static struct net_fdb_share of_a, of_b;

static int begin(void **state)
{
    (void)state;
    fixture_init(&a, "a", 1);
    fixture_init(&b, "b", 1);
    of_a = of_b = (struct net_fdb_share){.learned_count = 0};
    return net_fdb_init(&fdb, 1000, 12345);
}

static int end(void **state)
{
    (void)state;
    net_fdb_drop(&fdb, &of_a);
    net_fdb_drop(&fdb, &of_b);
    net_fdb_fini(&fdb);
    return 0;
}

static void an_address_is_where_it_was_seen_last(void **state)
{
    (void)state;
    assert_null(net_fdb_find(&fdb, 7, 0));
    assert_true(net_fdb_learn(&fdb, &a.port, &of_a, 7, 0));
    assert_ptr_equal(net_fdb_find(&fdb, 7, 0), &a.port);
    assert_true(net_fdb_learn(&fdb, &b.port, &of_b, 7, 1));
    assert_ptr_equal(net_fdb_find(&fdb, 7, 1), &b.port);
    assert_int_equal(fdb.moved, 1);
    assert_int_equal(of_a.learned_count, 0);
}

static void an_address_ages(void **state)
{
    (void)state;
    (void)net_fdb_learn(&fdb, &a.port, &of_a, 7, 100);
    assert_ptr_equal(net_fdb_find(&fdb, 7, 1100), &a.port);
    assert_null(net_fdb_find(&fdb, 7, 1101));
    assert_int_equal(fdb.count, 0);
}

static void a_fixed_address_neither_ages_nor_moves(void **state)
{
    (void)state;
    (void)net_fdb_learn(&fdb, &b.port, &of_b, 7, 0); /* a stranger was there first */
    assert_int_equal(net_fdb_fix(&fdb, &a.port, &of_a, 7), 0);
    assert_false(net_fdb_learn(&fdb, &b.port, &of_b, 7, 0));
    assert_true(net_fdb_learn(&fdb, &a.port, &of_a, 7, 0));
    assert_ptr_equal(net_fdb_find(&fdb, 7, UINT64_MAX), &a.port);
    assert_int_equal(net_fdb_fix(&fdb, &b.port, &of_b, 7), -EEXIST);
}

static void a_flood_of_addresses_costs_its_own_port_alone(void **state)
{
    (void)state;
    (void)net_fdb_learn(&fdb, &b.port, &of_b, 1, 0);
    for (uint64_t mac = 100; mac < 100000; mac++)
        assert_true(net_fdb_learn(&fdb, &a.port, &of_a, mac, 0));
    assert_int_equal(fdb.count, NET_FDB_PORT_MAX + 1);
    assert_ptr_equal(net_fdb_find(&fdb, 1, 0), &b.port);
    assert_ptr_equal(net_fdb_find(&fdb, 99999, 0), &a.port);
    assert_null(net_fdb_find(&fdb, 100, 0)); /* the oldest went */
    assert_int_equal(fdb.recycled, 100000 - 100 - NET_FDB_PORT_MAX);
}

static void stolen_addresses_do_not_exceed_the_limit(void **state)
{
    (void)state;
    for (uint64_t mac = 0; mac < NET_FDB_PORT_MAX; mac++) {
        (void)net_fdb_learn(&fdb, &a.port, &of_a, 1000 + mac, 0);
        (void)net_fdb_learn(&fdb, &b.port, &of_b, 2000 + mac, 0);
    }
    for (uint64_t mac = 0; mac < 100; mac++)
        (void)net_fdb_learn(&fdb, &a.port, &of_a, 2000 + mac, 0);
    assert_int_equal(of_a.learned_count, NET_FDB_PORT_MAX);
    assert_int_equal(of_b.learned_count, NET_FDB_PORT_MAX - 100);
}

static void a_port_that_is_gone_has_no_addresses(void **state)
{
    (void)state;
    (void)net_fdb_learn(&fdb, &a.port, &of_a, 7, 0);
    (void)net_fdb_fix(&fdb, &a.port, &of_a, 8);
    net_fdb_drop(&fdb, &of_a);
    assert_null(net_fdb_find(&fdb, 7, 0));
    assert_null(net_fdb_find(&fdb, 8, 0));
}

static void an_address_that_is_seen_again_is_no_longer_the_oldest(void **state)
{
    (void)state;
    for (uint64_t mac = 1; mac <= NET_FDB_PORT_MAX; mac++)
        (void)net_fdb_learn(&fdb, &a.port, &of_a, mac, mac);
    assert_int_equal(fdb.recycled, 0);
    (void)net_fdb_learn(&fdb, &a.port, &of_a, 1, 500);
    assert_int_equal(of_a.learned_count, NET_FDB_PORT_MAX);
    (void)net_fdb_learn(&fdb, &a.port, &of_a, 9999, 500);
    assert_int_equal(fdb.recycled, 1);
    assert_int_equal(fdb.moved, 0);                         /* it is where it was */
    assert_ptr_equal(net_fdb_find(&fdb, 1, 1500), &a.port); /* of 500 */
    assert_null(net_fdb_find(&fdb, 2, 500));
    assert_ptr_equal(net_fdb_find(&fdb, 3, 500), &a.port);
}

/* A clock that goes back, or a frame that was on its way. */
static void an_address_of_the_future_is_known(void **state)
{
    (void)state;
    (void)net_fdb_learn(&fdb, &a.port, &of_a, 7, 5000);
    assert_ptr_equal(net_fdb_find(&fdb, 7, 100), &a.port);
    assert_int_equal(fdb.count, 1);
}

static void a_fixed_address_is_none_that_was_learned(void **state)
{
    (void)state;
    (void)net_fdb_learn(&fdb, &a.port, &of_a, 7, 0);
    assert_int_equal(of_a.learned_count, 1);
    assert_int_equal(net_fdb_fix(&fdb, &a.port, &of_a, 7), 0);
    assert_int_equal(of_a.learned_count, 0);
    assert_int_equal(fdb.count, 1);
    (void)net_fdb_learn(&fdb, &a.port, &of_a, 7, 0);
    assert_int_equal(of_a.learned_count, 0);
    for (uint64_t mac = 100; mac < 100 + NET_FDB_PORT_MAX; mac++)
        (void)net_fdb_learn(&fdb, &a.port, &of_a, mac, 0);
    assert_int_equal(fdb.recycled, 0); /* it takes no room of theirs */
    assert_int_equal(fdb.count, NET_FDB_PORT_MAX + 1);
}

static void a_port_goes_without_the_others_addresses(void **state)
{
    (void)state;
    for (uint64_t mac = 0; mac < 100; mac++)
        (void)net_fdb_learn(&fdb, mac % 2 == 0 ? &a.port : &b.port, mac % 2 == 0 ? &of_a : &of_b,
                            mac + 1, 0);
    net_fdb_drop(&fdb, &of_a);
    assert_int_equal(fdb.count, 50);
    assert_int_equal(of_a.learned_count, 0);
    assert_int_equal(of_b.learned_count, 50);
    for (uint64_t mac = 0; mac < 100; mac++)
        assert_ptr_equal(net_fdb_find(&fdb, mac + 1, 0), mac % 2 == 0 ? NULL : &b.port);
}

static void without_memory_nothing_is_learned_and_nothing_is_lost(void **state)
{
    (void)state;
    assert_true(net_fdb_learn(&fdb, &a.port, &of_a, 4, 0));
    fault_arm_call("calloc", 0, ENOMEM);
    bool learned = net_fdb_learn(&fdb, &a.port, &of_a, 6, 0);
    int rc = net_fdb_fix(&fdb, &a.port, &of_a, 8);
    fault_disarm();
    assert_true(learned); /* the frame goes on all the same */
    assert_int_equal(rc, -ENOMEM);
    assert_null(net_fdb_find(&fdb, 6, 0));
    assert_ptr_equal(net_fdb_find(&fdb, 4, 0), &a.port);
}

#define WITH_TABLE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TABLE(an_address_is_where_it_was_seen_last),
        WITH_TABLE(an_address_ages),
        WITH_TABLE(a_fixed_address_neither_ages_nor_moves),
        WITH_TABLE(a_flood_of_addresses_costs_its_own_port_alone),
        WITH_TABLE(stolen_addresses_do_not_exceed_the_limit),
        WITH_TABLE(a_port_that_is_gone_has_no_addresses),
        WITH_TABLE(an_address_that_is_seen_again_is_no_longer_the_oldest),
        WITH_TABLE(an_address_of_the_future_is_known),
        WITH_TABLE(a_fixed_address_is_none_that_was_learned),
        WITH_TABLE(a_port_goes_without_the_others_addresses),
        WITH_TABLE(without_memory_nothing_is_learned_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
