/* SPDX-License-Identifier: MIT */
/* verb_sample: a running Dom0's status as a sample, for verbs that look into it. */
#ifndef SPLITDOM_SERVICE_CLI_VERB_SAMPLE_H
#define SPLITDOM_SERVICE_CLI_VERB_SAMPLE_H

#include "base/rundir.h"
#include "base/why.h"
#include "service/cli/top/top_sample.h"

/* rundir is a struct rundir. *out is to be freed when this returns 0. Errors, with a line in why:
 * -ESHUTDOWN no Dom0 is there any more; -EPROTO; those of control_client_ask. */
int verb_sample(void *rundir, struct top_sample *out, struct why *why);

#endif
