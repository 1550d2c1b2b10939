/* SPDX-License-Identifier: MIT */
/*
 * fault_walk: what one function does where the machine has run out of something, for unit tests.
 *
 *     static int make(void *arg) { ... return rc; }     what is to be tested, and its undoing
 *     assert_true(fault_walk(make, arg) > 3);           it has asked for more than three things
 *
 * Each call of make for memory, descriptors, threads and the like fails once, the first one first.
 * make must then return a value below 0, and leave neither memory nor descriptors behind; when
 * nothing fails, 0. What make may do without (a hint, a trace) it tells as 0 with may_do_without.
 */
#ifndef SPLITDOM_TESTS_FAULTS_FAULT_WALK_H
#define SPLITDOM_TESTS_FAULTS_FAULT_WALK_H

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "faults/fault.h"

/* Nothing is left of what was made. A thread of the test's own, a fake Dom0, may have something in
 * its hands for a moment, or have given back what it had: what make leaves stays. */
static inline bool fault_walk_is_clean(int64_t blocks, uint32_t descriptors)
{
    for (int ms = 0; ms < 10000; ms++) {
        if (fault_live_blocks() <= blocks && fault_open_descriptors() <= descriptors)
            return true;
        (void)poll(NULL, 0, 1);
    }
    return false;
}

static inline uint64_t fault_walk_over(int (*make)(void *arg), void *arg, bool may_do_without)
{
    assert_int_equal(make(arg), 0); /* what the library keeps for later is there now */
    for (uint64_t n = 1;; n++) {
        const int64_t blocks = fault_live_blocks();
        const uint32_t descriptors = fault_open_descriptors();
        fault_arm(n, FAULT_ONCE);
        int rc = make(arg);
        const char *where = fault_disarm();
        if (where == NULL) {
            assert_int_equal(rc, 0);
            return n - 1;
        }
        if (rc > 0 || (rc == 0 && !may_do_without))
            fail_msg("call %d, %s, fails, and the answer is %d", (int)n, where, rc);
        if (!fault_walk_is_clean(blocks, descriptors))
            fail_msg("call %d, %s, fails: left: %d blocks, %d descriptors", (int)n, where,
                     (int)(fault_live_blocks() - blocks),
                     (int)(fault_open_descriptors() - descriptors));
    }
}

/* The number of calls that failed. */
static inline uint64_t fault_walk(int (*make)(void *arg), void *arg)
{
    return fault_walk_over(make, arg, false);
}

static inline uint64_t fault_walk_may_do_without(int (*make)(void *arg), void *arg)
{
    return fault_walk_over(make, arg, true);
}

#endif
