/* SPDX-License-Identifier: MIT */
/* trace_table: where the time of requests goes, for people, in the manner of btt(1): for each class
 * of requests a line for each stage, with the time since the stage before. */
#ifndef SPLITDOM_TRACE_TRACE_TABLE_H
#define SPLITDOM_TRACE_TRACE_TABLE_H

#include <stdio.h>

#include "trace/trace_set.h"

/* Of the whole lives of a set that has ended, with what was left out. Errors: -ENOMEM; a failed
 * write is ferror(out). */
int trace_table_write(FILE *out, const struct trace_set *set);

#endif
