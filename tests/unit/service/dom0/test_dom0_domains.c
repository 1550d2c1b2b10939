/* SPDX-License-Identifier: MIT */
/* dom0_domains: what the control socket asks of Dom0, without the socket. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/why.h"
#include "fakes/fake_machine.h"
#include "ring/barrier.h"
#include "ring/evtchn.h"
#include "service/dom0/domain.h"
#include "splitdom/xen/xs_wire.h"
#include "xenstore/server/xs_local.h"
#include "xenstore/xenbus_path.h"

enum {
    PAGES = 64,
    PID = 4711, /* of nobody in particular */
    DOMAIN_BYTES = PAGES * XEN_PAGE_SIZE,
    TURNS = 8,
    HOLE = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
};

static struct fake_machine machine;
static struct why why;

static int setup(void **state)
{
    (void)state;
    return fake_machine_create(&machine);
}

static int teardown(void **state)
{
    (void)state;
    return fake_machine_destroy(&machine);
}

static int create(uint32_t pages, struct domain **out)
{
    const struct control_request request = {.op = CONTROL_CREATE_DOMAIN, .arg0 = pages};
    int segment_fd;
    return dom0_control_ops.create_domain(machine.dom0, &request, PID, out, &segment_fd, &why);
}

static void end(struct domain *domain)
{
    dom0_control_ops.end_domain(machine.dom0, domain);
    while (unmapper_pending_bytes(machine.dom0->unmapper) > 0)
        sched_yield(); /* a thread of Dom0's gives the memory back */
}

