/* SPDX-License-Identifier: MIT */
/*
 * trace_json: lives of requests as a Chrome trace ("JSON Object Format"), which Perfetto and
 * chrome://tracing open. docs/trace.md says what is where in it.
 */
#ifndef SPLITDOM_TRACE_TRACE_JSON_H
#define SPLITDOM_TRACE_TRACE_JSON_H

#include <stdio.h>

#include "trace/trace_set.h"

/* Writes the whole ones of a set that has ended. Errors: -ENOMEM; a failed write is ferror(out). */
int trace_json_write(FILE *out, const struct trace_set *set);

#endif
