/* SPDX-License-Identifier: MIT */
/* dom0_attach: disks that come and go while a domain runs; who waits for a device to go. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/container_of.h"
#include "service/block/engine/image_nbd.h"
#include "service/dom0/dom0_private.h"
#include "service/dom0/domain_devices.h"

/* As long as libxl waits for a front end (LIBXL_DESTROY_TIMEOUT). */
#define DETACH_PATIENCE_NS (UINT64_C(10) * 1000 * 1000 * 1000)

/* For the server of an NBD export. */
enum { ATTACH_PATIENCE_S = 10 };

/* Somebody waits for a device to go. */
struct detach {
    struct dom0 *dom0;
    const struct back_class *class;
    domid_t domid;
    uint32_t devid;
    struct control_peer *asker;
    struct timer timer;
    struct list_node link;
};

/* An image is being opened for a disk. */
struct attach {
    struct dom0 *dom0;
    domid_t domid;
    struct dom0_disk disk; /* its spec; the rest when it is open */
    struct control_peer *asker;
    struct image_opener *opener;
    struct poller_watch *watch; /* of its end */
    struct timer timer;
    struct list_node link;
};

static struct detach *first_detach(const struct dom0 *d)
{
    return container_or_null(list_first(&d->detaches), struct detach, link);
}

static struct detach *next_detach(const struct dom0 *d, const struct detach *detach)
{
    return container_or_null(list_next(&d->detaches, &detach->link), struct detach, link);
}

static void drop(struct detach *detach)
{
    timer_stop(&detach->timer);
    list_remove(&detach->link);
    free(detach);
}

int dom0_need_domain(const struct dom0 *d, uint32_t domid, struct domain **out, struct why *why)
{
    *out = dom0_find_domain(d, domid);
    if (*out == NULL)
        return why_fail(why, -ESRCH, "there is no domain %u: see 'service list'", domid);
    return 0;
}

static int log_attach(struct dom0 *d, uint32_t domid, const struct disk_spec *spec, int rc,
                      const struct why *why)
{
    if (rc < 0)
        log_limited(d->log, &d->device_log_limit, "domain %u: a disk refused: %s", domid,
                    why->text);
    else
        log_limited(d->log, &d->device_log_limit, "domain %u: vbd %u attached: %s (%s)", domid,
                    spec->devid, spec->target, disk_access_name(spec->access));
    return rc;
}

static int attach_disk(struct dom0 *d, struct domain *domain, struct dom0_disk *disk,
                       struct why *why)
{
    const struct back_spec device = {&vbd_class, disk->spec.devid, &disk->options};
    int rc = domain_attach(domain, &device, why);
    vdisks_sweep(&d->vdisks); /* an image that was opened in vain */
    return rc;
}

int dom0_attach_allowed(const struct dom0_disk *disk, struct why *why)
{
    const struct disk_spec *spec = &disk->spec;
    if (disk->domain == NULL)
        return 0;
    int rc = domain_can_attach(disk->domain, &vbd_class, spec->devid, why);
    if (rc == 0 && disk->item != NULL)
        rc = vdisks_can_use(disk->item, disk->domain->domid, spec->access, why);
    return rc;
}

static int attach_file(struct dom0 *d, struct domain *domain, const struct disk_spec *spec,
                       struct why *why)
{
    struct dom0_disk disk = {.spec = *spec, .domain = domain};
    if (spec->target[0] != '/')
        return why_fail(why, -EINVAL, "%s: name the image by a path from / on", spec->target);
    int rc = dom0_disk_open(d, 0, &disk, why);
    return rc == 0 ? attach_disk(d, domain, &disk, why) : rc;
}

static void drop_attach(struct attach *attach)
{
    timer_stop(&attach->timer);
    poller_remove(attach->dom0->worker.poller, attach->watch);
    image_opener_drop(attach->opener);
    list_remove(&attach->link);
    free(attach);
}

static void answer_attach(struct attach *attach, int rc, const struct why *why)
{
    (void)log_attach(attach->dom0, attach->domid, &attach->disk.spec, rc, why);
    control_answer(attach->asker, rc, rc < 0 ? why->text : "");
    drop_attach(attach);
}

static void on_opened(void *ctx, uint32_t revents)
{
    struct attach *attach = ctx;
    struct dom0 *d = attach->dom0;
    struct domain *domain = dom0_find_domain(d, attach->domid);
    struct image image;
    struct why why = {""};
    assert(domain != NULL); /* dom0_attach_forget */
    (void)revents;
    poller_remove(d->worker.poller, attach->watch); /* what it watches is the opener's */
    attach->watch = NULL;
    int rc = image_opener_finish(attach->opener, &image, &why);
    attach->opener = NULL;
    attach->disk.domain = domain;
    if (rc == 0)
        rc = dom0_disk_take(d, 0, &image, &attach->disk, &why);
    if (rc == 0)
        rc = attach_disk(d, domain, &attach->disk, &why);
    else
        vdisks_sweep(&d->vdisks);
    answer_attach(attach, rc, &why);
}

/* Its domid may be the next one's before the image is open. */
void dom0_attach_forget(struct dom0 *d, domid_t domid)
{
    struct list_node *node, *after;
    for (node = list_first(&d->attaches); node != NULL; node = after) {
        struct attach *attach = container_of(node, struct attach, link);
        after = list_next(&d->attaches, node);
        struct why why;
        if (attach->domid == domid)
            answer_attach(attach, why_fail(&why, -ESRCH, "domain %u has ended", domid), &why);
    }
}

static void on_attach_timeout(struct timer *timer, void *opaque)
{
    struct attach *attach = opaque;
    struct why why;
    (void)timer;
    int rc = why_fail(&why, -ETIMEDOUT, "%s: its server has not answered for %d s",
                      attach->disk.spec.target, ATTACH_PATIENCE_S);
    answer_attach(attach, rc, &why);
}

