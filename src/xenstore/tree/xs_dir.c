/* SPDX-License-Identifier: MIT */
#include "xenstore/tree/xs_dir.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static int compare(const char *name, size_t name_len, const struct xs_node *node)
{
    size_t common = name_len < node->name_len ? name_len : node->name_len;
    int order = memcmp(name, node->name, common);
    if (order != 0)
        return order;
    return (name_len > node->name_len) - (name_len < node->name_len);
}

struct xs_node *xs_dir_find(struct xs_node *dir, const char *name, size_t name_len)
{
    while (dir != NULL) {
        int order = compare(name, name_len, dir);
        if (order == 0)
            return dir;
        dir = order < 0 ? dir->left : dir->right;
    }
    return NULL;
}

struct xs_node **xs_dir_own(struct xs_node **dir, const char *name, size_t name_len)
{
    for (;;) {
        struct xs_node *node = xs_node_own(dir);
        if (node == NULL)
            return NULL;
        int order = compare(name, name_len, node);
        if (order == 0)
            return dir;
        dir = order < 0 ? &node->left : &node->right;
    }
}

static void recount(struct xs_node *node)
{
    node->siblings = 1 + xs_dir_count(node->left) + xs_dir_count(node->right);
}

static void rotate_left(struct xs_node **slot)
{
    struct xs_node *top = *slot;
    struct xs_node *right = top->right;
    top->right = right->left;
    right->left = top;
    *slot = right;
    recount(top);
    recount(right);
}

static void rotate_right(struct xs_node **slot)
{
    struct xs_node *top = *slot;
    struct xs_node *left = top->left;
    top->left = left->right;
    left->right = top;
    *slot = left;
    recount(top);
    recount(left);
}

static bool too_heavy(const struct xs_node *heavy, const struct xs_node *light)
{
    uint32_t h = xs_dir_count(heavy), l = xs_dir_count(light);
    return h + l > 1 && h > 3 * l;
}

/*
 * Restores balance at *slot, which is owned, after one insertion or removal below it. A node that
 * can't be copied for lack of memory stays where it is: the tree is still ordered, and is balanced
 * by a later change.
 */
static void balance(struct xs_node **slot)
{
    struct xs_node *top = *slot;
    recount(top);
    if (too_heavy(top->right, top->left)) {
        struct xs_node *right = xs_node_own(&top->right);
        if (right == NULL)
            return;
        if (xs_dir_count(right->left) >= 2 * xs_dir_count(right->right)) {
            if (xs_node_own(&right->left) == NULL)
                return;
            rotate_right(&top->right);
        }
        rotate_left(slot);
    } else if (too_heavy(top->left, top->right)) {
        struct xs_node *left = xs_node_own(&top->left);
        if (left == NULL)
            return;
        if (xs_dir_count(left->right) >= 2 * xs_dir_count(left->left)) {
            if (xs_node_own(&left->right) == NULL)
                return;
            rotate_left(&top->left);
        }
        rotate_right(slot);
    }
}

int xs_dir_insert(struct xs_node **dir, struct xs_node *node)
{
    if (*dir == NULL) {
        *dir = node;
        return 0;
    }
    struct xs_node *here = xs_node_own(dir);
    if (here == NULL)
        return -ENOMEM;
    bool less = compare(node->name, node->name_len, here) < 0;
    int rc = xs_dir_insert(less ? &here->left : &here->right, node);
    if (rc == 0)
        balance(dir);
    return rc;
}

/* Takes out the first node of a tree that is not empty. */
static int remove_first(struct xs_node **dir, struct xs_node **out)
{
    struct xs_node *here = xs_node_own(dir);
    if (here == NULL)
        return -ENOMEM;
    if (here->left == NULL) {
        *dir = here->right;
        here->right = NULL;
        *out = here;
        return 0;
    }
    int rc = remove_first(&here->left, out);
    if (rc == 0)
        balance(dir);
    return rc;
}

/* Takes out the node at *dir, which is owned. */
static int remove_here(struct xs_node **dir, struct xs_node **out)
{
    struct xs_node *here = *dir;
    if (here->left == NULL || here->right == NULL) {
        *dir = here->left != NULL ? here->left : here->right;
    } else {
        struct xs_node *heir;
        int rc = remove_first(&here->right, &heir);
        if (rc < 0)
            return rc;
        heir->left = here->left;
        heir->right = here->right;
        *dir = heir;
        balance(dir);
    }
    here->left = here->right = NULL;
    recount(here);
    *out = here;
    return 0;
}

int xs_dir_remove(struct xs_node **dir, const char *name, size_t name_len, struct xs_node **out)
{
    struct xs_node *here = xs_node_own(dir);
    if (here == NULL)
        return -ENOMEM;
    int order = compare(name, name_len, here);
    if (order == 0)
        return remove_here(dir, out);
    int rc = xs_dir_remove(order < 0 ? &here->left : &here->right, name, name_len, out);
    if (rc == 0)
        balance(dir);
    return rc;
}

int xs_dir_each(struct xs_node *dir, int (*visit)(void *ctx, struct xs_node *child), void *ctx)
{
    if (dir == NULL)
        return 0;
    int rc = xs_dir_each(dir->left, visit, ctx);
    if (rc == 0)
        rc = visit(ctx, dir);
    return rc != 0 ? rc : xs_dir_each(dir->right, visit, ctx);
}
