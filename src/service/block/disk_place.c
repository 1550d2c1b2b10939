/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "service/block/disk_queue_parts.h"

void disk_client_init(struct disk_client *client)
{
    memset(client, 0, sizeof(*client));
    (void)sched_entity_init(&client->entity, SCHED_WEIGHT_DEFAULT);
    client->scale = (struct tdf){1, 1};
}

int disk_client_set_weight(struct disk_client *client, uint32_t weight)
{
    return sched_set_weight(&client->entity, weight);
}

static bool is_scaled(const struct disk_client *client)
{
    return client->scale.num != client->scale.den;
}

bool disk_queue_has_place(const struct disk_queue *q, const struct disk_client *client)
{
    return !is_scaled(client) || client->places < q->depth;
}

void disk_queue_admit(struct disk_queue *q, struct disk_client *client)
{
    struct pending *p;
    while ((p = client->gated.head) != NULL && disk_queue_has_place(q, client)) {
        pending_list_remove(&client->gated, p);
        p->state = PENDING_QUEUED;
        p->turn = q->turn - 1; /* it has waited */
        pending_list_append(&client->queue, p);
        client->places++;
        sched_enqueue(&q->sched, &client->entity, q->now_ns);
    }
}

void disk_queue_answer(struct disk_queue *q, struct pending *p, int status)
{
    struct disk_client *client = p->client;
    client->places--;
    q->done(p, status);
    disk_queue_admit(q, client);
}

static void on_hold_over(struct timer *timer, void *opaque)
{
    struct pending *p = (struct pending *)((uint8_t *)timer - offsetof(struct pending, hold));
    disk_queue_answer(opaque, p, p->status);
}

void disk_queue_answer_scaled(struct disk_queue *q, struct pending *p, int status)
{
    if (!is_scaled(p->client)) {
        disk_queue_answer(q, p, status);
        return;
    }
    uint64_t took_ns = tdf_clock_now_ns(q->real_time->clock) - p->sent_ns;
    p->state = PENDING_HELD;
    p->status = status;
    timer_init(&p->hold, q->real_time, on_hold_over, q);
    timer_set(&p->hold, p->sent_ns + tdf_real_ns(p->client->scale, took_ns));
}

int disk_scale_check(struct tdf scale)
{
    int rc = tdf_check(scale);
    return rc < 0 || scale.num < scale.den ? -ERANGE : 0;
}

int disk_client_set_scale(struct disk_queue *q, struct disk_client *client, struct tdf scale)
{
    int rc = disk_scale_check(scale);
    if (rc < 0)
        return rc;
    client->scale = scale;
    disk_queue_admit(q, client);
    return 0;
}
