/* SPDX-License-Identifier: MIT */
/*
 * xs_path: the rules for names in the store.
 *
 * A path is made of components [A-Za-z0-9-_@]+ joined by '/'. One that starts with '/' is absolute;
 * any other is relative to /local/domain/<domid> of whoever speaks. No empty component, no trailing
 * '/' except in "/" itself. What starts with '@' is no path of a node (xs_special.h).
 */
#ifndef SPLITDOM_XENSTORE_XS_PATH_H
#define SPLITDOM_XENSTORE_XS_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "splitdom/xen/grant_table.h"
#include "splitdom/xen/xs_wire.h"

enum { XS_PATH_SIZE = XENSTORE_ABS_PATH_MAX + 1 }; /* bytes of any absolute path with its NUL */

/*
 * Makes path (NUL-terminated, of whatever content) absolute for domid and checks it. path_bytes
 * limits what follows a leading /local/domain/<number>/; *prefix_bytes gets the number of bytes
 * that were put in front, 0 for an absolute path. Returns 0 or -EINVAL.
 */
int xs_path_absolute(domid_t domid, const char *path, uint32_t path_bytes, char out[XS_PATH_SIZE],
                     size_t *prefix_bytes);

/*
 * Walks over the components of an absolute path: start with *cursor = path; returns the next
 * component and its length, or NULL at the end.
 */
const char *xs_path_next(const char **cursor, size_t *len);

/* The length of the parent of an absolute path other than "/" (1 when the parent is "/"). */
size_t xs_path_parent_len(const char *path);

/* The length of the ancestor of an absolute path that lies so many levels above it; "/" has 1. */
size_t xs_path_ancestor_len(const char *path, uint32_t levels);

/* Whether path equals base or lies below it. */
bool xs_path_is_within(const char *path, const char *base);

/* How many levels path lies below base, which contains it: 0 for base itself. */
uint32_t xs_path_levels_below(const char *path, const char *base);

#endif
