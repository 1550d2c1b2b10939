/* SPDX-License-Identifier: MIT */
#include "run/shim/call/timers.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "ring/barrier.h"
#include "run/shim/call/timers_kernel.h"
#include "run/shim/core/filter.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/time_scale.h"
#include "run/shim/core/vclock.h"
#include "run/shim/core/wait.h"

enum {
    GROUPS = 512,
    GROUP_RECORDS = 64,
    GROUPS_TRIED = 4, /* for one key */
    FDS = 1024,       /* whose clocks are remembered */
    PAGE = 4096,
    KIND_SHIFT = 54, /* above the process, which has 22 bits, and the number */
    PID_SHIFT = 32,
    PID_MASK = (1 << (KIND_SHIFT - PID_SHIFT)) - 1,
};

/* A forked child begins with an empty table: its parent's records are none of its own. A child of
 * vfork has its parent's memory, so that both have theirs in it. */
static _Alignas(PAGE) struct {
    struct timers_record records[GROUPS][GROUP_RECORDS];
    uint8_t group_used[GROUPS]; /* a kick looks at no other; and most of them are never touched */
    _Alignas(PAGE) char end[];
} table;

static uint8_t is_wiped_on_fork;

/* By which clock a timerfd was made, plus one; this is a forked child's, too. */
static uint8_t clocks_of_fds[FDS];

static uint64_t key_of(enum timers_kind kind, int32_t pid, int number)
{
    return (uint64_t)kind << KIND_SHIFT | (uint64_t)(uint32_t)pid << PID_SHIFT | (uint32_t)number;
}

enum timers_kind timers_kind_of(const struct timers_record *record)
{
    return (enum timers_kind)(record->key >> KIND_SHIFT);
}

static int32_t pid_of(uint64_t key)
{
    return (int32_t)(key >> PID_SHIFT & PID_MASK);
}

static bool try_take(struct timers_record *record, int32_t pid)
{
    uint32_t idle = 0;

    return compare_exchange_full_u32(&record->busy, &idle, (uint32_t)pid);
}

static unsigned group_of(uint64_t key, unsigned nth)
{
    return ((uint32_t)(key ^ key >> 32) * UINT32_C(2654435761) >> 16) % GROUPS + nth;
}

static struct timers_record *find(uint64_t key)
{
    for (unsigned nth = 0; nth < GROUPS_TRIED; nth++) {
        const unsigned group = group_of(key, nth) % GROUPS;
        if (!load_acquire_u8(&table.group_used[group]))
            continue;
        for (unsigned i = 0; i < GROUP_RECORDS; i++)
            if (load_acquire_u64(&table.records[group][i].key) == key)
                return &table.records[group][i];
    }
    return NULL;
}

/* Of a child of vfork that has ended. */
static bool is_left_over(uint64_t key)
{
    return SYS2(SYS_kill, pid_of(key), 0) == -ESRCH;
}

static struct timers_record *make_in(unsigned group, uint64_t key, bool left_over)
{
    store_full_u8(&table.group_used[group], 1);
    for (unsigned i = 0; i < GROUP_RECORDS; i++) {
        struct timers_record *record = &table.records[group][i];
        uint64_t found = load_relaxed_u64(&record->key);
        if ((left_over ? is_left_over(found) : found == 0) &&
            compare_exchange_full_u64(&record->key, &found, key)) {
            const uint32_t number = (uint32_t)key;
            uint32_t dead = (uint32_t)pid_of(found);
            if (left_over) /* it may have had that one; another thread may have it by now */
                compare_exchange_full_u32(&record->busy, &dead, 0);
            record->clock_id = -1;
            if (timers_kind_of(record) == TIMERS_FD && number < FDS)
                record->clock_id = load_relaxed_u8(&clocks_of_fds[number]) - 1;
            record->armed = false;
            return record;
        }
    }
    return NULL;
}

static struct timers_record *make(uint64_t key)
{
    struct timers_record *record = NULL;

