/* SPDX-License-Identifier: MIT */
/*
 * domain_options: the options of all verbs that become a domain: at which service, on which clock.
 */
#ifndef SPLITDOM_RUN_DOMAIN_OPTIONS_H
#define SPLITDOM_RUN_DOMAIN_OPTIONS_H

#include "base/why.h"
#include "splitdom/domu.h"

/* For help texts, a line each. */
#define DOMAIN_OPTIONS_HELP                                                                        \
    "    --tdf K               time dilation of the domain's clock: 10, 2.5, 1/10 (1)\n"           \
    "    --reconnect           outlive a restart of the service\n"                                 \
    "    --name NAME           which service (SPLITDOM_NAME, or default)\n"                        \
    "    --rundir DIR          where it runs (SPLITDOM_RUNDIR)\n"

/*
 * Reads one option at argv[*at], "--option value" or "--option=value", and moves *at behind it.
 * Returns 1; 0: argv[*at] is none of these; -EINVAL with the line in why: its value is missing or
 * wrong. The text is not copied.
 */
int domain_options_take(struct domu_options *domain, int argc, char **argv, int *at,
                        struct why *why);

#endif
