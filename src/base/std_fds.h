/* SPDX-License-Identifier: MIT */
/* std_fds: standard input, standard output and standard error of a program. */
#ifndef SPLITDOM_BASE_STD_FDS_H
#define SPLITDOM_BASE_STD_FDS_H

/*
 * A program calls this first. Opens a stand-in for each of the three descriptors that the caller
 * left closed. Otherwise the next opened file would get that number, and our messages would be
 * written into the file. The stand-in is open for the opposite direction, so using it still fails:
 * a result that nobody receives is an error.
 */
void std_fds_fill(void);

#endif
