/* SPDX-License-Identifier: MIT */
/* chance: text to parts, and hits within binomial bounds. */
#include "service/net/chance.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void text_is_exact(void **state)
{
    (void)state;
    struct net_chance chance;
    static const struct {
        const char *text;
        uint64_t part;
    } chances[] = {{"0", 0},
                   {"0%", 0},
                   {"1", UINT64_MAX},
                   {"100%", UINT64_MAX},
                   {"0.5", UINT64_C(1) << 63},
                   {"50%", UINT64_C(1) << 63},
                   {"25%", UINT64_C(1) << 62},
                   {"1%", UINT64_C(184467440737095516)}};
    for (size_t i = 0; i < sizeof(chances) / sizeof(chances[0]); i++) {
        assert_int_equal(net_chance_parse(chances[i].text, &chance), 0);
        assert_true(chance.part == chances[i].part);
    }
    static const char *const wrong[] = {"", "%", "x", "-1%", "101%", "1.5", "1 %", ".5", "5%%"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_true(net_chance_parse(wrong[i], &chance) < 0);
}

static void never_and_always_are_so(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 3, 0);
    const struct net_chance never = {0}, always = {UINT64_MAX};
    for (int i = 0; i < 1000; i++) {
        assert_false(net_chance_hits(never, &prng));
        assert_true(net_chance_hits(always, &prng));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_exact),
        cmocka_unit_test(never_and_always_are_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
