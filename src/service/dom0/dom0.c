/* SPDX-License-Identifier: MIT */
#include "service/dom0/dom0.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "ring/fault_guard.h"
#include "service/block/queue.h"
#include "service/dom0/dom0_private.h"
#include "service/dom0/dom0_setup.h"
#include "service/dom0/dom0_wakeups.h"
#include "service/dom0/rundir_watch.h"

enum {
    STORE_BUDGET = 4, /* store requests a round: the data path must not feel the store */
    DRAIN_PATIENCE_NS = 2000000000, /* for reads at the disk, when stopping */
};

#define ACCEPT_RETRY_NS (UINT64_C(1000) * 1000 * 1000)

static struct dom0 *of_store_work(struct gated_work *work)
{
    return container_of(work, struct dom0, store_work);
}

static bool store_waits(struct gated_work *work)
{
    const struct dom0 *d = of_store_work(work);
    return !list_is_empty(&d->store_pending) || store_socket_has_news(d->store_socket) ||
           !xs_server_idle(d->store);
}

static bool serve_store(struct gated_work *work)
{
    struct dom0 *d = of_store_work(work);
    struct list pending = {0}; /* what is added meanwhile is for the next turn */
    struct list_node *node;
    list_move_all(&pending, &d->store_pending);
    while ((node = list_pop_front(&pending)) != NULL)
        domain_pump_store(container_of(node, struct domain, store_link));
    bool more = store_socket_pump(d->store_socket);
    if (!xs_server_idle(d->store))
        more |= xs_server_run(d->store, STORE_BUDGET);
    /* Replies go out now; what they make room for comes in with the next turn. */
    more |= store_socket_pump(d->store_socket);
    return more || !list_is_empty(&d->store_pending);
}

const struct gated_work_ops dom0_store_work_ops = {.waits = store_waits, .serve = serve_store};

static bool control_waits(struct gated_work *work)
{
    return control_has_news(container_of(work, struct dom0, control_work)->control);
}

static bool serve_control(struct gated_work *work)
{
    return control_run(container_of(work, struct dom0, control_work)->control);
}

const struct gated_work_ops dom0_control_work_ops = {.waits = control_waits,
                                                     .serve = serve_control};

static uint32_t dispatch(void *ctx, uint64_t now_ns)
{
    struct dom0 *d = ctx;
    return dom0_network_run(d, now_ns) + vdisks_dispatch(&d->vdisks, now_ns);
}

static void begin_turn(void *ctx)
{
    struct dom0 *d = ctx;
    control_accept_again(d->control); /* a descriptor may have become free */
    store_socket_accept_again(d->store_socket);
    if (d->nodes_left_count > 0)
        dom0_clear_away(d);
}

/* What was short may have been anybody's (ENFILE, ENOMEM): no event tells us that it is there
 * again. The turn that the timer begins looks. */
static void look_again(struct timer *timer, void *ctx)
{
    (void)timer;
    (void)ctx;
}

static void look_again_at_accepts(struct dom0 *d)
{
    if (d->accepts.state != TIMER_STOPPED ||
        !(control_accept_failed(d->control) || store_socket_accept_failed(d->store_socket)))
        return;
    timer_init(&d->accepts, &d->worker.gate_time, look_again, d);
    timer_set(&d->accepts, tdf_clock_now_ns(&d->worker.hold_clock) + ACCEPT_RETRY_NS);
}

/* Asked after everything that touches the domains' memory, and before a sleep that may be long: an
 * image that nobody has any more is not to stay locked meanwhile. */
static bool end_turn(void *ctx)
{
    struct dom0 *d = ctx;
    look_again_at_accepts(d);
    vdisks_sweep(&d->vdisks);
    if (!fault_guard_any() && !d->any_lost)
        return false;
    dom0_end_faulted(d);
    return true;
}

static void time_read(void *ctx, uint64_t now_ns)
{
    struct dom0 *d = ctx;
    const struct vdisks_totals totals = vdisks_totals(&d->vdisks);
    placement_review(&d->placement, now_ns, totals.vdisk.hits + totals.vdisk.misses,
                     totals.device.reads);
}

const struct worker_ops dom0_worker_ops = {.dispatch = dispatch,
                                           .begin_turn = begin_turn,
                                           .end_turn = end_turn,
                                           .time_read = time_read,
                                           .reanchor = dom0_reanchor_domains};

/* Returns 0, or -errno: no event can be waited for any more. */
static int loop(struct dom0 *d)
{
    int rc = 0;
    while (!d->stopping && rc >= 0) {
        rc = worker_turn(&d->worker);
        if (rc > 0 && !d->stopping)
            rc = worker_sleep(&d->worker);
    }
    return rc < 0 ? rc : 0;
}

static void farewell(struct dom0 *d)
{
    uint32_t bytes = 0;
    int fd = dom0_farewell_text(d, &bytes);
    control_farewell(d->control, fd, bytes);
    if (fd >= 0)
        close(fd);
}

