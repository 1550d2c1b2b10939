/* SPDX-License-Identifier: MIT */
/* cache_claims: who is heard when, and what is counted. */
#include "service/block/cache/cache_claims.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { SOURCES = 3 };

struct talker {
    struct cache_source source;
    uint32_t heard;
    uint64_t reads; /* claimed each time */
};

static struct cache_claims claims;
static struct talker talkers[SOURCES];

static uint64_t take(struct cache_source *source, struct cache *cache)
{
    (void)cache;
    struct talker *talker = container_of(source, struct talker, source);
    talker->heard++;
    return talker->reads;
}

static int setup(void **state)
{
    (void)state;
    claims = (struct cache_claims){0};
    for (uint32_t i = 0; i < SOURCES; i++) {
        talkers[i] = (struct talker){.source = {.take = take}, .reads = i + 1};
        cache_claims_add(&claims, &talkers[i].source);
    }
    return 0;
}

static void nobody_is_heard_where_nobody_is(void **state)
{
    (void)state;
    struct cache_claims none = {0};
    cache_claims_hear(&none, NULL);
    assert_int_equal(cache_claims_count(&none, NULL), 0);
}

static void each_is_heard_in_turn(void **state)
{
    (void)state;
    for (uint32_t round = 1; round <= 4; round++) {
        for (uint32_t i = 0; i < SOURCES; i++) {
            cache_claims_hear(&claims, NULL);
            for (uint32_t j = 0; j < SOURCES; j++)
                assert_int_equal(talkers[j].heard, j <= i ? round : round - 1);
        }
    }
    assert_int_equal(claims.reads, 4 * (1 + 2 + 3));
}

static void the_count_has_all_that_was_noted(void **state)
{
    (void)state;
    assert_int_equal(cache_claims_count(&claims, NULL), CACHE_CLAIMS_SHARES * (1 + 2 + 3));
    for (uint32_t i = 0; i < SOURCES; i++)
        assert_int_equal(talkers[i].heard, CACHE_CLAIMS_SHARES);
}

static void whoever_leaves_is_heard_a_last_time(void **state)
{
    (void)state;
    cache_claims_remove(&claims, NULL, &talkers[1].source);
    assert_int_equal(talkers[1].heard, CACHE_CLAIMS_SHARES);
    assert_int_equal(claims.reads, CACHE_CLAIMS_SHARES * 2);
    for (uint32_t i = 0; i < 2 * SOURCES; i++)
        cache_claims_hear(&claims, NULL);
    assert_int_equal(talkers[1].heard, CACHE_CLAIMS_SHARES);
    assert_int_equal(talkers[0].heard, SOURCES);
    assert_int_equal(talkers[2].heard, SOURCES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_heard_where_nobody_is),
        cmocka_unit_test_setup(each_is_heard_in_turn, setup),
        cmocka_unit_test_setup(the_count_has_all_that_was_noted, setup),
        cmocka_unit_test_setup(whoever_leaves_is_heard_a_last_time, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
