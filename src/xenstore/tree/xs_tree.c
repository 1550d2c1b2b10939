/* SPDX-License-Identifier: MIT */
#include "xenstore/tree/xs_tree.h"

#include <errno.h>
#include <string.h>

#include "xenstore/tree/xs_dir.h"
#include "xenstore/xs_path.h"

int xs_tree_init(struct xs_tree *tree, uint64_t *generation)
{
    *tree = (struct xs_tree){0};
    struct xs_perms *perms = xs_perms_new(1);
    if (perms == NULL)
        return -ENOMEM;
    perms->entry[0] = (struct xs_perm){.domid = DOM0_DOMID, .access = 0};
    tree->root = xs_node_new("", 0, perms, ++*generation);
    xs_perms_unref(perms);
    if (tree->root == NULL)
        return -ENOMEM;
    int rc = xs_usage_add(&tree->usage, DOM0_DOMID, 1);
    if (rc < 0)
        xs_tree_clear(tree);
    return rc;
}

int xs_tree_snapshot(const struct xs_tree *from, struct xs_tree *to)
{
    to->root = NULL;
    int rc = xs_usage_copy(&from->usage, &to->usage);
    if (rc == 0)
        to->root = xs_node_ref(from->root);
    return rc;
}

void xs_tree_clear(struct xs_tree *tree)
{
    xs_node_unref(tree->root);
    tree->root = NULL;
    xs_usage_clear(&tree->usage);
}

struct xs_node *xs_tree_nearest(const struct xs_tree *tree, const char *path, uint32_t *missing)
{
    struct xs_node *node = tree->root;
    const char *cursor = path, *name;
    size_t len;
    *missing = 0;
    while ((name = xs_path_next(&cursor, &len)) != NULL) {
        struct xs_node *child = *missing == 0 ? xs_dir_find(node->children, name, len) : NULL;
        if (child == NULL)
            ++*missing;
        else
            node = child;
    }
    return node;
}

struct xs_node *xs_tree_find(const struct xs_tree *tree, const char *path)
{
    uint32_t missing;
    struct xs_node *node = xs_tree_nearest(tree, path, &missing);
    return missing == 0 ? node : NULL;
}

struct xs_node *xs_tree_parent(const struct xs_tree *tree, const char *path)
{
    uint32_t missing;
    size_t len = xs_path_parent_len(path);
    char parent[XS_PATH_SIZE];
    memcpy(parent, path, len);
    parent[len] = '\0';
    struct xs_node *node = xs_tree_nearest(tree, parent, &missing);
    return missing == 0 ? node : NULL;
}

/*
 * Makes the first depth components of path the version's own; they exist. Returns the last one;
 * NULL without memory.
 */
static struct xs_node *own_path(struct xs_tree *tree, const char **cursor, uint32_t depth)
{
    struct xs_node *node = xs_node_own(&tree->root);
    while (node != NULL && depth-- > 0) {
        size_t len = 0;
        const char *name = xs_path_next(cursor, &len);
        struct xs_node **slot = xs_dir_own(&node->children, name, len);
        node = slot == NULL ? NULL : *slot;
    }
    return node;
}

static struct xs_node *own(struct xs_tree *tree, const char *path)
{
    const char *cursor = path;
    return own_path(tree, &cursor, xs_path_levels_below(path, "/"));
}

/* Builds the nodes named by what is left at cursor, one below the other; NULL without memory. */
static struct xs_node *build_chain(const char *cursor, struct xs_perms *perms,
                                   struct xs_value *value, uint64_t *generation)
{
    struct xs_node *first = NULL, **slot = &first, *last = NULL, *above = NULL;
    const char *name;
    size_t len;
    while ((name = xs_path_next(&cursor, &len)) != NULL) {
        last = *slot = xs_node_new(name, len, perms, ++*generation);
        if (last == NULL) {
            xs_node_unref(first);
            return NULL;
        }
        if (above != NULL && xs_names_add(&above->names, last->created, name, len) < 0) {
            xs_node_unref(first);
            return NULL;
        }
        above = last;
        slot = &last->children;
    }
    last->value = xs_value_ref(value);
    return first;
}

static int add_child(struct xs_node *parent, struct xs_node *child)
{
    int rc = xs_names_add(&parent->names, child->created, child->name, child->name_len);
    if (rc < 0)
        return rc;
    rc = xs_dir_insert(&parent->children, child);
    if (rc < 0)
        xs_names_remove(&parent->names, child->created, child->name, child->name_len);
    return rc;
}

