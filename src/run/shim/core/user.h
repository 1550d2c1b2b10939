/* SPDX-License-Identifier: MIT */
/*
 * user: the program's memory by the addresses that it passes to system calls. A bad one gives
 * -EFAULT, as from the kernel, and no fault in the shim.
 */
#ifndef SPLITDOM_RUN_SHIM_CORE_USER_H
#define SPLITDOM_RUN_SHIM_CORE_USER_H

#include <stddef.h>

/* 0 or -EFAULT. */
int user_read(void *to, long address, size_t size);
int user_write(long address, const void *from, size_t size);

#endif
