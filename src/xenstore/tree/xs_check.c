/* SPDX-License-Identifier: MIT */
#include "xenstore/tree/xs_check.h"

#include <errno.h>
#include <string.h>

#include "xenstore/tree/xs_dir.h"
#include "xenstore/tree/xs_quota.h"

struct check {
    struct xs_usage counted;
    const struct xs_node *previous; /* in the order of names, among siblings */
};

static int check_siblings(struct check *c, const struct xs_node *node);

struct name_check {
    const struct xs_node *node;
    uint64_t created; /* of the name before */
    uint32_t count;
};

static int check_name(void *ctx, const char *name, size_t name_len)
{
    struct name_check *c = ctx;
    const struct xs_node *child = xs_dir_find(c->node->children, name, name_len);
    if (child == NULL || child->created <= c->created)
        return -EIO;
    c->created = child->created;
    c->count++;
    return 0;
}

static int check_names(const struct xs_node *node)
{
    struct name_check c = {.node = node};
    int rc = xs_names_each(node->names, check_name, &c);
    return rc == 0 && c.count != xs_dir_count(node->children) ? -EIO : rc;
}

static int check_node(struct check *c, const struct xs_node *node)
{
    const struct xs_node *previous = c->previous;
    if (node->refs == 0 || node->name_len != strlen(node->name) || node->generation == 0)
        return -EIO;
    int rc = check_names(node);
    if (rc == 0)
        rc = xs_usage_add(&c->counted, xs_perms_owner(node->perms), 1);
    c->previous = NULL;
    if (rc == 0)
        rc = check_siblings(c, node->children);
    c->previous = previous;
    return rc;
}

static int check_siblings(struct check *c, const struct xs_node *node)
{
    if (node == NULL)
        return 0;
    uint32_t left = xs_dir_count(node->left), right = xs_dir_count(node->right);
    if (node->siblings != left + right + 1 || node->name_len == 0)
        return -EIO;
    if (left + right > 1 && (left > 3 * right || right > 3 * left))
        return -EIO;
    int rc = check_siblings(c, node->left);
    if (rc < 0)
        return rc;
    if (c->previous != NULL && strcmp(c->previous->name, node->name) >= 0)
        return -EIO;
    rc = check_node(c, node);
    c->previous = node;
    return rc < 0 ? rc : check_siblings(c, node->right);
}

int xs_tree_check(const struct xs_tree *tree)
{
    struct check c = {0};
    int rc = check_node(&c, tree->root);
    if (rc == 0 && c.counted.count != tree->usage.count)
        rc = -EIO;
    for (size_t i = 0; rc == 0 && i < c.counted.count; i++) {
        const struct xs_usage_entry *a = &c.counted.entry[i], *b = &tree->usage.entry[i];
        if (a->domid != b->domid || a->nodes != b->nodes)
            rc = -EIO;
    }
    xs_usage_clear(&c.counted);
    return rc;
}
