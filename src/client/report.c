/* SPDX-License-Identifier: MIT */
#include "client/report.h"

#include <inttypes.h>

double report_requests_per_second(const struct workload_result *result)
{
    if (result->running_ns == 0)
        return 0;
    return (double)result->latency.count * 1e9 / (double)result->running_ns;
}

static void write_line(FILE *out, const struct workload_result *result)
{
    const struct lat_stats *latency = &result->latency;

    fprintf(out, "%" PRIu64 "|%.0f|%" PRIu64 "|%.1f|%.1f", latency->max_ns, lat_stats_mean(latency),
            latency->min_ns, lat_stats_stddev(latency), report_requests_per_second(result));
}

void report_line(FILE *out, const struct workload_result *result)
{
    write_line(out, result);
    fputc('\n', out);
}

static void write_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            fprintf(out, "\\%c", *p);
        else if (*p < 0x20)
            fprintf(out, "\\u%04x", *p);
        else
            fputc(*p, out);
    }
    fputc('"', out);
}

static void write_latency(FILE *out, const struct lat_stats *latency)
{
    static const struct {
        const char *name;
        double percent;
    } points[] = {
        {"p1", 1},   {"p10", 10}, {"p25", 25}, {"p50", 50},     {"p75", 75},
        {"p90", 90}, {"p95", 95}, {"p99", 99}, {"p99_9", 99.9}, {"p99_99", 99.99},
    };

    fprintf(out,
            "  \"latency_ns\": {\"count\": %" PRIu64 ", \"min\": %" PRIu64 ", \"max\": %" PRIu64
            ", \"mean\": %.3f, \"stddev\": %.3f",
            latency->count, latency->min_ns, latency->max_ns, lat_stats_mean(latency),
            lat_stats_stddev(latency));
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
        fprintf(out, ", \"%s\": %" PRIu64, points[i].name,
                lat_stats_percentile(latency, points[i].percent));
    fputs("},\n", out);
}

static void write_setup(FILE *out, const struct client_options *options,
                        const struct blkfront_geometry *geometry)
{
    fprintf(out,
            "  \"threads\": %" PRIu32 ",\n  \"requests\": %" PRIu64
            ",\n  \"sectors_per_request\": %" PRIu32 ",\n  \"mode\": \"%s\",\n  \"depth\": %" PRIu32
            ",\n  \"pattern\": ",
            options->thread_count, options->request_count, options->sectors_per_request,
            options->depth > 0 ? "asynchronous" : "blocking",
            options->depth > 0 ? options->depth : options->thread_count);
    write_string(out, options->pattern_text);
    fprintf(out,
            ",\n  \"seed\": %" PRIu64 ",\n  \"recorded\": %s,\n  \"tdf\": {\"num\": %" PRIu64
            ", \"den\": %" PRIu64 "},\n",
            options->seed, options->record ? "true" : "false", options->tdf_num, options->tdf_den);
    fprintf(out,
            "  \"geometry\": {\"first_sector\": %" PRIu64 ", \"last_sector\": %" PRIu64
            ", \"sector_size\": %" PRIu32 ", \"physical_sector_size\": %" PRIu32 "},\n",
            geometry->first_sector, geometry->last_sector, geometry->sector_size,
            geometry->physical_sector_size);
}

static void write_frontend(FILE *out, const struct blkfront_stats *stats)
{
    fprintf(out,
            "  \"domid\": %u,\n  \"ring_entries\": %" PRIu32
            ",\n  \"frontend\": {\"requests\": %" PRIu64 ", \"responses\": %" PRIu64
            ", \"errors\": %" PRIu64 ", \"kicks\": %" PRIu64 ", \"upcalls\": %" PRIu64
            ", \"spins_won\": %" PRIu64 ", \"spins_lost\": %" PRIu64 ", \"reconnects\": %" PRIu64
            "}\n",
            stats->domid, stats->ring_entries, stats->requests, stats->responses, stats->errors,
            stats->kicks, stats->upcalls, stats->spins_won, stats->spins_lost, stats->reconnects);
}

void report_json(FILE *out, const struct client_options *options,
                 const struct workload_result *result, const struct blkfront_stats *stats,
                 const struct blkfront_geometry *geometry)
{
    const double rate = report_requests_per_second(result);

    fputs("{\n  \"line\": \"", out);
    write_line(out, result);
    fputs("\",\n", out);
    write_setup(out, options, geometry);
    fprintf(out, "  \"duration_ns\": %" PRIu64 ",\n", options->duration_ns);
    fprintf(out, "  \"answered\": %" PRIu64 ",\n  \"failed\": %" PRIu64 ",\n",
            result->answered_count, result->failed_count);
    write_latency(out, &result->latency);
    fprintf(out,
            "  \"requests_per_second\": %.1f,\n  \"bytes_per_second\": %.0f,\n"
            "  \"running_ns\": %" PRIu64 ",\n  \"recording_ns\": %" PRIu64
            ",\n  \"real_elapsed_ns\": %" PRIu64 ",\n  \"placement\": \"%s\",\n",
            rate, rate * RECORDER_SECTOR_BYTES * options->sectors_per_request, result->running_ns,
            result->standstill_ns, result->real_ns, place_name(result->place));
    write_frontend(out, stats);
    fputs("}\n", out);
}
