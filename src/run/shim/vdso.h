/* SPDX-License-Identifier: MIT */
/*
 * vdso: the kernel's clock functions in this process, redirected to ours: so static programs, Go
 * and the JVM, which call them without a libc, read the domain's clock, and faster than the real
 * one.
 */
#ifndef SPLITDOM_RUN_SHIM_VDSO_H
#define SPLITDOM_RUN_SHIM_VDSO_H

#include <stdbool.h>
#include <stdint.h>

/* False: it can't be; then the program must not be told where the vDSO is, and makes system calls.
 */
bool vdso_redirect(uint64_t base);

#endif
