/* SPDX-License-Identifier: MIT */
#include "service/dom0/memory/domain_memory.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/container_of.h"
#include "ring/fault_guard.h"
#include "service/dom0/memory/unmapper.h"

static uint64_t bytes_of(const struct segment *segment)
{
    return (uint64_t)segment->nr_pages << XEN_PAGE_SHIFT;
}

static void let_go(struct hold *hold)
{
    struct domain_memory *memory = container_of(hold, struct domain_memory, hold);
    fault_guard_drop(memory->fault_slot);
    if (memory->bytes != NULL)
        *memory->bytes -= bytes_of(&memory->segment);
    unmapper_take(memory->unmapper, &memory->segment);
    free(memory);
}

int domain_memory_create(uint32_t nr_pages, domid_t domid, struct unmapper *unmapper,
                         uint64_t *bytes, struct domain_memory **out, int *fd)
{
    *out = NULL;
    *fd = -1;
    struct domain_memory *memory = calloc(1, sizeof(*memory));
    if (memory == NULL)
        return -ENOMEM;
    int rc = segment_create(nr_pages, domid, &memory->segment, fd);
    if (rc == 0)
        rc = memory->fault_slot =
            fault_guard_add(memory->segment.base, bytes_of(&memory->segment), -1);
    if (rc < 0) {
        segment_detach(&memory->segment);
        if (*fd >= 0)
            close(*fd);
        *fd = -1;
        free(memory);
        return rc;
    }
    memory->hold = (struct hold){.holders = 1, .let_go = let_go};
    memory->unmapper = unmapper;
    memory->bytes = bytes;
    if (bytes != NULL)
        *bytes += bytes_of(&memory->segment);
    *out = memory;
    return 0;
}
