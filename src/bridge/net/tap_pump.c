/* SPDX-License-Identifier: MIT */
#include "bridge/net/tap_pump.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/thread.h"
#include "bridge/net/vnet_header.h"

enum {
    BATCH = 32,
    HEADER_BYTES = sizeof(struct virtio_net_hdr),
    SEND_SLICE_NS = 100000000, /* a full ring is waited for in pieces: the pump may be stopped */
};

/* A message of the tap device. */
struct message {
    struct virtio_net_hdr header;
    uint8_t data[NETFRONT_FRAME_MAX];
    /* So that the beginnings of a batch of messages do not compete for the same lines of a cache.
     */
    uint8_t apart[1536];
};

struct direction {
    pthread_t thread;
    bool runs;
    struct message *messages; /* BATCH of them */
};

/* Of the interface and of the tap device. */
struct pump_queue {
    struct tap_pump *pump;
    uint32_t index;
    int tap_fd;
    struct direction to_tap, from_tap;
};

struct tap_pump {
    struct netfront *nf;
    int stop_fd, ended_fd;
    bool is_socket;
    struct pump_queue queue[NETFRONT_QUEUES_MAX];
    uint32_t queues;
    pthread_mutex_t lock; /* for what follows */
    bool stops;
    int error;
    bool of_tap;
    struct tap_pump_counts counts;
    uint8_t mac[NETFRONT_MAC_BYTES];
};

static bool stops(struct tap_pump *pump)
{
    pthread_mutex_lock(&pump->lock);
    bool result = pump->stops;
    pthread_mutex_unlock(&pump->lock);
    return result;
}

/* The first reason stays. */
static void fail(struct tap_pump *pump, int error, bool of_tap)
{
    pthread_mutex_lock(&pump->lock);
    if (pump->error == 0 && !pump->stops) {
        pump->error = error;
        pump->of_tap = of_tap;
        (void)eventfd_write(pump->ended_fd, 1);
    }
    pthread_mutex_unlock(&pump->lock);
}

static void add_counts(struct tap_pump *pump, const struct tap_pump_counts *counts)
{
    pthread_mutex_lock(&pump->lock);
    pump->counts.to_tap += counts->to_tap;
    pump->counts.from_tap += counts->from_tap;
    pump->counts.tap_refused += counts->tap_refused;
    pump->counts.not_understood += counts->not_understood;
    pump->counts.vif_refused += counts->vif_refused;
    pthread_mutex_unlock(&pump->lock);
}

/* What the tap device sends from another address than the interface's is dropped by Dom0. If the
 * address cannot be changed so be it: then that is counted there. */
static void follow_address(struct tap_pump *pump, struct netfront_info *info)
{
    netfront_info(pump->nf, info);
    pthread_mutex_lock(&pump->lock);
    if (!pump->is_socket && memcmp(pump->mac, info->mac, sizeof(pump->mac)) != 0) {
        memcpy(pump->mac, info->mac, sizeof(pump->mac));
        pump->counts.addresses++;
        (void)tap_change_mac(pump->queue[0].tap_fd, pump->mac);
    }
    pthread_mutex_unlock(&pump->lock);
}

/* ---- from the interface to the tap device ---- */

/* The header for it; -EINVAL: nobody on that side would understand the frame. */
static int fill_header(const struct tap_pump *pump, const struct netfront_frame *frame,
                       struct virtio_net_hdr *header)
{
    if (!pump->is_socket)
        return vnet_header_of_frame(frame, header);
    return frame->checksum_blank || frame->gso_type != NETFRONT_GSO_NONE ? -EINVAL : 0;
}

