/* SPDX-License-Identifier: MIT */
#include "client/thread_place.h"

#include "base/clock.h"

enum {
    WITH_THREADS_MAX = 4, /* more would wait for that CPU */
    DOM0_CPU_UNKNOWN = -1,
};

static enum place alternative(uint32_t thread_count)
{
    return thread_count <= WITH_THREADS_MAX ? PLACE_WITH_DOM0 : PLACE_WITHOUT_DOM0;
}

void thread_place_init(struct thread_place *place, uint32_t thread_count, bool free_choice)
{
    CPU_ZERO(&place->allowed);
    bool one_cpu = sched_getaffinity(0, sizeof(place->allowed), &place->allowed) < 0 ||
                   CPU_COUNT(&place->allowed) < 2;
    place_trial_init(&place->trial,
                     one_cpu || free_choice ? PLACE_ANYWHERE : alternative(thread_count),
                     clock_monotonic_ns());
    place->dom0_cpu = (uint32_t)DOM0_CPU_UNKNOWN;
    place->cpus = place->allowed;
    pthread_mutex_init(&place->lock, NULL);
    place->moves = 0;
}

void thread_place_fini(struct thread_place *place)
{
    pthread_mutex_destroy(&place->lock);
}

uint64_t thread_place_due_ns(const struct thread_place *place)
{
    return place->trial.due_ns;
}

/* If this process may not use Dom0's CPU, there is nothing to choose. */
static void make_set(const struct thread_place *place, uint32_t dom0_cpu, cpu_set_t *cpus)
{
    *cpus = place->allowed;
    if (dom0_cpu >= CPU_SETSIZE || !CPU_ISSET(dom0_cpu, &place->allowed))
        return;
    if (place->trial.place == PLACE_WITH_DOM0) {
        CPU_ZERO(cpus);
        CPU_SET(dom0_cpu, cpus);
    } else if (place->trial.place == PLACE_WITHOUT_DOM0) {
        CPU_CLR(dom0_cpu, cpus);
    }
}

void thread_place_step(struct thread_place *place, uint64_t answered_count, uint32_t dom0_cpu,
                       bool alone)
{
    struct place_sample sample = {.now_ns = clock_monotonic_ns(),
                                  .answered_count = answered_count,
                                  .cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID),
                                  .alone = alone};
    bool changed = place_trial_step(&place->trial, &sample);
    if (!changed && dom0_cpu == place->dom0_cpu)
        return;
    cpu_set_t cpus;
    make_set(place, dom0_cpu, &cpus);
    place->dom0_cpu = dom0_cpu;
    if (CPU_EQUAL(&cpus, &place->cpus))
        return;
    pthread_mutex_lock(&place->lock);
    place->cpus = cpus;
    /* The lock orders it; without the lock it is a hint. */
    store_relaxed_u32(&place->moves, place->moves + 1);
    pthread_mutex_unlock(&place->lock);
}

void thread_place_follow(struct thread_place *place, uint32_t *seen)
{
    pthread_mutex_lock(&place->lock);
    *seen = place->moves;
    cpu_set_t cpus = place->cpus;
    pthread_mutex_unlock(&place->lock);
    (void)sched_setaffinity(0, sizeof(cpus), &cpus); /* a matter of speed */
}
