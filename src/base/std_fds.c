/* SPDX-License-Identifier: MIT */
#include "base/std_fds.h"

#include <fcntl.h>
#include <unistd.h>

void std_fds_fill(void)
{
    /* open gives the lowest free number, and all numbers below fd are in use by now. */
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}
