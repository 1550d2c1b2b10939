/* SPDX-License-Identifier: MIT */
/*
 * xs_local: the store for Dom0's own drivers, in the same process: full privileges, no messages.
 *
 * Calls take effect at once. Several calls in a row are as atomic as a transaction, because
 * connections are served only in xs_server_run. Relative paths start at domain 0's home. All
 * functions return 0 or what they say, or -errno: -EINVAL (bad path), -ENOENT, -ENOMEM.
 */
#ifndef SPLITDOM_XENSTORE_SERVER_XS_LOCAL_H
#define SPLITDOM_XENSTORE_SERVER_XS_LOCAL_H

#include <stddef.h>
#include <stdint.h>

#include "xenstore/server/xs_server.h"

/* Reads a text: returns its length, with buf NUL-terminated. -E2BIG: does not fit into size bytes
 * with its NUL; -EINVAL: contains a NUL. */
int xs_local_read(struct xs_server *server, const char *path, char *buf, size_t size);

/* Reads a number as Linux's xenbus_scanf does: blanks before the number and any bytes after it are
 * allowed. -EINVAL: no number; -ERANGE: greater than max. *out is set on success only. */
int xs_local_read_u64(struct xs_server *server, const char *path, uint64_t max, uint64_t *out);

int xs_local_write(struct xs_server *server, const char *path, const char *value);

/* Removes path with all below it. A missing one is fine as long as its parent exists. */
int xs_local_rm(struct xs_server *server, const char *path);

/* The same, and then each ancestor that has no children left, as libxl__xs_path_cleanup does. */
int xs_local_path_cleanup(struct xs_server *server, const char *path);

/* perms: "n1", "r0", ...; the first names the owner. -EINVAL for one that makes no sense, -ENOENT
 * if there is no such owner. */
int xs_local_set_perms(struct xs_server *server, const char *path, const char *const *perms,
                       size_t count);

struct xs_local_watch;

/* path is the absolute path that changed; if several have changed, it is the watched path. */
typedef void xs_local_watch_fn(void *ctx, const char *path);

/*
 * Calls fn once at first, then whenever something at or below path changes. fn is called from
 * xs_server_run only. fn may call every function of this library but xs_server_run and
 * xs_server_destroy. At most one call is due at any time. path can also be "@introduceDomain" or
 * "@releaseDomain".
 */
int xs_local_watch(struct xs_server *server, const char *path, xs_local_watch_fn *fn, void *ctx,
                   struct xs_local_watch **out);

/* fn is not called any more. May be called from within fn. NULL is allowed. */
void xs_local_unwatch(struct xs_local_watch *watch);

#endif
