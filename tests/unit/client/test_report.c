/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/report.h"

/* Latencies 2, 4, 4, 4, 5, 5, 7, 9 thousand: mean 5000, deviation 2000. */
static struct workload_result known_result(void)
{
    static const uint64_t values[] = {2, 4, 4, 4, 5, 5, 7, 9};
    struct workload_result result = {.answered_count = 8, .running_ns = 960000, .real_ns = 1000000};

    lat_stats_init(&result.latency);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        lat_stats_add(&result.latency, values[i] * 1000);
    return result;
}

static void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no '%s' in: %s", part, text);
}

static void the_line_has_the_agreed_form(void **state)
{
    const struct workload_result result = known_result();
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    (void)state;
    report_line(out, &result);
    fclose(out);
    assert_string_equal(text, "9000|5000|2000|2000.0|8333.3\n");
    free(text);
}

static void a_run_without_time_has_no_rate(void **state)
{
    struct workload_result result = known_result();

    (void)state;
    result.running_ns = 0;
    assert_true(report_requests_per_second(&result) == 0);
}

static void json_agrees_with_the_line(void **state)
{
    const struct workload_result result = known_result();
    const struct client_options options = {.thread_count = 2,
                                           .request_count = 8,
                                           .pattern_text = "a\"b\\c\n",
                                           .seed = UINT64_MAX,
                                           .sectors_per_request = 3,
                                           .record = true,
                                           .tdf_num = 1,
                                           .tdf_den = 100};
    const struct blkfront_stats stats = {.kicks = 11, .spins_lost = 12, .ring_entries = 32};
    const struct blkfront_geometry geometry = {.last_sector = 2047};
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    (void)state;
    report_json(out, &options, &result, &stats, &geometry);
    fclose(out);
    assert_contains(text, "\"line\": \"9000|5000|2000|2000.0|8333.3\"");
    assert_contains(text, "\"min\": 2000, \"max\": 9000, \"mean\": 5000.000, \"stddev\": 2000.000");
    assert_contains(text, "\"requests_per_second\": 8333.3");
    assert_contains(text, "\"bytes_per_second\": 12800000");
    assert_contains(text, "\"seed\": 18446744073709551615");
    assert_contains(text, "\"pattern\": \"a\\\"b\\\\c\\u000a\"");
    assert_contains(text, "\"tdf\": {\"num\": 1, \"den\": 100}");
    assert_contains(text, "\"mode\": \"blocking\",\n  \"depth\": 2");
    assert_contains(text, "\"kicks\": 11");
    assert_contains(text, "\"ring_entries\": 32");
    assert_contains(text, "\"last_sector\": 2047");
    assert_contains(text, "\"requests\": 8,\n  \"sectors_per_request\": 3");
    free(text);
}

static void each_percentile_is_its_own(void **state)
{
    struct workload_result result = {.answered_count = 10000};
    const struct client_options options = {.pattern_text = "uniform"};
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    (void)state;
    lat_stats_init(&result.latency);
    double ns_of_rank = 1000;
    for (int percent = 1; percent <= 100; percent++, ns_of_rank *= 1.2) {
        for (int i = 0; i < 100; i++)
            lat_stats_add(&result.latency, (uint64_t)ns_of_rank);
    }
    report_json(out, &options, &result, &(struct blkfront_stats){0},
                &(struct blkfront_geometry){0});
    fclose(out);
    static const struct {
        const char *name;
        double percent;
    } points[] = {{"p1", 1},   {"p10", 10}, {"p25", 25}, {"p50", 50},     {"p75", 75},
                  {"p90", 90}, {"p95", 95}, {"p99", 99}, {"p99_9", 99.9}, {"p99_99", 99.99}};
    uint64_t last = 0;
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        char expected[64];
        uint64_t ns = lat_stats_percentile(&result.latency, points[i].percent);
        snprintf(expected, sizeof(expected), "\"%s\": %llu", points[i].name,
                 (unsigned long long)ns);
        assert_contains(text, expected);
        assert_true(ns > last || points[i].percent > 99); /* so that none stands for another */
        last = ns;
    }
    free(text);
}

static char *json_of(const struct client_options *options, const struct workload_result *result)
{
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    report_json(out, options, result, &(struct blkfront_stats){0}, &(struct blkfront_geometry){0});
    fclose(out);
    return text;
}

