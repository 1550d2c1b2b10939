/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/block/engine/disk_model_config.h"

static struct disk_model_config parse(const char *text)
{
    struct disk_model_config config;
    struct why why = {0};

    memset(&config, 0xa5, sizeof(config));
    if (disk_model_config_parse(text, &config, &why) != 0)
        fail_msg("\"%s\" was refused: %s", text ? text : "", why.text);
    return config;
}

static void nothing_means_the_defaults(void **state)
{
    static const char *const texts[] = {NULL, ""};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct disk_model_config config = parse(texts[i]);

        assert_true(config.mean_ns == 200e3 && config.cv == 0.25);
        assert_true(config.write_ns == 200e3 && config.flush_ns == 200e3);
        assert_int_equal(config.law, DISK_MODEL_LOGNORMAL);
        assert_int_equal(config.channels, 1);
        assert_int_equal(config.requests_per_second, 0);
        assert_int_equal(config.bytes_per_second, 0);
        assert_true(config.error_probability == 0 && config.short_probability == 0);
        assert_true(config.stuck_probability == 0 && config.slow_probability == 0);
        assert_true(config.slow_ns == 0);
        assert_int_equal(config.seed, 1);
        assert_int_equal(config.data, DISK_MODEL_PATTERN);
    }
}

static void every_key_is_taken(void **state)
{
    struct disk_model_config config =
        parse("mean=1.5ms,write=2ms,flush=0,cv=0.5,law=lognormal,channels=8,iops=90000,mbps=2.5,"
              "error=0.01,"
              "short=0.002,stuck=1e-3,slow=0.25:10ms,seed=18446744073709551615,data=image");

    (void)state;
    assert_true(config.mean_ns == 1.5e6 && config.cv == 0.5);
    assert_true(config.write_ns == 2e6 && config.flush_ns == 0);
    assert_true(parse("mean=7us").write_ns == 7e3);
    assert_int_equal(config.law, DISK_MODEL_LOGNORMAL);
    assert_int_equal(config.channels, 8);
    assert_int_equal(config.requests_per_second, 90000);
    assert_int_equal(config.bytes_per_second, 2500000);
    assert_true(config.error_probability == 0.01 && config.short_probability == 0.002);
    assert_true(config.stuck_probability == 0.001 && config.slow_probability == 0.25);
    assert_true(config.slow_ns == 10e6);
    assert_true(config.seed == UINT64_MAX);
    assert_int_equal(config.data, DISK_MODEL_IMAGE);
}

static void names_are_taken(void **state)
{
    (void)state;
    assert_int_equal(parse("law=fixed").law, DISK_MODEL_FIXED);
    assert_int_equal(parse("law=exponential").law, DISK_MODEL_EXPONENTIAL);
    assert_int_equal(parse("data=pattern").data, DISK_MODEL_PATTERN);
}

static void a_drive_brings_its_own_times(void **state)
{
    static const char *const refused[] = {"drive=hp97561",
                                          "drive=hp97560,mean=1ms",
                                          "write=1ms,drive=hp97560",
                                          "drive=hp97560,cv=0.25",
                                          "law=fixed,drive=hp97560",
                                          "drive=hp97560,channels=2",
                                          "drive=hp97560,drive=hp97560"};
    struct disk_model_config config = parse("drive=hp97560,slow=0.1:5ms");
    struct why why;
    (void)state;
    assert_string_equal(config.drive->name, "hp97560");
    assert_true(config.flush_ns == 0 && parse("flush=3ms,drive=hp97560").flush_ns == 3e6);
    assert_null(parse("mean=1ms").drive);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(disk_model_config_parse(refused[i], &config, &why), -EINVAL);
}

static void times_have_units(void **state)
{
    (void)state;
    assert_true(parse("mean=7ns").mean_ns == 7);
    assert_true(parse("mean=7us").mean_ns == 7e3);
    assert_true(parse("mean=0.5s").mean_ns == 5e8);
    assert_true(parse("mean=1000s").mean_ns == 1e12);
    assert_true(parse("mean=0").mean_ns == 0);
}

static void bad_text_is_refused_and_named(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"speed=3", "speed"},
        {"mean", "mean"},
        {"mean=200", "mean=200"},
        {"mean=", "mean="},
        {"mean=-1us", "mean=-1us"},
        {"mean=us", "mean=us"},
        {"mean=1e4s", "1000s"},
        {"mean=1 us", "mean=1 us"},
        {"mean=200us,", "comma"},
        {",mean=200us", "\"\""},
        {"mean=200us,,cv=1", "\"\""},
        {"mean=200us,mean=1ms", "twice"},
        {"cv=nan", "cv=nan"},
        {"cv=inf", "cv=inf"},
        {"cv=0x1", "cv=0x1"},
        {"cv=1e", "cv=1e"},
        {"cv=101", "0 to 100"},
        {"cv=1e999", "cv=1e999"},
        {"law=normal", "exponential"},
        {"law=fixed,cv=0.5", "lognormal only"},
        {"cv=0.5,law=exponential", "lognormal only"},
        {"channels=0", "1 to 1024"},
        {"channels=1025", "1 to 1024"},
        {"channels=2.5", "channels=2.5"},
        {"iops=0", "iops=0"},
        {"iops=-5", "iops=-5"},
        {"iops=1000000001", "iops="},
        {"mbps=0", "mbps=0"},
        {"error=1.1", "probability"},
        {"error=-0.1", "probability"},
        {"error=0.5,short=0.3,stuck=0.3", "exceed 1"},
        {"slow=0.5", "0.01:10ms"},
        {"slow=0.5:", "0.01:10ms"},
        {"slow=:1ms", "0.01:10ms"},
        {"slow=2:1ms", "0.01:10ms"},
        {"seed=18446744073709551616", "2^64"},
        {"seed=-1", "2^64"},
        {"seed=abc", "2^64"},
        {"data=zeroes", "pattern or image"},
        {"mean=0000000000000000000000000000000000000000000000000000000000000000000001us", "long"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct disk_model_config config = {.seed = 4711};
        struct why why = {0};

        if (disk_model_config_parse(cases[i].text, &config, &why) != -EINVAL)
            fail_msg("\"%s\" was taken", cases[i].text);
        if (!strstr(why.text, cases[i].words))
            fail_msg("\"%s\": \"%s\" lacks \"%s\"", cases[i].text, why.text, cases[i].words);
        assert_int_equal(config.seed, 4711);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_means_the_defaults),
        cmocka_unit_test(every_key_is_taken),
        cmocka_unit_test(names_are_taken),
        cmocka_unit_test(a_drive_brings_its_own_times),
        cmocka_unit_test(times_have_units),
        cmocka_unit_test(bad_text_is_refused_and_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
