/* SPDX-License-Identifier: MIT */
/*
 * exec_room: the memory in which an exec prepares its arguments.
 *
 * The stack of who calls it may be small: musl's posix_spawn has 5 KiB for its child, of which the
 * signal's frame takes more than half. And that child shares its parent's memory (CLONE_VM), so
 * what it allocates is the parent's after the exec. So there are some rooms in the shim's own
 * memory. The kernel frees one when its thread's exec leaves that memory to the parent: the room's
 * owner is the word that it clears when a thread leaves (set_tid_address).
 */
#ifndef SPLITDOM_RUN_SHIM_CALL_EXEC_ROOM_H
#define SPLITDOM_RUN_SHIM_CALL_EXEC_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EXEC_HEAD_BYTES = 256, /* of a script's first line, as the kernel */
    EXEC_SCRIPT_DEPTH = 5,
    EXEC_FEW_ARGUMENTS = 256, /* that need no memory of their own */
};

/* What will be executed: a program opened, and what a chain of scripts put in front of the
 * arguments, first to last. */
struct exec_target {
    int fd;
    unsigned depth;
    char lines[EXEC_SCRIPT_DEPTH + 1][EXEC_HEAD_BYTES]; /* the last one is no script's */
    const char *interpreter[EXEC_SCRIPT_DEPTH], *option[EXEC_SCRIPT_DEPTH]; /* last one first */
};

struct exec_room {
    uint32_t owner;   /* a thread, or 0: free; cleared by the kernel, too */
    uint32_t *before; /* the word that the kernel was to clear */
    struct exec_target target;
    const char *few[EXEC_FEW_ARGUMENTS];
    const char **more; /* where few is not enough; NULL: it is */
    size_t more_bytes;
};

/* A room of the caller's until exec_room_leave. NULL: none is free, or the kernel can't tell what
 * word it clears. */
struct exec_room *exec_room_enter(void);
void exec_room_leave(struct exec_room *room);

/* Room for so many arguments. NULL: no memory. */
const char **exec_room_arguments(struct exec_room *room, size_t count);

#endif
