/* SPDX-License-Identifier: MIT */
#include "trace/trace_pace.h"

enum {
    GAP_NS = 1000000000 / TRACE_PACE_PER_SECOND,
    BURST_NS = 250 * GAP_NS, /* so many at once are no higher rate */
};

void trace_pace_init(struct trace_pace *pace, uint32_t threshold)
{
    bool is_auto = threshold == TRACE_THRESHOLD_AUTO;
    *pace =
        (struct trace_pace){.threshold = threshold, .every = is_auto ? 1 : UINT32_MAX / threshold};
}

/* A bucket of BURST_NS, from which each chosen one takes gap_ns. Empty: too many are chosen. Full:
 * there may be more. In both cases it goes on with half of it. */
static void follow_rate(struct trace_pace *pace, uint64_t now_ns)
{
    uint64_t full_ns = now_ns - BURST_NS;
    uint64_t gap_ns = (uint64_t)GAP_NS * (pace->sharers > 0 ? pace->sharers : 1);
    bool is_full = (int64_t)(pace->paid_ns - full_ns) <= 0;
    pace->paid_ns = (is_full ? full_ns : pace->paid_ns) + gap_ns;
    if (is_full && pace->every > 1)
        pace->every /= 2;
    else if ((int64_t)(pace->paid_ns - now_ns) > 0 && pace->every < TRACE_PACE_EVERY_MAX)
        pace->every *= 2;
    else
        return;
    pace->paid_ns = now_ns - BURST_NS / 2;
}

/* Those of the sample are spread evenly over the ranks that the sample has, so that whoever wants
 * fewer of them finds as many as he wants. */
static uint32_t rank_of(const struct trace_pace *pace)
{
    uint32_t spread = (uint32_t)((pace->chosen * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
    uint32_t rank = 1 + ((spread / pace->every) >> 16);
    return rank < TRACE_RANK_NEVER ? rank : TRACE_RANK_NEVER - 1;
}

uint32_t trace_pace_choose(struct trace_pace *pace, uint64_t now_ns, uint32_t *weight)
{
    *weight = pace->passed + 1;
    pace->passed = 0;
    pace->chosen++;
    uint32_t rank = rank_of(pace);
    if (pace->threshold == TRACE_THRESHOLD_AUTO)
        follow_rate(pace, now_ns);
    pace->left = pace->every - 1;
    return rank;
}
