/* SPDX-License-Identifier: MIT */
/*
 * client_options: the command line of `client`, checked. Prints nothing; of the system it uses only
 * the source of random numbers.
 */
#ifndef SPLITDOM_CLIENT_CLIENT_OPTIONS_H
#define SPLITDOM_CLIENT_CLIENT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/why.h"
#include "client/pattern.h"

enum {
    CLIENT_THREADS_MAX = 4096,
    CLIENT_DEPTH_MAX = 512,
    CLIENT_SECTORS_PER_REQUEST_MAX = 2048,
    CLIENT_SECTORS_RECORDED_MAX = 1024, /* of a request: the recorder's chunk */
    CLIENT_LARGE_PAGES = 4096,
    CLIENT_RATE_MAX = 1000000000,
    CLIENT_DURATION_S_MAX = 1000000000,
};

enum client_action {
    CLIENT_RUN,
    CLIENT_HELP,
    CLIENT_VERSION,
};

enum client_progress {
    CLIENT_PROGRESS_AUTO, /* when stderr is a terminal */
    CLIENT_PROGRESS_ON,
    CLIENT_PROGRESS_OFF,
};

struct client_options {
    enum client_action action;
    uint32_t thread_count;
    uint64_t request_count; /* of all threads together; with duration_ns the maximum */
    uint64_t duration_ns;   /* of the domain's clock; 0: until request_count */
    struct pattern_spec pattern;
    const char *pattern_text; /* as given, for reports */
    uint64_t seed;
    uint32_t sectors_per_request;
    uint32_t depth;  /* 0: blocking reads; otherwise the number of asynchronous reads in flight */
    uint32_t queues; /* rings, over which the threads are spread */
    uint32_t write_percent;
    uint64_t flush_every; /* writes of a thread; 0: never */
    bool verify;
    uint64_t rate; /* requests per second of the domain's clock; 0: as fast as they are answered */
    uint32_t vdev; /* the disk's number; 0: the library's default */
    bool json;     /* at most one of these two */
    bool csv;
    bool record;
    bool reconnect;
    bool no_spin;
    bool any_cpu; /* the threads are not placed */
    enum client_progress progress;
    const char *dump_path;  /* NULL: no dump */
    const char *trace_path; /* NULL: no trace */
    uint32_t sample;        /* of the trace: one of so many; 0: auto */
    const char *name;       /* NULL: the library's default */
    const char *rundir;     /* NULL: the library's default */
    uint64_t tdf_num, tdf_den;
    const char *domain_name; /* NULL: as Dom0 calls it */
    uint64_t weight;         /* 0: Dom0's default */
};

/*
 * Reads argv into *options; strings stay pointers into argv. Without --seed, a random one is drawn.
 * Errors: -EINVAL, with one line for people in why; -errno when the system gave no random seed.
 * Not thread-safe: getopt keeps its state in globals.
 */
int client_options_parse(int argc, char **argv, struct client_options *options, struct why *why);

/* Requests that a ring must hold: one for each of its threads, or the depth; 512 at most. Of large
 * ones there are as many as need CLIENT_LARGE_PAGES of memory: threads wait for each other. */
uint32_t client_options_ring_depth(const struct client_options *options);

/* The usage, lines of at most 80 columns. */
const char *client_options_usage(void);

#endif
