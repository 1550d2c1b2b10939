/* SPDX-License-Identifier: MIT */
#include "service/block/cache/owner_mark.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ring/barrier.h"

_Static_assert(sizeof(struct owner_mark) == sizeof(struct robust_list), "as the kernel reads it");

/* The marks of this thread: a ring through head.list. */
static __thread struct robust_list_head head;

static struct owner_mark *first_link(void)
{
    return (struct owner_mark *)(void *)&head.list;
}

static uint32_t *word_of(struct owner_mark *mark, uint32_t word_offset)
{
    return (uint32_t *)(void *)((uint8_t *)mark + OWNER_MARK_DISTANCE + word_offset);
}

void owner_mark_set(struct owner_mark *mark, uint32_t word_offset)
{
    struct owner_mark *link = first_link();
    if (link->next == NULL)
        link->next = link;
    head.futex_offset = OWNER_MARK_DISTANCE + (long)word_offset;
    if (syscall(SYS_set_robust_list, &head, sizeof(head)) < 0)
        return;
    store_release_u32(word_of(mark, word_offset), (uint32_t)gettid());
    mark->next = link->next;
    link->next = mark;
}

void owner_mark_clear(struct owner_mark *mark, uint32_t word_offset)
{
    struct owner_mark *link = first_link();
    if (mark->next == NULL)
        return;
    while (link->next != mark)
        link = link->next;
    link->next = mark->next;
    mark->next = NULL;
    store_release_u32(word_of(mark, word_offset), FUTEX_OWNER_DIED);
}
