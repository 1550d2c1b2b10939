/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "faults/fault_walk.h"
#include "xenstore/tree/xs_check.h"
#include "xenstore/tree/xs_dir.h"
#include "xenstore/tree/xs_tree.h"

struct fixture {
    struct xs_tree tree;
    uint64_t generation;
    struct xs_perms *perms;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    f->perms = xs_perms_new(1);
    f->perms->entry[0] = (struct xs_perm){.domid = 5, .access = 0};
    return xs_tree_init(&f->tree, &f->generation);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    xs_tree_clear(&f->tree);
    xs_perms_unref(f->perms);
    free(f);
    return 0;
}

static void create(struct fixture *f, const char *path)
{
    assert_int_equal(xs_tree_create(&f->tree, path, f->perms, NULL, &f->generation), 0);
}

static void set(struct fixture *f, const char *path, const char *text)
{
    struct xs_value *value = xs_value_new(text, strlen(text));
    assert_int_equal(xs_tree_set_value(&f->tree, path, value, &f->generation), 0);
    xs_value_unref(value);
}

static void test_missing_ancestors_are_created(void **state)
{
    struct fixture *f = *state;
    uint64_t before = f->tree.root->generation;
    create(f, "/a/b/c");
    assert_non_null(xs_tree_find(&f->tree, "/a/b"));
    assert_null(xs_tree_find(&f->tree, "/a/b/c/d"));
    assert_int_equal(xs_usage_of(&f->tree.usage, 5), 3);
    assert_true(f->tree.root->generation > before); /* its children changed */
    assert_int_equal(xs_tree_check(&f->tree), 0);
}

static void test_snapshot_does_not_change(void **state)
{
    struct fixture *f = *state;
    struct xs_tree snapshot;
    create(f, "/a/b");
    create(f, "/a/c");
    set(f, "/a/b", "old");
    assert_int_equal(xs_tree_snapshot(&f->tree, &snapshot), 0);
    set(f, "/a/b", "new");
    struct xs_node *removed;
    assert_int_equal(xs_tree_remove(&f->tree, "/a/c", &f->generation, &removed), 0);
    xs_node_unref(removed);
    create(f, "/a/d");
    assert_memory_equal(xs_tree_find(&snapshot, "/a/b")->value->bytes, "old", 3);
    assert_non_null(xs_tree_find(&snapshot, "/a/c"));
    assert_null(xs_tree_find(&snapshot, "/a/d"));
    assert_memory_equal(xs_tree_find(&f->tree, "/a/b")->value->bytes, "new", 3);
    assert_null(xs_tree_find(&f->tree, "/a/c"));
    assert_int_equal(xs_tree_check(&f->tree), 0);
    assert_int_equal(xs_tree_check(&snapshot), 0);
    xs_tree_clear(&snapshot);
}

static void test_removal_takes_everything_below(void **state)
{
    struct fixture *f = *state;
    struct xs_node *removed;
    create(f, "/a/b/c");
    create(f, "/a/b/d");
    assert_int_equal(xs_tree_remove(&f->tree, "/a/b", &f->generation, &removed), 0);
    assert_int_equal(xs_dir_count(removed->children), 2);
    xs_node_unref(removed);
    assert_null(xs_tree_find(&f->tree, "/a/b/c"));
    assert_int_equal(xs_usage_of(&f->tree.usage, 5), 1);
}

static void test_owner_change_moves_the_account(void **state)
{
    struct fixture *f = *state;
    create(f, "/a");
    struct xs_perms *other = xs_perms_new(1);
    other->entry[0] = (struct xs_perm){.domid = 6, .access = 0};
    assert_int_equal(xs_tree_set_perms(&f->tree, "/a", other, &f->generation), 0);
    xs_perms_unref(other);
    assert_int_equal(xs_usage_of(&f->tree.usage, 5), 0);
    assert_int_equal(xs_usage_of(&f->tree.usage, 6), 1);
}

