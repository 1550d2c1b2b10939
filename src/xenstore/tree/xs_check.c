/* SPDX-License-Identifier: MIT */
#include "xenstore/tree/xs_check.h"

#include <errno.h>
#include <string.h>

#include "xenstore/tree/xs_dir.h"
#include "xenstore/tree/xs_quota.h"

static int check_siblings(struct xs_usage *counted, const struct xs_node *node);

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

static int check_node(struct xs_usage *counted, const struct xs_node *node)
{
    if (node->refs == 0 || node->name_len != strlen(node->name) || node->generation == 0)
        return -EIO;
    int rc = check_names(node);
    if (rc == 0)
        rc = xs_usage_add(counted, xs_perms_owner(node->perms), 1);
    return rc < 0 ? rc : check_siblings(counted, node->children);
}

/* They are in order: check_names has found each by its name, and there are no others. */
static int check_siblings(struct xs_usage *counted, const struct xs_node *node)
{
    if (node == NULL)
        return 0;
    uint32_t left = xs_dir_count(node->left), right = xs_dir_count(node->right);
    if (node->siblings != left + right + 1 || node->name_len == 0)
        return -EIO;
    if (left + right > 1 && (left > 3 * right || right > 3 * left))
        return -EIO;
    int rc = check_siblings(counted, node->left);
    if (rc < 0)
        return rc;
    rc = check_node(counted, node);
    return rc < 0 ? rc : check_siblings(counted, node->right);
}

int xs_tree_check(const struct xs_tree *tree)
{
    struct xs_usage counted = {0};
    int rc = check_node(&counted, tree->root);
    if (rc == 0 && counted.count != tree->usage.count)
        rc = -EIO;
    for (size_t i = 0; rc == 0 && i < counted.count; i++) {
        const struct xs_usage_entry *a = &counted.entry[i], *b = &tree->usage.entry[i];
        if (a->domid != b->domid || a->nodes != b->nodes)
            rc = -EIO;
    }
    xs_usage_clear(&counted);
    return rc;
}
