/* SPDX-License-Identifier: MIT */
/*
 * cancel: the signal by which glibc cancels a thread.
 *
 * Its handler unwinds the stack from where it has interrupted the thread, for destructors and
 * cleanup handlers. Nobody can unwind through the shim. So one that comes in a mediated wait ends
 * the wait, and comes again when the call that began the wait returns. One that comes on the way
 * into a wait, where the shim makes a call of its own, is put off likewise (core/put_off.h).
 */
#ifndef SPLITDOM_RUN_SHIM_CALL_CANCEL_H
#define SPLITDOM_RUN_SHIM_CALL_CANCEL_H

/* rt_sigaction of that signal: the program's action is kept and shown, ours is the kernel's. */
long cancel_action(long act, long old);

/* The handler to go on with, called by stub.S; NULL: none now. */
void *cancel_came(int signal, void *info, void *context);

#endif
