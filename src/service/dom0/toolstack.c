/* SPDX-License-Identifier: MIT */
#include "service/dom0/toolstack.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "service/block/sched.h"
#include "service/dom0/back_classes.h"
#include "splitdom/control.h"
#include "xenstore/server/xs_local.h"
#include "xenstore/xenbus_path.h"

/* Writes nodes one after the other; remembers the first error, so that a list of calls reads like
 * the list of nodes that it is. */
struct node_writer {
    struct xs_server *store;
    struct xenbus_key key; /* of the device; of a home only the domid */
    int error;
};

/* Who may do what with a node. The first of a domain's own may be read by nobody else. */
enum node_perms { DOM0_OWNS, DOM0_OWNS_DOMAIN_READS, DOMAIN_OWNS, DOMAIN_OWNS_DOM0_READS };

static int set_perms(struct node_writer *w, const char *path, enum node_perms perms)
{
    bool domain_owns = perms == DOMAIN_OWNS || perms == DOMAIN_OWNS_DOM0_READS;
    bool two = perms == DOM0_OWNS_DOMAIN_READS || perms == DOMAIN_OWNS_DOM0_READS;
    char owner[16], reader[16];
    const char *list[2] = {owner, reader};
    snprintf(owner, sizeof(owner), "n%u", domain_owns ? w->key.domid : DOM0_DOMID);
    snprintf(reader, sizeof(reader), "r%u", domain_owns ? DOM0_DOMID : w->key.domid);
    return xs_local_set_perms(w->store, path, list, two ? 2 : 1);
}

static void put(struct node_writer *w, const char *path, const char *value, enum node_perms perms)
{
    if (w->error == 0)
        w->error = xs_local_write(w->store, path, value);
    if (w->error == 0)
        w->error = set_perms(w, path, perms);
}

static void put_home(struct node_writer *w, const char *rest, const char *value)
{
    char path[XENBUS_PATH_MAX];
    xenbus_home_path(path, w->key.domid, rest);
    put(w, path, value, w->key.domid == DOM0_DOMID ? DOM0_OWNS : DOM0_OWNS_DOMAIN_READS);
}

static void put_number(struct node_writer *w, const char *rest, uint64_t value)
{
    char number[24];
    snprintf(number, sizeof(number), "%" PRIu64, value);
    put_home(w, rest, number);
}

/* An empty node of a home that is the domain's own. */
static void put_own(struct node_writer *w, const char *rest)
{
    char path[XENBUS_PATH_MAX];
    xenbus_home_path(path, w->key.domid, rest);
    put(w, path, "", DOMAIN_OWNS);
}

/* Everything in the front end's directory belongs to the domain: the back end trusts none of it.
 * The peer may only read. */
static void put_front(void *writer, const char *rest, const char *value)
{
    struct node_writer *w = writer;
    char path[XENBUS_PATH_MAX];
    bool kept = strcmp(rest, "mtu") == 0; /* libxl keeps this one of a vif for itself */
    xenbus_front_path(path, &w->key, rest);
    put(w, path, value, kept ? DOM0_OWNS_DOMAIN_READS : DOMAIN_OWNS_DOM0_READS);
}

static void put_back(void *writer, const char *rest, const char *value)
{
    struct node_writer *w = writer;
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &w->key, rest);
    put(w, path, value, DOM0_OWNS_DOMAIN_READS);
}

int toolstack_create_dom0(struct xs_server *store)
{
    struct node_writer w = {.store = store, .key = {.domid = DOM0_DOMID}};
    put_number(&w, "domid", DOM0_DOMID);
    put_home(&w, "name", "Domain-0");
    return w.error;
}

/* What libxl writes in its first transaction, in its order. */
static void put_skeleton(struct node_writer *w)
{
    char name[32];
    snprintf(name, sizeof(name), CONTROL_NAME_UNSAID "%u", w->key.domid);
    put_home(w, "", "");
    put_home(w, "name", name);
    put_home(w, "cpu", "");
    put_home(w, "memory", "");
    put_home(w, "device", "");
    put_own(w, "device/suspend/event-channel");
    put_home(w, "control", "");
    put_own(w, "control/shutdown");
    put_own(w, "control/feature-poweroff");
    put_own(w, "control/feature-reboot");
    put_own(w, "control/feature-suspend");
    put_own(w, "control/sysrq");
    put_own(w, "data");
    put_own(w, "drivers");
    put_own(w, "feature");
    put_own(w, "attr");
    put_own(w, "error");
    put_home(w, "control/platform-feature-xs_reset_watches", "1");
}

int toolstack_create_domain(struct xs_server *store, const struct toolstack_domain *domain)
{
    struct node_writer w = {.store = store, .key = {.domid = domain->domid}};
    put_skeleton(&w);
    /* libxl's second, when the domain's memory is there */
    put_number(&w, "memory/static-max", domain->memory_kib);
    put_number(&w, "memory/target", domain->memory_kib);
    put_home(&w, "memory/videoram", "0");
    put_number(&w, "domid", domain->domid);
    put_number(&w, "store/port", domain->store_evtchn);
    put_number(&w, "store/ring-ref", domain->store_pfn);
    put_home(&w, "cpu/0/availability", "online");
    /* ours */
    put_number(&w, "sched/weight", SCHED_WEIGHT_DEFAULT);
    return w.error;
}

int toolstack_tell_pid(struct xs_server *store, domid_t domid, pid_t pid)
{
    struct node_writer w = {.store = store, .key = {.domid = domid}};
    put_home(&w, "splitdom", "");
    put_number(&w, "splitdom/pid", (uint64_t)pid);
    return w.error;
}

int toolstack_tell_name(struct xs_server *store, domid_t domid, const char *name)
{
    struct node_writer w = {.store = store, .key = {.domid = domid}};
    put_home(&w, "name", name);
    return w.error;
}

int toolstack_create_device(struct xs_server *store, domid_t domid, const struct back_spec *spec)
{
    const struct back_class *class = spec->class;
    struct node_writer w = {.store = store, .key = {class->name, domid, spec->devid}};
    char front[XENBUS_PATH_MAX], back[XENBUS_PATH_MAX];
    xenbus_front_path(front, &w.key, "");
    xenbus_back_path(back, &w.key, "");
    put_front(&w, "", "");
    put_front(&w, "backend", back);
    put_front(&w, "backend-id", "0");
    put_front(&w, "state", "1");
    class->front_nodes(spec, put_front, &w);
    put_back(&w, "", "");
    put_back(&w, "frontend", front);
    class->back_nodes(spec, domid, put_back, &w);
    return w.error;
}

int toolstack_remove_domain(struct xs_server *store, domid_t domid)
{
    char path[XENBUS_PATH_MAX];
    bool left = false;
    for (size_t i = 0; back_classes[i] != NULL; i++) {
        xenbus_backs_path(path, back_classes[i]->name, domid);
        left |= xs_local_path_cleanup(store, path) == -ENOMEM;
        xenbus_errors_path(path, back_classes[i]->name, domid);
        left |= xs_local_rm(store, path) == -ENOMEM;
    }
    xenbus_home_path(path, domid, "");
    left |= xs_local_rm(store, path) == -ENOMEM;
    return left ? -ENOMEM : 0;
}
