/* SPDX-License-Identifier: MIT */
/* dom0_disks: the vdisks of Dom0, and what disks every new domain gets. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/container_of.h"
#include "service/block/engine/disk_nbd.h"
#include "service/block/engine/image_lock.h"
#include "service/block/engine/image_nbd.h"
#include "service/dom0/dom0_private.h"
#include "service/dom0/domain_devices.h"
#include "service/dom0/memory/unmapper.h"

enum {
    /* For the writes of a service that was killed to end. */
    START_PATIENCE_MS = 5000,
};

static const struct disk_ops *engine_ops(enum dom0_engine engine)
{
    switch (engine) {
    case DOM0_ENGINE_NULL:
        return &disk_null_ops;
    case DOM0_ENGINE_MODEL:
        return &disk_model_ops;
    case DOM0_ENGINE_THREADS:
        return &disk_threads_ops;
    default:
        return &disk_uring_ops;
    }
}

static int create_worker(struct dom0 *d, enum poller_kind kind)
{
    const struct worker_config config = {.poller = kind,
                                         .no_spin = d->options->no_spin,
                                         .tdf = d->tdf,
                                         .time_source = d->time_source,
                                         .ops = &dom0_worker_ops,
                                         .ctx = d};
    return worker_init(&d->worker, &config);
}

/* A cache that is too large for the first image is refused; that of a later one has what it may.
 * Full caches of images that are larger than a hundred times the memory would be the end of Dom0:
 * who does not say how many bytes gets what is left. */
static size_t cache_bytes(const struct dom0 *d, const struct image *image)
{
    uint64_t bytes, taken = vdisks_cache_bytes(&d->vdisks);
    uint64_t left = d->caches_max_bytes > taken ? d->caches_max_bytes - taken : 0;
    (void)dom0_options_cache_bytes(d->options, image->size_bytes, &bytes);
    if (d->options->cache_bytes != DOM0_CACHE_BYTES_UNSET || bytes <= left)
        return (size_t)bytes;
    log_line(d->log,
             "%s: its cache has %llu bytes, not %llu: all caches together may have %llu "
             "(--cache-bytes says otherwise)",
             image->path, (unsigned long long)left, (unsigned long long)bytes,
             (unsigned long long)d->caches_max_bytes);
    return (size_t)left;
}

static uint32_t reconnect_ms(const struct dom0 *d, const struct disk_spec *spec)
{
    return 1000 * (spec->has_reconnect ? spec->reconnect_s : d->options->nbd_reconnect_s);
}

/* A new vdisk, and what of it is not as it was asked for. */
static int add_vdisk(struct dom0 *d, const struct disk_spec *spec, struct image *image,
                     struct vdisks_item **out, struct why *why)
{
    const struct vdisks_wish wish = {.cache_bytes = cache_bytes(d, image),
                                     .reconnect_ms = reconnect_ms(d, spec)};
    int rc = vdisks_add(&d->vdisks, image, &wish, out, why);
    if (rc < 0 || !d->options->shared_cache)
        return rc;
    const struct vdisk *vdisk = (*out)->vdisk;
    int fd = cache_shared_fd(vdisk->cache);
    if (cache_capacity(vdisk->cache) > 0 && fd < 0)
        log_line(d->log,
                 "%s: domains can't read its cache by themselves: there is no file in memory "
                 "(memfd_create, F_SEAL_FUTURE_WRITE) to be had here: %s",
                 vdisk->image.path, strerror(-fd));
    return rc;
}

static int add_first(struct dom0 *d, enum dom0_engine engine, struct image *image, struct why *why)
{
    const struct disk_ops *ops = engine_ops(engine);
    const struct device_config config = {.poller = d->worker.poller,
                                         .engine = ops,
                                         .model = d->options->model,
                                         .depth = d->options->depth,
                                         .depth_isolated = d->options->depth_isolated,
                                         .depth_alone = d->options->depth_alone,
                                         .real_time = &d->worker.hold_time};
    d->engine_name = image->nbd != NULL ? disk_nbd_ops.name : ops->name;
    const struct vdisk_config vdisk = {.policy = cache_policy_find(d->options->cache_policy),
                                       .shared_cache = d->options->shared_cache,
                                       .let_go = unmapper_take_cache,
                                       .let_go_ctx = d->unmapper};
    vdisks_init(&d->vdisks, &config, &vdisk);
    d->vdisks.log = d->log;
    return add_vdisk(d, &d->disks[0].spec, image, &d->disks[0].item, why);
}