/* Its server may take its time: Dom0 goes on meanwhile. */
static int attach_export(struct dom0 *d, uint32_t domid, const struct disk_spec *spec,
                         struct control_peer *asker, struct why *why)
{
    struct attach *attach = calloc(1, sizeof(*attach));
    if (attach == NULL)
        return why_fail(why, -ENOMEM, "Dom0 is out of memory");
    attach->dom0 = d;
    attach->domid = (domid_t)domid; /* there is such a domain */
    attach->disk.spec = *spec;
    attach->asker = asker;
    timer_init(&attach->timer, &d->worker.gate_time, on_attach_timeout, attach);
    list_push_back(&d->attaches, &attach->link);
    int rc = image_opener_start(spec->target, spec->access != ACCESS_READ, &attach->opener, why);
    if (rc == 0) {
        rc = poller_add(d->worker.poller, image_opener_fd(attach->opener), POLLIN, on_opened,
                        attach, &attach->watch);
        if (rc < 0)
            (void)why_fail_errno(why, rc, "%s: cannot wait for its server", spec->target);
    }
    if (rc < 0) {
        drop_attach(attach);
        return rc;
    }
    timer_set(&attach->timer, tdf_clock_now_ns(&d->worker.hold_clock) +
                                  (uint64_t)ATTACH_PATIENCE_S * 1000 * 1000 * 1000);
    return -EINPROGRESS;
}

int dom0_attach_disk(void *ctx, uint32_t domid, const char *text, struct control_peer *asker,
                     struct why *why)
{
    struct dom0 *d = ctx;
    struct domain *domain;
    struct disk_spec spec;
    int rc = dom0_need_domain(d, domid, &domain, why);
    if (rc == 0)
        rc = disk_spec_parse(text, &spec, why);
    if (rc == 0 && image_nbd_is_uri(spec.target))
        rc = attach_export(d, domid, &spec, asker, why);
    else if (rc == 0)
        rc = attach_file(d, domain, &spec, why);
    return rc == -EINPROGRESS ? rc : log_attach(d, domid, &spec, rc, why);
}

static void on_timeout(struct timer *timer, void *opaque)
{
    struct detach *detach = opaque;
    const struct xenbus_key key = {detach->class->name, detach->domid, detach->devid};
    char path[XENBUS_PATH_MAX];
    struct why why;
    (void)timer;
    xenbus_back_path(path, &key, "");
    int rc = why_fail(&why, -ETIMEDOUT,
                      "unable to remove device with path %s: domain %u has not closed it yet, and "
                      "it goes when that is done; --force does not wait",
                      path, detach->domid);
    control_answer(detach->asker, rc, why.text);
    drop(detach);
}

static int wait_for_end(struct dom0 *d, const struct xenbus_back *back, struct control_peer *asker,
                        struct why *why)
{
    struct detach *detach = calloc(1, sizeof(*detach));
    if (detach == NULL)
        return why_fail(why, -ENOMEM, "Dom0 is out of memory; the device goes when it is closed");
    *detach = (struct detach){.dom0 = d,
                              .class = back->class,
                              .domid = back->key.domid,
                              .devid = back->key.devid,
                              .asker = asker};
    timer_init(&detach->timer, &d->worker.gate_time, on_timeout, detach);
    timer_set(&detach->timer, tdf_clock_now_ns(&d->worker.hold_clock) + DETACH_PATIENCE_NS);
    list_push_back(&d->detaches, &detach->link);
    return -EINPROGRESS;
}

int dom0_detach_device(struct dom0 *d, struct xenbus_back *back, bool force,
                       struct control_peer *asker, struct why *why)
{
    log_limited(d->log, &d->device_log_limit, "domain %u: %s %u is to be detached%s",
                back->key.domid, back->class->name, back->key.devid, force ? " by force" : "");
    if (xenbus_back_unplug(back, force))
        return 0;
    return wait_for_end(d, back, asker, why);
}

int dom0_detach_disk(void *ctx, uint32_t domid, const char *vdev, bool force,
                     struct control_peer *asker, struct why *why)
{
    struct dom0 *d = ctx;
    struct domain *domain;
    struct xenbus_back *back = NULL;
    uint32_t devid;
    int rc = dom0_need_domain(d, domid, &domain, why);
    if (rc < 0)
        return rc;
    if (vdev_parse(vdev, &devid) == 0)
        back = domain_find_device(domain, &vbd_class, devid);
    if (back == NULL)
        return why_fail(why, -ENODEV, "Device %s not connected.", vdev);
    return dom0_detach_device(d, back, force, asker, why);
}

void dom0_forget_asker(void *ctx, struct control_peer *asker)
{
    struct dom0 *d = ctx;
    struct detach *next;
    for (struct detach *detach = first_detach(d); detach != NULL; detach = next) {
        next = next_detach(d, detach);
        if (detach->asker == asker)
            drop(detach);
    }
    struct list_node *node, *after;
    for (node = list_first(&d->attaches); node != NULL; node = after) {
        struct attach *attach = container_of(node, struct attach, link);
        after = list_next(&d->attaches, node);
        if (attach->asker == asker)
            drop_attach(attach);
    }
}

void dom0_device_is_gone(struct dom0 *d, const struct back_class *class, domid_t domid,
                         uint32_t devid)
{
    struct detach *next;
    for (struct detach *detach = first_detach(d); detach != NULL; detach = next) {
        next = next_detach(d, detach);
        if (detach->class != class || detach->domid != domid || detach->devid != devid)
            continue;
        control_answer(detach->asker, 0, "");
        drop(detach);
    }
}
