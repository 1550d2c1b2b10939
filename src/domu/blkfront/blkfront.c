/* SPDX-License-Identifier: MIT */
/* blkfront: opening and closing a disk of a domain, its geometry, clock and statistics. */
#include "splitdom/blkfront.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "domu/blkfront/blkfront_private.h"
#include "domu/cancel_hold.h"
#include "domu/options.h"
#include "ring/barrier.h"

static int check_options(struct blkfront_options *options, char *why, size_t why_bytes)
{
    if (options->sectors_per_request == 0)
        options->sectors_per_request = BLKFRONT_SECTORS_DEFAULT;
    if (options->depth == 0)
        options->depth = blkfront_default_depth(options->sectors_per_request);
    if (options->queues == 0)
        options->queues = 1;
    if (options->vdev == 0)
        options->vdev = XENBUS_VBD_XVDA;
    if (options->depth > BLKFRONT_DEPTH_MAX) {
        snprintf(why, why_bytes, "a ring holds at most %d requests, %u were asked for",
                 BLKFRONT_DEPTH_MAX, options->depth);
        return -EINVAL;
    }
    if (options->queues > BLKFRONT_QUEUES_MAX) {
        snprintf(why, why_bytes, "a disk has at most %d queues, %u were asked for",
                 BLKFRONT_QUEUES_MAX, options->queues);
        return -EINVAL;
    }
    if (options->sectors_per_request > BLKFRONT_SECTORS_PER_REQUEST_MAX) {
        snprintf(why, why_bytes, "a request has at most %d sectors, %u were asked for",
                 BLKFRONT_SECTORS_PER_REQUEST_MAX, options->sectors_per_request);
        return -EINVAL;
    }
    return 0;
}

/* What the options of the first release had. */
static const size_t options_size_first =
    offsetof(struct blkfront_options, tdf_den) + sizeof(uint64_t);

static int copy_options(const struct blkfront_options *given, struct blkfront_options *out,
                        char *why, size_t why_bytes)
{
    const struct options_shape shape = {"struct blkfront_options", options_size_first,
                                        sizeof(*out)};
    int rc = options_copy(out, given, &shape, why, why_bytes);
    if (rc < 0)
        return rc;
    out->size = sizeof(*out);
    return check_options(out, why, why_bytes);
}

/* The smallest ring that holds depth requests. */
static uint32_t order_for(uint32_t depth)
{
    uint32_t order = 0;
    while (blkif_ring_entries(order) < depth)
        order++;
    return order;
}

uint32_t blkfront_pages(const struct blkfront_options *options)
{
    struct blkfront_options checked;
    struct blkfront_error unwanted;
    if (copy_options(options, &checked, unwanted.text, sizeof(unwanted.text)) < 0)
        return 0;
    uint32_t order = order_for(checked.depth);
    uint32_t nr_claims = checked.no_shared_cache ? 0 : 1;
    uint32_t each = (1u << order) + blkfront_entries(&checked, blkif_ring_entries(order)) *
                                        blkfront_pages_per_entry(checked.sectors_per_request);
    return checked.queues * each + nr_claims;
}

static struct blkfront *create(struct blkfront **out, struct blkfront_error *why)
{
    struct blkfront *bf = calloc(1, sizeof(*bf));
    *out = NULL;
    snprintf(why->text, sizeof(why->text), "%s", bf != NULL ? "" : "out of memory");
    if (bf == NULL)
        return NULL;
    pthread_mutex_init(&bf->lock, NULL);
    bf->geometry_fd = -1;
    blkfront_queues_init(bf);
    return bf;
}

/* Hands out a handle that is open, or closes it. Returns rc. */
static int conclude(struct blkfront *bf, int rc, struct blkfront **out)
{
    if (rc < 0)
        blkfront_close(bf);
    else
        *out = bf;
    return rc;
}

static int start(struct blkfront *bf, char *why, size_t why_bytes)
{
    bf->page_order = order_for(bf->options.depth);
    bf->pages_per_entry = blkfront_pages_per_entry(bf->options.sectors_per_request);
    return blkfront_link_start(bf, why, why_bytes);
}

static int open_in(struct blkfront *bf, struct domu *domu, const struct blkfront_options *given,
                   char *why, size_t why_bytes)
{
    const struct blkfront_options *options = &bf->options;
    int rc = copy_options(given, &bf->options, why, why_bytes);
    if (rc < 0)
        return rc;
    if (options->rundir != NULL || options->name != NULL || options->reconnect ||
        options->tdf_num != 0 || options->tdf_den != 0 || options->domain_name != NULL ||
        options->weight != 0) {
        snprintf(why, why_bytes,
                 "service, clock, reconnect, domain_name and weight are the domain's: they are "
                 "options of domu_open");
        return -EINVAL;
    }
    bf->domu = domu;
    return start(bf, why, why_bytes);
}

static int connect_alone(struct blkfront *bf, const struct blkfront_options *given, char *why,
                         size_t why_bytes)
{
    const struct blkfront_options *options = &bf->options;
    struct domu_error error;
    int rc = copy_options(given, &bf->options, why, why_bytes);
    if (rc < 0)
        return rc;
    const struct domu_options domain = {.size = sizeof(domain),
                                        .rundir = options->rundir,
                                        .name = options->name,
                                        .pages = blkfront_pages(options),
                                        .reconnect = options->reconnect,
                                        .tdf_num = options->tdf_num,
                                        .tdf_den = options->tdf_den,
                                        .domain_name = options->domain_name,
                                        .weight = options->weight};
    rc = domu_open(&domain, &bf->domu, &error);
    if (rc < 0) {
        snprintf(why, why_bytes, "%s", error.text);
        return rc;
    }
    bf->owns_domu = true;
    return start(bf, why, why_bytes);
}

