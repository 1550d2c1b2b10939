/* SPDX-License-Identifier: MIT */
/* What few programs do, and what C libraries will do: other numbers of known options. */
#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

#include "tests/waits/waits.h"

enum { RCVTIMEO_64 = 66 };

static void by_receive_64(void)
{
    const int64_t span[2] = {wait_ns / 1000000000, wait_ns % 1000000000 / 1000};
    char byte;
    int fds[2];
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
    if (setsockopt(fds[0], SOL_SOCKET, RCVTIMEO_64, span, sizeof(span)) < 0)
        absent("SO_RCVTIMEO of 64 bits");
    begin();
    if (recv(fds[0], &byte, 1, 0) >= 0 || errno != EAGAIN)
        broken("recv");
    end(0);
}

static void boottime_first(void)
{
    begin();
    int64_t monotonic_ns = clock_ns(CLOCK_MONOTONIC);
    end(clock_ns(CLOCK_BOOTTIME) >= monotonic_ns ? 0 : 1000000000);
}

const struct wait_case cases_rare[] = {
    {"SO_RCVTIMEO of 64 bits", KIND_WAIT, by_receive_64, 0, 0, 0, 0, 0},
    {"BOOTTIME is not behind MONOTONIC", KIND_EQUAL, boottime_first, 0, 0, 0, 0, 0},
    {.name = NULL},
};
