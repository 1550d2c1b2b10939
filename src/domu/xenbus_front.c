/* SPDX-License-Identifier: MIT */
#include "domu/xenbus_front.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "xenstore/xenbus_state.h"

enum {
    STATE_TIMEOUT_MS = 30000, /* or as long as the domain's patience lasts */
    TRANSACTION_TRIES = 100,
    NODE_MAX = 64,
    VALUE_MAX = 64,
    NS_PER_MS = 1000000,
};

const char fronts_shutdown_token[] = "shutdown";
const char fronts_clock_token[] = "clock";
const char fronts_share_token[] = "share";
const char fronts_trace_token[] = "trace";

void fronts_note(struct fronts *fronts, const char *token)
{
    struct list_node *node = list_first(&fronts->list);
    if (strcmp(token, fronts_shutdown_token) == 0)
        fronts->shutdown = true;
    if (strcmp(token, fronts_clock_token) == 0)
        fronts->clock = true;
    if (strcmp(token, fronts_share_token) == 0)
        fronts->share = true;
    if (strcmp(token, fronts_trace_token) == 0)
        fronts->trace = true;
    for (; node != NULL; node = list_next(&fronts->list, node)) {
        struct xenbus_front *front = container_of(node, struct xenbus_front, of_domain);
        if (strcmp(token, front->name) == 0)
            front->changed = true;
    }
}

void fronts_trace(struct fronts *fronts)
{
    for (struct list_node *node = list_first(&fronts->list); node != NULL;
         node = list_next(&fronts->list, node)) {
        struct xenbus_front *front = container_of(node, struct xenbus_front, of_domain);
        if (front->class->trace != NULL)
            front->class->trace(front);
    }
}

void xenbus_front_init(struct xenbus_front *front, const struct front_class *class,
                       struct fronts *fronts, struct life *life, uint32_t devid)
{
    *front = (struct xenbus_front){.class = class, .fronts = fronts, .life = life, .devid = devid};
    int length = snprintf(front->name, sizeof(front->name), "%s/%u", class->name, devid);
    assert(length > 0 && (size_t)length < sizeof(front->name));
}

/* Relative paths start at /local/domain/<our domid>. */
static void own_path(const struct xenbus_front *front, char path[XENBUS_FRONT_PATH_MAX],
                     const char *node)
{
    int length = snprintf(path, XENBUS_FRONT_PATH_MAX, "device/%s/%s", front->name, node);
    assert(length > 0 && length < XENBUS_FRONT_PATH_MAX);
}

static void back_path(const struct xenbus_front *front, char path[XENBUS_FRONT_PATH_MAX + NODE_MAX],
                      const char *node)
{
    snprintf(path, XENBUS_FRONT_PATH_MAX + NODE_MAX, "%s/%s", front->backend, node);
}

/* The state in a node; Unknown when the node is gone. */
static int read_state(struct xenbus_front *front, const char *path)
{
    char value[16];
    enum xenbus_state state;
    int rc = xs_client_read(front->life->store, 0, path, value, sizeof(value));
    if (rc == -ENOENT || rc == -EACCES)
        return XenbusStateUnknown;
    if (rc < 0)
        return rc;
    return xenbus_state_parse(value, &state) < 0 ? -EPROTO : (int)state;
}

int xenbus_front_back_state(struct xenbus_front *front)
{
    char path[XENBUS_FRONT_PATH_MAX + NODE_MAX];
    back_path(front, path, "state");
    return read_state(front, path);
}

int xenbus_front_number(struct xenbus_front *front, const char *node, uint64_t max,
                        uint64_t fallback, uint64_t *out)
{
    char path[XENBUS_FRONT_PATH_MAX + NODE_MAX];
    back_path(front, path, node);
    int rc = xs_client_read_u64(front->life->store, 0, path, max, out);
    if (rc == -ENOENT) {
        *out = fallback;
        return 0;
    }
    return rc;
}

