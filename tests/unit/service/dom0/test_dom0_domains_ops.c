/* SPDX-License-Identifier: MIT */
/* dom0_domains: which domains there are, and what is asked of one of them or of all. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fakes/fake_machine.h"
#include "service/dom0/domain.h"
#include "splitdom/trace.h"
#include "xenstore/server/xs_local.h"

enum { PAGES = 64, MAX_DOMAINS = 3, XVDA = 51712, VCPU = 0 };

static struct fake_machine machine;
static struct dom0 *d;
static struct why why;
static struct domain *domains[MAX_DOMAINS + 1]; /* by domid */
static struct control_peer *const asker = (struct control_peer *)&why;
static struct domain *dropped[2 * MAX_DOMAINS]; /* connections that Dom0 has ended */
static uint32_t dropped_count;

static void end(domid_t domid)
{
    dom0_control_ops.end_domain(d, domains[domid]);
    domains[domid] = NULL;
}

void __wrap_control_drop_domain(struct control *control, struct domain *domain);

void __wrap_control_drop_domain(struct control *control, struct domain *domain)
{
    assert_ptr_equal(control, d->control);
    dropped[dropped_count++] = domain;
    end(domain->domid);
}

static int setup(void **state)
{
    (void)state;
    memset(domains, 0, sizeof(domains));
    dropped_count = 0;
    if (fake_machine_create(&machine) < 0)
        return -1;
    machine.options.max_domains = MAX_DOMAINS;
    if (fake_machine_boot(&machine) < 0)
        return -1;
    d = machine.dom0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (domid_t domid = 1; domid <= MAX_DOMAINS; domid++) {
        if (domains[domid] != NULL)
            end(domid);
    }
    return fake_machine_destroy(&machine);
}

/* The next domain: its number, or -errno. */
static int try(void)
{
    const struct control_request request = {.op = CONTROL_CREATE_DOMAIN, .arg0 = PAGES};
    struct domain *domain;
    int segment_fd;
    int rc = dom0_control_ops.create_domain(d, &request, 1, &domain, &segment_fd, &why);
    if (rc < 0) {
        assert_null(domain);
        assert_int_equal(segment_fd, -1);
        return rc;
    }
    assert_int_equal(segment_fd, domain->segment_fd);
    domains[domain->domid] = domain;
    return (int)dom0_control_ops.domid(domain);
}

static void a_number_comes_back_as_late_as_it_can(void **state)
{
    (void)state;
    assert_int_equal(try(), 1);
    assert_int_equal(try(), 2);
    end(1);
    assert_int_equal(try(), 3);
    assert_int_equal(try(), 1);
    end(3);
    end(2);
    assert_int_equal(try(), 2);
    assert_int_equal(try(), 3);
    assert_int_equal(d->domain_count, 3);
    assert_int_equal(d->domains_created, 6);
}

static void no_more_domains_are_made_than_may_be(void **state)
{
    (void)state;
    for (int domid = 1; domid <= MAX_DOMAINS; domid++)
        assert_int_equal(try(), domid);
    assert_int_equal(try(), -EAGAIN);
    assert_string_equal(why.text, "all 3 domains are in use (service start --max-domains)");
    end(2);
    assert_int_equal(d->domain_count, 2);
    assert_int_equal(try(), 2);
}

static void a_service_that_stops_makes_no_domain(void **state)
{
    (void)state;
    dom0_control_ops.stop(d);
    assert_int_equal(try(), -ESHUTDOWN);
    assert_string_equal(why.text, "the service is stopping");
}

static void a_domain_is_found_by_its_number(void **state)
{
    (void)state;
    assert_int_equal(try(), 1);
    assert_ptr_equal(dom0_control_ops.find(d, 1), domains[1]);
    assert_ptr_equal(dom0_find_domain(d, 1), domains[1]);
    const uint32_t nobodys[] = {0, 2, MAX_DOMAINS, MAX_DOMAINS + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof(nobodys) / sizeof(nobodys[0]); i++) {
        assert_null(dom0_control_ops.find(d, nobodys[i]));
        assert_null(dom0_find_domain(d, nobodys[i]));
    }
}

static void a_domain_has_ports_a_doorbell_and_its_disks_caches(void **state)
{
    (void)state;
    assert_int_equal(try(), 1);
    assert_int_equal(dom0_control_ops.doorbell_fd(domains[1]), domains[1]->doorbell.fd);
    int port = dom0_control_ops.alloc_port(domains[1], VCPU);
    assert_true(port > 0);
    assert_int_equal(dom0_control_ops.close_port(domains[1], (uint32_t)port), 0);
    assert_true(dom0_control_ops.close_port(domains[1], (uint32_t)port) < 0);
    assert_int_equal(dom0_control_ops.shared_cache(domains[1], XVDA + 16), -ENODEV);
    assert_int_equal(dom0_control_ops.shared_cache(domains[1], XVDA), -ENODEV); /* no ring */
}

