/* SPDX-License-Identifier: MIT */
/*
 * rundir: where a service keeps its sockets, lock and log, for the service and for its clients.
 *
 *     BASE/NAME/dom0.sock, xenstore.sock, lock, dom0.log
 *
 * BASE: the argument, else SPLITDOM_RUNDIR, else $XDG_RUNTIME_DIR/splitdom (if XDG_RUNTIME_DIR
 * names a directory), else /tmp/splitdom-UID. NAME: the argument, else SPLITDOM_NAME, else
 * "default".
 *
 * A user who can write there can pretend to be Dom0. So both directories must be real ones (no
 * symbolic links) of this user. Others must not be able to write to BASE, nor to read BASE/NAME.
 */
#ifndef SPLITDOM_BASE_RUNDIR_H
#define SPLITDOM_BASE_RUNDIR_H

#include <stdbool.h>
#include <stddef.h>

enum {
    RUNDIR_PATH_MAX = 108, /* of sockaddr_un.sun_path, with the NUL: no path here is longer */
    RUNDIR_NAME_MAX = 32,  /* characters of NAME: A-Z a-z 0-9 . _ -, and no . in front */
};

struct rundir {
    char name[RUNDIR_NAME_MAX + 1];
    char base[RUNDIR_PATH_MAX];
    char dir[RUNDIR_PATH_MAX]; /* all paths are absolute */
    char control_socket[RUNDIR_PATH_MAX];
    char store_socket[RUNDIR_PATH_MAX];
    char lock[RUNDIR_PATH_MAX];
    char log[RUNDIR_PATH_MAX];
};

/*
 * Resolves the paths; NULL arguments mean "not given". With create, missing directories BASE and
 * BASE/NAME are made, mode 0700. Reads the environment: not while another thread changes it.
 * Errors, each with one line for people in why:
 *   -EINVAL NAME has other characters or is too long, or BASE is empty; -ENAMETOOLONG;
 *   -ENOENT a directory does not exist (*out is filled all the same);
 *   -EPERM it belongs to another user, -EACCES it is open to others, -ELOOP it is a symbolic link,
 *   -ENOTDIR;
 *   others from the system.
 */
int rundir_resolve(const char *rundir, const char *name, bool create, struct rundir *out, char *why,
                   size_t why_bytes);

/*
 * Writes one line for people: no service of this name runs in this directory, and how to start it.
 * Installed programs are called splitdom-...; for them the line names the installed service.
 */
void rundir_explain_absence(const struct rundir *rundir, char *why, size_t why_bytes);

#endif
