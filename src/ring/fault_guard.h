/* SPDX-License-Identifier: MIT */
/*
 * fault_guard: surviving a page of a domain's memory that is gone.
 *
 * Nobody can truncate a segment (segment.h), but the kernel may have no memory to bring a page back
 * that was swapped out or thrown away; it then sends SIGBUS to whoever touches it. The handler lays
 * zeroed private memory over the whole mapping, so that the interrupted code goes on (the bytes
 * that it reads are as good as any other bytes of a hostile domain), and marks the range; Dom0's
 * loop then destroys that domain. Nothing has to be checked on the data path. Xen and Linux do the
 * same with fixups in copy_from_guest.
 *
 * One guard per process, since a signal handler has no context but static memory.
 */
#ifndef SPLITDOM_RING_FAULT_GUARD_H
#define SPLITDOM_RING_FAULT_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Installs the handler and room for that many ranges. Errors: -ENOMEM, -EALREADY. */
int fault_guard_install(uint32_t ranges_max);
/* Restores the former handler. */
void fault_guard_remove(void);

/* Guards a mapping. Returns its slot, or -ENOSPC. Not from several threads at once. owner: another
 * slot whose memory this is a second view of (it is marked when this one is hit), else -1. */
int fault_guard_add(void *base, size_t bytes, int owner);
/* Ends the guard, before the mapping is unmapped. */
void fault_guard_drop(int slot);

/* Whether anything at all was hit since the last call: cheap, for every turn of the loop. */
bool fault_guard_any(void);
/* Whether this range was hit. */
bool fault_guard_hit(int slot);

#endif