int xenbus_front_put(struct xenbus_front *front, uint32_t tx, const char *node, const char *format,
                     ...)
{
    char path[XENBUS_FRONT_PATH_MAX], value[VALUE_MAX];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    assert(length >= 0 && (size_t)length < sizeof(value));
    own_path(front, path, node);
    return xs_client_write(front->life->store, tx, path, value);
}

int xenbus_front_own(struct xenbus_front *front, const char *node, char *value, size_t value_bytes)
{
    char path[XENBUS_FRONT_PATH_MAX];
    own_path(front, path, node);
    return xs_client_read(front->life->store, 0, path, value, value_bytes);
}

int xenbus_front_remove(struct xenbus_front *front, uint32_t tx, const char *node)
{
    char path[XENBUS_FRONT_PATH_MAX];
    own_path(front, path, node);
    int rc = xs_client_rm(front->life->store, tx, path);
    return rc == -ENOENT ? 0 : rc;
}

int xenbus_front_has(struct xenbus_front *front, uint32_t tx, const char *node)
{
    char path[XENBUS_FRONT_PATH_MAX], value[32];
    own_path(front, path, node);
    int rc = xs_client_read(front->life->store, tx, path, value, sizeof(value));
    return rc == -ENOENT ? 0 : rc < 0 && rc != -E2BIG ? rc : 1;
}

int xenbus_front_remove_queues(struct xenbus_front *front, uint32_t tx, uint32_t queues_max)
{
    int rc = xenbus_front_has(front, tx, "multi-queue-num-queues");
    if (rc <= 0)
        return rc;
    rc = xenbus_front_remove(front, tx, "multi-queue-num-queues");
    for (uint32_t i = 0; rc >= 0 && i < queues_max; i++) {
        char node[NODE_MAX];
        snprintf(node, sizeof(node), "queue-%u", i);
        rc = xenbus_front_remove(front, tx, node);
    }
    return rc;
}

static int put_state(struct xenbus_front *front, uint32_t tx, enum xenbus_state state)
{
    return xenbus_front_put(front, tx, "state", "%d", (int)state);
}

/* The toolstack removes the node when the device goes, before it removes the back end's. */
static bool was_taken_away(struct xenbus_front *front)
{
    char backend[XENBUS_FRONT_PATH_MAX];
    return xenbus_front_own(front, "backend", backend, sizeof(backend)) == -ENOENT;
}

/* Waits until the back end's state is settled. Returns that state, or -errno: -ENODEV the device
 * was taken away. */
