/* SPDX-License-Identifier: MIT */
/*
 * client: a workload on a virtual disk. Uses the public API of blkfront and nothing below it.
 * Exit: 0 all done; 1 something failed; 2 wrong arguments; 128 + N when ended by signal N.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/std_fds.h"
#include "base/why.h"
#include "client/client_options.h"
#include "client/client_trace.h"
#include "client/latency_dump.h"
#include "client/progress.h"
#include "client/recorder.h"
#include "client/report.h"
#include "client/signal_watch.h"
#include "client/workload.h"
#include "splitdom/blkfront.h"
#include "splitdom/version.h"

enum { EXIT_USAGE = 2 };

struct client {
    struct client_options options;
    struct recorder *recorder;
    struct latency_dump *dump; /* NULL or &dump_file */
    struct latency_dump dump_file;
    struct blkfront *bf;
    struct blkfront_geometry geometry;
    struct workload *workload;
    struct sector_trace trace; /* of the pattern trace */
    struct workload_result result;
    struct signal_watch signals;
    int signal; /* that ended the run, or 0 */
};

static int open_outputs(struct client *client, struct why *why)
{
    const struct client_options *o = &client->options;
    const struct recorder_options recorder = {
        .directory = ".",
        .pid = getpid(),
        .room = (o->depth > 0 ? o->depth : 1) * o->sectors_per_request,
        .writer_thread = o->depth > 0,
    };
    int rc = o->record ? recorder_open(&recorder, &client->recorder, why) : 0;
    if (rc < 0 || o->dump_path == NULL)
        return rc;
    rc = latency_dump_open(&client->dump_file, o->dump_path);
    if (rc < 0)
        return why_fail_errno(why, rc, "cannot create %s", o->dump_path);
    client->dump = &client->dump_file;
    return 0;
}

static int load_trace(struct client *client, struct why *why)
{
    struct pattern_spec *pattern = &client->options.pattern;
    if (pattern->kind != PATTERN_TRACE)
        return 0;
    pattern->trace = &client->trace;
    return sector_trace_load(&client->trace, pattern->trace_path, why);
}

/* A service may allow smaller rings than we asked for (its --max-ring-page-order). */
static void fit_depth(struct client *client)
{
    struct blkfront_stats stats;
    blkfront_stats(client->bf, &stats);
    client->options.queues = blkfront_queues(client->bf); /* those that the service takes */
    if (client->options.depth <= stats.depth)
        return;
    fprintf(stderr,
            "client: the service's rings hold %" PRIu32 " requests: --depth is %" PRIu32
            " instead of %" PRIu32 "\n",
            stats.ring_entries, stats.depth, client->options.depth);
    client->options.depth = stats.depth;
}

/* Can the disk do what is wanted of it? */
static int check_disk(const struct client_options *o, const struct blkfront_geometry *g,
                      struct why *why)
{
    if (o->write_percent > 0 && g->read_only)
        return why_fail(why, -EROFS,
                        "the disk is read-only: choose another one with --disk, or have the "
                        "service offer it for writing");
    if (o->flush_every > 0 && !g->flush)
        return why_fail(why, -EOPNOTSUPP, "the disk has no flush: leave --flush-every out");
    if (g->last_sector - g->first_sector + 1 < o->sectors_per_request)
        return why_fail(why, -EINVAL,
                        "the disk has only sectors %" PRIu64 "..%" PRIu64
                        ": choose smaller --sectors-per-request",
                        g->first_sector, g->last_sector);
    return 0;
}

static int connect_disk(struct client *client, struct why *why)
{
    const struct client_options *o = &client->options;
    const struct blkfront_options wanted = {
        .size = sizeof(wanted),
        .rundir = o->rundir,
        .name = o->name,
        .depth = client_options_ring_depth(o),
        .sectors_per_request = o->sectors_per_request,
        .reconnect = o->reconnect,
        .no_spin = o->no_spin,
        .tdf_num = o->tdf_num,
        .tdf_den = o->tdf_den,
        .vdev = o->vdev,
        .domain_name = o->domain_name,
        .weight = o->weight,
        .queues = o->queues,
    };
    struct blkfront_error error = {""};
    int rc = blkfront_connect(&wanted, &client->bf, &error);
    if (rc < 0)
        return why_fail(why, rc, "%s", error.text);
    rc = blkfront_geometry(client->bf, &client->geometry);
    if (rc < 0)
        return why_fail(why, rc, "cannot learn the size of the disk: %s",
                        blkfront_failure(client->bf));
    rc = check_disk(o, &client->geometry, why);
    if (rc == 0)
        fit_depth(client);
    return rc;
}

