/* SPDX-License-Identifier: MIT */
/*
 * xs_change: the changes of an operation. Watches fire when the operation has succeeded as a whole.
 */
#ifndef SPLITDOM_XENSTORE_TREE_XS_CHANGE_H
#define SPLITDOM_XENSTORE_TREE_XS_CHANGE_H

#include <stddef.h>

#include "xenstore/tree/xs_tree.h"
#include "xenstore/tree/xs_watch.h"

struct xs_change {
    char *path;
    struct xs_node *removed;    /* what was there, if it was removed */
    struct xs_perms *old_perms; /* what was valid before, if permissions changed */
};

/* Zero-initialise it. */
struct xs_changes {
    struct xs_change *item;
    size_t count, capacity;
};

/* Notes a change of path before the change is made, so that nothing can fail afterwards. Returns 0
 * or -ENOMEM. The caller fills in the other fields of the last item, which are empty. */
int xs_changes_add(struct xs_changes *changes, const char *path);

/* Removes the last item: that change did not happen. */
void xs_changes_drop_last(struct xs_changes *changes);

void xs_changes_clear(struct xs_changes *changes);

/*
 * Fires the watches for all changes and drops the changes. A domain hears of a node if it may read
 * the node or its parent, or could read one of them before the change. A watch on a node below a
 * removed node reports its own node. tree is the version after the changes.
 */
void xs_changes_announce(struct xs_changes *changes, const struct xs_tree *tree,
                         struct xs_watch_index *watches);

#endif
