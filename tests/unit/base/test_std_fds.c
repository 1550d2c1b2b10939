/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/std_fds.h"

/* Which of the three the caller leaves closed: bit fd. In a child: the exit code says which of them
 * is not as it should be afterwards. */
static int fill_with_closed(unsigned closed)
{
    const pid_t child = fork();
    int status;

    if (child == 0) {
        char byte = 'x';
        for (int fd = 0; fd < 3; fd++) {
            if (closed >> fd & 1)
                close(fd);
        }
        std_fds_fill();
        int next = open("/dev/zero", O_RDWR);
        if (next < 3)
            _exit(1);
        for (int fd = 0; fd < 3; fd++) {
            if ((closed >> fd & 1) == 0)
                continue;
            ssize_t n = fd == STDIN_FILENO ? read(fd, &byte, 1) : write(fd, &byte, 1);
            if (n >= 0 || errno != EBADF)
                _exit(2);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void no_later_file_gets_a_standard_descriptor(void **state)
{
    (void)state;
    for (unsigned closed = 0; closed < 8; closed++)
        assert_int_equal(fill_with_closed(closed), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_later_file_gets_a_standard_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
