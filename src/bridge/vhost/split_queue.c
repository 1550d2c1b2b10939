/* SPDX-License-Identifier: MIT */
#include "bridge/vhost/split_queue.h"

#include <assert.h>
#include <errno.h>
#include <linux/virtio_ring.h>

#include "ring/barrier.h"

int split_queue_attach(struct split_queue *queue, const struct guest_memory *memory,
                       const struct vhost_user_vring_addr *addr, uint32_t size, uint16_t base,
                       bool event_index)
{
    if (size == 0 || size > SPLIT_QUEUE_SIZE_MAX || (size & (size - 1)) != 0)
        return -EINVAL;
    if (addr->descriptors % VRING_DESC_ALIGN_SIZE != 0 ||
        addr->available % VRING_AVAIL_ALIGN_SIZE != 0 || addr->used % VRING_USED_ALIGN_SIZE != 0)
        return -EFAULT;
    /* Each ring has a word for the event index behind its entries. */
    *queue = (struct split_queue){
        .size = size,
        .event_index = event_index,
        .avail_cons = base,
        .desc = guest_memory_user(memory, addr->descriptors, size * sizeof(struct vring_desc)),
        .avail = guest_memory_user(memory, addr->available,
                                   sizeof(struct vring_avail) + (size + 1) * sizeof(uint16_t)),
        .used = guest_memory_user(memory, addr->used,
                                  sizeof(struct vring_used) +
                                      size * sizeof(struct vring_used_elem) + sizeof(uint16_t)),
    };
    if (queue->desc == NULL || queue->avail == NULL || queue->used == NULL)
        return -EFAULT;
    if ((uintptr_t)queue->desc % VRING_DESC_ALIGN_SIZE != 0 ||
        (uintptr_t)queue->avail % VRING_AVAIL_ALIGN_SIZE != 0 ||
        (uintptr_t)queue->used % VRING_USED_ALIGN_SIZE != 0)
        return -EFAULT; /* the region itself is not aligned */
    queue->used_prod = load_relaxed_u16((const uint16_t *)&queue->used->idx);
    queue->used_told = queue->used_prod;
    return 0;
}

/* A private copy: each field is read once. */
static struct vring_desc copy_desc(const struct vring_desc *shared)
{
    return (struct vring_desc){.addr = load_relaxed_u64((const uint64_t *)&shared->addr),
                               .len = load_relaxed_u32((const uint32_t *)&shared->len),
                               .flags = load_relaxed_u16((const uint16_t *)&shared->flags),
                               .next = load_relaxed_u16((const uint16_t *)&shared->next)};
}

/* A descriptor's bytes: a piece for each region that they are in. Those without any are of no use,
 * but harmless. */
static int add_pieces(const struct guest_memory *memory, const struct vring_desc *desc,
                      struct split_chain *chain)
{
    bool writable = (desc->flags & VRING_DESC_F_WRITE) != 0;
    uint64_t address = desc->addr, left = desc->len, part;

    for (; left > 0; address += part, left -= part) {
        if (chain->count == SPLIT_QUEUE_PIECES_MAX)
            return -EPROTO;
        if (!writable && chain->readable != chain->count)
            return -EPROTO;
        void *at = guest_memory_part(memory, address, left, &part);
        if (at == NULL)
            return -EPROTO;
        chain->pieces[chain->count++] = (struct iovec){.iov_base = at, .iov_len = part};
        if (!writable)
            chain->readable++;
    }
    return 0;
}

/*
 * Follows descriptors of a table of `size` entries from `index` on. A chain without a loop has at
 * most `size`; *indirect, if not NULL, gets the descriptor that names another table and ends this
 * one.
 */
