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
    static const char *const bad[] = {"", "r", "x1", "r1x", "rr1", "1", "r99999999999"};
    struct xs_perm perm;
    char text[XS_PERM_TEXT_SIZE];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(xs_perm_parse(bad[i], &perm), -EINVAL);
    assert_int_equal(xs_perm_parse("b65535", &perm), 0);
    assert_int_equal(perm.domid, 65535);
    assert_int_equal(perm.access, XS_PERM_READ | XS_PERM_WRITE);
    assert_int_equal(xs_perm_format(perm, text), 6);
    assert_string_equal(text, "b65535");
    assert_int_equal(xs_perm_parse("r-2147483648", &perm), 0);
    assert_int_equal(xs_perm_format(perm, text), 12);
    assert_string_equal(text, "r-2147483648");
    assert_int_equal(xs_perm_parse("n0x10", &perm), 0); /* as strtol has it */
    assert_int_equal(perm.domid, 16);
    assert_int_equal(perm.life, XS_LIFE_NONE);
}

enum { LIFE = 7 };

static struct xs_perms *list(const char *const *text, uint32_t count)
{
    struct xs_perms *perms = xs_perms_new(count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(xs_perm_parse(text[i], &perms->entry[i]), 0);
        perms->entry[i].life = LIFE;
    }
    return perms;
}

static unsigned access_of(const struct xs_perms *perms, domid_t domid)
{
    return xs_perms_access(perms, (struct xs_actor){.domid = domid, .life = LIFE});
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
    struct xs_perms *same =
        xs_perms_inherit(parent, (struct xs_actor){.privileged = true, .life = LIFE});
    assert_ptr_equal(same, parent);
    struct xs_perms *taken =
        xs_perms_inherit(parent, (struct xs_actor){.domid = 2, .life = LIFE + 2});
    assert_int_equal(xs_perms_owner(taken), 2);
    assert_int_equal(taken->entry[0].access, 0);
    assert_int_equal(taken->entry[0].life, LIFE + 2);
    assert_int_equal(taken->count, 2);
    assert_int_equal(xs_perms_owner(parent), 1);
    xs_perms_unref(taken);
    xs_perms_unref(same);
    xs_perms_unref(parent);
}

/* Another domain of that number, and an entry that never was for one. */
static void test_entries_are_for_one_life(void **state)
{
    (void)state;
    struct xs_perms *perms = list((const char *const[]){"n1", "b2", "r3"}, 3);
    perms->entry[2].life = XS_LIFE_NONE;
    const struct xs_actor other_owner = {.domid = 1, .life = LIFE + 2};
    const struct xs_actor other_reader = {.domid = 2, .life = LIFE + 2};
    assert_int_equal(xs_perms_access(perms, other_owner), 0);
    assert_int_equal(xs_perms_access(perms, other_reader), 0);
    assert_int_equal(xs_perms_access(perms, (struct xs_actor){.domid = 3}), 0);
    struct xs_perms *taken = xs_perms_inherit(perms, other_owner);
    assert_ptr_not_equal(taken, perms); /* it is not the owner */
    xs_perms_unref(taken);
    xs_perms_unref(perms);
}

/* A domain that serves another may do what that one may, and owns what it makes. */
static void test_a_target(void **state)
{
    (void)state;
    const struct xs_actor server = {.domid = 9, .life = LIFE, .target = 1, .target_life = LIFE};
    const struct xs_actor stale = {.domid = 9, .life = LIFE, .target = 1, .target_life = LIFE + 2};
    struct xs_perms *perms = list((const char *const[]){"n1", "r2"}, 2);
    struct xs_perms *reads = list((const char *const[]){"n2", "r1"}, 2);
    assert_int_equal(xs_perms_access(perms, server), XS_PERM_READ | XS_PERM_WRITE | XS_PERM_OWNER);
    assert_int_equal(xs_perms_access(reads, server), XS_PERM_READ);
    assert_int_equal(xs_perms_access(perms, stale), 0); /* the other one is dead */
    struct xs_perms *made = xs_perms_inherit(perms, server);
    assert_int_equal(xs_perms_owner(made), 9);
    xs_perms_unref(made);
    xs_perms_unref(reads);
    xs_perms_unref(perms);
}

static void test_an_entry_for_any_domain(void **state)
{
    (void)state;
    struct xs_perms *perms = list((const char *const[]){"n1", "n2", "r32757"}, 3);
    assert_int_equal(perms->entry[2].domid, DOMID_ANY);
    perms->entry[2].life = XS_LIFE_NONE;
    assert_int_equal(access_of(perms, 2), 0); /* named before */
    assert_int_equal(access_of(perms, 9), XS_PERM_READ);
    xs_perms_unref(perms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_as_text), cmocka_unit_test(test_owner_named_and_others),
        cmocka_unit_test(test_inheritance),     cmocka_unit_test(test_entries_are_for_one_life),
        cmocka_unit_test(test_a_target),        cmocka_unit_test(test_an_entry_for_any_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
