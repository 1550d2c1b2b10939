/* SPDX-License-Identifier: MIT */
#include "service/loop/worker.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "splitdom/hints.h"

enum {
    ROUNDS_PER_TURN = 4,
    TURNS_PER_READING = 8, /* of the clock */
    HOLD_LEAD_NS = 50000,  /* a host mostly wakes a sleeper this late: watched for that long */
};

#define TIMER "the timer of its loop" /* for people */

static void on_timer(void *ctx, uint32_t revents)
{
    struct worker *w = ctx;
    uint64_t expirations;
    if ((revents & POLLER_BROKEN) != 0)
        (void)poller_fail(w->poller, -EIO, TIMER);
    /* What is due runs with the turn. */
    (void)!read(w->timer_fd, &expirations, sizeof(expirations));
}

static int start_clocks(struct worker *w, const struct worker_config *config)
{
    const struct tdf real = {1, 1};
    int rc = tdf_clock_init(&w->clock, config->time_source, NULL, 0, config->tdf);
    if (rc == 0)
        rc = tdf_clock_init(&w->hold_clock, config->time_source, NULL, 0, real);
    if (rc < 0)
        return rc;
    timers_init(&w->timers);
    timers_add_clock(&w->timers, &w->own_time, &w->clock);
    timers_add_clock(&w->timers, &w->hold_time, &w->hold_clock);
    timer_clock_set_lead(&w->hold_time, HOLD_LEAD_NS);
    timers_add_clock(&w->timers, &w->gate_time, &w->hold_clock);
    w->last_request_ns = tdf_clock_now_ns(&w->clock);
    w->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (w->timer_fd < 0)
        return -errno;
    return poller_add(w->poller, w->timer_fd, POLLIN, on_timer, w, &w->timer_watch);
}

int worker_init(struct worker *w, const struct worker_config *config)
{
    /* The first turn is to read the time. */
    *w = (struct worker){.timer_fd = -1, .ops = config->ops, .ctx = config->ctx, .slept = true};
    w->pollables = (struct pollables){.cpu = HINTS_CPU_NONE, .no_spin = config->no_spin};
    int rc = poller_create(config->poller, &w->poller);
    if (rc == 0)
        rc = start_clocks(w, config);
    if (rc < 0)
        worker_fini(w);
    return rc;
}

void worker_fini(struct worker *w)
{
    if (w->poller == NULL)
        return;
    assert(w->pollables.active_count == 0);
    poller_remove(w->poller, w->timer_watch);
    if (w->timer_fd >= 0)
        close(w->timer_fd);
    poller_destroy(w->poller);
    *w = (struct worker){.timer_fd = -1};
}

/* Nothing to do but to wake up: the turn looks at the gate. */
static void on_gate_opens(struct timer *timer, void *opaque)
{
    (void)timer;
    (void)opaque;
}

void worker_add_work(struct worker *w, struct gated_work *work, uint32_t share)
{
    work->gate.share = share;
    timer_init(&work->opens, &w->gate_time, on_gate_opens, w);
    list_push_back(&w->gated, &work->link);
}

static struct gated_work *first_work(const struct worker *w)
{
    return container_or_null(list_first(&w->gated), struct gated_work, link);
}

static struct gated_work *work_after(const struct worker *w, const struct gated_work *work)
{
    return container_or_null(list_next(&w->gated, &work->link), struct gated_work, link);
}

/* There is work that must wait for its gate to open: a sleeping poller will run by then. */
static void wait_for_gate(struct worker *w, struct gated_work *work, uint64_t now_ns)
{
    if (work->opens.state != TIMER_STOPPED)
        return;
    uint64_t rest_ns = work->gate.closed_until_ns - now_ns;
    timer_set(&work->opens, tdf_clock_now_ns(&w->hold_clock) + rest_ns);
}

/* Does work for a bounded share of a turn and of the time. True: more waits, now. */
static bool run_gated(struct worker *w, struct gated_work *work, uint64_t now_ns)
{
    if (!work->ops->waits(work))
        return false;
    if (work_gate_closed(&work->gate, now_ns)) {
        wait_for_gate(w, work, now_ns);
        return false;
    }
    if (work_gate_rings_quiet(&work->gate, now_ns)) {
        bool more = work->ops->serve(work);
        work_gate_worked(&work->gate, now_ns, 0);
        return more;
    }
    uint64_t before_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    bool more = work->ops->serve(work);
    uint64_t work_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - before_ns;
    work_gate_worked(&work->gate, clock_monotonic_ns(), work_ns);
    return more;
}

