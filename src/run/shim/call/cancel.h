/* SPDX-License-Identifier: MIT */
/*
 * cancel: the signal by which glibc cancels a thread.
 *
 * Its handler unwinds the stack from where it has interrupted the thread, for destructors and
 * cleanup handlers. Nobody can unwind through the shim. So one that comes in a mediated wait ends
 * the wait, and comes again when the call that began the wait returns.
 */
#ifndef SPLITDOM_RUN_SHIM_CALL_CANCEL_H
#define SPLITDOM_RUN_SHIM_CALL_CANCEL_H

enum { CANCEL_SIGNAL = 32 };

/* rt_sigaction of that signal: the program's action is kept and shown, ours is the kernel's. */
long cancel_action(long act, long old);

/* The handler to go on with, called by stub.S; NULL: none now. */
void *cancel_came(int signal, void *info, void *context);

#endif
