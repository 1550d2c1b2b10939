/* SPDX-License-Identifier: MIT */
/*
 * vif_session: a domain with one network interface, and the signals that end it: what all verbs
 * about frames have in common, their options included.
 */
#ifndef SPLITDOM_RUN_VIF_SESSION_H
#define SPLITDOM_RUN_VIF_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/why.h"
#include "run/domain_options.h"
#include "splitdom/netfront.h"

/* For help texts, a line each. */
#define VIF_OPTIONS_HELP                                                                           \
    "    --vif N               which interface of the domain: 0, 1, ... (0)\n"                     \
    "    --domain-name D       what the domain is called (DomU-N)\n" DOMAIN_OPTIONS_HELP

struct vif_options {
    struct domu_options domain; /* without size and pages, which are the session's */
    uint32_t devid;
    bool no_offload; /* the verb's: it takes finished frames alone */
    uint32_t queues; /* the verb's; 0: 1 */
};

struct vif_session {
    struct domu *domu;
    struct netfront *nf;
    int stop_fd; /* readable once a signal asks for the end */
};

/* Reads one option at argv[*at], as domain_options_take does. */
int vif_options_take(struct vif_options *options, int argc, char **argv, int *at, struct why *why);

/* Becomes a domain and opens its interface. Signals are taken from now on. Errors: those of
 * domu_open and netfront_open, with the line in why; then nothing is left. */
int vif_session_open(struct vif_session *session, const struct vif_options *options,
                     struct why *why);
/* Lets Dom0 take what was sent, for a second at most, closes the interface and ends the domain. */
void vif_session_close(struct vif_session *session);

#endif
