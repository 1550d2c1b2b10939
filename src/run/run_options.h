/* SPDX-License-Identifier: MIT */
/* run_options: the command line of `domu run`, checked. */
#ifndef SPLITDOM_RUN_RUN_OPTIONS_H
#define SPLITDOM_RUN_RUN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/why.h"
#include "run/run_vif.h"
#include "splitdom/tdf.h"

struct run_options {
    const char *rundir, *service; /* NULL: as the environment says */
    const char *name;             /* of the domain; NULL: Dom0's choice */
    struct tdf tdf;
    uint64_t share_num, share_den; /* 0/0: no limit was asked for */
    bool tsc;                      /* rdtsc is dilated, too */
    struct run_vif_options vif;    /* a network of its own */
    char **program;                /* with its arguments, up to a NULL */
};

#define RUN_OPTIONS_HELP                                                                           \
    "    --tdf K               time dilation factor of its clock: 10, 2.5 or 1/10 (1)\n"           \
    "    --cpu-share P         of one CPU, for all its processes: 1/10, 0.1, 10% (1)\n"            \
    "    --tsc                 dilate rdtsc, too: each reading of a clock takes 10 us\n"           \
    "    --vif N               a network namespace, with its interface N as eth0\n"                \
    "    --address A.B.C.D/P   the IPv4 address of eth0 (none)\n"                                  \
    "    --name N              the domain's name in 'service list' (DomU-DOMID)\n"                 \
    "    --service-name NAME   which service (SPLITDOM_NAME, or default)\n"                        \
    "    --rundir DIR          where it runs (SPLITDOM_RUNDIR)\n"

/* argv[0] is the verb. Strings stay pointers into argv. -EINVAL with one line in why. */
int run_options_parse(int argc, char **argv, struct run_options *options, struct why *why);

#endif
