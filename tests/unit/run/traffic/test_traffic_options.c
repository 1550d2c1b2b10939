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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_arguments_it_receives),
        cmocka_unit_test(all_is_taken),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
