/* SPDX-License-Identifier: MIT */
/*
 * control_room: which connection to dom0.sock gives way when there are as many as there may be.
 *
 * Never a domain, nor one that waits for Dom0's farewell. One that has had an answer, the oldest
 * first, and of these rather one that asks nothing more. Then one that has asked nothing at all for
 * CONTROL_SILENCE_NS. Whoever has asked and has had no answer yet stays, and will have one soon: so
 * each gets at least one answer, however many others come and do not read theirs. If nobody gives
 * way now, newcomers wait in the listener's queue.
 */
#ifndef SPLITDOM_SERVICE_DOM0_CONTROL_ROOM_H
#define SPLITDOM_SERVICE_DOM0_CONTROL_ROOM_H

#include <stdint.h>

/* From connect to the first request takes a busy machine so long at most, mostly. */
#define CONTROL_SILENCE_NS UINT64_C(200000000)

struct control;

enum control_room {
    CONTROL_ROOM,       /* for one more */
    CONTROL_ROOM_LATER, /* somebody will give way soon: is_full is set until then */
    CONTROL_ROOM_NONE,  /* all are domains, or wait for the farewell */
};

int control_room_create(struct control *control);
/* Closes a connection if that is needed. */
enum control_room control_room_make(struct control *control);
void control_room_destroy(struct control *control);

#endif
