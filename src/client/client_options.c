/* SPDX-License-Identifier: MIT */
#include "client/client_options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
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
static const uint64_t REQUESTS_MAX = INT64_MAX;

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
           "  --depth D               asynchronous reads, 1..512 in flight; THREADS must be 1\n"
           "  --queues N              1 (default) .. 8 rings, over which THREADS are spread;\n"
           "                          not with --depth\n"
           "  --write PCT             so many percent of the requests write: the disk's contents\n"
           "                          are lost\n"
           "  --flush-every N         each thread flushes after N writes\n"
           "  --verify                each write has contents of its own, which reads and a last\n"
           "                          pass find again, or the run fails\n"
           "  --rate N                N requests per second of this domain's clock, whether they\n"
           "                          are answered or not; latencies count from when they are due\n"
           "  --disk VDEV             xvda (default), xvdb, 51728, ...\n"
           "  --duration S            end after S s of this domain's clock, e.g. 2.5, or after\n"
           "                          REQUESTS, whichever is first\n"
           "  --json                  all statistics on stdout instead of the one line\n"
           "  --csv                   the main ones as a line of names and a line of values\n"
           "  --no-record             do not write sectors.PID and read.PID\n"
           "  --dump-latencies FILE   every latency in ns, one a line\n"
           "  --trace FILE            a Chrome trace of requests, and a table on stderr of where\n"
           "                          their time went\n"
           "  --sample N              of one in N; auto (default): of all, up to 50000 a second\n"
           "  --progress, --no-progress  progress on stderr (default: when it is a terminal)\n"
           "  --reconnect             outlive a restart of the service\n"
           "  --no-spin               sleep at once when an answer is not there yet\n"
           "  --cpu auto|any          auto (default): try whether the threads are faster on "
           "Dom0's\n"
           "                          CPU, or off it, and keep to that; any: leave it to the "
           "system\n"
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

static int parse_u32(const char *what, const char *text, uint32_t max, uint32_t *out,
                     struct why *why)
{
    uint64_t value;
    int rc = parse_number(what, text, 1, max, &value, why);

    if (rc == 0)
        *out = (uint32_t)value;
    return rc;
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

static int parse_percent(const char *text, uint32_t *out, struct why *why)
{
    uint64_t percent;
    int rc = parse_number("--write", text, 0, 100, &percent, why);

    if (rc == 0)
        *out = (uint32_t)percent;
    return rc;
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

/* Those of the domain, which Dom0 is told. */
static int apply_domain(int id, const char *value, struct client_options *o, struct why *why)
{
    switch (id) {
    case OPTION_WEIGHT:
        return parse_number("--weight", value, 1, DOMU_WEIGHT_MAX, &o->weight, why);
    case OPTION_DOMAIN_NAME:
        if (value[0] == '\0')
            return why_fail(why, -EINVAL, "--domain-name must not be empty");
        o->domain_name = value;
        return 0;
    default:
        return why_fail(why, -EINVAL, "unknown option");
    }
}

/* Options about writing, and the rest. */
static int apply_writing(int id, const char *value, struct client_options *o, struct why *why)
{
    switch (id) {
    case OPTION_WRITE:
        return parse_percent(value, &o->write_percent, why);
    case OPTION_FLUSH_EVERY:
        return parse_number("--flush-every", value, 1, REQUESTS_MAX, &o->flush_every, why);
    case OPTION_VERIFY:
        o->verify = true;
        return 0;
    case OPTION_RATE:
        return parse_number("--rate", value, 1, CLIENT_RATE_MAX, &o->rate, why);
    case OPTION_DISK:
        if (vdev_parse(value, &o->vdev) < 0)
            return why_fail(why, -EINVAL,
                            "--disk must be a name such as xvdb or a number such as "
                            "51728, not '%s'",
                            value);
        return 0;
    default:
        return apply_domain(id, value, o, why);
    }
}

static int apply(int id, const char *value, struct client_options *o, bool *seeded, struct why *why)
{
    switch (id) {
    case OPTION_PATTERN:
        o->pattern_text = value;
        if (pattern_parse(value, &o->pattern) < 0)
            return why_fail(why, -EINVAL,
                            "--pattern must be uniform, sequential, zipf:THETA, "
                            "hotset:PCT[:SHARE] or trace:FILE, not '%s'",
                            value);
        return 0;
    case OPTION_SEED:
        *seeded = true;
        return parse_number("--seed", value, 0, UINT64_MAX, &o->seed, why);
    case OPTION_SECTORS_PER_REQUEST:
        return parse_u32("--sectors-per-request", value, CLIENT_SECTORS_PER_REQUEST_MAX,
                         &o->sectors_per_request, why);
    case OPTION_DEPTH:
        return parse_u32("--depth", value, CLIENT_DEPTH_MAX, &o->depth, why);
    case OPTION_QUEUES:
        return parse_u32("--queues", value, BLKFRONT_QUEUES_MAX, &o->queues, why);
    case OPTION_DURATION:
        return parse_duration(value, &o->duration_ns, why);
    case OPTION_TDF:
        if (decimal_parse_ratio(value, TDF_TERM_MAX, &o->tdf_num, &o->tdf_den) < 0 ||
            o->tdf_num > o->tdf_den * TDF_LIMIT || o->tdf_den > o->tdf_num * TDF_LIMIT)
            return why_fail(why, -EINVAL,
                            "--tdf must be from 1/%d to %d, such as 10, 2.5 or 1/100, not '%s'",
                            TDF_LIMIT, TDF_LIMIT, value);
        return 0;
    case OPTION_DUMP_LATENCIES:
        o->dump_path = value;
        return 0;
    case OPTION_TRACE:
        o->trace_path = value;
        return 0;
    case OPTION_SAMPLE:
        return trace_sample_parse(value, &o->sample, why);
    case OPTION_NAME:
        o->name = value;
        return 0;
    case OPTION_RUNDIR:
        o->rundir = value;
        return 0;
    case OPTION_CPU:
        return parse_cpu(value, o, why);
    case OPTION_JSON:
        o->json = true;
        return 0;
    case OPTION_CSV:
        o->csv = true;
        return 0;
    case OPTION_NO_RECORD:
        o->record = false;
        return 0;
    case OPTION_PROGRESS:
        o->progress = CLIENT_PROGRESS_ON;
        return 0;
    case OPTION_NO_PROGRESS:
        o->progress = CLIENT_PROGRESS_OFF;
        return 0;
    case OPTION_RECONNECT:
        o->reconnect = true;
        return 0;
    case OPTION_NO_SPIN:
        o->no_spin = true;
        return 0;
    default:
        return apply_writing(id, value, o, why);
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
    int rc;

    if (argc - optind == 0)
        return why_fail(why, -EINVAL, "THREADS and REQUESTS are missing");
    if (argc - optind == 1)
        return why_fail(why, -EINVAL, "REQUESTS is missing");
    if (argc - optind > 2)
        return why_fail(why, -EINVAL, "too many arguments, from '%s' on", argv[optind + 2]);
    rc = parse_u32("THREADS", argv[optind], CLIENT_THREADS_MAX, &o->thread_count, why);
    if (rc == 0)
        rc = parse_number("REQUESTS", argv[optind + 1], 1, REQUESTS_MAX, &o->request_count, why);
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
        rc = apply(id, optarg, options, &seeded, why);
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
