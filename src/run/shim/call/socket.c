/* SPDX-License-Identifier: MIT */
/*
 * socket: SO_RCVTIMEO and SO_SNDTIMEO.
 *
 * The kernel gets the time scaled by the rate at which the option is set; so what is sent is
 * bounded by the kernel, whose clock for this is coarse (up to an eighth of the time-out). Calls
 * that receive, and reads, are caught from then on and wait by the domain's clock.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "ring/barrier.h"
#include "run/shim/call/calls.h"
#include "run/shim/call/receive.h"
#include "run/shim/core/filter.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/time_scale.h"
#include "run/shim/core/user.h"
#include "run/shim/core/vclock.h"
#include "run/shim/core/wait.h"

enum { TIME_OUTS = 1024 };

/* By descriptor: the receive time-out that the program has set, and what the kernel made of it, by
 * which a descriptor that is another socket's now is found out. */
struct receive_time {
    uint64_t span_ns;
    struct timeval kernel;
};

static struct receive_time receive_times[TIME_OUTS];

void receive_catch(void)
{
    filter_install_more(FILTER_RECEIVE);
}

static long get_option(int fd, int option, struct timeval *tv)
{
    int size = sizeof(*tv);

    return SYS6(SYS_getsockopt, fd, SOL_SOCKET, option, tv, &size, 0);
}

/* The option by its older number. */
static int option_of(const struct trap *trap)
{
    const int option = (int)trap->args[2];

    return option == FILTER_RCVTIMEO_NEW   ? SO_RCVTIMEO
           : option == FILTER_SNDTIMEO_NEW ? SO_SNDTIMEO
                                           : option;
}

static uint64_t ns_of(const struct timeval *tv)
{
    return (uint64_t)tv->tv_sec * SCALE_NS_PER_SEC + (uint64_t)tv->tv_usec * 1000;
}

static struct timeval timeval_of(uint64_t ns)
{
    return (struct timeval){.tv_sec = (time_t)(ns / SCALE_NS_PER_SEC),
                            .tv_usec = (suseconds_t)(ns % SCALE_NS_PER_SEC / 1000)};
}

long call_setsockopt(struct trap *trap)
{
    const int fd = (int)trap->args[0], option = option_of(trap);
    struct timeval tv;

    if (option != SO_RCVTIMEO && option != SO_SNDTIMEO)
        return packet_times_ask(trap);
    if ((int)trap->args[4] < (int)sizeof(tv))
        return trap_pass(trap);
    if (user_read(&tv, trap->args[3], sizeof(tv)) < 0)
        return -EFAULT;
    if (tv.tv_sec < 0 || tv.tv_usec < 0 || tv.tv_usec >= 1000000)
        return trap_pass(trap);
    const uint64_t span_ns = ns_of(&tv);
    tv = timeval_of(scale_to_real_ns(vclock_tdf_running(), span_ns));
    if (span_ns != 0 && tv.tv_sec == 0 && tv.tv_usec == 0)
        tv.tv_usec = 1;
    long rc = SYS6(SYS_setsockopt, fd, SOL_SOCKET, option, &tv, sizeof(tv), 0);
    if (rc < 0 || option != SO_RCVTIMEO || fd >= TIME_OUTS)
        return rc;
    struct receive_time *entry = &receive_times[fd];
    entry->span_ns = span_ns;
    get_option(fd, option, &entry->kernel);
    if (span_ns != 0) {
        receive_catch();
        filter_install_more(FILTER_TERMINAL);
    }
    return rc;
}

/* The receive time-out of a socket; 0: none. */
static uint64_t span_of(int fd)
{
    struct timeval tv = {0};

    if (get_option(fd, SO_RCVTIMEO, &tv) < 0 || (tv.tv_sec == 0 && tv.tv_usec == 0))
        return 0;
    if (fd >= 0 && fd < TIME_OUTS && receive_times[fd].span_ns != 0 &&
        receive_times[fd].kernel.tv_sec == tv.tv_sec &&
        receive_times[fd].kernel.tv_usec == tv.tv_usec)
        return receive_times[fd].span_ns;
    return scale_to_virtual_ns(vclock_tdf_running(), ns_of(&tv), true);
}

