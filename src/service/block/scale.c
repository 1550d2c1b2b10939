/* SPDX-License-Identifier: MIT */
/* scale: the tokens of clients whose disk is slower than the device, and answers held back. */
#include <assert.h>

#include "service/block/device_private.h"
#include "service/block/trace.h"

static bool is_scaled(const struct block_client *client)
{
    return client->scale.num != client->scale.den;
}

bool scale_has_token(const struct block_client *client)
{
    return !is_scaled(client) || client->tokens < client->vdisk->device->sched.depth_max;
}

void scale_admit(struct block_client *client)
{
    struct device *device = client->vdisk->device;
    struct list_node *link;
    while ((link = list_first(&client->gated)) != NULL && scale_has_token(client)) {
        struct block_request *request = request_of_link(link);
        assert(request->state == BLOCK_REQUEST_GATED);
        list_remove(link);
        request->state = BLOCK_REQUEST_QUEUED;
        request->turn = device->turn - 1; /* it has waited */
        BLOCK_PROBE(queued, request);
        block_trace(request, TRACE_QUEUED);
        list_push_back(&client->queue, link);
        client->tokens++;
        sched_enqueue(&device->sched, &client->entity, device->now_ns);
    }
}

void scale_answer(struct block_request *request, int status)
{
    struct block_client *client = request->client;
    assert(client->tokens > 0);
    client->tokens--;
    request->state = BLOCK_REQUEST_IDLE;
    request->done(request, status);
    if (!list_is_empty(&client->gated))
        scale_admit(client);
}

static void on_hold_over(struct timer *timer, void *unused)
{
    (void)unused;
    struct block_request *request = container_of(timer, struct block_request, hold);
    scale_answer(request, request->status);
}

void scale_answer_late(struct block_request *request, int status, uint64_t ended_ns)
{
    struct block_client *client = request->client;
    if (!is_scaled(client)) {
        scale_answer(request, status);
        return;
    }
    struct timer_clock *real_time = client->vdisk->device->real_time;
    if (ended_ns == 0)
        ended_ns = tdf_clock_now_ns(real_time->clock);
    uint64_t took_ns = ended_ns - request->sent_ns;
    request->state = BLOCK_REQUEST_HELD;
    request->status = status;
    timer_init(&request->hold, real_time, on_hold_over, NULL);
    timer_set(&request->hold, request->sent_ns + tdf_real_ns(client->scale, took_ns));
}
