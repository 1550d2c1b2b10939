/* SPDX-License-Identifier: MIT */
#include "client/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

double report_requests_per_second(const struct workload_result *result)
{
    if (result->running_ns == 0)
        return 0;
    return (double)result->latency.count * 1e9 / (double)result->running_ns;
}

enum { LINE_SIZE = 160 }; /* five numbers of at most 25 digits */

static void format_line(char line[LINE_SIZE], const struct workload_result *result)
{
    const struct lat_stats *latency = &result->latency;

    snprintf(line, LINE_SIZE, "%" PRIu64 "|%.0f|%" PRIu64 "|%.1f|%.1f", latency->max_ns,
             lat_stats_mean(latency), latency->min_ns, lat_stats_stddev(latency),
             report_requests_per_second(result));
}

void report_line(FILE *out, const struct workload_result *result)
{
    char line[LINE_SIZE];

    format_line(line, result);
    fprintf(out, "%s\n", line);
}

/* A field that holds a comma, a quote or a line's end is quoted (RFC 4180). */
static void write_field(FILE *out, const char *text)
{
    if (text[strcspn(text, ",\"\r\n")] == '\0') {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

void report_csv(FILE *out, const struct client_options *options,
                const struct workload_result *result)
{
    const struct lat_stats *latency = &result->latency;

    fputs("threads,depth,pattern,seed,tdf,sectors_per_request,answered,failed,running_ns,"
          "requests_per_second,min_ns,mean_ns,stddev_ns,p50_ns,p90_ns,p99_ns,p99_9_ns,max_ns\n",
          out);
    fprintf(out, "%" PRIu32 ",%" PRIu32 ",", options->thread_count, options->depth);
    write_field(out, options->pattern_text);
    fprintf(out,
            ",%" PRIu64 ",%" PRIu64 "/%" PRIu64 ",%" PRIu32 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
            ",%.1f,%" PRIu64 ",%.3f,%.3f,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
            "\n",
            options->seed, options->tdf_num, options->tdf_den, options->sectors_per_request,
            result->answered_count, result->failed_count, result->running_ns,
            report_requests_per_second(result), latency->min_ns, lat_stats_mean(latency),
            lat_stats_stddev(latency), lat_stats_percentile(latency, 50),
            lat_stats_percentile(latency, 90), lat_stats_percentile(latency, 99),
            lat_stats_percentile(latency, 99.9), latency->max_ns);
}

static void write_setup(struct json *json, const struct client_options *options,
                        const struct blkfront_geometry *geometry)
{
    json_u64(json, "threads", options->thread_count);
    json_u64(json, "requests", options->request_count);
    json_u64(json, "sectors_per_request", options->sectors_per_request);
    json_string(json, "mode", options->depth > 0 ? "asynchronous" : "blocking");
    json_u64(json, "depth", options->depth > 0 ? options->depth : options->thread_count);
    json_u64(json, "queues", options->queues);
    json_string(json, "pattern", options->pattern_text);
    json_u64(json, "seed", options->seed);
    json_bool(json, "recorded", options->record);
    json_object(json, "tdf");
    json_u64(json, "num", options->tdf_num);
    json_u64(json, "den", options->tdf_den);
    json_end(json);
    json_object(json, "geometry");
    json_u64(json, "first_sector", geometry->first_sector);
    json_u64(json, "last_sector", geometry->last_sector);
    json_u64(json, "sector_size", geometry->sector_size);
    json_u64(json, "physical_sector_size", geometry->physical_sector_size);
    json_end(json);
}

/* [first, last, count] of each bucket that has a count, in ascending order. */
static void write_histogram(struct json *json, const struct lat_stats *latency)
{
    json_array(json, "histogram");
    for (uint32_t bucket = 0; bucket < LAT_STATS_BUCKETS; bucket++) {
        if (latency->bucket[bucket] == 0)
            continue;
        json_array(json, NULL);
        json_u64(json, NULL, lat_stats_bucket_first(bucket));
        json_u64(json, NULL, lat_stats_bucket_last(bucket));
        json_u64(json, NULL, latency->bucket[bucket]);
        json_end(json);
    }
    json_end(json);
}

static void write_latency(struct json *json, const char *name, const struct lat_stats *latency)
{
    static const struct {
        const char *name;
        double percent;
    } points[] = {
        {"p1", 1},   {"p10", 10}, {"p25", 25}, {"p50", 50},     {"p75", 75},
        {"p90", 90}, {"p95", 95}, {"p99", 99}, {"p99_9", 99.9}, {"p99_99", 99.99},
    };

    json_object(json, name);
    json_u64(json, "count", latency->count);
    json_u64(json, "min", lat_stats_min(latency));
    json_u64(json, "max", lat_stats_max(latency));
    json_fixed(json, "mean", lat_stats_mean(latency), 3);
    json_fixed(json, "stddev", lat_stats_stddev(latency), 3);
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
        json_u64(json, points[i].name, lat_stats_percentile(latency, points[i].percent));
    write_histogram(json, latency);
    json_end(json);
}

/* Of a run that writes. */
static void write_operations(struct json *json, const struct client_options *options,
                             const struct workload_result *result)
{
    json_u64(json, "write_percent", options->write_percent);
    json_u64(json, "flush_every", options->flush_every);
    write_latency(json, "read_latency_ns", &result->counts.read);
    write_latency(json, "write_latency_ns", &result->counts.write);
    write_latency(json, "flush_latency_ns", &result->counts.flush);
    json_bool(json, "verified", options->verify);
    json_u64(json, "verified_sectors", result->verified_count);
}

static void write_result(struct json *json, const struct client_options *options,
                         const struct workload_result *result)
{
    double rate = report_requests_per_second(result);

    json_u64(json, "duration_ns", options->duration_ns);
    json_u64(json, "answered", result->answered_count);
    json_u64(json, "failed", result->failed_count);
    write_latency(json, "latency_ns", &result->latency);
    if (options->write_percent > 0)
        write_operations(json, options, result);
    if (options->rate > 0)
        json_u64(json, "rate", options->rate);
    json_fixed(json, "requests_per_second", rate, 1);
    json_fixed(json, "bytes_per_second",
               rate * RECORDER_SECTOR_BYTES * options->sectors_per_request, 0);
    json_u64(json, "running_ns", result->running_ns);
    json_u64(json, "recording_ns", result->standstill_ns);
    json_u64(json, "real_elapsed_ns", result->real_ns);
    json_string(json, "placement", place_name(result->place));
}

static void write_frontend(struct json *json, const struct blkfront_stats *stats)
{
    json_u64(json, "domid", stats->domid);
    json_u64(json, "ring_entries", stats->ring_entries);
    json_object(json, "frontend");
    json_u64(json, "requests", stats->requests);
    json_u64(json, "responses", stats->responses);
    json_u64(json, "errors", stats->errors);
    json_u64(json, "kicks", stats->kicks);
    json_u64(json, "upcalls", stats->upcalls);
    json_u64(json, "spins_won", stats->spins_won);
    json_u64(json, "spins_lost", stats->spins_lost);
    json_u64(json, "reconnects", stats->reconnects);
    json_end(json);
}

void report_json(FILE *out, const struct client_options *options,
                 const struct workload_result *result, const struct blkfront_stats *stats,
                 const struct blkfront_geometry *geometry)
{
    struct json json;
    char line[LINE_SIZE];

    format_line(line, result);
    json_start(&json, out, JSON_LINES);
    json_object(&json, NULL);
    json_string(&json, "line", line);
    write_setup(&json, options, geometry);
    write_result(&json, options, result);
    write_frontend(&json, stats);
    json_end(&json);
}

enum { EXIT_SIGNAL = 128 };

int report_failures(const struct workload_result *result, const char *failure, bool writes,
                    int signal)
{
    int status = EXIT_SUCCESS;
    if (result->device_error != 0) {
        fprintf(stderr, "client: %s\n",
                failure[0] != '\0' ? failure : strerror(-result->device_error));
        status = EXIT_FAILURE;
    }
    if (result->verify_error == -ENOMEM) {
        fprintf(stderr, "client: out of memory for what --verify has to remember\n");
        status = EXIT_FAILURE;
    } else if (result->verify_error != 0) {
        fprintf(stderr, "client: sector %" PRIu64 " does not hold what was written: %s\n",
                result->mismatch.sector, result->mismatch.text);
        status = EXIT_FAILURE;
    }
    if (result->failed_count > 0) {
        fprintf(stderr, "client: %" PRIu64 " of %" PRIu64 " %s failed\n", result->failed_count,
                result->answered_count, writes ? "requests" : "reads");
        status = EXIT_FAILURE;
    }
    if (signal != 0) {
        fprintf(stderr, "client: ended by SIG%s\n", sigabbrev_np(signal));
        status = EXIT_SIGNAL + signal;
    }
    return status;
}
