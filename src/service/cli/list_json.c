/* SPDX-License-Identifier: MIT */
#include "service/cli/list_json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/json.h"

enum { PATH_SIZE = 192 };

/* The list under way. */
struct listing {
    struct store_client *client;
    struct json json;
    int rc; /* the first error but -ENOENT: what is just ending has no nodes */
    char value[XENSTORE_PAYLOAD_MAX + 1];
};

/* The node's value; empty if there is none. */
static const char *read_node(struct listing *l, const char *directory, const char *node)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), "%s/%s", directory, node);
    int rc = l->rc == 0 ? store_client_read(l->client, path, l->value) : -ENOENT;
    if (rc < 0)
        l->value[0] = '\0';
    if (rc < 0 && rc != -ENOENT)
        l->rc = rc;
    return l->value;
}

static void put_string(struct listing *l, const char *name, const char *directory, const char *node)
{
    json_string(&l->json, name, read_node(l, directory, node));
}

static void put_number(struct listing *l, const char *name, const char *directory, const char *node)
{
    uint64_t number;
    if (decimal_parse(read_node(l, directory, node), 0, UINT64_MAX, &number) == 0)
        json_u64(&l->json, name, number);
}

static void put_is(struct listing *l, const char *name, const char *directory, const char *node,
                   const char *word)
{
    json_u64(&l->json, name, strcmp(read_node(l, directory, node), word) == 0);
}

static void put_disk(struct listing *l, const char *back)
{
    json_object(&l->json, NULL);
    put_string(l, "pdev_path", back, "params");
    put_string(l, "vdev", back, "dev");
    json_string(&l->json, "backend", "phy");
    json_string(&l->json, "format", "raw");
    put_is(l, "removable", back, "removable", "1");
    put_is(l, "readwrite", back, "mode", "w");
    put_is(l, "is_cdrom", back, "device-type", "cdrom");
    json_end(&l->json);
}

/* Calls put for each child of a directory. */
static void put_each(struct listing *l, const char *directory,
                     void (*put)(struct listing *l, const char *path))
{
    char path[PATH_SIZE], *names;
    int rc = store_client_directory(l->client, directory, &names);
    if (rc < 0) {
        l->rc = rc == -ENOENT ? l->rc : rc;
        return;
    }
    for (const char *name = names; l->rc == 0 && *name != '\0'; name += strlen(name) + 1) {
        snprintf(path, sizeof(path), "%s/%s", directory, name);
        put(l, path);
    }
    free(names);
}

static void put_domain(struct listing *l, const char *home)
{
    const char *domid = strrchr(home, '/') + 1;
    char disks[PATH_SIZE];
    uint64_t number;
    if (decimal_parse(domid, 0, UINT32_MAX, &number) < 0)
        return;
    json_object(&l->json, NULL);
    json_u64(&l->json, "domid", number);
    json_object(&l->json, "config");
    json_object(&l->json, "c_info");
    json_string(&l->json, "type", "pv");
    put_string(l, "name", home, "name");
    json_end(&l->json);
    json_object(&l->json, "b_info");
    put_number(l, "max_memkb", home, "memory/static-max");
    put_number(l, "target_memkb", home, "memory/target");
    json_end(&l->json);
    json_array(&l->json, "disks");
    snprintf(disks, sizeof(disks), "/local/domain/0/backend/vbd/%s", domid);
    put_each(l, disks, put_disk);
    json_end(&l->json);
    json_end(&l->json);
    json_end(&l->json);
}

int list_json_print(struct store_client *client, const char *only)
{
    struct listing l = {.client = client};
    char home[PATH_SIZE];
    json_start(&l.json, stdout, JSON_COMPACT);
    json_array(&l.json, NULL);
    snprintf(home, sizeof(home), "/local/domain/%s", only != NULL ? only : "");
    if (only != NULL)
        put_domain(&l, home);
    else
        put_each(&l, "/local/domain", put_domain);
    json_end(&l.json);
    putchar('\n');
    return l.rc;
}
