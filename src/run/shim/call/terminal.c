/* SPDX-License-Identifier: MIT */
/*
 * terminal: reading with VTIME, the time-out of a terminal that is not read by lines.
 *
 * The kernel counts in tenths of a real second, by a byte that all who have the terminal open
 * share. So the byte stays as it was set, and whoever reads waits here by the domain's clock before
 * the kernel does. What is read at once is never more than there is, so that the kernel waits for
 * nothing. The first byte of several is waited for without end, so that the kernel does that. Where
 * VMIN is 0 a handler ends the read with -EINTR, also one with SA_RESTART.
 */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "ring/barrier.h"
#include "run/shim/call/calls.h"
#include "run/shim/call/receive.h"
#include "run/shim/call/terminal.h"
#include "run/shim/core/filter.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/time_scale.h"
#include "run/shim/core/vclock.h"
#include "run/shim/core/wait.h"

enum { GET = 0x5401 /* TCGETS */, WAITING_BYTES = 0x541b /* FIONREAD */ };

#define MASTER_NUMBER UINT32_C(0x80045430) /* TIOCGPTN */

#define TENTH_NS UINT64_C(100000000)

/* Does a descriptor lead to a terminal that is read by time? Who has its other end, the master,
 * sees the same settings. */
static bool is_timed(long fd, struct termios *settings)
{
    return SYS3(SYS_ioctl, fd, GET, settings) == 0 && !(settings->c_lflag & ICANON) &&
           settings->c_cc[VTIME] != 0;
}

static bool is_master(long fd)
{
    int number;

    return SYS3(SYS_ioctl, fd, MASTER_NUMBER, &number) == 0;
}

void terminal_was_set(long fd)
{
    struct termios settings;

    if (is_timed(fd, &settings))
        store_full_u32(&vclock_session()->terminals, 1);
    terminal_catch();
}

void terminal_catch(void)
{
    if (load_full_u32(&vclock_session()->terminals) != 0)
        filter_install_more(FILTER_TERMINAL);
}

/* Until there is something to read: as ppoll. */
static long await(long fd, uint64_t span_ns)
{
    struct pollfd pollfd = {.fd = (int)fd, .events = POLLIN};
    struct stub_call call = {.args = {(long)&pollfd, 1, 0, 0, 8}};
    struct wait wait = {.deadline_ns = wait_until_ns(span_ns), .nr = SYS_ppoll, .time_index = 2};

    return wait_for(&wait, &call);
}

/* VMIN is more than 1: the time is that between two bytes. The kernel counts none for a read of one
 * byte. */
static long read_burst(struct trap *trap, const struct termios *settings)
{
    const long fd = trap->args[0], wanted = trap->args[2];
    struct trap first = *trap;

    first.args[2] = 1;
    long got = trap_pass(&first);
    while (got > 0 && got < wanted && got < settings->c_cc[VMIN]) {
        int ready = 0;
        long rc = await(fd, settings->c_cc[VTIME] * TENTH_NS);
        if (rc <= 0)
            break;
        SYS3(SYS_ioctl, fd, WAITING_BYTES, &ready);
        const long left = wanted - got;
        rc = SYS3(SYS_read, fd, trap->args[1] + got, ready > 0 && ready < left ? ready : left);
        if (rc <= 0)
            break;
        got += rc;
        if (ready <= 0)
            break;
    }
    return got;
}

long call_read(struct trap *trap)
{
    struct termios settings;
    const long fd = trap->args[0];

    if (trap->args[2] > 0 && receive_is_timed(fd))
        return receive_by_read(trap);
    if (trap->nr == SYS_readv || trap->args[2] <= 0 || !is_timed(fd, &settings) ||
        settings.c_cc[VMIN] == 1 || is_master(fd) ||
        (SYS2(SYS_fcntl, fd, F_GETFL) & O_NONBLOCK) != 0)
        return trap_pass(trap);
    if (settings.c_cc[VMIN] > 1)
        return read_burst(trap, &settings);
    /* Who is in the background hears of that before there is something to read. */
    struct trap nothing = *trap;
    nothing.args[2] = 0;
    long rc = trap_pass(&nothing);
    if (rc == 0)
        rc = await(fd, settings.c_cc[VTIME] * TENTH_NS);
    return rc <= 0 ? rc : trap_pass(trap);
}
