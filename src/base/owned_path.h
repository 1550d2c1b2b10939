/* SPDX-License-Identifier: MIT */
/*
 * owned_path: the name of a file that this process has made. Names outlive their owners: a cleaner
 * of temporary files removes them, another process takes them. So whoever removes a name compares
 * first whether it still is the file that it made.
 */
#ifndef SPLITDOM_BASE_OWNED_PATH_H
#define SPLITDOM_BASE_OWNED_PATH_H

#include <stdbool.h>
#include <sys/types.h>

/* Zeroed: nothing is owned. */
struct owned_path {
    dev_t device;
    ino_t inode; /* 0: nothing is owned */
};

/* Remembers the file that path names now. 0 or -errno; then nothing is owned. */
int owned_path_note(struct owned_path *owned, const char *path);
/* Does path still name that file? */
bool owned_path_is_there(const struct owned_path *owned, const char *path);
/* Removes the name if it still is that file's, and owns nothing from then on. */
void owned_path_remove(struct owned_path *owned, const char *path);

#endif
