/* SPDX-License-Identifier: MIT */
#include "run/shim/call/timers.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ring/barrier.h"
#include "run/shim/call/timers_kernel.h"
#include "run/shim/core/filter.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/time_scale.h"
#include "run/shim/core/vclock.h"
#include "run/shim/core/wait.h"

enum {
    GROUPS = 128,
    GROUP_RECORDS = 64,
    GROUPS_TRIED = 4, /* for one key */
    /* A timer that is not within this of what we armed was armed by somebody else since. */
    FOREIGN_NS = 2000000,
    /* linux/timerfd.h: sets the count of expiries that are not read yet. */
    IOC_SET_TICKS = 0x40085400,
};

static struct timers_record records[GROUPS][GROUP_RECORDS];
static uint8_t
    group_used[GROUPS]; /* a kick looks at no other; and most of them are never touched */

static uint64_t key_of(enum timers_kind kind, int number)
{
    return (uint64_t)kind << 32 | (uint32_t)number;
}

static bool try_take(struct timers_record *record)
{
    uint32_t idle = 0;

    return compare_exchange_full_u32(&record->busy, &idle, 1);
}

/* A record that another process had before a fork is none of ours; but a timerfd's clock is. */
static void inherit(struct timers_record *record, int32_t pid)
{
    if (record->pid == pid)
        return;
    record->pid = pid;
    record->armed = false;
}

static unsigned group_of(uint64_t key, unsigned nth)
{
    return ((uint32_t)(key ^ key >> 32) * UINT32_C(2654435761) >> 16) % GROUPS + nth;
}

static struct timers_record *find(uint64_t key)
{
    for (unsigned nth = 0; nth < GROUPS_TRIED; nth++) {
        const unsigned group = group_of(key, nth) % GROUPS;
        if (!load_acquire_u8(&group_used[group]))
            continue;
        for (unsigned i = 0; i < GROUP_RECORDS; i++)
            if (load_acquire_u64(&records[group][i].key) == key)
                return &records[group][i];
    }
    return NULL;
}

static struct timers_record *make_in(unsigned group, uint64_t key)
{
    store_full_u8(&group_used[group], 1);
    for (unsigned i = 0; i < GROUP_RECORDS; i++) {
        struct timers_record *record = &records[group][i];
        uint64_t none = 0;
        if (load_relaxed_u64(&record->key) == 0 &&
            compare_exchange_full_u64(&record->key, &none, key)) {
            record->clock_id = -1;
            record->armed = false;
            return record;
        }
    }
    return NULL;
}

static struct timers_record *make(uint64_t key)
{
    struct timers_record *record = NULL;

    for (unsigned nth = 0; nth < GROUPS_TRIED && record == NULL; nth++)
        record = make_in(group_of(key, nth) % GROUPS, key);
    return record;
}

/* Another thread has it for some microseconds, or for as long as it waits for a CPU meanwhile. That
 * ends in any case: who has a record takes no signals. */
static bool take_soon(struct timers_record *record)
{
    enum { YIELDS = 1000, NAPS = 100000, NAP_NS = 50000 };
    const struct timespec nap = {.tv_nsec = NAP_NS};
    for (unsigned i = 0; !try_take(record); i++) {
        if (i > YIELDS + NAPS)
            return false;
        if (i < YIELDS)
            SYS0(SYS_sched_yield);
        else
            SYS2(SYS_nanosleep, &nap, NULL);
    }
    return true;
}

struct timers_record *timers_take(enum timers_kind kind, int number, bool create)
{
    uint64_t key = key_of(kind, number);
    int32_t pid = (int32_t)SYS0(SYS_getpid);
    struct timers_record *record = find(key);

    if (record == NULL && create)
        record = make(key);
    if (record == NULL)
        return NULL;
    if (!take_soon(record))
        return NULL;
    inherit(record, pid);
    return record;
}

static uint64_t at_least_one(uint64_t ns)
{
    return ns > 0 ? ns : 1; /* 0 would disarm it */
}

/* Of a periodic timer whose time is over: the time by the timer's own clock, so that the kernel
 * counts what it has missed, and goes on in step. 0: no such, or the kernel knows no such time. */
static uint64_t past_ns(const struct timers_record *record, uint64_t tdf)
{
    const uint64_t now_ns = vclock_now_ns();

    if (record->interval_ns == 0 || record->deadline_ns >= now_ns || tdf >> 32 == 0 ||
        record->key >> 32 == TIMERS_ITIMER)
        return 0;
    const uint64_t elapsed_ns = scale_to_real_ns(tdf, now_ns - record->deadline_ns);
    const uint64_t clock_ns = vclock_real_ns(record->clock_id);
    return clock_ns > elapsed_ns ? clock_ns - elapsed_ns : 0;
}

