/* SPDX-License-Identifier: MIT */
/*
 * lock: says which process is the service of a run directory. The kernel drops it with the process,
 * however that died: whether sockets and files there are stale is decided by this lock alone.
 *
 * Two locks make it:
 * - flock(2) on the directory decides. It needs no file that a cleaner of temporary files could
 * remove, and systemd-tmpfiles leaves alone what is locked so.
 * - A record lock (fcntl) on the file `lock` tells the holder's pid. It is the process's, not the
 *   descriptor's: a fork does not inherit it, and it is lost when the process closes *any*
 * descriptor of the file. So the holder must not call lock_holder. The file may be gone: then the
 * pid is unknown, and lock_restore makes it anew.
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
 * Takes the lock of the directory that path lies in, creating the file path, which must outlive the
 * lock. Waits for at most a second for one who only asks. Errors: -EAGAIN another process holds it,
 * *holder is its pid or LOCK_HOLDER_UNKNOWN; others from the system.
 */
int lock_acquire(const char *path, struct lock *lock, pid_t *holder);

/* Makes the file again if it is no longer there. 0 or -errno. For the holder. */
int lock_restore(struct lock *lock);

/* Gives the lock back and removes the file, if that still is the one it made. */
void lock_release(struct lock *lock);

/*
 * Asks who holds the lock. Returns 0 with *holder the pid (LOCK_HOLDER_UNKNOWN: it is of another
 * pid namespace, or the file is gone); *holder is 0 if nobody does, or there is no directory.
 * Errors from the system.
 */
int lock_holder(const char *path, pid_t *holder);

#endif
