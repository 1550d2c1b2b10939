/* SPDX-License-Identifier: MIT */
#include "domu/domu_device.h"

#include <errno.h>
#include <stdio.h>

#include "base/container_of.h"
#include "xenstore/xenbus_state.h"

static bool is_open(struct domu *domu, const struct front_class *class, uint32_t devid)
{
    for (struct list_node *node = list_first(&domu->fronts.list); node != NULL;
         node = list_next(&domu->fronts.list, node)) {
        struct xenbus_front *front = container_of(node, struct xenbus_front, of_domain);
        if (front->class == class && front->devid == devid)
            return true;
    }
    return false;
}

static int open_claimed(struct domu *domu, struct xenbus_front *front,
                        const struct front_class *class, uint32_t devid, char *why,
                        size_t why_bytes)
{
    int rc;
    do {
        rc = domu_await_life(domu);
        if (rc < 0) {
            snprintf(why, why_bytes, "%s", domu->failure);
            return rc;
        }
        if (is_open(domu, class, devid)) {
            snprintf(why, why_bytes, "%s %u of this domain is open already", class->device, devid);
            return -EBUSY;
        }
        xenbus_front_init(front, class, &domu->fronts, &domu->life, devid);
        rc = class->open(front, why, why_bytes);
    } while (rc < 0 && life_is_dead(&domu->life) && domu->options.reconnect);
    if (rc < 0 && (life_is_destroyed(&domu->life) || life_is_dead(&domu->life)))
        snprintf(why, why_bytes, "%s", life_end(&domu->life)); /* whatever it was that met that */
    return rc;
}

int domu_device_open(struct domu *domu, struct xenbus_front *front, const struct front_class *class,
                     uint32_t devid, char *why, size_t why_bytes)
{
    domu_claim(domu);
    int rc = open_claimed(domu, front, class, devid, why, why_bytes);
    if (rc == 0) {
        class->opened(front);
        list_push_back(&domu->fronts.list, &front->of_domain);
    }
    domu_release(domu);
    if (rc != -ETIME)
        return rc;
    snprintf(why, why_bytes, "%s %u: Dom0 does not answer", class->device, devid);
    return -ETIMEDOUT; /* patience has run out, as that with a call of the store may */
}

void domu_device_close(struct domu *domu, struct xenbus_front *front)
{
    domu_claim(domu);
    if (list_is_linked(&front->of_domain)) {
        list_remove(&front->of_domain);
        xenbus_front_close(front);
        front->class->give_back(front);
    }
    domu_release(domu);
}

int domu_device_loss(struct xenbus_front *front, int state)
{
    if (state == XenbusStateConnected) /* what could not be read may have gone with the device */
        state = xenbus_front_back_state(front);
    if (life_is_dead(front->life)) /* the link thread is about to see that */
        return 0;
    if (state < 0 || state == XenbusStateConnected)
        return -EPROTO;
    return xenbus_state_is_closing((enum xenbus_state)state) ? -ENOTCONN : 0;
}
