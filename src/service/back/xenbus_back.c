/* SPDX-License-Identifier: MIT */
#include "service/back/xenbus_back.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "xenstore/xenbus_state.h"

enum { NODE_VALUE_MAX = 64, ERROR_VALUE_MAX = 160 };

int xenbus_back_put(struct xenbus_back *back, const char *node, const char *format, ...)
{
    char path[XENBUS_PATH_MAX], value[NODE_VALUE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    xenbus_back_path(path, &back->key, node);
    int rc = xs_local_write(back->host->store, path, value);
    if (rc < 0)
        log_limited(back->host->log, back->host->log_limit, "domain %u: cannot write %s: %s",
                    back->key.domid, path, strerror(-rc));
    return rc;
}

int xenbus_back_front_text(struct xenbus_back *back, const char *node, char *buf, size_t size)
{
    char path[XENBUS_PATH_MAX];
    xenbus_front_path(path, &back->key, node);
    return xs_local_read(back->host->store, path, buf, size);
}

int xenbus_back_front_number(struct xenbus_back *back, const char *node, uint64_t max,
                             int64_t fallback, uint64_t *out)
{
    char path[XENBUS_PATH_MAX];
    xenbus_front_path(path, &back->key, node);
    int rc = xs_local_read_u64(back->host->store, path, max, out);
    if ((rc == -ENOENT || rc == -EINVAL) && fallback >= 0) {
        *out = (uint64_t)fallback;
        return 0;
    }
    return rc < 0 ? rc : 0;
}

static void say(struct xenbus_back *back, const char *what)
{
    log_limited(back->host->log, back->host->log_limit, "domain %u: %s %u: %s", back->key.domid,
                back->class->name, back->key.devid, what);
}

/* The one setter of our state. Errors: -ENOMEM, the front end knows nothing of it. */
static int switch_state(struct xenbus_back *back, enum xenbus_state state)
{
    if (back->state != state) {
        char text[NODE_VALUE_MAX];
        snprintf(text, sizeof(text), "%s -> %s", xenbus_state_name(back->state),
                 xenbus_state_name(state));
        say(back, text);
    }
    back->state = state;
    return xenbus_back_put(back, "state", "%d", state);
}

/* Says farewell. Whoever can't even be told that must see the domain end. */
static void leave(struct xenbus_back *back, enum xenbus_state state)
{
    if (switch_state(back, state) < 0)
        back->owner.lost(back->owner.ctx);
}

void xenbus_back_fail(struct xenbus_back *back, int error, const char *what)
{
    char path[XENBUS_PATH_MAX], value[ERROR_VALUE_MAX];
    assert(error < 0);
    xenbus_error_path(path, &back->key);
    snprintf(value, sizeof(value), "%d %s", error, what);
    (void)xs_local_write(back->host->store, path, value);
    snprintf(value, sizeof(value), "%s (%s)", what, strerror(-error));
    say(back, value);
    leave(back, XenbusStateClosing);
}

/* Offers the device to a front end that starts. */
static int offer(struct xenbus_back *back)
{
    assert(!back->connected);
    int rc = back->class->publish(back);
    return rc < 0 ? rc : switch_state(back, XenbusStateInitWait);
}

static void connect(struct xenbus_back *back)
{
    const char *what = "";
    assert(!back->connected);
    int rc = back->class->connect(back, &what);
    if (rc < 0) {
        xenbus_back_fail(back, rc, what);
        return;
    }
    back->connected = true;
    rc = switch_state(back, XenbusStateConnected);
    if (rc < 0)
        xenbus_back_fail(back, rc, "its state cannot be written");
}

/* Idempotent: every way out calls it. */
static void disconnect(struct xenbus_back *back)
{
    if (back->connected)
        back->class->disconnect(back);
    back->connected = false;
}

/* The front end's state; Unknown: it has none, or no number. -1: it is none of Xen's. */
static enum xenbus_state front_state(struct xenbus_back *back)
{
    char value[NODE_VALUE_MAX];
    enum xenbus_state state;
    int rc = xenbus_back_front_text(back, "state", value, sizeof(value));
    if (rc == -ENOENT || rc == -EACCES)
        return XenbusStateUnknown;
    if (rc >= 0)
        rc = xenbus_state_parse(value, &state);
    if (rc == -EINVAL)
        return XenbusStateUnknown;
    return rc < 0 ? (enum xenbus_state) - 1 : state;
}

/* Does the toolstack want the device to stay when its front end has closed it? */
static bool is_online(struct xenbus_back *back)
{
    char path[XENBUS_PATH_MAX];
    uint64_t online;
    xenbus_back_path(path, &back->key, "online");
    return xs_local_read_u64(back->host->store, path, UINT32_MAX, &online) == 0 && online != 0;
}

void xenbus_back_remove_nodes(struct xs_server *store, const struct xenbus_key *key)
{
    char path[XENBUS_PATH_MAX];
    xenbus_front_path(path, key, "");
    (void)xs_local_path_cleanup(store, path);
    xenbus_back_path(path, key, "");
    (void)xs_local_path_cleanup(store, path);
}

/* The device is taken away for good: nobody listens to its front end any more. */
static void unplug(struct xenbus_back *back)
{
    xs_local_unwatch(back->watch);
    back->watch = NULL;
    xenbus_back_remove_nodes(back->host->store, &back->key);
    say(back, "detached");
    back->owner.gone(back->owner.ctx, back); /* the last use of back */
}

static void frontend_closed(struct xenbus_back *back)
{
    disconnect(back);
    if (back->state != XenbusStateClosed)
        leave(back, XenbusStateClosed);
    if (!is_online(back))
        unplug(back);
}

bool xenbus_back_unplug(struct xenbus_back *back, bool force)
{
    /* Side by side, so that nobody sees one without the other. */
    (void)xenbus_back_put(back, "online", "0");
    if (back->state != XenbusStateClosed)
        (void)xenbus_back_put(back, "state", "%d", XenbusStateClosing);
    if (back->connected && !force)
        return false;
    disconnect(back);
    (void)switch_state(back, XenbusStateClosed);
    unplug(back);
    return true;
}

/* A front end may start over once both halves are closed. At any other time it is not heard, but
 * for classes that start over by themselves: then it is closed first, so that nothing of its old
 * ring is left; a device that is being taken away is gone with that. */
static void frontend_starts(struct xenbus_back *back)
{
    const bool open = back->state == XenbusStateConnected || back->state == XenbusStateClosing;
    if (open && back->class->starts_over) {
        const bool stays = is_online(back);
        if (back->state == XenbusStateConnected)
            leave(back, XenbusStateClosing);
        frontend_closed(back);
        if (!stays)
            return;
    }
    if (back->state != XenbusStateClosed)
        return;
    int rc = offer(back);
    if (rc < 0)
        xenbus_back_fail(back, rc, "its features cannot be written");
}

/* Some front ends go straight from 1 to 4; two changes may also arrive as one. Who opens a second
 * time may even leave out the 1 (old Mini-OS), if the class has nothing against it. */
static void frontend_is_ready(struct xenbus_back *back)
{
    if (back->state == XenbusStateClosed && back->class->starts_over)
        frontend_starts(back);
    if (xenbus_state_back_is_waiting(back->state))
        connect(back);
}

static void frontend_changed(void *ctx, const char *path)
{
    struct xenbus_back *back = ctx;
    (void)path;
    enum xenbus_state front = front_state(back);
    if (front == XenbusStateInitialising) {
        frontend_starts(back);
    } else if (xenbus_state_front_is_ready(front)) {
        frontend_is_ready(back);
    } else if (front == XenbusStateClosing) {
        if (!xenbus_state_is_closing(back->state))
            leave(back, XenbusStateClosing);
    } else if (xenbus_state_is_closing(front)) { /* Closed, or the node is gone */
        frontend_closed(back);
    } else if (!xenbus_state_is_closing(back->state)) {
        xenbus_back_fail(back, -EINVAL, "unexpected front end state");
    }
}

int xenbus_back_create(const struct back_host *host, const struct back_domain *domain,
                       const struct back_spec *spec, const struct back_owner *owner,
                       struct xenbus_back **out)
{
    struct xenbus_back *back;
    *out = NULL;
    int rc = spec->class->create(domain, spec->options, &back);
    if (rc < 0)
        return rc;
    *back = (struct xenbus_back){.class = spec->class,
                                 .host = host,
                                 .domain = domain,
                                 .key = {spec->class->name, domain->domid, spec->devid},
                                 .state = XenbusStateInitialising,
                                 .owner = *owner};
    char path[XENBUS_PATH_MAX];
    xenbus_front_path(path, &back->key, "state");
    rc = xs_local_watch(host->store, path, frontend_changed, back, &back->watch);
    if (rc == 0)
        rc = offer(back);
    if (rc < 0) {
        xenbus_back_destroy(back);
        return rc;
    }
    *out = back;
    return 0;
}

void xenbus_back_destroy(struct xenbus_back *back)
{
    if (back == NULL)
        return;
    assert(!list_is_linked(&back->of_domain));
    xs_local_unwatch(back->watch);
    disconnect(back);
    back->class->destroy(back);
}

void xenbus_back_resize(struct xenbus_back *back)
{
    if (back->class->resize == NULL || back->state != XenbusStateConnected)
        return;
    assert(back->connected);
    int rc = back->class->resize(back);
    /* Whoever takes the device away has written 5 there, and the front end may not have seen it. */
    if (rc == 0 && is_online(back))
        rc = xenbus_back_put(back, "state", "%d", back->state);
    if (rc < 0)
        xenbus_back_fail(back, rc, "its new size cannot be written");
}

void xenbus_back_configure(struct xenbus_back *back)
{
    if (back->class->configure != NULL)
        back->class->configure(back);
}
