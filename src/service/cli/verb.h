/* SPDX-License-Identifier: MIT */
/*
 * verb: what `service` can be asked to do, one function each, all with the process to themselves.
 * They print: results on stdout, messages on stderr. They return the exit status.
 */
#ifndef SPLITDOM_SERVICE_CLI_VERB_H
#define SPLITDOM_SERVICE_CLI_VERB_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/rundir.h"
#include "service/cli/service_options.h"

enum verb_status {
    VERB_OK = 0,
    VERB_FAILED = 1,
    VERB_USAGE = 2,
    VERB_NOT_RUNNING = 3, /* all verbs but start, env */
};

/* The process becomes the daemon's parent, or with --foreground Dom0 itself. */
int verb_start(const struct service_options *options);
int verb_stop(const struct rundir *rundir);
int verb_status(const struct rundir *rundir, const struct service_options *options);
int verb_env(const struct rundir *rundir);
int verb_list(const struct rundir *rundir);
/* set, pause, unpause, shutdown, resize: writes to xenstore. */
int verb_store(const struct rundir *rundir, const struct service_options *options);

/* Whatever was printed is only there when the last of it could be written: says if not. */
int verb_end_output(void);

/* Says that nothing runs there, and how to start it; returns VERB_NOT_RUNNING. */
int verb_not_running(const struct rundir *rundir);
/* True if a service holds the lock. *holder may be NULL; otherwise its pid or LOCK_HOLDER_UNKNOWN.
 */
bool verb_is_running(const struct rundir *rundir, pid_t *holder);

#endif
