/* SPDX-License-Identifier: MIT */
#include "client/workload.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "client/worker.h"

enum { VERIFY_RUN_SECTORS = 64 };

enum gate {
    GATE_CLOSED,
    GATE_OPEN,
    GATE_ABORTED,
};

struct workload {
    struct worker_shared shared;
    struct worker *workers;
    pthread_t *threads;
    uint32_t thread_count;
    uint64_t duration_ns;
    int done_fd;
    pthread_mutex_t lock; /* guards gate, running_count, ended_ns */
    pthread_cond_t gate_moved;
    enum gate gate;
    uint32_t running_count;
    uint64_t started_ns, ended_ns; /* CLOCK_MONOTONIC */
};

struct thread_start {
    struct workload *workload;
    struct worker *worker;
};

static uint64_t domain_now_ns(void *clock)
{
    return blkfront_now_ns(clock);
}

uint64_t workload_share(uint64_t request_count, uint32_t thread_count, uint32_t index)
{
    return request_count / thread_count + (index < request_count % thread_count ? 1 : 0);
}

static enum gate wait_gate(struct workload *workload)
{
    enum gate gate;

    pthread_mutex_lock(&workload->lock);
    while (workload->gate == GATE_CLOSED)
        pthread_cond_wait(&workload->gate_moved, &workload->lock);
    gate = workload->gate;
    pthread_mutex_unlock(&workload->lock);
    return gate;
}

static void set_deadline(struct workload *workload)
{
    uint64_t now_ns = domain_now_ns(workload->shared.bf);
    uint64_t *deadline_ns = &workload->shared.deadline_ns;

    if (workload->duration_ns == 0 ||
        __builtin_add_overflow(now_ns, workload->duration_ns, deadline_ns))
        *deadline_ns = UINT64_MAX;
}

static void move_gate(struct workload *workload, enum gate gate)
{
    pthread_mutex_lock(&workload->lock);
    workload->gate = gate;
    workload->started_ns = clock_monotonic_ns();
    set_deadline(workload);
    workload->shared.pace.start_ns = domain_now_ns(workload->shared.bf);
    stopwatch_start(&workload->shared.watch, workload->thread_count);
    pthread_cond_broadcast(&workload->gate_moved);
    pthread_mutex_unlock(&workload->lock);
}

static void *thread_main(void *argument)
{
    struct thread_start start = *(struct thread_start *)argument;
    struct workload *workload = start.workload;
    bool last;

    free(argument);
    if (wait_gate(workload) == GATE_ABORTED)
        return NULL;
    worker_run(start.worker);
    pthread_mutex_lock(&workload->lock);
    last = --workload->running_count == 0;
    if (last)
        workload->ended_ns = clock_monotonic_ns();
    pthread_mutex_unlock(&workload->lock);
    if (last)
        eventfd_write(workload->done_fd, 1);
    return NULL;
}

static int start_thread(struct workload *workload, uint32_t index)
{
    struct thread_start *start = malloc(sizeof(*start));

    if (start == NULL)
        return -ENOMEM;
    *start = (struct thread_start){workload, &workload->workers[index]};
    int rc = thread_start(&workload->threads[index], thread_main, start);
    if (rc < 0)
        free(start);
    return rc;
}

/* All threads, or none. */
static int start_threads(struct workload *workload)
{
    uint32_t started = 0;
    int rc = 0;

    while (rc == 0 && started < workload->thread_count) {
        rc = start_thread(workload, started);
        started += rc == 0;
    }
    workload->running_count = workload->thread_count;
    move_gate(workload, rc == 0 ? GATE_OPEN : GATE_ABORTED);
    for (uint32_t i = 0; rc < 0 && i < started; i++)
        pthread_join(workload->threads[i], NULL);
    return rc;
}

static int init_worker(struct workload *workload, uint32_t index, const struct workload_plan *plan)
{
    struct worker *worker = &workload->workers[index];
    int rc;

    worker->shared = &workload->shared;
    worker->index = index;
    prng_init(&worker->choice, ~plan->seed, index); /* of its own: the sectors stay the same */
    worker->request_quota = workload_share(plan->request_count, plan->thread_count, index);
    rc = pattern_init(&worker->pattern, plan->pattern, plan->first_sector, plan->last_sector,
                      plan->sectors_per_request, plan->seed, index, plan->thread_count);
    return rc < 0 ? rc : worker_init(worker);
}

