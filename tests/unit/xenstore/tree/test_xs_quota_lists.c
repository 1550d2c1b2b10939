/* SPDX-License-Identifier: MIT */
/* xs_quota: the limits by name, those of single domains, and the nodes of each owner. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "xenstore/tree/xs_quota.h"

static void each_limit_has_its_name_meaning_and_place(void **state)
{
    static const struct {
        const char *name;
        uint32_t value;
    } expected[XS_LIMITS] = {
        {"nodes", 1000},
        {"watches", 128},
        {"transactions", 10},
        {"outstanding", 20},
        {"transaction-nodes", 1024},
        {"node-size", 2048},
        {"path-max", 2048},
        {"permissions", 5},
    };
    struct xs_quota quota = xs_quota_default;
    (void)state;
    for (int i = 0; i < XS_LIMITS; i++) {
        assert_string_equal(xs_limit_name(i), expected[i].name);
        assert_true(strlen(xs_limit_meaning(i)) > 0);
        assert_int_equal(xs_limit_find(expected[i].name), i);
        assert_int_equal(*xs_limit(&quota, i), expected[i].value);
        *xs_limit(&quota, i) = 100 + (uint32_t)i;
    }
    assert_int_equal(quota.nodes, 100);
    assert_int_equal(quota.outstanding, 103);
    assert_int_equal(quota.perms, 107);
    assert_int_equal(xs_limit_find("node"), -ENOENT);
    assert_int_equal(xs_limit_find(""), -ENOENT);
}

static void a_domain_has_the_limits_of_all_until_it_has_its_own(void **state)
{
    struct xs_quotas quotas = {.all = xs_quota_default};
    (void)state;
    for (domid_t domid = 1; domid <= 3; domid++) {
        assert_ptr_equal(xs_quotas_of(&quotas, domid), &quotas.all);
        struct xs_quota *own = xs_quotas_own(&quotas, domid);
        assert_memory_equal(own, &quotas.all, sizeof(*own));
        own->nodes = domid;
    }
    quotas.all.nodes = 77;
    for (domid_t domid = 1; domid <= 3; domid++) {
        assert_int_equal(xs_quotas_of(&quotas, domid)->nodes, domid);
        assert_ptr_equal(xs_quotas_own(&quotas, domid), xs_quotas_of(&quotas, domid));
    }
    xs_quotas_drop(&quotas, 2); /* in the middle */
    xs_quotas_drop(&quotas, 9); /* it has none */
    assert_int_equal(xs_quotas_of(&quotas, 1)->nodes, 1);
    assert_int_equal(xs_quotas_of(&quotas, 2)->nodes, 77);
    assert_int_equal(xs_quotas_of(&quotas, 3)->nodes, 3);
    xs_quotas_clear(&quotas);
    assert_null(quotas.own);
    assert_int_equal(xs_quotas_of(&quotas, 3)->nodes, 77);
}

/* More owners than the list has room for at first, in any order. */
static void the_nodes_of_each_owner_are_counted(void **state)
{
    enum { OWNERS = 40 };
    struct xs_usage usage = {0};
    (void)state;
    for (uint32_t i = 0; i < OWNERS; i++) {
        domid_t domid = (domid_t)(i * 17 % OWNERS);
        assert_int_equal(xs_usage_add(&usage, domid, domid + 1u), 0);
        assert_int_equal(usage.count, i + 1);
    }
    assert_int_equal(xs_usage_add(&usage, 5, 10), 0); /* the same entry */
    assert_int_equal(usage.count, OWNERS);
    assert_int_equal(xs_usage_of(&usage, OWNERS), 0);
    for (uint32_t i = 0; i < OWNERS; i++)
        assert_int_equal(xs_usage_of(&usage, (domid_t)i), i + (i == 5 ? 11 : 1));
    for (uint32_t i = 1; i < OWNERS; i++)
        assert_true(usage.entry[i - 1].domid < usage.entry[i].domid);
    xs_usage_sub(&usage, 7, 3);
    assert_int_equal(xs_usage_of(&usage, 7), 5);
    xs_usage_sub(&usage, 7, 5); /* the last ones: the entry goes */
    assert_int_equal(xs_usage_of(&usage, 7), 0);
    assert_int_equal(usage.count, OWNERS - 1);
    assert_int_equal(xs_usage_of(&usage, 6), 7);
    assert_int_equal(xs_usage_of(&usage, 8), 9);
    assert_int_equal(xs_usage_of(&usage, OWNERS - 1), OWNERS);
    xs_usage_clear(&usage);
    assert_int_equal(usage.count, 0);
    assert_null(usage.entry);
}

static void a_copy_of_the_counts_lives_on_its_own(void **state)
{
    struct xs_usage usage = {0}, copy;
    (void)state;
    memset(&copy, 0xff, sizeof(copy));
    assert_int_equal(xs_usage_copy(&usage, &copy), 0);
    assert_int_equal(copy.count, 0);
    assert_null(copy.entry);
    for (domid_t domid = 0; domid < 9; domid++)
        assert_int_equal(xs_usage_add(&usage, domid, 1), 0);
    assert_int_equal(xs_usage_copy(&usage, &copy), 0);
    assert_int_equal(copy.count, 9);
    for (domid_t domid = 9; domid < 30; domid++)
        assert_int_equal(xs_usage_add(&copy, domid, 2), 0);
    xs_usage_sub(&usage, 8, 1);
    assert_int_equal(xs_usage_of(&copy, 8), 1);
    assert_int_equal(xs_usage_of(&copy, 29), 2);
    assert_int_equal(xs_usage_of(&usage, 9), 0);
    xs_usage_clear(&usage);
    xs_usage_clear(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_limit_has_its_name_meaning_and_place),
        cmocka_unit_test(a_domain_has_the_limits_of_all_until_it_has_its_own),
        cmocka_unit_test(the_nodes_of_each_owner_are_counted),
        cmocka_unit_test(a_copy_of_the_counts_lives_on_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
