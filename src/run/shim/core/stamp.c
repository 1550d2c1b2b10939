/* SPDX-License-Identifier: MIT */
#include "run/shim/core/stamp.h"

#include "ring/barrier.h"
#include "run/shim/core/time_scale.h"
#include "run/shim/core/vclock.h"

/* The span in force at a time, by either clock; the first one for what was before. */
static struct session_span span_at(int64_t ns, bool by_real)
{
    const struct session *session = vclock_session();
    const uint32_t count = load_acquire_u32(&session->span_count);
    const uint32_t kept = count < SESSION_SPANS ? count : SESSION_SPANS;
    struct session_span span = {.tdf = UINT64_C(1) << 32 | 1};

    for (uint32_t back = 1; back <= kept; back++) {
        span = session->spans[(count - back) % SESSION_SPANS];
        if (ns >= (int64_t)(by_real ? span.real_ns : span.virtual_ns))
            break;
    }
    return span;
}

static int64_t wall_ahead_ns(void)
{
    uint64_t ahead_ns = 0;

    vclock_ahead_ns(CLOCK_REALTIME, &ahead_ns);
    return (int64_t)ahead_ns;
}

int64_t stamp_to_virtual_ns(int64_t real_ns)
{
    const int64_t at = real_ns - vclock_session()->realtime_ahead_ns;
    const struct session_span span = span_at(at, true);
    const int64_t begin_ns = (int64_t)span.virtual_ns + wall_ahead_ns();

    if (at < (int64_t)span.real_ns)
        return real_ns < begin_ns ? real_ns : begin_ns;
    return begin_ns + (int64_t)scale_to_virtual_ns(span.tdf, (uint64_t)at - span.real_ns, false);
}

int64_t stamp_to_real_ns(int64_t virtual_ns)
{
    const int64_t at = virtual_ns - wall_ahead_ns();
    const struct session_span span = span_at(at, false);

    if (at < (int64_t)span.virtual_ns)
        return virtual_ns;
    const uint64_t past_ns = scale_to_real_ns(span.tdf, (uint64_t)at - span.virtual_ns);
    return (int64_t)span.real_ns + vclock_session()->realtime_ahead_ns +
           (past_ns < SCALE_FOREVER_NS ? (int64_t)past_ns : 0);
}

/* Years that do not fit into 64 bits of nanoseconds stay as they are. */
static void apply(struct timespec *ts, int64_t (*to)(int64_t))
{
    const int64_t per_sec = (int64_t)SCALE_NS_PER_SEC;

    if (ts->tv_sec < 0 || ts->tv_sec > (int64_t)(SCALE_FOREVER_NS / SCALE_NS_PER_SEC))
        return;
    const int64_t ns = to(ts->tv_sec * per_sec + ts->tv_nsec);
    *ts = (struct timespec){.tv_sec = ns / per_sec, .tv_nsec = ns % per_sec};
}

void stamp_show(struct timespec *ts)
{
    apply(ts, stamp_to_virtual_ns);
}

void stamp_set(struct timespec *ts)
{
    apply(ts, stamp_to_real_ns);
}
