/* SPDX-License-Identifier: MIT */
/*
 * lost_call: a call that the filter has caught while a kick was pending. Pure.
 *
 * Of two SIGSYS for one thread the kernel keeps the first: the kick arrives, nobody answers the
 * call, and its number stands where its result would. This tells such a call from one that has
 * returned that number.
 */
#ifndef SPLITDOM_RUN_SHIM_CORE_LOST_CALL_H
#define SPLITDOM_RUN_SHIM_CORE_LOST_CALL_H

#include <stdbool.h>
#include <stdint.h>

enum { LOST_CALL_CODE_BYTES = 32 };

/* code: what ends with the system call's instruction. Does it make the call nr, as a constant, and
 * is that caught with these arguments by the filters that are set (more: filter_more_set)? False
 * where the number comes from elsewhere, as in syscall(2). */
bool lost_call(const uint8_t code[LOST_CALL_CODE_BYTES], long nr, const long args[6],
               unsigned more);

#endif