/* Random additions and removals against a plain array, with snapshots in between. */
static void test_directory_against_a_model(void **state)
{
    enum { NAMES = 300, ROUNDS = 6000 };
    struct fixture *f = *state;
    char there[NAMES] = {0}, path[32];
    struct xs_tree snapshot = {0};
    uint32_t random = 1;
    for (int round = 0; round < ROUNDS; round++) {
        random = random * 1664525u + 1013904223u;
        int n = (int)((random >> 8) % NAMES);
        snprintf(path, sizeof(path), "/n%d", n);
        assert_int_equal(xs_tree_find(&f->tree, path) != NULL, there[n]);
        if (there[n]) {
            struct xs_node *removed;
            assert_int_equal(xs_tree_remove(&f->tree, path, &f->generation, &removed), 0);
            assert_string_equal(removed->name, path + 1);
            xs_node_unref(removed);
        } else {
            create(f, path);
        }
        there[n] ^= 1;
        if (round % 64 == 0) {
            assert_int_equal(xs_tree_check(&f->tree), 0);
            assert_int_equal(snapshot.root == NULL ? 0 : xs_tree_check(&snapshot), 0);
            xs_tree_clear(&snapshot);
            assert_int_equal(xs_tree_snapshot(&f->tree, &snapshot), 0);
        }
    }
    xs_tree_clear(&snapshot);
}

struct seen {
    int count;
    char name[4][8];
};

static int note_child(void *ctx, struct xs_node *child)
{
    struct seen *seen = ctx;
    snprintf(seen->name[seen->count++], sizeof(seen->name[0]), "%s", child->name);
    return 0;
}

static int note_path(void *ctx, const char *path, struct xs_node *node)
{
    (void)node;
    strcat(ctx, path);
    return 0;
}

static void test_children_in_the_order_of_creation(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {0};
    struct xs_node *removed;
    create(f, "/d/z");
    create(f, "/d/b/c");
    create(f, "/d/a");
    assert_int_equal(xs_tree_remove(&f->tree, "/d/z", &f->generation, &removed), 0);
    xs_node_unref(removed);
    create(f, "/d/z");
    xs_tree_each_child(xs_tree_find(&f->tree, "/d"), note_child, &seen);
    assert_int_equal(seen.count, 3);
    assert_string_equal(seen.name[0], "b");
    assert_string_equal(seen.name[1], "a");
    assert_string_equal(seen.name[2], "z");
    char paths[64] = "";
    xs_tree_walk(xs_tree_find(&f->tree, "/d"), "/d", note_path, paths);
    assert_string_equal(paths, "/d/d/b/d/b/c/d/a/d/z");
}

/* Names in order must not make the tree deep: the check looks at the balance. */
static void test_ordered_names_stay_balanced(void **state)
{
    struct fixture *f = *state;
    char path[32];
    for (int i = 0; i < 2000; i++) {
        snprintf(path, sizeof(path), "/o/%05d", i);
        create(f, path);
    }
    assert_int_equal(xs_tree_check(&f->tree), 0);
    uint32_t depth = 0;
    const struct xs_node *node = xs_tree_find(&f->tree, "/o")->children;
    for (; node != NULL; node = node->right)
        depth++;
    assert_in_range(depth, 1, 30);
}

static void test_a_parent_is_there_or_not(void **state)
{
    struct fixture *f = *state;
    create(f, "/a/b");
    assert_ptr_equal(xs_tree_parent(&f->tree, "/a"), f->tree.root);
    assert_ptr_equal(xs_tree_parent(&f->tree, "/x"), f->tree.root);
    assert_ptr_equal(xs_tree_parent(&f->tree, "/a/b"), xs_tree_find(&f->tree, "/a"));
    assert_ptr_equal(xs_tree_parent(&f->tree, "/a/c"), xs_tree_find(&f->tree, "/a"));
    assert_null(xs_tree_parent(&f->tree, "/a/c/d"));
    assert_null(xs_tree_parent(&f->tree, "/x/y"));
}

/* Each change is later than the one before: a number never comes again. */
static void test_every_change_has_a_generation_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct xs_node *removed;
    uint64_t last = f->generation;
    create(f, "/a");
    assert_true(f->tree.root->generation > last);
    assert_int_equal(f->generation, last + 2); /* its own, and its parent's */
    assert_int_equal(f->tree.root->generation, last + 2);
    assert_int_equal(xs_tree_find(&f->tree, "/a")->generation, last + 1);
    set(f, "/a", "x");
    assert_int_equal(f->generation, last + 3);
    assert_int_equal(xs_tree_find(&f->tree, "/a")->generation, last + 3);
    assert_int_equal(xs_tree_set_perms(&f->tree, "/a", f->perms, &f->generation), 0);
    assert_int_equal(f->generation, last + 4);
    assert_int_equal(xs_tree_find(&f->tree, "/a")->generation, last + 4);
    assert_int_equal(xs_tree_remove(&f->tree, "/a", &f->generation, &removed), 0);
    xs_node_unref(removed);
    assert_int_equal(f->generation, last + 5);
    assert_int_equal(f->tree.root->generation, last + 5);
}

struct versions {
    struct xs_tree now, before;
    uint64_t generation;
    struct xs_perms *perms[12]; /* of domain 1 and so on */
};

