/* SPDX-License-Identifier: MIT */
/*
 * domu_device: a device of any class in its domain: opened by its caller, followed by the domain's
 * link thread through all lives, closed. Its pages, references and vCPUs stay its own all that
 * time.
 *
 * The calls that do not claim the domain are for front_class functions, which have it claimed.
 */
#ifndef SPLITDOM_DOMU_DOMU_DEVICE_H
#define SPLITDOM_DOMU_DOMU_DEVICE_H

#include "domu/domu_private.h"

/*
 * Claims the domain and opens the device in it by class->open, then class->opened. A Dom0 that dies
 * meanwhile was there: a domain that reconnects waits for the next one. Blocks as long as the
 * domain's patience lasts. Errors: -EBUSY the domain has this device open; those of domu_await_life
 * and of class->open; one line in why.
 */
int domu_device_open(struct domu *domu, struct xenbus_front *front, const struct front_class *class,
                     uint32_t devid, char *why, size_t why_bytes);
/* Claims the domain, closes the device and gives back what it took (class->give_back). Nothing if
 * it is not open. */
void domu_device_close(struct domu *domu, struct xenbus_front *front);

/* Whether a state of the back end (front_class changed) means that the device is lost: -ENOTCONN:
 * Dom0 closed it, or took it away; -EPROTO: that state, or at Connected what else was read then,
 * makes no sense or cannot be read. 0: it is not. A Dom0 that is dead is the link thread's
 * business. By whoever has the domain (domu_claim): the state is read again. */
int domu_device_loss(struct xenbus_front *front, int state);

#endif