static void tell_start_failed(const struct client *client, int rc)
{
    const struct client_options *o = &client->options;

    if (rc == -ERANGE)
        fprintf(stderr,
                "client: %s reads sector %" PRIu64 ", the disk ends at sector %" PRIu64
                ": it is of another disk\n",
                o->pattern.trace_path, client->trace.last, client->geometry.last_sector);
    else if (rc == -EFBIG)
        fprintf(stderr,
                "client: the disk is too large for this pattern, it ends at sector %" PRIu64
                ": use uniform or sequential\n",
                client->geometry.last_sector);
    else if (rc == -ENOMEM && o->verify)
        fprintf(stderr,
                "client: no memory for %" PRIu32 " threads, and for --verify on a disk that ends "
                "at sector %" PRIu64 "\n",
                o->thread_count, client->geometry.last_sector);
    else
        fprintf(stderr, "client: cannot start %" PRIu32 " threads: %s: use fewer\n",
                o->thread_count, strerror(-rc));
}

static int start_workload(struct client *client)
{
    const struct client_options *o = &client->options;
    const struct workload_plan plan = {
        .bf = client->bf,
        .recorder = client->recorder,
        .dump = client->dump,
        .thread_count = o->thread_count,
        .request_count = o->request_count,
        .duration_ns = o->duration_ns,
        .sectors_per_request = o->sectors_per_request,
        .depth = o->depth,
        .any_cpu = o->any_cpu,
        .write_percent = o->write_percent,
        .flush_every = o->flush_every,
        .verify = o->verify,
        .rate = o->rate,
        .tdf_num = o->tdf_num,
        .tdf_den = o->tdf_den,
        .pattern = &o->pattern,
        .seed = o->seed,
        .first_sector = client->geometry.first_sector,
        .last_sector = client->geometry.last_sector,
    };
    int rc = workload_start(&plan, &client->workload);
    if (rc < 0)
        tell_start_failed(client, rc);
    return rc;
}

/* How long the main thread may wait: to the next progress or placement. -1: for ever. */
static int wait_ms(const struct client *client, bool show)
{
    uint64_t due_ns = workload_place_due_ns(client->workload), now_ns = clock_monotonic_ns();
    uint64_t ms = due_ns <= now_ns ? 0 : (due_ns - now_ns + 999999) / 1000000;
    if (due_ns == UINT64_MAX)
        return show ? PROGRESS_PERIOD_MS : -1;
    if (show && ms > PROGRESS_PERIOD_MS)
        ms = PROGRESS_PERIOD_MS;
    return (int)ms;
}

/* Until all threads are done: shows progress, if wanted. */
static void wait_workload(struct client *client)
{
    bool terminal = isatty(STDERR_FILENO) == 1;
    const enum client_progress wish = client->options.progress;
    bool show = wish == CLIENT_PROGRESS_ON || (wish == CLIENT_PROGRESS_AUTO && terminal);
    uint64_t start_ns = clock_monotonic_ns();
    struct pollfd done = {.fd = workload_done_fd(client->workload), .events = POLLIN};
    struct progress progress;
    uint64_t shown_ns = start_ns;
    progress_init(&progress, stderr, terminal, client->options.request_count);
    signal_watch_set(&client->signals, client->workload);
    while (poll(&done, 1, wait_ms(client, show)) <= 0) {
        uint64_t now_ns = clock_monotonic_ns();
        if (now_ns >= workload_place_due_ns(client->workload))
            workload_place(client->workload);
        if (show && now_ns - shown_ns >= PROGRESS_PERIOD_MS * UINT64_C(1000000)) {
            struct blkfront_stats stats;
            blkfront_stats(client->bf, &stats);
            progress_show(&progress, stats.responses, now_ns - start_ns);
            shown_ns = now_ns;
        }
    }
    client->signal = signal_watch_clear(&client->signals);
    progress_end(&progress);
    workload_join(client->workload, &client->result);
}

/* Writes the rest of the outputs. Returns 0, or -1 after a message. */
static int close_outputs(struct client *client)
{
    uint64_t record_count;
    struct why why;
    int rc = 0;
    if (client->dump != NULL) {
        int error = latency_dump_close(client->dump);
        if (error != 0) {
            fprintf(stderr, "client: cannot write %s: %s\n", client->dump->path, strerror(-error));
            rc = -1;
        }
        client->dump = NULL;
    }
    if (recorder_close(client->recorder, &record_count, &why) < 0) {
        fprintf(stderr, "client: %s\n", why.text);
        if (record_count == RECORDER_COUNT_UNKNOWN)
            fprintf(stderr,
                    "client: the ends of the two files may differ: compare their lengths\n");
        else
            fprintf(stderr, "client: both files end after %" PRIu64 " whole records\n",
                    record_count);
        rc = -1;
    }
    client->recorder = NULL;
    return rc;
}

