/* SPDX-License-Identifier: MIT */
#include "service/block/client.h"

#include <assert.h>
#include <errno.h>

#include "service/block/device_private.h"

void block_client_open(struct block_client *client, struct vdisk *vdisk)
{
    *client = (struct block_client){.vdisk = vdisk, .scale = {1, 1}};
    (void)sched_entity_init(&client->entity, SCHED_WEIGHT_DEFAULT);
    vdisk->client_count++;
    list_push_back(&vdisk->clients, &client->of_vdisk);
}

void block_client_on_change(struct block_client *client, void (*changed)(void *ctx), void *ctx)
{
    client->changed = changed;
    client->changed_ctx = ctx;
}

void vdisk_cannot(struct vdisk *vdisk, bool *capability)
{
    if (!*capability)
        return;
    *capability = false;
    for (struct list_node *node = list_first(&vdisk->clients); node != NULL;
         node = list_next(&vdisk->clients, node)) {
        struct block_client *client = container_of(node, struct block_client, of_vdisk);
        if (client->changed != NULL)
            client->changed(client->changed_ctx);
    }
}

void block_client_close(struct block_client *client)
{
    if (client->vdisk == NULL)
        return;
    assert(client->tokens == 0 && list_is_empty(&client->queue) && list_is_empty(&client->gated));
    struct device *device = client->vdisk->device;
    for (struct device_job *read = device->jobs; client->entity.in_flight != 0; read++) {
        if (read->client == client) {
            read->client = NULL;
            sched_complete(&device->sched, &client->entity, device->now_ns);
        }
    }
    sched_entity_remove(&device->sched, &client->entity);
    assert(client->vdisk->client_count > 0);
    client->vdisk->client_count--;
    list_remove(&client->of_vdisk);
    client->vdisk = NULL;
}

int block_client_set_weight(struct block_client *client, uint32_t weight)
{
    return sched_set_weight(&client->entity, weight);
}

bool block_client_waits(const struct block_client *client, uint64_t now_ns)
{
    return sched_has_waited(&client->vdisk->device->sched, &client->entity, now_ns);
}

void block_client_trace(struct block_client *client, bool traced)
{
    struct device *device = client->vdisk->device;
    assert(traced || device->tracers > 0);
    device->tracers += traced ? 1 : UINT32_MAX;
}

struct block_client_load block_client_load(const struct block_client *client)
{
    const struct sched_entity *entity = &client->entity;
    struct block_client_load load = {entity->queued, entity->in_flight + entity->joined};
    for (const struct list_node *node = list_first(&client->gated); node != NULL;
         node = list_next(&client->gated, node))
        load.turn++;
    return load;
}

int block_scale_check(struct tdf scale)
{
    int rc = tdf_check(scale);
    return rc < 0 || scale.num < scale.den ? -ERANGE : 0;
}

int block_client_set_scale(struct block_client *client, struct tdf scale)
{
    int rc = block_scale_check(scale);
    if (rc < 0)
        return rc;
    client->scale = scale;
    scale_admit(client);
    return 0;
}

struct tdf block_client_scale(const struct block_client *client)
{
    return client->scale;
}
