/* SPDX-License-Identifier: MIT */
/* The verbs that are writes to xenstore: set, pause, unpause, shutdown, resize. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "service/cli/store_client.h"
#include "service/cli/verb.h"

enum {
    PAUSE_TRIES = 100,    /* each costs somebody else's success */
    RESIZE_LOOKS = 10000, /* each gives Dom0 time to answer */
};

struct node {
    char path[128];
    const char *value;
};

/* Below /local/domain/DOMID. */
static const char *key_node(enum service_key key)
{
    switch (key) {
    case SERVICE_KEY_WEIGHT:
        return "sched/weight";
    case SERVICE_KEY_TDF:
        return "tdf";
    case SERVICE_KEY_DISK_SCALE:
        return "disk-scale";
    case SERVICE_KEY_CPU_SHARE:
        return "cpu-share";
    }
    return "";
}

/* The node behind a verb, and what is to be written there. */
static struct node choose_node(const struct service_options *options)
{
    const char *key = "";
    struct node node = {.value = options->value};

    switch (options->verb) {
    case SERVICE_SET:
        key = key_node(options->key);
        break;
    case SERVICE_PAUSE:
    case SERVICE_UNPAUSE:
        key = "pause";
        break;
    case SERVICE_SHUTDOWN:
        key = "control/shutdown";
        node.value = "poweroff";
        break;
    default:
        key = "splitdom/image/refresh";
        node.value = "1";
        break;
    }
    snprintf(node.path, sizeof(node.path), "/local/domain/%" PRIu32 "/%s", options->domid, key);
    return node;
}

static int complain(const char *what, const char *path, int rc)
{
    fprintf(stderr, "service: cannot %s %s in xenstore: %s\n", what, path, strerror(-rc));
    return VERB_FAILED;
}

/* Without this check, a write for a domain that does not exist would create its directory. */
static int check_domain(struct store_client *client, uint32_t domid)
{
    char path[64], *names;
    int rc;

    snprintf(path, sizeof(path), "/local/domain/%" PRIu32, domid);
    rc = store_client_directory(client, path, &names);
    free(names);
    if (rc == -ENOENT) {
        fprintf(stderr, "service: there is no domain %" PRIu32 ": see 'service list'\n", domid);
        return VERB_FAILED;
    }
    return rc == 0 ? VERB_OK : complain("look at", path, rc);
}

/* The pauses after one more or one less. -ENODATA: there is none to take back. */
static int count_pause(struct store_client *client, const char *path, bool more)
{
    char value[XENSTORE_PAYLOAD_MAX + 1], changed[24];
    uint64_t pauses;
    int rc = store_client_read(client, path, value);
    if (rc < 0)
        return rc;
    if (decimal_parse(value, 0, UINT32_MAX, &pauses) < 0)
        pauses = 0; /* Dom0 sets it back */
    if (!more && pauses == 0)
        return -ENODATA;
    snprintf(changed, sizeof(changed), "%" PRIu64, more ? pauses + 1 : pauses - 1);
    return store_client_write(client, path, changed);
}

/* As in Xen a domain goes on when as many have let it go on as have paused it: so the node counts,
 * and whoever counts at the same time must be seen. */
static int change_pause(struct store_client *client, const char *path, bool more)
{
    for (int i = 0; i < PAUSE_TRIES; i++) {
        int rc = store_client_begin(client);
        if (rc < 0)
            return rc;
        rc = count_pause(client, path, more);
        int ended = store_client_end(client, rc == 0);
        if (rc < 0 || ended != -EAGAIN)
            return rc < 0 ? rc : ended;
    }
    return -EAGAIN;
}

/* The node is there where somebody applies what it says. */
static int change_share(struct store_client *client, const struct node *node)
{
    char value[XENSTORE_PAYLOAD_MAX + 1];
    int rc = store_client_read(client, node->path, value);
    return rc < 0 ? rc : store_client_write(client, node->path, node->value);
}

static int change(struct store_client *client, const struct service_options *options,
                  const struct node *node)
{
    if (options->verb == SERVICE_SET && options->key == SERVICE_KEY_CPU_SHARE)
        return change_share(client, node);
    if (options->verb != SERVICE_PAUSE && options->verb != SERVICE_UNPAUSE)
        return store_client_write(client, node->path, node->value);
    return change_pause(client, node->path, options->verb == SERVICE_PAUSE);
}

/* Dom0 answers in the node in which it was asked. */
static int hear_of_resize(struct store_client *client, const char *path)
{
    char value[XENSTORE_PAYLOAD_MAX + 1] = "1";
    int rc = 0;
    for (int i = 0; rc == 0 && i < RESIZE_LOOKS && strcmp(value, "1") == 0; i++)
        rc = store_client_read(client, path, value);
    if (rc < 0)
        return complain("read", path, rc);
    if (strcmp(value, "0") == 0)
        return VERB_OK;
    fprintf(stderr, "service: cannot resize: %s\n",
            strcmp(value, "1") == 0 ? "Dom0 does not answer" : value);
    return VERB_FAILED;
}

int verb_store(const struct rundir *rundir, const struct service_options *options)
{
    const struct node node = choose_node(options);
    struct store_client *client;
    int status = verb_open_store(rundir, &client);

    if (status != VERB_OK)
        return status;
    status = check_domain(client, options->domid);
    if (status == VERB_OK) {
        int rc = change(client, options, &node);
        if (rc == -ENODATA) {
            fprintf(stderr, "service: domain %" PRIu32 " is not paused\n", options->domid);
            status = VERB_FAILED;
        } else if (rc == -ENOENT && options->key == SERVICE_KEY_CPU_SHARE) {
            fprintf(stderr,
                    "service: domain %" PRIu32
                    " keeps to no share of the CPU: it is no 'domu run', "
                    "or had no control group to write\n",
                    options->domid);
            status = VERB_FAILED;
        } else if (rc < 0) {
            status = complain("write", node.path, rc);
        } else if (options->verb == SERVICE_RESIZE) {
            status = hear_of_resize(client, node.path);
        }
    }
    store_client_close(client);
    return status;
}