    if (!load_acquire_u8(&is_wiped_on_fork)) {
        SYS3(SYS_madvise, &table, sizeof(table), MADV_WIPEONFORK);
        store_full_u8(&is_wiped_on_fork, 1);
    }
    for (unsigned nth = 0; nth < 2 * GROUPS_TRIED && record == NULL; nth++)
        record = make_in(group_of(key, nth % GROUPS_TRIED) % GROUPS, key, nth >= GROUPS_TRIED);
    return record;
}

/* Another thread has it for some microseconds, or for as long as it waits for a CPU meanwhile. That
 * ends in any case: who has a record takes no signals. */
static void take_soon(struct timers_record *record, int32_t pid)
{
    enum { YIELDS = 1000, NAP_NS = 50000 };
    const struct timespec nap = {.tv_nsec = NAP_NS};

    for (unsigned i = 0; !try_take(record, pid); i++) {
        if (i < YIELDS)
            SYS0(SYS_sched_yield);
        else
            SYS2(SYS_nanosleep, &nap, NULL);
    }
}

struct timers_record *timers_take(enum timers_kind kind, int number, bool create)
{
    const int32_t pid = (int32_t)SYS0(SYS_getpid);
    const uint64_t key = key_of(kind, pid, number);
    struct timers_record *record = find(key);

    if (record == NULL && create)
        record = make(key);
    if (record == NULL)
        return NULL;
    take_soon(record, pid);
    record->pid = pid;
    return record;
}

void timers_made(struct timers_record *record, int clock_id)
{
    const uint32_t number = (uint32_t)record->key;

    record->clock_id = clock_id;
    record->armed = false;
    if (number < FDS)
        store_release_u8(&clocks_of_fds[number], (uint8_t)(clock_id + 1));
}

long timers_arm(struct timers_record *record, long flags)
{
    filter_install_more(FILTER_ENDLESS); /* any thread may get a kick for timers */
    const bool is_first = wait_register_timers(record->pid);
    long rc = timers_kernel_arm(record, flags);
    if (is_first)
        wait_tell_held(record->pid, record->generation);
    return rc;
}

struct itimerspec timers_left(const struct timers_record *record)
{
    struct itimerspec spec = {0};

    if (!record->armed)
        return spec;
    const uint64_t now_ns = vclock_now_ns();
    uint64_t rest_ns = record->deadline_ns > now_ns ? record->deadline_ns - now_ns : 0;
    if (rest_ns == 0 && record->interval_ns != 0)
        rest_ns = record->interval_ns - (now_ns - record->deadline_ns) % record->interval_ns;
    else if (rest_ns == 0 && timers_kernel_get(record, &spec) == 0 && spec.it_value.tv_sec == 0 &&
             spec.it_value.tv_nsec == 0)
        return spec; /* it is over */
    spec.it_value = scale_timespec(rest_ns > 0 ? rest_ns : 1);
    spec.it_interval = scale_timespec(record->interval_ns);
    return spec;
}

/* Who has found one busy leaves it to him who has it. True: it had to be armed anew. */
static bool let_go(struct timers_record *record, int32_t pid)
{
    const uint32_t *generation = &vclock_session()->generation;

    for (bool late = false;; late = true) {
        store_full_u32(&record->busy, 0);
        if (!record->armed || record->pid != pid ||
            load_full_u32(generation) == record->generation || !try_take(record, pid))
            return late;
        if (record->armed)
            timers_kernel_rearm(record);
    }
}

/* False: somebody has one of them, who arms it when he lets it go, and looks again. */
static bool rearm_group(struct timers_record *group, uint32_t generation, int32_t pid)
{
    bool all = true;

    for (unsigned i = 0; i < GROUP_RECORDS; i++) {
        struct timers_record *record = &group[i];
        if (pid_of(load_acquire_u64(&record->key)) != pid)
            continue;
        if (!try_take(record, pid)) {
            all = false;
            continue;
        }
        if (record->armed && record->generation != generation)
            timers_kernel_rearm(record);
        (void)let_go(record, pid);
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
        if (load_acquire_u8(&table.group_used[i]))
            all = rearm_group(table.records[i], generation, pid) && all;
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
    if (let_go(record, record->pid) || load_full_u32(&skipped) != 0)
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