static int walk(const struct guest_memory *memory, const struct vring_desc *table, uint32_t size,
                uint32_t index, struct split_chain *chain, struct vring_desc *indirect)
{
    for (uint32_t steps = 0; steps < size; steps++) {
        if (index >= size)
            return -EPROTO;
        struct vring_desc desc = copy_desc(&table[index]);
        if ((desc.flags & VRING_DESC_F_INDIRECT) != 0) {
            if (indirect == NULL || (desc.flags & VRING_DESC_F_NEXT) != 0)
                return -EPROTO;
            *indirect = desc;
            return 0;
        }
        int rc = add_pieces(memory, &desc, chain);
        if (rc < 0)
            return rc;
        if ((desc.flags & VRING_DESC_F_NEXT) == 0)
            return 0;
        index = desc.next;
    }
    return -EPROTO;
}

static int walk_all(const struct split_queue *queue, const struct guest_memory *memory,
                    struct split_chain *chain)
{
    struct vring_desc indirect = {0};
    int rc = walk(memory, queue->desc, queue->size, chain->head, chain, &indirect);

    if (rc < 0 || (indirect.flags & VRING_DESC_F_INDIRECT) == 0)
        return rc;
    uint32_t size = indirect.len / (uint32_t)sizeof(struct vring_desc);
    const struct vring_desc *table = guest_memory_at(memory, indirect.addr, indirect.len);
    if (size == 0 || indirect.len % sizeof(struct vring_desc) != 0 || table == NULL ||
        (uintptr_t)table % sizeof(uint64_t) != 0)
        return -EPROTO;
    return walk(memory, table, size, 0, chain, NULL);
}

/* How many requests are there to take. Acquire: their descriptors were written before the index. */
static int count_available(const struct split_queue *queue)
{
    uint16_t prod = load_acquire_u16((const uint16_t *)&queue->avail->idx);
    uint16_t count = (uint16_t)(prod - queue->avail_cons);

    return count <= queue->size ? count : -EPROTO;
}

int split_queue_take_again(const struct split_queue *queue, const struct guest_memory *memory,
                           uint16_t head, struct split_chain *chain)
{
    chain->head = head;
    chain->count = chain->readable = 0;
    return walk_all(queue, memory, chain);
}

int split_queue_take(struct split_queue *queue, const struct guest_memory *memory,
                     struct split_chain *chain)
{
    int count = count_available(queue);

    if (count <= 0)
        return count;
    uint32_t slot = queue->avail_cons & (queue->size - 1);
    uint16_t head = load_relaxed_u16((const uint16_t *)&queue->avail->ring[slot]);
    int rc = split_queue_take_again(queue, memory, head, chain);
    if (rc < 0)
        return rc;
    queue->avail_cons++;
    return 1;
}

void split_queue_give(struct split_queue *queue, uint16_t head, uint32_t written)
{
    struct vring_used_elem *slot = &queue->used->ring[queue->used_prod & (queue->size - 1)];

    store_relaxed_u32((uint32_t *)&slot->id, head);
    store_relaxed_u32((uint32_t *)&slot->len, written);
    queue->used_prod++;
    /* Entry and data before the index: pairs with the driver's acquire of it. Full, and not
     * release: split_queue_wants_call loads what the driver stores before it looks at the index. */
    store_full_u16((uint16_t *)&queue->used->idx, queue->used_prod);
}

bool split_queue_wants_call(struct split_queue *queue)
{
    uint16_t told = queue->used_told;

    if (told == queue->used_prod)
        return false;
    queue->used_told = queue->used_prod;
    if (!queue->event_index)
        return (load_full_u16((const uint16_t *)&queue->avail->flags) &
                VRING_AVAIL_F_NO_INTERRUPT) == 0;
    uint16_t event = load_full_u16((const uint16_t *)&queue->avail->ring[queue->size]);
    return vring_need_event(event, queue->used_prod, told) != 0;
}

bool split_queue_arm(struct split_queue *queue)
{
    /* Store the wish, then look once more; the driver stores its index, then looks at the wish. */
    if (queue->event_index)
        store_full_u16((uint16_t *)&queue->used->ring[queue->size], queue->avail_cons);
    else
        store_full_u16((uint16_t *)&queue->used->flags, 0);
    return load_full_u16((const uint16_t *)&queue->avail->idx) != queue->avail_cons;
}
