/* SPDX-License-Identifier: MIT */
#include "service/dom0/dom0.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "ring/fault_guard.h"
#include "service/block/queue.h"
#include "service/dom0/dom0_private.h"
#include "service/dom0/dom0_setup.h"
#include "service/dom0/dom0_wakeups.h"

enum {
    ROUNDS_PER_TURN = 4,
    TURNS_PER_READING = 8, /* of the clock */
    STORE_BUDGET = 4,      /* store requests a round: the data path must not feel the store */
    DRAIN_PATIENCE_NS = 2000000000, /* for reads at the disk, when stopping */
};

static bool store_waits(const struct dom0 *d)
{
    return !list_is_empty(&d->store_pending) || store_socket_has_news(d->store_socket) ||
           !xs_server_idle(d->store);
}

static bool serve_store(struct dom0 *d)
{
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

static bool control_waits(const struct dom0 *d)
{
    return control_has_news(d->control);
}

static bool serve_control(struct dom0 *d)
{
    return control_run(d->control);
}

/* Does work beside the rings, for a bounded share of a turn and of the time. True: more waits, now.
 */
static bool run_gated(struct dom0 *d, struct gated_work *work, bool (*waits)(const struct dom0 *d),
                      bool (*serve)(struct dom0 *d), uint64_t now_ns)
{
    if (!waits(d))
        return false;
    if (work_gate_closed(&work->gate, now_ns)) {
        dom0_work_waits(d, work, now_ns);
        return false;
    }
    if (work_gate_rings_quiet(&work->gate, now_ns)) {
        bool more = serve(d);
        work_gate_worked(&work->gate, now_ns, 0);
        return more;
    }
    uint64_t before_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    bool more = serve(d);
    uint64_t work_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - before_ns;
    work_gate_worked(&work->gate, clock_monotonic_ns(), work_ns);
    return more;
}

static uint32_t run_rings(struct dom0 *d, uint64_t now_ns)
{
    uint32_t taken = pollables_turn(&d->pollables, now_ns);
    if (taken > 0) {
        d->requests += taken;
        work_gate_ring_busy(&d->store_work.gate, now_ns);
        work_gate_ring_busy(&d->control_work.gate, now_ns);
        d->last_request_ns = tdf_clock_now_ns(&d->clock);
    }
    return taken;
}

void dom0_sleep(struct dom0 *d)
{
    bool is_near;
    int rc = dom0_wakeups_arm(d, &is_near);
    d->slept = true; /* also if not: the next turn is to read the time */
    if (is_near)
        return; /* another turn, and another, until it is due */
    if (rc < 0 && !d->timer_failed) {
        d->timer_failed = true;
        log_line(d->log, "cannot set the timer: %s: time-outs will be late", strerror(-rc));
    }
    (void)poller_run(d->poller, true);
}

/*
 * The time is for time-outs and windows of many microseconds, and reading it costs as much as
 * looking at all rings: a few turns share a reading.
 */
static uint64_t turn_time(struct dom0 *d, bool something_happened)
{
    if (something_happened || ++d->turns_since_reading >= TURNS_PER_READING) {
        d->turns_since_reading = 0;
        d->now_ns = clock_monotonic_ns();
        dom0_reanchor_clocks(d, d->now_ns);
        const struct vdisk_stats *disk = &d->vdisk->stats;
        placement_review(&d->placement, d->now_ns, disk->hits + disk->misses,
                         device_stats(d->device)->reads);
    }
    return d->now_ns;
}

/*
 * What has happened outside (completions, doorbells, sockets), then the rings, then the disk. The
 * inner rounds look at the rings again without asking the kernel, so that a request that comes
 * while another is handled joins the same system call.
 */
bool dom0_turn(struct dom0 *d)
{
    uint32_t work = 1;
    bool slept = d->slept;
    int events = poller_run(d->poller, false);
    d->slept = false;
    uint64_t now_ns = turn_time(d, slept || events > 0);
    if (timers_next_deadline(&d->timers) <= now_ns)
        dom0_time_passed(d);
    control_accept_again(d->control); /* a descriptor may have become free */
    store_socket_accept_again(d->store_socket);
    if (d->nodes_left_count > 0)
        dom0_clear_away(d);
    for (uint32_t round = 0; work > 0 && round < ROUNDS_PER_TURN; round++) {
        work = run_rings(d, now_ns);
        work += device_dispatch(d->device, now_ns);
        work += run_gated(d, &d->store_work, store_waits, serve_store, now_ns);
        work += run_gated(d, &d->control_work, control_waits, serve_control, now_ns);
    }
    bool settled = work == 0 && pollables_settle(&d->pollables, now_ns);
    /* Asked after everything that touches the domains' memory. */
    if (!fault_guard_any() && !d->any_lost)
        return settled;
    dom0_end_faulted(d);
    return false;
}

static void loop(struct dom0 *d)
{
    while (!d->stopping) {
        if (dom0_turn(d) && !d->stopping) {
            dom0_sleep(d);
        }
    }
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
static void serve(struct dom0 *d)
{
    loop(d);
    log_line(d->log, "stopping: %s", d->stop_reason);
    control_quiesce(d->control);
    uint64_t deadline_ns = clock_monotonic_ns() + DRAIN_PATIENCE_NS;
    while (device_in_flight(d->device) > 0 && clock_monotonic_ns() < deadline_ns) {
        dom0_wake_at(d, deadline_ns);
        (void)poller_run(d->poller, true);
    }
    farewell(d);
}

int dom0_run(const struct dom0_options *options, const struct rundir *rundir, struct log *log,
             void (*ready)(void *ctx), void *ready_ctx, struct why *why)
{
    struct dom0 *d;
    int rc = dom0_setup(options, rundir, log, NULL, &d, why);
    if (rc < 0)
        return rc;
    ready(ready_ctx);
    serve(d);
    if (device_in_flight(d->device) > 0) {
        /* A disk that does not answer may still write into our buffers: they must stay. The end of
         * the process takes everything. */
        log_line(log, "%u reads never came back from the disk", device_in_flight(d->device));
        dom0_abandon(d);
        return 0;
    }
    dom0_teardown(d);
    return 0;
}
