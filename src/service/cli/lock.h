/* SPDX-License-Identifier: MIT */
/*
 * lock: says which process is the service of a run directory. The kernel drops it with the process,
 * however that died: whether sockets and files there are stale is decided by this lock alone.
 *
 * A POSIX record lock (fcntl): others can ask for the holder's pid. It is the process's, not the
 * descriptor's: a fork does not inherit it, and it is lost when the process closes *any* descriptor
 * of the file. So the holder must not call lock_holder.
 */
#ifndef SPLITDOM_SERVICE_CLI_LOCK_H
#define SPLITDOM_SERVICE_CLI_LOCK_H

#include <sys/types.h>

/*
 * Takes the lock, creating the file. Returns a descriptor for lock_release. Errors: -EAGAIN another
 * process holds it, *holder is its pid (0: it has gone meanwhile, or is in another pid namespace);
 * others from the system.
 */
int lock_acquire(const char *path, pid_t *holder);

/* Gives the lock back and removes the file. */
void lock_release(const char *path, int fd);

/*
 * Asks who holds the lock. Returns 0 with *holder the pid (-1: a process of another pid namespace);
 * *holder is 0 if nobody does, or there is no file. Errors from the system.
 */
int lock_holder(const char *path, pid_t *holder);

#endif
