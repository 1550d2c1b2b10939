/* SPDX-License-Identifier: MIT */
/*
 * thread: starts a thread with a stack of a fixed size and all signals blocked.
 *
 * The system's default size is RLIMIT_STACK at the program's start. That may be too small for any
 * thread (`ulimit -s 32`), or far too large for thousands of threads. Signals are for the threads
 * of the program that uses the library, or for the one thread that waits for them.
 */
#ifndef SPLITDOM_BASE_THREAD_H
#define SPLITDOM_BASE_THREAD_H

#include <pthread.h>

enum { THREAD_STACK_BYTES = 256 * 1024 };

/* Starts a thread that runs main(arg); the caller joins it. Errors: -EAGAIN, -ENOMEM: no more
 * threads. Then *out is undefined. */
int thread_start(pthread_t *out, void *(*main)(void *arg), void *arg);

#endif
