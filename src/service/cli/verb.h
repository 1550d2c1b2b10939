/* SPDX-License-Identifier: MIT */
/*
 * verb: what `service` can do, one function for each verb. A verb is the only work of its process.
 * Verbs print results on stdout and messages on stderr, and return the exit status.
 */
#ifndef SPLITDOM_SERVICE_CLI_VERB_H
#define SPLITDOM_SERVICE_CLI_VERB_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/rundir.h"
#include "service/cli/service_options.h"

struct store_client;

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
int verb_list(const struct rundir *rundir, const struct service_options *options);
/* block-attach, block-detach, resize of a certain image: asked of Dom0. */
int verb_block(const struct rundir *rundir, const struct service_options *options);
int verb_block_list(const struct rundir *rundir, const struct service_options *options);
/* network-attach, network-detach, net-link, rule. */
int verb_network(const struct rundir *rundir, const struct service_options *options);
int verb_network_list(const struct rundir *rundir, const struct service_options *options);
int verb_top(const struct rundir *rundir, const struct service_options *options);
int verb_trace(const struct rundir *rundir, const struct service_options *options);
int verb_uptime(const struct rundir *rundir, const struct service_options *options);
/* The number of the domain that options->domain names. VERB_OK: options->domid is set. */
int verb_name_resolve(const struct rundir *rundir, struct service_options *options);
/* domid, domname, rename. */
int verb_name(const struct rundir *rundir, const struct service_options *options);
/* set, pause, unpause, shutdown, resize of all: writes to xenstore. */
int verb_store(const struct rundir *rundir, const struct service_options *options);

int verb_destroy(const struct rundir *rundir, const struct service_options *options);

/* A connection to xenstore. VERB_OK, or VERB_FAILED after a message. */
int verb_open_store(const struct rundir *rundir, struct store_client **out);

/* Prints what xenstore has of a domain, or of all where domid is 0. Returns 0, or an error of
 * store_client.h; -ENOENT: there is no such domain. */
typedef int verb_print(struct store_client *client, const struct service_options *options);

/* Connects, calls print, and says what failed. what is for people: "the disks". Returns the exit
 * status. */
int verb_print_store(const struct rundir *rundir, const struct service_options *options,
                     const char *what, verb_print *print);

/* The output is complete only if its last write succeeded. Prints a message if that failed. */
int verb_end_output(void);

/* Says that no service runs there and how to start one; returns VERB_NOT_RUNNING. */
int verb_not_running(const struct rundir *rundir);
/* True if a service holds the lock. *holder may be NULL; otherwise its pid or LOCK_HOLDER_UNKNOWN.
 */
bool verb_is_running(const struct rundir *rundir, pid_t *holder);
/* Waits, ten seconds at most, while a service holds the lock and has no sockets: it is starting. */
void verb_await_start(const struct rundir *rundir);

#endif
