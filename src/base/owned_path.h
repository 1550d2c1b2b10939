/* SPDX-License-Identifier: MIT */
/*
 * owned_path: the name of a file that this process has created. Somebody else may remove that name
 * meanwhile (a cleaner of temporary files) and use it for another file (a second process). So the
 * owner removes the name only if the name still belongs to the file that the owner created.
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
/* Is path still the name of that file? */
bool owned_path_is_there(const struct owned_path *owned, const char *path);
/* Removes path if it is still the name of that file. Nothing is owned from then on. */
void owned_path_remove(struct owned_path *owned, const char *path);

#endif
