/* SPDX-License-Identifier: MIT */
#include "client/client_options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/decimal.h"
#include "base/vdev.h"
#include "splitdom/blkfront.h"
#include "splitdom/domu.h"
#include "splitdom/tdf.h"
#include "trace/trace_session.h"

/* Requests are counted and added up in 64 bits: with half the range no sum overflows. */
#define REQUESTS_MAX ((uint64_t)INT64_MAX)

enum option_id {
    OPTION_PATTERN = 256,
    OPTION_SEED,
    OPTION_SECTORS_PER_REQUEST,
    OPTION_DEPTH,
    OPTION_QUEUES,
    OPTION_DURATION,
    OPTION_WRITE,
    OPTION_FLUSH_EVERY,
    OPTION_VERIFY,
    OPTION_RATE,
    OPTION_DISK,
    OPTION_JSON,
    OPTION_CSV,
    OPTION_NO_RECORD,
    OPTION_DUMP_LATENCIES,
    OPTION_TRACE,
    OPTION_SAMPLE,
    OPTION_PROGRESS,
    OPTION_NO_PROGRESS,
    OPTION_RECONNECT,
    OPTION_NO_SPIN,
    OPTION_CPU,
    OPTION_TDF,
    OPTION_WEIGHT,
    OPTION_DOMAIN_NAME,
    OPTION_NAME,
    OPTION_RUNDIR,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option long_options[] = {
    {"pattern", required_argument, NULL, OPTION_PATTERN},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"sectors-per-request", required_argument, NULL, OPTION_SECTORS_PER_REQUEST},
    {"depth", required_argument, NULL, OPTION_DEPTH},
    {"queues", required_argument, NULL, OPTION_QUEUES},
    {"duration", required_argument, NULL, OPTION_DURATION},
    {"write", required_argument, NULL, OPTION_WRITE},
    {"flush-every", required_argument, NULL, OPTION_FLUSH_EVERY},
    {"verify", no_argument, NULL, OPTION_VERIFY},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"disk", required_argument, NULL, OPTION_DISK},
    {"json", no_argument, NULL, OPTION_JSON},
    {"csv", no_argument, NULL, OPTION_CSV},
    {"no-record", no_argument, NULL, OPTION_NO_RECORD},
    {"dump-latencies", required_argument, NULL, OPTION_DUMP_LATENCIES},
    {"trace", required_argument, NULL, OPTION_TRACE},
    {"sample", required_argument, NULL, OPTION_SAMPLE},
    {"progress", no_argument, NULL, OPTION_PROGRESS},
    {"no-progress", no_argument, NULL, OPTION_NO_PROGRESS},
    {"reconnect", no_argument, NULL, OPTION_RECONNECT},
    {"no-spin", no_argument, NULL, OPTION_NO_SPIN},
    {"cpu", required_argument, NULL, OPTION_CPU},
    {"tdf", required_argument, NULL, OPTION_TDF},
    {"weight", required_argument, NULL, OPTION_WEIGHT},
    {"domain-name", required_argument, NULL, OPTION_DOMAIN_NAME},
    {"name", required_argument, NULL, OPTION_NAME},
    {"rundir", required_argument, NULL, OPTION_RUNDIR},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