static uint32_t run_pollables(struct worker *w, uint64_t now_ns)
{
    uint32_t taken = pollables_turn(&w->pollables, now_ns);
    if (taken > 0) {
        rate_meter_note(&w->rate, now_ns, w->requests);
        w->requests += taken;
        for (struct gated_work *work = first_work(w); work != NULL; work = work_after(w, work))
            work_gate_ring_busy(&work->gate, now_ns);
        w->last_request_ns = tdf_clock_now_ns(&w->clock);
    }
    return taken;
}

/* What came when work had had its turn, e.g. from other work: no event will tell of it. */
static bool gated_work_waits(struct worker *w, uint64_t now_ns)
{
    bool any = false;
    for (struct gated_work *work = first_work(w); work != NULL; work = work_after(w, work)) {
        if (!work->ops->waits(work))
            continue;
        if (work_gate_closed(&work->gate, now_ns))
            wait_for_gate(w, work, now_ns);
        else
            any = true;
    }
    return any;
}

/* Returns how much work there was. */
static uint32_t run_round(struct worker *w, uint64_t now_ns)
{
    uint32_t work_done = run_pollables(w, now_ns);
    work_done += w->ops->dispatch(w->ctx, now_ns);
    for (struct gated_work *work = first_work(w); work != NULL; work = work_after(w, work))
        work_done += run_gated(w, work, now_ns);
    return work_done;
}

static void reanchor_clocks(struct worker *w)
{
    if (w->now_ns - w->reanchored_ns < TDF_REANCHOR_NS)
        return;
    w->reanchored_ns = w->now_ns;
    tdf_clock_reanchor(&w->clock);
    tdf_clock_reanchor(&w->hold_clock);
    w->ops->reanchor(w->ctx);
}

/*
 * The time is for time-outs and windows of many microseconds, and reading it costs as much as
 * looking at all rings: a few turns share a reading.
 */
static uint64_t turn_time(struct worker *w, bool something_happened)
{
    if (something_happened || ++w->turns_since_reading >= TURNS_PER_READING) {
        w->turns_since_reading = 0;
        w->now_ns = clock_monotonic_ns();
        reanchor_clocks(w);
        w->ops->time_read(w->ctx, w->now_ns);
    }
    return w->now_ns;
}

void worker_hurry(struct worker *w)
{
    w->hurries = true;
}

void worker_time_passed(struct worker *w)
{
    (void)timers_run(&w->timers);
}

/*
 * What has happened outside (completions, doorbells, sockets), then the rings, then the disk. The
 * inner rounds look at the rings again without asking the kernel, so that a request that comes
 * while another is handled joins the same system call.
 */
int worker_turn(struct worker *w)
{
    bool slept = w->slept;
    int events = poller_run(w->poller, false);
    if (events < 0)
        return events;
    w->slept = false;
    uint64_t now_ns = turn_time(w, slept || events > 0);
    if (timers_next_deadline(&w->timers) <= now_ns)
        worker_time_passed(w);
    w->ops->begin_turn(w->ctx);
    uint32_t work = 1;
    w->hurries = false;
    for (uint32_t round = 0; work > 0 && round < ROUNDS_PER_TURN && !w->hurries; round++)
        work = run_round(w, now_ns);
    bool settled = work == 0 && pollables_settle(&w->pollables, now_ns);
    bool over = !w->ops->end_turn(w->ctx) && settled;
    return over && !gated_work_waits(w, now_ns) ? 1 : 0;
}

int worker_sleep(struct worker *w)
{
    w->slept = true; /* also if not: the next turn is to read the time */
    if (timers_near(&w->timers))
        return 0; /* another turn, and another, until it is due */
    int rc = timers_arm(&w->timers, w->timer_fd);
    if (rc < 0)
        return poller_fail(w->poller, rc, TIMER);
    rc = poller_run(w->poller, true);
    return rc < 0 ? rc : 0;
}

int worker_wait(struct worker *w, uint64_t deadline_ns)
{
    struct itimerspec when = {.it_value = clock_timespec(deadline_ns)};
    w->slept = true;
    if (timerfd_settime(w->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
        return poller_fail(w->poller, -errno, TIMER);
    w->timers.armed_ns = deadline_ns; /* the next sleep sets the timer anew */
    int rc = poller_run(w->poller, true);
    return rc < 0 ? rc : 0;
}

struct worker_stats worker_stats(const struct worker *w)
{
    return (struct worker_stats){.turns = w->pollables.turns,
                                 .arms = w->pollables.arms,
                                 .requests = w->requests,
                                 .rate_now =
                                     rate_meter_read(&w->rate, clock_monotonic_ns(), w->requests)};
}