long call_getsockopt(struct trap *trap)
{
    const int fd = (int)trap->args[0], option = option_of(trap);
    struct timeval tv;
    int size;

    if ((int)trap->args[1] == IPPROTO_TCP)
        return packet_times_tcp_info(trap);
    if (option != SO_RCVTIMEO && option != SO_SNDTIMEO)
        return trap_pass(trap);
    if (user_read(&size, trap->args[4], sizeof(size)) < 0)
        return -EFAULT;
    if (size < (int)sizeof(tv))
        return trap_pass(trap);
    long rc = get_option(fd, option, &tv);
    if (rc < 0)
        return rc;
    tv = timeval_of(option == SO_RCVTIMEO
                        ? span_of(fd)
                        : scale_to_virtual_ns(vclock_tdf_running(), ns_of(&tv), true));
    size = sizeof(tv);
    if (user_write(trap->args[3], &tv, sizeof(tv)) < 0)
        return -EFAULT;
    return user_write(trap->args[4], &size, sizeof(size));
}

/* The same call that does not wait; accept has no flag for that. */
static long try_receive(struct trap *trap)
{
    struct trap now = *trap;

    if (trap->nr == SYS_recvfrom)
        now.args[3] |= MSG_DONTWAIT;
    else if (trap->nr == SYS_recvmsg)
        now.args[2] |= MSG_DONTWAIT;
    return trap_pass(&now);
}

/* Until there is something to receive: as ppoll. */
static long await(int fd, uint64_t deadline_ns)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    struct stub_call call = {.args = {(long)&pollfd, 1, 0, 0, 8}};
    struct wait wait = {
        .deadline_ns = deadline_ns, .nr = SYS_ppoll, .time_index = 2, .form = WAIT_POLL};

    return wait_for(&wait, &call);
}

/* For how long such a call waits; 0: by the kernel, or not at all. */
static uint64_t span_of_call(int fd, long flags)
{
    const bool at_once = (flags & (MSG_DONTWAIT | MSG_ERRQUEUE | MSG_OOB)) != 0;
    const uint64_t span_ns = at_once || (flags & MSG_WAITALL) != 0 ? 0 : span_of(fd);

    return span_ns == 0 || (SYS2(SYS_fcntl, fd, F_GETFL) & O_NONBLOCK) != 0 ? 0 : span_ns;
}

static long receive(struct trap *trap)
{
    const int fd = (int)trap->args[0];
    const long flags = trap->nr == SYS_recvfrom  ? trap->args[3]
                       : trap->nr == SYS_recvmsg ? trap->args[2]
                                                 : 0;
    const uint64_t span_ns = span_of_call(fd, flags);

    if (span_ns == 0)
        return trap_pass(trap);
    const uint64_t deadline_ns = wait_until_ns(span_ns);
    for (;;) {
        long rc = await(fd, deadline_ns);
        if (rc <= 0)
            return rc == 0 ? -EAGAIN : rc;
        rc = try_receive(trap);
        if (rc != -EAGAIN)
            return rc;
    }
}

/* Only the first of several messages is waited for here. */
long receive_first(const struct trap *trap)
{
    const int fd = (int)trap->args[0];
    const uint64_t span_ns = trap->args[2] == 0 ? 0 : span_of_call(fd, trap->args[3]);
    const long rc = span_ns == 0 ? 1 : await(fd, wait_until_ns(span_ns));

    return rc > 0 ? 0 : rc == 0 ? -EAGAIN : rc;
}

bool receive_is_timed(long fd)
{
    return span_of((int)fd) != 0;
}

/* Has readv room for a byte? Where it has none, or its list is wrong, it does not wait. */
static bool has_room(const struct trap *trap)
{
    struct iovec iov = {.iov_len = 0};

    for (long i = 0; i < trap->args[2] && iov.iov_len == 0; i++)
        if (user_read(&iov, trap->args[1] + i * (long)sizeof(iov), sizeof(iov)) < 0)
            return false;
    return iov.iov_len != 0 && trap->args[2] <= UIO_MAXIOV;
}

long receive_by_read(struct trap *trap)
{
    if (trap->nr == SYS_readv && !has_room(trap))
        return trap_pass(trap);
    struct msghdr message = {.msg_iov = (struct iovec *)trap->args[1],
                             .msg_iovlen = (size_t)trap->args[2]};
    struct trap as = {.nr = SYS_recvfrom, .context = trap->context};

    as.args[0] = trap->args[0];
    as.args[1] = trap->args[1];
    as.args[2] = trap->args[2];
    if (trap->nr == SYS_readv) {
        as.nr = SYS_recvmsg;
        as.args[1] = (long)&message;
        as.args[2] = 0;
    }
    return receive(&as);
}

long call_receive(struct trap *trap)
{
    long rc = receive(trap);

    if (rc >= 0 && trap->nr == SYS_recvmsg)
        packet_times_show(trap->args[1]);
    return rc;
}
