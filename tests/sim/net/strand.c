/* SPDX-License-Identifier: MIT */
#include "strand.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "ring/barrier.h"
#include "vif_world.h"

/* What vif_steps.h declares. */
void steps_step(void);
uint64_t steps_now_ns(void);
int steps_futex_wait(const uint32_t *word, uint32_t expected, int64_t timeout_ns);
int steps_futex_wake(const uint32_t *word);
long steps_write(int fd, const void *data, unsigned long bytes);
int steps_lock(pthread_mutex_t *mutex);
int steps_unlock(pthread_mutex_t *mutex);
int steps_await(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until);
int steps_tell(const pthread_cond_t *condition);

enum { STRANDS_MAX = 64 };

static struct machine {
    struct fiber outside;
    struct strand *current; /* NULL: outside */
    struct strand *all[STRANDS_MAX];
    uint32_t left; /* steps that current has left */
    bool muted;
    uint64_t now_ns, steps;
} machine;

static void leave(void)
{
    fiber_switch(&machine.current->fiber, &machine.outside);
}

static struct strand **place_of(const struct strand *strand)
{
    uint32_t i = 0;
    while (i < STRANDS_MAX && machine.all[i] != strand)
        i++;
    if (i == STRANDS_MAX)
        abort();
    return &machine.all[i];
}

void strand_start(struct strand *strand, void (*run)(void *arg), void *arg)
{
    *strand = (struct strand){.is_there = true};
    *place_of(NULL) = strand;
    if (fiber_start(&strand->fiber, run, arg) < 0)
        abort();
}

void strand_kill(struct strand *strand)
{
    if (!strand->is_there)
        return;
    *place_of(strand) = NULL;
    fiber_free(&strand->fiber);
    strand->is_there = false;
}

static bool is_over(const struct strand *strand)
{
    return strand->until_ns != 0 && machine.now_ns >= strand->until_ns;
}

bool strand_is_ready(const struct strand *strand)
{
    return strand->is_there && (!strand->waits || is_over(strand) ||
                                (strand->ready != NULL && strand->ready(strand->ctx)));
}

void strand_go_on(struct strand *strand, uint32_t steps)
{
    strand->timed_out =
        strand->waits && is_over(strand) && (strand->ready == NULL || !strand->ready(strand->ctx));
    strand->waits = false;
    machine.current = strand;
    machine.left = steps;
    fiber_switch(&machine.outside, &strand->fiber);
    machine.current = NULL;
}

/* Returns whether it was woken. */
static bool wait_on(const void *on, bool (*ready)(void *ctx), void *ctx, uint64_t until_ns)
{
    struct strand *strand = machine.current;
    if (strand == NULL)
        abort();
    strand->waits = true;
    strand->on = on;
    strand->ready = ready;
    strand->ctx = ctx;
    strand->until_ns = until_ns;
    leave();
    strand->ready = NULL;
    return !strand->timed_out;
}

static int wake_all(const void *on)
{
    int woken = 0;
    for (uint32_t i = 0; i < STRANDS_MAX; i++) {
        struct strand *strand = machine.all[i];
        if (strand != NULL && strand->waits && strand->on == on && on != NULL) {
            strand->waits = false;
            woken++;
        }
    }
    return woken;
}

bool strand_await(bool (*ready)(void *ctx), void *ctx, uint64_t until_ns)
{
    return ready(ctx) || wait_on(NULL, ready, ctx, until_ns);
}

void strand_step(void)
{
    steps_step();
}

void strand_mute(bool muted)
{
    machine.muted = muted;
}

uint64_t strand_now_ns(void)
{
    return machine.now_ns;
}

void strand_set_now_ns(uint64_t now_ns)
{
    machine.now_ns = now_ns;
}

uint64_t strand_steps(void)
{
    return machine.steps;
}

/* ---- what the product's sources call instead (vif_steps.h) ---- */

void steps_step(void)
{
    machine.steps++;
    if (machine.current == NULL || machine.muted)
        return;
    if (machine.left <= 1)
        leave();
    else
        machine.left--;
}

uint64_t steps_now_ns(void)
{
    return machine.now_ns;
}

int steps_futex_wait(const uint32_t *word, uint32_t expected, int64_t timeout_ns)
{
    steps_step();
    if (load_full_u32(word) != expected)
        return -EAGAIN;
    if (timeout_ns == 0)
        return -ETIMEDOUT;
    uint64_t until_ns = timeout_ns < 0 ? 0 : machine.now_ns + (uint64_t)timeout_ns;
    return wait_on(word, NULL, NULL, until_ns) ? 0 : -ETIMEDOUT;
}

int steps_futex_wake(const uint32_t *word)
{
    steps_step();
    return wake_all(word);
}

/* To a doorbell: its number is its front end's. */
long steps_write(int fd, const void *data, unsigned long bytes)
{
    uint64_t count;
    memcpy(&count, data, sizeof(count));
    steps_step();
    if (count > 0)
        world_ring(fd);
    return (long)bytes;
}

int steps_lock(pthread_mutex_t *mutex)
{
    steps_step();
    while (pthread_mutex_trylock(mutex) != 0)
        (void)wait_on(mutex, NULL, NULL, 0);
    return 0;
}

int steps_unlock(pthread_mutex_t *mutex)
{
    pthread_mutex_unlock(mutex);
    wake_all(mutex);
    steps_step();
    return 0;
}

int steps_await(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until)
{
    uint64_t until_ns = 0;
    if (until != NULL)
        until_ns = (uint64_t)until->tv_sec * CLOCK_NS_PER_SEC + (uint64_t)until->tv_nsec;
    pthread_mutex_unlock(mutex);
    wake_all(mutex);
    bool woken = wait_on(condition, NULL, NULL, until_ns);
    (void)steps_lock(mutex);
    return woken ? 0 : ETIMEDOUT;
}

int steps_tell(const pthread_cond_t *condition)
{
    (void)wake_all(condition);
    return 0;
}
