/* SPDX-License-Identifier: MIT */
/* report: the client's result on stdout: the one line, or all statistics as JSON or CSV; and on
 * stderr what went wrong. */
#ifndef SPLITDOM_CLIENT_REPORT_H
#define SPLITDOM_CLIENT_REPORT_H

#include <stdio.h>

#include "client/client_options.h"
#include "client/workload.h"
#include "splitdom/blkfront.h"

/* Successful requests per second of running time; 0 when no time has passed. */
double report_requests_per_second(const struct workload_result *result);

/*
 * "max|average|minimum|std. dev.|requests_per_second" and a newline: integers of ns of the domain's
 * clock, the last two with one decimal.
 */
void report_line(FILE *out, const struct workload_result *result);

/* A line of names and a line of values (RFC 4180): set-up, counts, rate and latencies in ns. */
void report_csv(FILE *out, const struct client_options *options,
                const struct workload_result *result);

/* One JSON object; its member "line" is the text of report_line. */
void report_json(FILE *out, const struct client_options *options,
                 const struct workload_result *result, const struct blkfront_stats *stats,
                 const struct blkfront_geometry *geometry);

/* Says on stderr why the run is not whole. failure: the device's own words, or ""; writes: some
 * requests were none; signal: that ended the run, or 0. Returns the exit status: 0, 1, 128 +
 * signal.
 */
int report_failures(const struct workload_result *result, const char *failure, bool writes,
                    int signal);

#endif
