/* SPDX-License-Identifier: MIT */
/*
 * poll: poll, select, epoll_wait and their relatives.
 */
#include <errno.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "run/shim/call/calls.h"
#include "run/shim/call/signals.h"
#include "run/shim/core/time_scale.h"
#include "run/shim/core/user.h"
#include "run/shim/core/vclock.h"
#include "run/shim/core/wait.h"

#define NS_PER_MS UINT64_C(1000000)

enum { SETS = 3, SET_WORDS = 16 /* 1,024 descriptors, as many as an fd_set has */ };

/* The sets of a select, which are empty after a time-out. */
struct sets {
    const long *address; /* SETS of them; 0: none */
    size_t bytes;        /* of each */
    uint64_t saved[SETS][SET_WORDS];
};

/* A call whose time-out is optional. */
static long bounded(long nr, unsigned time_index, bool timed, uint64_t deadline_ns,
                    struct stub_call *call)
{
    struct wait wait = {.deadline_ns = deadline_ns, .nr = nr, .time_index = time_index};

    if (timed)
        return wait_for(&wait, call);
    call->args[time_index] = 0;
    return wait_unbounded(nr, call);
}

static void restore_sets(const void *saved)
{
    const struct sets *sets = saved;

    for (unsigned i = 0; i < SETS; i++)
        if (sets->address[i] != 0)
            user_write(sets->address[i], sets->saved[i], sets->bytes);
}

/* A wait may take several calls. Larger sets than an fd_set's are not brought back: after a
 * time-out that was none, nothing more is noticed of their descriptors. */
static long bounded_select(bool timed, uint64_t deadline_ns, struct stub_call *call)
{
    struct wait wait = {.deadline_ns = deadline_ns, .nr = SYS_pselect6, .time_index = 4};
    struct sets sets = {.address = &call->args[1]};

    if (!timed)
        return bounded(SYS_pselect6, 4, false, 0, call);
    bool known = call->args[0] > 0 && call->args[0] <= SET_WORDS * 64;
    sets.bytes = known ? ((size_t)call->args[0] + 63) / 64 * 8 : 0;
    for (unsigned i = 0; i < SETS && known; i++)
        known =
            call->args[1 + i] == 0 || user_read(sets.saved[i], call->args[1 + i], sets.bytes) == 0;
    if (known) { /* else the kernel says what is wrong */
        wait.restore = restore_sets;
        wait.saved = &sets;
    }
    return wait_for(&wait, call);
}

static int take_timespec(long address, bool *timed, uint64_t *deadline_ns)
{
    struct timespec ts;
    uint64_t span_ns;

    *timed = address != 0;
    *deadline_ns = 0;
    if (address == 0)
        return 0;
    if (user_read(&ts, address, sizeof(ts)) < 0)
        return -EFAULT;
    if (!scale_from_timespec(&ts, &span_ns))
        return -EINVAL;
    *deadline_ns = span_ns == 0 ? 0 : wait_until_ns(span_ns);
    return 0;
}

long call_poll(struct trap *trap)
{
    struct stub_call call = {.args = {trap->args[0], (long)(unsigned)trap->args[1], 0, 0, 8}};
    const int ms = (int)trap->args[2];
    struct wait wait = {.nr = SYS_ppoll, .time_index = 2, .form = WAIT_POLL};

    if (ms < 0)
        return wait_unbounded(SYS_ppoll, &call);
    wait.deadline_ns = ms > 0 ? wait_until_ns((uint64_t)ms * NS_PER_MS) : 0;
    return wait_for(&wait, &call);
}

/* The kernel stores what is left, whatever the outcome, and no failure to store it counts. */
static void store_rest(long address, uint64_t deadline_ns)
{
    struct timespec rest = scale_timespec(deadline_ns == 0 ? 0 : wait_rest_ns(deadline_ns));

    if (address != 0)
        user_write(address, &rest, sizeof(rest));
}

