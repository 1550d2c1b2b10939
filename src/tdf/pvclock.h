/* SPDX-License-Identifier: MIT */
/*
 * pvclock: reading and publishing a vcpu_time_info under its version protocol.
 *
 *   ns = system_time + (((counter - tsc_timestamp) << tsc_shift) * tsc_to_system_mul >> 32)
 *
 * with a 64 x 32 -> 96 bit product and a shift to the right where tsc_shift is negative
 * (xen/include/public/xen.h). A paused clock has tsc_to_system_mul 0. Which counter: pad1[0], see
 * enum pvclock_counter.
 *
 * Writer: version becomes odd; fields; version becomes even. Reader: retries while it is odd or has
 * changed. The writer reads the counter for the new line only after the odd version is visible to
 * everybody: otherwise a reader could still follow a faster old line past the point from which the
 * new, slower one starts, and see time step back.
 */
#ifndef SPLITDOM_TDF_PVCLOCK_H
#define SPLITDOM_TDF_PVCLOCK_H

#include <stdbool.h>

#include "splitdom/xen/shared_info.h"
#include "tdf/rational.h"

/*
 * The time now on the clock that ti describes, in the domain's nanoseconds. Any thread of any
 * process that maps ti; no system call unless an update takes unusually long.
 *
 * One thread never sees time go back, whatever the writer changes. Between threads a reading may be
 * early by as much as the core reorders (tens of ns): where one thread's stamp must not precede
 * another's that it has been told of, take the ordered one.
 *
 * -ETIMEDOUT: an update was begun and not ended within PVCLOCK_PATIENCE_NS: the writer has died or
 * been stopped. -EAGAIN: updates kept coming for as long. *out_ns is written on success only.
 * Whatever the bytes of ti are, the call returns within about PVCLOCK_PATIENCE_NS; bytes that no
 * writer publishes give an arbitrary time.
 */
int pvclock_read_ns(const struct vcpu_time_info *ti, uint64_t *out_ns);
int pvclock_read_ordered_ns(const struct vcpu_time_info *ti, uint64_t *out_ns);

/* UTC on that clock: the wall clock's base (UTC at time 0) plus the time of vCPU `vcpu`
 * (< XEN_LEGACY_MAX_VCPUS). Errors as above; may wait twice as long. */
int pvclock_read_wall_ns(const struct shared_info *shared, uint32_t vcpu, uint64_t *out_ns);

/* How long a reader waits for an update to end. A live writer needs less than a microsecond, unless
 * it is preempted right there. */
enum { PVCLOCK_PATIENCE_NS = 100000000 };

/* What one look at a page has found. */
struct pvclock_look {
    struct vcpu_time_info line; /* as published; of a failed look only line.version counts */
    uint64_t now_ns;
};

/*
 * One look, ordered as pvclock_read_ordered_ns or not, and without any waiting: for who has a
 * better use of a failure than to try again. -EBUSY: the version is odd, an update is under way or
 * will never end. -EAGAIN: the page changed meanwhile. No system call with PVCLOCK_COUNTER_TSC.
 */
int pvclock_look(const struct vcpu_time_info *ti, bool ordered, struct pvclock_look *look);

/*
 * The line in force in a page whose writer is dead, at whatever instruction it died; *line gets an
 * even version. The fields behind an odd version can be torn. But a writer that publishes for
 * several vCPUs makes all versions odd first and then ends vCPU after vCPU, 0 first
 * (pvclock_publish_all_*): as long as vCPU 0 is odd, the fields of vCPU 1 are the old line,
 * untouched.
 * -ENODATA: no such line is there: nr_vcpus is 1, or a writer of other rules was at it.
 */
int pvclock_salvage(const struct shared_info *shared, uint32_t nr_vcpus,
                    struct vcpu_time_info *line);

/* The formula above on a private copy, for a counter that the caller has read. A counter below
 * tsc_timestamp counts as tsc_timestamp. */
uint64_t pvclock_ns_at(const struct vcpu_time_info *copy, uint64_t counter);

/* The same minus system_time, with its fraction: also with the part below 1 ns which the shift to
 * the right drops above. */
u128 pvclock_advance_fp(const struct vcpu_time_info *copy, uint64_t counter);

/* The least number of ticks after tsc_timestamp at which pvclock_ns_at is at least system_time +
 * advance_ns; UINT64_MAX when there is none below 2^63. */
uint64_t pvclock_ticks_until(const struct vcpu_time_info *copy, uint64_t advance_ns);

/* tsc_to_system_mul in [2^31, 2^32) and tsc_shift for a rate in ns per tick; both 0 for rate 0.
 * Rounded to the nearest, so off by at most one part in 2^32 (Xen rounds down, which costs twice as
 * much). The rate lies below 2^63 ns per tick. */
void pvclock_set_rate(struct vcpu_time_info *copy, u128 rate_fp);

/* Writer's side; one thread. `version` is the writer's own even count, never read back. begin makes
 * the odd version visible before it returns; end publishes all fields of *value, value->version
 * (even, version + 2) last. */
void pvclock_publish_begin(struct vcpu_time_info *ti, uint32_t version);
void pvclock_publish_end(struct vcpu_time_info *ti, const struct vcpu_time_info *value);

/* The same for the vCPUs 0..nr_vcpus-1 of a page. vCPU 0, by which domains read their time, is odd
 * for the shortest; the order of the ends is what pvclock_salvage relies on. */
void pvclock_publish_all_begin(struct shared_info *shared, uint32_t nr_vcpus, uint32_t version);
void pvclock_publish_all_end(struct shared_info *shared, uint32_t nr_vcpus,
                             const struct vcpu_time_info *value);

/* Between begin and end, of vCPU 0: the writer's announcement (splitdom/tdf.h), which stays until
 * the next. Readers of the time take no notice. */
void pvclock_publish_slower(struct vcpu_time_info *ti, uint32_t slower);

/* The announcement that came with the line of that version, which is even; 0 where there is none,
 * or the line is another one by now. */
uint32_t pvclock_slower(const struct vcpu_time_info *ti, uint32_t version);

/* The wall clock's base, under wc_version; the same rules. */
void pvclock_publish_wall(struct shared_info *shared, uint32_t version, uint64_t utc_ns);

#endif
