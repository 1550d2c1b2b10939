/* SPDX-License-Identifier: MIT */
/* Times that the kernel writes down: of files, packets, queues. */
#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/waits/waits.h"

enum { MS = 1000000 };

static int scratch_file(void)
{
    char name[] = "/tmp/waits.XXXXXX";
    int fd = mkstemp(name);
    must(fd, "mkstemp");
    unlink(name);
    return fd;
}

static int64_t changed(int fd)
{
    struct stat stat;
    must(fstat(fd, &stat), "fstat");
    return timespec_ns(stat.st_mtim);
}

static void stamp_mtime(void)
{
    int fd = scratch_file();
    must(pwrite(fd, "x", 1, 0), "write");
    int64_t from = changed(fd);
    begin();
    go();
    must(pwrite(fd, "y", 1, 0), "write");
    end(changed(fd) - from);
}

#ifdef STATX_BASIC_STATS
static void stamp_statx(void)
{
    struct statx from, to;
    int fd = scratch_file();
    must(pwrite(fd, "x", 1, 0), "write");
    must(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &from), "statx");
    begin();
    go();
    must(pwrite(fd, "y", 1, 0), "write");
    must(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &to), "statx");
    end((to.stx_mtime.tv_sec - from.stx_mtime.tv_sec) * 1000000000LL +
        ((int64_t)to.stx_mtime.tv_nsec - from.stx_mtime.tv_nsec));
}
#endif

static void stamp_mtime_now(void)
{
    int fd = scratch_file();
    begin();
    must(pwrite(fd, "x", 1, 0), "write");
    end(changed(fd) - clock_ns(CLOCK_REALTIME));
}

static void stamp_utime_now(void)
{
    int fd = scratch_file();
    begin();
    must(futimens(fd, NULL), "futimens");
    end(changed(fd) - clock_ns(CLOCK_REALTIME));
}

/* What a program sets is what it reads. */
static void stamp_utime_set(void)
{
    const struct timespec times[2] = {{1000000000, 0}, {1000000000, 0}};
    int fd = scratch_file();
    begin();
    must(futimens(fd, times), "futimens");
    end(changed(fd) - 1000000000LL * 1000000000LL);
}

static void loopback_pair(int type, int fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    fds[0] = socket(AF_INET, type, 0);
    fds[1] = socket(AF_INET, type, 0);
    if (bind(fds[0], (struct sockaddr *)&address, length) < 0)
        absent("no loopback network");
    must(getsockname(fds[0], (struct sockaddr *)&address, &length), "getsockname");
    if (type == SOCK_STREAM)
        must(listen(fds[0], 1), "listen");
    must(connect(fds[1], (struct sockaddr *)&address, length), "connect");
}

/* The time of arrival of one datagram; 0: it has none. */
static int64_t arrival_of_one(int fds[2])
{
    char byte, control[256];
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 256};
    struct timeval tv;
    struct timespec ts;
    must(send(fds[1], "x", 1, 0), "send");
    must(recvmsg(fds[0], &message, 0), "recvmsg");
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET)
            continue;
        memcpy(&tv, CMSG_DATA(c), sizeof(tv));
        memcpy(&ts, CMSG_DATA(c), sizeof(ts));
        return c->cmsg_type == SO_TIMESTAMP ? (int64_t)tv.tv_sec * 1000000000 + tv.tv_usec * 1000
                                            : timespec_ns(ts);
    }
    return 0;
}

/* The kernel begins to stamp some time after it was asked to. */
static int64_t arrival(int fds[2])
{
    for (int i = 0; i < 1000; i++) {
        int64_t at = arrival_of_one(fds);
        if (at != 0)
            return at;
        sched_yield();
    }
    broken("no time stamp");
    return 0;
}

static void stamp_packet(int option, int value)
{
    int fds[2];
    loopback_pair(SOCK_DGRAM, fds);
    must(setsockopt(fds[0], SOL_SOCKET, option, &value, sizeof(value)), "setsockopt");
    int64_t from = arrival(fds);
    begin();
    go();
    end(arrival(fds) - from);
}

