/* SPDX-License-Identifier: MIT */
/* verb_block_list: the disks of one domain, a line each, in the columns of `xl block-list`. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/cli/store_client.h"
#include "service/cli/verb.h"

enum { PATH_SIZE = 128 };

static void print_disk(struct store_client *client, uint32_t domid, const char *devid)
{
    char front[PATH_SIZE];
    snprintf(front, sizeof(front), "/local/domain/%" PRIu32 "/device/vbd/%.16s", domid, devid);
    printf("%-5s %-3d %-6" PRIu32 " %-5" PRId64 " %-6" PRId64 " %-8" PRId64
           " /local/domain/0/backend/vbd/%" PRIu32 "/%s\n",
           devid, 0, domid, store_client_number(client, front, "state"),
           store_client_number(client, front, "event-channel"),
           store_client_number(client, front, "ring-ref"), domid, devid);
}

static int print_disks(struct store_client *client, const struct service_options *options)
{
    char *names;
    int rc = store_client_devices(client, options->domid, "vbd", &names);
    if (rc < 0)
        return rc;
    printf("%-5s %-3s %-6s %-5s %-6s %-8s %-30s\n", "Vdev", "BE", "handle", "state", "evt-ch",
           "ring-ref", "BE-path");
    for (const char *name = names; *name != '\0'; name += strlen(name) + 1)
        print_disk(client, options->domid, name);
    free(names);
    return 0;
}

int verb_block_list(const struct rundir *rundir, const struct service_options *options)
{
    return verb_print_store(rundir, options, "the disks", print_disks);
}
