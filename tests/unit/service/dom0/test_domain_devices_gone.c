/* SPDX-License-Identifier: MIT */
/* domain_devices: disks that come and go while their domain lives. */
#include "unit/service/dom0/domain_devices_fixture.h"

static void one_disk_goes_and_the_other_stays(void **state)
{
    (void)state;
    struct front a, b;
    connect(&a, XVDA, 0);
    connect(&b, XVDB, 1);
    read_from(&a, 1);
    read_from(&b, 2);
    take_away(&a);
    assert_null(device(XVDA));
    assert_string_equal(back_node(XVDA, "state"), "(none)");
    read_from(&b, 3);
    assert_int_equal(device(XVDB)->state, XenbusStateConnected);
    assert_int_equal(domain_vbd_stats(f->domain).reads_done, 3); /* nothing is forgotten */
}

static void a_disk_may_come_and_go_again_and_again(void **state)
{
    (void)state;
    struct front a, b;
    connect(&a, XVDA, 0);
    connect(&b, XVDB, 1);
    const uint32_t nodes = xs_server_nodes(f->store, DOMID);
    for (uint32_t life = 1; life <= 30; life++) {
        take_away(&b);
        assert_null(device(XVDB));
        assert_int_equal(domain_attach(f->domain, &f->spec[1], &f->why), 0);
        step();
        connect(&b, XVDB, 1);
        read_from(&b, 10 * life);
        read_from(&a, 10 * life + 5);
    }
    assert_int_equal(xs_server_nodes(f->store, DOMID), nodes);
    assert_int_equal(domain_vbd_stats(f->domain).reads_done, 60);
    assert_false(list_is_empty(&f->domain->peer.pollables));
}

static void a_disk_that_nobody_opened_goes_at_once(void **state)
{
    (void)state;
    assert_true(xenbus_back_unplug(device(XVDB), false));
    assert_null(device(XVDB));
    assert_string_equal(back_node(XVDB, "state"), "(none)");
    step();
}

static void a_disk_in_use_goes_when_its_front_end_has_closed(void **state)
{
    (void)state;
    struct front b;
    connect(&b, XVDB, 1);
    assert_false(xenbus_back_unplug(device(XVDB), false));
    step();
    assert_string_equal(back_node(XVDB, "online"), "0");
    assert_string_equal(back_node(XVDB, "state"), "5");
    read_from(&b, 3); /* served until then */
    set_front(&b, "state", XenbusStateClosed);
    step();
    assert_null(device(XVDB));
    assert_string_equal(back_node(XVDB, "state"), "(none)");
}

static void a_disk_goes_by_force_whatever_its_front_end_does(void **state)
{
    (void)state;
    struct front b;
    connect(&b, XVDB, 1);
    assert_true(xenbus_back_unplug(device(XVDB), true));
    assert_null(device(XVDB));
    assert_string_equal(back_node(XVDB, "state"), "(none)");
    step();
}

int main(void)
{
#define DEVICES_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        DEVICES_TEST(one_disk_goes_and_the_other_stays),
        DEVICES_TEST(a_disk_may_come_and_go_again_and_again),
        DEVICES_TEST(a_disk_that_nobody_opened_goes_at_once),
        DEVICES_TEST(a_disk_in_use_goes_when_its_front_end_has_closed),
        DEVICES_TEST(a_disk_goes_by_force_whatever_its_front_end_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
