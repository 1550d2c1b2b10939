/* SPDX-License-Identifier: MIT */
/*
 * blkfront_view: hits without a hand-over: the view of Dom0's cache from the device's connection to
 * its failure, through all lives of the domain.
 */
#include <unistd.h>

#include "domu/blkfront/blkfront_private.h"
#include "domu/blkfront/view_looks.h"
#include "ring/barrier.h"
#include "splitdom/control.h"

/* Of the thread, at whatever disk. */
static __thread struct view_looks looks;

static void drop(struct blkfront *bf)
{
    pthread_mutex_lock(&bf->lock);
    blkfront_view_stop(bf);
    pthread_mutex_unlock(&bf->lock);
}

void blkfront_view_start(struct blkfront *bf)
{
    struct cache_view *view;
    drop(
        bf); /* of a Dom0 that has died before it was ours: the next one need not share its cache */
    if (!bf->front.shared_cache)
        return;
    int fd = life_fetch(bf->front.xenbus.life, CONTROL_SHARED_CACHE, bf->options.vdev);
    if (fd < 0)
        return;
    if (cache_view_open(fd, bf->claims, &view) == 0) {
        cache_view_notes(view)->watch = &bf->watch;
        pthread_mutex_lock(&bf->lock);
        if (bf->failed == 0)
            (void)exchange_full_ptr(&bf->view, view);
        else
            cache_view_retire(view, &bf->old_views);
        store_relaxed_u32(&bf->watch.near, 1); /* its threads have not looked yet; see its use */
        pthread_mutex_unlock(&bf->lock);
    }
    close(fd);
}

void blkfront_view_stop(struct blkfront *bf)
{
    struct cache_view *view = exchange_full_ptr(&bf->view, NULL);
    if (view != NULL)
        cache_view_retire(view, &bf->old_views);
}

void blkfront_view_free(struct blkfront *bf)
{
    struct cache_view *view = load_acquire_ptr(&bf->view);
    if (view != NULL)
        cache_notes_tell_all(cache_view_notes(view));
    drop(bf);
    cache_view_free_all(&bf->old_views);
}

bool blkfront_view_read(struct blkfront *bf, const struct blkfront_io *io, uint32_t at)
{
    struct cache_view *view = load_acquire_ptr(&bf->view);
    uint32_t sector_count = (uint32_t)io->sector_count;
    if (view == NULL || !view_looks_begin(&looks))
        return false;
    bool found = cache_view_read_at(view, at, io->sector, sector_count, io->buffer) &&
                 !life_is_dead(&bf->domu->life);
    view_looks_end(&looks, found);
    return found;
}

uint32_t blkfront_view_expect(struct blkfront *bf, const struct blkfront_io *ios, uint32_t count)
{
    const struct cache_view *view = load_acquire_ptr(&bf->view);
    if (view == NULL || count == 0 || view_looks_are_rare(&looks))
        return CACHE_VIEW_ANYWHERE;
    if (count > 1 && ios[1].operation == BLKFRONT_READ)
        cache_view_expect_bucket(view, ios[1].sector);
    return ios[0].operation == BLKFRONT_READ ? cache_view_expect_data(view, ios[0].sector)
                                             : CACHE_VIEW_ANYWHERE;
}