/* The output is complete only if its last write succeeded. */
static int end_output(void)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return EXIT_SUCCESS;
    fprintf(stderr, "client: cannot write to stdout: %s\n", strerror(errno));
    return EXIT_FAILURE;
}

static int print_report(struct client *client, const struct blkfront_stats *stats)
{
    if (client->options.json)
        report_json(stdout, &client->options, &client->result, stats, &client->geometry);
    else if (client->options.csv)
        report_csv(stdout, &client->options, &client->result);
    else
        report_line(stdout, &client->result);
    return end_output();
}

/* Was every read that the options ask for answered and recorded? A failed read counts as answered;
 * without a single successful read there is no result. */
static bool is_whole(const struct client *client)
{
    const struct workload_result *result = &client->result;
    bool timed_out = client->options.duration_ns > 0 && client->signal == 0;
    return (result->answered_count == client->options.request_count || timed_out) &&
           result->latency.count > 0 && result->device_error == 0 && result->record_error == 0 &&
           result->verify_error == 0;
}

/* A connected client does its work. Returns the exit status. */
static int work(struct client *client)
{
    struct blkfront_stats stats;
    struct client_trace *trace = NULL;
    struct why why;
    blkfront_stats(client->bf, &stats);
    if (client->options.trace_path != NULL &&
        client_trace_start(&client->options, stats.domid, &trace, &why) < 0) {
        fprintf(stderr, "client: %s\n", why.text);
        return EXIT_FAILURE;
    }
    int rc = start_workload(client);
    if (rc == 0)
        wait_workload(client);
    int trace_rc = client_trace_end(trace, &why);
    if (trace_rc < 0)
        fprintf(stderr, "client: %s\n", why.text);
    if (rc < 0)
        return EXIT_FAILURE;
    blkfront_stats(client->bf, &stats);
    int status = report_failures(&client->result, blkfront_failure(client->bf),
                                 client->options.write_percent > 0, client->signal);
    if (trace_rc < 0 && status == EXIT_SUCCESS)
        status = EXIT_FAILURE;
    /* The records first: the result line promises that they are complete. */
    if (close_outputs(client) < 0)
        return status == EXIT_SUCCESS ? EXIT_FAILURE : status;
    if (is_whole(client) && print_report(client, &stats) != EXIT_SUCCESS)
        status = EXIT_FAILURE;
    return status;
}

static int run(struct client *client)
{
    struct why why;
    int rc = signal_watch_start(&client->signals);
    if (rc < 0) {
        fprintf(stderr, "client: cannot start a thread: %s\n", strerror(-rc));
        return EXIT_FAILURE;
    }
    rc = load_trace(client, &why);
    if (rc == 0)
        rc = open_outputs(client, &why);
    if (rc == 0)
        rc = connect_disk(client, &why);
    if (rc < 0)
        fprintf(stderr, "client: %s\n", why.text);
    int status = rc == 0 ? work(client) : EXIT_FAILURE;
    blkfront_close(client->bf);
    workload_free(client->workload);
    sector_trace_free(&client->trace);
    recorder_discard(client->recorder);
    if (client->dump != NULL)
        latency_dump_close(client->dump);
    signal_watch_end(&client->signals);
    return status;
}

static int take_arguments(struct client *client, int argc, char **argv)
{
    struct why why;
    if (client_options_parse(argc, argv, &client->options, &why) < 0) {
        fprintf(stderr, "client: %s\nusage: client THREADS REQUESTS [options]; see '%s --help'\n",
                why.text, program_invocation_short_name);
        return EXIT_USAGE;
    }
    switch (client->options.action) {
    case CLIENT_HELP:
        fputs(client_options_usage(), stdout);
        return end_output();
    case CLIENT_VERSION:
        puts("client (splitdom) " SPLITDOM_VERSION);
        return end_output();
    case CLIENT_RUN:
        break;
    }
    return run(client);
}

int main(int argc, char **argv)
{
    std_fds_fill();
    signal(SIGXFSZ, SIG_IGN); /* a file at its size limit: write says EFBIG */
    signal(SIGPIPE, SIG_IGN); /* stdout closed: write says EPIPE */
    struct client *client = calloc(1, sizeof(*client)); /* too large for a small stack */
    if (client == NULL)
        fprintf(stderr, "client: out of memory\n");
    int status = client != NULL ? take_arguments(client, argc, argv) : EXIT_FAILURE;
    free(client);
    return status;
}