/* io_uring where the kernel lets us, else epoll and, for the disk, threads; the log says which. */
static int create_worker_and_first(struct dom0 *d, struct image *image, struct why *why)
{
    enum dom0_engine engine = d->options->engine;
    if (engine != DOM0_ENGINE_THREADS) {
        int rc = create_worker(d, POLLER_URING);
        if (rc == 0)
            rc = add_first(d, engine, image, why);
        else
            (void)why_fail(why, rc, "io_uring is not available here (%s); try --engine threads",
                           strerror(-rc));
        if (rc == 0 || engine == DOM0_ENGINE_URING)
            return rc;
        if (engine == DOM0_ENGINE_AUTO)
            log_line(d->log, "io_uring is not available (%s): the threads engine takes over",
                     strerror(-rc));
        worker_fini(&d->worker);
        if (engine == DOM0_ENGINE_AUTO)
            engine = DOM0_ENGINE_THREADS;
    }
    int rc = create_worker(d, POLLER_EPOLL);
    return rc == 0 ? add_first(d, engine, image, why)
                   : why_fail_errno(why, rc, "cannot create an epoll instance or a timer");
}

/* In xl's words. */
static int look_at_target(const struct disk_spec *spec, struct why *why)
{
    char dev[VDEV_NAME_SIZE];
    struct stat st;
    if (image_nbd_is_uri(spec->target) || stat(spec->target, &st) == 0)
        return 0;
    int rc = -errno;
    vdev_format(spec->devid, dev);
    return why_fail_errno(why, rc, "Disk vdev=%s failed to stat: %s", dev, spec->target);
}

/* A symbolic link is resolved here and never again. */
static int open_image(const struct disk_spec *spec, struct image *image, struct why *why)
{
    char resolved[PATH_MAX];
    bool is_uri = image_nbd_is_uri(spec->target);
    const char *path =
        !is_uri && realpath(spec->target, resolved) != NULL ? resolved : spec->target;
    return image_open(path, spec->access != ACCESS_READ, image, why);
}

static const char *type_of(const struct image *image)
{
    return image->is_device ? "phy" : image->nbd != NULL ? "nbd" : "file";
}

static struct vbd_options vbd_options(const struct dom0 *d, const struct dom0_disk *disk)
{
    const struct disk_spec *spec = &disk->spec;
    return (struct vbd_options){.vdisk = disk->item->vdisk,
                                .params = spec->target,
                                .dev = disk->dev,
                                .type = type_of(&disk->item->vdisk->image),
                                .writable = spec->access != ACCESS_READ,
                                .cdrom = spec->cdrom,
                                .removable = spec->cdrom,
                                .no_discard = !spec->discard,
                                .untrusted = !spec->trusted,
                                .max_ring_page_order = d->options->max_ring_page_order,
                                .virtual_completion = d->options->engine == DOM0_ENGINE_MODEL};
}

static void describe(const struct dom0 *d, struct dom0_disk *disk)
{
    vdev_format(disk->spec.devid, disk->dev);
    disk->options = vbd_options(d, disk);
}

/* An export is one disk, with one patience, whoever attached it first. */
static int check_reconnect(const struct disk_spec *spec, const struct vdisks_item *item,
                           struct why *why)
{
    struct disk_nbd_report nbd;
    if (!spec->has_reconnect || item == NULL || !vdisks_nbd_report(item, &nbd) ||
        nbd.reconnect_ms == 1000 * spec->reconnect_s)
        return 0;
    return why_fail(why, -EBUSY, "%s is attached with reconnect-delay=%u; say that, or nothing",
                    spec->target, nbd.reconnect_ms / 1000);
}

