/* SPDX-License-Identifier: MIT */
#include "service/back/evtchn_table.h"

#include <errno.h>

#include "ring/segment.h"

void evtchn_table_reserve(struct evtchn_table *table, evtchn_port_t port, uint32_t vcpu)
{
    table->in_use |= 1ull << port;
    table->vcpu[port] = (uint8_t)vcpu;
}

int evtchn_table_alloc(struct evtchn_table *table, uint32_t vcpu)
{
    if (vcpu >= XEN_LEGACY_MAX_VCPUS)
        return -EINVAL;
    uint64_t available = ~(table->in_use | 1);
    if (available == 0)
        return -ENOSPC;
    evtchn_port_t port = (evtchn_port_t)__builtin_ctzll(available);
    evtchn_table_reserve(table, port, vcpu);
    return (int)port;
}

int evtchn_table_close(struct evtchn_table *table, evtchn_port_t port)
{
    if (evtchn_table_vcpu(table, port) < 0 || port == SEGMENT_STORE_EVTCHN)
        return -EINVAL;
    table->in_use &= ~(1ull << port);
    return 0;
}

int evtchn_table_vcpu(const struct evtchn_table *table, uint64_t port)
{
    if (port == 0 || port >= EVTCHN_TABLE_PORTS || !(table->in_use >> port & 1))
        return -EINVAL;
    return table->vcpu[port];
}
