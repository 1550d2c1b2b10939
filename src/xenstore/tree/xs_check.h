/* SPDX-License-Identifier: MIT */
/*
 * xs_check: the invariants of a version of the tree.
 */
#ifndef SPLITDOM_XENSTORE_TREE_XS_CHECK_H
#define SPLITDOM_XENSTORE_TREE_XS_CHECK_H

#include "xenstore/tree/xs_tree.h"

/* Verifies names, order, balance, counts and quota accounting. Returns 0, -EIO or -ENOMEM. */
int xs_tree_check(const struct xs_tree *tree);

#endif
