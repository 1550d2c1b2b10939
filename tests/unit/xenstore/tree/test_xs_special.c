/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "faults/fault_walk.h"
#include "xenstore/tree/xs_special.h"

static struct xs_specials specials;
static struct xs_watch_index watches;
static char heard[128];

static int setup(void **state)
{
    (void)state;
    heard[0] = '\0';
    xs_watch_index_init(&watches, 1);
    return xs_specials_init(&specials);
}

static int teardown(void **state)
{
    (void)state;
    xs_specials_clear(&specials);
    xs_watch_index_clear(&watches);
    return 0;
}

static void hear(struct xs_watch *watch, const char *path, enum xs_match match)
{
    (void)watch;
    (void)match;
    strcat(strcat(heard, path), " ");
}

static void test_names(void **state)
{
    (void)state;
    assert_true(xs_special_is_name("@anything"));
    assert_false(xs_special_is_name("/@anything"));
    assert_ptr_equal(xs_specials_find(&specials, "@introduceDomain"),
                     &specials.perms[XS_SPECIAL_INTRODUCE]);
    assert_ptr_equal(xs_specials_find(&specials, "@releaseDomain"),
                     &specials.perms[XS_SPECIAL_RELEASE]);
    assert_null(xs_specials_find(&specials, "@releaseDomain/1"));
    assert_null(xs_specials_find(&specials, "@"));
}

static void test_who_may_hear_at_first(void **state)
{
    (void)state;
    const struct xs_actor domain = {.domid = 1, .life = 1};
    for (int i = 0; i < XS_SPECIALS; i++) {
        assert_int_equal(xs_perms_owner(specials.perms[i]), 0);
        assert_int_equal(specials.perms[i]->entry[0].access, 0);
    }
    assert_int_equal(xs_perms_access(specials.perms[XS_SPECIAL_INTRODUCE], domain), 0);
    assert_int_equal(xs_perms_access(specials.perms[XS_SPECIAL_RELEASE], domain), XS_PERM_READ);
}

static void test_fires_with_and_without_the_number(void **state)
{
    (void)state;
    const struct xs_actor dom0 = {.domid = 0, .privileged = true};
    struct xs_watch plain = {
        .actor = &dom0, .path = "@releaseDomain", .any_depth = true, .fire = hear};
    struct xs_watch deep = {.actor = &dom0, .path = "@releaseDomain", .depth_max = 1, .fire = hear};
    struct xs_watch seven = {
        .actor = &dom0, .path = "@releaseDomain/7", .any_depth = true, .fire = hear};
    xs_watch_index_add(&watches, &plain);
    xs_specials_fire(&specials, XS_SPECIAL_INTRODUCE, 7, &watches);
    assert_string_equal(heard, "");
    xs_specials_fire(&specials, XS_SPECIAL_RELEASE, 7, &watches);
    assert_string_equal(heard, "@releaseDomain ");
    xs_watch_index_remove(&watches, &plain);
    heard[0] = '\0';
    xs_watch_index_add(&watches, &deep);
    xs_watch_index_add(&watches, &seven);
    xs_specials_fire(&specials, XS_SPECIAL_RELEASE, 65535, &watches);
    assert_string_equal(heard, "@releaseDomain/65535 ");
    xs_specials_fire(&specials, XS_SPECIAL_RELEASE, 7, &watches);
    assert_string_equal(heard, "@releaseDomain/65535 @releaseDomain/7 @releaseDomain/7 ");
    xs_watch_index_remove(&watches, &deep);
    xs_watch_index_remove(&watches, &seven);
}

static int begin_and_end(void *arg)
{
    struct xs_specials some;
    (void)arg;
    int rc = xs_specials_init(&some);
    xs_specials_clear(&some);
    return rc;
}

static void test_without_memory_there_are_none(void **state)
{
    (void)state;
    assert_int_equal(fault_walk(begin_and_end, NULL), XS_SPECIALS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_may_hear_at_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fires_with_and_without_the_number, setup, teardown),
        cmocka_unit_test(test_without_memory_there_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