static ssize_t put_message(const struct pump_queue *q, const struct message *message,
                           uint32_t length_bytes)
{
    if (q->pump->is_socket)
        return send(q->tap_fd, message->data, length_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    return write(q->tap_fd, message, HEADER_BYTES + length_bytes);
}

/* Is it for good? A socket whose other end has gone says so in one of these ways. */
static bool is_gone(int error)
{
    return error == EBADFD || error == EBADF || error == EPIPE || error == ECONNREFUSED ||
           error == ECONNRESET || error == ENOTCONN;
}

/* Errors: of a device that is gone. */
static int write_message(struct pump_queue *q, struct message *message,
                         const struct netfront_frame *frame, struct tap_pump_counts *counts)
{
    if (fill_header(q->pump, frame, &message->header) < 0) {
        counts->not_understood++;
        return 0;
    }
    ssize_t n = put_message(q, message, frame->length_bytes);
    if (n >= 0) {
        counts->to_tap++;
        return 0;
    }
    if (is_gone(errno))
        return -errno;
    counts->tap_refused++; /* as a network card drops what it has no room for */
    return 0;
}

static void *carry_to_tap(void *arg)
{
    struct pump_queue *q = arg;
    struct tap_pump *pump = q->pump;
    struct message *messages = q->to_tap.messages;
    struct netfront_frame frames[BATCH];
    int rc = 0;
    memset(frames, 0, sizeof(frames));
    while (!stops(pump) && rc >= 0) {
        struct tap_pump_counts counts = {0};
        for (uint32_t i = 0; i < BATCH; i++) {
            frames[i].data = messages[i].data;
            frames[i].room_bytes = sizeof(messages[i].data);
        }
        int count = netfront_receive_on(pump->nf, q->index, frames, BATCH, -1);
        struct netfront_info info;
        if (count == -ECANCELED)
            continue;
        if (count < 0) {
            fail(pump, count, false);
            break;
        }
        follow_address(pump, &info);
        for (int i = 0; i < count && rc >= 0; i++)
            rc = write_message(q, &messages[i], &frames[i], &counts);
        add_counts(pump, &counts);
    }
    if (rc < 0)
        fail(pump, rc, true);
    return NULL;
}

/* ---- from the tap device to the interface ---- */

/* The whole length with a header, whether the device has it or not, and however much there is room
 * for; 0: nothing, or a socket's end. */
static ssize_t get_message(const struct pump_queue *q, struct message *message)
{
    if (!q->pump->is_socket)
        return read(q->tap_fd, message, offsetof(struct message, apart));
    ssize_t n = recv(q->tap_fd, message->data, sizeof(message->data), MSG_DONTWAIT | MSG_TRUNC);
    message->header = (struct virtio_net_hdr){.flags = 0};
    return n > 0 ? n + HEADER_BYTES : n;
}

/* As many messages as there are, a batch at most: whoever sends such that are no frames without end
 * keeps neither the frames between them here, nor the pump from its end. Returns the number of
 * frames, *empty: there was nothing more; errors: of the device. */
static int read_messages(struct pump_queue *q, const struct netfront_info *info,
                         struct netfront_frame *frames, struct tap_pump_counts *counts, bool *empty)
{
    struct message *messages = q->from_tap.messages;
    int count = 0;
    *empty = false;
    for (int looks = 0; looks < BATCH; looks++) {
        struct message *message = &messages[count];
        struct netfront_frame *frame = &frames[count];
        ssize_t n = get_message(q, message);
        if (n == 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) {
            *empty = true;
            break;
        }
        if (n < 0)
            return -errno;
        if (n < HEADER_BYTES + NETFRONT_FRAME_MIN || n > HEADER_BYTES + NETFRONT_FRAME_MAX) {
            counts->not_understood++;
            continue;
        }
        *frame = (struct netfront_frame){.data = message->data,
                                         .length_bytes = (uint32_t)n - HEADER_BYTES};
        if (vnet_header_to_frame(&message->header, info, message->data, frame) < 0)
            counts->not_understood++;
        else
            count++;
    }
    return count;
}

/* Sends all of them, in turn. Errors: of the interface. */
static int send_all(struct pump_queue *q, const struct netfront_frame *frames, int count,
                    struct tap_pump_counts *counts)
{
    for (int sent = 0; sent < count && !stops(q->pump);) {
        int rc = netfront_send_on(q->pump->nf, q->index, frames + sent, (uint32_t)(count - sent),
                                  SEND_SLICE_NS);
        if (rc == -ENOTCONN || rc == -EPROTO)
            return rc;
        if (rc == -EAGAIN)
            continue;
        if (rc < 0) { /* a new Dom0 may take less than the last one */
            counts->vif_refused++;
            sent++;
        } else {
            counts->from_tap += (uint64_t)rc;
            sent += rc;
        }
    }
    return 0;
}

static void *carry_from_tap(void *arg)
{
    struct pump_queue *q = arg;
    struct tap_pump *pump = q->pump;
    struct netfront_frame frames[BATCH];
    struct pollfd fds[2] = {{.fd = q->tap_fd, .events = POLLIN},
                            {.fd = pump->stop_fd, .events = POLLIN}};
    int count = 0, rc = 0;
    while (!stops(pump) && count >= 0 && rc == 0) {
        struct tap_pump_counts counts = {0};
        struct netfront_info info;
        bool empty;
        if (poll(fds, 2, -1) < 0 || (fds[1].revents & POLLIN) != 0)
            continue;
        follow_address(pump, &info);
        count = read_messages(q, &info, frames, &counts, &empty);
        if (count > 0)
            rc = send_all(q, frames, count, &counts);
        if (count == 0 && empty && (fds[0].revents & (POLLERR | POLLNVAL | POLLHUP)) != 0)
            count = -ENODEV;
        add_counts(pump, &counts);
    }
    if (count < 0)
        fail(pump, count, true);
    else if (rc < 0)
        fail(pump, rc, false);
    return NULL;
}

/* ---- both ---- */

static int start_direction(struct direction *direction, void *(*carry)(void *),
                           struct pump_queue *q)
{
    direction->messages = calloc(BATCH, sizeof(*direction->messages));
    if (direction->messages == NULL)
        return -ENOMEM;
    int rc = thread_start(&direction->thread, carry, q);
    direction->runs = rc == 0;
    return rc;
}

static void stop_direction(struct direction *direction)
{
    if (direction->runs)
        pthread_join(direction->thread, NULL);
    free(direction->messages);
}

static int start_queue(struct tap_pump *pump, int tap_fd)
{
    struct pump_queue *q = &pump->queue[pump->queues];
    *q = (struct pump_queue){.pump = pump, .index = pump->queues++, .tap_fd = tap_fd};
    int rc = start_direction(&q->to_tap, carry_to_tap, q);
    return rc == 0 ? start_direction(&q->from_tap, carry_from_tap, q) : rc;
}

int tap_pump_start(struct netfront *nf, const struct tap *tap, struct tap_pump **out)
{
    struct tap_pump *pump = calloc(1, sizeof(*pump));
    struct netfront_info info;
    if (pump == NULL)
        return -ENOMEM;
    pthread_mutex_init(&pump->lock, NULL);
    pump->nf = nf;
    pump->is_socket = tap->is_socket;
    netfront_info(nf, &info);
    memcpy(pump->mac, info.mac, sizeof(pump->mac));
    pump->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pump->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = pump->stop_fd < 0 || pump->ended_fd < 0 ? -errno : 0;
    for (uint32_t i = 0; rc == 0 && i < tap->queues; i++)
        rc = start_queue(pump, tap->fd[i]);
    if (rc < 0)
        tap_pump_stop(pump);
    else
        *out = pump;
    return rc;
}

int tap_pump_fd(const struct tap_pump *pump)
{
    return pump->ended_fd;
}

int tap_pump_error(struct tap_pump *pump, bool *of_tap)
{
    pthread_mutex_lock(&pump->lock);
    int error = pump->error;
    *of_tap = pump->of_tap;
    pthread_mutex_unlock(&pump->lock);
    return error;
}

void tap_pump_counts(struct tap_pump *pump, struct tap_pump_counts *out)
{
    pthread_mutex_lock(&pump->lock);
    *out = pump->counts;
    pthread_mutex_unlock(&pump->lock);
}

void tap_pump_stop(struct tap_pump *pump)
{
    if (pump == NULL)
        return;
    pthread_mutex_lock(&pump->lock);
    pump->stops = true;
    pthread_mutex_unlock(&pump->lock);
    if (pump->stop_fd >= 0)
        (void)eventfd_write(pump->stop_fd, 1);
    netfront_interrupt(pump->nf);
    for (uint32_t i = 0; i < pump->queues; i++) {
        stop_direction(&pump->queue[i].to_tap);
        stop_direction(&pump->queue[i].from_tap);
    }
    if (pump->stop_fd >= 0)
        close(pump->stop_fd);
    if (pump->ended_fd >= 0)
        close(pump->ended_fd);
    pthread_mutex_destroy(&pump->lock);
    free(pump);
}
