/* SPDX-License-Identifier: MIT */
#include "run/shim/call/timers_kernel.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ring/barrier.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/time_scale.h"
#include "run/shim/core/vclock.h"
#include "run/shim/core/wait.h"

enum {
    /* A timer that is not within this of what we armed was armed by somebody else since. */
    FOREIGN_NS = 2000000,
    /* One that is about to ring is let ring first, so that it does not between a look at it and
     * its being armed anew. */
    ABOUT_NS = 30000,
    LOOKS = 4,
    /* For so long after an expiry its signal may not have been taken by who waits for it. */
    RECENT_NS = 2000000,
    US_NS = 1000,
    /* linux/timerfd.h: sets the count of expiries that are not read yet. */
    IOC_SET_TICKS = 0x40085400,
};

static int number_of(const struct timers_record *record)
{
    return (int)(uint32_t)record->key;
}

static struct timeval timeval_of(const struct timespec *ts)
{
    const long usec = (ts->tv_nsec + US_NS - 1) / US_NS;

    return (struct timeval){.tv_sec = ts->tv_sec + usec / 1000000, .tv_usec = usec % 1000000};
}

/* flags: as timer_settime and timerfd_settime take them; an interval timer knows none. */
static long set_kernel(const struct timers_record *record, long flags,
                       const struct itimerspec *spec)
{
    struct itimerval val;

    switch (timers_kind_of(record)) {
    case TIMERS_FD:
        return SYS4(SYS_timerfd_settime, number_of(record), flags, spec, 0);
    case TIMERS_POSIX:
        return SYS4(SYS_timer_settime, number_of(record), flags, spec, 0);
    default:
        val.it_value = timeval_of(&spec->it_value);
        val.it_interval = timeval_of(&spec->it_interval);
        return SYS3(SYS_setitimer, number_of(record), &val, 0);
    }
}

long timers_kernel_get(const struct timers_record *record, struct itimerspec *spec)
{
    struct itimerval val;
    long rc;

    switch (timers_kind_of(record)) {
    case TIMERS_FD:
        return SYS2(SYS_timerfd_gettime, number_of(record), spec);
    case TIMERS_POSIX:
        return SYS2(SYS_timer_gettime, number_of(record), spec);
    default:
        rc = SYS2(SYS_getitimer, number_of(record), &val);
        spec->it_value = (struct timespec){val.it_value.tv_sec, val.it_value.tv_usec * US_NS};
        spec->it_interval =
            (struct timespec){val.it_interval.tv_sec, val.it_interval.tv_usec * US_NS};
        return rc;
    }
}

static uint64_t real_interval_ns(const struct timers_record *record, uint64_t tdf)
{
    const uint64_t interval_ns = scale_to_real_ns(tdf, record->interval_ns);

    if (timers_kind_of(record) != TIMERS_ITIMER)
        return interval_ns;
    return (interval_ns + US_NS - 1) / US_NS * US_NS;
}

/* Of a periodic timer whose time is over: for how long, in real time, so that the kernel counts
 * what it has missed, and goes on in step. 0: no such, or the kernel knows no such time. */
static uint64_t elapsed_ns(const struct timers_record *record, uint64_t tdf)
{
    const uint64_t now_ns = vclock_now_ns();

    if (record->interval_ns == 0 || record->deadline_ns >= now_ns || tdf >> 32 == 0 ||
        timers_kind_of(record) == TIMERS_ITIMER || record->clock_id == TIMERS_CLOCK_UNTOLD)
        return 0;
    const uint64_t elapsed = scale_to_real_ns(tdf, now_ns - record->deadline_ns);
    return elapsed < vclock_real_ns(record->clock_id) ? elapsed : 0;
}

/* The kernel's clock, and the real time from then until the deadline: together, or the deadline
 * would be off by what happens in between. */
static uint64_t left_ns(const struct timers_record *record, uint64_t tdf, uint64_t *from_ns)
{
    uint64_t before_ns, left;

    for (unsigned i = 0; i < LOOKS; i++) {
        before_ns = vclock_real_ns(CLOCK_MONOTONIC);
        left = scale_to_real_ns(tdf, wait_rest_ns(record->deadline_ns));
        *from_ns = vclock_real_ns(CLOCK_MONOTONIC);
        if (*from_ns - before_ns < ABOUT_NS)
            break;
    }
    return left > 0 ? left : 1; /* 0 would disarm it */
}

