/* SPDX-License-Identifier: MIT */
/*
 * disk_spec: a disk in words, as xl-disk-configuration(5) has them, for one that is attached to a
 * domain: `F,raw,xvdb,rw` or `vdev=xvdb,access=r,target=F`.
 *
 * Beyond xl: access `w!` forces what the rules of sharing refuse; `reconnect-delay=S`, qemu's word
 * for it, says how long requests wait for the server of an NBD export that has gone. What xl takes
 * and Dom0 can't do (other formats, back ends, scripts, COLO, an empty drive) is refused with the
 * reason.
 */
#ifndef SPLITDOM_SERVICE_DOM0_DISKS_DISK_SPEC_H
#define SPLITDOM_SERVICE_DOM0_DISKS_DISK_SPEC_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/vdev.h"
#include "base/why.h"

enum disk_access {
    ACCESS_READ,         /* r: beside others that read */
    ACCESS_WRITE,        /* w: no other domain has the image */
    ACCESS_WRITE_SHARED, /* w!: whatever others have */
};

struct disk_spec {
    char target[PATH_MAX]; /* as given, which may be relative to who gave it */
    uint32_t devid;        /* the vdev's number */
    enum disk_access access;
    bool cdrom;           /* devtype=cdrom: removable, and access r */
    bool discard;         /* offer it, where the disk can */
    bool trusted;         /* what the front end is told of Dom0 */
    bool has_reconnect;   /* else the service's --nbd-reconnect counts */
    uint32_t reconnect_s; /* 0: its requests do not wait */
};

/* Errors: -EINVAL with a line for people in why, in xl's words where it has some; -E2BIG a target
 * that is no path any more. */
int disk_spec_parse(const char *text, struct disk_spec *out, struct why *why);

/* The same of a specification in several texts, as on xl's command line, up to a NULL: each goes on
 * where the one before has ended, and target= takes no more than the rest of its own. */
int disk_spec_parse_words(const char *const *words, struct disk_spec *out, struct why *why);

/* The target as Dom0 is to have it. Errors: those of target_path.h, with a line in why. */
int disk_spec_resolve(struct disk_spec *spec, const char *directory, struct why *why);

/* "r", "w" or "w!" */
const char *disk_access_name(enum disk_access access);

#endif
