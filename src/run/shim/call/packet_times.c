/* SPDX-License-Identifier: MIT */
/*
 * packet_times: the stamps that come with a message (SO_TIMESTAMP and its relatives), and the times
 * in what the kernel tells of a TCP connection.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "run/shim/call/calls.h"
#include "run/shim/call/receive.h"
#include "run/shim/call/terminal.h"
#include "run/shim/core/filter.h"
#include "run/shim/core/stamp.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/time_scale.h"
#include "run/shim/core/user.h"
#include "run/shim/core/vclock.h"

enum {
    CONTROL_MAX = 4096, /* of a message's control data that is looked through */
    STAMPS_MAX = 3,     /* SCM_TIMESTAMPING has three */
    TCP_INFO_BYTES = 512,
};

/* The options' numbers are those of the messages; 63 to 65 are their newer forms, alike here. */
static bool is_stamp(int type)
{
    return type == SO_TIMESTAMP || type == SO_TIMESTAMPNS || type == SO_TIMESTAMPING ||
           (type >= 63 && type <= 65);
}

static void show(long address, size_t bytes, bool micro)
{
    struct timespec ts;

    for (size_t i = 0; i < STAMPS_MAX && (i + 1) * sizeof(ts) <= bytes; i++) {
        const long at = address + (long)(i * sizeof(ts));
        if (user_read(&ts, at, sizeof(ts)) < 0)
            return;
        if (ts.tv_sec == 0 && ts.tv_nsec == 0)
            continue; /* none */
        if (micro)
            ts.tv_nsec *= 1000;
        stamp_show(&ts);
        if (micro)
            ts.tv_nsec /= 1000;
        user_write(at, &ts, sizeof(ts));
    }
}

void packet_times_show(long message_address)
{
    struct msghdr message;
    struct cmsghdr head;
    size_t at = 0;

    if (user_read(&message, message_address, sizeof(message)) < 0)
        return;
    while (at + sizeof(head) <= message.msg_controllen && at < CONTROL_MAX) {
        const long address = (long)message.msg_control + (long)at;
        if (user_read(&head, address, sizeof(head)) < 0 || head.cmsg_len < sizeof(head))
            return;
        if (head.cmsg_level == SOL_SOCKET && is_stamp(head.cmsg_type))
            show(address + (long)CMSG_LEN(0), head.cmsg_len - CMSG_LEN(0),
                 head.cmsg_type == SO_TIMESTAMP || head.cmsg_type == 63);
        at += CMSG_ALIGN(head.cmsg_len);
    }
}

static bool sets_terminal(uint32_t request)
{
    return request - FILTER_TERMIOS < FILTER_TERMINAL_WAYS ||
           request - FILTER_TERMIO < FILTER_TERMINAL_WAYS ||
           request - FILTER_TERMIOS2 < FILTER_TERMINAL_WAYS;
}

/* SIOCGSTAMP and its relatives: the stamp of the last packet that was received. TCSETS and its
 * relatives: call/terminal.h. */
long call_ioctl(struct trap *trap)
{
    const uint32_t request = (uint32_t)trap->args[1];
    long rc = trap_pass(trap);

    if (rc == 0 && sets_terminal(request))
        terminal_was_set(trap->args[0]);
    else if (rc == 0)
        show(trap->args[2], sizeof(struct timespec),
             request == FILTER_STAMP_OLD || request == FILTER_STAMP_NEW);
    return rc;
}

/* recvmmsg: of each message that has come. */
long call_receive_many(struct trap *trap)
{
    long rc = receive_first(trap);

    if (rc == 0)
        rc = trap->args[4] != 0 ? call_recvmmsg(trap) : trap_pass(trap);
    for (long i = 0; i < rc; i++)
        packet_times_show(trap->args[1] + i * (long)sizeof(struct mmsghdr));
    return rc;
}

/* setsockopt of SO_TIMESTAMP and its relatives. */
long packet_times_ask(struct trap *trap)
{
    long rc = trap_pass(trap);

    if (rc == 0)
        receive_catch();
    return rc;
}

/* struct tcp_info, by the places of its members; linux/tcp.h. Spans of time in micro- or
 * milliseconds become shorter under TDF 10, the bytes that went in a second more. */
static void show_tcp_info(uint8_t *info, int size)
{
    static const uint16_t spans[] = {
        8,   12,         /* rto, ato */
        44,  48, 52, 56, /* last_data_sent, last_ack_sent, last_data_recv, last_ack_recv */
        68,  72, 92,     /* rtt, rttvar, rcv_rtt */
        148,             /* min_rtt */
    };
    static const uint16_t long_spans[] = {168, 176, 184}; /* busy_time, rwnd_, sndbuf_limited */
    enum { DELIVERY_RATE = 160 };
    const uint64_t tdf = vclock_tdf_running();

    for (unsigned i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        uint32_t *span = (uint32_t *)(void *)(info + spans[i]);
        if (spans[i] + 4 <= size && *span != UINT32_MAX)
            *span = (uint32_t)scale_to_virtual_ns(tdf, *span, false);
    }
    for (unsigned i = 0; i < sizeof(long_spans) / sizeof(long_spans[0]); i++) {
        uint64_t *span = (uint64_t *)(void *)(info + long_spans[i]);
        if (long_spans[i] + 8 <= size)
            *span = scale_to_virtual_ns(tdf, *span, false);
    }
    uint64_t *rate = (uint64_t *)(void *)(info + DELIVERY_RATE);
    if (DELIVERY_RATE + 8 <= size)
        *rate = scale_to_real_ns(tdf, *rate);
}

/* getsockopt of TCP_INFO. */
long packet_times_tcp_info(struct trap *trap)
{
    uint8_t info[TCP_INFO_BYTES] __attribute__((aligned(8)));
    int asked, size;

    if (user_read(&asked, trap->args[4], sizeof(asked)) < 0)
        return -EFAULT;
    size = asked < 0 ? asked : asked < TCP_INFO_BYTES ? asked : TCP_INFO_BYTES;
    long rc = SYS6(SYS_getsockopt, trap->args[0], trap->args[1], trap->args[2], info, &size, 0);
    if (rc < 0)
        return rc;
    show_tcp_info(info, size);
    if (user_write(trap->args[3], info, (size_t)size) < 0)
        return -EFAULT;
    return user_write(trap->args[4], &size, sizeof(size));
}
