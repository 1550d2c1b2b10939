/* SPDX-License-Identifier: MIT */
/*
 * lock: says which process is the service of a run directory. The kernel releases the lock when the
 * process ends in any way. So the lock alone decides whether sockets and files there are stale.
 *
 * Two locks make it:
 * - flock(2) on the directory decides. It needs no file that a cleaner of temporary files could
 *   remove, and systemd-tmpfiles does not touch a directory that is locked in this way.
 * - A record lock (fcntl) on the file `lock` tells the holder's pid. It belongs to the process, not
 *   to the descriptor: a child does not inherit it, and the process loses it when it closes *any*
 *   descriptor of the file. So the holder must not call lock_holder. If the file was removed, the
 *   pid is unknown, and lock_restore creates the file again.
 */
#ifndef SPLITDOM_SERVICE_CLI_LOCK_H
#define SPLITDOM_SERVICE_CLI_LOCK_H

#include <sys/types.h>

#include "base/owned_path.h"

enum { LOCK_HOLDER_UNKNOWN = -1 };

struct lock {
    const char *path; /* DIRECTORY/lock, the caller's */
    int directory_fd;
    int file_fd;
    struct owned_path file;
};

/*
 * Takes the lock of path's directory and creates the file path. The string must outlive the lock.
 * Waits at most a second for a process that only asks, or that has been killed. Errors: -EAGAIN
 * another process holds the lock, and *holder is its pid or LOCK_HOLDER_UNKNOWN; others from the
 * system.
 */
int lock_acquire(const char *path, struct lock *lock, pid_t *holder);

/*
 * For the holder: makes the file again if it is no longer there. Errors: -ESTALE the path leads
 * into another directory now, or into none: nothing there is the holder's; -errno.
 */
int lock_restore(struct lock *lock);

/* Releases the lock. Removes the file if it is still the file that this lock created. */
void lock_release(struct lock *lock);

/*
 * Asks who holds the lock. Returns 0 with the pid in *holder; LOCK_HOLDER_UNKNOWN: the holder is in
 * another pid namespace, or the file is gone; 0: nobody holds the lock, or there is no directory.
 * Errors from the system.
 */
int lock_holder(const char *path, pid_t *holder);

#endif
