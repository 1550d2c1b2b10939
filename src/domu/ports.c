/* SPDX-License-Identifier: MIT */
#include "domu/ports.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int ports_open(struct ports *ports, struct life *life, const void *owner)
{
    uint32_t vcpu = LIFE_VCPU_DEVICES;
    assert(owner != NULL);
    while (vcpu < XEN_LEGACY_MAX_VCPUS && ports->vcpu[vcpu].owner != NULL)
        vcpu++;
    if (vcpu == XEN_LEGACY_MAX_VCPUS)
        return -ENOSPC;
    int rc = life_alloc_port(life, vcpu);
    if (rc < 0)
        return rc;
    ports->vcpu[vcpu] = (struct port){.owner = owner, .port = (evtchn_port_t)rc};
    return (int)vcpu;
}

void ports_explain(int rc, char *why, size_t why_bytes)
{
    if (rc == -ENOSPC)
        snprintf(why, why_bytes,
                 "a domain has %d vCPUs for rings, one for each: close a device, or take fewer "
                 "queues",
                 PORTS_MAX);
    else
        snprintf(why, why_bytes, "cannot get an event channel: %s", strerror(-rc));
}

void ports_close(struct ports *ports, struct life *life, uint32_t vcpu, const void *owner)
{
    assert(ports->vcpu[vcpu].owner == owner);
    if (!life_is_dead(life))
        (void)life_close_port(life, ports->vcpu[vcpu].port);
    ports->vcpu[vcpu] = (struct port){.owner = NULL};
}

evtchn_port_t ports_port(const struct ports *ports, uint32_t vcpu, const void *owner)
{
    assert(ports->vcpu[vcpu].owner == owner);
    return ports->vcpu[vcpu].port;
}

int ports_reopen(struct ports *ports, struct life *next)
{
    for (uint32_t vcpu = LIFE_VCPU_DEVICES; vcpu < XEN_LEGACY_MAX_VCPUS; vcpu++) {
        if (ports->vcpu[vcpu].owner == NULL)
            continue;
        int rc = life_alloc_port(next, vcpu);
        if (rc < 0)
            return rc;
        ports->vcpu[vcpu].port = (evtchn_port_t)rc;
    }
    return 0;
}