long timers_arm(struct timers_record *record, long flags)
{
    const uint32_t *generation = &vclock_session()->generation;
    uint64_t *slot;
    bool own;
    long rc;

    filter_install_more(FILTER_ENDLESS); /* a kick goes to any thread of the process */
    wait_register((uint64_t)(uint32_t)record->pid << 32, &slot, &own);
    do {
        record->generation = load_full_u32(generation);
        uint64_t tdf = vclock_tdf_timers();
        uint64_t left = at_least_one(scale_to_real_ns(tdf, wait_rest_ns(record->deadline_ns)));
        record->real_interval_ns = scale_to_real_ns(tdf, record->interval_ns);
        const uint64_t from_ns = vclock_real_ns(CLOCK_MONOTONIC);
        const uint64_t past = past_ns(record, tdf);
        struct itimerspec spec = {.it_value = scale_timespec(past != 0 ? past : left),
                                  .it_interval = scale_timespec(record->real_interval_ns)};
        rc = timers_set_kernel(record, past != 0 ? flags | TIMER_ABSTIME : flags & ~TIMER_ABSTIME,
                               &spec);
        record->real_deadline_ns = from_ns + left;
        record->real_slack_ns = vclock_real_ns(CLOCK_MONOTONIC) - from_ns;
        record->armed = rc == 0;
    } while (rc == 0 && load_full_u32(generation) != record->generation);
    if (own) /* the first of this process */
        wait_tell_held(record->pid, record->generation);
    return rc;
}

/* Moves deadline_ns past now. */
static void advance(struct timers_record *record)
{
    uint64_t now_ns = vclock_now_ns();

    if (record->interval_ns == 0 || record->deadline_ns > now_ns)
        return;
    uint64_t missed = (now_ns - record->deadline_ns) / record->interval_ns + 1;
    record->deadline_ns += missed * record->interval_ns;
    record->passed += missed;
}

struct itimerspec timers_left(struct timers_record *record)
{
    struct itimerspec spec = {0};

    if (!record->armed)
        return spec;
    advance(record);
    uint64_t rest_ns = wait_rest_ns(record->deadline_ns);
    if (rest_ns == 0 && record->interval_ns == 0 && timers_get_kernel(record, &spec) == 0 &&
        spec.it_value.tv_sec == 0 && spec.it_value.tv_nsec == 0)
        return spec; /* it is over */
    spec.it_value = scale_timespec(at_least_one(rest_ns));
    spec.it_interval = scale_timespec(record->interval_ns);
    return spec;
}

enum state { ENDED, FOREIGN, OURS };

/* Has it rung for the last time, or was it armed by somebody else? This thread may stand still at
 * any point for long, so that all that is known is when it rings at the earliest and the latest. */
static enum state state_of(const struct timers_record *record)
{
    struct itimerspec spec = {0};
    uint64_t left;

    const uint64_t from_ns = vclock_real_ns(CLOCK_MONOTONIC);
    if (timers_get_kernel(record, &spec) != 0)
        return FOREIGN;
    const uint64_t to_ns = vclock_real_ns(CLOCK_MONOTONIC);
    if (!scale_from_timespec(&spec.it_value, &left) || left == 0)
        return ENDED;
    int64_t first = (int64_t)(from_ns + left - record->real_deadline_ns - record->real_slack_ns);
    int64_t last = (int64_t)(to_ns + left - record->real_deadline_ns);
    if (record->real_interval_ns != 0 && last > 0) {
        const int64_t interval = (int64_t)record->real_interval_ns;
        const int64_t past = (last + interval / 2) / interval * interval;
        first -= past;
        last -= past;
    }
    return first < FOREIGN_NS && last > -FOREIGN_NS ? OURS : FOREIGN;
}

/* Expiries of a timerfd that nobody has read yet would be lost when it is armed. The program may
 * read them at any time, so that the read must not wait: kernels before 6.10 know no such one. */
static uint64_t take_ticks(int fd)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    uint64_t ticks = 0;
    const struct iovec place = {.iov_base = &ticks, .iov_len = sizeof(ticks)};

    long rc = SYS6(SYS_preadv2, fd, &place, 1, -1, -1, RWF_NOWAIT);
    if (rc == -EOPNOTSUPP && SYS3(SYS_poll, &pollfd, 1, 0) == 1 && (pollfd.revents & POLLIN))
        rc = SYS3(SYS_read, fd, &ticks, sizeof(ticks));
    return rc == sizeof(ticks) ? ticks : 0;
}

/* How often it was to ring until now. */
static uint64_t due_count(const struct timers_record *record)
{
    const uint64_t now_ns = vclock_now_ns();

    if (record->deadline_ns > now_ns)
        return 0;
    return record->interval_ns == 0 ? 1 : (now_ns - record->deadline_ns) / record->interval_ns + 1;
}

