/* SPDX-License-Identifier: MIT */
/* domain_devices: a domain with two disks. */
#include "unit/service/dom0/domain_devices_fixture.h"

static void a_domain_is_born_with_what_its_host_says(void **state)
{
    (void)state;
    assert_string_equal(back_node(XVDA, "params"), "one");
    assert_string_equal(back_node(XVDB, "params"), "two");
    assert_ptr_equal(domain_next_device(f->domain, &vbd_class, NULL), device(XVDA));
    assert_ptr_equal(domain_next_device(f->domain, &vbd_class, device(XVDA)), device(XVDB));
    assert_null(domain_next_device(f->domain, &vbd_class, device(XVDB)));
    assert_null(device(51744));
    const struct back_class other = {.name = "vif"};
    assert_null(domain_find_device(f->domain, &other, XVDA));
}

static void both_disks_are_served(void **state)
{
    (void)state;
    struct front a, b;
    connect(&a, XVDA, 0);
    connect(&b, XVDB, 1);
    for (uint64_t i = 0; i < 5; i++) {
        read_from(&a, 10 * i);
        read_from(&b, 10 * i + 500);
    }
    assert_int_equal(vbd_back_stats(device(XVDA)).reads_done, 5);
    assert_int_equal(vbd_back_stats(device(XVDB)).reads_done, 5);
    assert_int_equal(domain_vbd_stats(f->domain).reads_done, 10);
    assert_int_equal(f->domain->peer.requests, 10);
}

static void a_number_is_given_once(void **state)
{
    (void)state;
    assert_int_equal(domain_attach(f->domain, &f->spec[0], &f->why), -EEXIST);
    assert_string_equal(f->why.text, "Domain 5:device already exists in xenstore; detach it first, "
                                     "or choose another vdev");
    assert_string_equal(back_node(XVDA, "state"), "2"); /* and nothing happened to it */
}

static int create_fails(const struct back_domain *domain, const void *options,
                        struct xenbus_back **out)
{
    (void)domain;
    (void)options;
    (void)out;
    return -ENOMEM;
}

static void no_front(const struct back_spec *spec, back_node_fn *put, void *ctx)
{
    (void)spec;
    (void)put;
    (void)ctx;
}

static void only_online(const struct back_spec *spec, domid_t domid, back_node_fn *put, void *ctx)
{
    (void)spec;
    (void)domid;
    put(ctx, "online", "1");
}

static void a_device_that_cannot_be_made_leaves_no_nodes(void **state)
{
    (void)state;
    const struct back_class fails = {
        .name = "vbd", .front_nodes = no_front, .back_nodes = only_online, .create = create_fails};
    assert_int_equal(domain_attach(f->domain, &(struct back_spec){&fails, 51744, NULL}, &f->why),
                     -ENOMEM);
    assert_string_equal(f->why.text,
                        "Domain 5:unable to add vbd with id 51744: Cannot allocate memory");
    assert_int_equal(f->leases, 2); /* what was admitted is given back */
    assert_string_equal(back_node(51744, "online"), "(none)");
    assert_null(domain_find_device(f->domain, &fails, 51744));
}

static void a_device_that_is_not_admitted_is_not_made(void **state)
{
    (void)state;
    struct front b;
    connect(&b, XVDB, 1);
    take_away(&b);
    assert_int_equal(f->leases, 1);
    f->refuses = true;
    assert_int_equal(domain_attach(f->domain, &f->spec[1], &f->why), -EBUSY);
    assert_string_equal(f->why.text, "taken");
    assert_string_equal(back_node(XVDB, "state"), "(none)");
    assert_null(device(XVDB));
}

static void settings_reach_every_disk(void **state)
{
    (void)state;
    struct front a, b;
    assert_int_equal(xs_local_write(f->store, "/local/domain/5/sched/weight", "77"), 0);
    step();
    connect(&a, XVDA, 0);
    connect(&b, XVDB, 1);
    assert_int_equal(vbd_back_client(device(XVDA))->entity.weight, 77);
    assert_int_equal(xs_local_write(f->store, "/local/domain/5/disk-scale", "3"), 0);
    step();
    assert_int_equal(block_client_scale(vbd_back_client(device(XVDA))).num, 3);
    assert_int_equal(block_client_scale(vbd_back_client(device(XVDB))).num, 3);
}

static void a_new_size_reaches_every_disk(void **state)
{
    (void)state;
    struct front a, b;
    connect(&a, XVDA, 0);
    connect(&b, XVDB, 1);
    f->fake.vdisk->image.size_bytes = 4096;
    vdisk_image_changed(f->fake.vdisk);
    domain_resize_disks(f->domain, f->fake.vdisk);
    assert_string_equal(back_node(XVDA, "sectors"), "8");
    assert_string_equal(back_node(XVDB, "sectors"), "8");
}

int main(void)
{
#define DEVICES_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        DEVICES_TEST(a_domain_is_born_with_what_its_host_says),
        DEVICES_TEST(both_disks_are_served),
        DEVICES_TEST(a_number_is_given_once),
        DEVICES_TEST(a_device_that_cannot_be_made_leaves_no_nodes),
        DEVICES_TEST(a_device_that_is_not_admitted_is_not_made),
        DEVICES_TEST(settings_reach_every_disk),
        DEVICES_TEST(a_new_size_reaches_every_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
