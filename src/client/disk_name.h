/* SPDX-License-Identifier: MIT */
/* disk_name: which disk of its domain the client uses, by name or by Xen's number
 * (xen-vbd-interface(7)). */
#ifndef SPLITDOM_CLIENT_DISK_NAME_H
#define SPLITDOM_CLIENT_DISK_NAME_H

#include <stdint.h>

/* Takes xvda, xvdb, ..., xvdaa, ... and numbers such as 51712. Errors: -EINVAL. */
int disk_name_parse(const char *text, uint32_t *vdev);

#endif