static int make(struct versions *v, struct xs_tree *tree, const char *path, int owner)
{
    uint32_t before, missing;
    xs_tree_nearest(tree, path, &before);
    int rc = xs_tree_create(tree, path, v->perms[owner], NULL, &v->generation);
    xs_tree_nearest(tree, path, &missing);
    assert_int_equal(missing, rc < 0 ? before : 0);
    return rc;
}

/* Each kind of change of a version that shares everything with another. */
static int change(struct versions *v)
{
    char path[16];
    int rc = xs_tree_init(&v->now, &v->generation);
    for (int owner = 1; rc == 0 && owner < 8; owner++) { /* with Dom0 as many as the first table */
        snprintf(path, sizeof(path), "/%d/a", owner);
        rc = make(v, &v->now, path, owner);
    }
    if (rc == 0)
        rc = xs_tree_set_perms(&v->now, "/1/a", v->perms[8], &v->generation);
    if (rc == 0)
        rc = xs_tree_snapshot(&v->now, &v->before);
    if (rc == 0)
        rc = make(v, &v->before, "/1/b/c/d", 9); /* a copy has no room for one more owner */
    if (rc == 0)
        rc = xs_tree_set_value(&v->now, "/2/a", NULL, &v->generation);
    if (rc == 0)
        rc = xs_tree_set_perms(&v->now, "/3/a", v->perms[1], &v->generation);
    struct xs_node *removed;
    if (rc == 0 && (rc = xs_tree_remove(&v->now, "/4/a", &v->generation, &removed)) == 0)
        xs_node_unref(removed);
    return rc;
}

static int change_all(void *arg)
{
    struct versions *v = arg;
    v->now = v->before = (struct xs_tree){0};
    int rc = change(v);
    if (rc < 0) {
        assert_int_equal(rc, -ENOMEM);
        assert_true(v->now.root == NULL || xs_tree_check(&v->now) == 0);
        assert_true(v->before.root == NULL || xs_tree_check(&v->before) == 0);
    }
    xs_tree_clear(&v->before);
    xs_tree_clear(&v->now);
    return rc;
}

static void test_without_memory_a_change_is_none(void **state)
{
    struct versions v = {0};
    (void)state;
    for (domid_t owner = 1; owner < 12; owner++) {
        v.perms[owner] = xs_perms_new(1);
        v.perms[owner]->entry[0] = (struct xs_perm){.domid = owner};
    }
    assert_true(fault_walk(change_all, &v) > 50);
    for (domid_t owner = 1; owner < 12; owner++) {
        assert_int_equal(v.perms[owner]->refs, 1);
        xs_perms_unref(v.perms[owner]);
    }
}

/* Leaves out what is below "b", or stops at it. */
struct picky {
    char paths[64];
    int answer;
};

static int pick(void *ctx, const char *path, struct xs_node *node)
{
    struct picky *picky = ctx;
    strcat(picky->paths, path);
    return strcmp(node->name, "b") == 0 ? picky->answer : 0;
}

static void test_a_walk_leaves_out_what_it_is_told_to(void **state)
{
    struct fixture *f = *state;
    struct picky picky = {.answer = 1};
    create(f, "/b/c");
    create(f, "/d");
    assert_int_equal(xs_tree_walk(f->tree.root, "/", pick, &picky), 0);
    assert_string_equal(picky.paths, "//b/d");
}

static void test_a_walk_stops_where_it_is_told_to(void **state)
{
    struct fixture *f = *state;
    struct picky picky = {.answer = -5};
    create(f, "/b/c");
    create(f, "/d");
    assert_int_equal(xs_tree_walk(f->tree.root, "/", pick, &picky), -5);
    assert_string_equal(picky.paths, "//b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_missing_ancestors_are_created, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshot_does_not_change, setup, teardown),
        cmocka_unit_test_setup_teardown(test_removal_takes_everything_below, setup, teardown),
        cmocka_unit_test_setup_teardown(test_owner_change_moves_the_account, setup, teardown),
        cmocka_unit_test_setup_teardown(test_directory_against_a_model, setup, teardown),
        cmocka_unit_test_setup_teardown(test_children_in_the_order_of_creation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ordered_names_stay_balanced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_parent_is_there_or_not, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_change_has_a_generation_of_its_own, setup,
                                        teardown),
        cmocka_unit_test(test_without_memory_a_change_is_none),
        cmocka_unit_test_setup_teardown(test_a_walk_leaves_out_what_it_is_told_to, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_walk_stops_where_it_is_told_to, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
