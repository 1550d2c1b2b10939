/* SPDX-License-Identifier: MIT */
/* job: an operation at the engine, and the requests that wait for it. */
#include "service/block/device_private.h"

void job_put_back(struct device_job *job)
{
    struct device *device = job->device;
    struct block_request *request;
    while ((request = request_of_link(list_last(&job->waiting))) != NULL) {
        struct block_client *client = request->client;
        list_remove(&request->link);
        job_leave(request);
        request->state = BLOCK_REQUEST_QUEUED;
        request->turn = device->turn - 1; /* it has waited */
        list_push_front(&client->queue, &request->link);
        sched_enqueue(&device->sched, &client->entity, device->now_ns);
    }
}
