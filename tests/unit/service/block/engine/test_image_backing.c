/* SPDX-License-Identifier: MIT */
/* image_backing: which images are kept in memory. */
#include "service/block/engine/image_backing.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "faults/fault.h"

static void a_file_of_a_tmpfs_is_in_memory(void **state)
{
    (void)state;
    int fd = memfd_create("image", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(image_backing_is_memory(fd));
    close(fd);
}

static void a_file_of_another_file_system_is_not(void **state)
{
    (void)state;
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_false(image_backing_is_memory(fd));
    close(fd);
}

static void what_nobody_can_say_is_not(void **state)
{
    static const char *const calls[] = {"fstat", "fstatfs"};
    int fd = memfd_create("image", MFD_CLOEXEC);
    (void)state;
    for (int i = 0; i < 2; i++) {
        fault_arm_call(calls[i], 1, EIO);
        assert_false(image_backing_is_memory(fd));
        assert_string_equal(fault_disarm(), calls[i]);
    }
    close(fd);
    assert_false(image_backing_is_memory(fd));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_of_a_tmpfs_is_in_memory),
        cmocka_unit_test(a_file_of_another_file_system_is_not),
        cmocka_unit_test(what_nobody_can_say_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