/* Ends in the order in which a stopping client must see it: domains first, then the farewell. */
static int serve(struct dom0 *d, const char **failed)
{
    int rc = loop(d);
    if (rc < 0)
        d->stop_reason = "no event can be waited for any more";
    log_line(d->log, "stopping: %s", d->stop_reason);
    control_quiesce(d->control);
    vdisks_give_up(&d->vdisks);
    uint64_t deadline_ns = clock_monotonic_ns() + DRAIN_PATIENCE_NS;
    while (rc == 0 && vdisks_in_flight(&d->vdisks) > 0 && clock_monotonic_ns() < deadline_ns) {
        if (vdisks_dispatch(&d->vdisks, clock_monotonic_ns()) == 0)
            rc = worker_wait(&d->worker, deadline_ns);
    }
    farewell(d);
    *failed = poller_failure(d->worker.poller);
    return rc;
}

enum { NAMES_PAUSE_NS = 300 * 1000 * 1000 };

#define NAMES_RETRY_NS (UINT64_C(10) * 1000 * 1000 * 1000)

/* Who keeps Dom0's names in the run directory. */
struct keeper {
    struct dom0 *dom0;
    const struct dom0_caller *caller;
    struct timer timer; /* set while a name is missing */
    bool gone;          /* the directory is not ours any more */
};

/* The directory's names belong to somebody else from now on, or to nobody. */
static void rundir_gone(void *ctx)
{
    struct keeper *keeper = ctx;
    if (!keeper->gone)
        log_line(keeper->dom0->log,
                 "somebody removed %s: this service cannot be reached any more; end it with "
                 "SIGTERM",
                 keeper->dom0->rundir->dir);
    keeper->gone = true;
}

/* Makes the names again that are missing, each for itself; what fails is tried again later. */
static void restore_names(struct timer *timer, void *ctx)
{
    struct keeper *keeper = ctx;
    struct dom0 *d = keeper->dom0;
    if (d->stopping)
        return;
    int rc = keeper->caller->restore_lock != NULL
                 ? keeper->caller->restore_lock(keeper->caller->ctx)
                 : 0;
    if (rc == -ESTALE) {
        rundir_gone(keeper);
        return;
    }
    int socket_rc = control_listen_again(d->control);
    if (rc == 0)
        rc = socket_rc;
    socket_rc = store_socket_listen_again(d->store_socket);
    if (rc == 0)
        rc = socket_rc;
    if (rc == 0) {
        log_limited(d->log, &d->device_log_limit, "the names in %s are there again",
                    d->rundir->dir);
        return;
    }
    log_limited(d->log, &d->device_log_limit, "a name in %s cannot be made again: %s",
                d->rundir->dir, strerror(-rc));
    timer_set(timer, tdf_clock_now_ns(&d->worker.hold_clock) + NAMES_RETRY_NS);
}

/* Not at once: whoever removes all names and then the directory shall get done. */
static void name_lost(void *ctx, const char *name)
{
    struct keeper *keeper = ctx;
    struct dom0 *d = keeper->dom0;
    bool ours = name == NULL || strcmp(name, "dom0.sock") == 0 ||
                strcmp(name, "xenstore.sock") == 0 || strcmp(name, "lock") == 0;
    if (!ours || d->stopping || keeper->gone || keeper->timer.state != TIMER_STOPPED)
        return;
    log_limited(d->log, &d->device_log_limit, "somebody removed %s/%s", d->rundir->dir,
                name != NULL ? name : "names");
    timer_set(&keeper->timer, tdf_clock_now_ns(&d->worker.hold_clock) + NAMES_PAUSE_NS);
}

static int serve_and_keep_names(struct dom0 *d, const struct dom0_caller *caller,
                                const char **failed)
{
    static const struct rundir_watch_ops ops = {.lost = name_lost, .gone = rundir_gone};
    struct keeper keeper = {.dom0 = d, .caller = caller};
    struct rundir_watch *watch;
    timer_init(&keeper.timer, &d->worker.gate_time, restore_names, &keeper);
    int rc = rundir_watch_create(d->rundir->dir, d->worker.poller, &ops, &keeper, &watch);
    if (rc < 0)
        log_line(d->log, "a name that somebody removes from %s will not be noticed: %s",
                 d->rundir->dir, strerror(-rc));
    rc = serve(d, failed);
    timer_stop(&keeper.timer);
    rundir_watch_destroy(watch);
    return rc;
}

int dom0_run(const struct dom0_options *options, const struct rundir *rundir, struct log *log,
             const struct dom0_caller *caller, struct why *why)
{
    struct dom0 *d;
    int rc = dom0_setup(options, rundir, log, NULL, &d, why);
    if (rc < 0)
        return rc;
    caller->ready(caller->ctx);
    const char *failed;
    rc = serve_and_keep_names(d, caller, &failed);
    if (rc < 0)
        why_fail_errno(why, rc, "Dom0 cannot wait for events: %s", failed);
    if (vdisks_in_flight(&d->vdisks) > 0) {
        /* A disk that does not answer may still use our buffers: they must stay. The end of
         * the process takes everything. */
        log_line(log, "%u requests never came back from the disk", vdisks_in_flight(&d->vdisks));
        dom0_abandon(d);
        return rc;
    }
    dom0_teardown(d);
    return rc;
}
