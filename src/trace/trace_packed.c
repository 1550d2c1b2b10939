/* SPDX-License-Identifier: MIT */
#include "trace/trace_packed.h"

#include <stdbool.h>

enum { DOMAIN_SLOTS = TRACE_STAGES - TRACE_SLOTS, THREAD_SLOT = TRACE_SLOTS - 2, UNITS_MAX = 31 };

_Static_assert(DOMAIN_SLOTS <= THREAD_SLOT, "there is room for the thread");
_Static_assert((int)TRACE_ALONE < (int)TRACE_KINDS_MAX, "there is room for each kind");

static bool is_domains(uint32_t kind)
{
    return kind == TRACE_FRONT || kind == TRACE_FOUND;
}

static uint32_t stage_of(bool domains, uint32_t slot)
{
    if (domains)
        return slot < TRACE_TAKEN ? slot : slot + TRACE_SLOTS;
    return TRACE_TAKEN + slot;
}

static void put_pair(uint32_t *slot, uint64_t value)
{
    slot[0] = (uint32_t)value;
    slot[1] = (uint32_t)(value >> 32);
}

static uint64_t pair(const uint32_t *slot)
{
    return slot[0] | (uint64_t)slot[1] << 32;
}

/* Returns whether all times fit these units. One before the base is taken for none. */
__attribute__((always_inline)) static inline bool
put_times(const struct trace_record *record, bool domains, uint32_t units, struct trace_packed *out)
{
    uint32_t count = domains ? DOMAIN_SLOTS : TRACE_SLOTS;
    bool fits = true;
#pragma GCC unroll 8
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at_ns = record->at_ns[stage_of(domains, i)];
        uint64_t since = (at_ns - out->base_ns) >> units;
        out->slot[i] = since < UINT32_MAX ? (uint32_t)since + 1 : 0;
        fits &= since < UINT32_MAX || at_ns < out->base_ns;
    }
    return fits;
}

__attribute__((cold, noinline)) static void put_long_times(const struct trace_record *record,
                                                           bool domains, struct trace_packed *out)
{
    uint32_t units = 1;
    while (units < UNITS_MAX && put_times(record, domains, units, out) == false)
        units++;
    out->kind = (uint8_t)(record->kind + units * TRACE_KINDS_MAX);
}

static void put_clock(const struct trace_record *record, struct trace_packed *out)
{
    out->base_ns = record->at_ns[0];
    for (uint32_t i = 0; i < 3; i++)
        put_pair(&out->slot[2 * i], record->at_ns[1 + i]);
}

void trace_pack(const struct trace_record *record, struct trace_packed *out)
{
    out->kind = record->kind;
    out->operation = record->operation;
    out->domid = record->domid;
    out->devid = record->devid;
    out->id = record->id;
    out->sector = record->sector;
    out->sector_count = record->sector_count;
    out->status = record->status;
    out->weight = record->weight;
    out->noticed_ns = record->noticed_ns;
    put_pair(&out->slot[THREAD_SLOT], record->thread);
    if (record->kind == TRACE_CLOCK) {
        put_clock(record, out);
        return;
    }
    bool domains = is_domains(record->kind);
    out->base_ns = record->at_ns[domains ? TRACE_SUBMITTED : TRACE_TAKEN];
    bool fits = domains ? put_times(record, true, 0, out) : put_times(record, false, 0, out);
    if (__builtin_expect(fits, true))
        return;
    put_long_times(record, domains, out);
}

void trace_unpack(const struct trace_packed *packed, struct trace_record *out)
{
    uint32_t kind = packed->kind % TRACE_KINDS_MAX, units = packed->kind / TRACE_KINDS_MAX;
    bool domains = is_domains(kind);
    *out = (struct trace_record){.kind = (uint8_t)kind,
                                 .operation = packed->operation,
                                 .domid = packed->domid,
                                 .devid = packed->devid,
                                 .id = packed->id,
                                 .sector = packed->sector,
                                 .sector_count = packed->sector_count,
                                 .status = packed->status,
                                 .weight = packed->weight,
                                 .noticed_ns = packed->noticed_ns};
    if (kind == TRACE_CLOCK) {
        out->at_ns[0] = packed->base_ns;
        for (uint32_t i = 0; i < 3; i++)
            out->at_ns[1 + i] = pair(&packed->slot[2 * i]);
        return;
    }
    uint32_t count = domains ? DOMAIN_SLOTS : TRACE_SLOTS;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t since = packed->slot[i] != 0 ? (uint64_t)(packed->slot[i] - 1) << units : 0;
        out->at_ns[stage_of(domains, i)] = packed->slot[i] != 0 ? packed->base_ns + since : 0;
    }
    if (domains)
        out->thread = pair(&packed->slot[THREAD_SLOT]);
}
