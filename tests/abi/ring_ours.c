/* SPDX-License-Identifier: MIT */
/* Both halves by src/ring. */
#include <stdlib.h>

#include "ring_half.h"

#include "ring/blkif_back_ring.h"
#include "ring/blkif_front_ring.h"

static uint32_t entries_of(size_t bytes)
{
    uint32_t order = 0;
    while ((size_t)XEN_PAGE_SIZE << order < bytes)
        order++;
    return blkif_ring_entries(order);
}

static void *front_create(void *shared, size_t bytes, uint32_t index)
{
    struct blkif_front_ring *ring = malloc(sizeof(*ring));
    if (ring == NULL)
        return NULL;
    sring_init(shared, index);
    front_ring_init(&ring->half, shared, entries_of(bytes), index);
    return ring;
}

static uint32_t front_free_requests(void *half)
{
    struct blkif_front_ring *ring = half;
    return front_ring_free(&ring->half);
}

static void front_put_request(void *half, const uint8_t request[REQUEST_BYTES])
{
    struct blkif_request req;
    memcpy(&req, request, sizeof(req));
    const struct blkif_request_discard discard = blkif_as_discard(&req);
    const struct blkif_request_indirect indirect = blkif_as_indirect(&req);
    if (req.operation == BLKIF_OP_DISCARD)
        blkif_put_discard(half, &discard);
    else if (req.operation == BLKIF_OP_INDIRECT)
        blkif_put_indirect(half, &indirect);
    else
        blkif_put_request(half, &req);
}

static bool front_push(void *half)
{
    struct blkif_front_ring *ring = half;
    return front_ring_push(&ring->half);
}

static bool front_take_response(void *half, uint8_t response[RESPONSE_BYTES])
{
    struct blkif_response rsp;
    if (blkif_take_response(half, &rsp) != 1)
        return false;
    memcpy(response, &rsp, sizeof(rsp));
    return true;
}

/* Our final check presumes a drained ring; Xen's macro looks for itself first. */
static bool front_final_check(void *half)
{
    struct blkif_front_ring *ring = half;
    return front_ring_has_hint(&ring->half) || front_ring_final_check(&ring->half);
}

static bool front_believes(uint32_t nr_ents, uint32_t rsp_cons, uint32_t req_prod, uint32_t prod)
{
    struct sring *sring = calloc(1, (size_t)XEN_PAGE_SIZE << BLKIF_RING_PAGE_ORDER_MAX);
    struct blkif_front_ring ring;
    struct blkif_response rsp;
    if (sring == NULL)
        abort();
    front_ring_init(&ring.half, sring, nr_ents, rsp_cons);
    ring.half.req_prod = ring.half.req_prod_pvt = req_prod;
    sring->rsp_prod = prod;
    bool believed = blkif_take_response(&ring, &rsp) >= 0;
    free(sring);
    return believed;
}

static void *back_create(void *shared, size_t bytes, uint32_t index)
{
    struct blkif_back_ring *ring = malloc(sizeof(*ring));
    if (ring != NULL)
        back_ring_init(&ring->half, shared, entries_of(bytes), index);
    return ring;
}

static bool back_take_request(void *half, uint8_t request[REQUEST_BYTES])
{
    struct blkif_back_ring *ring = half;
    struct blkif_request req = {0};
    if (ring->half.req_cons == ring->half.req_prod && back_ring_look(&ring->half) <= 0)
        return false;
    blkif_take_request(ring, &req);
    memcpy(request, &req, sizeof(req));
    return true;
}

static void back_put_response(void *half, uint64_t id, uint8_t operation, int16_t status)
{
    blkif_put_response(half, id, operation, status);
}

static bool back_push(void *half)
{
    struct blkif_back_ring *ring = half;
    return back_ring_push(&ring->half);
}

static bool back_final_check(void *half)
{
    struct blkif_back_ring *ring = half;
    return back_ring_look(&ring->half) != 0 || back_ring_final_check(&ring->half);
}

static bool back_believes(uint32_t nr_ents, uint32_t rsp_prod_pvt, uint32_t req_cons, uint32_t prod)
{
    struct sring sring = {.req_prod = prod};
    struct blkif_back_ring ring;
    back_ring_init(&ring.half, &sring, nr_ents, rsp_prod_pvt);
    ring.half.req_cons = ring.half.req_prod = req_cons;
    return back_ring_look(&ring.half) >= 0;
}

const struct front_half front_ours = {
    .name = "our front",
    .create = front_create,
    .free_requests = front_free_requests,
    .put_request = front_put_request,
    .push = front_push,
    .take_response = front_take_response,
    .final_check = front_final_check,
    .believes = front_believes,
};

const struct back_half back_ours = {
    .name = "our back",
    .create = back_create,
    .take_request = back_take_request,
    .put_response = back_put_response,
    .push = back_push,
    .final_check = back_final_check,
    .believes = back_believes,
};
