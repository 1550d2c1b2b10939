/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "vif_world.h"
#include "xenstore/server/xs_local.h"
#include "xenstore/xenbus_path.h"

void nodes_write(struct front *f, const char *directory, const char *node, uint32_t value)
{
    char path[XENBUS_PATH_MAX], name[64], text[16];
    snprintf(name, sizeof(name), "%s%s", directory, node);
    xenbus_front_path(path, &(struct xenbus_key){"vif", f->domid, 0}, name);
    snprintf(text, sizeof(text), "%u", value);
    if (xs_local_write(f->world->store, path, text) < 0)
        abort();
}

void nodes_change_rate(struct front *f, uint32_t which)
{
    static const char *const rates[] = {"1250,1000", "62500,50000", "12500000,1000",
                                        "250000,20000"};
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &(struct xenbus_key){"vif", f->domid, 0}, "rate");
    const uint32_t count = sizeof(rates) / sizeof(rates[0]);
    int rc = which < count ? xs_local_write(f->world->store, path, rates[which])
                           : xs_local_rm(f->world->store, path);
    if (rc < 0)
        abort();
}

uint64_t nodes_read(struct front *f, const char *node, uint64_t absent)
{
    char path[XENBUS_PATH_MAX];
    uint64_t value;
    xenbus_back_path(path, &(struct xenbus_key){"vif", f->domid, 0}, node);
    return xs_local_read_u64(f->world->store, path, UINT64_MAX, &value) < 0 ? absent : value;
}

enum xenbus_state nodes_back_state(const struct front *f)
{
    return f->back != NULL ? f->back->state : XenbusStateUnknown;
}
