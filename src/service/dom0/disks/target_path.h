/* SPDX-License-Identifier: MIT */
/* target_path: what a disk's target means to whoever named it, as a path for Dom0, which has
 * another current directory and other open files. */
#ifndef SPLITDOM_SERVICE_DOM0_DISKS_TARGET_PATH_H
#define SPLITDOM_SERVICE_DOM0_DISKS_TARGET_PATH_H

#include <limits.h>

#include "base/why.h"

/*
 * A relative target is one of directory. A target among the caller's own open files
 * (/proc/self/fd/3, /dev/fd/3, /dev/stdin) is the file's name. All others, and the URI of an
 * export, stay as they are. Errors, with a line for people in why: -ENAMETOOLONG; -ENOENT such a
 * file is not open, or has no name (any more).
 */
int target_path(const char *target, const char *directory, char out[PATH_MAX], struct why *why);

#endif
