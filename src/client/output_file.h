/* SPDX-License-Identifier: MIT */
/*
 * output_file: a file that only one process writes. Two clients can have the same process number
 * (in two PID namespaces with one shared directory) or get the same file name. Then the second
 * client is refused: otherwise the records of both would be mixed unnoticed.
 *
 * The lock is flock(2)'s. It ends with the process, so a file that a crash left can be written
 * again.
 */
#ifndef SPLITDOM_CLIENT_OUTPUT_FILE_H
#define SPLITDOM_CLIENT_OUTPUT_FILE_H

#include <stdbool.h>

/*
 * Creates the file, or empties an existing one. Anything but a regular file (a pipe, a terminal) is
 * neither locked nor emptied. follow: path may be a symbolic link.
 * Returns a descriptor (close-on-exec) or -errno; -EBUSY: another process writes this file.
 */
int output_file_open(const char *path, bool follow);

/* Removes path if it is still the name of the file behind fd. Another file of that name stays. */
void output_file_remove(const char *path, int fd);

#endif
