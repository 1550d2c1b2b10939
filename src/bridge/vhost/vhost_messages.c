/* SPDX-License-Identifier: MIT */
/* vhost_messages: what the front end asks of a session, a function for each message. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/virtio_ring.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bridge/vhost/blk_config.h"
#include "bridge/vhost/vhost_session_private.h"

static const uint64_t own_protocol_features =
    1ULL << VHOST_USER_PROTOCOL_F_MQ | 1ULL << VHOST_USER_PROTOCOL_F_REPLY_ACK |
    1ULL << VHOST_USER_PROTOCOL_F_BACKEND_REQ | 1ULL << VHOST_USER_PROTOCOL_F_CONFIG |
    1ULL << VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD;

static uint64_t own_features(const struct vhost_session *session)
{
    return blk_config_features(&session->device->geometry) | 1ULL << VHOST_USER_F_PROTOCOL_FEATURES;
}

static int answer_u64(struct vhost_session *session, uint64_t value)
{
    return vhost_link_answer(&session->link, &value, sizeof(value));
}

/* ---- queues ---- */

static struct vhost_queue *queue_of(struct vhost_session *session, uint64_t index)
{
    if (index >= VHOST_QUEUES_MAX)
        return NULL;
    if (index >= session->queue_count)
        session->queue_count = (uint32_t)index + 1;
    return &session->queues[index];
}

/* An earlier device may have been killed when it had given requests back and had not called yet; or
 * there was no descriptor to call by. A driver that is called in vain looks once more. */
static void call(const struct vhost_queue *queue)
{
    if (queue->runs && queue->call_fd >= 0)
        (void)eventfd_write(queue->call_fd, 1);
}

/* What has been taken is given back before anything of the queue changes. */
static void stop(struct vhost_session *session, struct vhost_queue *queue)
{
    if (!queue->runs)
        return;
    vhost_session_drain(session);
    queue->base = queue->ring.avail_cons;
    queue->runs = false;
    inflight_queue_detach(&queue->inflight);
}

/* Where an earlier device was killed, what it had is asked for again, and the available ring goes
 * on behind that: the front end knows only what has been given back. */
static int run(struct vhost_session *session, struct vhost_queue *queue)
{
    bool event_index = (session->features & 1ULL << VIRTIO_RING_F_EVENT_IDX) != 0;
    struct split_queue *ring = &queue->ring;
    uint32_t index = (uint32_t)(queue - session->queues);
    int rc = split_queue_attach(ring, &session->memory, &queue->addr, queue->size, queue->base,
                                event_index);

    if (rc == 0)
        rc = inflight_queue_attach(&queue->inflight, &session->track, index, queue->size,
                                   ring->used_prod);
    if (rc == 0 && queue->inflight.again_count > 0)
        ring->avail_cons = (uint16_t)(ring->used_prod + queue->inflight.again_count);
    queue->runs = rc == 0;
    call(queue);
    vhost_session_tell_config(session);
    return rc;
}

/* A queue runs once it has all it needs and is enabled. */
static int run_or_stop(struct vhost_session *session, struct vhost_queue *queue)
{
    bool may = queue->has_addr && queue->size > 0 && queue->kick_fd >= 0 && queue->enabled;

    if (may && !queue->runs)
        return run(session, queue);
    if (!may)
        stop(session, queue);
    return 0;
}

static int set_queue_size(struct vhost_session *session)
{
    const struct vhost_user_vring_state *state = &session->link.payload.state;
    struct vhost_queue *queue = queue_of(session, state->index);

    if (queue == NULL || queue->runs || state->value > SPLIT_QUEUE_SIZE_MAX)
        return -EPROTO;
    queue->size = state->value;
    return run_or_stop(session, queue);
}

static int set_queue_base(struct vhost_session *session)
{
    const struct vhost_user_vring_state *state = &session->link.payload.state;
    struct vhost_queue *queue = queue_of(session, state->index);

    if (queue == NULL || queue->runs)
        return -EPROTO;
    queue->base = (uint16_t)state->value;
    return 0;
}

static int set_queue_addr(struct vhost_session *session)
{
    struct vhost_queue *queue = queue_of(session, session->link.payload.addr.index);

    if (queue == NULL)
        return -EPROTO;
    stop(session, queue);
    queue->addr = session->link.payload.addr;
    queue->has_addr = true;
    return run_or_stop(session, queue);
}

static int get_queue_base(struct vhost_session *session)
{
    struct vhost_user_vring_state state = session->link.payload.state;
    struct vhost_queue *queue = queue_of(session, state.index);

    if (queue == NULL)
        return -EPROTO;
    stop(session, queue);
    if (queue->kick_fd >= 0) /* the queue is stopped until it gets another */
        close(queue->kick_fd);
    queue->kick_fd = -1;
    state.value = queue->base;
    return vhost_link_answer(&session->link, &state, sizeof(state));
}

static int enable_queue(struct vhost_session *session)
{
    const struct vhost_user_vring_state *state = &session->link.payload.state;
    struct vhost_queue *queue = queue_of(session, state->index);

    if (queue == NULL)
        return -EPROTO;
    queue->enabled = state->value != 0;
    return run_or_stop(session, queue);
}