int blkfront_open(struct domu *domu, const struct blkfront_options *options, struct blkfront **out,
                  struct blkfront_error *why)
{
    CANCEL_HOLD();
    struct blkfront_error unwanted;
    if (why == NULL)
        why = &unwanted;
    struct blkfront *bf = create(out, why);
    if (bf == NULL)
        return -ENOMEM;
    return conclude(bf, open_in(bf, domu, options, why->text, sizeof(why->text)), out);
}

int blkfront_connect(const struct blkfront_options *options, struct blkfront **out,
                     struct blkfront_error *why)
{
    CANCEL_HOLD();
    struct blkfront_error unwanted;
    if (why == NULL)
        why = &unwanted;
    struct blkfront *bf = create(out, why);
    if (bf == NULL)
        return -ENOMEM;
    return conclude(bf, connect_alone(bf, options, why->text, sizeof(why->text)), out);
}

void blkfront_close(struct blkfront *bf)
{
    CANCEL_HOLD();
    if (bf == NULL)
        return;
    blkfront_fd_stop(bf);
    blkfront_view_free(bf);
    blkfront_link_stop(bf);
    blkfront_queues_fini(bf);
    hit_queue_fini(&bf->hits);
    if (bf->geometry_fd >= 0)
        close(bf->geometry_fd);
    pthread_mutex_destroy(&bf->lock);
    free(bf);
}

int blkfront_geometry(struct blkfront *bf, struct blkfront_geometry *out)
{
    CANCEL_HOLD();
    eventfd_t unused;
    pthread_mutex_lock(&bf->lock);
    if (bf->geometry_fd >= 0)
        (void)eventfd_read(bf->geometry_fd, &unused);
    *out = (struct blkfront_geometry){
        .first_sector = 0,
        .last_sector = bf->sectors - 1,
        .sector_size = bf->sector_size,
        .physical_sector_size = bf->physical_sector_size,
        .read_only = (bf->features & BLKFRONT_CAN_WRITE) == 0,
        .flush = (bf->features & BLKFRONT_CAN_FLUSH) != 0,
        .discard = (bf->features & BLKFRONT_CAN_DISCARD) != 0,
        .discard_granularity = bf->discard_granularity,
        .discard_alignment = bf->discard_alignment,
        .sectors_per_request = bf->request_sectors,
    };
    int rc = bf->failed;
    pthread_mutex_unlock(&bf->lock);
    return rc;
}

int blkfront_geometry_fd(struct blkfront *bf)
{
    pthread_mutex_lock(&bf->lock);
    if (bf->geometry_fd < 0)
        bf->geometry_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = bf->geometry_fd < 0 ? -errno : bf->geometry_fd;
    pthread_mutex_unlock(&bf->lock);
    return rc;
}

uint32_t blkfront_version(void)
{
    return SPLITDOM_VERSION_NUMBER;
}

uint64_t blkfront_now_ns(struct blkfront *bf)
{
    uint64_t now_ns;
    (void)domain_clock_read_ns(bf->clock, &now_ns); /* an error says why it stands still */
    return now_ns;
}

int blkfront_clock_ns(struct blkfront *bf, uint64_t *now_ns)
{
    return domain_clock_read_ns(bf->clock, now_ns);
}

uint64_t blkfront_begin_ns(struct blkfront *bf)
{
    return domain_clock_begin_ns(bf->clock);
}

uint32_t blkfront_queues(struct blkfront *bf)
{
    return bf->nr_queues;
}

/* What is counted in each queue. */
static void add_stats(struct blkfront_stats *sum, struct blkfront_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    const struct blkfront_stats *stats = &queue->stats;
    sum->requests += stats->requests;
    sum->responses += stats->responses;
    sum->errors += stats->errors;
    sum->kicks += stats->kicks;
    sum->upcalls += stats->upcalls;
    sum->spins_won += stats->spins_won;
    sum->spins_lost += stats->spins_lost;
    pthread_mutex_unlock(&queue->lock);
}

void blkfront_stats(struct blkfront *bf, struct blkfront_stats *out)
{
    struct blkfront_queue *first = &bf->queue[0];
    pthread_mutex_lock(&first->lock);
    *out = first->stats;
    if (first->linking) { /* the segment is being replaced */
        out->dom0_cpu = HINTS_CPU_NONE;
        out->busy_domains = 0;
    } else {
        out->dom0_cpu = load_relaxed_u32(&bf->hints->dom0_cpu);
        out->busy_domains = load_relaxed_u32(&bf->hints->busy_domains);
    }
    pthread_mutex_unlock(&first->lock);
    for (uint32_t i = 1; i < bf->nr_queues; i++)
        add_stats(out, &bf->queue[i]);
}

const char *blkfront_failure(struct blkfront *bf)
{
    pthread_mutex_lock(&bf->lock);
    bool failed = bf->failed != 0;
    pthread_mutex_unlock(&bf->lock);
    return failed ? bf->failure : ""; /* written once, under the lock that told us */
}
