/* SPDX-License-Identifier: MIT */
/*
 * disk_options: the options that all verbs which serve disks have: which service, which disks,
 * which clock (domain_options.h).
 */
#ifndef SPLITDOM_RUN_DISK_OPTIONS_H
#define SPLITDOM_RUN_DISK_OPTIONS_H

#include "base/why.h"
#include "bridge/exports.h"
#include "run/domain_options.h"

/* For help texts, a line each. */
#define DISK_OPTIONS_HELP                                                                          \
    "    --disk SPEC           xvda, xvdb, ... (xvda); xvda,access=r: read-only\n"                 \
    "    --depth N             requests at a time, 1..512\n" DOMAIN_OPTIONS_HELP

/* As domain_options_take. */
int disk_options_take(struct exports_options *options, int argc, char **argv, int *at,
                      struct why *why);

#endif
