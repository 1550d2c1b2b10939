/* SPDX-License-Identifier: MIT */
/*
 * xs_dir: the children of a node, a weight-balanced search tree by name.
 *
 * Balanced by the sizes of the subtrees: none is more than three times as heavy as its sibling
 * (Adams, "Efficient sets: a balancing act", 1993, with the parameters <3,2>). So no choice of
 * names can make the tree deep. Every function takes the slot that holds the tree's root; an empty
 * directory is a NULL slot. A change first copies the nodes that are shared with snapshots
 * (xs_node.h).
 */
#ifndef SPLITDOM_XENSTORE_TREE_XS_DIR_H
#define SPLITDOM_XENSTORE_TREE_XS_DIR_H

#include <stddef.h>
#include <stdint.h>

#include "xenstore/tree/xs_node.h"

/* The child of that name, or NULL. Borrowed. */
struct xs_node *xs_dir_find(struct xs_node *dir, const char *name, size_t name_len);

/*
 * The slot that holds the child of that name, which exists. The child, and all nodes on the path to
 * it, have been made the directory's own. NULL without memory: then nothing has changed.
 */
struct xs_node **xs_dir_own(struct xs_node **dir, const char *name, size_t name_len);

/* Adds a node whose name is not there yet; takes over the reference. Returns 0 or -ENOMEM. */
int xs_dir_insert(struct xs_node **dir, struct xs_node *node);

/* Removes the child of that name, which exists, and passes its reference to *out, without siblings.
 * Returns 0 or -ENOMEM. */
int xs_dir_remove(struct xs_node **dir, const char *name, size_t name_len, struct xs_node **out);

static inline uint32_t xs_dir_count(const struct xs_node *dir)
{
    return dir == NULL ? 0 : dir->siblings;
}

/* Visits the children by name; visit returns 0 to go on. Returns what stopped it, or 0. */
int xs_dir_each(struct xs_node *dir, int (*visit)(void *ctx, struct xs_node *child), void *ctx);

#endif
