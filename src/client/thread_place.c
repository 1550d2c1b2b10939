/* SPDX-License-Identifier: MIT */
#include "client/thread_place.h"

enum {
    FEW_THREADS_MAX = 4,      /* more would wait for Dom0's CPU */
    LOOK_NS = 20 * 1000000,   /* how soon a client gives way to another one */
    LOOKS_WITH_DOM0 = 10,     /* then one apart from Dom0 */
    NS_PER_DISK_READ = 25000, /* few threads: a disk takes longer, the cache much less */
};

const char *place_name(enum place place)
{
    switch (place) {
    case PLACE_WITH_DOM0:
        return "with dom0";
    case PLACE_WITHOUT_DOM0:
        return "without dom0";
    case PLACE_ANYWHERE:
        break;
    }
    return "anywhere";
}

void thread_place_init(struct thread_place *place, uint32_t thread_count, bool any_cpu,
                       uint64_t now_ns)
{
    *place = (struct thread_place){.place = PLACE_ANYWHERE,
                                   .few_threads = thread_count <= FEW_THREADS_MAX,
                                   .looked_ns = now_ns,
                                   .due_ns = now_ns + LOOK_NS};
    if (any_cpu || sched_getaffinity(0, sizeof(place->allowed), &place->allowed) < 0 ||
        CPU_COUNT(&place->allowed) < 2)
        place->due_ns = UINT64_MAX;
    place->cpus = place->allowed;
}

static enum place choose(const struct thread_place *place, const struct place_sample *sample)
{
    uint64_t reads = sample->answered_count - place->answered_count;

    if (!sample->alone || sample->dom0_cpu >= CPU_SETSIZE ||
        !CPU_ISSET(sample->dom0_cpu, &place->allowed))
        return PLACE_ANYWHERE;
    if (!place->few_threads || place->place == PLACE_ANYWHERE)
        return PLACE_WITHOUT_DOM0;
    if (place->place == PLACE_WITH_DOM0)
        return place->looks_with_dom0 < LOOKS_WITH_DOM0 ? PLACE_WITH_DOM0 : PLACE_WITHOUT_DOM0;
    bool from_disk = reads <= (sample->now_ns - place->looked_ns) / NS_PER_DISK_READ;
    return from_disk ? PLACE_WITH_DOM0 : PLACE_WITHOUT_DOM0;
}

bool thread_place_step(struct thread_place *place, const struct place_sample *sample)
{
    cpu_set_t before = place->cpus;

    place->place = choose(place, sample);
    place->looks_with_dom0 = place->place == PLACE_WITH_DOM0 ? place->looks_with_dom0 + 1 : 0;
    place->cpus = place->allowed;
    if (place->place == PLACE_WITH_DOM0)
        CPU_ZERO(&place->cpus);
    if (place->place == PLACE_WITH_DOM0)
        CPU_SET(sample->dom0_cpu, &place->cpus);
    if (place->place == PLACE_WITHOUT_DOM0)
        CPU_CLR(sample->dom0_cpu, &place->cpus);
    place->answered_count = sample->answered_count;
    place->looked_ns = sample->now_ns;
    place->due_ns = sample->now_ns + LOOK_NS;
    return !CPU_EQUAL(&before, &place->cpus);
}
