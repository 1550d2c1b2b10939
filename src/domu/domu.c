/* SPDX-License-Identifier: MIT */
/* domu: opening and closing a domain, and its list of devices. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "domu/cancel_hold.h"
#include "domu/domu_private.h"
#include "domu/options.h"
#include "ring/barrier.h"
#include "ring/evtchn.h"
#include "splitdom/control.h"

_Static_assert(DOMU_WEIGHT_MAX == (int)CONTROL_WEIGHT_MAX, "Dom0 takes what the options may be");

static int take_options(struct domu *domu, const struct domu_options *options, char *why,
                        size_t why_bytes)
{
    const struct options_shape shape = {
        "struct domu_options", offsetof(struct domu_options, events), sizeof(domu->options)};
    int rc = options_copy(&domu->options, options, &shape, why, why_bytes);
    if (rc < 0)
        return rc;
    uint64_t num = domu->options.tdf_num, den = domu->options.tdf_den;
    if (domu->options.pages == 0)
        domu->options.pages = DOMU_PAGES_DEFAULT;
    if (domu->options.pages > SEGMENT_PAGES_MAX) {
        snprintf(why, why_bytes, "a domain has at most %d pages, %u were asked for",
                 SEGMENT_PAGES_MAX, domu->options.pages);
        return -EINVAL;
    }
    if ((num == 0) != (den == 0) || num > TDF_TERM_MAX || den > TDF_TERM_MAX) {
        snprintf(why, why_bytes, "a time dilation factor is 1/%d to %d", TDF_LIMIT, TDF_LIMIT);
        return -EINVAL;
    }
    uint64_t share_num = domu->options.cpu_share_num, share_den = domu->options.cpu_share_den;
    if ((share_num == 0) != (share_den == 0) || share_num > share_den || share_den > TDF_TERM_MAX ||
        share_num * TDF_LIMIT < share_den || (share_num != 0 && !domu->options.events)) {
        snprintf(why, why_bytes, "a share of the CPU is 1/%d to 1, and comes with events",
                 TDF_LIMIT);
        return -EINVAL;
    }
    if (domu->options.domain_name != NULL &&
        strlen(domu->options.domain_name) >= CONTROL_NAME_SIZE) {
        snprintf(why, why_bytes, "a domain's name has at most %d bytes", CONTROL_NAME_SIZE - 1);
        return -EINVAL;
    }
    if (domu->options.weight > DOMU_WEIGHT_MAX) {
        snprintf(why, why_bytes, "a weight is 1..%d", DOMU_WEIGHT_MAX);
        return -EINVAL;
    }
    domu->tdf = (struct tdf){.num = (uint32_t)num, .den = (uint32_t)den};
    return rundir_resolve(domu->options.rundir, domu->options.name, false, &domu->rundir, why,
                          why_bytes);
}

static int start(struct domu *domu, char *why, size_t why_bytes)
{
    int rc = domu_link_first(domu, why, why_bytes);
    if (rc < 0)
        return rc;
    rc = pages_init(&domu->pages, &domu->life.segment);
    if (rc == 0)
        rc = grants_init(&domu->grants, &domu->life.segment);
    if (rc == 0)
        rc = extents_init(&domu->sleepers, 0, SLEEPERS_MAX);
    if (rc == 0)
        rc = domu_link_start(domu);
    if (rc < 0)
        snprintf(why, why_bytes, "cannot start as a domain: %s", strerror(-rc));
    return rc;
}

int domu_open(const struct domu_options *options, struct domu **out, struct domu_error *why)
{
    CANCEL_HOLD();
    struct domu_error unwanted;
    if (why == NULL)
        why = &unwanted;
    why->text[0] = '\0';
    *out = NULL;
    struct domu *domu = calloc(1, sizeof(*domu));
    if (domu == NULL) {
        snprintf(why->text, sizeof(why->text), "out of memory");
        return -ENOMEM;
    }
    pthread_mutex_init(&domu->lock, NULL);
    pthread_cond_init(&domu->life_changed, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&domu->claim_ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    domu->failure_fd = -1;
    patience_init(&domu->patience);
    life_init(&domu->life);
    domu->events.fd = -1;
    int rc = take_options(domu, options, why->text, sizeof(why->text));
    if (rc == 0)
        rc = domu_events_init(&domu->events, &domu->options);
    if (rc == 0)
        rc = start(domu, why->text, sizeof(why->text));
    if (rc < 0)
        domu_close(domu);
    else
        *out = domu;
    return rc;
}

void domu_close(struct domu *domu)
{
    CANCEL_HOLD();
    if (domu == NULL)
        return;
    assert(list_is_empty(&domu->fronts.list));
    domu_link_stop(domu, 0);
    life_destroy(&domu->life);
    grants_fini(&domu->grants);
    pages_fini(&domu->pages);
    extents_fini(&domu->sleepers);
    domu_trace_fini(&domu->trace);
    if (domu->failure_fd >= 0)
        close(domu->failure_fd);
    domu_events_fini(&domu->events);
    pthread_cond_destroy(&domu->claim_ended);
    pthread_cond_destroy(&domu->life_changed);
    pthread_mutex_destroy(&domu->lock);
    free(domu);
}

void domu_hurry(struct domu *domu, uint32_t ms)
{
    patience_cut(&domu->patience, ms);
}

void domu_claim(struct domu *domu)
{
    life_interrupt(&domu->life);
    pthread_mutex_lock(&domu->lock);
}

void domu_release(struct domu *domu)
{
    life_resume(&domu->life);
    pthread_cond_signal(&domu->claim_ended);
    pthread_mutex_unlock(&domu->lock);
}

int domu_await_life(struct domu *domu)
{
    while (load_acquire_u32(&domu->failed) == 0 && life_is_dead(&domu->life)) {
        pthread_cond_signal(&domu->claim_ended);
        pthread_cond_wait(&domu->life_changed, &domu->lock);
    }
    return (int)load_acquire_u32(&domu->failed);
}

uint16_t domu_domid(struct domu *domu)
{
    return (uint16_t)load_relaxed_u32(&domu->domid);
}

uint64_t domu_now_ns(struct domu *domu)
{
    uint64_t now_ns;
    (void)domain_clock_read_ns(&domu->clock, &now_ns); /* an error says why it stands still */
    return now_ns;
}

