/* SPDX-License-Identifier: MIT */
#include "client/courtesy.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "ring/barrier.h"

enum {
    THREADS_MIN = 3,
    THREADS_MAX = 32,
    CLOCK_REQUESTS = 32,
    LOOK_NS = 16000000, /* between two looks, at least */
    LONG_NS = 150000,   /* to wait for one slice: on average, between two looks */
};

#define PAUSE_MIN_NS UINT64_C(250000000)
#define PAUSE_MAX_NS UINT64_C(16000000000)

/* A matter of speed: what fails changes nothing. */
static void set_policy(int policy)
{
    const struct sched_param none = {0};
    (void)pthread_setschedparam(pthread_self(), policy, &none);
}

static bool read_schedstat(int fd, uint64_t *waited_ns, uint64_t *slices)
{
    char text[96];
    ssize_t length = pread(fd, text, sizeof(text) - 1, 0);
    if (length <= 0)
        return false;
    text[length] = '\0';
    return sscanf(text, "%*u %" SCNu64 " %" SCNu64, waited_ns, slices) == 2;
}

void courtesy_begin(struct courtesy *courtesy, struct courtesy_shared *shared,
                    uint32_t thread_count)
{
    struct sched_param param;
    int policy;

    *courtesy = (struct courtesy){.shared = shared, .fd = -1};
    if (thread_count < THREADS_MIN || thread_count > THREADS_MAX ||
        pthread_getschedparam(pthread_self(), &policy, &param) != 0 || policy != SCHED_OTHER)
        return;
    courtesy->fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    if (courtesy->fd < 0 ||
        !read_schedstat(courtesy->fd, &courtesy->waited_ns, &courtesy->slices)) {
        courtesy_end(courtesy);
        return;
    }
    courtesy->on = true;
    courtesy->left = CLOCK_REQUESTS;
    courtesy->due_ns = clock_coarse_ns() + LOOK_NS;
    set_policy(SCHED_BATCH);
}

void courtesy_end(struct courtesy *courtesy)
{
    if (courtesy->fd >= 0)
        close(courtesy->fd);
    courtesy->fd = -1;
    courtesy->left = 0;
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

void courtesy_judge(struct courtesy *courtesy, uint64_t now_ns, uint64_t waited_ns, uint64_t slices)
{
    uint64_t waits = slices - courtesy->slices;
    if (courtesy->on && waits > 0 && (waited_ns - courtesy->waited_ns) / waits > LONG_NS)
        be_impatient(courtesy->shared, now_ns);
    courtesy->waited_ns = waited_ns;
    courtesy->slices = slices;
}

void courtesy_look(struct courtesy *courtesy)
{
    uint64_t waited_ns, slices, now_ns = clock_coarse_ns();
    courtesy->left = CLOCK_REQUESTS;
    if (now_ns >= courtesy->due_ns) {
        courtesy->due_ns = now_ns + LOOK_NS;
        if (read_schedstat(courtesy->fd, &waited_ns, &slices))
            courtesy_judge(courtesy, now_ns, waited_ns, slices);
    }
    bool on = courtesy_is_due(courtesy->shared, now_ns);
    if (on != courtesy->on)
        set_policy(on ? SCHED_BATCH : SCHED_OTHER);
    courtesy->on = on;
}
