/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xenstore/xs_perms.h"

static void test_entries_as_text(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "r", "x1", "r1x", "r-1", "r65536", "r 1", "rr1", "1"};
    struct xs_perm perm;
    char text[8];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(xs_perm_parse(bad[i], &perm), -EINVAL);
    assert_int_equal(xs_perm_parse("b65535", &perm), 0);
    assert_int_equal(perm.domid, 65535);
    assert_int_equal(perm.access, XS_PERM_READ | XS_PERM_WRITE);
    assert_int_equal(xs_perm_format(perm, text), 6);
    assert_string_equal(text, "b65535");
}

static struct xs_perms *list(const char *const *text, uint32_t count)
{
    struct xs_perms *perms = xs_perms_new(count);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(xs_perm_parse(text[i], &perms->entry[i]), 0);
    return perms;
}

static unsigned access_of(const struct xs_perms *perms, domid_t domid)
{
    return xs_perms_access(perms, (struct xs_actor){.domid = domid});
}

static void test_owner_named_and_others(void **state)
{
    (void)state;
    struct xs_perms *perms = list((const char *const[]){"r1", "w2", "n3"}, 3);
    assert_int_equal(access_of(perms, 1), XS_PERM_READ | XS_PERM_WRITE | XS_PERM_OWNER);
    assert_int_equal(access_of(perms, 2), XS_PERM_WRITE);
    assert_int_equal(access_of(perms, 3), 0);
    assert_int_equal(access_of(perms, 4), XS_PERM_READ);
    assert_int_equal(access_of(perms, 0), XS_PERM_READ); /* domid 0 alone is no privilege */
    struct xs_actor dom0 = {.domid = 0, .privileged = true};
    assert_int_equal(xs_perms_access(perms, dom0), XS_PERM_READ | XS_PERM_WRITE | XS_PERM_OWNER);
    xs_perms_unref(perms);
}

static void test_inheritance(void **state)
{
    (void)state;
    struct xs_perms *parent = list((const char *const[]){"n1", "b2"}, 2);
    struct xs_perms *same = xs_perms_inherit(parent, (struct xs_actor){0, true});
    assert_ptr_equal(same, parent);
    struct xs_perms *taken = xs_perms_inherit(parent, (struct xs_actor){2, false});
    assert_int_equal(xs_perms_owner(taken), 2);
    assert_int_equal(taken->entry[0].access, 0);
    assert_int_equal(taken->count, 2);
    assert_int_equal(xs_perms_owner(parent), 1);
    xs_perms_unref(taken);
    xs_perms_unref(same);
    xs_perms_unref(parent);
}

static void test_a_domain_is_taken_out(void **state)
{
    (void)state;
    struct xs_perms *perms = list((const char *const[]){"n1", "b2", "r3", "r2"}, 4);
    struct xs_perms *less = xs_perms_without(perms, 2);
    assert_int_equal(less->count, 2);
    assert_int_equal(less->entry[1].domid, 3);
    struct xs_perms *same = xs_perms_without(less, 1); /* the owner stays */
    assert_ptr_equal(same, less);
    xs_perms_unref(same);
    xs_perms_unref(less);
    xs_perms_unref(perms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_as_text),
        cmocka_unit_test(test_owner_named_and_others),
        cmocka_unit_test(test_inheritance),
        cmocka_unit_test(test_a_domain_is_taken_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
