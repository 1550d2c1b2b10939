/* SPDX-License-Identifier: MIT */
/* client_trace: the lives of a client's requests, written down by Dom0 and by the client's own
 * domain from before the first to after the last, taken by a thread of its own. */
#ifndef SPLITDOM_CLIENT_CLIENT_TRACE_H
#define SPLITDOM_CLIENT_CLIENT_TRACE_H

#include <stdint.h>

#include "base/why.h"
#include "client/client_options.h"

struct client_trace;

/* Traces domain domid, which is this process, and waits until it does. The file of the options'
 * trace_path is created. Errors, with a line in why: -errno. */
int client_trace_start(const struct client_options *options, uint32_t domid,
                       struct client_trace **out, struct why *why);
/* Ends it: writes the file, and the table of the stages on stderr, after a line if Dom0 ended
 * before the workload did. Errors, with a line in why: -errno. NULL: nothing. */
int client_trace_end(struct client_trace *trace, struct why *why);

#endif
