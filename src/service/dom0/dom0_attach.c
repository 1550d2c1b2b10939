/* SPDX-License-Identifier: MIT */
/* dom0_attach: disks that come and go while a domain runs; who waits for a device to go. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/container_of.h"
#include "service/dom0/dom0_private.h"
#include "service/dom0/domain_devices.h"

/* As long as libxl waits for a front end (LIBXL_DESTROY_TIMEOUT). */
#define DETACH_PATIENCE_NS (UINT64_C(10) * 1000 * 1000 * 1000)

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

int dom0_attach_disk(void *ctx, uint32_t domid, const char *text, struct why *why)
{
    struct dom0 *d = ctx;
    struct domain *domain;
    struct dom0_disk disk;
    struct disk_spec spec;
    int rc = dom0_need_domain(d, domid, &domain, why);
    if (rc == 0)
        rc = disk_spec_parse(text, &spec, why);
    if (rc == 0 && spec.target[0] != '/')
        rc = why_fail(why, -EINVAL, "%s: name the image by a path from / on", spec.target);
    if (rc == 0)
        rc = dom0_disk_open(d, &spec, 0, &disk, why);
    if (rc == 0) {
        const struct back_spec device = {&vbd_class, spec.devid, &disk.options};
        rc = domain_attach(domain, &device, why);
        vdisks_sweep(&d->vdisks); /* an image that was opened in vain */
    }
    if (rc < 0)
        log_limited(d->log, &d->device_log_limit, "domain %u: a disk refused: %s", domid,
                    why->text);
    else
        log_limited(d->log, &d->device_log_limit, "domain %u: vbd %u attached: %s (%s)", domid,
                    spec.devid, spec.target, disk_access_name(spec.access));
    return rc;
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
