/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/why.h"
#include "client/client_options.h"
#include "faults/fault.h"

enum { ARGUMENTS_MAX = 16 };

static struct why why;

/* Parses a line of arguments that are separated by single blanks. */
static int parse(const char *line, struct client_options *options)
{
    static char buffer[512];
    char *arguments[ARGUMENTS_MAX + 2] = {(char *)"client"};
    int count = 1;

    snprintf(buffer, sizeof(buffer), "%s", line);
    for (char *word = strtok(buffer, " "); word != NULL; word = strtok(NULL, " "))
        arguments[count++] = word;
    why.text[0] = '\0';
    return client_options_parse(count, arguments, options, &why);
}

static void assert_refused(const char *line, const char *reason)
{
    struct client_options options;

    assert_int_equal(parse(line, &options), -EINVAL);
    if (strstr(why.text, reason) == NULL)
        fail_msg("'%s': '%s' does not say '%s'", line, why.text, reason);
}

static void defaults(void **state)
{
    struct client_options options;

    (void)state;
    assert_int_equal(parse("4 100000", &options), 0);
    assert_int_equal(options.action, CLIENT_RUN);
    assert_int_equal(options.thread_count, 4);
    assert_int_equal(options.request_count, 100000);
    assert_int_equal(options.pattern.kind, PATTERN_UNIFORM);
    assert_int_equal(options.sectors_per_request, 1);
    assert_int_equal(options.depth, 0);
    assert_int_equal(options.queues, 1);
    assert_int_equal(options.duration_ns, 0);
    assert_true(options.record);
    assert_false(options.json || options.reconnect || options.no_spin || options.any_cpu);
    assert_int_equal(options.progress, CLIENT_PROGRESS_AUTO);
    assert_null(options.dump_path);
    assert_null(options.name);
    assert_null(options.rundir);
    assert_int_equal(options.tdf_num, options.tdf_den);
}

static void every_option_arrives(void **state)
{
    struct client_options o;

    (void)state;
    assert_int_equal(parse("--pattern hotset:5 1 --seed 7 --sectors-per-request 88 --depth 512 "
                           "--json --no-record --dump-latencies F",
                           &o),
                     -EINVAL); /* REQUESTS is missing */
    assert_int_equal(parse("--pattern hotset:5 1 --seed 7 9 --sectors-per-request 88 --depth 512 "
                           "--json --no-record",
                           &o),
                     0);
    assert_int_equal(o.pattern.kind, PATTERN_HOTSET);
    assert_string_equal(o.pattern_text, "hotset:5");
    assert_int_equal(o.seed, 7);
    assert_int_equal(o.request_count, 9);
    assert_int_equal(o.sectors_per_request, 88);
    assert_int_equal(o.depth, 512);
    assert_true(o.json && !o.record);
    assert_int_equal(
        parse("2 3 --dump-latencies F --progress --reconnect --no-spin --cpu any --tdf 1/100 "
              "--name N --rundir R",
              &o),
        0);
    assert_string_equal(o.dump_path, "F");
    assert_string_equal(o.name, "N");
    assert_string_equal(o.rundir, "R");
    assert_int_equal(o.progress, CLIENT_PROGRESS_ON);
    assert_true(o.reconnect && o.no_spin && o.any_cpu);
    assert_int_equal(o.tdf_num, 1);
    assert_int_equal(o.tdf_den, 100);
    assert_int_equal(parse("2 3 --write 30 --flush-every 7 --verify --rate 100 --disk xvdb", &o),
                     0);
    assert_int_equal(o.write_percent, 30);
    assert_int_equal(o.flush_every, 7);
    assert_true(o.verify);
    assert_int_equal(o.rate, 100);
    assert_int_equal(o.vdev, 51728);
    assert_int_equal(parse("2 3 --weight 65535 --domain-name web-1", &o), 0);
    assert_int_equal(o.weight, 65535);
    assert_string_equal(o.domain_name, "web-1");
    assert_int_equal(parse("2 3 --cpu any --cpu auto", &o), 0);
    assert_true(o.weight == 0 && o.domain_name == NULL);
    assert_true(o.write_percent == 0 && !o.verify && o.rate == 0 && o.vdev == 0);
    assert_false(o.any_cpu);
    assert_int_equal(parse("2 3 --pattern hotset:0.5:100 --duration 2.5", &o), 0);
    assert_true(o.pattern.hot_share_percent == 100);
    assert_int_equal(o.duration_ns, 2500000000);
    assert_int_equal(parse("2 3 --no-progress", &o), 0);
    assert_int_equal(o.progress, CLIENT_PROGRESS_OFF);
}