const char *client_options_usage(void)
{
    return "usage: client THREADS REQUESTS [options]\n"
           "  THREADS    threads that read, 1..4096\n"
           "  REQUESTS   reads of this client in total, shared out over the threads\n"
           "options:\n"
           "  --pattern P             uniform (default), sequential, zipf:THETA,\n"
           "                          hotset:PCT[:SHARE] (percent; default SHARE 90),\n"
           "                          trace:FILE (one sector a line, as sectors.PID)\n"
           "  --seed N                of the pattern; default: random, see --json\n"
           "  --sectors-per-request N 1 (default) .. 2048; from 1025 on with --no-record\n"
           "  --depth D               asynchronous reads, 1..512 at a time; THREADS is 1\n"
           "  --queues N              1 (default) .. 8 rings, over which THREADS are spread;\n"
           "                          not with --depth\n"
           "  --write PCT             so many percent of the requests write: what was on\n"
           "                          the disk is lost\n"
           "  --flush-every N         each thread flushes after N writes\n"
           "  --verify                each write has contents of its own, which reads\n"
           "                          and a last pass find again, or the run fails\n"
           "  --rate N                N requests per second of this domain's clock,\n"
           "                          answered or not; latencies count from when due\n"
           "  --disk VDEV             xvda (default), xvdb, 51728, ...\n"
           "  --duration S            end after S s of this domain's clock, e.g. 2.5,\n"
           "                          or after REQUESTS, whichever is first\n"
           "  --json                  all statistics on stdout instead of the one line\n"
           "  --csv                   the main ones as a line of names and a line of values\n"
           "  --no-record             do not write sectors.PID and read.PID\n"
           "  --dump-latencies FILE   every latency in ns, one a line\n"
           "  --trace FILE            a Chrome trace of requests, and a table on stderr\n"
           "                          of where their time went\n"
           "  --sample N              of one in N; auto (default): of all, up to 50000/s\n"
           "  --progress, --no-progress  progress on stderr (default: when it is a terminal)\n"
           "  --reconnect             outlive a restart of the service\n"
           "  --no-spin               sleep at once when an answer is not there yet\n"
           "  --cpu auto|any          auto (default): try whether the threads are faster\n"
           "                          on Dom0's CPU or off it, and keep to that;\n"
           "                          any: leave the choice to the system\n"
           "  --tdf K                 time dilation factor: 10, 2.5, 1/100\n"
           "  --weight W              share of the disk while others want it too, 1..65535\n"
           "                          (default 256)\n"
           "  --domain-name S         the domain's name, which no other domain has\n"
           "  --name NAME, --rundir DIR  which service: see service(1)\n"
           "  -h, --help, --version\n"
           "stdout: max|average|minimum|std. dev.|requests_per_second (ns; requests per s)\n";
}

static int parse_number(const char *what, const char *text, uint64_t min, uint64_t max,
                        uint64_t *out, struct why *why)
{
    if (decimal_parse(text, min, max, out) == 0)
        return 0;
    return why_fail(why, -EINVAL,
                    "%s must be a decimal number within %" PRIu64 "..%" PRIu64 ", not '%s'", what,
                    min, max, text);
}

static int parse_duration(const char *text, uint64_t *out_ns, struct why *why)
{
    uint64_t ns;

    if (decimal_parse_scaled(text, 9, UINT64_C(1000000000) * CLIENT_DURATION_S_MAX, &ns) < 0 ||
        ns == 0)
        return why_fail(why, -EINVAL,
                        "--duration must be seconds such as 10 or 2.5, above 0 and at most %d, not "
                        "'%s'",
                        CLIENT_DURATION_S_MAX, text);
    *out_ns = ns;
    return 0;
}

static int parse_cpu(const char *text, struct client_options *o, struct why *why)
{
    o->any_cpu = strcmp(text, "any") == 0;
    if (!o->any_cpu && strcmp(text, "auto") != 0)
        return why_fail(why, -EINVAL,
                        "--cpu must be auto or any, not '%s' (taskset chooses a CPU of yours)",
                        text);
    return 0;
}

static int parse_tdf(const char *text, struct client_options *o, struct why *why)
{
    if (decimal_parse_ratio(text, TDF_TERM_MAX, &o->tdf_num, &o->tdf_den) < 0 ||
        o->tdf_num > o->tdf_den * TDF_LIMIT || o->tdf_den > o->tdf_num * TDF_LIMIT)
        return why_fail(why, -EINVAL,
                        "--tdf must be from 1/%d to %d, such as 10, 2.5 or 1/100, not '%s'",
                        TDF_LIMIT, TDF_LIMIT, text);
    return 0;
}

static int parse_pattern(const char *text, struct client_options *o, struct why *why)
{
    o->pattern_text = text;
    if (pattern_parse(text, &o->pattern) < 0)
        return why_fail(why, -EINVAL,
                        "--pattern must be uniform, sequential, zipf:THETA, "
                        "hotset:PCT[:SHARE] or trace:FILE, not '%s'",
                        text);
    return 0;
}

static int parse_disk(const char *text, struct client_options *o, struct why *why)
{
    if (vdev_parse(text, &o->vdev) < 0)
        return why_fail(why, -EINVAL,
                        "--disk must be a name such as xvdb or a number such as 51728, not '%s'",
                        text);
    return 0;
}

#define PLACE(member) offsetof(struct client_options, member)