long timers_kernel_arm(struct timers_record *record, long flags)
{
    const bool exact =
        record->clock_id == CLOCK_MONOTONIC && timers_kind_of(record) != TIMERS_ITIMER;
    struct itimerspec spec;
    uint64_t from_ns;

    record->generation = load_full_u32(&vclock_session()->generation);
    const uint64_t tdf = vclock_tdf_timers();
    record->real_interval_ns = real_interval_ns(record, tdf);
    spec.it_interval = scale_timespec(record->real_interval_ns);
    const uint64_t elapsed = elapsed_ns(record, tdf);
    const uint64_t left = left_ns(record, tdf, &from_ns);
    record->real_deadline_ns = elapsed != 0 ? from_ns - elapsed : from_ns + left;
    flags = exact || elapsed != 0 ? flags | TIMER_ABSTIME : flags & ~TIMER_ABSTIME;
    if (exact)
        spec.it_value = scale_timespec(record->real_deadline_ns);
    else
        spec.it_value =
            scale_timespec(elapsed != 0 ? vclock_real_ns(record->clock_id) - elapsed : left);
    const long rc = set_kernel(record, flags, &spec);
    record->real_slack_ns = exact ? 0 : vclock_real_ns(CLOCK_MONOTONIC) - from_ns;
    record->armed = rc == 0;
    return rc;
}

/* ---- anew ---------------------------------------------------------------------------------------
 */

enum state { ENDED, FOREIGN, OURS };

struct found {
    enum state state;
    uint64_t rung;    /* how often since it was armed */
    uint64_t next_ns; /* after so much real time it rings again */
    bool pending;     /* an interval timer that begins anew when its signal is taken */
};

/* What the kernel tells, and between which times: close to each other, if this thread is let. */
static long get_kernel(const struct timers_record *record, struct itimerspec *spec,
                       uint64_t *from_ns, uint64_t *to_ns)
{
    long rc = 0;

    for (unsigned i = 0; i < LOOKS && rc == 0; i++) {
        *spec = (struct itimerspec){0};
        *from_ns = vclock_real_ns(CLOCK_MONOTONIC);
        rc = timers_kernel_get(record, spec);
        *to_ns = vclock_real_ns(CLOCK_MONOTONIC);
        if (*to_ns - *from_ns < ABOUT_NS)
            break;
    }
    return rc;
}

/* Has it rung for the last time, or was it armed by somebody else? This thread may stand still at
 * any point for long, so that all that is known is when it rings at the earliest and the latest. */
static struct found look(const struct timers_record *record)
{
    struct found found = {.state = FOREIGN};
    struct itimerspec spec;
    const int64_t interval = (int64_t)record->real_interval_ns;
    uint64_t from_ns, to_ns;

    if (get_kernel(record, &spec, &from_ns, &to_ns) != 0)
        return found;
    if (!scale_from_timespec(&spec.it_value, &found.next_ns) || found.next_ns == 0) {
        found.pending = interval != 0 && spec.it_interval.tv_sec + spec.it_interval.tv_nsec != 0;
        found.state = found.pending ? OURS : ENDED;
        found.next_ns = UINT64_MAX;
        if (found.pending && to_ns > record->real_deadline_ns)
            found.rung = (to_ns - record->real_deadline_ns) / record->real_interval_ns + 1;
        return found;
    }
    int64_t first =
        (int64_t)(from_ns + found.next_ns - record->real_deadline_ns - record->real_slack_ns);
    int64_t last = (int64_t)(to_ns + found.next_ns - record->real_deadline_ns);
    if (interval != 0 && last > -FOREIGN_NS) {
        if (last > 0)
            found.rung = (uint64_t)((last + interval / 2) / interval);
        const int64_t whole = (last + FOREIGN_NS) / interval * interval;
        first -= whole;
        last -= whole;
    }
    found.state = first < FOREIGN_NS && last > -FOREIGN_NS ? OURS : FOREIGN;
    return found;
}

/* Expiries of a timerfd that nobody has read yet would be lost when it is armed. The program may
 * read them at any time, so that the read must not wait: kernels before 6.10 know no such one. */
static uint64_t take_ticks(const struct timers_record *record)
{
    const int fd = number_of(record);
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    uint64_t ticks = 0;
    const struct iovec place = {.iov_base = &ticks, .iov_len = sizeof(ticks)};

    if (timers_kind_of(record) != TIMERS_FD)
        return 0;
    long rc = SYS6(SYS_preadv2, fd, &place, 1, -1, -1, RWF_NOWAIT);
    if (rc == -EOPNOTSUPP && SYS3(SYS_poll, &pollfd, 1, 0) == 1 && (pollfd.revents & POLLIN))
        rc = SYS3(SYS_read, fd, &ticks, sizeof(ticks));
    return rc == sizeof(ticks) ? ticks : 0;
}

