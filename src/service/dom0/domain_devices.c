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

static void drop(struct domain *domain, struct xenbus_back *back)
{
    if (back->class == &vbd_class) {
        struct vbd_ring_stats stats = vbd_back_stats(back);
        vbd_ring_stats_add(&domain->departed_vbds, &stats);
    }
    list_remove(&back->of_domain);
    xenbus_back_destroy(back);
}

static void on_lost(void *ctx)
{
    struct domain *domain = ctx;
    domain->lost = "cannot be told that its disk is gone";
    domain->host->domain_lost(domain->host->ctx);
}

static void on_gone(void *ctx, struct xenbus_back *back)
{
    drop(ctx, back);
}

int domain_attach(struct domain *domain, const struct back_spec *spec)
{
    const struct back_host *host = &domain->host->back;
    const struct back_owner owner = {.lost = on_lost, .gone = on_gone, .ctx = domain};
    struct xenbus_back *back;
    if (domain_find_device(domain, spec->class, spec->devid) != NULL)
        return -EEXIST;
    int rc = toolstack_create_device(host->store, domain->domid, spec);
    if (rc == 0)
        rc = xenbus_back_create(host, &domain->seen, spec, &owner, &back);
    if (rc < 0) {
        const struct xenbus_key key = {spec->class->name, domain->domid, spec->devid};
        xenbus_back_remove_nodes(host->store, &key);
        return rc;
    }
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

void domain_resize_devices(struct domain *domain)
{
    for (struct xenbus_back *back = first(domain); back != NULL; back = next(domain, back))
        xenbus_back_resize(back);
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
