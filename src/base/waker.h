/* SPDX-License-Identifier: MIT */
/*
 * waker: a process that lets its parent go on as soon as a stopped child of the parent's does, or
 * has ended. While the parent is stopped as well it can't see that by itself.
 */
#ifndef SPLITDOM_BASE_WAKER_H
#define SPLITDOM_BASE_WAKER_H

#include <sys/types.h>

/* Starts one for that child. It sends SIGCONT, once, and ends; it also ends with the calling
 * process. Returns its number, or -errno. */
pid_t waker_start(pid_t child);

/* Ends it, if it has not ended. Does not wait for it: the caller takes all children. */
void waker_end(pid_t waker);

#endif
