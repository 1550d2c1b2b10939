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
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_has_the_agreed_form),
        cmocka_unit_test(a_run_without_time_has_no_rate),
        cmocka_unit_test(json_agrees_with_the_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
