/* SPDX-License-Identifier: MIT */
/*
 * owner_mark: a word in shared memory in which the kernel writes that its owner has died.
 *
 * It is a robust futex that is locked for good: on the end of the thread that has it, however that
 * comes, the kernel sets FUTEX_OWNER_DIED there. It does so before it closes the process's files,
 * so nobody can have taken over by then what they stand for.
 *
 * The entry lies in private memory, at the same distance before each word: the kernel wants one
 * distance for all of a thread's. A thread that has marks can have no robust mutexes of the C
 * library.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_CACHE_OWNER_MARK_H
#define SPLITDOM_SERVICE_BLOCK_CACHE_OWNER_MARK_H

#include <stdint.h>

struct owner_mark {
    struct owner_mark *next; /* as the kernel reads it; not in memory that others see */
};

enum { OWNER_MARK_DISTANCE = 4096 }; /* bytes from a mark to the memory that has the word */

/* The calling thread owns the word from now on, which lies word_offset bytes, the same in all
 * calls, into the memory that begins OWNER_MARK_DISTANCE bytes behind the mark. Where the kernel
 * does not know robust futexes the word stays 0. */
void owner_mark_set(struct owner_mark *mark, uint32_t word_offset);
/* The same thread gives it up. Nothing happens to one that is not set. */
void owner_mark_clear(struct owner_mark *mark, uint32_t word_offset);

#endif