/* Takes the descriptor of KICK, CALL or ERR; *fd is -1 if the message has none. We never wait on
 * it. */
static struct vhost_queue *take_queue_fd(struct vhost_session *session, int *fd)
{
    uint64_t value = session->link.payload.u64;

    *fd = (value & VHOST_USER_NO_FD) != 0 ? -1 : vhost_link_take_fd(&session->link);
    if (*fd >= 0)
        (void)fcntl(*fd, F_SETFL, O_NONBLOCK);
    return queue_of(session, value & VHOST_USER_QUEUE_MASK);
}

static int set_queue_kick(struct vhost_session *session)
{
    int fd;
    struct vhost_queue *queue = take_queue_fd(session, &fd);

    if (queue == NULL || fd < 0) { /* a queue without kicks would have to be polled for ever */
        if (fd >= 0)
            close(fd);
        return -EPROTO;
    }
    stop(session, queue);
    if (queue->kick_fd >= 0)
        close(queue->kick_fd);
    queue->kick_fd = fd;
    if ((session->features & 1ULL << VHOST_USER_F_PROTOCOL_FEATURES) == 0)
        queue->enabled = true;
    return run_or_stop(session, queue);
}

static int set_queue_call(struct vhost_session *session)
{
    int fd;
    struct vhost_queue *queue = take_queue_fd(session, &fd);

    if (queue == NULL) {
        if (fd >= 0)
            close(fd);
        return -EPROTO;
    }
    if (queue->call_fd >= 0)
        close(queue->call_fd);
    queue->call_fd = fd;
    call(queue);
    return 0;
}

/* ---- memory ---- */