struct histogram {
    size_t count;
    unsigned long long bucket[64][3]; /* first, last, count */
};

/* Of the member's object, as a reader of the documented form takes it. */
static struct histogram read_histogram(const char *json, const char *member)
{
    struct histogram histogram = {0};
    const char *at = strstr(json, member);

    assert_non_null(at);
    at = strstr(at, "\"histogram\": [");
    assert_non_null(at);
    at += strlen("\"histogram\": [");
    for (int length; *at != ']'; at += length + (at[length] == ',' ? 2 : 0)) {
        unsigned long long *bucket = histogram.bucket[histogram.count++];

        assert_true(histogram.count < 64);
        length = 0;
        sscanf(at, "[%llu, %llu, %llu]%n", &bucket[0], &bucket[1], &bucket[2], &length);
        assert_true(length > 0);
    }
    return histogram;
}

static void add_histogram(struct histogram *into, const struct histogram *from)
{
    for (size_t i = 0; i < from->count; i++) {
        size_t at = 0;

        while (at < into->count && into->bucket[at][0] < from->bucket[i][0])
            at++;
        if (at < into->count && into->bucket[at][0] == from->bucket[i][0]) {
            into->bucket[at][2] += from->bucket[i][2];
            continue;
        }
        memmove(into->bucket[at + 1], into->bucket[at],
                (into->count - at) * sizeof(into->bucket[0]));
        memcpy(into->bucket[at], from->bucket[i], sizeof(into->bucket[0]));
        into->count++;
    }
}

static void merged_histograms_are_that_of_the_union(void **state)
{
    static const uint64_t values[] = {0,    127,      128,        129,  5000,
                                      5001, 1u << 20, UINT64_MAX, 5000, 131};
    const struct client_options options = {.pattern_text = "uniform"};
    struct workload_result run[2] = {0}, both = {0};
    struct histogram merged, whole, other;
    char *text[3];

    (void)state;
    lat_stats_init(&run[0].latency);
    lat_stats_init(&run[1].latency);
    lat_stats_init(&both.latency);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        lat_stats_add(&run[i % 2].latency, values[i]);
        lat_stats_add(&both.latency, values[i]);
    }
    text[0] = json_of(&options, &run[0]);
    text[1] = json_of(&options, &run[1]);
    text[2] = json_of(&options, &both);
    merged = read_histogram(text[0], "\"latency_ns\"");
    other = read_histogram(text[1], "\"latency_ns\"");
    whole = read_histogram(text[2], "\"latency_ns\"");
    assert_int_not_equal(merged.count, whole.count);
    add_histogram(&merged, &other);
    assert_int_equal(merged.count, whole.count);
    assert_memory_equal(merged.bucket, whole.bucket, whole.count * sizeof(whole.bucket[0]));
    for (int i = 0; i < 3; i++)
        free(text[i]);
}

static void reads_and_writes_have_histograms_of_their_own(void **state)
{
    const struct client_options options = {.pattern_text = "uniform", .write_percent = 50};
    struct workload_result result = {0};
    struct histogram reads, writes, all;
    char *text;

    (void)state;
    lat_stats_init(&result.latency);
    lat_stats_init(&result.counts.read);
    lat_stats_init(&result.counts.write);
    lat_stats_init(&result.counts.flush);
    lat_stats_add(&result.counts.read, 10);
    lat_stats_add(&result.counts.write, 256);
    lat_stats_merge(&result.latency, &result.counts.read);
    lat_stats_merge(&result.latency, &result.counts.write);
    text = json_of(&options, &result);
    all = read_histogram(text, "\"latency_ns\"");
    reads = read_histogram(text, "\"read_latency_ns\"");
    writes = read_histogram(text, "\"write_latency_ns\"");
    assert_int_equal(read_histogram(text, "\"flush_latency_ns\"").count, 0);
    assert_int_equal(all.count, 2);
    assert_int_equal(reads.count, 1);
    assert_int_equal(writes.count, 1);
    assert_int_equal(reads.bucket[0][0], 10);
    assert_int_equal(reads.bucket[0][1], 10);
    assert_int_equal(writes.bucket[0][0], 256);
    assert_int_equal(writes.bucket[0][1], 259);
    free(text);
}

