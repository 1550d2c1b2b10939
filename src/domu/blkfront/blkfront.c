/* SPDX-License-Identifier: MIT */
#include "splitdom/blkfront.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domu/blkfront/blkfront_private.h"
#include "ring/barrier.h"

enum {
    OPTIONS_SIZE_FIRST =
        offsetof(struct blkfront_options, tdf_den) + sizeof(uint64_t), /* what the first ones had */
    OPTIONS_SIZE_MAX = 4096, /* more was never set on purpose */
};

/* Copies what we know of the caller's options, which may be shorter or longer than ours. */
static int copy_options(const struct blkfront_options *given, struct blkfront_options *out,
                        char *why, size_t why_bytes)
{
    const uint8_t *bytes = (const uint8_t *)given;
    size_t size = given->size;
    if (size < OPTIONS_SIZE_FIRST || size > OPTIONS_SIZE_MAX) {
        snprintf(why, why_bytes,
                 "the size of the options is %zu: set it to sizeof(struct blkfront_options)", size);
        return -EINVAL;
    }
    for (size_t i = sizeof(*out); i < size; i++) {
        if (bytes[i] != 0) {
            snprintf(why, why_bytes, "options are set that splitdom %s does not know",
                     SPLITDOM_VERSION);
            return -E2BIG;
        }
    }
    *out = (struct blkfront_options){.size = sizeof(*out)};
    memcpy(out, given, size < sizeof(*out) ? size : sizeof(*out));
    return 0;
}

static int check_options(struct blkfront_options *options, char *why, size_t why_bytes)
{
    if (options->depth == 0)
        options->depth = BLKFRONT_DEPTH_DEFAULT;
    if (options->sectors_per_request == 0)
        options->sectors_per_request = BLKFRONT_SECTORS_DEFAULT;
    if (options->depth > BLKFRONT_DEPTH_MAX) {
        snprintf(why, why_bytes, "a ring holds at most %d requests, %u were asked for",
                 BLKFRONT_DEPTH_MAX, options->depth);
        return -EINVAL;
    }
    if (options->sectors_per_request > BLKIF_SECTORS_MAX) {
        snprintf(why, why_bytes, "a request reads at most %d sectors, %u were asked for",
                 BLKIF_SECTORS_MAX, options->sectors_per_request);
        return -EINVAL;
    }
    uint64_t num = options->tdf_num, den = options->tdf_den;
    if ((num == 0) != (den == 0) || num > TDF_TERM_MAX || den > TDF_TERM_MAX) {
        snprintf(why, why_bytes, "a time dilation factor is 1/%d to %d", TDF_LIMIT, TDF_LIMIT);
        return -EINVAL;
    }
    return 0;
}

/* The smallest ring that holds depth requests. */
static uint32_t order_for(uint32_t depth)
{
    uint32_t order = 0;
    while (blkif_ring_entries(order) < depth)
        order++;
    return order;
}

static int create(const struct blkfront_options *options, struct blkfront **out, char *why,
                  size_t why_bytes)
{
    struct blkfront *bf = calloc(1, sizeof(*bf));
    if (bf == NULL) {
        snprintf(why, why_bytes, "out of memory");
        return -ENOMEM;
    }
    *out = bf;
    bf->domu = (struct life){.control_fd = -1, .doorbell_fd = -1, .stop_fd = -1};
    patience_init(&bf->patience);
    pthread_mutex_init(&bf->lock, NULL);
    pthread_cond_init(&bf->link_changed, NULL);
    spin_budget_init(&bf->spin);
    int rc = copy_options(options, &bf->options, why, why_bytes);
    if (rc == 0)
        rc = check_options(&bf->options, why, why_bytes);
    if (rc == 0)
        rc = rundir_resolve(bf->options.rundir, bf->options.name, false, &bf->rundir, why,
                            why_bytes);
    if (rc < 0)
        return rc;
    bf->tdf =
        (struct tdf){.num = (uint32_t)bf->options.tdf_num, .den = (uint32_t)bf->options.tdf_den};
    bf->page_order = order_for(bf->options.depth);
    bf->pages_per_request =
        (bf->options.sectors_per_request + BLKIF_SECTORS_PER_PAGE - 1) / BLKIF_SECTORS_PER_PAGE;
    rc = blkfront_link_start(bf, why, why_bytes);
    if (rc < 0)
        return rc;
    bf->done = calloc(bf->depth, sizeof(*bf->done));
    if (bf->done == NULL) {
        snprintf(why, why_bytes, "out of memory");
        return -ENOMEM;
    }
    return 0;
}

int blkfront_connect(const struct blkfront_options *options, struct blkfront **out,
                     struct blkfront_error *why)
{
    struct blkfront_error unwanted;
    struct blkfront *bf = NULL;
    if (why == NULL)
        why = &unwanted;
    why->text[0] = '\0';
    *out = NULL;
    int rc = create(options, &bf, why->text, sizeof(why->text));
    if (rc < 0)
        blkfront_close(bf);
    else
        *out = bf;
    return rc;
}

void blkfront_close(struct blkfront *bf)
{
    if (bf == NULL)
        return;
    blkfront_link_stop(bf);
    shadow_fini(&bf->shadow);
    free(bf->done);
    pthread_cond_destroy(&bf->link_changed);
    pthread_mutex_destroy(&bf->lock);
    free(bf);
}

int blkfront_geometry(struct blkfront *bf, struct blkfront_geometry *out)
{
    *out = (struct blkfront_geometry){
        .first_sector = 0,
        .last_sector = load_relaxed_u64(&bf->sectors) - 1,
        .sector_size = load_relaxed_u32(&bf->sector_size),
        .physical_sector_size = load_relaxed_u32(&bf->physical_sector_size),
        .read_only = (load_relaxed_u32(&bf->info) & VDISK_READONLY) != 0,
    };
    pthread_mutex_lock(&bf->lock);
    int rc = bf->failed;
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
    (void)domain_clock_read_ns(&bf->clock, &now_ns); /* an error says why it stands still */
    return now_ns;
}

int blkfront_clock_ns(struct blkfront *bf, uint64_t *now_ns)
{
    return domain_clock_read_ns(&bf->clock, now_ns);
}

void blkfront_stats(struct blkfront *bf, struct blkfront_stats *out)
{
    pthread_mutex_lock(&bf->lock);
    *out = bf->stats;
    if (bf->linking) { /* the segment is being replaced */
        out->dom0_cpu = HINTS_CPU_NONE;
        out->busy_domains = 0;
    } else {
        out->dom0_cpu = load_relaxed_u32(&bf->domu.segment.hints->dom0_cpu);
        out->busy_domains = load_relaxed_u32(&bf->domu.segment.hints->busy_domains);
    }
    pthread_mutex_unlock(&bf->lock);
}

const char *blkfront_failure(struct blkfront *bf)
{
    pthread_mutex_lock(&bf->lock);
    bool failed = bf->failed != 0;
    pthread_mutex_unlock(&bf->lock);
    return failed ? bf->failure : ""; /* written once, under the lock that told us */
}
