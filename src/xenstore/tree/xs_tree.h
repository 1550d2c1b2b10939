/* SPDX-License-Identifier: MIT */
/*
 * xs_tree: one version of the whole store: a root and how many nodes each domain owns in it.
 *
 * Paths are absolute and valid (xs_path.h). Nothing here looks at permissions or limits. Every
 * change either happens completely or, without memory, not at all (-ENOMEM). Generations come from
 * a counter that all versions share, so that equal generations mean equal content.
 */
#ifndef SPLITDOM_XENSTORE_TREE_XS_TREE_H
#define SPLITDOM_XENSTORE_TREE_XS_TREE_H

#include <stdint.h>

#include "xenstore/tree/xs_node.h"
#include "xenstore/tree/xs_quota.h"

struct xs_tree {
    struct xs_node *root;
    struct xs_usage usage;
};

/* A store with nothing but "/", which Dom0 owns and nobody else may read. 0 or -ENOMEM. */
int xs_tree_init(struct xs_tree *tree, uint64_t *generation);

/* Makes to a snapshot of from: one reference, whatever the size. 0 or -ENOMEM. */
int xs_tree_snapshot(const struct xs_tree *from, struct xs_tree *to);

/* Drops a version; zero-initialised and already cleared ones are allowed. */
void xs_tree_clear(struct xs_tree *tree);

/* The node at path, borrowed, or NULL. */
struct xs_node *xs_tree_find(const struct xs_tree *tree, const char *path);

/* The node at path or its nearest ancestor that exists; *missing gets the number of components of
 * path below it. Borrowed, never NULL. */
struct xs_node *xs_tree_nearest(const struct xs_tree *tree, const char *path, uint32_t *missing);

/* The parent of path, which is not "/"; NULL if it does not exist. Borrowed. */
struct xs_node *xs_tree_parent(const struct xs_tree *tree, const char *path);

/*
 * Creates path, which does not exist, and the ancestors that are missing, all with perms. Takes its
 * own references to perms and value (NULL: empty).
 */
int xs_tree_create(struct xs_tree *tree, const char *path, struct xs_perms *perms,
                   struct xs_value *value, uint64_t *generation);

/* Replaces the value or the permissions of a node that exists; takes its own reference. */
int xs_tree_set_value(struct xs_tree *tree, const char *path, struct xs_value *value,
                      uint64_t *generation);
int xs_tree_set_perms(struct xs_tree *tree, const char *path, struct xs_perms *perms,
                      uint64_t *generation);

/* Removes a node other than "/" that exists, with all below it; *out gets the reference. */
int xs_tree_remove(struct xs_tree *tree, const char *path, uint64_t *generation,
                   struct xs_node **out);

/* Visits the children of a node in the order in which they were created; visit returns 0 to go on.
 * Returns what stopped it, or 0. */
int xs_tree_each_child(struct xs_node *node, int (*visit)(void *ctx, struct xs_node *child),
                       void *ctx);

/*
 * Visits a node and all below it, parents first, with their paths; base is the path of node. visit
 * returns 0 to go on, > 0 to leave out what is below this node, < 0 to stop. Returns 0 or the
 * negative value.
 */
int xs_tree_walk(struct xs_node *node, const char *base,
                 int (*visit)(void *ctx, const char *path, struct xs_node *node), void *ctx);

#endif
