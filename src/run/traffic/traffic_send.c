/* SPDX-License-Identifier: MIT */
/* traffic_send: frames out, in batches, at a rate of the domain's clock. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/prng.h"
#include "base/thread.h"
#include "run/traffic/traffic.h"

enum {
    BATCH = 32,
    END_FRAMES = 3, /* one of them may be lost */
    END_PAUSE_NS = 10000000,
    SLICE_NS = 100000000,
    NS_PER_S = 1000000000,
    PAUSE_NS = 50000, /* shorter ones are spun */
    FIRST_PORT = 5001,
};

/* Of one queue: the stream of its own, and every so manieth frame of what is to be sent. */
struct sender {
    struct traffic *traffic;
    uint32_t queue;
    uint64_t sent_frames, sent_bytes;
    pthread_t thread;
    int rc;
    struct netfront_frame frames[BATCH];
    uint8_t *data; /* BATCH buffers */
    struct prng sizes;
};

static bool is_stopped(struct traffic *traffic)
{
    struct pollfd stop = {.fd = traffic->session->stop_fd, .events = POLLIN};
    return poll(&stop, 1, 0) == 1;
}

static uint64_t now_ns(const struct traffic *traffic)
{
    return domu_now_ns(traffic->session->domu);
}

/* Of so many frames of all queues, how many this one sends. */
static uint64_t part_of(const struct sender *sender, uint64_t frames)
{
    const uint64_t queues = sender->traffic->queues;
    return frames / queues + (frames % queues > sender->queue);
}

/* How many frames may be sent by now, at most a batch; 0: wait. */
static uint64_t due_count(const struct sender *sender)
{
    const struct traffic *traffic = sender->traffic;
    const struct traffic_options *o = traffic->options;
    uint64_t most = BATCH;
    if (o->count != 0 && part_of(sender, o->count) - sender->sent_frames < most)
        most = part_of(sender, o->count) - sender->sent_frames;
    if (o->rate == 0)
        return most;
    const uint64_t passed_ns = now_ns(traffic) - traffic->begin_ns;
    const uint64_t due = (uint64_t)((unsigned __int128)passed_ns * o->rate / NS_PER_S) + 1;
    const uint64_t mine = part_of(sender, due) - sender->sent_frames;
    return mine < most ? mine : most;
}

/* Until the next frame is due, or a little before. */
static void pause_for_rate(const struct traffic *traffic)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    const struct domu_options *domain = &traffic->options->vif.domain;
    uint64_t interval_ns = NS_PER_S / traffic->options->rate;
    if (domain->tdf_den != 0) /* of real time, which the sleep is of */
        interval_ns = interval_ns * domain->tdf_num / domain->tdf_den;
    if (interval_ns > 2 * PAUSE_NS) /* else it is due sooner than a sleep ends */
        (void)nanosleep(&pause, NULL);
}

static uint32_t next_size(struct sender *sender)
{
    const struct traffic_options *o = sender->traffic->options;
    return o->size_min +
           (o->size_min == o->size_max
                ? 0
                : (uint32_t)prng_below(&sender->sizes, o->size_max - o->size_min + 1));
}

static void fill(struct sender *sender, uint32_t slot, uint64_t number, uint8_t flags)
{
    struct traffic *traffic = sender->traffic;
    struct netfront_frame *frame = &sender->frames[slot];
    const uint16_t gso_size = traffic->options->gso_size;
    frame->length_bytes = next_size(sender);
    frame->gso_type = gso_size != 0 ? NETFRONT_GSO_TCPV4 : NETFRONT_GSO_NONE;
    frame->gso_size_bytes = gso_size;
    frame->checksum_blank = gso_size != 0;
    const struct traffic_header header = {.flags = flags,
                                          .stream = traffic->stream + sender->queue,
                                          .number = number,
                                          .sent_ns = now_ns(traffic)};
    traffic_frame_set(frame->data, frame->length_bytes, &header);
}

/* The next Dom0 drops what comes from the last one's address. */
static void follow_address(struct sender *sender)
{
    uint8_t mac[TRAFFIC_MAC_BYTES];
    traffic_own_mac(sender->traffic, mac);
    if (memcmp(sender->data + TRAFFIC_MAC_BYTES, mac, TRAFFIC_MAC_BYTES) == 0)
        return;
    for (uint32_t i = 0; i < BATCH; i++)
        memcpy(sender->frames[i].data + TRAFFIC_MAC_BYTES, mac, TRAFFIC_MAC_BYTES);
}