static void what_an_ended_domain_has_done_is_kept(void **state)
{
    (void)state;
    assert_int_equal(try(), 1);
    const struct vbd_ring_stats before = d->departed;
    end(1);
    assert_memory_equal(&before, &d->departed, sizeof(before));
    assert_int_equal(d->domain_count, 0);
    assert_null(d->domains[1]);
}

static void the_lost_domains_are_ended_and_no_other(void **state)
{
    (void)state;
    for (int domid = 1; domid <= MAX_DOMAINS; domid++)
        assert_int_equal(try(), domid);
    struct domain *first = domains[1], *last = domains[MAX_DOMAINS];
    end(2); /* a number without a domain */
    first->lost = "has done something";
    last->lost = "has done something, too";
    d->any_lost = true;
    dom0_end_faulted(d);
    assert_false(d->any_lost);
    assert_int_equal(dropped_count, 2);
    assert_ptr_equal(dropped[0], first);
    assert_ptr_equal(dropped[1], last);
    assert_int_equal(try(), 1);
    dom0_end_faulted(d);
    assert_int_equal(dropped_count, 2);
}

/* Two that the store could not be cleared of when they ended, in a store that obeys again. */
static void what_was_left_in_the_store_is_cleared_away(void **state)
{
    static const char *const left[] = {"/local/domain/2/data", "/local/domain/3/data"};
    char value[8];
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(xs_local_write(d->store, left[i], "x"), 0);
        d->nodes_left[i + 2] = true;
        d->nodes_left_count++;
    }
    assert_int_equal(try(), 1); /* and their numbers are not given out */
    assert_int_equal(try(), -EAGAIN);
    dom0_clear_away(d);
    assert_int_equal(d->nodes_left_count, 0);
    for (uint32_t i = 0; i < 2; i++) {
        assert_false(d->nodes_left[i + 2]);
        assert_int_equal(xs_local_read(d->store, left[i], value, sizeof(value)), -ENOENT);
    }
    assert_int_equal(try(), 2);
    assert_int_equal(try(), 3);
}

static uint32_t threshold(domid_t domid)
{
    return domains[domid]->trace.threshold;
}

static void who_traces_sees_each_domain_or_one(void **state)
{
    uint32_t domid;
    bool fresh;
    (void)state;
    assert_int_equal(try(), 1);
    assert_int_equal(try(), 2);
    assert_int_equal(dom0_control_ops.trace(d, asker, MAX_DOMAINS, 1), -ENOENT); /* no such one */
    assert_int_equal(dom0_control_ops.trace(d, asker, MAX_DOMAINS + 1, 1), -ENOENT);
    assert_int_equal(dom0_control_ops.trace_next(d, asker, &domid, &fresh), -ENOENT);
    assert_true(dom0_control_ops.trace(d, asker, 2, 1) >= 0);
    assert_int_equal(threshold(1), 0);
    assert_int_not_equal(threshold(2), 0);
    assert_int_equal(dom0_control_ops.trace_memory(d, domains[1]), -EAGAIN);
    int fd = dom0_control_ops.trace_memory(d, domains[2]);
    assert_true(fd >= 0);
    assert_int_equal(dom0_control_ops.trace_next(d, asker, &domid, &fresh), fd);
    assert_int_equal(domid, 2);
    assert_true(fresh);
    assert_int_equal(dom0_control_ops.trace_next(d, asker, &domid, &fresh), -EAGAIN);
    dom0_control_ops.trace_end(d, asker);
    assert_int_equal(threshold(2), 0);
    assert_true(dom0_control_ops.trace(d, asker, 0, 1) >= 0);
    assert_int_not_equal(threshold(1), 0);
    assert_int_not_equal(threshold(2), 0);
    dom0_control_ops.trace_end(d, asker);
    assert_int_equal(threshold(1), 0);
    dom0_control_ops.trace_end(d, asker); /* he traces no more */
}

int main(void)
{
#define OPS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        OPS_TEST(a_number_comes_back_as_late_as_it_can),
        OPS_TEST(no_more_domains_are_made_than_may_be),
        OPS_TEST(a_service_that_stops_makes_no_domain),
        OPS_TEST(a_domain_is_found_by_its_number),
        OPS_TEST(a_domain_has_ports_a_doorbell_and_its_disks_caches),
        OPS_TEST(what_an_ended_domain_has_done_is_kept),
        OPS_TEST(the_lost_domains_are_ended_and_no_other),
        OPS_TEST(what_was_left_in_the_store_is_cleared_away),
        OPS_TEST(who_traces_sees_each_domain_or_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