int workload_start(const struct workload_plan *plan, struct workload **out)
{
    struct workload *workload = calloc(1, sizeof(*workload));
    int rc = 0;

    *out = NULL;
    if (workload == NULL)
        return -ENOMEM;
    workload->shared.bf = plan->bf;
    workload->shared.recorder = plan->recorder;
    workload->shared.dump = plan->dump;
    workload->shared.sectors_per_request = plan->sectors_per_request;
    workload->shared.depth = plan->depth;
    workload->shared.thread_count = plan->thread_count;
    workload->shared.write_percent = plan->write_percent;
    workload->shared.flush_every = plan->flush_every;
    workload->shared.pace =
        (struct pace){.rate = plan->rate, .real_num = plan->tdf_num, .real_den = plan->tdf_den};
    workload->thread_count = plan->thread_count;
    workload->duration_ns = plan->duration_ns;
    stopwatch_init(&workload->shared.watch, domain_now_ns, plan->bf);
    read_failures_init(&workload->shared.failures);
    thread_place_init(&workload->shared.place, plan->thread_count, plan->any_cpu);
    atomic_init(&workload->shared.stop, false);
    pthread_mutex_init(&workload->lock, NULL);
    pthread_cond_init(&workload->gate_moved, NULL);
    workload->done_fd = eventfd(0, EFD_CLOEXEC);
    workload->workers = calloc(plan->thread_count, sizeof(*workload->workers));
    workload->threads = calloc(plan->thread_count, sizeof(*workload->threads));
    if (workload->done_fd < 0)
        rc = -errno;
    else if (workload->workers == NULL || workload->threads == NULL)
        rc = -ENOMEM;
    if (rc == 0 && plan->verify)
        rc = verifier_create(plan->last_sector, plan->seed, &workload->shared.verifier);
    for (uint32_t i = 0; rc == 0 && i < plan->thread_count; i++)
        rc = init_worker(workload, i, plan);
    if (rc == 0)
        rc = start_threads(workload);
    if (rc < 0) {
        workload_free(workload);
        return rc;
    }
    *out = workload;
    return 0;
}

int workload_done_fd(const struct workload *workload)
{
    return workload->done_fd;
}

uint64_t workload_place_due_ns(const struct workload *workload)
{
    return thread_place_due_ns(&workload->shared.place);
}

void workload_place(struct workload *workload)
{
    struct blkfront_stats stats;

    blkfront_stats(workload->shared.bf, &stats);
    thread_place_step(&workload->shared.place, stats.responses, stats.dom0_cpu,
                      stats.busy_domains <= 1);
}

void workload_stop(struct workload *workload)
{
    atomic_store(&workload->shared.stop, true);
}

static void merge_worker(struct workload_result *result, const struct worker *worker)
{
    lat_stats_merge(&result->latency, &worker->latency);
    if (worker->counts != NULL) {
        lat_stats_merge(&result->counts.read, &worker->counts->read);
        lat_stats_merge(&result->counts.write, &worker->counts->write);
        lat_stats_merge(&result->counts.flush, &worker->counts->flush);
    }
    result->answered_count += worker->answered_count;
    if (result->device_error == 0)
        result->device_error = worker->device_error;
    if (result->record_error == 0)
        result->record_error = worker->record_error;
    if (result->verify_error == 0 && worker->verify_error != 0) {
        result->verify_error = worker->verify_error;
        result->mismatch = worker->mismatch;
    }
}

/* Reads once more what was written, and judges it. */
static int verify_run(struct workload *workload, uint64_t sector, uint32_t count,
                      struct workload_result *result)
{
    struct verifier_before before[VERIFY_RUN_SECTORS];
    unsigned char data[VERIFY_RUN_SECTORS * RECORDER_SECTOR_BYTES];
    struct verifier *verifier = workload->shared.verifier;

    verifier_begin_read(verifier, sector, count, before);
    int rc = blkfront_read(workload->shared.bf, sector, count, data);
    return rc < 0 ? rc
                  : verifier_end_read(verifier, sector, count, before, data, &result->mismatch);
}

static void verify_all(struct workload *workload, struct workload_result *result)
{
    uint64_t sector = 0, first;
    uint32_t count;

    while ((count = verifier_written(workload->shared.verifier, sector, VERIFY_RUN_SECTORS,
                                     &first)) > 0) {
        int rc = verify_run(workload, first, count, result);
        if (rc == -EILSEQ)
            result->verify_error = rc;
        else if (rc < 0)
            result->device_error = rc;
        if (rc < 0)
            return;
        result->verified_count += count;
        sector = first + count;
    }
}

void workload_join(struct workload *workload, struct workload_result *result)
{
    *result = (struct workload_result){.answered_count = 0};
    lat_stats_init(&result->latency);
    lat_stats_init(&result->counts.read);
    lat_stats_init(&result->counts.write);
    lat_stats_init(&result->counts.flush);
    for (uint32_t i = 0; i < workload->thread_count; i++) {
        pthread_join(workload->threads[i], NULL);
        merge_worker(result, &workload->workers[i]);
    }
    result->place = workload->shared.place.trial.place;
    result->failed_count = workload->shared.failures.count;
    result->running_ns = stopwatch_running_ns(&workload->shared.watch);
    result->standstill_ns = stopwatch_standstill_ns(&workload->shared.watch);
    result->real_ns = workload->ended_ns - workload->started_ns;
    if (workload->shared.verifier != NULL && result->verify_error == 0 &&
        result->device_error == 0 && result->record_error == 0)
        verify_all(workload, result);
}

void workload_free(struct workload *workload)
{
    if (workload == NULL)
        return;
    for (uint32_t i = 0; workload->workers != NULL && i < workload->thread_count; i++)
        worker_release(&workload->workers[i]);
    free(workload->workers);
    free(workload->threads);
    verifier_free(workload->shared.verifier);
    if (workload->done_fd >= 0)
        close(workload->done_fd);
    pthread_cond_destroy(&workload->gate_moved);
    pthread_mutex_destroy(&workload->lock);
    thread_place_fini(&workload->shared.place);
    read_failures_destroy(&workload->shared.failures);
    stopwatch_destroy(&workload->shared.watch);
    free(workload);
}
