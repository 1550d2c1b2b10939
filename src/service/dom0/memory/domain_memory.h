/* SPDX-License-Identifier: MIT */
/*
 * domain_memory: a domain's segment as Dom0 has it mapped, which may outlive the domain: devices
 * that are at work on its pages hold it (service/back/hold.h).
 *
 * All of it belongs to Dom0's loop thread.
 */
#ifndef SPLITDOM_SERVICE_DOM0_MEMORY_DOMAIN_MEMORY_H
#define SPLITDOM_SERVICE_DOM0_MEMORY_DOMAIN_MEMORY_H

#include <stdint.h>

#include "ring/segment.h"
#include "service/back/hold.h"

struct unmapper;

struct domain_memory {
    struct segment segment;
    int fault_slot;   /* see fault_guard.h */
    struct hold hold; /* the domain's, and of who works on the pages */
    /* Private. */
    struct unmapper *unmapper;
    uint64_t *bytes;
};

/*
 * Makes a segment, maps and guards it; *fd is to be handed to the domain. hold_put ends it.
 * unmapper takes it then (may be NULL), and *bytes counts it until then (NULL: nobody counts).
 * Errors: those of segment_create; -ENOMEM; -ENOSPC too many are guarded.
 */
int domain_memory_create(uint32_t nr_pages, domid_t domid, struct unmapper *unmapper,
                         uint64_t *bytes, struct domain_memory **out, int *fd);

#endif
