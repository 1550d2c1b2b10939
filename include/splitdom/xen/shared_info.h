/* SPDX-License-Identifier: MIT */
/*
 * shared_info: the page through which a domain learns of events and of the time.
 *
 * Layout of xen/include/public/xen.h on x86_64. Two-level event channels: one pending and one mask
 * bit per port, one selector bit per 64 ports in each vCPU, one upcall flag per vCPU.
 *
 * Who writes: the sender (Dom0) sets pending bits, selector bits and evtchn_upcall_pending; the
 * domain clears them and owns the mask bits. The clock fields are written by Dom0 only.
 *
 * A vCPU of the domain sleeps on a futex over the 32-bit word that starts at its vcpu_info: the
 * word is zero exactly while no upcall is pending and upcalls are unmasked (the two flags are its
 * first two bytes, the rest is padding that stays zero).
 */
#ifndef SPLITDOM_XEN_SHARED_INFO_H
#define SPLITDOM_XEN_SHARED_INFO_H

#include <stddef.h>
#include <stdint.h>

typedef uint32_t evtchn_port_t;

enum {
    XEN_LEGACY_MAX_VCPUS = 32,
    EVTCHN_2L_NR_CHANNELS = 4096,
    EVTCHN_WORDS = EVTCHN_2L_NR_CHANNELS / 64,
};

/* "pvclock": ns = system_time + (((tsc - tsc_timestamp) << tsc_shift) * tsc_to_system_mul >> 32) */
struct vcpu_time_info {
    uint32_t version; /* odd while being written */
    uint32_t pad0;
    uint64_t tsc_timestamp;
    uint64_t system_time;
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags;
    uint8_t pad1[2];
};

struct arch_vcpu_info {
    uint64_t cr2;
    uint64_t pad;
};

struct vcpu_info {
    uint8_t evtchn_upcall_pending;
    uint8_t evtchn_upcall_mask;
    uint8_t pad[6];
    uint64_t evtchn_pending_sel;
    struct arch_vcpu_info arch;
    struct vcpu_time_info time;
};

struct shared_info {
    struct vcpu_info vcpu_info[XEN_LEGACY_MAX_VCPUS];
    uint64_t evtchn_pending[EVTCHN_WORDS];
    uint64_t evtchn_mask[EVTCHN_WORDS];
    uint32_t wc_version; /* odd while being written */
    uint32_t wc_sec;     /* UTC at system_time 0 */
    uint32_t wc_nsec;
    uint32_t wc_sec_hi;
    uint64_t arch[6]; /* arch_shared_info: but for SHARED_INFO_CLOCK_READY unused here */
};

/* Of arch, written by the domain: 0; or 1, if the domain wants to be told before its clock becomes
 * slower (PVCLOCK_SLOWER_UNIT), and the version of vCPU 0's line with the last announcement that it
 * is ready for. */
enum { SHARED_INFO_CLOCK_READY = 0 };

_Static_assert(sizeof(struct vcpu_time_info) == 32, "vcpu_time_info is 32 bytes");
_Static_assert(sizeof(struct vcpu_info) == 64, "vcpu_info is 64 bytes");
_Static_assert(offsetof(struct vcpu_info, time) == 32, "vcpu_info.time");
_Static_assert(offsetof(struct shared_info, evtchn_pending) == 2048, "evtchn_pending");
_Static_assert(offsetof(struct shared_info, evtchn_mask) == 2560, "evtchn_mask");
_Static_assert(offsetof(struct shared_info, wc_version) == 3072, "wc_version");
_Static_assert(sizeof(struct shared_info) == 3136, "shared_info is 3136 bytes");

#endif
