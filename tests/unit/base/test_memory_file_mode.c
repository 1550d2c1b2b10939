/* SPDX-License-Identifier: MIT */
/* memory_file: one that cannot be made private is none. */
#include <errno.h>

#include "base/memory_file.h"
#include "faults/fault_walk.h"

static void a_file_that_stays_open_to_others_is_none(void **state)
{
    const uint32_t descriptors = fault_open_descriptors();
    (void)state;
    fault_arm_call("fchmod", 1, EPERM);
    assert_int_equal(memory_file_create("test"), -EPERM);
    assert_string_equal(fault_disarm(), "fchmod");
    assert_int_equal(fault_open_descriptors(), descriptors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_stays_open_to_others_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
