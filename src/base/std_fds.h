/* SPDX-License-Identifier: MIT */
/* std_fds: standard input, output and errors of a program. */
#ifndef SPLITDOM_BASE_STD_FDS_H
#define SPLITDOM_BASE_STD_FDS_H

/*
 * The first thing a program does: opens a stand-in for each of the three descriptors that its
 * caller left closed. Without it the next file that is opened would get that number, and then our
 * messages. The stand-in is opened for the other direction, so that its use still fails: a result
 * that nobody gets is an error.
 */
void std_fds_fill(void);

#endif