static void refuses_wrong_counts(void **state)
{
    (void)state;
    assert_refused("", "THREADS and REQUESTS are missing");
    assert_refused("1", "REQUESTS is missing");
    assert_refused("1 2 3", "too many");
    assert_refused("0 1", "THREADS");
    assert_refused("4097 1", "THREADS");
    assert_refused("x 1", "THREADS");
    assert_refused("-1 1", "negative");
    assert_refused("1 -1", "negative");
    assert_refused("1 0", "REQUESTS");
    assert_refused("1 1x", "REQUESTS");
    assert_refused("1 9223372036854775808", "REQUESTS");
    assert_refused("1 18446744073709551616", "REQUESTS");
    assert_refused("1 18446744073709551617", "REQUESTS");
}

static void refuses_wrong_options(void **state)
{
    (void)state;
    assert_refused("1 1 --pattern random", "--pattern");
    assert_refused("1 1 --seed x", "--seed");
    assert_refused("1 1 --sectors-per-request 0", "--sectors-per-request");
    assert_refused("1 1 --sectors-per-request 2049 --no-record", "--sectors-per-request");
    assert_refused("1 1 --sectors-per-request 1025", "--no-record");
    assert_refused("1 1 --write 101", "--write");
    assert_refused("1 1 --write 5%", "--write");
    assert_refused("1 1 --write 5 --flush-every 0", "--flush-every");
    assert_refused("1 1 --flush-every 1", "need --write");
    assert_refused("1 1 --sample 2", "needs --trace");
    assert_refused("1 1 --trace t.json --sample 0", "--sample");
    assert_refused("1 1 --verify", "need --write");
    assert_refused("1 1 --write 0 --verify", "need --write");
    assert_refused("1 1 --rate 0", "--rate");
    assert_refused("1 1 --rate 1000000001", "--rate");
    assert_refused("1 1 --disk xvd", "--disk");
    assert_refused("1 1 --cpu 1", "taskset");
    assert_refused("1 1 --depth 0", "--depth");
    assert_refused("1 1 --depth 513", "--depth");
    assert_refused("2 1 --queues 0", "--queues");
    assert_refused("2 1 --queues 9", "--queues");
    assert_refused("1 1 --depth 2 --queues 2", "not with --depth");
    assert_refused("2 1 --depth 2", "THREADS to be 1");
    assert_refused("2 1 --depth 1", "THREADS to be 1");
    assert_refused("1 1 --duration 0", "--duration");
    assert_refused("1 1 --duration 0.0", "--duration");
    assert_refused("1 1 --duration -1", "--duration");
    assert_refused("1 1 --duration 1s", "--duration");
    assert_refused("1 1 --duration 1000000001", "--duration");
    assert_refused("1 1 --tdf 0", "--tdf");
    assert_refused("1 1 --tdf 1001", "--tdf must be from 1/1000 to 1000");
    assert_refused("1 1 --tdf 1/1001", "--tdf");
    assert_refused("1 1 --seed", "needs a value");
    assert_refused("1 1 --json=1", "takes no value");
    assert_refused("1 1 --frobnicate", "--frobnicate");
    assert_refused("1 1 -q", "-q");
}

static void takes_the_limits(void **state)
{
    struct client_options options;

    (void)state;
    assert_int_equal(parse("4096 9223372036854775807", &options), 0);
    assert_int_equal(options.thread_count, 4096);
    assert_int_equal(options.request_count, INT64_MAX);
    assert_int_equal(parse("1 1 --seed 18446744073709551615", &options), 0);
    assert_true(options.seed == UINT64_MAX);
    assert_int_equal(parse("1 1 --seed 0", &options), 0);
    assert_int_equal(options.seed, 0);
}