/* The item of an image; takes the image in any case. */
static int take_image(struct dom0 *d, uint32_t patience_ms, struct image *image,
                      struct dom0_disk *disk, struct why *why)
{
    vdisks_sweep(&d->vdisks); /* an image that nobody uses is in nobody's way */
    disk->item = vdisks_find(&d->vdisks, image);
    int rc = check_reconnect(&disk->spec, disk->item, why);
    if (rc == 0)
        rc = dom0_attach_allowed(disk, why);
    if (rc == 0)
        rc = vdisks_can_add(&d->vdisks, image, why);
    bool is_ours = disk->item != NULL && disk->item->vdisk->image.writable; /* and so is its lock */
    if (rc == 0 && !is_ours)
        rc = image_lock(image, patience_ms, why);
    if (rc == 0 && disk->item == NULL)
        rc = add_vdisk(d, &disk->spec, image, &disk->item, why);
    else if (rc == 0 && image->writable && !is_ours)
        rc = vdisk_reopen(disk->item->vdisk, image, why);
    image_close(image); /* unless a vdisk took it */
    return rc;
}

int dom0_disk_open(struct dom0 *d, uint32_t patience_ms, struct dom0_disk *disk, struct why *why)
{
    struct image image;
    int rc = look_at_target(&disk->spec, why);
    if (rc == 0)
        rc = open_image(&disk->spec, &image, why);
    return rc == 0 ? dom0_disk_take(d, patience_ms, &image, disk, why) : rc;
}

int dom0_disk_take(struct dom0 *d, uint32_t patience_ms, struct image *image,
                   struct dom0_disk *disk, struct why *why)
{
    int rc = take_image(d, patience_ms, image, disk, why);
    if (rc == 0)
        describe(d, disk);
    return rc;
}

/* The image of --image, or the first one of --disk. */
static int open_first(struct dom0 *d, struct why *why)
{
    struct image image;
    uint64_t bytes;
    int rc = open_image(&d->disks[0].spec, &image, why);
    if (rc < 0)
        return rc;
    rc = dom0_options_cache_bytes(d->options, image.size_bytes, &bytes);
    if (rc < 0)
        rc = why_fail(why, rc,
                      "the cache may have at most 1 %% of the image: %llu bytes (--cache-bytes)",
                      (unsigned long long)bytes);
    else
        rc = image_lock(&image, START_PATIENCE_MS, why);
    if (rc == 0)
        rc = create_worker_and_first(d, &image, why);
    image_close(&image);
    return rc;
}

/* Each number once: else no domain could ever be made. */
static int check_names(const struct dom0 *d, struct why *why)
{
    char dev[VDEV_NAME_SIZE];
    for (uint32_t i = 0; i < d->disk_count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (d->disks[i].spec.devid != d->disks[k].spec.devid)
                continue;
            vdev_format(d->disks[i].spec.devid, dev);
            return why_fail(why, -EEXIST, "two disks are %s (--image gives xvda): %s and %s", dev,
                            d->disks[k].spec.target, d->disks[i].spec.target);
        }
    }
    return 0;
}

/* Which disks those are. */
static int list_disks(struct dom0 *d, struct why *why)
{
    const struct dom0_options *options = d->options;
    uint32_t most = options->disk_count + 1;
    d->disks = calloc(most, sizeof(*d->disks));
    d->devices = calloc(most, sizeof(*d->devices));
    if (d->disks == NULL || d->devices == NULL)
        return why_fail(why, -ENOMEM, "out of memory");
    if (options->image_path != NULL) {
        struct disk_spec *spec = &d->disks[d->disk_count++].spec;
        *spec =
            (struct disk_spec){.devid = XENBUS_VBD_XVDA, .access = ACCESS_READ, .trusted = true};
        if (strlen(options->image_path) >= sizeof(spec->target))
            return why_fail(why, -ENAMETOOLONG, "the image's path is too long");
        strcpy(spec->target, options->image_path);
    }
    for (uint32_t i = 0; i < options->disk_count; i++)
        d->disks[d->disk_count++].spec = options->disks[i];
    return check_names(d, why);
}

