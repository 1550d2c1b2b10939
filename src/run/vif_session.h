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
#include "splitdom/netfront.h"

/* For help texts, a line each. */
#define VIF_OPTIONS_ARGUMENTS "[--vif N] [--tdf K] [--domain-name D]"
#define VIF_OPTIONS_HELP                                                                           \
    "    --vif N               which interface of the domain: 0, 1, ... (0)\n"                     \
    "    --tdf K               time dilation factor of the domain's clock: 10, 2.5 or 1/10 (1)\n"  \
    "    --domain-name D       what the domain is called (DomU-N)\n"                               \
    "    --reconnect           outlive a restart of the service\n"                                 \
    "    --name NAME           which service (SPLITDOM_NAME, or default)\n"                        \
    "    --rundir DIR          where it runs (SPLITDOM_RUNDIR)\n"

struct vif_options {
    const char *rundir, *name; /* of the service, as in splitdom/domu.h */
    const char *domain_name;
    uint64_t tdf_num, tdf_den; /* 0/0: 1 */
    uint32_t devid;
    bool reconnect;
    bool no_offload; /* the verb's: it takes finished frames alone */
};

struct vif_session {
    struct domu *domu;
    struct netfront *nf;
    int stop_fd; /* readable once a signal asks for the end */
};

/* Reads one option at argv[*at], as disk_options_take does. */
int vif_options_take(struct vif_options *options, int argc, char **argv, int *at, struct why *why);

/* Becomes a domain and opens its interface. Signals are taken from now on. Errors: those of
 * domu_open and netfront_open, with the line in why; then nothing is left. */
int vif_session_open(struct vif_session *session, const struct vif_options *options,
                     struct why *why);
/* Lets Dom0 take what was sent, for a second at most, closes the interface and ends the domain. */
void vif_session_close(struct vif_session *session);

#endif
