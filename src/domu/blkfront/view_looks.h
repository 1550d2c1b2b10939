/* SPDX-License-Identifier: MIT */
/*
 * view_looks: whether a thread looks for its next read in the caches that domains share. A look
 * that finds nothing may take a line of memory that Dom0 has just written to, a quarter of a
 * microsecond; what is there and not looked for costs a hand-over, some two microseconds. So a
 * thread that finds less than one read in nine looks only now and then, at intervals of no period,
 * until it finds something.
 *
 * A thread's own, for all its disks: no lock, no waiting.
 */
#ifndef SPLITDOM_DOMU_BLKFRONT_VIEW_LOOKS_H
#define SPLITDOM_DOMU_BLKFRONT_VIEW_LOOKS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    VIEW_LOOKS_FOUND = 8,     /* looks in vain that a read which was found pays for */
    VIEW_LOOKS_VAIN_MAX = 32, /* in a row, until reads pass by without a look */
    VIEW_LOOKS_PASS_MIN = 8,
    VIEW_LOOKS_PASS_MAX = VIEW_LOOKS_PASS_MIN + 15,
};

/* All zeros at first. */
struct view_looks {
    uint32_t vain; /* looks in vain that nothing found has paid for, VIEW_LOOKS_VAIN_MAX at most */
    uint32_t left; /* reads that pass by before the next look */
    uint32_t turn; /* how many times some have passed by */
};

/* Does the thread look now and then only? */
static inline bool view_looks_are_rare(const struct view_looks *looks)
{
    return looks->vain == VIEW_LOOKS_VAIN_MAX;
}

/* A read begins. Returns whether to look for it; if so, view_looks_end follows. */
static inline bool view_looks_begin(struct view_looks *looks)
{
    if (looks->left == 0)
        return true;
    looks->left--;
    return false;
}

static inline void view_looks_end(struct view_looks *looks, bool found)
{
    if (found) {
        looks->vain -= looks->vain < VIEW_LOOKS_FOUND ? looks->vain : VIEW_LOOKS_FOUND;
        return;
    }
    looks->vain += looks->vain < VIEW_LOOKS_VAIN_MAX;
    if (view_looks_are_rare(looks))
        looks->left = VIEW_LOOKS_PASS_MIN + ((++looks->turn * 0x9e3779b9u) >> 28);
}

#endif
