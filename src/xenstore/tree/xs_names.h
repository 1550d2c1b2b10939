/* SPDX-License-Identifier: MIT */
/*
 * xs_names: the names of a node's children in the order in which they were created.
 *
 * The text of a directory listing, name\0name\0..., in parts of about a kilobyte, so that adding or
 * removing a name costs no more in a directory of thousands. Counted and shared between versions of
 * the tree as nodes are (xs_node.h): a change first copies a part that a snapshot shares. NULL is
 * an empty list. A name is found by the number that its node got when it was created.
 */
#ifndef SPLITDOM_XENSTORE_TREE_XS_NAMES_H
#define SPLITDOM_XENSTORE_TREE_XS_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct xs_names;

struct xs_names *xs_names_ref(struct xs_names *names); /* NULL stays NULL */
void xs_names_unref(struct xs_names *names);           /* NULL is allowed */

/* Bytes of the whole listing. */
uint64_t xs_names_bytes(const struct xs_names *names);

/* Adds a name at the end; created is greater than that of any other. Returns 0 or -ENOMEM. */
int xs_names_add(struct xs_names **names, uint64_t created, const char *name, size_t name_len);

/* Copies the parts that xs_names_remove of that name would change and that are shared. Returns 0 or
 * -ENOMEM. */
int xs_names_own(struct xs_names **names, uint64_t created);

/* Removes an existing name, after xs_names_own or xs_names_add of that name; never fails. */
void xs_names_remove(struct xs_names **names, uint64_t created, const char *name, size_t name_len);

/* Copies the listing from byte offset on, in whole names, as many as fit into size bytes; an offset
 * inside a name gives the rest of that name first. Returns the bytes copied. */
size_t xs_names_list(const struct xs_names *names, uint64_t offset, char *out, size_t size);

/* Calls visit for each name; it returns 0 to go on. The list must not change meanwhile. Returns
 * what stopped it, or 0. */
int xs_names_each(const struct xs_names *names,
                  int (*visit)(void *ctx, const char *name, size_t name_len), void *ctx);

#endif
