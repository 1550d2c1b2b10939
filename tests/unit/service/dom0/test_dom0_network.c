/* SPDX-License-Identifier: MIT */
/* dom0_network: network interfaces of domains that come and go, and their nodes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fakes/fake_machine.h"
#include "service/block/device_private.h"
#include "service/dom0/domain_devices.h"
#include "unit/service/net/net_fixture.h"

enum { PAGES = 64 };

static struct fake_machine machine;
static struct why why;
static struct vif_spec template[2];
static const char *const bridges[] = {"xenbr0", "xenbr1"};
static struct domain *domains[4];

static struct control_peer *const asker = (struct control_peer *)&why;

static void create(domid_t domid)
{
    const struct control_request request = {.op = CONTROL_CREATE_DOMAIN, .arg0 = PAGES};
    int segment_fd;
    assert_int_equal(dom0_control_ops.create_domain(machine.dom0, &request, 1, &domains[domid],
                                                    &segment_fd, &why),
                     0);
}

static int setup(void **state)
{
    (void)state;
    memset(domains, 0, sizeof(domains));
    if (fake_machine_create(&machine) < 0 || vif_spec_parse("", &template[0], &why) < 0 ||
        vif_spec_parse("bridge=xenbr1,mac=00:16:3e:00:00:aa", &template[1], &why) < 0)
        return -1;
    machine.options.vifs = template;
    machine.options.bridges = bridges;
    machine.options.bridge_count = 2;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (domid_t domid = 1; domid < 4; domid++) {
        if (domains[domid] != NULL)
            dom0_control_ops.end_domain(machine.dom0, domains[domid]);
    }
    return fake_machine_destroy(&machine);
}

static void boot(uint32_t vif_count)
{
    machine.options.vif_count = vif_count;
    assert_int_equal(fake_machine_boot(&machine), 0);
    create(1);
}

static int ask(enum control_op op, uint32_t domid, const char *text)
{
    const struct control_request request = {.op = (uint32_t)op, .arg0 = domid};
    char *answer = NULL;
    int rc = dom0_control_ops.network(machine.dom0, &request, text, asker, &answer, &why);
    free(answer);
    return rc;
}

static const char *node(const char *path)
{
    static char value[PATH_MAX];
    return xs_local_read(machine.dom0->store, path, value, sizeof(value)) < 0 ? "(none)" : value;
}

static void each_domain_gets_the_vifs_of_start(void **state)
{
    (void)state;
    boot(2);
    create(2);
    assert_string_equal(node("/local/domain/1/device/vif/1/mac"), "00:16:3e:00:00:aa");
    assert_string_equal(node("/local/domain/0/backend/vif/1/1/bridge"), "xenbr1");
    assert_string_equal(node("/local/domain/0/backend/vif/2/0/bridge"), "xenbr0");
    /* An address is one domain's alone. */
    assert_string_not_equal(node("/local/domain/2/device/vif/1/mac"), "00:16:3e:00:00:aa");
    assert_string_equal(node("/local/domain/0/backend/vif/2/1/state"), "2");
}

static void without_options_there_is_a_bridge_and_no_vif(void **state)
{
    (void)state;
    machine.options.bridge_count = 0;
    boot(0);
    assert_string_equal(node("/local/domain/0/backend/vif/1/0/state"), "(none)");
    assert_int_equal(ask(CONTROL_NETWORK_ATTACH, 1, "bridge=xenbr0"), 0);
    assert_string_equal(node("/local/domain/0/backend/vif/1/0/state"), "2");
}

static void a_vif_comes_and_goes(void **state)
{
    (void)state;
    boot(1);
    assert_int_equal(ask(CONTROL_NETWORK_ATTACH, 1, "mac=00:16:3e:00:00:02,rate=10Mb/s"), 0);
    assert_string_equal(node("/local/domain/0/backend/vif/1/1/rate"), "62500,50000");
    assert_non_null(domain_find_device(domains[1], &vif_class, 1));
    /* No front end is connected: it is gone at once. */
    assert_int_equal(ask(CONTROL_NETWORK_DETACH, 1, "00:16:3e:00:00:02"), 0);
    assert_null(domain_find_device(domains[1], &vif_class, 1));
    assert_string_equal(node("/local/domain/1/device/vif/1/mac"), "(none)");
    assert_int_equal(ask(CONTROL_NETWORK_ATTACH, 1, "mac=00:16:3e:00:00:02"), 0);
    assert_int_equal(ask(CONTROL_NETWORK_DESTROY, 1, "1"), 0);
}

