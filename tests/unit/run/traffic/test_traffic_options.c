/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "run/traffic/traffic_options.h"

static struct traffic_options options;
static struct why why;

/* Of up to seven arguments, in one text. */
static int parse(const char *text)
{
    static char copy[256];
    char *argv[9] = {(char *)"traffic"};
    int argc = 1;
    strncpy(copy, text, sizeof(copy) - 1);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = word;
    return traffic_options_parse(argc, argv, &options, &why);
}

static void without_arguments_it_receives(void **state)
{
    (void)state;
    assert_int_equal(parse(""), 0);
    assert_false(options.sends || options.echoes || options.json);
    assert_int_equal(options.size_min, TRAFFIC_FRAME_MIN);
    assert_int_equal(options.vif.queues, 1);
    assert_int_equal(options.linger_ns, 1000000000);
}

static void all_is_taken(void **state)
{
    (void)state;
    assert_int_equal(parse("--to=00:16:3E:00:af:01 --rate 5 --size=60-1514 --count 7"), 0);
    assert_true(options.sends);
    assert_memory_equal(options.to, "\x00\x16\x3e\x00\xaf\x01", 6);
    assert_int_equal(options.rate, 5);
    assert_int_equal(options.size_min, 60);
    assert_int_equal(options.size_max, 1514);
    assert_int_equal(options.count, 7);
    assert_int_equal(parse("--echo --json --seconds 0.5 --vif 3 --streams=2"), 0);
    assert_true(options.echoes && options.json);
    assert_int_equal(options.time_ns, 500000000);
    assert_int_equal(options.vif.devid, 3);
    assert_int_equal(options.streams, 2);
    assert_int_equal(parse("--gso 1448 --size 65000 --linger=0"), 0);
    assert_int_equal(options.gso_size, 1448);
    assert_int_equal(options.linger_ns, 0);
    assert_int_equal(parse("--queues 8"), 0);
    assert_int_equal(options.vif.queues, 8);
    assert_int_equal(parse("--queues 2 --to 00:16:3e:00:00:01 --size 88"), 0);
}

static void what_makes_no_sense_is_refused(void **state)
{
    static const char *const wrong[] = {"--to 00:16:3e:00:00",
                                        "--to 00:16:3e:00:00:0",
                                        "--to 00-16-3e-00-00-01",
                                        "--to 00:16:3e:00:00:01:02",
                                        "--size 59",
                                        "--size 65536",
                                        "--size 100-99",
                                        "--size 100-",
                                        "--rate 0",
                                        "--rate",
                                        "--seconds -1",
                                        "--seconds 1e3",
                                        "--wrong",
                                        "word",
                                        "--echo --to 00:16:3e:00:00:01",
                                        "--gso 1448 --size 60",
                                        "--gso 1448 --size 300-400",
                                        "--streams 65",
                                        "--queues 0",
                                        "--queues 9",
                                        "--queues 2 --to 00:16:3e:00:00:01",
                                        "--queues 2 --to 00:16:3e:00:00:01 --size 87",
                                        "--queues 2 --to 00:16:3e:00:00:01 --size 88-90"};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        why.text[0] = '\0';
        assert_int_equal(parse(wrong[i]), -EINVAL);
        assert_true(why.text[0] != '\0');
    }
}

static void the_bounds_of_each_number_are_allowed(void **state)
{
    static const struct {
        const char *words;
        size_t at, bytes;
        uint64_t value;
    } rows[] = {
#define OF(field) offsetof(struct traffic_options, field), sizeof(options.field)
        {"--rate 1", OF(rate), 1},
        {"--rate 1000000000", OF(rate), 1000000000},
        {"--size 60", OF(size_max), 60},
        {"--size 65535", OF(size_min), 65535},
        {"--size 60-65535", OF(size_max), 65535},
        {"--size 60-60", OF(size_max), 60},
        {"--gso 88 --size 65535", OF(gso_size), 88},
        {"--gso 65000 --size 65535", OF(gso_size), 65000},
        {"--count 1", OF(count), 1},
        {"--count 9223372036854775807", OF(count), INT64_MAX},
        {"--seconds 0.000000001", OF(time_ns), 1},
        {"--seconds 1000000", OF(time_ns), UINT64_C(1000000000000000)},
        {"--linger 1000000", OF(linger_ns), UINT64_C(1000000000000000)},
        {"--streams 1", OF(streams), 1},
        {"--streams 64", OF(streams), 64},
        {"--queues 1", OF(vif.queues), 1},
#undef OF
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value = 0;
        assert_int_equal(parse(rows[i].words), 0);
        memcpy(&value, (const char *)&options + rows[i].at, rows[i].bytes); /* little-endian */
        assert_int_equal(value, rows[i].value);
    }
}

static void numbers_beyond_their_bounds_are_refused(void **state)
{
    static const char *const wrong[] = {"--rate 1000000001",
                                        "--gso 87 --size 65535",
                                        "--gso 65001 --size 65535",
                                        "--count 0",
                                        "--count 9223372036854775808",
                                        "--seconds 1000000.1",
                                        "--seconds 0.0000000001",
                                        "--linger 1000001",
                                        "--streams 0",
                                        "--size -60",
                                        "--size 60-65536"};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(parse(wrong[i]), -EINVAL);
}

static void an_address_has_six_numbers_of_two_digits(void **state)
{
    static const char *const wrong[] = {"--to g0:16:3e:00:00:01", "--to 0g:16:3e:00:00:01",
                                        "--to 00:16:3e:00:00:0g", "--to 00:16:3e:00:00-01",
                                        "--to 00:16:3e:00:00:0:", "--to 00:16:3e:00:00:001"};
    (void)state;
    assert_int_equal(parse("--to aB:Cd:ef:98:76:50"), 0);
    assert_memory_equal(options.to, "\xab\xcd\xef\x98\x76\x50", 6);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(parse(wrong[i]), -EINVAL);
}

/* Who only receives may have queues for frames of any size. */
static void queues_ask_for_tcp_of_who_sends_alone(void **state)
{
    (void)state;
    assert_int_equal(parse("--queues 2 --size 60"), 0);
    assert_int_equal(parse("--queues 1 --to 00:16:3e:00:00:01 --size 60-70"), 0);
    assert_int_equal(parse("--gso 100 --size 199"), -EINVAL);
    assert_non_null(strstr(why.text, "--gso"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_arguments_it_receives),
        cmocka_unit_test(all_is_taken),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(the_bounds_of_each_number_are_allowed),
        cmocka_unit_test(numbers_beyond_their_bounds_are_refused),
        cmocka_unit_test(an_address_has_six_numbers_of_two_digits),
        cmocka_unit_test(queues_ask_for_tcp_of_who_sends_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
