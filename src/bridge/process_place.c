/* SPDX-License-Identifier: MIT */
#include "bridge/process_place.h"

#include <dirent.h>
#include <stdlib.h>

#include "base/clock.h"

enum { DOM0_CPU_UNKNOWN = -1 };

void process_place_init(struct process_place *place)
{
    *place = (struct process_place){.dom0_cpu = (uint32_t)DOM0_CPU_UNKNOWN};
    pthread_mutex_init(&place->lock, NULL);
    bool one_cpu = sched_getaffinity(0, sizeof(place->allowed), &place->allowed) < 0 ||
                   CPU_COUNT(&place->allowed) < 2;
    place->cpus = place->allowed;
    place_trial_init(&place->trial, one_cpu ? PLACE_ANYWHERE : PLACE_WITH_DOM0,
                     clock_monotonic_ns());
}

void process_place_fini(struct process_place *place)
{
    pthread_mutex_destroy(&place->lock);
}

/* A thread that begins meanwhile may be missed until the next move. */
static void move_threads(const cpu_set_t *cpus)
{
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *entry;

    if (tasks == NULL)
        return;
    while ((entry = readdir(tasks)) != NULL) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (tid > 0)
            (void)sched_setaffinity(tid, sizeof(*cpus), cpus); /* a matter of speed */
    }
    closedir(tasks);
}

static void follow(struct process_place *place, uint32_t dom0_cpu)
{
    cpu_set_t cpus = place->allowed;

    place->dom0_cpu = dom0_cpu;
    if (place->trial.place == PLACE_WITH_DOM0 && dom0_cpu < CPU_SETSIZE &&
        CPU_ISSET(dom0_cpu, &place->allowed)) {
        CPU_ZERO(&cpus);
        CPU_SET(dom0_cpu, &cpus);
    }
    if (CPU_EQUAL(&cpus, &place->cpus))
        return;
    place->cpus = cpus;
    move_threads(&cpus);
}

void process_place_step(struct process_place *place, const struct blkfront *bf,
                        const struct blkfront_stats *stats, uint64_t now_ns)
{
    const struct place_sample sample = {.now_ns = now_ns,
                                        .answered_count = stats->responses,
                                        .cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID),
                                        .alone = stats->busy_domains <= 1};
    bool changed;

    if (bf != place->bf || stats->responses < place->answered) { /* another disk, or a new one */
        changed = place->trial.place != PLACE_ANYWHERE;
        place_trial_init(&place->trial, place->trial.other, now_ns);
    } else {
        changed = place_trial_step(&place->trial, &sample);
    }
    place->bf = bf;
    place->answered = stats->responses;
    if (changed || stats->dom0_cpu != place->dom0_cpu)
        follow(place, stats->dom0_cpu);
}

void process_place_look(struct process_place *place, struct blkfront *bf)
{
    struct blkfront_stats stats;

    if (pthread_mutex_trylock(&place->lock) != 0)
        return;
    uint64_t now_ns = place->trial.due_ns == UINT64_MAX ? 0 : clock_monotonic_ns();
    if (now_ns >= place->trial.due_ns) {
        blkfront_stats(bf, &stats);
        process_place_step(place, bf, &stats, now_ns);
    }
    pthread_mutex_unlock(&place->lock);
}
