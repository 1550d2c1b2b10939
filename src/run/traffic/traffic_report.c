/* SPDX-License-Identifier: MIT */
/* traffic_report: what was sent, what came, and what did not, for people or as JSON. */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "base/mac_text.h"
#include "run/traffic/traffic.h"

#define NS_PER_S 1e9

static double seconds(const struct traffic *traffic)
{
    return traffic->end_ns > traffic->begin_ns
               ? (double)(traffic->end_ns - traffic->begin_ns) / NS_PER_S
               : 0;
}

/* Streams as one. */
struct total {
    uint64_t expected, unique, duplicates, reordered, too_late;
};

static void add_stream(struct total *total, const struct traffic_stream *stream)
{
    total->expected += traffic_stream_expected(stream);
    total->unique += stream->unique;
    total->duplicates += stream->duplicates;
    total->reordered += stream->reordered;
    total->too_late += stream->too_late;
}

/* Of all that came to us. */
static struct total incoming(const struct traffic *traffic)
{
    struct total total = {.expected = 0};
    for (uint32_t i = 0; i < traffic->stream_count; i++)
        add_stream(&total, traffic->streams[i]);
    return total;
}

/* Of what came back. */
static struct total returned(const struct traffic *traffic)
{
    struct total total = {.expected = 0};
    for (uint32_t i = 0; i < traffic->queues; i++)
        add_stream(&total, &traffic->returned[i]);
    return total;
}

static void total_json(struct json *json, const char *name, const struct total *total)
{
    json_object(json, name);
    json_u64(json, "expected", total->expected);
    json_u64(json, "unique", total->unique);
    json_u64(json, "lost", total->expected - total->unique);
    json_u64(json, "duplicates", total->duplicates);
    json_u64(json, "reordered", total->reordered);
    json_u64(json, "too_late", total->too_late);
    json_end(json);
}

static void times_json(struct json *json, const struct traffic_times *times)
{
    json_object(json, "round_trip_ns");
    json_u64(json, "count", times->count);
    json_u64(json, "min", times->least_ns);
    json_fixed(json, "mean", times->count == 0 ? 0 : times->sum_ns / (double)times->count, 1);
    json_u64(json, "p50", traffic_times_quantile(times, 0.5));
    json_u64(json, "p90", traffic_times_quantile(times, 0.9));
    json_u64(json, "p99", traffic_times_quantile(times, 0.99));
    json_u64(json, "p999", traffic_times_quantile(times, 0.999));
    json_u64(json, "max", times->most_ns);
    json_end(json);
}

static void interface_json(struct json *json, const struct netfront_statistics *s)
{
    json_object(json, "interface");
    json_u64(json, "tx_errors", s->tx_errors);
    json_u64(json, "tx_dropped", s->tx_dropped);
    json_u64(json, "tx_lost", s->tx_lost);
    json_u64(json, "tx_waits", s->tx_waits);
    json_u64(json, "rx_errors", s->rx_errors);
    json_u64(json, "kicks", s->kicks);
    json_u64(json, "upcalls", s->upcalls);
    json_u64(json, "reconnects", s->reconnects);
    json_end(json);
}

static void report_json(const struct traffic *traffic, const struct netfront_statistics *statistics)
{
    struct json json;
    char mac[MAC_TEXT_SIZE];
    uint8_t own[TRAFFIC_MAC_BYTES];
    const struct total came = incoming(traffic), back = returned(traffic);
    traffic_own_mac(traffic, own);
    mac_text_format(own, mac);
    json_start(&json, stdout, JSON_LINES);
    json_object(&json, NULL);
    json_string(&json, "mac", mac);
    json_u64(&json, "queues", traffic->queues);
    json_fixed(&json, "seconds", seconds(traffic), 9);
    json_u64(&json, "sent_frames", traffic->sent_frames);
    json_u64(&json, "sent_bytes", traffic->sent_bytes);
    json_u64(&json, "received_frames", traffic->received_frames);
    json_u64(&json, "received_bytes", traffic->received_bytes);
    json_u64(&json, "corrupt", traffic->corrupt);
    json_u64(&json, "foreign", traffic->foreign);
    json_u64(&json, "not_echoed", traffic->not_echoed);
    json_u64(&json, "streams", traffic->stream_count);
    json_u64(&json, "streams_ended", traffic->ended_count);
    total_json(&json, "incoming", &came);
    total_json(&json, "returned", &back);
    times_json(&json, traffic->round_trips);
    interface_json(&json, statistics);
    json_end(&json);
}

static void print_total(const char *name, const struct total *total)
{
    printf("%s: %" PRIu64 " of %" PRIu64 " frames, %" PRIu64 " lost, %" PRIu64 " twice, %" PRIu64
           " out of order, %" PRIu64 " too late\n",
           name, total->unique, total->expected, total->expected - total->unique, total->duplicates,
           total->reordered, total->too_late);
}

static void print_rate(const struct traffic *traffic, const char *what, uint64_t frames,
                       uint64_t bytes)
{
    const double s = seconds(traffic);
    printf("%s: %" PRIu64 " frames, %" PRIu64 " bytes in %.3f s of the domain's time", what, frames,
           bytes, s);
    if (s > 0)
        printf(": %.0f frames/s, %.3f Mbit/s", (double)frames / s, 8e-6 * (double)bytes / s);
    putchar('\n');
}

static void report_text(const struct traffic *traffic, const struct netfront_statistics *statistics)
{
    const struct traffic_times *times = traffic->round_trips;
    const struct total came = incoming(traffic), back = returned(traffic);
    if (traffic->options->sends)
        print_rate(traffic, "sent", traffic->sent_frames, traffic->sent_bytes);
    else
        print_rate(traffic, "received", traffic->received_frames, traffic->received_bytes);
    if (traffic->stream_count > 0)
        print_total("incoming", &came);
    if (back.unique > 0)
        print_total("returned", &back);
    if (times->count > 0)
        printf("round trip: min %.1f, mean %.1f, p50 %.1f, p99 %.1f, max %.1f us\n",
               (double)times->least_ns / 1e3, times->sum_ns / (double)times->count / 1e3,
               (double)traffic_times_quantile(times, 0.5) / 1e3,
               (double)traffic_times_quantile(times, 0.99) / 1e3, (double)times->most_ns / 1e3);
    printf("corrupt: %" PRIu64 "; foreign: %" PRIu64 "; dropped by Dom0: %" PRIu64
           "; lost with a Dom0: %" PRIu64 "\n",
           traffic->corrupt, traffic->foreign, statistics->tx_dropped, statistics->tx_lost);
}

void traffic_report(struct traffic *traffic)
{
    struct netfront_statistics statistics;
    netfront_statistics(traffic->session->nf, &statistics);
    pthread_mutex_lock(&traffic->lock);
    if (traffic->options->json)
        report_json(traffic, &statistics);
    else
        report_text(traffic, &statistics);
    pthread_mutex_unlock(&traffic->lock);
}
