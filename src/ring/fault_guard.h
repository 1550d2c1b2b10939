/* SPDX-License-Identifier: MIT */
/*
 * fault_guard: surviving a page of a domain's memory that is gone (SIGBUS).
 *
 * Nobody can truncate a segment (segment.h), but the kernel may have no memory to bring a page back
 * that was swapped out or thrown away. It then sends SIGBUS to whoever touches the page. The
 * handler here lays zeroed private memory over the whole mapping and marks the range; the
 * interrupted code goes on with zeros, which are as good as any other bytes of a hostile domain.
 * Dom0's loop then destroys that domain. So nothing has to be checked on the data path. Xen and
 * Linux do the same with fixups in copy_from_guest.
 *
 * One guard for each process: a signal handler finds nothing but static memory.
 *
 * Threads: add and drop from one thread. Any thread may fault.
 */
#ifndef SPLITDOM_RING_FAULT_GUARD_H
#define SPLITDOM_RING_FAULT_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Installs the handler, with room for so many ranges (1 or more), and as much again whenever that
 * is full, up to 1024 times. Errors: -ENOMEM; -EALREADY there is a guard; others of sigaction. */
int fault_guard_install(uint32_t ranges);
/* Restores the former handler. Nothing if there is no guard. */
void fault_guard_remove(void);

/* Guards a mapping. Returns its slot, or -ENOMEM; -ENOSPC all ranges are in use. owner: -1, or the
 * slot of which this mapping is a second view: then that slot is marked when this one is hit. */
int fault_guard_add(void *base, size_t bytes, int owner);
/* Ends the guard of a mapping, before it is unmapped. Nothing for a negative slot. */
void fault_guard_drop(int slot);

/* Whether any range was hit since the last call: cheap enough for every turn of the loop. */
bool fault_guard_any(void);
/* Whether this range was hit since it was added. */
bool fault_guard_hit(int slot);

#endif