int dom0_disks_create(struct dom0 *d, struct why *why)
{
    int rc = list_disks(d, why);
    if (rc == 0)
        rc = open_first(d, why);
    for (uint32_t i = 0; rc == 0 && i < d->disk_count; i++) {
        struct dom0_disk *disk = &d->disks[i];
        if (i > 0)
            rc = dom0_disk_open(d, START_PATIENCE_MS, disk, why);
        else
            describe(d, disk);
        if (rc == 0) {
            disk->item->is_kept = true;
            d->devices[i] = (struct back_spec){&vbd_class, disk->spec.devid, &disk->options};
        }
    }
    return rc;
}

void dom0_disks_destroy(struct dom0 *d)
{
    vdisks_fini(&d->vdisks);
    free(d->disks);
    free(d->devices);
}

int dom0_disk_admit(const struct domain *domain, const struct back_spec *spec, void **lease,
                    struct why *why)
{
    const struct dom0_disk *disk =
        container_of((const struct vbd_options *)spec->options, const struct dom0_disk, options);
    struct vdisks_use *use;
    int rc = vdisks_use(disk->item, domain->domid, spec->devid, disk->spec.access, &use, why);
    if (rc == 0)
        *lease = use;
    return rc;
}

void dom0_disk_released(struct dom0 *d, struct vdisks_use *use)
{
    domid_t domid = use->domid;
    uint32_t devid = use->devid;
    vdisks_leave(&d->vdisks, use);
    dom0_device_is_gone(d, &vbd_class, domid, devid);
}

/* A vdev, or an image by any of its names. */
static bool is_meant(const struct dom0 *d, const struct vdisks_item *item, const char *which)
{
    const struct image *image = &item->vdisk->image;
    uint32_t devid;
    struct stat st;
    if (which == NULL || strcmp(which, image->path) == 0)
        return true;
    if (vdev_parse(which, &devid) == 0) {
        bool is_template = false;
        for (uint32_t i = 0; i < d->disk_count; i++)
            is_template |= d->disks[i].item == item && d->disks[i].spec.devid == devid;
        return is_template || vdisks_is_used_as(item, devid);
    }
    if (stat(which, &st) < 0 || S_ISBLK(st.st_mode) != image->is_device)
        return false;
    return image->is_device ? st.st_rdev == image->device
                            : st.st_dev == image->device && st.st_ino == image->inode;
}

static int resize(struct dom0 *d, struct vdisks_item *item, struct why *why)
{
    const struct vdisk *vdisk = item->vdisk;
    const uint64_t before = vdisk->capabilities.sector_count;
    int rc = vdisks_refresh(&d->vdisks, item, why);
    if (rc < 0) {
        log_limited(d->log, &d->image_log_limit, "resize refused: %s", why->text);
        return rc;
    }
    if (vdisk->capabilities.sector_count == before)
        return 0;
    log_limited(d->log, &d->image_log_limit, "the image has %llu bytes now: %s",
                (unsigned long long)vdisk->image.size_bytes, vdisk->image.path);
    for (uint32_t domid = 1; domid <= d->options->max_domains; domid++)
        if (d->domains[domid] != NULL)
            domain_resize_disks(d->domains[domid], vdisk);
    return 0;
}

int dom0_disks_resize(struct dom0 *d, const char *which, struct why *why)
{
    struct why one;
    int rc = 0;
    bool any = false;
    for (struct vdisks_item *item = vdisks_first(&d->vdisks); item != NULL;
         item = vdisks_next(&d->vdisks, item)) {
        if (!is_meant(d, item, which))
            continue;
        any = true;
        int failed = resize(d, item, &one);
        if (failed < 0 && rc == 0) {
            rc = failed;
            *why = one;
        }
    }
    if (!any)
        return why_fail(why, -ENODEV,
                        "no disk is '%s', and no image: see 'service status' for those that are",
                        which);
    return rc;
}
