/* SPDX-License-Identifier: MIT */
/*
 * exec: a program begins by way of the shim, whose handler an exec would otherwise leave behind.
 *
 * The shim is executed with two arguments in front of the program's:
 *
 *     domu:SESSION_FD:CLOCK_OFFSET:PROGRAM_FD     and     the path that was asked for
 *
 * PROGRAM_FD is the opened program, or the interpreter of a script; -1: the shim begins in a
 * process that has no filter yet, sets it and comes back here.
 */
#ifndef SPLITDOM_RUN_SHIM_CALL_EXEC_H
#define SPLITDOM_RUN_SHIM_CALL_EXEC_H

enum { EXEC_ARGUMENTS = 2 };

/* execveat. Returns -errno. Prints why where the kernel would have done it and we don't. */
long exec_program(int directory, const char *path, char *const argv[], char *const envp[],
                  int flags);

#endif
