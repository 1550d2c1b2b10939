/* SPDX-License-Identifier: MIT */
/*
 * xs_node: one node of the store, counted, so that versions of the tree can share it.
 *
 * A version of the tree is a reference to a root. Before a node is changed, it is made the
 * version's own (xs_node_own): a node that is shared with a snapshot is copied, any other node is
 * changed in place. So a transaction's snapshot costs one reference, and later changes copy only
 * the path to what they change.
 *
 * The children of a node form a binary search tree by name through left and right (xs_dir.h);
 * these links are counted references, too. A list of their names keeps the order in which they were
 * created (xs_names.h).
 */
#ifndef SPLITDOM_XENSTORE_TREE_XS_NODE_H
#define SPLITDOM_XENSTORE_TREE_XS_NODE_H

#include <stddef.h>
#include <stdint.h>

#include "xenstore/tree/xs_names.h"
#include "xenstore/xs_perms.h"

/* Bytes, counted and immutable. */
struct xs_value {
    uint32_t refs;
    uint32_t len;
    char bytes[];
};

struct xs_node {
    uint32_t refs;
    uint32_t siblings; /* nodes in the search tree from here down, this one included */
    union {
        uint64_t generation;       /* unique for each change of value, permissions or children */
        struct xs_node *free_next; /* while being freed */
    };
    struct xs_perms *perms;
    struct xs_value *value;   /* NULL: empty */
    struct xs_node *children; /* root of the search tree of the children */
    struct xs_names *names;   /* of the children, as they were created */
    struct xs_node *left, *right;
    uint64_t created; /* its generation then; children are listed in this order */
    uint32_t name_len;
    char name[]; /* one component, NUL-terminated */
};

/* All of these return NULL without memory. */
struct xs_value *xs_value_new(const void *bytes, size_t len);
struct xs_value *xs_value_ref(struct xs_value *value); /* NULL stays NULL */
void xs_value_unref(struct xs_value *value);           /* NULL is allowed */

/* A node without value and children; takes its own reference to perms. */
struct xs_node *xs_node_new(const char *name, size_t name_len, struct xs_perms *perms,
                            uint64_t generation);
struct xs_node *xs_node_ref(struct xs_node *node); /* NULL stays NULL */

/* Drops a reference; the last one frees everything below, without recursion. NULL is allowed. */
void xs_node_unref(struct xs_node *node);

/*
 * Makes *slot a node that only *slot refers to, and returns it; NULL without memory, and then
 * nothing has changed. A copy is the same in every respect, generation included.
 */
struct xs_node *xs_node_own(struct xs_node **slot);

#endif
