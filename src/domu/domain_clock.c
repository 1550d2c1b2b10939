/* SPDX-License-Identifier: MIT */
#include "domu/domain_clock.h"

#include <errno.h>

#include "ring/barrier.h"
#include "tdf/pvclock.h"

enum {
    /* An update takes Dom0 less than a microsecond; one that takes longer than these looks was
     * interrupted, and a reader that waited on might wait for a process that does not run. */
    LOOKS_MAX = 256,
    /* 5 to 16 us by the counters that there are: a ceiling is raised as often at most. */
    HEADROOM_TICKS = 1 << 14,
    HEADROOM_MAX_NS = 100 * 1000 * 1000, /* of a line that nobody publishes */
};

/* The words only grow. */
static void raise_to(uint64_t *word, uint64_t ns)
{
    uint64_t found = load_full_u64(word);

    while (found < ns && !compare_exchange_full_u64(word, &found, ns))
        ;
}

static void raise_ceiling(struct domain_clock *clock, uint64_t now_ns,
                          const struct vcpu_time_info *line)
{
    uint64_t headroom_ns =
        pvclock_ns_at(line, line->tsc_timestamp + HEADROOM_TICKS) - line->system_time;

    if (headroom_ns > HEADROOM_MAX_NS)
        headroom_ns = HEADROOM_MAX_NS;
    raise_to(&clock->ceiling_ns, now_ns + headroom_ns < now_ns ? now_ns : now_ns + headroom_ns);
}

/*
 * The ceiling as the time, for who gets no line. Whoever raises the ceiling looks at the line, and
 * at `changes`, after that: if it still finds them good, its store was there before they went bad,
 * and so it is seen here.
 */
static uint64_t stand_still(struct domain_clock *clock)
{
    uint64_t now_ns = load_full_u64(&clock->ceiling_ns);

    raise_to(&clock->floor_ns, now_ns);
    return now_ns;
}

static const struct vcpu_time_info *line_in_force(const struct domain_clock *clock)
{
    return (const struct vcpu_time_info *)(uintptr_t)load_acquire_u64(&clock->line);
}

static inline int read_clock(struct domain_clock *clock, bool ordered, uint64_t *out_ns)
{
    struct pvclock_look look;
    int rc = -EAGAIN;

    for (unsigned looks = 0; looks < LOOKS_MAX; looks++) {
        uint32_t changes = load_acquire_u32(&clock->changes);
        if (changes & 1) {
            rc = -EAGAIN;
            break;
        }
        const struct vcpu_time_info *line = line_in_force(clock);
        uint64_t offset_ns = load_acquire_u64(&clock->offset_ns);
        rc = pvclock_look(line, ordered, &look);
        if (rc == 0) {
            uint64_t now_ns = look.now_ns + offset_ns;
            uint64_t floor_ns = load_full_u64(&clock->floor_ns);
            if (now_ns < floor_ns)
                now_ns = floor_ns;
            bool below = now_ns <= load_full_u64(&clock->ceiling_ns);
            /* The last look: line and offset belong together, and nobody has started a new life
             * from a ceiling that we have not seen. */
            if (load_full_u32(&clock->changes) != changes)
                continue;
            if (below) {
                *out_ns = now_ns;
                return line == &clock->copy ? -ENOTCONN : 0;
            }
            raise_ceiling(clock, now_ns, &look.line);
        } else if (rc == -EBUSY) {
            if (look.line.version == load_relaxed_u32(&clock->held_version))
                break;
            cpu_relax();
        }
    }
    if (rc == -EBUSY)
        store_relaxed_u32(&clock->held_version, look.line.version);
    *out_ns = stand_still(clock);
    return rc == -EBUSY ? -ETIMEDOUT : -EAGAIN;
}

int domain_clock_read_ns(struct domain_clock *clock, uint64_t *out_ns)
{
    return read_clock(clock, true, out_ns);
}

uint64_t domain_clock_begin_ns(struct domain_clock *clock)
{
    uint64_t begin_ns;

    (void)read_clock(clock, false, &begin_ns);
    return begin_ns;
}

uint64_t domain_clock_offset_ns(const struct domain_clock *clock)
{
    return load_relaxed_u64(&clock->offset_ns);
}

/* From here to the end readers stand still. What stand_still says meanwhile is a time that no
 * reading is above, and that none will be below. */
static void change_begin(struct domain_clock *clock)
{
    store_full_u32(&clock->changes, clock->changes + 1);
}

static void change_end(struct domain_clock *clock, const struct vcpu_time_info *line)
{
    store_release_u64(&clock->line, (uintptr_t)line);
    store_relaxed_u32(&clock->held_version, 0);
    store_release_u32(&clock->changes, clock->changes + 1);
}

void domain_clock_start(struct domain_clock *clock, const struct vcpu_time_info *page,
                        uint64_t born_ns)
{
    *clock = (struct domain_clock){.ceiling_ns = born_ns, .floor_ns = born_ns};
    clock->line = (uintptr_t)page;
}

void domain_clock_orphan(struct domain_clock *clock, const struct shared_info *shared,
                         uint32_t nr_vcpus)
{
    struct vcpu_time_info last;

    if (line_in_force(clock) == &clock->copy)
        return;
    int rc = pvclock_salvage(shared, nr_vcpus, &last);
    change_begin(clock);
    uint64_t now_ns = stand_still(clock);
    if (rc < 0)
        last = (struct vcpu_time_info){.system_time = now_ns - clock->offset_ns};
    last.version = clock->copy.version + 2;
    pvclock_publish_begin(&clock->copy, clock->copy.version);
    pvclock_publish_end(&clock->copy, &last);
    change_end(clock, &clock->copy);
}

void domain_clock_adopt(struct domain_clock *clock, const struct vcpu_time_info *page,
                        uint64_t born_ns)
{
    struct pvclock_look look;
    uint64_t page_ns;

    if (pvclock_read_ordered_ns(page, &page_ns) < 0)
        page_ns = born_ns;
    change_begin(clock);
    /* The time that has passed since the last reading counts too. And whoever is about to raise the
     * ceiling has read the counter before us. */
    if (pvclock_look(line_in_force(clock), true, &look) == 0)
        raise_to(&clock->ceiling_ns, look.now_ns + clock->offset_ns);
    store_release_u64(&clock->offset_ns, stand_still(clock) - page_ns);
    change_end(clock, page);
}
