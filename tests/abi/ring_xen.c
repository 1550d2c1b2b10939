/* SPDX-License-Identifier: MIT */
/* Both halves by the macros of Xen's io/ring.h. */
#include <stdlib.h>

#include "ring_half.h"

#include "xen_headers.h"

static void *front_create(void *shared, size_t bytes, uint32_t index)
{
    struct blkif_sring *sring = shared;
    struct blkif_front_ring *ring = malloc(sizeof(*ring));
    if (ring == NULL)
        return NULL;
    SHARED_RING_INIT(sring);
    sring->req_prod = sring->rsp_prod = index; /* the macro knows only 0 */
    sring->req_event = sring->rsp_event = index + 1;
    FRONT_RING_ATTACH(ring, sring, index, bytes);
    return ring;
}

static uint32_t front_free_requests(void *half)
{
    struct blkif_front_ring *ring = half;
    return RING_FREE_REQUESTS(ring);
}

static void front_put_request(void *half, const uint8_t request[REQUEST_BYTES])
{
    struct blkif_front_ring *ring = half;
    memcpy(RING_GET_REQUEST(ring, ring->req_prod_pvt), request, REQUEST_BYTES);
    ring->req_prod_pvt++;
}

static bool front_push(void *half)
{
    struct blkif_front_ring *ring = half;
    bool notify;
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(ring, notify);
    return notify;
}

static bool front_take_response(void *half, uint8_t response[RESPONSE_BYTES])
{
    struct blkif_front_ring *ring = half;
    struct blkif_response rsp;
    if (!RING_HAS_UNCONSUMED_RESPONSES(ring))
        return false;
    xen_rmb();
    RING_COPY_RESPONSE(ring, ring->rsp_cons, &rsp);
    ring->rsp_cons++;
    memcpy(response, &rsp, sizeof(rsp));
    return true;
}

static bool front_final_check(void *half)
{
    struct blkif_front_ring *ring = half;
    unsigned int work;
    RING_FINAL_CHECK_FOR_RESPONSES(ring, work);
    return work != 0;
}

static bool front_believes(uint32_t nr_ents, uint32_t rsp_cons, uint32_t req_prod, uint32_t prod)
{
    struct blkif_front_ring ring = {
        .req_prod_pvt = req_prod, .rsp_cons = rsp_cons, .nr_ents = nr_ents};
    return !RING_RESPONSE_PROD_OVERFLOW(&ring, prod);
}

static void *back_create(void *shared, size_t bytes, uint32_t index)
{
    struct blkif_sring *sring = shared;
    struct blkif_back_ring *ring = malloc(sizeof(*ring));
    if (ring != NULL)
        BACK_RING_ATTACH(ring, sring, index, bytes);
    return ring;
}

static bool back_take_request(void *half, uint8_t request[REQUEST_BYTES])
{
    struct blkif_back_ring *ring = half;
    struct blkif_request req;
    if (!RING_HAS_UNCONSUMED_REQUESTS(ring))
        return false;
    xen_rmb();
    RING_COPY_REQUEST(ring, ring->req_cons, &req);
    ring->req_cons++;
    memcpy(request, &req, sizeof(req));
    return true;
}

static void back_put_response(void *half, uint64_t id, uint8_t operation, int16_t status)
{
    struct blkif_back_ring *ring = half;
    struct blkif_response rsp;
    memset(&rsp, 0, sizeof(rsp));
    rsp.id = id;
    rsp.operation = operation;
    rsp.status = status;
    memcpy(RING_GET_RESPONSE(ring, ring->rsp_prod_pvt), &rsp, sizeof(rsp));
    ring->rsp_prod_pvt++;
}

static bool back_push(void *half)
{
    struct blkif_back_ring *ring = half;
    bool notify;
    RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(ring, notify);
    return notify;
}

static bool back_final_check(void *half)
{
    struct blkif_back_ring *ring = half;
    unsigned int work;
    RING_FINAL_CHECK_FOR_REQUESTS(ring, work);
    return work != 0;
}

static bool back_believes(uint32_t nr_ents, uint32_t rsp_prod_pvt, uint32_t req_cons, uint32_t prod)
{
    struct blkif_back_ring ring = {
        .rsp_prod_pvt = rsp_prod_pvt, .req_cons = req_cons, .nr_ents = nr_ents};
    return !RING_REQUEST_PROD_OVERFLOW(&ring, prod);
}

const struct front_half front_xen = {
    .name = "Xen's front",
    .create = front_create,
    .free_requests = front_free_requests,
    .put_request = front_put_request,
    .push = front_push,
    .take_response = front_take_response,
    .final_check = front_final_check,
    .believes = front_believes,
};

const struct back_half back_xen = {
    .name = "Xen's back",
    .create = back_create,
    .take_request = back_take_request,
    .put_response = back_put_response,
    .push = back_push,
    .final_check = back_final_check,
    .believes = back_believes,
};
