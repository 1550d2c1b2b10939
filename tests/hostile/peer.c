/* SPDX-License-Identifier: MIT */
#include "peer.h"
#include "base/clock.h"
#include "base/unix_socket.h"
#include "base/why.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ring/evtchn.h"
#include "ring/gnttab.h"
#include "service/cli/control_client.h"
#include "xenstore/xenbus_state.h"

enum { VCPU_STORE = 0, VCPU_RING = 1 };
#define DEVICE "device/vbd/51712"

int64_t peer_now_ms(void)
{
    return (int64_t)(clock_monotonic_ns() / 1000000);
}

void peer_sleep_ms(int64_t ms)
{
    struct timespec pause = clock_timespec((uint64_t)ms * 1000000);
    (void)nanosleep(&pause, NULL);
}

int peer_dial(const char *path, int type)
{
    return unix_socket_connect(path, type, PEER_PATIENCE_MS / 1000);
}

int peer_ask(int control_fd, struct control_request *request, struct control_reply *reply,
             int fds[2])
{
    size_t count;
    fds[0] = fds[1] = -1;
    request->magic = CONTROL_MAGIC;
    request->version = CONTROL_VERSION;
    int rc = unix_socket_send(control_fd, request, sizeof(*request), NULL, 0, true);
    if (rc < 0)
        return rc;
    ssize_t n = unix_socket_receive(control_fd, reply, sizeof(*reply), fds, 2, &count);
    if (n < 0)
        return (int)n;
    return n == (ssize_t)sizeof(*reply) ? reply->status : -ENOTCONN;
}

static void store_notify(void *ctx)
{
    struct peer *peer = ctx;
    (void)evtchn_kick(peer->doorbell_fd);
}

static void ignore_port(void *ctx, evtchn_port_t port)
{
    (void)ctx;
    (void)port;
}

static int store_wait(void *ctx, int timeout_ms)
{
    struct peer *peer = ctx;
    struct shared_info *si = peer->segment.shared_info;
    int64_t left_ns = timeout_ms < 0 ? -1 : (int64_t)timeout_ms * 1000000;
    /* In slices, because nothing wakes us when Dom0 drops this domain. */
    while (left_ns > 0) {
        struct pollfd line = {.fd = peer->control_fd, .events = POLLRDHUP};
        int64_t slice_ns = left_ns < 20000000 ? left_ns : 20000000;
        int rc = evtchn_wait(si, VCPU_STORE, slice_ns);
        /* What came after the time was up is taken here: it has to be looked at, too. */
        if (evtchn_collect(si, VCPU_STORE, ignore_port, NULL) > 0 || rc == 0)
            return 0;
        if (poll(&line, 1, 0) > 0)
            return -ENOTCONN;
        left_ns -= slice_ns;
    }
    return -ETIMEDOUT;
}

static const struct xs_client_ops store_ops = {.notify = store_notify, .wait = store_wait};

/* Ring pages, then data pages, granted for good; pages beyond those stay ours alone. */
static int lay_out(struct peer *peer)
{
    uint32_t ring_pages = 1u << peer->order;
    struct segment *segment = &peer->segment;
    if (ring_pages + PEER_DATA_PAGES > segment->nr_free_pages)
        return -EPROTO;
    for (uint32_t i = 0; i < ring_pages; i++) {
        peer->ring_pfn[i] = segment->free_pfn + (peer->scattered ? ring_pages - 1 - i : i);
        gnttab_grant_access(segment->gnttab, PEER_REF + i, DOM0_DOMID, peer->ring_pfn[i], false);
    }
    peer->data_pfn = segment->free_pfn + ring_pages;
    peer->data_ref = PEER_REF + ring_pages;
    for (uint32_t i = 0; i < PEER_DATA_PAGES; i++)
        gnttab_grant_access(segment->gnttab, peer->data_ref + i, DOM0_DOMID, peer->data_pfn + i,
                            false);
    if (!peer->scattered) {
        peer->view = segment_page(segment, peer->ring_pfn[0]);
        return 0;
    }
    size_t bytes = (size_t)ring_pages << XEN_PAGE_SHIFT;
    uint8_t *view = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (view == MAP_FAILED)
        return -errno;
    peer->view = view;
    for (uint32_t i = 0; i < ring_pages; i++) {
        if (mmap(view + ((size_t)i << XEN_PAGE_SHIFT), XEN_PAGE_SIZE, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_FIXED, peer->segment_fd,
                 (off_t)peer->ring_pfn[i] << XEN_PAGE_SHIFT) == MAP_FAILED)
            return -errno;
    }
    return 0;
}

