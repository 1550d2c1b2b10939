/* SPDX-License-Identifier: MIT */
/*
 * dom0_look: what a program can see of the Dom0 of a domain without being a domain: from its
 * control socket (splitdom/control.h). Each call waits for some seconds at most. Any thread.
 */
#ifndef SPLITDOM_BRIDGE_DOM0_LOOK_H
#define SPLITDOM_BRIDGE_DOM0_LOOK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "splitdom/domu.h"

/* Does nobody listen where Dom0 would? All else that may be wrong there is not said. */
bool dom0_is_away(const struct domu_options *domain);

/* What Dom0 had of a domain at one look after the other; zeroed before the first. */
struct dom0_progress {
    uint32_t looks, still_looks; /* all; the last ones without progress */
    uint64_t served;             /* requests so far */
};

enum { DOM0_STILL_LOOKS_MAX = 6 };

/*
 * Takes another look: does Dom0 answer, has it requests of the domain of that process, and gets on
 * with them? It may stand still for DOM0_STILL_LOOKS_MAX looks.
 */
bool dom0_gets_on(const struct domu_options *domain, pid_t pid, struct dom0_progress *progress);

#endif