/* The options that say no more than their value: where that is kept, and the bounds of a number. */
static const struct plain_option {
    enum option_id id;
    enum { FLAG, TEXT, U32, U64 } kind;
    size_t offset;
    uint64_t min, max;
} plain_options[] = {
    {OPTION_SEED, U64, PLACE(seed), 0, UINT64_MAX},
    {OPTION_SECTORS_PER_REQUEST, U32, PLACE(sectors_per_request), 1,
     CLIENT_SECTORS_PER_REQUEST_MAX},
    {OPTION_DEPTH, U32, PLACE(depth), 1, CLIENT_DEPTH_MAX},
    {OPTION_QUEUES, U32, PLACE(queues), 1, BLKFRONT_QUEUES_MAX},
    {OPTION_WRITE, U32, PLACE(write_percent), 0, 100},
    {OPTION_FLUSH_EVERY, U64, PLACE(flush_every), 1, REQUESTS_MAX},
    {OPTION_RATE, U64, PLACE(rate), 1, CLIENT_RATE_MAX},
    {OPTION_WEIGHT, U64, PLACE(weight), 1, DOMU_WEIGHT_MAX},
    {OPTION_VERIFY, FLAG, PLACE(verify), 0, 0},
    {OPTION_JSON, FLAG, PLACE(json), 0, 0},
    {OPTION_CSV, FLAG, PLACE(csv), 0, 0},
    {OPTION_RECONNECT, FLAG, PLACE(reconnect), 0, 0},
    {OPTION_NO_SPIN, FLAG, PLACE(no_spin), 0, 0},
    {OPTION_DUMP_LATENCIES, TEXT, PLACE(dump_path), 0, 0},
    {OPTION_TRACE, TEXT, PLACE(trace_path), 0, 0},
    {OPTION_NAME, TEXT, PLACE(name), 0, 0},
    {OPTION_RUNDIR, TEXT, PLACE(rundir), 0, 0},
};

static int keep(const struct plain_option *option, const char *value, struct client_options *o,
                struct why *why)
{
    void *place = (char *)o + option->offset;
    char what[32];
    uint64_t number;

    if (option->kind == FLAG)
        *(bool *)place = true;
    if (option->kind == TEXT)
        *(const char **)place = value;
    if (option->kind == FLAG || option->kind == TEXT)
        return 0;
    snprintf(what, sizeof(what), "--%s", long_options[option->id - OPTION_PATTERN].name);
    int rc = parse_number(what, value, option->min, option->max, &number, why);
    if (rc == 0 && option->kind == U32)
        *(uint32_t *)place = (uint32_t)number;
    if (rc == 0 && option->kind == U64)
        *(uint64_t *)place = number;
    return rc;
}

static int apply(int id, const char *value, struct client_options *o, struct why *why)
{
    for (size_t i = 0; i < sizeof(plain_options) / sizeof(plain_options[0]); i++) {
        if ((int)plain_options[i].id == id)
            return keep(&plain_options[i], value, o, why);
    }
    switch (id) {
    case OPTION_PATTERN:
        return parse_pattern(value, o, why);
    case OPTION_DURATION:
        return parse_duration(value, &o->duration_ns, why);
    case OPTION_DISK:
        return parse_disk(value, o, why);
    case OPTION_NO_RECORD:
        o->record = false;
        return 0;
    case OPTION_SAMPLE:
        return trace_sample_parse(value, &o->sample, why);
    case OPTION_PROGRESS:
    case OPTION_NO_PROGRESS:
        o->progress = id == OPTION_PROGRESS ? CLIENT_PROGRESS_ON : CLIENT_PROGRESS_OFF;
        return 0;
    case OPTION_CPU:
        return parse_cpu(value, o, why);
    case OPTION_TDF:
        return parse_tdf(value, o, why);
    case OPTION_DOMAIN_NAME:
        if (value[0] == '\0')
            return why_fail(why, -EINVAL, "--domain-name must not be empty");
        o->domain_name = value;
        return 0;
    default:
        return why_fail(why, -EINVAL, "unknown option");
    }
}