static int set_memory(struct vhost_session *session)
{
    const struct vhost_user_header *header = &session->link.header;
    struct vhost_user_memory table = {.region_count = session->link.payload.memory.region_count};
    size_t head = offsetof(struct vhost_user_memory, regions);
    int fds[VHOST_USER_REGIONS_MAX], rc;

    if (table.region_count > VHOST_USER_REGIONS_MAX ||
        header->bytes < head + table.region_count * sizeof(table.regions[0]))
        return -EPROTO;
    memcpy(table.regions, session->link.payload.memory.regions,
           table.region_count * sizeof(table.regions[0]));
    for (uint32_t i = 0; i < VHOST_USER_REGIONS_MAX; i++)
        fds[i] = i < table.region_count ? vhost_link_take_fd(&session->link) : -1;
    for (uint32_t i = 0; i < session->queue_count; i++)
        stop(session, &session->queues[i]);
    guest_memory_unmap(&session->memory);
    rc = guest_memory_map(&session->memory, &table, fds);
    for (uint32_t i = 0; i < VHOST_USER_REGIONS_MAX; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    for (uint32_t i = 0; rc == 0 && i < session->queue_count; i++)
        rc = run_or_stop(session, &session->queues[i]);
    return rc;
}

/* ---- device ---- */

static int get_features(struct vhost_session *session)
{
    return answer_u64(session, own_features(session));
}

static int set_features(struct vhost_session *session)
{
    uint64_t features = session->link.payload.u64;

    if ((features & ~own_features(session)) != 0)
        return -EPROTO;
    session->features = features;
    session->device->write_through = (features & 1ULL << VIRTIO_BLK_F_FLUSH) == 0;
    return 0;
}

static int get_protocol_features(struct vhost_session *session)
{
    return answer_u64(session, own_protocol_features);
}

static int set_protocol_features(struct vhost_session *session)
{
    session->protocol_features = session->link.payload.u64;
    return (session->protocol_features & ~own_protocol_features) != 0 ? -EPROTO : 0;
}

static int get_queue_count(struct vhost_session *session)
{
    return answer_u64(session, VHOST_QUEUES_MAX);
}

/* What lies behind the end of the space that we know reads as zeros. */
static int get_config(struct vhost_session *session)
{
    const struct vhost_user_config *asked = &session->link.payload.config;
    struct vhost_user_config answer = {.offset = asked->offset, .bytes = asked->bytes};
    struct virtio_blk_config config;
    size_t head = offsetof(struct vhost_user_config, region);

    if (asked->bytes > sizeof(answer.region) || asked->offset > sizeof(answer.region) ||
        session->link.header.bytes < head)
        return -EPROTO;
    blk_config_fill(&config, &session->device->geometry, VHOST_QUEUES_MAX);
    if (answer.offset < sizeof(config)) {
        size_t left = sizeof(config) - answer.offset;
        memcpy(answer.region, (const char *)&config + answer.offset,
               answer.bytes < left ? answer.bytes : left);
    }
    session->config_is_known = true;
    return vhost_link_answer(&session->link, &answer, (uint32_t)head + answer.bytes);
}

/* A line for requests of ours. User Mode Linux finds no interrupt for its queues unless it is
 * offered. */
static int set_back_fd(struct vhost_session *session)
{
    if (session->back_fd >= 0)
        close(session->back_fd);
    session->back_fd = vhost_link_take_fd(&session->link);
    vhost_session_tell_config(session);
    return session->back_fd < 0 ? -EPROTO : 0;
}

/* Other front ends' structure may end without our padding: the answer is as long as the question.
 */
static int get_inflight_fd(struct vhost_session *session)
{
    uint32_t bytes = session->link.header.bytes;
    struct vhost_user_inflight answer;
    int fd = inflight_track_make(&session->link.payload.inflight, &answer);

    if (fd < 0)
        return fd;
    int rc = vhost_link_answer_fd(&session->link, &answer,
                                  bytes < sizeof(answer) ? bytes : (uint32_t)sizeof(answer), fd);
    close(fd);
    return rc;
}

static int set_inflight_fd(struct vhost_session *session)
{
    int fd = vhost_link_take_fd(&session->link);

    for (uint32_t i = 0; i < session->queue_count; i++)
        stop(session, &session->queues[i]);
    if (fd < 0)
        return -EPROTO;
    int rc = inflight_track_map(&session->track, &session->link.payload.inflight, fd);
    close(fd);
    for (uint32_t i = 0; rc == 0 && i < session->queue_count; i++)
        rc = run_or_stop(session, &session->queues[i]);
    return rc;
}

static int do_nothing(struct vhost_session *session)
{
    (void)session;
    return 0;
}

struct handler {
    int (*handle)(struct vhost_session *session);
    uint32_t payload_min; /* bytes */
    bool answers;         /* by itself */
};

enum {
    STATE = sizeof(struct vhost_user_vring_state),
    U64 = sizeof(uint64_t),
    INFLIGHT = offsetof(struct vhost_user_inflight, padding),
};

static const struct handler handlers[] = {
    [VHOST_USER_GET_FEATURES] = {get_features, 0, true},
    [VHOST_USER_SET_FEATURES] = {set_features, U64, false},
    [VHOST_USER_SET_OWNER] = {do_nothing, 0, false},
    [VHOST_USER_RESET_OWNER] = {do_nothing, 0, false},
    [VHOST_USER_SET_MEM_TABLE] = {set_memory, U64, false},
    [VHOST_USER_SET_VRING_NUM] = {set_queue_size, STATE, false},
    [VHOST_USER_SET_VRING_ADDR] = {set_queue_addr, sizeof(struct vhost_user_vring_addr), false},
    [VHOST_USER_SET_VRING_BASE] = {set_queue_base, STATE, false},
    [VHOST_USER_GET_VRING_BASE] = {get_queue_base, STATE, true},
    [VHOST_USER_SET_VRING_KICK] = {set_queue_kick, U64, false},
    [VHOST_USER_SET_VRING_CALL] = {set_queue_call, U64, false},
    [VHOST_USER_SET_VRING_ERR] = {do_nothing, U64, false}, /* its session ends instead */
    [VHOST_USER_GET_PROTOCOL_FEATURES] = {get_protocol_features, 0, true},
    [VHOST_USER_SET_PROTOCOL_FEATURES] = {set_protocol_features, U64, false},
    [VHOST_USER_GET_QUEUE_NUM] = {get_queue_count, 0, true},
    [VHOST_USER_SET_VRING_ENABLE] = {enable_queue, STATE, false},
    [VHOST_USER_SET_BACKEND_REQ_FD] = {set_back_fd, 0, false},
    [VHOST_USER_GET_CONFIG] = {get_config, offsetof(struct vhost_user_config, region), true},
    [VHOST_USER_SET_CONFIG] = {do_nothing, 0, false}, /* nothing in it can be changed */
    [VHOST_USER_GET_INFLIGHT_FD] = {get_inflight_fd, INFLIGHT, true},
    [VHOST_USER_SET_INFLIGHT_FD] = {set_inflight_fd, INFLIGHT, false},
};

static int handle(struct vhost_session *session, struct why *why)
{
    const struct vhost_user_header *header = &session->link.header;
    size_t known = sizeof(handlers) / sizeof(handlers[0]);
    const struct handler *handler = header->request < known ? &handlers[header->request] : NULL;
    int rc;

    if (handler == NULL || handler->handle == NULL)
        return why_fail(why, -EPROTO, "the front end sent an unknown message, number %" PRIu32,
                        header->request);
    rc = header->bytes < handler->payload_min ? -EPROTO : handler->handle(session);
    if (rc == 0 && !handler->answers && (header->flags & VHOST_USER_NEED_REPLY) != 0)
        rc = answer_u64(session, 0);
    if (rc < 0 && rc != -ENOTCONN)
        why_fail_errno(why, rc, "the front end's message %" PRIu32, header->request);
    return rc;
}

int vhost_session_hear(struct vhost_session *session, struct why *why)
{
    int rc;

    while ((rc = vhost_link_receive(&session->link)) > 0) {
        rc = handle(session, why);
        vhost_link_next(&session->link);
        if (rc < 0)
            return rc;
    }
    if (rc < 0 && rc != -ENOTCONN)
        why_fail_errno(why, rc, "the connection to the front end");
    return rc;
}
