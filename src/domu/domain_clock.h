/* SPDX-License-Identifier: MIT */
/*
 * domain_clock: a domain's time through all the lives of its Dom0.
 *
 * Each Dom0 publishes a line in a page of its own (tdf/pvclock.h), and can be stopped or killed at
 * any instruction. This noun makes one time of the pages: whoever knows of a reading, in this
 * thread or told by another one, in this process or by way of another one, never reads less by
 * domain_clock_read_ns. Time may stand still for a while; then it goes on from there or catches up
 * at once.
 *
 * How: no reading above ceiling_ns is ever returned; a reader that gets further raises the ceiling
 * first, by HEADROOM_TICKS beyond its reading, and looks again. So whenever a line is not to be had
 * (an update that does not end, a change of page) the ceiling is a time that no reader has passed:
 * it becomes floor_ns, below which nothing is returned from then on, and is the reading. A new line
 * starts there. What a standstill costs is the headroom, some microseconds of real time: the clock
 * is ahead by as much and stands until its line gets there.
 *
 *   page        Dom0 lives: its page, plus offset_ns
 *   copy        Dom0 is dead: its last line, as a private copy, plus the same offset
 *   page'       the next one's page, plus an offset that makes it start at the ceiling
 *
 * Threads: domain_clock_read_ns from any thread and from signal handlers; it takes no lock, makes
 * no system call (where the counter is CLOCK_MONOTONIC: none that clock_gettime does not make) and
 * waits for nobody. The other calls are made by one thread at a time, the owner.
 */
#ifndef SPLITDOM_DOMU_DOMAIN_CLOCK_H
#define SPLITDOM_DOMU_DOMAIN_CLOCK_H

#include <stdint.h>

#include "splitdom/xen/shared_info.h"

struct domain_clock {
    /* Written by the owner: */
    uint32_t changes __attribute__((aligned(64))); /* odd while the next two change */
    uint64_t line; /* address of a vcpu_time_info: Dom0's page, or &copy */
    uint64_t offset_ns;
    struct vcpu_time_info copy; /* under its version, as a page is */
    /* Written by readers, by compare and exchange; they only grow. */
    uint64_t ceiling_ns, floor_ns;
    uint32_t held_version; /* odd: an update that was waited for in vain. A hint */
};

/*
 * The first life: time is what *page shows, on which Dom0 has just been heard to answer. born_ns: a
 * reading of it. The page stays mapped until domain_clock_orphan.
 */
void domain_clock_start(struct domain_clock *clock, const struct vcpu_time_info *page,
                        uint64_t born_ns);

/*
 * Dom0 is dead. The clock goes on at the rate of the line in force, of which it takes a copy out of
 * *shared (vCPU 0; nr_vcpus are published); it stands still if none can be saved. Afterwards the
 * page is not looked at any more; a reader that was in the middle of a look may still load from
 * where it was. Nothing when this was done already.
 */
void domain_clock_orphan(struct domain_clock *clock, const struct shared_info *shared,
                         uint32_t nr_vcpus);

/* The next Dom0 has published *page; born_ns as above. The clock goes on from where it is. */
void domain_clock_adopt(struct domain_clock *clock, const struct vcpu_time_info *page,
                        uint64_t born_ns);

/*
 * The domain's time into *out_ns, always. 0, or why it is not the time of a living Dom0:
 * -ETIMEDOUT  Dom0 has begun an update and does not end it: time stands still until it does
 * -EAGAIN     the clock is just being changed, over and over or by the owner: a standstill of
 *             microseconds
 * -ENOTCONN   Dom0 is dead: time goes on at its last rate
 */
int domain_clock_read_ns(struct domain_clock *clock, uint64_t *out_ns);

/*
 * The time for the beginning of what is to be measured: never later than domain_clock_read_ns would
 * say, and earlier by what the processor reorders (some tens of ns); not below what this thread has
 * read before. It does not wait for earlier loads, and costs half as much.
 */
uint64_t domain_clock_begin_ns(struct domain_clock *clock);

/* The domain's time minus what Dom0's page shows. The owner's, or with the owner held off. */
uint64_t domain_clock_offset_ns(const struct domain_clock *clock);

#endif
