/* SPDX-License-Identifier: MIT */
/* blkfront_open: a disk of a domain that is there already. */
#include <errno.h>

#include "domu/blkfront/blkfront_private.h"
#include "unit/domu/blkfront/blkfront_fixture.h"

static struct domu *open_domain(uint32_t pages)
{
    const struct domu_options options = {
        .size = sizeof(options), .rundir = base, .name = "fake", .pages = pages};
    struct domu_error error;
    struct domu *domu;
    if (domu_open(&options, &domu, &error) < 0)
        fail_msg("%s", error.text);
    return domu;
}

static bool is_odd;

static void odd_once(struct fake_dom0 *d, struct xs_server *store)
{
    (void)store;
    if (is_odd)
        fake_dom0_node(d, "sector-size", "1000");
    is_odd = false;
}

/* They are enough for one. */
static void a_disk_that_was_refused_leaves_its_domain_its_pages(void **state)
{
    (void)state;
    const struct blkfront_options mine = {.size = sizeof(mine), .depth = 1};
    is_odd = true;
    dom0 = fake_dom0_start(base, &(struct fake_dom0_script){.change_nodes = odd_once});
    assert_non_null(dom0);
    struct domu *domu = open_domain(blkfront_pages(&mine));
    assert_true(blkfront_open(domu, &mine, &bf, &why) < 0);
    assert_null(bf);
    if (blkfront_open(domu, &mine, &bf, &why) < 0)
        fail_msg("%s", why.text);
    blkfront_close(bf);
    bf = NULL;
    domu_close(domu);
}

static void a_disks_pages_are_given_back_once(void **state)
{
    (void)state;
    connect_to(&(struct fake_dom0_script){0}, (struct blkfront_options){.depth = 1});
    struct xenbus_front *front = &bf->front.xenbus;
    for (int i = 0; i < 2; i++) {
        front->class->give_back(front);
        assert_int_equal(bf->nr_pages, 0);
        assert_int_equal(bf->queue[0].vcpu, 0);
        assert_null(bf->claims);
    }
}

static void what_a_domain_says_is_no_disks_to_say(void **state)
{
    (void)state;
    const struct blkfront_options mine = {.size = sizeof(mine), .name = "fake"};
    dom0 = fake_dom0_start(base, &(struct fake_dom0_script){0});
    assert_non_null(dom0);
    struct domu *domu = open_domain(1);
    assert_int_equal(blkfront_open(domu, &mine, &bf, &why), -EINVAL);
    assert_string_equal(why.text, "service, clock, reconnect, domain_name and weight are the "
                                  "domain's: they are options of domu_open");
    domu_close(domu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRONT_TEST(a_disk_that_was_refused_leaves_its_domain_its_pages),
        FRONT_TEST(what_a_domain_says_is_no_disks_to_say),
        FRONT_TEST(a_disks_pages_are_given_back_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