static void what_cannot_be_leaves_nothing(void **state)
{
    (void)state;
    boot(1);
    assert_int_equal(ask(CONTROL_NETWORK_ATTACH, 3, ""), -ESRCH);
    assert_int_equal(ask(CONTROL_NETWORK_ATTACH, 1, "nonsense"), -EINVAL);
    assert_int_equal(ask(CONTROL_NETWORK_ATTACH, 1, "bridge=nosuch"), -ENODEV);
    assert_int_equal(ask(CONTROL_NETWORK_ATTACH, 1, "devid=0"), -EEXIST);
    assert_string_equal(why.text, "Domain 1:device already exists in xenstore; detach it first, or "
                                  "choose another devid");
    assert_int_equal(ask(CONTROL_NETWORK_DETACH, 1, "9"), -ENODEV);
    assert_string_equal(why.text, "Unknown device 9.");
    assert_int_equal(vifs_next_devid(&machine.dom0->vifs, 1), 1);
}

static void a_domain_takes_its_vifs_along(void **state)
{
    (void)state;
    boot(2);
    dom0_control_ops.end_domain(machine.dom0, domains[1]);
    domains[1] = NULL;
    assert_null(vifs_next(&machine.dom0->vifs, NULL));
    assert_string_equal(node("/local/domain/0/backend/vif/1/0"), "(none)");
}

/* While disks are at work, and shortly after: they are looked at between every few frames. */
static void frames_give_way_to_disks_that_are_at_work(void **state)
{
    const uint64_t now_ns = UINT64_C(1) << 40;
    struct fixture_port port;
    (void)state;
    boot(0);
    struct dom0 *d = machine.dom0;
    assert_int_equal(dom0_network_run(d, now_ns), 0); /* nothing is to be handed in */
    fixture_init(&port, "vif", 256);
    port.frame_bytes = 1000;
    port.left = UINT64_MAX;
    net_turns_add(&d->vifs.net.turns, &port.port);
    net_turns_ready(&port.port);
    d->worker.hurries = false;
    assert_int_equal(dom0_network_run(d, now_ns), 1);
    assert_in_range(port.taken, NET_TURNS_BRIEF_MAX_BYTES + 2000, NET_TURNS_MAX_BYTES + 2000);
    assert_false(d->worker.hurries);
    d->disks_busy_ns = now_ns - 999999; /* less than a millisecond ago */
    port.taken = 0;
    assert_int_equal(dom0_network_run(d, now_ns), 1);
    assert_in_range(port.taken, 1, NET_TURNS_BRIEF_MAX_BYTES + 2000);
    assert_true(d->worker.hurries);
    d->worker.hurries = false;
    assert_int_equal(dom0_network_run(d, now_ns + 1), 1);
    assert_false(d->worker.hurries);
    assert_int_equal(d->disks_looked_ns, now_ns + 1); /* none is at work */
    assert_int_equal(d->disks_busy_ns, now_ns - 999999);
    struct device *disk = d->disks[0].item->vdisk->device;
    disk->in_flight++;
    assert_int_equal(dom0_network_run(d, now_ns + 2), 1);
    disk->in_flight--;
    assert_int_equal(d->disks_busy_ns, now_ns + 2);
    assert_true(d->worker.hurries);
    net_turns_remove(&port.port);
}

#define ON_MACHINE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_MACHINE(each_domain_gets_the_vifs_of_start),
        ON_MACHINE(without_options_there_is_a_bridge_and_no_vif),
        ON_MACHINE(a_vif_comes_and_goes),
        ON_MACHINE(what_cannot_be_leaves_nothing),
        ON_MACHINE(a_domain_takes_its_vifs_along),
        ON_MACHINE(frames_give_way_to_disks_that_are_at_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
