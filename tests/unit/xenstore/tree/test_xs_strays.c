/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "xenstore/tree/xs_strays.h"

static struct xs_tree tree;
static struct xs_strays strays;
static uint64_t generation;

static int setup(void **state)
{
    (void)state;
    xs_strays_init(&strays);
    return xs_tree_init(&tree, &generation);
}

static int teardown(void **state)
{
    (void)state;
    xs_strays_clear(&strays);
    xs_tree_clear(&tree);
    return 0;
}

static void create(const char *path, domid_t owner)
{
    struct xs_perms *perms = xs_perms_new(1);
    perms->entry[0] = (struct xs_perm){.domid = owner, .life = 1};
    assert_int_equal(xs_tree_create(&tree, path, perms, NULL, &generation), 0);
    xs_perms_unref(perms);
}

static void expect_taken(domid_t domid, const char *path)
{
    char *taken = xs_strays_take(&strays, domid);
    assert_non_null(taken);
    assert_string_equal(taken, path);
    free(taken);
}

static void test_what_is_a_stray(void **state)
{
    (void)state;
    create("/shared", 0);
    create("/shared/of-one", 1);
    create("/shared/of-one/below", 1);
    create("/shared/of-one/of-two", 2);
    create("/local/domain", 0);
    create("/local/domain/1", 1);
    create("/local/domain/12", 0);
    create("/local/domain/12/of-one", 1);
    assert_true(xs_strays_is_one(&tree, 1, "/shared/of-one"));
    assert_false(xs_strays_is_one(&tree, 2, "/shared/of-one"));
    assert_false(xs_strays_is_one(&tree, 1, "/shared/of-one/below")); /* goes with its parent */
    assert_true(xs_strays_is_one(&tree, 2, "/shared/of-one/of-two"));
    assert_false(xs_strays_is_one(&tree, 1, "/local/domain/1")); /* its home */
    assert_true(xs_strays_is_one(&tree, 1, "/local/domain/12/of-one"));
    assert_false(xs_strays_is_one(&tree, 0, "/shared"));
    assert_false(xs_strays_is_one(&tree, 1, "/none"));
    assert_false(xs_strays_is_one(&tree, 0, "/"));
}

static void test_lists_of_several_domains(void **state)
{
    (void)state;
    assert_null(xs_strays_take(&strays, 1));
    xs_strays_note(&strays, &tree, 1, "/a");
    xs_strays_note(&strays, &tree, 2, "/b");
    xs_strays_note(&strays, &tree, 1, "/c");
    assert_int_equal(xs_strays_count(&strays, 1), 2);
    expect_taken(2, "/b");
    assert_null(xs_strays_take(&strays, 2));
    expect_taken(1, "/c");
    expect_taken(1, "/a");
    assert_null(xs_strays_take(&strays, 1));
    assert_int_equal(strays.by_domid.count, 0);
}

/* A domain that makes and removes nodes for ever: only those that are there take room. */
static void test_paths_of_nodes_that_went_take_no_room(void **state)
{
    (void)state;
    char path[32];
    create("/s", 0);
    create("/s/stays", 1);
    xs_strays_note(&strays, &tree, 1, "/s/stays");
    for (int i = 0; i < 10000; i++) {
        snprintf(path, sizeof(path), "/s/%d", i);
        xs_strays_note(&strays, &tree, 1, i % 2 == 0 ? path : "/s/stays");
    }
    assert_in_range(xs_strays_count(&strays, 1), 1, 16);
    char *taken;
    int stays = 0;
    while ((taken = xs_strays_take(&strays, 1)) != NULL) {
        stays += xs_strays_is_one(&tree, 1, taken);
        free(taken);
    }
    assert_true(stays > 0);
}

static void test_many_strays_are_all_kept(void **state)
{
    (void)state;
    char path[32];
    create("/s", 0);
    for (int i = 0; i < 100; i++) {
        snprintf(path, sizeof(path), "/s/%d", i);
        create(path, 1);
        xs_strays_note(&strays, &tree, 1, path);
    }
    assert_int_equal(xs_strays_count(&strays, 1), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_a_stray, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lists_of_several_domains, setup, teardown),
        cmocka_unit_test_setup_teardown(test_paths_of_nodes_that_went_take_no_room, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_many_strays_are_all_kept, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
