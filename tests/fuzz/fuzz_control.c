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
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unix_socket.h"
#include "fuzz/input.h"
#include "service/dom0/control.h"

enum { PEERS = 8, PEERS_MAX = 6, DOMAINS = 16, DOORBELL_FD = 1, RAW_MAX = 255 };

struct domain {
    bool lives;
};

struct world {
    char dir[64], socket[96], log_path[96];
    struct poller *poller;
    struct log *log;
    struct control *control;
    struct domain domains[DOMAINS];
    uint32_t created, ended, stops;
    struct control_peer *waiting[PEERS]; /* for a disk to go */
    bool refuses;
    int peer[PEERS];
};

static int create_domain(void *ctx, const struct control_request *request, pid_t pid,
                         struct domain **out, int *segment_fd, struct why *why)
{
    struct world *w = ctx;
    (void)request;
    (void)pid;
    for (uint32_t i = 0; i < DOMAINS && !w->refuses; i++) {
        if (w->domains[i].lives)
            continue;
        *segment_fd = DOORBELL_FD; /* any: it stays ours */
        w->domains[i].lives = true;
        w->created++;
        *out = &w->domains[i];
        return 0;
    }
    return why_fail(why, -EAGAIN, "no");
}

static void end_domain(void *ctx, struct domain *domain)
{
    struct world *w = ctx;
    require(domain->lives);
    domain->lives = false;
    w->ended++;
}

static int doorbell_fd(const struct domain *domain)
{
    require(domain->lives);
    return DOORBELL_FD;
}

static uint32_t domid(const struct domain *domain)
{
    require(domain->lives);
    return 1;
}

static int alloc_port(struct domain *domain, uint32_t vcpu)
{
    require(domain->lives);
    return vcpu < 2 ? 7 : -EINVAL;
}

static int shared_cache(struct domain *domain, uint32_t devid)
{
    require(domain->lives);
    return devid < 2 ? DOORBELL_FD : -ENODEV;
}

static int mapped(struct domain *domain)
{
    require(domain->lives);
    return 0;
}

static int describe(void *ctx, struct domain *domain, const struct control_description *wanted,
                    struct why *why)
{
    (void)ctx;
    require(domain->lives && strlen(wanted->name) < CONTROL_TEXT_MAX);
    return wanted->name[0] == 'x' ? why_fail(why, -EEXIST, "no") : 0;
}

static struct domain *find(void *ctx, uint32_t domid)
{
    struct world *w = ctx;
    return domid < DOMAINS && w->domains[domid].lives ? &w->domains[domid] : NULL;
}

static int close_port(struct domain *domain, uint32_t port)
{
    require(domain->lives);
    return port == 7 ? 0 : -EINVAL;
}

