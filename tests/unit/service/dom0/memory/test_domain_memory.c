/* SPDX-License-Identifier: MIT */
/* domain_memory: who holds a domain's memory, and what is left when nobody does. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "faults/fault_walk.h"
#include "ring/fault_guard.h"
#include "service/dom0/memory/domain_memory.h"

enum { NR_PAGES = 16, DOMID = 3, GUARDS = 2 };

static int setup(void **state)
{
    (void)state;
    return fault_guard_install(GUARDS);
}

static int teardown(void **state)
{
    (void)state;
    fault_guard_remove();
    return 0;
}

static struct domain_memory *make(uint64_t *bytes)
{
    struct domain_memory *memory;
    int fd;
    assert_int_equal(domain_memory_create(NR_PAGES, DOMID, NULL, bytes, &memory, &fd), 0);
    close(fd);
    assert_int_equal(memory->segment.domid, DOMID);
    return memory;
}

static void it_stays_until_the_last_holder_lets_go(void **state)
{
    (void)state;
    uint64_t bytes = 1;
    struct domain_memory *memory = make(&bytes);
    volatile uint8_t *page = segment_page(&memory->segment, NR_PAGES - 1);
    assert_int_equal(bytes, 1 + NR_PAGES * XEN_PAGE_SIZE);
    hold_get(&memory->hold); /* a device */
    hold_put(&memory->hold); /* the domain has ended */
    *page = 7;               /* the device goes on */
    assert_int_equal(*page, 7);
    assert_int_equal(bytes, 1 + NR_PAGES * XEN_PAGE_SIZE);
    hold_put(&memory->hold);
    assert_int_equal(bytes, 1);
}

/* Each guard comes back: more domains than there are guards, one after another. */
static void its_guard_is_free_again(void **state)
{
    (void)state;
    for (int i = 0; i < 3 * GUARDS; i++)
        hold_put(&make(NULL)->hold);
}

static void without_a_guard_there_is_none(void **state)
{
    (void)state;
    uint64_t bytes = 0;
    struct domain_memory *some[GUARDS], *memory;
    int fd;
    for (int i = 0; i < GUARDS; i++)
        some[i] = make(&bytes);
    fault_arm_call("calloc", 3, ENOMEM); /* its own, its segment's, more guards */
    assert_int_equal(domain_memory_create(NR_PAGES, DOMID, NULL, &bytes, &memory, &fd), -ENOMEM);
    fault_disarm();
    assert_null(memory);
    assert_int_equal(fd, -1);
    assert_int_equal(bytes, GUARDS * NR_PAGES * XEN_PAGE_SIZE);
    hold_put(&make(&bytes)->hold); /* with more guards */
    for (int i = 0; i < GUARDS; i++)
        hold_put(&some[i]->hold);
    assert_int_equal(domain_memory_create(0, DOMID, NULL, &bytes, &memory, &fd), -EINVAL);
    assert_int_equal(bytes, 0);
}

static int create(void *arg)
{
    uint64_t *bytes = arg;
    struct domain_memory *memory;
    int fd;
    int rc = domain_memory_create(NR_PAGES, DOMID, NULL, bytes, &memory, &fd);
    if (rc == 0) {
        close(fd);
        hold_put(&memory->hold);
        return 0;
    }
    assert_null(memory);
    assert_int_equal(fd, -1);
    assert_int_equal(*bytes, 5);
    return rc;
}

static void what_is_lacking_leaves_nothing(void **state)
{
    (void)state;
    uint64_t bytes = 5;
    assert_true(fault_walk(create, &bytes) >= 4);
    assert_int_equal(fault_mapped_segments(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_stays_until_the_last_holder_lets_go),
        cmocka_unit_test(its_guard_is_free_again),
        cmocka_unit_test(without_a_guard_there_is_none),
        cmocka_unit_test(what_is_lacking_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
