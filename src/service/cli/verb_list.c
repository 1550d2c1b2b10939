/* SPDX-License-Identifier: MIT */
/* list: the domains as xenstore has them, one a line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/cli/store_client.h"
#include "service/cli/verb.h"

struct column {
    const char *title;
    const char *key; /* below /local/domain/DOMID */
};

static const struct column columns[] = {
    {"weight", "sched/weight"},
    {"tdf", "tdf"},
    {"paused", "pause"},
    {"vbd", "device/vbd/51712/state"},
};

/* Prints one field; a node that is not there is a dash. */
static int print_field(struct store_client *client, const char *domid, const char *key)
{
    char path[128], value[XENSTORE_PAYLOAD_MAX + 1];
    int rc;

    snprintf(path, sizeof(path), "/local/domain/%s/%s", domid, key);
    rc = store_client_read(client, path, value);
    if (rc != 0 && rc != -ENOENT)
        return rc;
    printf(" %8s", rc == 0 ? value : "-");
    return 0;
}

static int print_domains(struct store_client *client)
{
    const size_t column_count = sizeof(columns) / sizeof(columns[0]);
    char *names;
    int rc = store_client_directory(client, "/local/domain", &names);

    if (rc != 0)
        return rc;
    printf("%6s", "domid");
    for (size_t i = 0; i < column_count; i++)
        printf(" %8s", columns[i].title);
    putchar('\n');
    for (const char *domid = names; rc == 0 && *domid != '\0'; domid += strlen(domid) + 1) {
        printf("%6s", domid);
        for (size_t i = 0; rc == 0 && i < column_count; i++)
            rc = print_field(client, domid, columns[i].key);
        putchar('\n');
    }
    free(names);
    return rc;
}

int verb_list(const struct rundir *rundir)
{
    struct store_client *client;
    int rc;

    if (!verb_is_running(rundir, NULL))
        return verb_not_running(rundir);
    rc = store_client_open(rundir->store_socket, &client);
    if (rc == 0) {
        rc = print_domains(client);
        store_client_close(client);
    }
    if (rc == 0)
        return verb_end_output();
    fprintf(stderr, "service: cannot list the domains by %s: %s\n", rundir->store_socket,
            strerror(-rc));
    return VERB_FAILED;
}
