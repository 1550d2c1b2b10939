/* SPDX-License-Identifier: MIT */
/* vdisks_overlap: which images may be served beside each other. */
#include <errno.h>

#include "service/dom0/disks/vdisks.h"

/* In the words of Xen's block script, which looks for loop devices, too. */
int vdisks_can_add(const struct vdisks *vdisks, const struct image *image, struct why *why)
{
    const struct vdisks_item *same = vdisks_find(vdisks, image), *item = vdisks_first(vdisks);
    while (item != NULL && (item == same || !(item->vdisk->image.writable || image->writable) ||
                            !image_backing_overlaps(&item->vdisk->image.backing, &image->backing)))
        item = vdisks_next(vdisks, item);
    if (item == NULL)
        return 0;
    return why_fail(why, -EBUSY,
                    "%s %s is mounted through %s, and so cannot be mounted now: a disk that is "
                    "written to has one name; use that one, or detach it",
                    image_kind(image), image->path, item->vdisk->image.path);
}

int vdisks_refresh(const struct vdisks *vdisks, struct vdisks_item *item, struct why *why)
{
    struct image image = item->vdisk->image; /* but for where it lies now */
    if (image.nbd == NULL)
        image_backing_find(image.fd, &image.backing);
    int rc = vdisks_can_add(vdisks, &image, why);
    if (rc < 0)
        return rc;
    item->vdisk->image.backing = image.backing;
    return vdisk_refresh(item->vdisk, why);
}
