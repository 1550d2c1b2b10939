/* SPDX-License-Identifier: MIT */
/*
 * queue: waits for messages, semaphores, signals and events of asynchronous I/O.
 */
#include <errno.h>
#include <linux/aio_abi.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/syscall.h>

#include "run/shim/call/calls.h"
#include "run/shim/call/signals.h"
#include "run/shim/core/time_scale.h"
#include "run/shim/core/user.h"
#include "run/shim/core/vclock.h"
#include "run/shim/core/wait.h"

enum { SEM_OPERATIONS_MAX = 500 };

static void copy_args(const struct trap *trap, struct stub_call *call)
{
    for (unsigned i = 0; i < 6; i++)
        call->args[i] = trap->args[i];
}

static int read_span(long address, uint64_t *deadline_ns)
{
    struct timespec ts;
    uint64_t span_ns;

    if (user_read(&ts, address, sizeof(ts)) < 0)
        return -EFAULT;
    if (!scale_from_timespec(&ts, &span_ns))
        return -EINVAL;
    *deadline_ns = span_ns == 0 ? 0 : wait_until_ns(span_ns);
    return 0;
}

/* mq_timedsend, mq_timedreceive: absolute, CLOCK_REALTIME. */
long call_mq_timed(struct trap *trap)
{
    struct wait wait = {
        .nr = trap->nr, .time_index = 4, .timed_out = -ETIMEDOUT, .form = WAIT_ABSOLUTE_REALTIME};
    struct stub_call call;
    struct timespec ts;
    uint64_t time_ns, ahead_ns = 0;

    if (user_read(&ts, trap->args[4], sizeof(ts)) < 0)
        return -EFAULT;
    if (!scale_from_timespec(&ts, &time_ns))
        return -EINVAL;
    copy_args(trap, &call);
    vclock_ahead_ns(CLOCK_REALTIME, &ahead_ns);
    wait.deadline_ns = wait_until_abs_ns(ahead_ns, time_ns);
    return wait_for(&wait, &call);
}

/* The set never contains SIGSYS: the wait would take a kick for a signal of the program's. */
long call_rt_sigtimedwait(struct trap *trap)
{
    struct wait wait = {.nr = trap->nr, .time_index = 2, .timed_out = -EAGAIN};
    struct stub_call call;
    uint64_t set;

    if (trap->args[3] != 8)
        return -EINVAL;
    if (user_read(&set, trap->args[0], sizeof(set)) < 0)
        return -EFAULT;
    set &= ~SIGNALS_SIGSYS;
    copy_args(trap, &call);
    call.args[0] = (long)&set;
    if (trap->args[2] == 0)
        return wait_unbounded(trap->nr, &call);
    int rc = read_span(trap->args[2], &wait.deadline_ns);
    return rc < 0 ? rc : wait_for(&wait, &call);
}

long call_semtimedop(struct trap *trap)
{
    struct wait wait = {.nr = trap->nr, .time_index = 3, .timed_out = -EAGAIN};
    struct stub_call call;
    struct sembuf operation;

    if (read_span(trap->args[3], &wait.deadline_ns) < 0)
        return trap_pass(trap); /* the kernel says which error that is */
    copy_args(trap, &call);
    /* -EAGAIN has two meanings here. */
    for (long i = 0; i < trap->args[2] && i < SEM_OPERATIONS_MAX; i++)
        if (user_read(&operation, trap->args[1] + i * (long)sizeof(operation), sizeof(operation)) <
                0 ||
            (operation.sem_flg & IPC_NOWAIT))
            wait.timed_out = WAIT_NO_TIME_OUT;
    return wait_for(&wait, &call);
}

/* args: id, the least number, the most, where to. A change of rate ends the call with fewer than
 * the least number, as any signal does, where there are some: the others are waited for anew. Not
 * so after a signal of the program's, which it may wait for, also one that came with the change. */
static long get_events(const struct trap *trap, struct stub_call *call)
{
    struct wait wait = {.nr = trap->nr,
                        .time_index = 4,
                        .timed_out = trap->args[1] > 0 ? 0 : WAIT_NO_TIME_OUT,
                        .deadline_ns = SCALE_FOREVER_NS,
                        .may_fall_short = true,
                        .real_end_ns = SCALE_FOREVER_NS};
    long rc = 0, found = 0;

    if (trap->args[4] != 0)
        rc = read_span(trap->args[4], &wait.deadline_ns);
    if (rc < 0)
        return rc;
    do {
        if (trap->args[4] == 0)
            rc = wait_unbounded(trap->nr, call);
        else
            rc = wait_for(&wait, call);
        if (rc <= 0)
            break;
        found += rc;
        call->args[1] -= rc;
        call->args[2] -= rc;
        call->args[3] += rc * (long)sizeof(struct io_event);
    } while (call->args[1] > 0 && wait_is_cut(&wait, call));
    return found > 0 ? found : rc;
}

long call_io_getevents(struct trap *trap)
{
    struct stub_call call;

    copy_args(trap, &call);
    return get_events(trap, &call);
}

long call_io_pgetevents(struct trap *trap)
{
    struct {
        long mask;
        size_t size;
    } sixth;
    struct stub_call call;
    uint64_t mask;

    copy_args(trap, &call);
    if (trap->args[5] != 0) {
        int rc = user_read(&sixth, trap->args[5], sizeof(sixth));
        if (rc == 0 && sixth.size == SIGNALS_MASK_BYTES)
            rc = signals_take_mask(&sixth.mask, &mask);
        if (rc < 0)
            return rc;
        call.args[5] = (long)&sixth;
    }
    return get_events(trap, &call);
}

/* The kernel looks at this time-out between datagrams only. */
long call_recvmmsg(struct trap *trap)
{
    struct stub_call call;
    struct timespec ts;
    uint64_t span_ns;

    if (user_read(&ts, trap->args[4], sizeof(ts)) < 0)
        return -EFAULT;
    if (!scale_from_timespec(&ts, &span_ns))
        return -EINVAL;
    uint64_t deadline_ns = wait_until_ns(span_ns);
    ts = scale_timespec(scale_to_real_ns(vclock_tdf(), span_ns));
    copy_args(trap, &call);
    call.args[4] = (long)&ts;
    long rc = wait_unbounded(trap->nr, &call);
    ts = scale_timespec(wait_rest_ns(deadline_ns));
    user_write(trap->args[4], &ts, sizeof(ts));
    return rc;
}
