/* SPDX-License-Identifier: MIT */
/*
 * vdev: what a domain calls a disk, by name and by number, as xen-vbd-interface(7) has them: 51712
 * is xvda.
 *
 * The number is the device's in the store; names are for people.
 */
#ifndef SPLITDOM_BASE_VDEV_H
#define SPLITDOM_BASE_VDEV_H

#include <stdint.h>

enum {
    VDEV_XVDA = 51712,
    VDEV_NAME_SIZE = 32, /* with the NUL */
};

/* Takes xvda, xvda1, xvdaa, hda, sda1, d0, d0p1, and a number: decimal, hexadecimal (0x) or octal
 * (0 in front). Errors: -EINVAL it is none of these. */
int vdev_parse(const char *text, uint32_t *number);

/* The name of a number: "xvda"; the number itself where no name is known. */
void vdev_format(uint32_t number, char name[VDEV_NAME_SIZE]);

#endif
