/* SPDX-License-Identifier: MIT */
#include "service/back/toolstack.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "service/block/sched.h"
#include "splitdom/xen/xenbus.h"
#include "xenstore/xenbus_path.h"
#include "xenstore/xs_local.h"

/* A node with its value and permissions; remembers the first error, so that a list of calls reads
 * like the list of nodes that it is. */
struct node_writer {
    struct xs_server *store;
    struct xenbus_key key;
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

static void put_domain(struct node_writer *w, const char *rest, const char *value, bool guest_owns)
{
    char path[XENBUS_PATH_MAX];
    xenbus_home_path(path, w->key.domid, rest);
    put(w, path, value, guest_owns);
}

static void put_front(struct node_writer *w, const char *rest, const char *value)
{
    char path[XENBUS_PATH_MAX];
    xenbus_front_path(path, &w->key, rest);
    put(w, path, value, true);
}

static void put_back(struct node_writer *w, const char *rest, const char *value)
{
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &w->key, rest);
    put(w, path, value, false);
}

static void put_home(struct node_writer *w)
{
    char number[16];
    char weight[16];
    char name[32];
    snprintf(number, sizeof(number), "%u", w->key.domid);
    snprintf(weight, sizeof(weight), "%d", SCHED_WEIGHT_DEFAULT);
    snprintf(name, sizeof(name), "DomU-%u", w->key.domid);
    put_domain(w, "", "", false);
    put_domain(w, "domid", number, false);
    put_domain(w, "name", name, false);
    put_domain(w, "sched", "", false);
    put_domain(w, "sched/weight", weight, false);
    put_domain(w, "control", "", false);
    put_domain(w, "control/shutdown", "", true);
    put_domain(w, "device", "", false);
    put_domain(w, "device/vbd", "", false);
    put_domain(w, "data", "", true);
}

int toolstack_create_domain(struct xs_server *store, domid_t domid, const char *image_path)
{
    struct node_writer w = {.store = store, .key = {"vbd", domid, XENBUS_VBD_XVDA}};
    char front[XENBUS_PATH_MAX], back[XENBUS_PATH_MAX];
    char number[16], device[16], state[4];
    xenbus_front_path(front, &w.key, "");
    xenbus_back_path(back, &w.key, "");
    snprintf(number, sizeof(number), "%u", domid);
    snprintf(device, sizeof(device), "%d", XENBUS_VBD_XVDA);
    snprintf(state, sizeof(state), "%d", XenbusStateInitialising);

    put_home(&w);
    /* Everything in the front end's directory belongs to the domain: the back end trusts none of
     * it. The peer may only read. */
    put_front(&w, "", "");
    put_front(&w, "backend", back);
    put_front(&w, "backend-id", "0");
    put_front(&w, "virtual-device", device);
    put_front(&w, "device-type", "disk");

    put_back(&w, "", "");
    put_back(&w, "frontend", front);
    put_back(&w, "frontend-id", number);
    put_back(&w, "online", "1");
    put_back(&w, "mode", "r");
    put_back(&w, "type", "file");
    put_back(&w, "params", image_path);
    put_back(&w, "dev", "xvda");
    put_back(&w, "removable", "0");
    put_back(&w, "bootable", "1");
    put_back(&w, "state", state);
    put_front(&w, "state", state);
    return w.error;
}

void toolstack_remove_disk(struct xs_server *store, domid_t domid)
{
    const struct xenbus_key key = {"vbd", domid, XENBUS_VBD_XVDA};
    char path[XENBUS_PATH_MAX];
    xenbus_front_path(path, &key, "");
    (void)xs_local_rm(store, path);
    xenbus_back_path(path, &key, "");
    (void)xs_local_rm(store, path);
}

int toolstack_remove_domain(struct xs_server *store, domid_t domid)
{
    char path[XENBUS_PATH_MAX];
    xenbus_backs_path(path, "vbd", domid);
    int backend = xs_local_rm(store, path);
    xenbus_errors_path(path, "vbd", domid);
    int error = xs_local_rm(store, path);
    xenbus_home_path(path, domid, "");
    int home = xs_local_rm(store, path);
    return backend == -ENOMEM || error == -ENOMEM || home == -ENOMEM ? -ENOMEM : 0;
}