static void start_ring(struct peer *peer)
{
    sring_init(peer->view, 0);
    front_ring_init(&peer->ring.half, peer->view, blkif_ring_entries(peer->order), 0);
}

int peer_create(struct peer *peer, const struct rundir *rundir, uint32_t order, bool scattered)
{
    struct control_request request = {.op = CONTROL_CREATE_DOMAIN, .arg0 = PEER_PAGES};
    struct control_request alloc = {.op = CONTROL_EVTCHN_ALLOC_UNBOUND, .arg0 = VCPU_RING};
    struct control_request mapped = {.op = CONTROL_MAPPED};
    struct control_reply reply;
    int fds[2];
    *peer = (struct peer){.rundir = *rundir,
                          .control_fd = -1,
                          .doorbell_fd = -1,
                          .segment_fd = -1,
                          .order = order,
                          .scattered = scattered};
    int rc = peer->control_fd = peer_dial(rundir->control_socket, SOCK_SEQPACKET);
    if (rc >= 0) {
        rc = peer_ask(peer->control_fd, &request, &reply, fds);
        peer->segment_fd = fds[0];
        peer->doorbell_fd = fds[1];
    }
    if (rc >= 0)
        rc = segment_attach(peer->segment_fd, &peer->segment);
    if (rc >= 0)
        rc = xs_client_create(peer->segment.store, &store_ops, peer, &peer->store);
    if (rc >= 0)
        rc = peer_ask(peer->control_fd, &alloc, &reply, fds);
    if (rc >= 0) {
        peer->port = reply.arg0;
        rc = lay_out(peer);
    }
    if (rc >= 0)
        rc = peer_ask(peer->control_fd, &mapped, &reply, fds);
    if (rc < 0) {
        peer_destroy(peer);
        return rc;
    }
    start_ring(peer);
    return 0;
}

void peer_destroy(struct peer *peer)
{
    xs_client_destroy(peer->store);
    if (peer->scattered && peer->view != NULL)
        munmap(peer->view, (size_t)XEN_PAGE_SIZE << peer->order);
    segment_detach(&peer->segment);
    if (peer->control_fd >= 0)
        close(peer->control_fd);
    if (peer->doorbell_fd >= 0)
        close(peer->doorbell_fd);
    if (peer->segment_fd >= 0)
        close(peer->segment_fd);
    *peer = (struct peer){.control_fd = -1, .doorbell_fd = -1, .segment_fd = -1};
}

int peer_write(struct peer *peer, const char *node, const char *format, ...)
{
    char path[128], value[128];
    va_list args;
    va_start(args, format);
    vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    snprintf(path, sizeof(path), DEVICE "/%s", node);
    return xs_client_write(peer->store, 0, path, value);
}

int peer_state(struct peer *peer, enum xenbus_state state)
{
    return peer_write(peer, "state", "%d", state);
}

int peer_back_state(struct peer *peer)
{
    char path[128], value[16];
    enum xenbus_state state;
    snprintf(path, sizeof(path), "/local/domain/0/backend/vbd/%u/51712/state", peer->segment.domid);
    int rc = xs_client_read(peer->store, 0, path, value, sizeof(value));
    if (rc < 0)
        return rc;
    return xenbus_state_parse(value, &state) < 0 ? -EPROTO : (int)state;
}

int peer_wait_state(struct peer *peer, enum xenbus_state state)
{
    int64_t deadline = peer_now_ms() + PEER_PATIENCE_MS;
    for (;;) {
        int now = peer_back_state(peer);
        if (now < 0 || now == (int)state)
            return now < 0 ? now : 0;
        if (peer_now_ms() > deadline)
            return -ETIMEDOUT;
        peer_sleep_ms(1);
    }
}

