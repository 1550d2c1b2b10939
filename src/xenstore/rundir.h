/* SPDX-License-Identifier: MIT */
/*
 * rundir: where a service and its clients meet: one directory per service, mode 0700.
 *
 *     --rundir, else SPLITDOM_RUNDIR, else $XDG_RUNTIME_DIR/splitdom, else /tmp/splitdom-<uid>
 *         NAME/                --name, else SPLITDOM_NAME, else "default"
 *             dom0.sock        control socket (splitdom/control.h)
 *             xenstore.sock    xenstore for Dom0's tools
 *             lock             held by the running service: says whether one runs, and its pid
 *             dom0.log
 */
#ifndef SPLITDOM_XENSTORE_RUNDIR_H
#define SPLITDOM_XENSTORE_RUNDIR_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum { RUNDIR_SOCKET_PATH_MAX = 108, RUNDIR_NAME_MAX = 64 };

struct rundir {
    char base[PATH_MAX]; /* what --rundir names */
    char name[RUNDIR_NAME_MAX];
    char dir[PATH_MAX];
    char control_socket[RUNDIR_SOCKET_PATH_MAX];
    char store_socket[RUNDIR_SOCKET_PATH_MAX];
    char lock[PATH_MAX];
    char log[PATH_MAX];
};

/*
 * Resolves (and with create makes) the directory of a service. rundir and name may be NULL. Errors:
 * -errno with one line for people in why: -EINVAL a name with other characters than A-Za-z0-9._- or
 * too long; -ENAMETOOLONG the socket paths would not fit a socket address; -EPERM the directory
 * belongs to another user, is open to others, or is a symbolic link; -ENOENT it does not exist
 * (only without create: no service has run there).
 */
int rundir_resolve(const char *rundir, const char *name, bool create, struct rundir *out, char *why,
                   size_t why_bytes);

#endif