static void give_ticks(const struct timers_record *record, uint64_t ticks)
{
    if (ticks != 0)
        SYS3(SYS_ioctl, number_of(record), IOC_SET_TICKS, &ticks);
}

/* How often it was to ring until now, by the domain's clock; *next_ns: after so much real time once
 * more. */
static uint64_t due_count(const struct timers_record *record, uint64_t *next_ns)
{
    const uint64_t now_ns = vclock_now_ns();
    uint64_t count = 0, rest_ns = record->deadline_ns - now_ns;

    if (record->deadline_ns <= now_ns) {
        count = 1;
        rest_ns = SCALE_FOREVER_NS;
        if (record->interval_ns != 0) {
            count += (now_ns - record->deadline_ns) / record->interval_ns;
            rest_ns = record->deadline_ns + count * record->interval_ns - now_ns;
        }
    }
    *next_ns = scale_to_real_ns(vclock_tdf(), rest_ns);
    return count;
}

static void pause_ns(uint64_t ns)
{
    const uint64_t from_ns = vclock_real_ns(CLOCK_MONOTONIC);

    while (vclock_real_ns(CLOCK_MONOTONIC) - from_ns <= ns)
        cpu_relax();
}

static void rearm_once(struct timers_record *record)
{
    uint64_t next_ns, ticks = 0;
    const struct found found = look(record);
    const uint64_t due = due_count(record, &next_ns);

    if (found.state == OURS || (found.state == ENDED && due == 0))
        ticks = take_ticks(record);
    if (found.state == OURS || (found.state == ENDED && due == 0 && ticks != 0)) {
        if (due == 0 || ticks == 0) {
            timers_kernel_arm(record, 0);
            return;
        }
        give_ticks(record, 1);
    }
    record->armed = false;
}

/* The kernel sets an interval timer for a span only: it rings now, and then in step. */
static void ring_itimer(const struct timers_record *record)
{
    const struct itimerspec now = {.it_value = {.tv_nsec = US_NS}};
    const uint64_t from_ns = vclock_real_ns(CLOCK_MONOTONIC);
    struct itimerspec left = now;

    if (set_kernel(record, 0, &now) != 0)
        return;
    while (left.it_value.tv_nsec != 0 && vclock_real_ns(CLOCK_MONOTONIC) - from_ns < 10 * ABOUT_NS)
        timers_kernel_get(record, &left);
}

/* A signal that nobody has taken yet is sent once more. */
static bool is_dropped(const struct timers_record *record, const struct found *found)
{
    return timers_kind_of(record) == TIMERS_POSIX && found->rung > 0 &&
           found->next_ns + RECENT_NS > record->real_interval_ns &&
           timer_signal_is_dropped(&record->signal);
}

/* An expiry by the rate of before, which is too early by that of now, is taken back where nobody
 * has noticed it yet, and not told again where somebody has; one that is missing is told. */
static void rearm_periodic(struct timers_record *record)
{
    struct found found = look(record);
    uint64_t next_ns, due = due_count(record, &next_ns);

    for (unsigned i = 0; i < LOOKS && timers_kind_of(record) != TIMERS_POSIX &&
                         record->real_interval_ns > LOOKS * ABOUT_NS &&
                         (found.next_ns < ABOUT_NS || next_ns < ABOUT_NS);
         i++) {
        pause_ns(found.next_ns < ABOUT_NS ? found.next_ns : next_ns);
        found = look(record);
        due = due_count(record, &next_ns);
    }
    if (found.state != OURS) {
        record->armed = false;
        return;
    }
    uint64_t ticks = take_ticks(record), rung = found.rung - is_dropped(record, &found);
    if (rung > due) {
        const uint64_t back = rung - due < ticks ? rung - due : ticks;
        ticks -= back;
        rung -= back;
    } else if (timers_kind_of(record) != TIMERS_POSIX) {
        if (timers_kind_of(record) == TIMERS_FD)
            ticks += due - rung;
        else if (due > rung && !found.pending)
            ring_itimer(record);
        rung = due;
    } /* else the kernel tells them as overruns, of a time that is over */
    record->deadline_ns += rung * record->interval_ns;
    timers_kernel_arm(record, 0);
    give_ticks(record, ticks);
}

void timers_kernel_rearm(struct timers_record *record)
{
    if (record->interval_ns == 0)
        rearm_once(record);
    else
        rearm_periodic(record);
}