/* All of count frames. Errors: of the interface; -EINTR: a signal came. */
static int send_batch(struct sender *sender, uint32_t count)
{
    struct traffic *traffic = sender->traffic;
    for (uint32_t sent = 0; sent < count;) {
        int rc = netfront_send_on(traffic->session->nf, sender->queue, sender->frames + sent,
                                  count - sent, SLICE_NS);
        if (rc == -EAGAIN && is_stopped(traffic))
            return -EINTR;
        if (rc < 0 && rc != -EAGAIN)
            return rc;
        for (int i = 0; i < rc; i++) {
            sender->sent_frames++;
            sender->sent_bytes += sender->frames[sent++].length_bytes;
        }
    }
    return 0;
}

static bool is_done(const struct sender *sender)
{
    const struct traffic *traffic = sender->traffic;
    const struct traffic_options *o = traffic->options;
    return (o->count != 0 && sender->sent_frames >= part_of(sender, o->count)) ||
           (o->time_ns != 0 && now_ns(traffic) - traffic->begin_ns >= o->time_ns);
}

static int send_all(struct sender *sender)
{
    struct traffic *traffic = sender->traffic;
    int rc = 0;
    while (rc == 0 && !is_done(sender) && !is_stopped(traffic)) {
        const uint64_t count = due_count(sender);
        follow_address(sender);
        for (uint32_t i = 0; i < count; i++)
            fill(sender, i, sender->sent_frames + i, 0);
        rc = send_batch(sender, (uint32_t)count);
        if (count == 0)
            pause_for_rate(traffic);
    }
    return rc == -EINTR ? 0 : rc;
}

/* Says that there is no more, when who receives has had time to make room; these frames are not
 * counted. */
static int send_end(struct sender *sender)
{
    const struct timespec pause = {.tv_nsec = END_PAUSE_NS};
    const uint64_t frames = sender->sent_frames, bytes = sender->sent_bytes;
    int rc = 0;
    for (uint32_t i = 0; i < END_FRAMES && rc == 0; i++) {
        (void)nanosleep(&pause, NULL);
        follow_address(sender);
        fill(sender, 0, frames, TRAFFIC_END);
        rc = send_batch(sender, 1);
    }
    sender->sent_frames = frames;
    sender->sent_bytes = bytes;
    return rc == -EINTR ? 0 : rc;
}

static void prepare(struct sender *sender)
{
    const struct traffic *traffic = sender->traffic;
    const struct traffic_options *o = traffic->options;
    const uint32_t stream = traffic->stream + sender->queue;
    struct traffic_address address = {.tcp_port = 0};
    if (o->gso_size != 0 || traffic->queues > 1)
        address.tcp_port = (uint16_t)(FIRST_PORT + sender->queue);
    prng_init(&sender->sizes, stream, 1);
    memcpy(address.to, o->to, TRAFFIC_MAC_BYTES);
    traffic_own_mac(traffic, address.from);
    for (uint32_t i = 0; i < BATCH; i++) {
        uint8_t *data = sender->data + (size_t)i * TRAFFIC_BUFFER_BYTES;
        sender->frames[i] = (struct netfront_frame){.data = data};
        traffic_frame_prepare(data, o->size_max, &address, stream);
    }
}

static void *send_in_queue(void *arg)
{
    struct sender *sender = arg;
    struct traffic *traffic = sender->traffic;
    struct netfront *nf = traffic->session->nf;
    sender->data = malloc((size_t)BATCH * TRAFFIC_BUFFER_BYTES);
    if (sender->data == NULL) {
        sender->rc = -ENOMEM;
        return NULL;
    }
    prepare(sender);
    sender->rc = send_all(sender);
    pthread_mutex_lock(&traffic->lock);
    traffic->end_ns = now_ns(traffic);
    traffic->sent_frames += sender->sent_frames;
    traffic->sent_bytes += sender->sent_bytes;
    pthread_mutex_unlock(&traffic->lock);
    if (sender->rc == 0)
        sender->rc = netfront_drain_on(nf, sender->queue, (int64_t)10 * NS_PER_S);
    if (sender->rc == 0 || sender->rc == -EAGAIN)
        sender->rc = send_end(sender);
    free(sender->data);
    return NULL;
}

/* This thread is the first queue's. */
int traffic_send(struct traffic *traffic)
{
    struct sender *senders = calloc(traffic->queues, sizeof(*senders));
    uint32_t started = 1;
    int rc = 0;
    if (senders == NULL)
        return -ENOMEM;
    traffic->begin_ns = now_ns(traffic);
    for (uint32_t i = 0; i < traffic->queues; i++)
        senders[i] = (struct sender){.traffic = traffic, .queue = i};
    for (; started < traffic->queues && rc == 0; started += rc == 0)
        rc = thread_start(&senders[started].thread, send_in_queue, &senders[started]);
    send_in_queue(&senders[0]);
    for (uint32_t i = 0; i < started; i++) {
        if (i > 0)
            pthread_join(senders[i].thread, NULL);
        rc = rc == 0 ? senders[i].rc : rc;
    }
    free(senders);
    return rc;
}
