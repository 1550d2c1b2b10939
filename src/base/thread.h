/* SPDX-License-Identifier: MIT */
/*
 * thread: how all threads of ours start: on a stack of a fixed size, with all signals blocked.
 *
 * The system's default for a stack is RLIMIT_STACK at the program's start, which may be too little
 * for any thread (`ulimit -s 32`) or far too much for thousands. Signals are for the program's own
 * threads, or for the one that waits for them.
 */
#ifndef SPLITDOM_BASE_THREAD_H
#define SPLITDOM_BASE_THREAD_H

#include <pthread.h>

enum { THREAD_STACK_BYTES = 256 * 1024 };

/* Starts a thread that runs main(arg) and is to be joined. Errors: -EAGAIN, -ENOMEM: no more
 * threads. *out is undefined then. */
int thread_start(pthread_t *out, void *(*main)(void *arg), void *arg);

#endif
