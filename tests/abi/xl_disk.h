/* SPDX-License-Identifier: MIT */
/* xl_disk: a disk specification as Xen's own library reads it (libxlutil), for those that see our
 * headers. */
#ifndef SPLITDOM_TESTS_ABI_XL_DISK_H
#define SPLITDOM_TESTS_ABI_XL_DISK_H

#include <stdbool.h>

enum { XL_DISK_TEXT = 1024 };

struct xl_disk {
    bool refused;
    char words[XL_DISK_TEXT]; /* refused: the first line of why */
    char target[XL_DISK_TEXT], vdev[XL_DISK_TEXT];
    bool is_raw, writable, cdrom;
};

/* Of a specification in count texts, as on xl's command line. */
void xl_disk_parse(const char *const *words, int count, struct xl_disk *out);

#endif