static int status(void *ctx, uint32_t *bytes)
{
    (void)ctx;
    *bytes = 0;
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void stop(void *ctx)
{
    struct world *w = ctx;
    w->stops++;
}

static int judge(uint32_t domid, const char *spec, struct why *why)
{
    require(strlen(spec) < CONTROL_TEXT_MAX);
    return domid % 2 == 0 ? 0 : why_fail(why, -EINVAL, "%200s%s", "no ", spec);
}

static int attach_disk(void *ctx, uint32_t domid, const char *spec, struct control_peer *asker,
                       struct why *why)
{
    (void)ctx;
    (void)asker;
    return judge(domid, spec, why);
}

static int resize(void *ctx, const char *which, struct why *why)
{
    (void)ctx;
    return judge(0, which, why);
}

static int detach_disk(void *ctx, uint32_t domid, const char *vdev, bool force,
                       struct control_peer *asker, struct why *why)
{
    struct world *w = ctx;
    int place = 0;
    require(strlen(vdev) < CONTROL_TEXT_MAX);
    if (force || domid % 2 == 0)
        return judge(domid, vdev, why);
    while (w->waiting[place] != NULL)
        require(++place < PEERS);
    w->waiting[place] = asker;
    return -EINPROGRESS;
}

static void forget(void *ctx, struct control_peer *asker)
{
    struct world *w = ctx;
    int place = 0;
    while (w->waiting[place] != asker)
        require(++place < PEERS);
    w->waiting[place] = NULL;
}

static void answer_all(struct world *w)
{
    for (int i = 0; i < PEERS; i++) {
        struct control_peer *asker = w->waiting[i];
        w->waiting[i] = NULL;
        if (asker != NULL)
            control_answer(asker, 0, "");
    }
}

static int trace(void *ctx, struct control_peer *asker, uint32_t domid, uint32_t sample)
{
    (void)ctx;
    (void)asker;
    return domid == 0 && sample > 0 ? STDIN_FILENO : -ENOENT;
}

static int trace_next(void *ctx, struct control_peer *asker, uint32_t *domid, bool *fresh)
{
    (void)ctx;
    (void)asker;
    *domid = 3;
    *fresh = true;
    return STDIN_FILENO;
}

static int trace_memory(void *ctx, struct domain *domain)
{
    (void)ctx;
    (void)domain;
    return STDIN_FILENO;
}

static void trace_end(void *ctx, struct control_peer *asker)
{
    (void)ctx;
    (void)asker;
}

static const struct control_ops ops = {.create_domain = create_domain,
                                       .mapped = mapped,
                                       .end_domain = end_domain,
                                       .doorbell_fd = doorbell_fd,
                                       .domid = domid,
                                       .alloc_port = alloc_port,
                                       .close_port = close_port,
                                       .shared_cache = shared_cache,
                                       .status = status,
                                       .stop = stop,
                                       .attach_disk = attach_disk,
                                       .detach_disk = detach_disk,
                                       .forget = forget,
                                       .trace = trace,
                                       .trace_next = trace_next,
                                       .trace_memory = trace_memory,
                                       .trace_end = trace_end,
                                       .resize = resize,

                                       .describe = describe,
                                       .find = find};

/* Reads the replies of all peers: each is whole, and what it carries is closed. */
static void read_replies(struct world *w)
{
    for (int i = 0; i < PEERS; i++) {
        struct control_reply reply;
        union {
            char bytes[CMSG_SPACE(4 * sizeof(int))];
            struct cmsghdr align;
        } control;
        struct iovec iov = {.iov_base = &reply, .iov_len = sizeof(reply)};
        struct msghdr message = {.msg_iov = &iov,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof(control.bytes)};
        ssize_t n;
        while (w->peer[i] >= 0 &&
               (n = recvmsg(w->peer[i], &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) > 0) {
            require(n == (ssize_t)sizeof(reply) && reply.magic == CONTROL_MAGIC);
            require(memchr(reply.reason, '\0', sizeof(reply.reason)) != NULL);
            struct cmsghdr *header = CMSG_FIRSTHDR(&message);
            require(header == NULL || reply.status == 0 || reply.arg0 >= sizeof(reply.reason));
            for (size_t k = 0; header != NULL && k < (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                 k++) {
                int fd;
                memcpy(&fd, CMSG_DATA(header) + k * sizeof(int), sizeof(fd));
                close(fd);
            }
            message.msg_controllen = sizeof(control.bytes);
        }
    }
}

static void run(struct world *w)
{
    uint32_t live = 0, peers = 0;
    do
        require(poller_run(w->poller, false) >= 0);
    while (control_run(w->control));
    require(!control_has_news(w->control));
    read_replies(w);
    for (uint32_t i = 0; i < DOMAINS; i++)
        live += w->domains[i].lives;
    for (int i = 0; i < PEERS; i++)
        peers += w->peer[i] >= 0;
    require(w->created - w->ended == live);
    require(live <= peers && live <= PEERS_MAX);
}

static void dial(struct world *w, int peer)
{
    if (w->peer[peer] >= 0)
        return;
    w->peer[peer] = unix_socket_connect(w->socket, SOCK_SEQPACKET, 0);
    require(w->peer[peer] >= 0);
}

static void hang_up(struct world *w, int peer)
{
    if (w->peer[peer] >= 0)
        close(w->peer[peer]);
    w->peer[peer] = -1;
}

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
