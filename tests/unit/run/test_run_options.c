/* SPDX-License-Identifier: MIT */
/* run_options: the command line of `domu run`. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "run/run_options.h"

enum { WORDS_MAX = 32 };

static char line[256], *words[WORDS_MAX];
static struct why why;

static int parse(const char *text, struct run_options *o)
{
    int count = 0;
    snprintf(line, sizeof(line), "run %s", text);
    memset(words, 0, sizeof(words));
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " "))
        words[count++] = word;
    return run_options_parse(count, words, o, &why);
}

static void assert_refused(const char *text, const char *word)
{
    struct run_options o;
    assert_int_equal(parse(text, &o), -EINVAL);
    if (strstr(why.text, word) == NULL)
        fail_msg("no '%s' in: %s", word, why.text);
}

static void a_network_is_an_interface_with_or_without_an_address(void **state)
{
    (void)state;
    struct run_options o;
    assert_int_equal(parse("ls", &o), 0);
    assert_false(o.vif.wanted);
    assert_int_equal(parse("--vif 3 --address=10.0.0.1/24 ls", &o), 0);
    assert_true(o.vif.wanted);
    assert_int_equal(o.vif.devid, 3);
    assert_string_equal(o.vif.address, "10.0.0.1/24");
    assert_refused("--vif x ls", "--vif");
    assert_refused("--vif 65536 ls", "65535");
    assert_refused("--address 10.0.0.1/24 ls", "--vif N");
}

static void options_end_where_the_program_begins(void **state)
{
    (void)state;
    struct run_options o;
    assert_int_equal(parse("sleep 1", &o), 0);
    assert_string_equal(o.program[0], "sleep");
    assert_string_equal(o.program[1], "1");
    assert_null(o.program[2]);
    assert_int_equal(o.tdf.num, 1);
    assert_int_equal(o.tdf.den, 1);
    assert_int_equal(o.share_num, 0);
    assert_int_equal(parse("--tdf 10 ls --tdf -- x", &o), 0);
    assert_string_equal(o.program[1], "--tdf");
    assert_string_equal(o.program[2], "--");
    assert_false(o.tsc);
    assert_int_equal(parse("--tsc -- --tdf", &o), 0);
    assert_true(o.tsc);
    assert_string_equal(o.program[0], "--tdf");
}

static void each_option_is_read(void **state)
{
    (void)state;
    struct run_options o;
    assert_int_equal(parse("--tdf=2.5 --cpu-share 10% --name=n --service-name s --rundir /r p", &o),
                     0);
    assert_int_equal(o.tdf.num, 5);
    assert_int_equal(o.tdf.den, 2);
    assert_int_equal(o.share_num, 1);
    assert_int_equal(o.share_den, 10);
    assert_string_equal(o.name, "n");
    assert_string_equal(o.service, "s");
    assert_string_equal(o.rundir, "/r");
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    assert_refused("", "which program");
    assert_refused("--", "which program");
    assert_refused("--tdf", "needs a value");
    assert_refused("--tdf 0 p", "--tdf");
    assert_refused("--tdf 2000 p", "--tdf");
    assert_refused("--cpu-share 2 p", "--cpu-share");
    assert_refused("--cpu-share 0 p", "--cpu-share");
    assert_refused("--name= p", "--name");
    assert_refused("--colour p", "--colour");
    assert_refused("--tdfx 1 p", "--tdfx");
    assert_refused("-t 1 p", "-t");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_end_where_the_program_begins),
        cmocka_unit_test(a_network_is_an_interface_with_or_without_an_address),
        cmocka_unit_test(each_option_is_read),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
