/* SPDX-License-Identifier: MIT */
/*
 * output_file: a file that one process writes. Two clients can have one process number (in two PID
 * namespaces with one shared directory) or be given one name: the second one is refused, since what
 * both write would be a mixture that nobody notices.
 *
 * The lock is flock(2)'s: it ends with the process, so that a file that a crash left is written
 * anew.
 */
#ifndef SPLITDOM_CLIENT_OUTPUT_FILE_H
#define SPLITDOM_CLIENT_OUTPUT_FILE_H

#include <stdbool.h>

/*
 * Creates the file, or empties the one that is there. Other things than regular files (pipes,
 * terminals) are neither locked nor emptied. follow: path may be a symbolic link.
 * Returns a descriptor (close-on-exec) or -errno; -EBUSY: another process writes this file.
 */
int output_file_open(const char *path, bool follow);

/* Removes path if that still is the file behind fd: what somebody put there since stays. */
void output_file_remove(const char *path, int fd);

#endif