/* An expiry by the rate of before, which is too early by that of now, is taken back where nobody
 * has noticed it yet. */
static void rearm(struct timers_record *record)
{
    const int number = (int)(uint32_t)record->key;
    const enum state state = state_of(record);
    const uint64_t due = due_count(record);
    uint64_t ticks = 0;

    if (record->key >> 32 == TIMERS_FD && (state == OURS || (state == ENDED && due == 0)))
        ticks = take_ticks(number);
    if (state == FOREIGN || (state == ENDED && (due > 0 || ticks == 0))) {
        record->armed = false;
        return;
    }
    if (ticks > record->passed + due)
        ticks = record->passed + due;
    advance(record);
    record->passed = ticks;
    timers_arm(record, 0);
    if (ticks != 0)
        SYS3(SYS_ioctl, number, IOC_SET_TICKS, &ticks);
}

/* Who has found one busy leaves it to him who has it. True: it had to be armed anew. */
static bool let_go(struct timers_record *record)
{
    const uint32_t *generation = &vclock_session()->generation;

    for (bool late = false;; late = true) {
        store_full_u32(&record->busy, 0);
        if (!record->armed || load_full_u32(generation) == record->generation || !try_take(record))
            return late;
        if (record->armed)
            rearm(record);
    }
}

/* False: somebody has one of them, who arms it when he lets it go, and looks again. */
static bool rearm_group(struct timers_record *group, uint32_t generation, int32_t pid)
{
    bool all = true;

    for (unsigned i = 0; i < GROUP_RECORDS; i++) {
        struct timers_record *record = &group[i];
        if (load_acquire_u64(&record->key) == 0)
            continue;
        if (!try_take(record)) {
            if (record->pid == pid) /* else it was taken before a fork */
                all = false;
            continue;
        }
        if (record->armed && record->pid == pid && record->generation != generation)
            rearm(record);
        (void)let_go(record);
    }
    return all;
}

static uint32_t generation_seen; /* atomic: by which all are armed; 0: the session's begin */
static uint32_t skipped;         /* atomic: who lets one go looks after the others, too */
static uint64_t passes;          /* atomic: process << 32 | how many are asked for */

static void pass(int32_t pid)
{
    const uint32_t generation = load_full_u32(&vclock_session()->generation);
    bool all = true;

    store_full_u32(&skipped, 1); /* before the look, as timers_release looks here after busy */
    for (unsigned i = 0; i < GROUPS; i++)
        if (load_acquire_u8(&group_used[i]))
            all = rearm_group(records[i], generation, pid) && all;
    store_release_u32(&generation_seen, generation);
    if (!all)
        return;
    store_full_u32(&skipped, 0);
    wait_tell_held(pid, generation);
}

/* One thread at a time. Who comes meanwhile, or has interrupted that one, has it begin anew. */
void timers_rearm(void)
{
    const int32_t pid = (int32_t)SYS0(SYS_getpid);
    const uint64_t none = (uint64_t)(uint32_t)pid << 32;
    uint64_t found = load_full_u64(&passes), next;

    do {
        next = (found >> 32 == none >> 32 ? found : none) + 1; /* not those before a fork */
    } while (!compare_exchange_full_u64(&passes, &found, next));
    if (next != none + 1)
        return;
    do {
        found = load_full_u64(&passes);
        pass(pid);
    } while (!compare_exchange_full_u64(&passes, &found, none));
}

void timers_look(void)
{
    if (load_relaxed_u32(&vclock_session()->generation) != load_relaxed_u32(&generation_seen))
        timers_rearm();
}

void timers_release(struct timers_record *record)
{
    if (let_go(record) || load_full_u32(&skipped) != 0)
        timers_rearm();
}

void timers_forget(struct timers_record *record)
{
    record->armed = false;
    store_full_u32(&record->busy, 0);
    store_release_u64(&record->key, 0);
}

void timers_adopt_itimer(void)
{
    struct itimerval val = {0};
    uint64_t tdf = vclock_tdf();

    if (SYS2(SYS_getitimer, ITIMER_REAL, &val) != 0 ||
        (val.it_value.tv_sec == 0 && val.it_value.tv_usec == 0))
        return;
    struct timers_record *record = timers_take(TIMERS_ITIMER, ITIMER_REAL, true);
    if (record == NULL)
        return;
    uint64_t left =
        ((uint64_t)val.it_value.tv_sec * 1000000 + (uint64_t)val.it_value.tv_usec) * 1000;
    uint64_t interval =
        ((uint64_t)val.it_interval.tv_sec * 1000000 + (uint64_t)val.it_interval.tv_usec) * 1000;
    record->deadline_ns = wait_until_ns(scale_to_virtual_ns(tdf, left, true));
    record->interval_ns = scale_to_virtual_ns(tdf, interval, true);
    timers_arm(record, 0);
    timers_release(record);
}