static int wait_state(struct xenbus_front *front, bool (*settled)(enum xenbus_state state),
                      int timeout_ms)
{
    const uint64_t deadline_ns = clock_monotonic_ns() + (uint64_t)timeout_ms * NS_PER_MS;
    for (;;) {
        char path[XENBUS_FRONT_PATH_MAX + NODE_MAX], token[XENBUS_FRONT_NAME_MAX];
        int state = xenbus_front_back_state(front);
        if (state < 0 || settled((enum xenbus_state)state))
            return state;
        if (state == XenbusStateUnknown && was_taken_away(front))
            return -ENODEV;
        uint64_t now_ns = clock_monotonic_ns();
        if (now_ns >= deadline_ns)
            return -ETIMEDOUT;
        int left_ms = (int)((deadline_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
        int rc = xs_client_next_event(front->life->store, left_ms, path, sizeof(path), token,
                                      sizeof(token));
        if (rc < 0)
            return rc;
        fronts_note(front->fronts, token);
    }
}

static bool has_begun(enum xenbus_state back)
{
    return back != XenbusStateUnknown && back != XenbusStateInitialising;
}

static bool has_answered(enum xenbus_state back)
{
    return back == XenbusStateConnected || xenbus_state_is_closing(back);
}

static bool has_closed(enum xenbus_state back)
{
    return back == XenbusStateClosed || back == XenbusStateUnknown;
}

int xenbus_front_watch_back(struct xenbus_front *front, const char *node)
{
    char path[XENBUS_FRONT_PATH_MAX + NODE_MAX];
    back_path(front, path, node);
    int rc = xs_client_watch(front->life->store, path, front->name);
    return rc == -EEXIST ? 0 : rc; /* of the last time that the device was opened */
}

/* The back end waits for us, having been told to begin anew if we had closed the device before. */
static int await_back(struct xenbus_front *front)
{
    char path[XENBUS_FRONT_PATH_MAX];
    own_path(front, path, "state");
    int state = read_state(front, path);
    if (state == XenbusStateClosing || state == XenbusStateClosed) {
        int rc = put_state(front, 0, XenbusStateInitialising);
        if (rc < 0)
            return rc;
        state = wait_state(front, xenbus_state_back_is_waiting, STATE_TIMEOUT_MS);
    } else if (state >= 0) {
        state = wait_state(front, has_begun, STATE_TIMEOUT_MS);
    }
    if (state < 0)
        return state;
    return xenbus_state_back_is_waiting((enum xenbus_state)state) ? 0 : -EPROTO;
}

int xenbus_front_find_back(struct xenbus_front *front, const char **step)
{
    char path[XENBUS_FRONT_PATH_MAX];
    own_path(front, path, "backend");
    *step = "find the device's back end in the store";
    int rc = xs_client_read(front->life->store, 0, path, front->backend, sizeof(front->backend));
    if (rc < 0)
        return rc == -ENOENT ? -ENODEV : rc;
    *step = "watch the back end";
    rc = xenbus_front_watch_back(front, "state");
    if (rc < 0)
        return rc;
    *step = "wait for the back end";
    return await_back(front);
}

/* Nobody else removes the node. What was below it can't be written or read then. */
static bool met_its_end(struct xenbus_front *front, int rc)
{
    return rc == -ENODEV || ((rc == -EACCES || rc == -ENOENT) && was_taken_away(front));
}

int xenbus_front_fail(struct xenbus_front *front, int rc, const char *step, char *why,
                      size_t why_bytes)
{
    if (met_its_end(front, rc)) {
        snprintf(why, why_bytes,
                 "Dom0 took the device away: 'service block-detach', "
                 "'service network-detach'");
        return -ENODEV;
    }
    snprintf(why, why_bytes, "cannot %s: %s", step, strerror(-rc));
    return rc;
}

static int write_offer(struct xenbus_front *front,
                       int (*write)(struct xenbus_front *front, uint32_t tx))
{
    struct xs_client *store = front->life->store;
    for (int i = 0; i < TRANSACTION_TRIES; i++) {
        uint32_t tx;
        int rc = xs_client_transaction_start(store, &tx);
        if (rc < 0)
            return rc;
        rc = write(front, tx);
        if (rc >= 0)
            rc = put_state(front, tx, XenbusStateInitialised);
        int ended = xs_client_transaction_end(store, tx, rc >= 0);
        if (rc < 0)
            return rc;
        if (ended != -EAGAIN)
            return ended;
    }
    return -EAGAIN;
}

int xenbus_front_offer(struct xenbus_front *front,
                       int (*write)(struct xenbus_front *front, uint32_t tx), const char **step)
{
    *step = "offer the ring";
    int rc = write_offer(front, write);
    if (rc < 0)
        return rc;
    *step = "wait until the back end is connected";
    int state = wait_state(front, has_answered, STATE_TIMEOUT_MS);
    if (state < 0 || state == XenbusStateConnected)
        return state < 0 ? state : 0;
    if (state == XenbusStateUnknown && was_taken_away(front))
        return -ENODEV;
    *step = "connect: Dom0 refused the ring (its log says why)";
    return -ECONNREFUSED;
}

int xenbus_front_connected(struct xenbus_front *front)
{
    return put_state(front, 0, XenbusStateConnected);
}

void xenbus_front_close(struct xenbus_front *front)
{
    if (life_is_dead(front->life))
        return;
    if (put_state(front, 0, XenbusStateClosing) < 0)
        return;
    if (wait_state(front, xenbus_state_is_closing, STATE_TIMEOUT_MS) < 0)
        return;
    if (put_state(front, 0, XenbusStateClosed) < 0)
        return;
    (void)wait_state(front, has_closed, STATE_TIMEOUT_MS);
}