static void memory_is_bounded_for_all_together(void **state)
{
    (void)state;
    struct domain *domains[3], *late;
    machine.options.domains_max_bytes = 3 * DOMAIN_BYTES + DOMAIN_BYTES - 1;
    assert_int_equal(fake_machine_boot(&machine), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(create(PAGES, &domains[i]), 0);
    assert_int_equal(create(PAGES, &late), -ENOMEM);
    assert_null(late);
    assert_string_equal(why.text, "no room for 64 pages: all domains may have 0 MiB together");
    assert_int_equal(create(PAGES - 1, &late), 0); /* what is left is enough for a smaller one */
    end(late);
    end(domains[1]);
    assert_int_equal(create(PAGES, &domains[1]), 0); /* room again */
    for (int i = 0; i < 3; i++)
        end(domains[i]);
    assert_int_equal(machine.dom0->domains_bytes, 0);
}

static void a_size_that_no_domain_may_have_is_told_as_such(void **state)
{
    (void)state;
    struct domain *domain;
    machine.options.domains_max_bytes = DOMAIN_BYTES;
    machine.options.max_pages = 2 * PAGES;
    assert_int_equal(fake_machine_boot(&machine), 0);
    assert_int_equal(create(2 * PAGES + 1, &domain), -EINVAL);
    assert_non_null(strstr(why.text, "a domain has 8 to 128 pages"));
    assert_int_equal(create(UINT32_MAX, &domain), -EINVAL);
    assert_int_equal(machine.dom0->domains_bytes, 0);
}

static int describe(struct domain *domain, const char *name, struct tdf share)
{
    const struct control_description wanted = {.name = name, .share = share};
    return dom0_control_ops.describe(machine.dom0, domain, &wanted, &why);
}

static int describe_weight(struct domain *domain, const char *name, uint32_t weight)
{
    const struct control_description wanted = {.name = name, .weight = weight};
    return dom0_control_ops.describe(machine.dom0, domain, &wanted, &why);
}

static const char *node(struct domain *domain, const char *name)
{
    static char path[XENBUS_PATH_MAX], value[128];
    xenbus_home_path(path, domain->domid, name);
    return xs_local_read(machine.dom0->store, path, value, sizeof(value)) < 0 ? "(none)" : value;
}

static void names_are_of_one_domain_alone(void **state)
{
    (void)state;
    const struct tdf none = {0, 0};
    struct domain *first, *second;
    assert_int_equal(fake_machine_boot(&machine), 0);
    assert_int_equal(create(PAGES, &first), 0);
    assert_int_equal(create(PAGES, &second), 0);
    assert_int_equal(describe(first, "web-1.a_b+c:d@e", none), 0);
    assert_string_equal(node(first, "name"), "web-1.a_b+c:d@e");
    assert_string_equal(node(first, "cpu-share"), "(none)");
    assert_int_equal(describe(first, "again", none), -EALREADY);
    assert_int_equal(describe(second, "web-1.a_b+c:d@e", none), -EEXIST);
    assert_string_equal(why.text, "a domain with name \"web-1.a_b+c:d@e\" already exists");
    assert_int_equal(describe(second, "Domain-0", none), -EEXIST);
    assert_int_equal(describe(second, "DomU-3", none), -EINVAL); /* the next one's */
    assert_string_equal(why.text, "a name that begins with DomU- is Dom0's to give: take another");
    assert_int_equal(describe(second, "a b", none), -EINVAL);
    assert_int_equal(describe(second, "a/b", none), -EINVAL);
    assert_int_equal(describe(second, "x\n", none), -EINVAL);
    end(first);
    assert_int_equal(describe(second, "web-1.a_b+c:d@e", none), 0); /* free again */
    end(second);
}

static void a_share_of_the_cpu_is_for_who_applies_it(void **state)
{
    (void)state;
    struct domain *domain;
    assert_int_equal(fake_machine_boot(&machine), 0);
    assert_int_equal(create(PAGES, &domain), 0);
    assert_int_equal(describe(domain, "", (struct tdf){2, 1}), -EINVAL);
    assert_int_equal(describe(domain, "", (struct tdf){1, 0}), -EINVAL);
    assert_int_equal(describe(domain, "", (struct tdf){1, 4}), 0);
    assert_string_equal(node(domain, "cpu-share"), "1/4");
    assert_string_equal(node(domain, "name"), "DomU-1");
    end(domain);
}

static void a_domain_begins_with_the_weight_that_it_asks_for(void **state)
{
    (void)state;
    struct domain *domain, *other;
    assert_int_equal(fake_machine_boot(&machine), 0);
    assert_int_equal(create(PAGES, &domain), 0);
    assert_int_equal(create(PAGES, &other), 0);
    assert_int_equal(describe_weight(domain, "mine", CONTROL_WEIGHT_MAX + 1), -EINVAL);
    assert_string_equal(why.text, "a weight is 1..65535, not 65536");
    assert_string_equal(node(domain, "name"), "DomU-1"); /* nothing has changed */
    assert_string_equal(node(domain, "sched/weight"), "256");
    assert_int_equal(describe_weight(domain, "mine", CONTROL_WEIGHT_MAX), 0);
    assert_string_equal(node(domain, "sched/weight"), "65535");
    assert_int_equal(domain->settings.weight, CONTROL_WEIGHT_MAX);
    assert_int_equal(describe_weight(other, "other", 0), 0);
    assert_string_equal(node(other, "sched/weight"), "256");
    assert_int_equal(other->settings.weight, 256);
    assert_int_equal(describe_weight(domain, "", 1), -EALREADY);
    end(other);
    end(domain);
}

static void who_asks_for_the_end_is_named_as_its_reason(void **state)
{
    (void)state;
    assert_int_equal(fake_machine_boot(&machine), 0);
    assert_false(machine.dom0->stopping);
    dom0_control_ops.stop(machine.dom0);
    assert_true(machine.dom0->stopping);
    assert_string_equal(machine.dom0->stop_reason, "stop was asked for");
}

static void without_a_bound_half_of_the_machine_is_theirs(void **state)
{
    (void)state;
    assert_int_equal(fake_machine_boot(&machine), 0);
    uint64_t machine_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    assert_in_range(machine.dom0->domains_max_bytes, 1, machine_bytes / 2);
}

/* What a domain has written and rung before it says that it has mapped its memory. */
static void ask_the_store(struct domain *domain)
{
    const struct xsd_sockmsg message = {.type = XS_DIRECTORY, .len = 2};
    struct xenstore_domain_interface *store = domain->segment.store;
    memcpy(store->req, &message, sizeof(message));
    memcpy(store->req + sizeof(message), "/", 2);
    store_release_u32(&store->req_prod, sizeof(message) + 2);
    assert_int_equal(evtchn_kick(domain->doorbell.fd), 0);
}

static void nobody_looks_at_memory_that_is_not_sealed(void **state)
{
    (void)state;
    struct domain *domain;
    assert_int_equal(fake_machine_boot(&machine), 0);
    assert_int_equal(create(PAGES, &domain), 0);
    ask_the_store(domain);
    for (int i = 0; i < TURNS; i++)
        (void)worker_turn(&machine.dom0->worker);
    assert_int_equal(domain->segment.store->req_cons, 0);
    int copy = dup(domain->segment_fd);
    assert_int_equal(dom0_control_ops.mapped(domain), 0);
    assert_int_equal(dom0_control_ops.mapped(domain), -EALREADY);
    for (int i = 0; i < TURNS; i++)
        (void)worker_turn(&machine.dom0->worker);
    assert_int_equal(domain->segment.store->req_cons, sizeof(struct xsd_sockmsg) + 2);
    assert_true(domain->segment.store->rsp_prod > 0);
    assert_int_equal(fallocate(copy, HOLE, 0, DOMAIN_BYTES), -1);
    assert_int_equal(errno, EPERM);
    close(copy);
    end(domain);
}

static void a_domain_that_keeps_the_seal_off_is_not_looked_at(void **state)
{
    (void)state;
    struct domain *domain;
    assert_int_equal(fake_machine_boot(&machine), 0);
    assert_int_equal(create(PAGES, &domain), 0);
    ask_the_store(domain);
    assert_int_equal(fcntl(domain->segment_fd, F_ADD_SEALS, F_SEAL_SEAL), 0);
    assert_int_equal(dom0_control_ops.mapped(domain), -EPERM);
    for (int i = 0; i < TURNS; i++)
        (void)worker_turn(&machine.dom0->worker);
    assert_int_equal(domain->segment.store->req_cons, 0);
    end(domain);
}

static void the_store_tells_which_process_a_domain_is(void **state)
{
    (void)state;
    struct domain *domain;
    char value[16];
    assert_int_equal(fake_machine_boot(&machine), 0);
    assert_int_equal(create(PAGES, &domain), 0);
    assert_int_equal(domain->pid, PID);
    assert_true(xs_local_read(machine.dom0->store, "/local/domain/1/splitdom/pid", value,
                              sizeof(value)) > 0);
    assert_string_equal(value, "4711");
    end(domain);
    assert_int_equal(
        xs_local_read(machine.dom0->store, "/local/domain/1/splitdom/pid", value, sizeof(value)),
        -ENOENT);
}

static void a_doorbell_that_fails_ends_its_domain(void **state)
{
    (void)state;
    struct domain *domain, *neighbour;
    assert_int_equal(fake_machine_boot(&machine), 0);
    assert_int_equal(create(PAGES, &domain), 0);
    assert_int_equal(create(PAGES, &neighbour), 0);
    domain->doorbell.ops->failed(domain->doorbell.ctx);
    assert_non_null(domain->lost);
    assert_null(neighbour->lost);
    assert_true(machine.dom0->any_lost); /* the turn that is going on ends those that are */
    end(neighbour);
    end(domain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(memory_is_bounded_for_all_together, setup, teardown),
        cmocka_unit_test_setup_teardown(a_size_that_no_domain_may_have_is_told_as_such, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nobody_looks_at_memory_that_is_not_sealed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_domain_that_keeps_the_seal_off_is_not_looked_at, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_store_tells_which_process_a_domain_is, setup, teardown),
        cmocka_unit_test_setup_teardown(a_doorbell_that_fails_ends_its_domain, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_of_one_domain_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_share_of_the_cpu_is_for_who_applies_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_domain_begins_with_the_weight_that_it_asks_for, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_asks_for_the_end_is_named_as_its_reason, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(without_a_bound_half_of_the_machine_is_theirs, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
