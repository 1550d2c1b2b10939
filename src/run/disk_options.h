/* SPDX-License-Identifier: MIT */
/*
 * disk_options: the options that all verbs which serve disks have: which service, which disks,
 * which clock.
 */
#ifndef SPLITDOM_RUN_DISK_OPTIONS_H
#define SPLITDOM_RUN_DISK_OPTIONS_H

#include "base/why.h"
#include "bridge/exports.h"

/* For help texts, a line each. */
#define DISK_OPTIONS_HELP                                                                          \
    "    --disk SPEC           which disk: xvda, xvdb, ... (xvda); xvda,access=r: read-only\n"     \
    "    --tdf K               time dilation factor of the domain's clock: 10, 2.5 or 1/10 (1)\n"  \
    "    --reconnect           outlive a restart of the service\n"                                 \
    "    --depth N             requests at a time, 1..512\n"                                       \
    "    --name NAME           which service (SPLITDOM_NAME, or default)\n"                        \
    "    --rundir DIR          where it runs (SPLITDOM_RUNDIR)\n"

/*
 * Reads one option at argv[*at], "--option value" or "--option=value", and moves *at behind it.
 * Returns 1; 0: argv[*at] is none of these; -EINVAL with the line in why: its value is missing or
 * wrong. The text is not copied.
 */
int disk_options_take(struct exports_options *options, int argc, char **argv, int *at,
                      struct why *why);

#endif
