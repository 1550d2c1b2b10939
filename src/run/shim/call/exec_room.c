/* SPDX-License-Identifier: MIT */
#include "run/shim/call/exec_room.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "ring/barrier.h"
#include "run/shim/core/stub.h"

enum { ROOMS = 8 };

static struct exec_room rooms[ROOMS];

static void free_more(struct exec_room *room)
{
    if (room->more != NULL)
        SYS2(SYS_munmap, room->more, room->more_bytes);
    room->more = NULL;
}

struct exec_room *exec_room_enter(void)
{
    const uint32_t self = (uint32_t)SYS0(SYS_gettid);
    uint32_t *before = NULL;

    if (SYS2(SYS_prctl, PR_GET_TID_ADDRESS, &before) < 0)
        return NULL;
    for (unsigned i = 0; i < ROOMS; i++) {
        struct exec_room *room = &rooms[i];
        uint32_t nobody = 0;
        if (!compare_exchange_full_u32(&room->owner, &nobody, self))
            continue;
        SYS1(SYS_set_tid_address, &room->owner);
        room->before = before;
        free_more(room); /* of one whose exec succeeded in our memory */
        return room;
    }
    return NULL;
}

void exec_room_leave(struct exec_room *room)
{
    free_more(room);
    SYS1(SYS_set_tid_address, room->before);
    store_full_u32(&room->owner, 0);
}

const char **exec_room_arguments(struct exec_room *room, size_t count)
{
    if (count <= EXEC_FEW_ARGUMENTS)
        return room->few;
    long memory = SYS6(SYS_mmap, 0, count * sizeof(*room->more), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory < 0 && memory > -4096)
        return NULL;
    room->more_bytes = count * sizeof(*room->more);
    room->more = (const char **)memory;
    return room->more;
}
