/* SPDX-License-Identifier: MIT */
/* traffic_receive: judges what comes, and sends it back if it is asked to. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "run/traffic/traffic.h"

enum { BATCH = 32, ECHO_WAIT_NS = 100000000 };

/* With the lock: the record of a sender; NULL: there are too many. */
static struct traffic_stream *stream_of(struct traffic *traffic, uint32_t id)
{
    for (uint32_t i = 0; i < traffic->stream_count; i++)
        if (traffic->streams[i]->id == id)
            return traffic->streams[i];
    if (traffic->stream_count == TRAFFIC_STREAMS_MAX)
        return NULL;
    struct traffic_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL)
        return NULL;
    stream->id = id;
    traffic->streams[traffic->stream_count++] = stream;
    return stream;
}

static void take_end(struct traffic *traffic, struct traffic_stream *stream, uint64_t total,
                     bool returned)
{
    if (!stream->ended && !returned)
        traffic->ended_count++;
    traffic_stream_end(stream, total);
    (void)eventfd_write(traffic->changed_fd, 1);
}

/* A sound frame. Returns whether it is one to be sent back. */
static bool take_sound(struct traffic *traffic, const struct traffic_header *header,
                       uint32_t length_bytes, uint64_t now_ns)
{
    const bool returned = (header->flags & TRAFFIC_RETURNED) != 0;
    struct traffic_stream *stream = NULL;
    if (!returned)
        stream = stream_of(traffic, header->stream);
    else if (header->stream - traffic->stream < traffic->queues)
        stream = &traffic->returned[header->stream - traffic->stream];
    if (stream == NULL) {
        traffic->unheard++;
        return false;
    }
    if (traffic->begin_ns == 0)
        traffic->begin_ns = now_ns;
    if ((header->flags & TRAFFIC_END) != 0) {
        take_end(traffic, stream, header->number, returned);
        return !returned;
    }
    if (!traffic->options->sends)
        traffic->end_ns = now_ns;
    traffic->received_frames++;
    traffic->received_bytes += length_bytes;
    traffic_stream_take(stream, header->number, length_bytes);
    if (returned && now_ns >= header->sent_ns)
        traffic_times_add(traffic->round_trips, now_ns - header->sent_ns);
    return !returned;
}

struct judged {
    enum traffic_verdict verdict;
    struct traffic_header header;
};

/* With the lock. */
static bool take(struct traffic *traffic, const struct judged *judged, uint32_t length_bytes,
                 uint64_t now_ns)
{
    switch (judged->verdict) {
    case TRAFFIC_SOUND:
        return take_sound(traffic, &judged->header, length_bytes, now_ns);
    case TRAFFIC_CORRUPT:
        traffic->corrupt++;
        return false;
    default:
        traffic->foreign++;
        return false;
    }
}

/* Sends those back that are to be. */
static void echo(const struct traffic_receiver *receiver, struct netfront_frame *frames,
                 uint32_t count)
{
    struct traffic *traffic = receiver->traffic;
    uint8_t mac[TRAFFIC_MAC_BYTES];
    traffic_own_mac(traffic, mac);
    for (uint32_t i = 0; i < count; i++) {
        traffic_frame_return(frames[i].data, mac);
        frames[i].stamp_ns = 0;
    }
    for (uint32_t sent = 0; sent < count;) {
        int rc = netfront_send_on(traffic->session->nf, receiver->queue, frames + sent,
                                  count - sent, ECHO_WAIT_NS);
        if (rc <= 0) {
            pthread_mutex_lock(&traffic->lock);
            traffic->not_echoed += count - sent;
            pthread_mutex_unlock(&traffic->lock);
            return;
        }
        sent += (uint32_t)rc;
    }
}

static void take_batch(const struct traffic_receiver *receiver, struct netfront_frame *frames,
                       uint32_t count)
{
    struct traffic *traffic = receiver->traffic;
    struct netfront_frame back[BATCH];
    struct judged judged[BATCH];
    uint32_t back_count = 0;
    const uint64_t now_ns = domu_now_ns(traffic->session->domu);
    for (uint32_t i = 0; i < count; i++)
        judged[i].verdict =
            traffic_frame_judge(frames[i].data, frames[i].length_bytes, &judged[i].header);
    pthread_mutex_lock(&traffic->lock);
    for (uint32_t i = 0; i < count; i++)
        if (take(traffic, &judged[i], frames[i].length_bytes, now_ns) && traffic->options->echoes)
            back[back_count++] = frames[i];
    pthread_mutex_unlock(&traffic->lock);
    if (back_count > 0)
        echo(receiver, back, back_count);
}

static bool stops(struct traffic *traffic)
{
    pthread_mutex_lock(&traffic->lock);
    bool result = traffic->stops;
    pthread_mutex_unlock(&traffic->lock);
    return result;
}

void *traffic_receive(void *arg)
{
    const struct traffic_receiver *receiver = arg;
    struct traffic *traffic = receiver->traffic;
    struct netfront_frame frames[BATCH];
    uint8_t *data = malloc((size_t)BATCH * TRAFFIC_BUFFER_BYTES);
    int rc = data == NULL ? -ENOMEM : 0;
    while (!stops(traffic) && (rc >= 0 || rc == -ECANCELED)) {
        for (uint32_t i = 0; i < BATCH; i++)
            frames[i] = (struct netfront_frame){.data = data + (size_t)i * TRAFFIC_BUFFER_BYTES,
                                                .room_bytes = TRAFFIC_FRAME_MAX};
        rc = netfront_receive_on(traffic->session->nf, receiver->queue, frames, BATCH, -1);
        if (rc > 0)
            take_batch(receiver, frames, (uint32_t)rc);
    }
    pthread_mutex_lock(&traffic->lock);
    if (rc < 0 && rc != -ECANCELED)
        traffic->error = rc;
    pthread_mutex_unlock(&traffic->lock);
    (void)eventfd_write(traffic->changed_fd, 1);
    free(data);
    return NULL;
}
