/* SPDX-License-Identifier: MIT */
/* image_align: what direct I/O is found to need where nobody says so, by trying. */
#include "service/block/engine/image_align.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "faults/fault.h"

static uint32_t block_bytes, memory_bytes;

static int find(int fd)
{
    block_bytes = memory_bytes = 0;
    return image_align_find(fd, &block_bytes, &memory_bytes);
}

/* A file that can be read in any way, and whose file system knows nothing of alignments. */
static int open_undemanding(void **state)
{
    (void)state;
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void the_smallest_that_works_is_taken(void **state)
{
    int fd = open_undemanding(state);
    int64_t blocks = fault_live_blocks();
    assert_int_equal(find(fd), 0);
    assert_int_equal(block_bytes, 512);
    assert_int_equal(memory_bytes, 512);
    fault_arm_call("pread", 1, EINVAL);
    assert_int_equal(find(fd), 0);
    fault_disarm();
    assert_int_equal(block_bytes, 4096);
    assert_int_equal(memory_bytes, 4096);
    assert_int_equal(fault_live_blocks(), blocks);
    close(fd);
}

static void where_none_works_there_is_no_direct_io(void **state)
{
    int fd = open_undemanding(state);
    fault_arm_call("pread", 0, EINVAL);
    assert_int_equal(find(fd), -ENOTSUP);
    fault_disarm();
    close(fd);
}

static void an_error_is_no_alignment(void **state)
{
    int fd = open_undemanding(state);
    int64_t blocks = fault_live_blocks();
    fault_arm_call("pread", 1, EIO);
    assert_int_equal(find(fd), -EIO);
    fault_arm_call("aligned_alloc", 1, ENOMEM);
    assert_int_equal(find(fd), -ENOMEM);
    fault_disarm();
    assert_int_equal(fault_live_blocks(), blocks);
    close(fd);
    assert_int_equal(find(fd), -EBADF);
}

#ifdef STATX_DIOALIGN
static void a_file_system_may_say_that_it_has_no_direct_io(void **state)
{
    int fd = open_undemanding(state);
    fault_arm_call("statx", 1, 0);
    assert_int_equal(find(fd), -ENOTSUP);
    fault_disarm();
    assert_int_equal(block_bytes, 0);
    close(fd);
}

/* Kernels and containers that do not know the call, or this part of it. */
static void a_kernel_that_does_not_know_the_question_is_not_asked(void **state)
{
    static const int errors[] = {ENOSYS, EINVAL, EPERM};
    int fd = open_undemanding(state);
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        fault_arm_call("statx", 1, errors[i]);
        assert_int_equal(find(fd), 0);
        assert_string_equal(fault_disarm(), "statx");
        assert_int_equal(block_bytes, 512);
    }
    fault_arm_call("statx", 1, EIO);
    assert_int_equal(find(fd), -EIO);
    fault_disarm();
    close(fd);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_that_works_is_taken),
        cmocka_unit_test(where_none_works_there_is_no_direct_io),
        cmocka_unit_test(an_error_is_no_alignment),
#ifdef STATX_DIOALIGN
        cmocka_unit_test(a_file_system_may_say_that_it_has_no_direct_io),
        cmocka_unit_test(a_kernel_that_does_not_know_the_question_is_not_asked),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