static void draws_a_seed(void **state)
{
    struct client_options first, second;

    (void)state;
    assert_int_equal(parse("1 1", &first), 0);
    assert_int_equal(parse("1 1", &second), 0);
    assert_true(first.seed != second.seed);
}

static void help_and_version_need_nothing_else(void **state)
{
    struct client_options options;

    (void)state;
    assert_int_equal(parse("--help", &options), 0);
    assert_int_equal(options.action, CLIENT_HELP);
    assert_int_equal(parse("1 --version", &options), 0);
    assert_int_equal(options.action, CLIENT_VERSION);
}

static void the_ring_holds_all_that_is_in_flight(void **state)
{
    struct client_options options;

    (void)state;
    assert_int_equal(parse("9 1", &options), 0);
    assert_int_equal(client_options_ring_depth(&options), 9);
    assert_int_equal(parse("600 1", &options), 0);
    assert_int_equal(client_options_ring_depth(&options), 512);
    assert_int_equal(parse("9 1 --queues 2", &options), 0);
    assert_int_equal(options.queues, 2);
    assert_int_equal(client_options_ring_depth(&options), 5);
    assert_int_equal(parse("1 1 --depth 33", &options), 0);
    assert_int_equal(client_options_ring_depth(&options), 33);
}

static void the_usage_names_every_option(void **state)
{
    static const char *const names[] = {
        "--pattern",   "--seed",           "--sectors-per-request",
        "--depth",     "--queues",         "--json",
        "--no-record", "--dump-latencies", "--progress",
        "--no-spin",   "--no-progress",    "--reconnect",
        "--tdf",       "--name",           "--rundir",
        "--help",      "--version",        "--cpu",
        "--weight",    "--domain-name",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_non_null(strstr(client_options_usage(), names[i]));
}

static void each_output_is_chosen_alone(void **state)
{
    struct client_options options;

    (void)state;
    assert_int_equal(parse("--csv 4 100", &options), 0);
    assert_true(options.csv && !options.json);
    assert_int_equal(parse("--json 4 100", &options), 0);
    assert_true(options.json && !options.csv);
    assert_refused("--json --csv 4 100", "--json and --csv exclude each other");
    assert_refused("--domain-name= 4 100", "--domain-name must not be empty");
}

static void without_a_random_seed_one_must_be_given(void **state)
{
    struct client_options options;

    (void)state;
    fault_arm_call("getrandom", 1, ENOSYS);
    assert_int_equal(parse("1 1", &options), -ENOSYS);
    assert_string_equal(fault_disarm(), "getrandom");
    assert_non_null(strstr(why.text, "--seed"));
    fault_arm_call("getrandom", 1, ENOSYS);
    assert_int_equal(parse("1 1 --seed 5", &options), 0);
    assert_null(fault_disarm());
}

/* The pages that a domain has for large requests are no more than they are. */
static void large_requests_of_many_threads_take_turns(void **state)
{
    struct client_options options;

    (void)state;
    assert_int_equal(parse("64 1 --sectors-per-request 88", &options), 0);
    assert_int_equal(client_options_ring_depth(&options), 64);
    assert_int_equal(parse("64 1 --sectors-per-request 1024", &options), 0);
    assert_int_equal(client_options_ring_depth(&options), CLIENT_LARGE_PAGES * 8 / 1024);
    assert_int_equal(parse("1 1 --sectors-per-request 1024", &options), 0);
    assert_int_equal(client_options_ring_depth(&options), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_option_arrives),
        cmocka_unit_test(refuses_wrong_counts),
        cmocka_unit_test(refuses_wrong_options),
        cmocka_unit_test(takes_the_limits),
        cmocka_unit_test(draws_a_seed),
        cmocka_unit_test(help_and_version_need_nothing_else),
        cmocka_unit_test(the_ring_holds_all_that_is_in_flight),
        cmocka_unit_test(the_usage_names_every_option),
        cmocka_unit_test(each_output_is_chosen_alone),
        cmocka_unit_test(without_a_random_seed_one_must_be_given),
        cmocka_unit_test(large_requests_of_many_threads_take_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
