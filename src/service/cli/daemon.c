/* SPDX-License-Identifier: MIT */
#include "service/cli/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct report {
    int32_t error; /* 0: ready */
    struct why why;
};

/* The report fits into a pipe at once (PIPE_BUF): it is read whole or not at all. */
_Static_assert(sizeof(struct report) <= 4096, "a report must be written atomically");

static int wait_report(int fd, pid_t child, struct why *why)
{
    struct report report;
    ssize_t count;
    int status = 0;

    do
        count = read(fd, &report, sizeof(report));
    while (count < 0 && errno == EINTR);
    if (count == (ssize_t)sizeof(report) && report.error == 0)
        return DAEMON_PARENT;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (count == (ssize_t)sizeof(report)) {
        *why = report.why;
        return report.error;
    }
    if (WIFSIGNALED(status))
        return why_fail(why, -ECHILD, "it was killed by SIG%s while starting",
                        sigabbrev_np(WTERMSIG(status)));
    return why_fail(why, -ECHILD, "it ended with status %d while starting", WEXITSTATUS(status));
}

/* Only the pipe and the three standard descriptors stay open: inherited descriptors (a shell's lock
 * files, a build's job server) must not stay open as long as the daemon runs. */
static void close_inherited(int keep_fd)
{
    if (keep_fd > STDERR_FILENO + 1)
        close_range(STDERR_FILENO + 1, (unsigned)keep_fd - 1, 0);
    close_range((unsigned)keep_fd + 1, ~0U, 0);
}

int daemon_detach(struct daemon *daemon, struct why *why)
{
    int pipe_fds[2];
    pid_t child;
    int rc;

    daemon->report_fd = -1;
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return why_fail_errno(why, -errno, "no pipe");
    child = fork();
    if (child < 0) {
        rc = why_fail_errno(why, -errno, "no new process");
        close(pipe_fds[0]);
        close(pipe_fds[1]);
        return rc;
    }
    if (child > 0) {
        close(pipe_fds[1]);
        rc = wait_report(pipe_fds[0], child, why);
        close(pipe_fds[0]);
        return rc;
    }
    close(pipe_fds[0]);
    close_inherited(pipe_fds[1]);
    daemon->report_fd = pipe_fds[1];
    signal(SIGPIPE, SIG_IGN); /* the parent may die before the report */
    setsid();
    umask(077);
    if (chdir("/") < 0) {
        rc = why_fail_errno(why, -errno, "cannot change to the root directory");
        daemon_fail(daemon, rc, why);
        _exit(1);
    }
    return DAEMON_CHILD;
}

int daemon_redirect(int log_fd)
{
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int rc = 0;

    if (null_fd < 0)
        return -errno;
    if (dup2(null_fd, STDIN_FILENO) < 0 || dup2(log_fd, STDOUT_FILENO) < 0 ||
        dup2(log_fd, STDERR_FILENO) < 0)
        rc = -errno;
    if (null_fd > STDERR_FILENO)
        close(null_fd);
    return rc;
}

static void send_report(struct daemon *daemon, const struct report *report)
{
    if (daemon->report_fd < 0)
        return;
    while (write(daemon->report_fd, report, sizeof(*report)) < 0 && errno == EINTR)
        continue;
    close(daemon->report_fd);
    daemon->report_fd = -1;
}

void daemon_ready(struct daemon *daemon)
{
    send_report(daemon, &(struct report){.error = 0});
}

void daemon_fail(struct daemon *daemon, int error, const struct why *why)
{
    send_report(daemon, &(struct report){.error = error, .why = *why});
}