long call_ppoll(struct trap *trap)
{
    struct stub_call call = {.args = {trap->args[0], trap->args[1], 0, trap->args[3], 8}};
    uint64_t mask, deadline_ns;
    bool timed;

    if (trap->args[3] != 0 && trap->args[4] != 8)
        return -EINVAL;
    int rc = take_timespec(trap->args[2], &timed, &deadline_ns);
    if (rc == 0)
        rc = signals_take_mask(&call.args[3], &mask);
    if (rc < 0)
        return rc;
    long result = bounded(SYS_ppoll, 2, timed, deadline_ns, &call);
    store_rest(trap->args[2], deadline_ns);
    return result;
}

long call_select(struct trap *trap)
{
    struct stub_call call = {
        .args = {trap->args[0], trap->args[1], trap->args[2], trap->args[3], 0, 0}};
    struct timeval tv;

    if (trap->args[4] == 0)
        return bounded_select(false, 0, &call);
    if (user_read(&tv, trap->args[4], sizeof(tv)) < 0)
        return -EFAULT;
    if (tv.tv_sec < 0 || tv.tv_usec < 0)
        return -EINVAL;
    uint64_t span_ns = scale_capped((scale_u128)(uint64_t)tv.tv_sec * SCALE_NS_PER_SEC +
                                    (scale_u128)(uint64_t)tv.tv_usec * 1000);
    uint64_t deadline_ns = span_ns == 0 ? 0 : wait_until_ns(span_ns);
    long rc = bounded_select(true, deadline_ns, &call);
    uint64_t rest_ns = deadline_ns == 0 ? 0 : wait_rest_ns(deadline_ns);
    tv.tv_sec = (time_t)(rest_ns / SCALE_NS_PER_SEC);
    tv.tv_usec = (suseconds_t)(rest_ns % SCALE_NS_PER_SEC / 1000);
    user_write(trap->args[4], &tv, sizeof(tv));
    return rc;
}

long call_pselect6(struct trap *trap)
{
    struct {
        long mask;
        size_t size;
    } sixth = {0};
    struct stub_call call = {.args = {trap->args[0], trap->args[1], trap->args[2], trap->args[3]}};
    uint64_t mask, deadline_ns;
    bool timed;

    int rc = take_timespec(trap->args[4], &timed, &deadline_ns);
    if (rc == 0 && trap->args[5] != 0) {
        rc = user_read(&sixth, trap->args[5], sizeof(sixth));
        if (rc == 0 && sixth.mask != 0 && sixth.size != 8)
            rc = -EINVAL;
        if (rc == 0)
            rc = signals_take_mask(&sixth.mask, &mask);
        call.args[5] = (long)&sixth;
    }
    if (rc < 0)
        return rc;
    long result = bounded_select(timed, deadline_ns, &call);
    store_rest(trap->args[4], deadline_ns);
    return result;
}

static long epoll(const struct trap *trap, bool timed, uint64_t deadline_ns, long mask_address,
                  long mask_size)
{
    struct stub_call call = {
        .args = {trap->args[0], trap->args[1], trap->args[2], 0, mask_address, 8}};
    uint64_t mask;

    if (mask_address != 0 && mask_size != 8)
        return -EINVAL;
    int rc = signals_take_mask(&call.args[4], &mask);
    if (rc < 0)
        return rc;
    return bounded(SYS_epoll_pwait2, 3, timed, deadline_ns, &call);
}

static long epoll_ms(const struct trap *trap, long mask_address, long mask_size)
{
    int ms = (int)trap->args[3];
    uint64_t deadline_ns = ms > 0 ? wait_until_ns((uint64_t)ms * NS_PER_MS) : 0;

    return epoll(trap, ms >= 0, deadline_ns, mask_address, mask_size);
}

long call_epoll_wait(struct trap *trap)
{
    return epoll_ms(trap, 0, 0);
}

long call_epoll_pwait(struct trap *trap)
{
    return epoll_ms(trap, trap->args[4], trap->args[5]);
}

long call_epoll_pwait2(struct trap *trap)
{
    uint64_t deadline_ns;
    bool timed;

    int rc = take_timespec(trap->args[3], &timed, &deadline_ns);
    if (rc < 0)
        return rc;
    return epoll(trap, timed, deadline_ns, trap->args[4], trap->args[5]);
}

long call_pause(struct trap *trap)
{
    struct stub_call call = {.args = {0}};

    (void)trap;
    return wait_unbounded(SYS_pause, &call);
}