int peer_connect(struct peer *peer)
{
    int rc = peer_wait_state(peer, XenbusStateInitWait);
    if (rc == 0 && peer->order == 0)
        rc = peer_write(peer, "ring-ref", "%u", PEER_REF);
    if (rc == 0 && peer->order > 0)
        rc = peer_write(peer, "ring-page-order", "%u", peer->order);
    for (uint32_t i = 0; rc == 0 && peer->order > 0 && i < 1u << peer->order; i++) {
        char node[32];
        snprintf(node, sizeof(node), "ring-ref%u", i);
        rc = peer_write(peer, node, "%u", PEER_REF + i);
    }
    if (rc == 0)
        rc = peer_write(peer, "event-channel", "%u", peer->port);
    if (rc == 0)
        rc = peer_state(peer, XenbusStateInitialised);
    if (rc == 0)
        rc = peer_wait_state(peer, XenbusStateConnected);
    return rc == 0 ? peer_state(peer, XenbusStateConnected) : rc;
}

int peer_open(struct peer *peer, const struct rundir *rundir)
{
    int rc = peer_create(peer, rundir, 0, false);
    return rc < 0 ? rc : peer_connect(peer);
}

int peer_restart(struct peer *peer)
{
    int rc = peer_state(peer, XenbusStateClosed);
    if (rc == 0)
        rc = peer_wait_state(peer, XenbusStateClosed);
    if (rc == 0)
        start_ring(peer);
    if (rc == 0)
        rc = peer_state(peer, XenbusStateInitialising);
    return rc == 0 ? peer_wait_state(peer, XenbusStateInitWait) : rc;
}

struct blkif_request peer_read_request(const struct peer *peer, uint64_t id, uint64_t sector)
{
    struct blkif_request req;
    memset(&req, 0, sizeof(req));
    req.operation = BLKIF_OP_READ;
    req.nr_segments = 1;
    req.id = id;
    req.sector_number = sector;
    req.seg[0].gref = peer->data_ref;
    return req;
}

void peer_push(struct peer *peer, bool always)
{
    if (front_ring_push(&peer->ring.half) || always)
        (void)evtchn_kick(peer->doorbell_fd);
}

int peer_response(struct peer *peer, struct blkif_response *rsp)
{
    struct shared_info *si = peer->segment.shared_info;
    int64_t deadline = peer_now_ms() + PEER_PATIENCE_MS;
    for (;;) {
        int rc = blkif_take_response(&peer->ring, rsp);
        if (rc != 0)
            return rc < 0 ? rc : 0;
        if (peer_now_ms() > deadline)
            return -ETIMEDOUT;
        if (front_ring_final_check(&peer->ring.half))
            continue;
        (void)evtchn_wait(si, VCPU_RING, 5000000);
        (void)evtchn_collect(si, VCPU_RING, ignore_port, NULL);
    }
}

/* The whole slot, whatever it says, and whether or not there is room: the ring's own functions hold
 * their caller to the rules. */
void peer_put(struct peer *peer, const struct blkif_request *req)
{
    struct front_ring *half = &peer->ring.half;
    memcpy(blkif_ring_slot(half->sring, half->nr_ents, half->req_prod_pvt++), req, sizeof(*req));
}

int peer_request(struct peer *peer, const struct blkif_request *req)
{
    struct blkif_response rsp;
    peer_put(peer, req);
    peer_push(peer, false);
    int rc = peer_response(peer, &rsp);
    if (rc < 0)
        return rc;
    return rsp.id == req->id ? rsp.status : -EPROTO;
}

int64_t peer_status(const struct rundir *rundir, domid_t domid, const char *field)
{
    struct why why;
    char name[64], *text;
    size_t bytes;
    if (control_client_ask(rundir->control_socket, CONTROL_STATUS, &text, &bytes, &why) < 0)
        return -ENOTCONN;
    const char *json = text + strlen(text) + 1;
    int64_t value = -ENOENT;
    if (domid != 0) {
        snprintf(name, sizeof(name), "{\"domid\":%u,", domid);
        json = strstr(json, name);
    }
    snprintf(name, sizeof(name), "\"%s\":", field);
    const char *at = json == NULL ? NULL : strstr(json, name);
    if (at != NULL) {
        at += strlen(name);
        value = *at == 't' ? 1 : *at == 'f' ? 0 : strtoll(at, NULL, 10);
    }
    free(text);
    return value;
}
