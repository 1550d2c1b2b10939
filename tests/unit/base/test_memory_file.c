/* SPDX-License-Identifier: MIT */
/* memory_file: what kind of file it is, its seals, and what is not taken for one. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory_file.h"

enum { BOTH = F_SEAL_GROW | F_SEAL_SHRINK, KNOWN_BEFORE_6_3 = MFD_CLOEXEC | MFD_ALLOW_SEALING };

/* The linker sends the library's calls here. */
static unsigned int flags_known = ~0u;
static int error_always;
int __real_memfd_create(const char *name, unsigned int flags);
int __wrap_memfd_create(const char *name, unsigned int flags);
int __wrap_memfd_create(const char *name, unsigned int flags)
{
    errno = error_always != 0 ? error_always : EINVAL;
    return error_always != 0 || (flags & ~flags_known) != 0 ? -1 : __real_memfd_create(name, flags);
}

static void it_is_private_and_has_no_name(void **state)
{
    (void)state;
    struct stat st;
    int fd = memory_file_create("test");
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_nlink, 0);
    assert_int_equal(st.st_size, 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

static void an_older_kernel_gives_one_all_the_same(void **state)
{
    (void)state;
    flags_known = KNOWN_BEFORE_6_3;
    int fd = memory_file_create("test");
    flags_known = ~0u;
    assert_true(fd >= 0);
    assert_int_equal(memory_file_seal(fd, BOTH), 0);
    close(fd);
}

static void a_refusal_is_passed_on(void **state)
{
    (void)state;
    static const int errors[] = {ENOSYS, EPERM, EMFILE};
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        error_always = errors[i];
        assert_int_equal(memory_file_create("test"), -errors[i]);
    }
    error_always = 0;
}

static void seals_add_up_until_the_last(void **state)
{
    (void)state;
    int fd = memory_file_create("test");
    assert_int_equal(memory_file_check(fd, 0), 0);
    assert_int_equal(memory_file_check(fd, F_SEAL_GROW), -EBADFD);
    assert_int_equal(memory_file_seal(fd, F_SEAL_GROW), 0);
    assert_int_equal(memory_file_check(fd, F_SEAL_GROW), 0);
    assert_int_equal(memory_file_check(fd, BOTH), -EBADFD);
    assert_int_equal(memory_file_seal(fd, F_SEAL_SHRINK | F_SEAL_SEAL), 0);
    assert_int_equal(memory_file_check(fd, BOTH), 0);
    assert_int_equal(memory_file_seal(fd, F_SEAL_WRITE), -EPERM);
    close(fd);
}

static void other_descriptors_are_told_apart(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(memory_file_check(fds[0], 0), -EBADFD);
    assert_int_equal(memory_file_check(-1, 0), -EBADF);
    close(fds[0]);
    close(fds[1]);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_int_equal(memory_file_check(null, 0), -EBADFD);
    close(null);
    int huge = memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
    if (huge < 0)
        return; /* no huge pages here: nothing to tell apart */
    assert_int_equal(memory_file_seal(huge, BOTH), 0);
    assert_int_equal(memory_file_check(huge, BOTH), -EBADFD);
    close(huge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_private_and_has_no_name),
        cmocka_unit_test(an_older_kernel_gives_one_all_the_same),
        cmocka_unit_test(a_refusal_is_passed_on),
        cmocka_unit_test(seals_add_up_until_the_last),
        cmocka_unit_test(other_descriptors_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
