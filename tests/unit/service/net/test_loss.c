/* SPDX-License-Identifier: MIT */
/* loss: binomial bounds of a seed, the lengths of bad times, one stream whatever the model. */
#include "service/net/loss.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FRAMES = 1000000 };

static struct net_loss_config config;

static void parse(const char *text)
{
    assert_int_equal(net_loss_parse(text, &config), 0);
}

static uint64_t lost_of(uint64_t seed)
{
    struct net_loss loss;
    uint64_t lost = 0;
    net_loss_init(&loss, seed);
    for (int i = 0; i < FRAMES; i++)
        lost += net_loss_loses(&loss, &config);
    return lost;
}

/* Five standard deviations: one seed in two million is outside of that. The seeds are fixed. */
static void losses_are_binomial(void **state)
{
    (void)state;
    parse("1%");
    for (uint64_t seed = 1; seed <= 5; seed++) {
        int64_t off = (int64_t)lost_of(seed) - FRAMES / 100;
        assert_true(off > -5 * 100 && off < 5 * 100); /* sqrt(n p (1-p)) is 99.5 */
    }
    assert_true(lost_of(1) != lost_of(2));
    assert_true(lost_of(1) == lost_of(1));
}

/* Bad p/(p+r) of the time; mean time there 1/r frames. */
static void bad_times_are_as_long_as_the_model_says(void **state)
{
    (void)state;
    parse("gemodel:1%:10%:70%:0.1%");
    struct net_loss loss;
    uint64_t lost = 0, bad = 0, entries = 0;
    bool was_bad = false;
    net_loss_init(&loss, 9);
    for (int i = 0; i < FRAMES; i++) {
        lost += net_loss_loses(&loss, &config);
        bad += loss.is_bad;
        entries += loss.is_bad && !was_bad;
        was_bad = loss.is_bad;
    }
    double share = (double)bad / FRAMES, length = (double)bad / (double)entries;
    assert_true(share > 1.0 / 11 * 0.97 && share < 1.0 / 11 * 1.03);
    assert_true(length > 9.7 && length < 10.3);
    double expected = share * 0.7 + (1 - share) * 0.001, found = (double)lost / FRAMES;
    assert_true(found > expected * 0.97 && found < expected * 1.03);
}

static void what_is_left_out_is_as_in_netem(void **state)
{
    (void)state;
    parse("gemodel:25%");
    assert_true(config.to_good.part == UINT64_MAX - config.to_bad.part);
    assert_true(config.bad_loss.part == UINT64_MAX && config.good_loss.part == 0);
    parse("gemodel:1%:2%:3%");
    assert_true(config.good_loss.part == 0);
}

static void wrong_models_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"gemodel:", "gemodel",   "gemodel:1%:2%:3%:4%:5%",
                                        "200%",     "gemodel:x", "state:1%"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_true(net_loss_parse(wrong[i], &config) < 0);
}

/* Another model begins in its good state: the bad one's chance is not that of a plain loss. */
static void a_plain_loss_does_not_follow_a_bad_time(void **state)
{
    (void)state;
    struct net_loss loss;
    net_loss_init(&loss, 1);
    parse("gemodel:100%:0%:100%");
    assert_true(net_loss_loses(&loss, &config));
    assert_true(loss.is_bad);
    parse("0%");
    for (int i = 0; i < 100; i++)
        assert_false(net_loss_loses(&loss, &config));
    parse("100%");
    for (int i = 0; i < 100; i++)
        assert_true(net_loss_loses(&loss, &config));
}

/* Whatever it is, it is not cut off and taken for a shorter one. */
static void a_model_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char text[600] = "gemodel:0.";
    memset(text + 10, '1', sizeof(text) - 11);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(net_loss_parse(text, &config), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_are_binomial),
        cmocka_unit_test(bad_times_are_as_long_as_the_model_says),
        cmocka_unit_test(what_is_left_out_is_as_in_netem),
        cmocka_unit_test(wrong_models_are_refused),
        cmocka_unit_test(a_plain_loss_does_not_follow_a_bad_time),
        cmocka_unit_test(a_model_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
