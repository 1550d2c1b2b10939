/* SPDX-License-Identifier: MIT */
/*
 * domain_devices: the devices of a domain: any number, of any class, each known by its class and
 * number.
 */
#ifndef SPLITDOM_SERVICE_DOM0_DOMAIN_DEVICES_H
#define SPLITDOM_SERVICE_DOM0_DOMAIN_DEVICES_H

#include "service/dom0/domain.h"

/* Gives the domain a device: writes the nodes of both halves and starts the back end. Errors, with
 * a line for people in why: -EEXIST it has one of that class and number; those of the host's admit;
 * -errno. No node of the device is left then. */
int domain_attach(struct domain *domain, const struct back_spec *spec, struct why *why);
/* Whether its number is free. Errors: -EEXIST, as above. */
int domain_can_attach(const struct domain *domain, const struct back_class *class, uint32_t devid,
                      struct why *why);
/* Ends all back ends at once; nodes stay. */
void domain_drop_devices(struct domain *domain);

/* NULL: the domain has no such device. */
struct xenbus_back *domain_find_device(const struct domain *domain, const struct back_class *class,
                                       uint32_t devid);
/* The next one of a class after back, in the order of attachment; back NULL: the first one. NULL:
 * there is none. */
struct xenbus_back *domain_next_device(const struct domain *domain, const struct back_class *class,
                                       const struct xenbus_back *back);

/* The domain's settings changed. */
void domain_configure_devices(struct domain *domain);
/* A vdisk changed its size. */
void domain_resize_disks(struct domain *domain, const struct vdisk *vdisk);

/* Counters of all its disks, those that were taken away included. */
struct vbd_ring_stats domain_vbd_stats(const struct domain *domain);

#endif
