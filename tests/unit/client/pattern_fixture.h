/* SPDX-License-Identifier: MIT */
/* pattern_fixture: a pattern from the words that a user would write. */
#ifndef SPLITDOM_TESTS_UNIT_CLIENT_PATTERN_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_CLIENT_PATTERN_FIXTURE_H

#include "client/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static inline struct pattern make(const char *text, uint64_t first, uint64_t last, uint32_t sectors,
                                  uint64_t seed, uint32_t thread, uint32_t threads)
{
    struct pattern_spec spec;
    struct pattern pattern;

    assert_int_equal(pattern_parse(text, &spec), 0);
    assert_int_equal(pattern_init(&pattern, &spec, first, last, sectors, seed, thread, threads), 0);
    return pattern;
}

#endif
