/* SPDX-License-Identifier: MIT */
#include "client/disk_name.h"

#include <errno.h>
#include <string.h>

#include "base/decimal.h"

enum {
    LETTERS = 26,
    DISKS_SHORT = 16,        /* xvda to xvdp have numbers of the old kind */
    DISKS_MAX = 1 << 20,     /* of the new one */
    VDEV_XVDA = 202 << 8,    /* Linux's major number of xvd, which Xen took over */
    VDEV_EXTENDED = 1 << 28, /* the new kind */
};

int disk_name_parse(const char *text, uint32_t *vdev)
{
    uint64_t number;
    uint32_t disk = 0; /* 1 is the first one */

    if (strncmp(text, "xvd", 3) != 0) {
        if (decimal_parse(text, 1, INT32_MAX, &number) < 0)
            return -EINVAL;
        *vdev = (uint32_t)number;
        return 0;
    }
    for (text += 3; *text >= 'a' && *text <= 'z' && disk <= DISKS_MAX; text++)
        disk = disk * LETTERS + (uint32_t)(*text - 'a') + 1;
    if (*text != '\0' || disk == 0 || disk > DISKS_MAX)
        return -EINVAL;
    disk--;
    *vdev = disk < DISKS_SHORT ? VDEV_XVDA + disk * 16 : VDEV_EXTENDED + disk * 256;
    return 0;
}
