/* SPDX-License-Identifier: MIT */
/*
 * xs_strays: where domains own nodes outside their homes, so that their ends need not look for them
 * in the whole tree.
 *
 * For each domain the paths of the topmost nodes that it owns: those whose parents it does not own.
 * A path is noted when such a node comes to be; it may have gone since, so whoever takes one looks.
 * The list is a help, not a promise: without memory a path is left out, and the count of a domain's
 * nodes (xs_quota.h) tells.
 */
#ifndef SPLITDOM_XENSTORE_TREE_XS_STRAYS_H
#define SPLITDOM_XENSTORE_TREE_XS_STRAYS_H

#include <stdbool.h>
#include <stddef.h>

#include "xenstore/tree/xs_tree.h"
#include "xenstore/xs_hash.h"

struct xs_strays {
    struct xs_hash by_domid;
};

void xs_strays_init(struct xs_strays *strays);
void xs_strays_clear(struct xs_strays *strays);

/* Is the node at path owned by domid, outside its home and below a parent that domid does not own?
 * "/" and nodes of Dom0 are no strays. */
bool xs_strays_is_one(const struct xs_tree *tree, domid_t domid, const char *path);

/* Notes that the node at path is one now. */
void xs_strays_note(struct xs_strays *strays, const struct xs_tree *tree, domid_t domid,
                    const char *path);

/* Takes out one path of domid, which the caller frees; NULL: there is none left. */
char *xs_strays_take(struct xs_strays *strays, domid_t domid);

/* Paths noted for domid, those that have gone included. */
size_t xs_strays_count(const struct xs_strays *strays, domid_t domid);

#endif
