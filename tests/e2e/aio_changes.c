/* SPDX-License-Identifier: MIT */
/*
 * aio_changes: io_getevents for two events of which one is there and the other never comes, while
 * somebody else changes the rate: it returns with the one when its time is over, not before.
 *
 *     aio_changes SPAN_MS
 */
#include <err.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS INT64_C(1000000)

static int64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000 * NS_PER_MS + ts.tv_nsec;
}

int main(int argc, char **argv)
{
    struct iocb blocks[2], *list[2] = {&blocks[0], &blocks[1]};
    struct io_event events[2];
    aio_context_t context = 0;
    int pipes[2][2];

    if (argc != 2 || atoll(argv[1]) <= 0)
        errx(2, "usage: aio_changes SPAN_MS");
    const int64_t span_ns = atoll(argv[1]) * NS_PER_MS;
    struct timespec span = {span_ns / (1000 * NS_PER_MS), span_ns % (1000 * NS_PER_MS)};
    if (syscall(SYS_io_setup, 2, &context) < 0)
        errx(77, "no kernel AIO");
    for (int i = 0; i < 2; i++) {
        if (pipe(pipes[i]) < 0)
            err(1, "pipe");
        blocks[i] = (struct iocb){.aio_lio_opcode = IOCB_CMD_POLL,
                                  .aio_fildes = (unsigned)pipes[i][0],
                                  .aio_buf = POLLIN,
                                  .aio_data = (unsigned)i};
    }
    if (syscall(SYS_io_submit, context, 2, list) != 2)
        errx(77, "no IOCB_CMD_POLL");
    if (write(pipes[0][1], "x", 1) != 1)
        err(1, "write");
    const int64_t from_ns = now_ns();
    const long count = syscall(SYS_io_getevents, context, 2, 2, events, &span);
    if (count != 1 || events[0].data != 0)
        err(1, "io_getevents: %ld", count);
    if (now_ns() - from_ns < span_ns)
        errx(1, "it ended after %lld of %s ms", (long long)((now_ns() - from_ns) / NS_PER_MS),
             argv[1]);
    return 0;
}
