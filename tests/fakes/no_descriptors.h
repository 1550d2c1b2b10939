/* SPDX-License-Identifier: MIT */
/* no_descriptors: this process has all the descriptors that it may have, until its limit is put
 * back. */
#ifndef SPLITDOM_TESTS_FAKES_NO_DESCRIPTORS_H
#define SPLITDOM_TESTS_FAKES_NO_DESCRIPTORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

/* Returns the limit to be put back: setrlimit(RLIMIT_NOFILE, ...). */
static inline struct rlimit take_descriptors_away(void)
{
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(0);
    assert_true(next >= 0);
    close(next);
    none = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    return before;
}

#endif
