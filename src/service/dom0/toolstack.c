/* SPDX-License-Identifier: MIT */
#include "service/dom0/toolstack.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "service/block/sched.h"
#include "service/dom0/back_classes.h"
#include "splitdom/xen/xenbus.h"
#include "xenstore/server/xs_local.h"
#include "xenstore/xenbus_path.h"

/* A node with its value and permissions; remembers the first error, so that a list of calls reads
 * like the list of nodes that it is. */
struct node_writer {
    struct xs_server *store;
    struct xenbus_key key; /* of the device; of a home only the domid */
    int error;
};

static void put(struct node_writer *w, const char *path, const char *value, bool guest_owns)
{
    char first[16], second[16];
    const char *perms[2] = {first, second};
    snprintf(first, sizeof(first), "n%u", guest_owns ? w->key.domid : DOM0_DOMID);
    snprintf(second, sizeof(second), "r%u", guest_owns ? DOM0_DOMID : w->key.domid);
    if (w->error == 0)
        w->error = xs_local_write(w->store, path, value);
    if (w->error == 0)
        w->error = xs_local_set_perms(w->store, path, perms, 2);
}

static void put_home(struct node_writer *w, const char *rest, const char *value, bool guest_owns)
{
    char path[XENBUS_PATH_MAX];
    xenbus_home_path(path, w->key.domid, rest);
    put(w, path, value, guest_owns);
}

/* Everything in the front end's directory belongs to the domain: the back end trusts none of it.
 * The peer may only read. */
static void put_front(void *writer, const char *rest, const char *value)
{
    struct node_writer *w = writer;
    char path[XENBUS_PATH_MAX];
    xenbus_front_path(path, &w->key, rest);
    put(w, path, value, true);
}

static void put_back(void *writer, const char *rest, const char *value)
{
    struct node_writer *w = writer;
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &w->key, rest);
    put(w, path, value, false);
}

int toolstack_create_domain(struct xs_server *store, domid_t domid)
{
    struct node_writer w = {.store = store, .key = {.domid = domid}};
    char number[16];
    char weight[16];
    char name[32];
    snprintf(number, sizeof(number), "%u", domid);
    snprintf(weight, sizeof(weight), "%d", SCHED_WEIGHT_DEFAULT);
    snprintf(name, sizeof(name), "DomU-%u", domid);
    put_home(&w, "", "", false);
    put_home(&w, "domid", number, false);
    put_home(&w, "name", name, false);
    put_home(&w, "sched", "", false);
    put_home(&w, "sched/weight", weight, false);
    put_home(&w, "control", "", false);
    put_home(&w, "control/shutdown", "", true);
    put_home(&w, "device", "", false);
    put_home(&w, "data", "", true);
    return w.error;
}

int toolstack_create_device(struct xs_server *store, domid_t domid, const struct back_spec *spec)
{
    const struct back_class *class = spec->class;
    struct node_writer w = {.store = store, .key = {class->name, domid, spec->devid}};
    char front[XENBUS_PATH_MAX], back[XENBUS_PATH_MAX];
    char number[16], state[4];
    xenbus_front_path(front, &w.key, "");
    xenbus_back_path(back, &w.key, "");
    snprintf(number, sizeof(number), "%u", domid);
    snprintf(state, sizeof(state), "%d", XenbusStateInitialising);

    put_front(&w, "", "");
    put_front(&w, "backend", back);
    put_front(&w, "backend-id", "0");
    class->front_nodes(spec, put_front, &w);

    put_back(&w, "", "");
    put_back(&w, "frontend", front);
    put_back(&w, "frontend-id", number);
    put_back(&w, "online", "1");
    class->back_nodes(spec, put_back, &w);
    put_back(&w, "state", state);
    put_front(&w, "state", state);
    return w.error;
}

int toolstack_remove_domain(struct xs_server *store, domid_t domid)
{
    char path[XENBUS_PATH_MAX];
    bool left = false;
    for (size_t i = 0; back_classes[i] != NULL; i++) {
        xenbus_backs_path(path, back_classes[i]->name, domid);
        left |= xs_local_rm(store, path) == -ENOMEM;
        xenbus_errors_path(path, back_classes[i]->name, domid);
        left |= xs_local_rm(store, path) == -ENOMEM;
    }
    xenbus_home_path(path, domid, "");
    left |= xs_local_rm(store, path) == -ENOMEM;
    return left ? -ENOMEM : 0;
}
