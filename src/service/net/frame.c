/* SPDX-License-Identifier: MIT */
#include "service/net/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct net_frame *net_frame_new(uint32_t length_bytes)
{
    assert(length_bytes <= NET_FRAME_MAX_BYTES);

    struct net_frame *frame = malloc(sizeof *frame + length_bytes);

    if (frame == NULL)
        return NULL;
    *frame = (struct net_frame){.references = 1, .length_bytes = length_bytes, .stamp_ns = -1};
    return frame;
}

void net_frame_put(struct net_frame *frame)
{
    assert(frame->references > 0);
    if (--frame->references == 0)
        free(frame);
}

struct net_frame *net_frame_copy(const struct net_frame *frame)
{
    struct net_frame *copy = net_frame_new(frame->length_bytes);

    if (copy == NULL)
        return NULL;
    memcpy(copy, frame, sizeof *frame + frame->length_bytes);
    copy->references = 1;
    return copy;
}
