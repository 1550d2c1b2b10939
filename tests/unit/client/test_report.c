/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_has_the_agreed_form),
        cmocka_unit_test(a_run_without_time_has_no_rate),
        cmocka_unit_test(json_agrees_with_the_line),
        cmocka_unit_test(each_percentile_is_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
