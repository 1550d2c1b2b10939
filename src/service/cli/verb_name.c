/* SPDX-License-Identifier: MIT */
/* The verbs about names, with xl's words: domid, domname, rename; and which domain others mean. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/one_line.h"
#include "service/cli/store_client.h"
#include "service/cli/verb.h"
#include "splitdom/control.h"

enum {
    PATH_SIZE = 64,
    RENAME_TRIES = 100, /* each costs somebody else's success */
    NOBODY = -1,
};

static void name_path(char path[PATH_SIZE], int64_t domid)
{
    snprintf(path, PATH_SIZE, "/local/domain/%" PRId64 "/name", domid);
}

/* Which domain has the name; NOBODY: *domid. The first, by number. */
static int find_name(struct store_client *client, const char *name, int64_t *domid)
{
    char path[PATH_SIZE], value[XENSTORE_PAYLOAD_MAX + 1], *names;
    uint64_t number;
    int rc = store_client_directory(client, "/local/domain", &names);
    *domid = NOBODY;
    if (rc < 0)
        return rc;
    for (const char *child = names; rc == 0 && *child != '\0'; child += strlen(child) + 1) {
        if (decimal_parse(child, 0, INT32_MAX, &number) < 0 ||
            (*domid != NOBODY && *domid <= (int64_t)number))
            continue;
        name_path(path, (int64_t)number);
        rc = store_client_read(client, path, value);
        if (rc == 0 && strcmp(value, name) == 0)
            *domid = (int64_t)number;
        else if (rc == -ENOENT) /* just ending */
            rc = 0;
    }
    free(names);
    return rc;
}

static int print_domid(struct store_client *client, const char *name, struct why *why)
{
    int64_t domid;
    int rc = find_name(client, name, &domid);
    if (rc < 0)
        return why_fail_errno(why, rc, "cannot look for the name in xenstore");
    if (domid == NOBODY)
        return why_fail(why, -ENOENT,
                        "can't get domid of domain name '%s', maybe this domain does not exist",
                        name);
    printf("%" PRId64 "\n", domid);
    return 0;
}

static int print_name(struct store_client *client, uint32_t domid, struct why *why)
{
    char path[PATH_SIZE], value[XENSTORE_PAYLOAD_MAX + 1];
    name_path(path, domid);
    int rc = store_client_read(client, path, value);
    if (rc == -ENOENT)
        return why_fail(why, rc,
                        "can't get domain name of domain id '%" PRIu32
                        "', maybe this domain does not exist",
                        domid);
    if (rc < 0)
        return why_fail_errno(why, rc, "cannot read %s in xenstore", path);
    one_line_keep(value);
    puts(value);
    return 0;
}

/* Is that what another domain is called, or will be, if nobody says another name? */
static bool is_anothers(uint32_t domid, const char *name)
{
    char own[CONTROL_NAME_SIZE];
    snprintf(own, sizeof(own), CONTROL_NAME_UNSAID "%" PRIu32, domid);
    return strncmp(name, own, strlen(CONTROL_NAME_UNSAID)) == 0 && strcmp(name, own) != 0;
}

/* In a transaction. -ENOENT no such domain; -EEXIST another one has the name. */
static int change_name(struct store_client *client, uint32_t domid, const char *name)
{
    char path[PATH_SIZE], value[XENSTORE_PAYLOAD_MAX + 1];
    int64_t other;
    name_path(path, domid);
    int rc = store_client_read(client, path, value);
    if (rc == 0)
        rc = find_name(client, name, &other);
    if (rc == 0 && other != NOBODY && other != (int64_t)domid)
        rc = -EEXIST;
    return rc < 0 ? rc : store_client_write(client, path, name);
}

static int rename_domain(struct store_client *client, uint32_t domid, const char *name,
                         struct why *why)
{
    int rc = -EAGAIN;
    if (is_anothers(domid, name))
        return why_fail(why, -EINVAL, "a name that begins with %s is Dom0's to give: take another",
                        CONTROL_NAME_UNSAID);
    for (int i = 0; rc == -EAGAIN && i < RENAME_TRIES; i++) {
        rc = store_client_begin(client);
        if (rc < 0)
            break;
        rc = change_name(client, domid, name);
        int ended = store_client_end(client, rc == 0);
        rc = rc < 0 ? rc : ended;
    }
    if (rc == -ENOENT)
        return why_fail(why, rc, "there is no domain %" PRIu32 ": see 'service list'", domid);
    if (rc == -EEXIST)
        return why_fail(why, rc, "domain with name \"%s\" already exists", name);
    return rc < 0 ? why_fail_errno(why, rc, "cannot rename domain %" PRIu32 " in xenstore", domid)
                  : 0;
}

int verb_name_resolve(const struct rundir *rundir, struct service_options *options)
{
    struct store_client *client;
    int64_t domid;
    int status = verb_open_store(rundir, &client);
    if (status != VERB_OK)
        return status;
    int rc = find_name(client, options->domain, &domid);
    store_client_close(client);
    const bool any = options->verb == SERVICE_UPTIME || options->verb == SERVICE_LIST;
    if (rc == 0 && (domid > 0 || (domid == 0 && any))) {
        options->domid = (uint32_t)domid;
        return VERB_OK;
    }
    if (rc < 0)
        fprintf(stderr, "service: cannot look for the domain %s in xenstore: %s\n", options->domain,
                strerror(-rc));
    else if (domid == 0)
        fprintf(stderr, "service: %s is Dom0 itself: name another domain\n", options->domain);
    else
        fprintf(stderr, "service: %s is an invalid domain identifier: see 'service list'\n",
                options->domain);
    return VERB_FAILED;
}

int verb_name(const struct rundir *rundir, const struct service_options *options)
{
    struct store_client *client;
    struct why why;
    int rc, status = verb_open_store(rundir, &client);
    if (status != VERB_OK)
        return status;
    if (options->verb == SERVICE_DOMID)
        rc = print_domid(client, options->value, &why);
    else if (options->verb == SERVICE_DOMNAME)
        rc = print_name(client, options->domid, &why);
    else
        rc = rename_domain(client, options->domid, options->value, &why);
    store_client_close(client);
    if (rc == 0)
        return verb_end_output();
    fprintf(stderr, "service: %s\n", why.text);
    return VERB_FAILED;
}
