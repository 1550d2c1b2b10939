/* SPDX-License-Identifier: MIT */
/*
 * stop_fd: the signals that end a verb, as a descriptor to poll.
 */
#ifndef SPLITDOM_RUN_STOP_FD_H
#define SPLITDOM_RUN_STOP_FD_H

#include <signal.h>

#include "base/why.h"

/* SIGTERM, SIGINT and SIGHUP, but for those that the caller of the program had it ignore, as nohup
 * does with SIGHUP. */
void stop_fd_signals(sigset_t *out);

/* Blocks these in this thread and those that it starts from then on, and
 * returns a descriptor that is readable once one of them has come, the caller's to close. Errors:
 * -errno, with the line in why. */
int stop_fd_open(struct why *why);

#endif
