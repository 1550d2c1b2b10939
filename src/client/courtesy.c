/* SPDX-License-Identifier: MIT */
#include "client/courtesy.h"

#include <pthread.h>
#include <sched.h>

#include "base/clock.h"
#include "ring/barrier.h"

enum {
    THREADS_MIN = 3,
    THREADS_MAX = 32,
    LONG_NS = 400000, /* for a request, on average */
};

#define PAUSE_MIN_NS UINT64_C(250000000)
#define PAUSE_MAX_NS UINT64_C(16000000000)

/* A matter of speed: what fails changes nothing. */
static void set_policy(int policy)
{
    const struct sched_param none = {0};
    (void)pthread_setschedparam(pthread_self(), policy, &none);
}

void courtesy_begin(struct courtesy *courtesy, struct courtesy_shared *shared,
                    uint32_t thread_count)
{
    struct sched_param param;
    int policy;

    *courtesy = (struct courtesy){.shared = shared};
    if (thread_count < THREADS_MIN || thread_count > THREADS_MAX ||
        pthread_getschedparam(pthread_self(), &policy, &param) != 0 || policy != SCHED_OTHER)
        return;
    courtesy->on = true;
    courtesy->left = COURTESY_LOOK_REQUESTS;
    courtesy->begin_ns = clock_coarse_ns();
    set_policy(SCHED_BATCH);
}

bool courtesy_is_due(const struct courtesy_shared *shared, uint64_t now_ns)
{
    return now_ns >= load_relaxed_u64(&shared->until_ns);
}

/* Threads that find that at once write the same. */
static void be_impatient(struct courtesy_shared *shared, uint64_t now_ns)
{
    uint64_t pause_ns = load_relaxed_u64(&shared->pause_ns);
    uint64_t until_ns = load_relaxed_u64(&shared->until_ns);
    if (now_ns < until_ns)
        return;
    if (pause_ns == 0 || now_ns - until_ns > pause_ns)
        pause_ns = PAUSE_MIN_NS;
    else
        pause_ns = pause_ns < PAUSE_MAX_NS ? 2 * pause_ns : PAUSE_MAX_NS;
    store_relaxed_u64(&shared->pause_ns, pause_ns);
    store_relaxed_u64(&shared->until_ns, now_ns + pause_ns);
}

void courtesy_judge(struct courtesy *courtesy, uint64_t now_ns)
{
    const uint64_t long_ns = (uint64_t)COURTESY_LOOK_REQUESTS * LONG_NS;
    if (courtesy->on && now_ns - courtesy->begin_ns > long_ns)
        be_impatient(courtesy->shared, now_ns);
    courtesy->begin_ns = now_ns;
}

void courtesy_look(struct courtesy *courtesy)
{
    uint64_t now_ns = clock_coarse_ns();
    courtesy->left = COURTESY_LOOK_REQUESTS;
    courtesy_judge(courtesy, now_ns);
    bool on = courtesy_is_due(courtesy->shared, now_ns);
    if (on != courtesy->on)
        set_policy(on ? SCHED_BATCH : SCHED_OTHER);
    courtesy->on = on;
}
