/* SPDX-License-Identifier: MIT */
#include "trace/trace_pace.h"

enum {
    WINDOW_NS = 5000000, /* the rate is that of so long a time, */
    WINDOW_CHOSEN = 256, /* or of so many that were chosen */
    STALE_NS = 20000000, /* what a coarse clock lags behind, and a window */
    NS_PER_S = 1000000000,
};

_Static_assert(UINT64_C(1) * WINDOW_CHOSEN * NS_PER_S / WINDOW_NS > TRACE_PACE_PER_SECOND,
               "a window of the rate that is chosen whole is over before so many have come");

void trace_pace_init(struct trace_pace *pace, uint32_t threshold)
{
    bool is_auto = threshold == TRACE_THRESHOLD_AUTO;
    *pace =
        (struct trace_pace){.threshold = threshold, .every = is_auto ? 1 : UINT32_MAX / threshold};
}

/* Of so many requests per second one in how many is chosen. */
static uint32_t every_of(uint64_t rate)
{
    uint32_t every = 1;
    if (rate <= TRACE_PACE_PER_SECOND)
        return every;
    while (rate / every > TRACE_PACE_SAMPLE_PER_SECOND && every < TRACE_PACE_EVERY_MAX)
        every *= 2;
    return every;
}

/* A window of that many requests ends. Threads take their times before their turn, so that a time
 * may lie before the window: then it goes on. */
static void judge(struct trace_pace *pace, uint64_t now_ns, uint64_t seen)
{
    int64_t took_ns = (int64_t)(now_ns - pace->since_ns);
    if (took_ns <= 0)
        return;
    uint64_t sharers = pace->sharers > 0 ? pace->sharers : 1;
    pace->every = every_of(seen * sharers * NS_PER_S / (uint64_t)took_ns);
    pace->since_ns = now_ns;
    pace->seen = 0;
}

static void follow_rate(struct trace_pace *pace, uint64_t now_ns, uint32_t weight)
{
    pace->seen += weight;
    if (pace->since_ns == 0) {
        pace->since_ns = now_ns;
        pace->seen = 0;
    } else if (pace->seen >= (uint64_t)WINDOW_CHOSEN * pace->every ||
               (int64_t)(now_ns - pace->since_ns) >= WINDOW_NS) {
        judge(pace, now_ns, pace->seen);
    }
}

/* So many pass by before the next one that is chosen. */
static void let_pass(struct trace_pace *pace, uint32_t count)
{
    bool looks = pace->threshold == TRACE_THRESHOLD_AUTO && count > TRACE_PACE_LOOK_EVERY;
    pace->left = looks ? TRACE_PACE_LOOK_EVERY : count;
    pace->later = count - pace->left;
}

void trace_pace_look(struct trace_pace *pace, uint64_t now_ns)
{
    if ((int64_t)(now_ns - pace->since_ns) > STALE_NS) {
        judge(pace, now_ns, pace->seen + pace->passed);
        pace->seen -= pace->passed; /* they are a part of the next weight */
    }
    let_pass(pace, pace->later < pace->every ? pace->later : pace->every - 1);
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
        follow_rate(pace, now_ns, *weight);
    let_pass(pace, pace->every - 1);
    return rank;
}
