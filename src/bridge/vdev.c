/* SPDX-License-Identifier: MIT */
#include "bridge/vdev.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"

enum {
    XVD_MAJOR = 202,
    SHORT_DISKS = 16,         /* of 16 minor numbers each; */
    LONG_FORM = 1 << 28,      /* the others have this bit, and 256 */
    DISKS_MAX = 26 + 26 * 26, /* xvdzz */
    VDEV_MAX = LONG_FORM | (LONG_FORM - 1),
};

static uint32_t number_of(uint32_t disk)
{
    return disk < SHORT_DISKS ? XVD_MAJOR << 8 | disk << 4 : LONG_FORM | disk << 8;
}

/* 0 for "a", 25 for "z", 26 for "aa". Errors: -EINVAL. */
static int disk_of(const char *letters)
{
    size_t length = strlen(letters);
    int disk = 0;

    if (length == 0 || length > 2 || strspn(letters, "abcdefghijklmnopqrstuvwxyz") != length)
        return -EINVAL;
    for (size_t i = 0; i < length; i++)
        disk = disk * 26 + (letters[i] - 'a' + 1);
    return disk - 1;
}

int vdev_parse(const char *text, uint32_t *out)
{
    uint64_t number;

    if (text == NULL)
        return -EINVAL;
    if (strncmp(text, "xvd", 3) == 0) {
        int disk = disk_of(text + 3);
        if (disk < 0)
            return disk;
        *out = number_of((uint32_t)disk);
        return 0;
    }
    if (decimal_parse(text, 1, VDEV_MAX, &number) < 0)
        return -EINVAL;
    *out = (uint32_t)number;
    return 0;
}

void vdev_name(uint32_t vdev, char out[VDEV_NAME_SIZE])
{
    for (uint32_t disk = 0; disk < DISKS_MAX; disk++) {
        if (number_of(disk) != vdev)
            continue;
        if (disk < 26)
            snprintf(out, VDEV_NAME_SIZE, "xvd%c", (char)('a' + disk));
        else
            snprintf(out, VDEV_NAME_SIZE, "xvd%c%c", (char)('a' + disk / 26 - 1),
                     (char)('a' + disk % 26));
        return;
    }
    snprintf(out, VDEV_NAME_SIZE, "%u", vdev);
}