int domu_clock_ns(struct domu *domu, uint64_t *now_ns)
{
    return domain_clock_read_ns(&domu->clock, now_ns);
}

int domu_event_fd(struct domu *domu)
{
    return domu_events_wanted(&domu->events) ? domu->events.fd : -EINVAL;
}

int domu_take_events(struct domu *domu, struct domu_events *out)
{
    CANCEL_HOLD();
    return domu_events_take(&domu->events, out);
}

/* Opened anew, each time: whoever gets it has an offset of his own. */
int domu_clock_memory(struct domu *domu, int *fd, uint64_t *offset_bytes)
{
    CANCEL_HOLD();
    char path[32];
    domu_claim(domu);
    const struct segment *segment = &domu->life.segment;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", domu->life.memory_fd);
    *offset_bytes = (uint64_t)((const uint8_t *)segment->shared_info - segment->base);
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = *fd < 0 ? -errno : 0;
    domu_release(domu);
    return rc;
}

/* The segment and the doorbell of the next life have the places of this one's (life_move). */
void domu_clock_ready(struct domu *domu, uint32_t version)
{
    CANCEL_HOLD();
    const struct life *life = &domu->life;
    store_full_u64(&life->segment.shared_info->arch[SHARED_INFO_CLOCK_READY],
                   (uint64_t)version | 1);
    if (version != 0)
        (void)evtchn_kick(life->doorbell_fd);
}

const char *domu_failure(struct domu *domu)
{
    return load_acquire_u32(&domu->failed) != 0 ? domu->failure : "";
}

void domu_show_failure(struct domu *domu)
{
    if (domu->failure_fd >= 0 && load_acquire_u32(&domu->failed) != 0)
        (void)eventfd_write(domu->failure_fd, 1);
}

int domu_fd(struct domu *domu)
{
    CANCEL_HOLD();
    domu_claim(domu);
    if (domu->failure_fd < 0) {
        domu->failure_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        domu->failure_fd = domu->failure_fd < 0 ? -errno : domu->failure_fd;
        domu_show_failure(domu);
    }
    int fd = domu->failure_fd;
    domu_release(domu);
    return fd;
}