int xs_tree_create(struct xs_tree *tree, const char *path, struct xs_perms *perms,
                   struct xs_value *value, uint64_t *generation)
{
    uint32_t missing;
    xs_tree_nearest(tree, path, &missing);
    const char *cursor = path;
    struct xs_node *parent = own_path(tree, &cursor, xs_path_levels_below(path, "/") - missing);
    if (parent == NULL)
        return -ENOMEM;
    int rc = xs_usage_add(&tree->usage, xs_perms_owner(perms), missing);
    if (rc < 0)
        return rc;
    struct xs_node *chain = build_chain(cursor, perms, value, generation);
    rc = chain == NULL ? -ENOMEM : add_child(parent, chain);
    if (rc < 0) {
        xs_node_unref(chain);
        xs_usage_sub(&tree->usage, xs_perms_owner(perms), missing);
        return rc;
    }
    parent->generation = ++*generation;
    return 0;
}

int xs_tree_set_value(struct xs_tree *tree, const char *path, struct xs_value *value,
                      uint64_t *generation)
{
    struct xs_node *node = own(tree, path);
    if (node == NULL)
        return -ENOMEM;
    xs_value_ref(value);
    xs_value_unref(node->value);
    node->value = value;
    node->generation = ++*generation;
    return 0;
}

int xs_tree_set_perms(struct xs_tree *tree, const char *path, struct xs_perms *perms,
                      uint64_t *generation)
{
    struct xs_node *node = own(tree, path);
    if (node == NULL)
        return -ENOMEM;
    int rc = xs_usage_add(&tree->usage, xs_perms_owner(perms), 1);
    if (rc < 0)
        return rc;
    xs_usage_sub(&tree->usage, xs_perms_owner(node->perms), 1);
    xs_perms_ref(perms);
    xs_perms_unref(node->perms);
    node->perms = perms;
    node->generation = ++*generation;
    return 0;
}

static int count_off(void *ctx, struct xs_node *node)
{
    struct xs_usage *usage = ctx;
    xs_usage_sub(usage, xs_perms_owner(node->perms), 1);
    return xs_dir_each(node->children, count_off, usage);
}

int xs_tree_remove(struct xs_tree *tree, const char *path, uint64_t *generation,
                   struct xs_node **out)
{
    const char *cursor = path;
    struct xs_node *parent = own_path(tree, &cursor, xs_path_levels_below(path, "/") - 1);
    if (parent == NULL)
        return -ENOMEM;
    size_t len = 0;
    const char *name = xs_path_next(&cursor, &len);
    uint64_t created = xs_dir_find(parent->children, name, len)->created;
    int rc = xs_names_own(&parent->names, created);
    if (rc == 0)
        rc = xs_dir_remove(&parent->children, name, len, out);
    if (rc < 0)
        return rc;
    xs_names_remove(&parent->names, created, (*out)->name, len);
    parent->generation = ++*generation;
    return count_off(&tree->usage, *out);
}

struct each_child {
    struct xs_node *parent;
    int (*visit)(void *ctx, struct xs_node *child);
    void *ctx;
};

static int visit_name(void *ctx, const char *name, size_t name_len)
{
    const struct each_child *each = ctx;
    return each->visit(each->ctx, xs_dir_find(each->parent->children, name, name_len));
}

int xs_tree_each_child(struct xs_node *node, int (*visit)(void *ctx, struct xs_node *child),
                       void *ctx)
{
    struct each_child each = {node, visit, ctx};
    return xs_names_each(node->names, visit_name, &each);
}

struct walk {
    int (*visit)(void *ctx, const char *path, struct xs_node *node);
    void *ctx;
    size_t len; /* of path without a trailing slash */
    char path[XS_PATH_SIZE];
};

static int walk_node(struct walk *w, struct xs_node *node);

static int walk_child(void *ctx, struct xs_node *child)
{
    struct walk *w = ctx;
    size_t len = w->len;
    w->path[len] = '/';
    memcpy(w->path + len + 1, child->name, child->name_len + 1);
    w->len = len + 1 + child->name_len;
    int rc = walk_node(w, child);
    w->len = len;
    w->path[len] = '\0';
    return rc;
}

static int walk_node(struct walk *w, struct xs_node *node)
{
    int rc = w->visit(w->ctx, w->len == 0 ? "/" : w->path, node);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    return xs_tree_each_child(node, walk_child, w);
}

int xs_tree_walk(struct xs_node *node, const char *base,
                 int (*visit)(void *ctx, const char *path, struct xs_node *node), void *ctx)
{
    struct walk w = {.visit = visit, .ctx = ctx};
    w.len = strcmp(base, "/") == 0 ? 0 : strlen(base);
    memcpy(w.path, base, w.len);
    return walk_node(&w, node);
}
