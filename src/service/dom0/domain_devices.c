/* SPDX-License-Identifier: MIT */
#include "service/dom0/domain_devices.h"

#include <errno.h>

#include "base/container_of.h"
#include "service/back/vbd/vbd_back.h"
#include "service/dom0/toolstack.h"

static struct xenbus_back *first(const struct domain *domain)
{
    return container_or_null(list_first(&domain->devices), struct xenbus_back, of_domain);
}

static struct xenbus_back *next(const struct domain *domain, const struct xenbus_back *back)
{
    return container_or_null(list_next(&domain->devices, &back->of_domain), struct xenbus_back,
                             of_domain);
}

struct xenbus_back *domain_next_device(const struct domain *domain, const struct back_class *class,
                                       const struct xenbus_back *back)
{
    struct xenbus_back *found = back == NULL ? first(domain) : next(domain, back);
    while (found != NULL && found->class != class)
        found = next(domain, found);
    return found;
}

struct xenbus_back *domain_find_device(const struct domain *domain, const struct back_class *class,
                                       uint32_t devid)
{
    struct xenbus_back *back = domain_next_device(domain, class, NULL);
    while (back != NULL && back->key.devid != devid)
        back = domain_next_device(domain, class, back);
    return back;
}

static int admit(const struct domain *domain, const struct back_spec *spec, void **lease,
                 struct why *why)
{
    const struct domain_host *host = domain->host;
    *lease = NULL;
    return host->admit != NULL ? host->admit(host->ctx, domain, spec, lease, why) : 0;
}

static void release(const struct domain_host *host, const struct back_class *class, void *lease)
{
    if (host->released != NULL)
        host->released(host->ctx, class, lease);
}

static void drop(struct domain *domain, struct xenbus_back *back)
{
    const struct domain_host *host = domain->host;
    const struct back_class *class = back->class;
    void *lease = back->lease;
    if (class == &vbd_class) {
        struct vbd_ring_stats stats = vbd_back_stats(back);
        vbd_ring_stats_add(&domain->departed_vbds, &stats);
    }
    list_remove(&back->of_domain);
    xenbus_back_destroy(back);
    release(host, class, lease);
}

static void on_lost(void *ctx)
{
    struct domain *domain = ctx;
    domain->lost = "cannot be told that its device is gone";
    domain->host->domain_lost(domain->host->ctx);
}

static void on_gone(void *ctx, struct xenbus_back *back)
{
    drop(ctx, back);
}

static int create(struct domain *domain, const struct back_spec *spec, struct xenbus_back **out)
{
    const struct back_host *host = &domain->host->back;
    const struct back_owner owner = {.lost = on_lost, .gone = on_gone, .ctx = domain};
    int rc = toolstack_create_device(host->store, domain->domid, spec);
    if (rc == 0)
        rc = xenbus_back_create(host, &domain->seen, spec, &owner, out);
    if (rc < 0) {
        const struct xenbus_key key = {spec->class->name, domain->domid, spec->devid};
        xenbus_back_remove_nodes(host->store, &key);
    }
    return rc;
}

int domain_can_attach(const struct domain *domain, const struct back_class *class, uint32_t devid,
                      struct why *why)
{
    if (domain_find_device(domain, class, devid) == NULL)
        return 0;
    return why_fail(why, -EEXIST,
                    "Domain %u:device already exists in xenstore; detach it first, or choose "
                    "another vdev",
                    domain->domid);
}

int domain_attach(struct domain *domain, const struct back_spec *spec, struct why *why)
{
    const struct domain_host *host = domain->host;
    struct xenbus_back *back;
    void *lease;
    int rc = domain_can_attach(domain, spec->class, spec->devid, why);
    if (rc == 0)
        rc = admit(domain, spec, &lease, why);
    if (rc < 0)
        return rc;
    rc = create(domain, spec, &back);
    if (rc < 0) {
        release(host, spec->class, lease);
        return why_fail_errno(why, rc, "Domain %u:unable to add %s with id %u", domain->domid,
                              spec->class->name, spec->devid);
    }
    back->lease = lease;
    list_push_back(&domain->devices, &back->of_domain);
    return 0;
}

void domain_drop_devices(struct domain *domain)
{
    while (first(domain) != NULL)
        drop(domain, first(domain));
}

void domain_configure_devices(struct domain *domain)
{
    for (struct xenbus_back *back = first(domain); back != NULL; back = next(domain, back))
        xenbus_back_configure(back);
}

void domain_resize_disks(struct domain *domain, const struct vdisk *vdisk)
{
    for (struct xenbus_back *back = domain_next_device(domain, &vbd_class, NULL); back != NULL;
         back = domain_next_device(domain, &vbd_class, back)) {
        if (vbd_back_client(back)->vdisk == vdisk)
            xenbus_back_resize(back);
    }
}

struct vbd_ring_stats domain_vbd_stats(const struct domain *domain)
{
    struct vbd_ring_stats total = domain->departed_vbds;
    for (struct xenbus_back *back = domain_next_device(domain, &vbd_class, NULL); back != NULL;
         back = domain_next_device(domain, &vbd_class, back)) {
        struct vbd_ring_stats stats = vbd_back_stats(back);
        vbd_ring_stats_add(&total, &stats);
    }
    return total;
}
