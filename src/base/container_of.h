/* SPDX-License-Identifier: MIT */
/*
 * container_of: from a member to the object that holds it. For links (base/list.h, base/heap.h) and
 * for callbacks that get a member of their object.
 *
 * These are macros because a function cannot take a type or a member's name as an argument. The
 * compiler refuses a pointer that does not have the member's type. (Linux:
 * include/linux/container_of.h.)
 */
#ifndef SPLITDOM_BASE_CONTAINER_OF_H
#define SPLITDOM_BASE_CONTAINER_OF_H

#include <stddef.h>
#include <stdint.h>

/* The object whose `member` is at pointer; pointer is not NULL. */
#define container_of(pointer, type, member)                                                        \
    ((type *)container_at(1 ? (pointer) : &((type *)0)->member, offsetof(type, member)))

/* The same, but NULL for NULL: for the first node of a list that may be empty. */
#define container_or_null(pointer, type, member)                                                   \
    ((type *)container_at_or_null(1 ? (pointer) : &((type *)0)->member, offsetof(type, member)))

static inline void *container_at(const void *member, size_t offset)
{
    return (void *)((uintptr_t)member - offset);
}

static inline void *container_at_or_null(const void *member, size_t offset)
{
    return member != NULL ? container_at(member, offset) : NULL;
}

#endif
