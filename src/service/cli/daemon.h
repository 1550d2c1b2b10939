/* SPDX-License-Identifier: MIT */
/*
 * daemon: a process in the background whose start the caller can wait for. The parent waits on a
 * pipe until the child reports that it is ready, reports why it failed, or dies.
 */
#ifndef SPLITDOM_SERVICE_CLI_DAEMON_H
#define SPLITDOM_SERVICE_CLI_DAEMON_H

#include "base/why.h"

struct daemon {
    int report_fd; /* child: write end of the pipe; -1 once the report is out */
};

enum daemon_side {
    DAEMON_CHILD,  /* go on as the daemon: new session, / as directory, no inherited descriptors */
    DAEMON_PARENT, /* the child has reported that it is ready */
};

/*
 * Forks; the process must have one thread. Returns an enum daemon_side, or in the parent -errno
 * with the reason in why: the system's error, the failure that the child reported, or -ECHILD if
 * the child died without a report. The child still has the parent's standard descriptors.
 */
int daemon_detach(struct daemon *daemon, struct why *why);

/* Child: standard input from /dev/null, output and errors to log_fd. 0 or -errno. */
int daemon_redirect(int log_fd);

/* Child: one of the two, once. */
void daemon_ready(struct daemon *daemon);
void daemon_fail(struct daemon *daemon, int error, const struct why *why);

#endif
