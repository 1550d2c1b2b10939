/* SPDX-License-Identifier: MIT */
/*
 * xs_control: commands about the store itself (request XS_CONTROL, Dom0 only).
 *
 *     help           the list of commands
 *     check          verifies the store's invariants: "OK" or the error EIO
 *     quota          the limits, one "name value" a line
 *     quota DOMID    what a domain uses
 */
#ifndef SPLITDOM_XENSTORE_XS_CONTROL_H
#define SPLITDOM_XENSTORE_XS_CONTROL_H

#include "xenstore/xs_store.h"

/* Returns the bytes of the answer in out, its NUL included, or -EINVAL, -EIO. */
int xs_control(const struct xs_store *store, const char *const *arg, int count, char *out,
               size_t size);

/* Verifies names, order, balance, counts and quota accounting of a version. 0 or -EIO. */
int xs_tree_check(const struct xs_tree *tree);

#endif
