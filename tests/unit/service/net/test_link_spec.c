/* SPDX-License-Identifier: MIT */
/* link_spec: words of a link, there and back. */
#include "service/net/link_spec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct net_link_spec spec;
static struct why why;

static int begin(void **state)
{
    (void)state;
    net_link_spec_init(&spec);
    return 0;
}

static void apply(const char *words)
{
    assert_int_equal(net_link_spec_apply(&spec, words, &why), 0);
}

static void words_change_what_they_name(void **state)
{
    (void)state;
    apply("rate=10Mbit delay=10ms,jitter=1ms:normal loss=0.1% queue=64kb ecn=on");
    for (int i = 0; i < NET_WAYS; i++) {
        const struct net_pipe_config *c = &spec.way[i];
        assert_int_equal(c->rate_bps, 10000000);
        assert_int_equal(c->delay_ns, 10000000);
        assert_int_equal(c->jitter_ns, 1000000);
        assert_int_equal(c->law, NET_JITTER_NORMAL);
        assert_int_equal(c->queue.limit_bytes, 65536);
        assert_true(c->queue.ecn);
    }
    apply("rate=none delay=5ms"); /* the rest stays */
    assert_int_equal(spec.way[0].rate_bps, 0);
    assert_int_equal(spec.way[0].jitter_ns, 1000000);
    assert_false(spec.is_real);
    apply("frame=real");
    assert_true(spec.is_real);
}

static void a_way_has_words_of_its_own(void **state)
{
    (void)state;
    apply("delay=1ms way=up rate=1Mbit way=down rate=10Mbit way=both overhead=24 seed=5");
    assert_int_equal(spec.way[NET_WAY_UP].rate_bps, 1000000);
    assert_int_equal(spec.way[NET_WAY_DOWN].rate_bps, 10000000);
    assert_int_equal(spec.way[NET_WAY_UP].overhead_bytes, 24);
    assert_int_equal(spec.way[NET_WAY_UP].seed, 5);
    assert_int_equal(spec.way[NET_WAY_DOWN].seed, 6); /* no luck in common */
}

static void reds_weight_is_that_of_tc(void **state)
{
    (void)state;
    /* tc qdisc add ... red min 30000 max 90000 avpkt 1000 burst 55: ewma 5 */
    apply("aqm=red:30000b:90000b:2%:55");
    assert_int_equal(spec.way[0].queue.red.weight_log, 5);
    assert_int_equal(spec.way[0].queue.red.probability, 85899345);
    apply("aqm=codel");
    assert_int_equal(spec.way[0].queue.codel.target_ns, 5000000);
    assert_int_equal(spec.way[0].queue.codel.interval_ns, 100000000);
    apply("aqm=droptail");
    assert_int_equal(spec.way[0].queue.aqm, NET_AQM_DROPTAIL);
}

static void text_gives_the_same_link_again(void **state)
{
    (void)state;
    static const char *const links[] = {
        "",
        "rate=10000000bit delay=10000000ns jitter=1000000ns:pareto loss=0.1% duplicate=1% "
        "reorder=25%:5 queue=100",
        "overhead=24 loss=gemodel:1%:10%:70%:0.1% queue=65536b aqm=codel:5000000ns:100000000ns "
        "ecn=on",
    };
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        char text[512];
        net_link_spec_init(&spec);
        apply(links[i]);
        net_link_spec_format(&spec.way[0], text, sizeof(text));
        assert_string_equal(text, links[i]);
    }
}

static void what_is_wrong_changes_nothing(void **state)
{
    (void)state;
    static const char *const wrong[] = {"rate=fast",
                                        "delay=10h",
                                        "jitter=1ms:gauss",
                                        "loss=200%",
                                        "queue=0",
                                        "queue=0b",
                                        "aqm=red",
                                        "aqm=red:2kb:1kb:2%",
                                        "aqm=codel:x",
                                        "ecn=yes",
                                        "way=left",
                                        "frame=dom",
                                        "seed=-1",
                                        "nonsense",
                                        "ratee=1",
                                        "=1",
                                        "overhead=65536",
                                        "reorder=1%:0",
                                        "delay="};
    apply("delay=3ms");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char words[128];
        snprintf(words, sizeof(words), "delay=9ms %s", wrong[i]);
        assert_int_equal(net_link_spec_apply(&spec, words, &why), -EINVAL);
        assert_non_null(strstr(why.text, wrong[i]));
        assert_int_equal(spec.way[0].delay_ns, 3000000);
    }
}

/* 127 bytes fit; one more is refused for its length. */
static void a_word_that_is_too_long_is_refused_as_such(void **state)
{
    (void)state;
    char words[256];
    memset(words, '0', sizeof(words));
    memcpy(words, "seed=", 5);
    words[127] = '\0';
    words[126] = '9';
    apply(words);
    words[126] = '0';
    words[127] = '9';
    words[128] = '\0';
    assert_int_equal(net_link_spec_apply(&spec, words, &why), -EINVAL);
    assert_non_null(strstr(why.text, "too long"));
    assert_int_equal(spec.way[0].seed, 9);
}

/* RED's average ages by as many frames as an idle link would have carried: of 1000 bytes, as tc. */
static void an_idle_link_ages_by_frames_of_its_rate(void **state)
{
    (void)state;
    apply("rate=8Mbit aqm=red:30kb:90kb:2%");
    assert_int_equal(spec.way[0].queue.red.idle_frame_ns, 1000000);
    apply("rate=80Mbit");
    assert_int_equal(spec.way[0].queue.red.idle_frame_ns, 100000);
    apply("rate=none"); /* and never by a division by 0 */
    assert_int_equal(spec.way[0].queue.red.idle_frame_ns, 1);
}

static void jitter_without_a_law_is_uniform(void **state)
{
    (void)state;
    apply("jitter=1ms:normal");
    assert_int_equal(spec.way[0].law, NET_JITTER_NORMAL);
    apply("jitter=2ms");
    assert_int_equal(spec.way[0].law, NET_JITTER_UNIFORM);
    assert_int_equal(spec.way[0].jitter_ns, 2000000);
}

#define WITH_SPEC(test) cmocka_unit_test_setup(test, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SPEC(words_change_what_they_name),
        WITH_SPEC(a_way_has_words_of_its_own),
        WITH_SPEC(reds_weight_is_that_of_tc),
        WITH_SPEC(text_gives_the_same_link_again),
        WITH_SPEC(what_is_wrong_changes_nothing),
        WITH_SPEC(a_word_that_is_too_long_is_refused_as_such),
        WITH_SPEC(an_idle_link_ages_by_frames_of_its_rate),
        WITH_SPEC(jitter_without_a_law_is_uniform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
