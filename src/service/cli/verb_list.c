/* SPDX-License-Identifier: MIT */
/* list: the domains as xenstore has them, or one of them, one a line, or all as JSON. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/one_line.h"
#include "service/cli/list_json.h"
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
};

/* After the disks. */
static const struct column last_columns[] = {
    {"pid", "splitdom/pid"},
    {"name", "name"},
};

enum {
    COLUMNS = sizeof(columns) / sizeof(columns[0]),
    LAST_COLUMNS = sizeof(last_columns) / sizeof(last_columns[0]),
    STATES_SIZE = 1024, /* of 512 disks */
};

/* Prints one field; a node that is not there is a dash. */
static int print_field(struct store_client *client, const char *domid, const char *key)
{
    char path[128], value[XENSTORE_PAYLOAD_MAX + 1];
    int rc;

    snprintf(path, sizeof(path), "/local/domain/%s/%s", domid, key);
    rc = store_client_read(client, path, value);
    if (rc < 0 && rc != -ENOENT)
        return rc;
    if (rc == 0)
        one_line_keep(value);
    printf(" %8s", rc == 0 ? value : "-");
    return 0;
}

static int print_fields(struct store_client *client, const char *domid, const struct column *fields,
                        size_t count)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = print_field(client, domid, fields[i].key);
    return rc;
}

/* Prints the states of the front ends of all disks, by number: "4", or "4,2". */
static int print_disks(struct store_client *client, const char *domid)
{
    char path[128], value[XENSTORE_PAYLOAD_MAX + 1];
    char states[STATES_SIZE] = "";
    char *names;

    snprintf(path, sizeof(path), "/local/domain/%s/device/vbd", domid);
    int rc = store_client_directory(client, path, &names);
    if (rc == -ENOENT) {
        printf(" %8s", "-");
        return 0;
    }
    for (const char *name = names; rc == 0 && *name != '\0'; name += strlen(name) + 1) {
        size_t used = strlen(states);
        snprintf(path, sizeof(path), "/local/domain/%s/device/vbd/%s/state", domid, name);
        rc = store_client_read(client, path, value);
        if (rc == 0)
            one_line_keep(value); /* the domain's own node */
        if (rc == 0)
            snprintf(states + used, sizeof(states) - used, "%s%.8s", used > 0 ? "," : "", value);
        else if (rc == -ENOENT) /* the domain is just ending */
            rc = 0;
    }
    printf(" %8s", *states != '\0' ? states : "-");
    free(names);
    return rc;
}

static int print_domain(struct store_client *client, const char *domid)
{
    printf("%6s", domid);
    int rc = print_fields(client, domid, columns, COLUMNS);
    if (rc == 0)
        rc = print_disks(client, domid);
    if (rc == 0)
        rc = print_fields(client, domid, last_columns, LAST_COLUMNS);
    putchar('\n');
    return rc;
}

/* only: NULL, or one domain. */
static int print_domains(struct store_client *client, const char *only)
{
    char *names;
    int rc = 0;

    printf("%6s", "domid");
    for (size_t i = 0; i < COLUMNS; i++)
        printf(" %8s", columns[i].title);
    printf(" %8s", "vbd");
    for (size_t i = 0; i < LAST_COLUMNS; i++)
        printf(" %8s", last_columns[i].title);
    putchar('\n');
    if (only != NULL)
        return print_domain(client, only);
    rc = store_client_directory(client, "/local/domain", &names);
    if (rc < 0)
        return rc;
    for (const char *domid = names; rc == 0 && *domid != '\0'; domid += strlen(domid) + 1)
        rc = print_domain(client, domid);
    free(names);
    return rc;
}

static int print(struct store_client *client, const struct service_options *options)
{
    char domid[16], path[64], value[XENSTORE_PAYLOAD_MAX + 1];
    const char *only = options->has_domid ? domid : NULL;
    int rc = 0;

    snprintf(domid, sizeof(domid), "%" PRIu32, options->domid);
    snprintf(path, sizeof(path), "/local/domain/%s", domid);
    if (only != NULL)
        rc = store_client_read(client, path, value);
    if (rc < 0)
        return rc;
    return options->details ? list_json_print(client, only) : print_domains(client, only);
}

int verb_list(const struct rundir *rundir, const struct service_options *options)
{
    return verb_print_store(rundir, options, "the domains", print);
}