/* getopt met an argument that it does not know, or one that lacks its value. */
static int refuse_option(int id, char **argv, struct why *why)
{
    const char *text = argv[optind - 1];

    if (id == ':')
        return why_fail(why, -EINVAL, "option '%s' needs a value", text);
    if (optopt >= '0' && optopt <= '9')
        return why_fail(why, -EINVAL,
                        "THREADS and REQUESTS must be positive numbers: negative number given");
    if (optopt >= OPTION_PATTERN)
        return why_fail(why, -EINVAL, "option '%s' takes no value", text);
    if (optopt != 0)
        return why_fail(why, -EINVAL, "unknown option '-%c'", optopt);
    return why_fail(why, -EINVAL, "unknown option '%s'", text);
}

static int parse_positional(int argc, char **argv, struct client_options *o, struct why *why)
{
    uint64_t thread_count = 0;
    int rc;

    if (argc - optind == 0)
        return why_fail(why, -EINVAL, "THREADS and REQUESTS are missing");
    if (argc - optind == 1)
        return why_fail(why, -EINVAL, "REQUESTS is missing");
    if (argc - optind > 2)
        return why_fail(why, -EINVAL, "too many arguments, from '%s' on", argv[optind + 2]);
    rc = parse_number("THREADS", argv[optind], 1, CLIENT_THREADS_MAX, &thread_count, why);
    if (rc == 0)
        rc = parse_number("REQUESTS", argv[optind + 1], 1, REQUESTS_MAX, &o->request_count, why);
    o->thread_count = (uint32_t)thread_count;
    if (rc == 0 && o->depth > 0 && o->thread_count != 1)
        return why_fail(why, -EINVAL, "--depth needs THREADS to be 1, not %" PRIu32,
                        o->thread_count);
    if (rc == 0 && o->depth > 0 && o->queues > 1)
        return why_fail(why, -EINVAL, "--queues spreads threads: not with --depth");
    if (rc == 0 && o->json && o->csv)
        return why_fail(why, -EINVAL, "--json and --csv exclude each other");
    if (rc == 0 && o->record && o->sectors_per_request > CLIENT_SECTORS_RECORDED_MAX)
        return why_fail(why, -EINVAL, "--sectors-per-request above %d needs --no-record",
                        CLIENT_SECTORS_RECORDED_MAX);
    if (rc == 0 && o->write_percent == 0 && (o->verify || o->flush_every > 0))
        return why_fail(why, -EINVAL, "--verify and --flush-every need --write");
    if (rc == 0 && o->sample != 0 && o->trace_path == NULL)
        return why_fail(why, -EINVAL, "--sample needs --trace");
    return rc;
}

int client_options_parse(int argc, char **argv, struct client_options *options, struct why *why)
{
    bool seeded = false;
    int id, rc;

    *options = (struct client_options){
        .pattern_text = "uniform",
        .sectors_per_request = 1,
        .queues = 1,
        .record = true,
        .tdf_num = 1,
        .tdf_den = 1,
    };
    rc = pattern_parse("uniform", &options->pattern);
    optind = 0; /* GNU getopt: start afresh */
    opterr = 0;
    while (rc == 0 && (id = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
        if (id == 'h' || id == OPTION_HELP || id == OPTION_VERSION) {
            options->action = id == OPTION_VERSION ? CLIENT_VERSION : CLIENT_HELP;
            return 0;
        }
        if (id == '?' || id == ':')
            return refuse_option(id, argv, why);
        seeded |= id == OPTION_SEED;
        rc = apply(id, optarg, options, why);
    }
    if (rc == 0)
        rc = parse_positional(argc, argv, options, why);
    if (rc == 0 && !seeded &&
        getrandom(&options->seed, sizeof(options->seed), 0) != sizeof(options->seed)) {
        rc = why_fail(why, -errno, "no random seed from the system: %s; give --seed",
                      strerror(errno));
    }
    return rc;
}

uint32_t client_options_ring_depth(const struct client_options *options)
{
    enum { PAGE_SECTORS = 8, DIRECT_SECTORS_MAX = 88 };
    uint32_t each = (options->thread_count + options->queues - 1) / options->queues;
    uint32_t wanted = options->depth > 0 ? options->depth : each;
    uint32_t fit = CLIENT_LARGE_PAGES * PAGE_SECTORS / options->sectors_per_request;

    if (options->depth == 0 && options->sectors_per_request > DIRECT_SECTORS_MAX && wanted > fit)
        wanted = fit;
    return wanted < CLIENT_DEPTH_MAX ? wanted : CLIENT_DEPTH_MAX;
}
