/* SPDX-License-Identifier: MIT */
#include "service/net/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A sanitizer sees what is used after it was given back only if it was freed. */
#if defined(__SANITIZE_ADDRESS__)
#define FREES_AT_ONCE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FREES_AT_ONCE 1
#endif
#endif
#ifndef FREES_AT_ONCE
#define FREES_AT_ONCE 0
#endif

enum { SIZES = 8 };

/* Not a power of two with what is before the data: frames that lie at the same place of a page
 * compete for the same lines of a cache. No frame has room for more than three times its length,
 * but for the smallest: what bounds the bytes of queues bounds memory, too. */
static const struct {
    uint32_t largest_bytes, kept_max;
} sizes[SIZES] = {
    {256, NET_FRAME_POOL_KEPT},         {600, NET_FRAME_POOL_KEPT},
    {1200, NET_FRAME_POOL_KEPT},        {2000, NET_FRAME_POOL_KEPT},
    {4200, NET_FRAME_POOL_KEPT_LARGE},  {9300, NET_FRAME_POOL_KEPT_LARGE},
    {25000, NET_FRAME_POOL_KEPT_LARGE}, {NET_FRAME_MAX_BYTES, NET_FRAME_POOL_KEPT_LARGE}};

/* In the place of the data of a frame that nobody has. */
struct unused {
    struct net_frame *next;
};

struct net_frame_pool {
    uint32_t users; /* frames that somebody has, and the owner */
    bool closed;
    uint32_t kept[SIZES];
    struct net_frame *first[SIZES];
};

static struct unused *unused_of(struct net_frame *frame)
{
    return (struct unused *)(void *)frame->data;
}

static struct net_frame *allocate(uint32_t room_bytes)
{
    return malloc(sizeof(struct net_frame) + room_bytes);
}

static void begin(struct net_frame *frame, struct net_frame_pool *pool, uint32_t length_bytes)
{
    *frame = (struct net_frame){
        .references = 1, .pool = pool, .length_bytes = length_bytes, .stamp_ns = -1};
}

struct net_frame *net_frame_new(uint32_t length_bytes)
{
    assert(length_bytes <= NET_FRAME_MAX_BYTES);

    struct net_frame *frame = allocate(length_bytes);

    if (frame != NULL)
        begin(frame, NULL, length_bytes);
    return frame;
}

struct net_frame_pool *net_frame_pool_create(void)
{
    struct net_frame_pool *pool = calloc(1, sizeof(*pool));

    if (pool != NULL)
        pool->users = 1;
    return pool;
}

static void leave_pool(struct net_frame_pool *pool)
{
    assert(pool->users > 0);
    if (--pool->users == 0)
        free(pool);
}

void net_frame_pool_close(struct net_frame_pool *pool)
{
    if (pool == NULL)
        return;
    pool->closed = true;
    for (int size = 0; size < SIZES; size++) {
        while (pool->first[size] != NULL) {
            struct net_frame *frame = pool->first[size];

            pool->first[size] = unused_of(frame)->next;
            free(frame);
        }
    }
    leave_pool(pool);
}

static int size_of(uint32_t length_bytes)
{
    int size = 0;

    assert(length_bytes <= NET_FRAME_MAX_BYTES);
    while (length_bytes > sizes[size].largest_bytes)
        size++;
    return size;
}

struct net_frame *net_frame_new_in(struct net_frame_pool *pool, uint32_t length_bytes)
{
    if (FREES_AT_ONCE || pool == NULL)
        return net_frame_new(length_bytes);

    const int size = size_of(length_bytes);

    struct net_frame *frame = pool->first[size];

    if (frame != NULL) {
        pool->first[size] = unused_of(frame)->next;
        pool->kept[size]--;
    } else {
        frame = allocate(sizes[size].largest_bytes);
        if (frame == NULL)
            return NULL;
    }
    begin(frame, pool, length_bytes);
    pool->users++;
    return frame;
}

static void give_back(struct net_frame *frame)
{
    struct net_frame_pool *pool = frame->pool;
    const int size = size_of(frame->length_bytes);

    if (pool->closed || pool->kept[size] == sizes[size].kept_max) {
        free(frame);
    } else {
        unused_of(frame)->next = pool->first[size];
        pool->first[size] = frame;
        pool->kept[size]++;
    }
    leave_pool(pool);
}

void net_frame_put(struct net_frame *frame)
{
    assert(frame->references > 0);
    if (--frame->references > 0)
        return;
    if (frame->pool != NULL)
        give_back(frame);
    else
        free(frame);
}

struct net_frame *net_frame_copy(const struct net_frame *frame)
{
    struct net_frame *copy = net_frame_new_in(frame->pool, frame->length_bytes);

    if (copy == NULL)
        return NULL;

    struct net_frame_pool *pool = copy->pool;

    memcpy(copy, frame, sizeof *frame + frame->length_bytes);
    copy->references = 1;
    copy->pool = pool;
    return copy;
}