/* The status, and what stands on stderr. */
static int failures(const struct workload_result *result, const char *failure, bool writes,
                    int signal, char text[512])
{
    FILE *out = stderr;

    memset(text, 0, 512);
    stderr = fmemopen(text, 512, "w");
    assert_non_null(stderr);
    int status = report_failures(result, failure, writes, signal);
    fclose(stderr);
    stderr = out;
    return status;
}

/* Each by itself makes the client fail, and says why. */
static void no_failure_goes_unnoticed(void **state)
{
    char text[512];

    (void)state;
    struct workload_result result = known_result();
    assert_int_equal(failures(&result, "", false, 0, text), EXIT_SUCCESS);
    assert_string_equal(text, "");
    result.device_error = -ENOTCONN;
    assert_int_equal(failures(&result, "", false, 0, text), EXIT_FAILURE);
    assert_contains(text, strerror(ENOTCONN));
    assert_int_equal(failures(&result, "Dom0 has gone", false, 0, text), EXIT_FAILURE);
    assert_string_equal(text, "client: Dom0 has gone\n");
    result = known_result();
    result.verify_error = -ENOMEM;
    assert_int_equal(failures(&result, "", true, 0, text), EXIT_FAILURE);
    assert_contains(text, "out of memory");
    result.verify_error = -EILSEQ;
    result.mismatch.sector = 77;
    assert_int_equal(failures(&result, "", true, 0, text), EXIT_FAILURE);
    assert_contains(text, "sector 77 does not hold what was written");
    result = known_result();
    result.failed_count = 3;
    assert_int_equal(failures(&result, "", false, 0, text), EXIT_FAILURE);
    assert_string_equal(text, "client: 3 of 8 reads failed\n");
    assert_int_equal(failures(&result, "", true, 0, text), EXIT_FAILURE);
    assert_string_equal(text, "client: 3 of 8 requests failed\n");
    result.failed_count = 0;
    assert_int_equal(failures(&result, "", true, SIGTERM, text), 128 + SIGTERM);
    assert_string_equal(text, "client: ended by SIGTERM\n");
}

/* A field with a comma or a quote in it is quoted, as spreadsheets read it. */
static void csv_has_a_head_and_a_line_for_the_run(void **state)
{
    const struct workload_result result = known_result();
    struct client_options options = {.thread_count = 3,
                                     .depth = 4,
                                     .pattern_text = "uniform",
                                     .seed = 9,
                                     .tdf_num = 5,
                                     .tdf_den = 2,
                                     .sectors_per_request = 8};
    static const char *const patterns[][2] = {
        {"uniform", "uniform"}, {"hot:10,90", "\"hot:10,90\""}, {"file:a\"b", "\"file:a\"\"b\""}};
    char *text, line[128];
    size_t length;

    (void)state;
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        FILE *out = open_memstream(&text, &length);
        options.pattern_text = patterns[i][0];
        report_csv(out, &options, &result);
        fclose(out);
        assert_int_equal(strncmp(text, "threads,depth,pattern,seed,tdf,", 31), 0);
        snprintf(line, sizeof(line), "\n3,4,%s,9,5/2,8,8,0,960000,8333.3,2000,5000.000,2000.000,",
                 patterns[i][1]);
        assert_contains(text, line);
        free(text);
    }
}

static void json_has_the_rate_that_was_asked_for(void **state)
{
    const struct workload_result result = known_result();
    struct client_options options = {.thread_count = 1, .pattern_text = "uniform", .rate = 250};

    (void)state;
    char *text = json_of(&options, &result);
    assert_contains(text, "\"rate\": 250");
    free(text);
    options.rate = 0;
    text = json_of(&options, &result);
    assert_null(strstr(text, "\"rate\":"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_has_the_agreed_form),
        cmocka_unit_test(a_run_without_time_has_no_rate),
        cmocka_unit_test(json_agrees_with_the_line),
        cmocka_unit_test(each_percentile_is_its_own),
        cmocka_unit_test(merged_histograms_are_that_of_the_union),
        cmocka_unit_test(reads_and_writes_have_histograms_of_their_own),
        cmocka_unit_test(no_failure_goes_unnoticed),
        cmocka_unit_test(csv_has_a_head_and_a_line_for_the_run),
        cmocka_unit_test(json_has_the_rate_that_was_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
