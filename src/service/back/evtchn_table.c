/* SPDX-License-Identifier: MIT */
#include "service/back/evtchn_table.h"

#include <assert.h>
#include <errno.h>

#include "ring/segment.h"

void evtchn_table_reserve(struct evtchn_table *table, evtchn_port_t port, uint32_t vcpu)
{
    assert(port > 0 && port < EVTCHN_TABLE_PORTS);
    table->in_use[port / 64] |= 1ull << (port % 64);
    table->vcpu[port] = (uint8_t)vcpu;
}

int evtchn_table_alloc(struct evtchn_table *table, uint32_t vcpu)
{
    if (vcpu >= XEN_LEGACY_MAX_VCPUS)
        return -EINVAL;
    for (evtchn_port_t word = 0; word < EVTCHN_TABLE_WORDS; word++) {
        uint64_t available = ~(table->in_use[word] | (word == 0)); /* no port 0 */
        if (available == 0)
            continue;
        evtchn_port_t port = word * 64 + (evtchn_port_t)__builtin_ctzll(available);
        evtchn_table_reserve(table, port, vcpu);
        return (int)port;
    }
    return -ENOSPC;
}

int evtchn_table_close(struct evtchn_table *table, evtchn_port_t port)
{
    if (evtchn_table_vcpu(table, port) < 0 || port == SEGMENT_STORE_EVTCHN)
        return -EINVAL;
    table->in_use[port / 64] &= ~(1ull << (port % 64));
    return 0;
}

int evtchn_table_vcpu(const struct evtchn_table *table, uint64_t port)
{
    if (port == 0 || port >= EVTCHN_TABLE_PORTS || !(table->in_use[port / 64] >> (port % 64) & 1))
        return -EINVAL;
    return table->vcpu[port];
}
