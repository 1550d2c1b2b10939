/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer harness for dom0.sock: the input is a sequence of what peers do. Domains are only
 * counted. After each step there is at most one domain a connection, and every packet has had its
 * reply or ended its connection.
 *
 * One step: a byte (low 3 bits: what, high 5 bits: which peer), then what that needs:
 *   0 connect   1 hang up   2 a good request: op, arg0   3 a packet of raw bytes: length, bytes
 *   4 a good header, then raw bytes   5 create_domain fails from now on, or not any more
 *   6 a good request with descriptors   7 Dom0 drops the peer's domain, and who waits for a disk to
 *     go is answered
 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/control_world.h"

/* fd: -1, or one that goes along. */
static void tell(struct world *w, int peer, const void *bytes, size_t byte_count, int fd)
{
    if (w->peer[peer] >= 0)
        (void)unix_socket_send(w->peer[peer], bytes, byte_count, &fd, fd >= 0, false);
}

static struct control_request good_request(struct input *in)
{
    static const uint32_t op[] = {CONTROL_CREATE_DOMAIN, CONTROL_EVTCHN_ALLOC_UNBOUND,
                                  CONTROL_EVTCHN_CLOSE,  CONTROL_STATUS,
                                  CONTROL_STOP,          CONTROL_MAPPED,
                                  CONTROL_SHARED_CACHE,  UINT32_MAX,
                                  CONTROL_BLOCK_ATTACH,  CONTROL_BLOCK_DETACH,
                                  CONTROL_BLOCK_DESTROY, CONTROL_RESIZE,
                                  CONTROL_DESTROY};
    struct control_request request = {.magic = CONTROL_MAGIC, .version = CONTROL_VERSION};
    request.op = op[take(in) % (sizeof(op) / sizeof(op[0]))];
    request.arg0 = take(in);
    return request;
}

static void raw(struct world *w, struct input *in, int peer, bool header)
{
    uint8_t bytes[sizeof(struct control_request) + RAW_MAX]; /* the text, too */
    const struct control_request good = {
        .magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .op = CONTROL_DESCRIBE};
    size_t used = header ? 2 * sizeof(uint32_t) : 0, count = take(in);
    if (header && count % 2 != 0)
        used = sizeof(good); /* a text follows */
    memcpy(bytes, &good, used);
    for (size_t i = 0; i < count; i++)
        bytes[used++] = take(in);
    tell(w, peer, bytes, used, -1);
}

/* A verb about disks has text, mostly with the NUL that it needs. */
static void tell_with_text(struct world *w, struct input *in, int peer,
                           const struct control_request *request)
{
    uint8_t bytes[sizeof(*request) + RAW_MAX];
    size_t used = sizeof(*request);
    memcpy(bytes, request, sizeof(*request));
    if (request->op >= CONTROL_BLOCK_ATTACH && request->op <= CONTROL_RESIZE) {
        for (size_t count = take(in) % 8; count > 0; count--)
            bytes[used++] = take(in);
        if (take(in) % 8 != 0)
            bytes[used++] = 0;
    }
    tell(w, peer, bytes, used, -1);
}

static void drop_one(struct world *w, int which)
{
    struct domain *domain = &w->domains[which % DOMAINS];
    if (domain->lives)
        control_drop_domain(w->control, domain);
}

static void step(struct world *w, struct input *in)
{
    const uint8_t what = take(in);
    const int peer = (what >> 3) % PEERS;
    struct control_request request;
    switch (what & 7) {
    case 0:
        dial(w, peer);
        break;
    case 1:
        hang_up(w, peer);
        break;
    case 2:
        request = good_request(in);
        tell_with_text(w, in, peer, &request);
        break;
    case 3:
    case 4:
        raw(w, in, peer, (what & 7) == 4);
        break;
    case 5:
        w->refuses = !w->refuses;
        break;
    case 6:
        request = good_request(in);
        tell(w, peer, &request, sizeof(request), 0);
        break;
    default:
        answer_all(w);
        drop_one(w, what >> 3);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w = {.created = 0};
    struct input in = {.data = data, .left = size};
    memset(w.peer, -1, sizeof(w.peer));
    snprintf(w.dir, sizeof(w.dir), "/tmp/splitdom-fuzz-XXXXXX");
    require(mkdtemp(w.dir) != NULL);
    snprintf(w.socket, sizeof(w.socket), "%s/s", w.dir);
    snprintf(w.log_path, sizeof(w.log_path), "%s/log", w.dir);
    require(log_open(&(struct log_options){.path = w.log_path}, &w.log) == 0);
    require(poller_create(POLLER_EPOLL, &w.poller) == 0);
    require(control_create(w.socket, w.poller, w.log, PEERS_MAX, &ops, &w, &w.control) == 0);
    while (in.left > 0) {
        step(&w, &in);
        if ((in.left & 3) != 0) /* else several steps meet in one turn */
            run(&w);
    }
    run(&w);
    for (int i = 0; i < PEERS; i++)
        hang_up(&w, i);
    run(&w);
    require(w.created == w.ended);
    control_destroy(w.control);
    poller_destroy(w.poller);
    log_close(w.log);
    require(unlink(w.log_path) == 0);
    require(rmdir(w.dir) == 0);
    return 0;
}