static void stamp_so_timestamp(void)
{
    stamp_packet(SO_TIMESTAMP, 1);
}
static void stamp_so_timestampns(void)
{
    stamp_packet(SO_TIMESTAMPNS, 1);
}

static void stamp_so_timestamping(void)
{
    stamp_packet(SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE);
}

static void stamp_tcp_info(void)
{
    struct tcp_info info;
    socklen_t length = sizeof(info);
    int fds[2];
    loopback_pair(SOCK_STREAM, fds);
    must(send(fds[1], "x", 1, 0), "send");
    begin();
    go();
    must(getsockopt(fds[1], IPPROTO_TCP, TCP_INFO, &info, &length), "TCP_INFO");
    end((int64_t)info.tcpi_last_data_sent * MS);
}

/* For how long it has had something to send, in microseconds: linux/tcp.h; C libraries' struct
 * tcp_info may be shorter. */
static int64_t busy_ns(int fd)
{
    enum { PLACE = 168 / sizeof(uint64_t) };
    uint64_t info[64] = {0};
    socklen_t length = sizeof(info);
    must(getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &length), "TCP_INFO");
    if (length <= PLACE * sizeof(info[0]))
        absent("tcpi_busy_time");
    return (int64_t)info[PLACE] * 1000;
}

static void stamp_tcp_busy(void)
{
    static char bytes[65536];
    int fds[2];
    loopback_pair(SOCK_STREAM, fds);
    while (send(fds[1], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
    begin();
    int64_t from_ns = busy_ns(fds[1]);
    go();
    end(busy_ns(fds[1]) - from_ns);
}

/* The kernel cuts the stamp to whole seconds of its own: up to a real second too early. */
static void stamp_msg(void)
{
    struct {
        long type;
        char byte;
    } message = {1, 'x'};
    struct msqid_ds ds;
    int id = msgget(IPC_PRIVATE, 0600);
    must(id, "msgget");
    begin();
    long rc = msgsnd(id, &message, 1, 0);
    if (rc == 0)
        rc = msgctl(id, IPC_STAT, &ds);
    msgctl(id, IPC_RMID, NULL);
    must(rc, "a message queue");
    end((int64_t)ds.msg_stime * 1000000000 - clock_ns(CLOCK_REALTIME) + 500000000);
}

const struct wait_case cases_stamp[] = {
    {"st_mtime", KIND_READ, stamp_mtime, 0, 12 * MS, 0, 0, 0},
#ifdef STATX_BASIC_STATS
    {"statx mtime", KIND_READ, stamp_statx, 0, 12 * MS, 0, 0, 0},
#endif
    {"st_mtime and CLOCK_REALTIME", KIND_EQUAL, stamp_mtime_now, 0, 12 * MS, 0, 0, 0},
    {"futimens now and CLOCK_REALTIME", KIND_EQUAL, stamp_utime_now, 0, 12 * MS, 0, 0, 0},
    {"futimens gives back what was set", KIND_EQUAL, stamp_utime_set, 0, 0, 0, 0, 0},
    {"SO_TIMESTAMP", KIND_READ, stamp_so_timestamp, 0, 0, 0, 0, 0},
    {"SO_TIMESTAMPNS", KIND_READ, stamp_so_timestampns, 0, 0, 0, 0, 0},
    {"SO_TIMESTAMPING", KIND_READ, stamp_so_timestamping, 0, 0, 0, 0, 0},
    {"TCP_INFO busy_time", KIND_READ, stamp_tcp_busy, 1 * MS, 8 * MS, 0, 0, 0},
    {"TCP_INFO last_data_sent", KIND_READ, stamp_tcp_info, 1 * MS, 8 * MS, 0, 0, 0},
    {"msg_stime and CLOCK_REALTIME", KIND_EQUAL, stamp_msg, 520 * MS, 1012 * MS, 0, 0, 0},
    {.name = NULL},
};
