/* SPDX-License-Identifier: MIT */
/*
 * verb: what `domu` can do, one function for each verb, in a file of its own. argv[0] is the verb.
 * A verb is the only work of its process: it prints results on stdout and messages on stderr, and
 * returns the exit status.
 */
#ifndef SPLITDOM_RUN_VERB_H
#define SPLITDOM_RUN_VERB_H

#include "base/why.h"

enum domu_status {
    DOMU_OK = 0,
    DOMU_FAILED = 1,
    DOMU_USAGE = 2,
};

struct domu_verb {
    const char *name;
    const char *arguments; /* for the usage text */
    const char *help;      /* lines, each indented by 4 blanks */
    int (*main)(int argc, char **argv);
};

/* Says what is wrong with a verb's arguments, and how the verb is used. Returns DOMU_USAGE. */
int verb_usage(const struct domu_verb *verb, const struct why *why);

/* Says why the verb failed if rc is negative. Returns the exit status. */
int verb_end(int rc, const struct why *why);

extern const struct domu_verb verb_nbd;
extern const struct domu_verb verb_vhost; /* vhost-user-blk */
extern const struct domu_verb verb_run;
extern const struct domu_verb verb_tap;
extern const struct domu_verb verb_pcap;
extern const struct domu_verb verb_traffic;

#endif
