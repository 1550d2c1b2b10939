/* SPDX-License-Identifier: MIT */
/*
 * vdev: Xen's names and numbers of virtual disks: "xvda" is 51712, "xvdb" 51728
 * (xen-vbd-interface(7)). Whole disks only: a bridge shows no partitions of its own.
 */
#ifndef SPLITDOM_BRIDGE_VDEV_H
#define SPLITDOM_BRIDGE_VDEV_H

#include <stddef.h>
#include <stdint.h>

enum {
    VDEV_XVDA = 51712,
    VDEV_NAME_SIZE = 16, /* with the NUL */
};

/* The number of "xvda", "xvdaa" or "51712". Errors: -EINVAL it is none of these. */
int vdev_parse(const char *text, uint32_t *out);

/* The name of a disk that vdev_parse knows by name; of any other its number in decimal. */
void vdev_name(uint32_t vdev, char out[VDEV_NAME_SIZE]);

#endif
