/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "xenstore/tree/xs_check.h"

static struct xs_tree tree;
static uint64_t generation;

static int setup(void **state)
{
    (void)state;
    struct xs_perms *perms = xs_perms_new(1);
    perms->entry[0] = (struct xs_perm){.domid = 5, .life = 1};
    int rc = xs_tree_init(&tree, &generation);
    static const char *const path[] = {"/b", "/a", "/c", "/a/x", "/a/y"};
    for (size_t i = 0; rc == 0 && i < sizeof(path) / sizeof(path[0]); i++)
        rc = xs_tree_create(&tree, path[i], perms, NULL, &generation);
    xs_perms_unref(perms);
    assert_int_equal(xs_tree_check(&tree), 0);
    return rc;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(xs_tree_check(&tree), 0);
    xs_tree_clear(&tree);
    return 0;
}

/* Each fault is put in, found and taken out again. */
static void expect_fault(void)
{
    assert_int_equal(xs_tree_check(&tree), -EIO);
}

static void test_accounts(void **state)
{
    (void)state;
    tree.usage.entry[1].nodes++;
    expect_fault();
    tree.usage.entry[1].nodes--;
    tree.usage.count--;
    expect_fault();
    tree.usage.count++;
}

static void test_nodes(void **state)
{
    (void)state;
    struct xs_node *node = xs_tree_find(&tree, "/a/x");
    uint64_t kept = node->generation;
    node->generation = 0;
    expect_fault();
    node->generation = kept;
    node->name_len++;
    expect_fault();
    node->name_len--;
}

static void test_order_and_balance(void **state)
{
    (void)state;
    struct xs_node *node = xs_tree_find(&tree, "/b");
    node->siblings++;
    expect_fault();
    node->siblings--;
    node->name[0] = 'z'; /* behind /c, and not in the list of names */
    expect_fault();
    node->name[0] = 'b';
}

/* In order, and all counts right. */
static void test_a_line_is_no_tree(void **state)
{
    (void)state;
    struct xs_node *root = xs_tree_find(&tree, "/"), *a = xs_tree_find(&tree, "/a"),
                   *b = xs_tree_find(&tree, "/b"), *c = xs_tree_find(&tree, "/c");
    assert_true(root->children == b && b->left == a && b->right == c);
    root->children = c;
    c->left = b;
    c->siblings = 3;
    b->right = NULL;
    b->siblings = 2;
    expect_fault();
    b->right = c;
    b->siblings = 3;
    c->left = NULL;
    c->siblings = 1;
    root->children = b;
}

static void test_list_of_names(void **state)
{
    (void)state;
    struct xs_node *node = xs_tree_find(&tree, "/a");
    uint64_t created = node->created;
    node->created = UINT64_MAX; /* not the order of the list */
    expect_fault();
    node->created = created;
    assert_int_equal(xs_names_add(&node->names, ++generation, "none", 4), 0);
    expect_fault();
    xs_names_remove(&node->names, generation, "none", 4);
}

/* All counts and names are right. */
static void test_siblings_are_in_order(void **state)
{
    (void)state;
    struct xs_node *a = xs_tree_find(&tree, "/a"), *b = xs_tree_find(&tree, "/b"),
                   *c = xs_tree_find(&tree, "/c");
    b->left = c;
    b->right = a;
    expect_fault();
    b->left = a;
    b->right = c;
}

/* The count of a node that is not the first of its siblings. */
static void test_counts_of_siblings(void **state)
{
    (void)state;
    struct xs_node *a = xs_tree_find(&tree, "/a");
    a->siblings++;
    expect_fault();
    a->siblings--;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_accounts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nodes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order_and_balance, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_line_is_no_tree, setup, teardown),
        cmocka_unit_test_setup_teardown(test_list_of_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_siblings_are_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counts_of_siblings, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
