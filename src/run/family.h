/* SPDX-License-Identifier: MIT */
/*
 * family: all processes that descend from this one, however they were made: an orphan becomes our
 * child (PR_SET_CHILD_SUBREAPER).
 *
 * One thread.
 */
#ifndef SPLITDOM_RUN_FAMILY_H
#define SPLITDOM_RUN_FAMILY_H

#include <sys/types.h>

/* From now on orphans come to us. Errors: -errno. */
int family_begin(void);

/* Sends the signal to all of them. Somebody who is just forking may be missed. */
void family_signal(int signo);

/* Calls this for each of them. Somebody who is just forking may be missed. */
void family_each(void (*fn)(void *arg, pid_t pid), void *arg);

/* Ends all of them, also those who fork meanwhile: stops all first, until there is no new one.
 * They are still to be waited for. */
void family_kill(void);

#endif
