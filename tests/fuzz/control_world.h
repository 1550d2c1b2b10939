/* SPDX-License-Identifier: MIT */
/* control_world: a Dom0 that does nothing but count its domains, with connections to its socket. */
#ifndef SPLITDOM_TESTS_FUZZ_CONTROL_WORLD_H
#define SPLITDOM_TESTS_FUZZ_CONTROL_WORLD_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
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

static inline int create_domain(void *ctx, const struct control_request *request, pid_t pid,
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

static inline void end_domain(void *ctx, struct domain *domain)
{
    struct world *w = ctx;
    require(domain->lives);
    domain->lives = false;
    w->ended++;
}

static inline int doorbell_fd(const struct domain *domain)
{
    require(domain->lives);
    return DOORBELL_FD;
}

static inline uint32_t domid(const struct domain *domain)
{
    require(domain->lives);
    return 1;
}

static inline int alloc_port(struct domain *domain, uint32_t vcpu)
{
    require(domain->lives);
    return vcpu < 2 ? 7 : -EINVAL;
}

static inline int shared_cache(struct domain *domain, uint32_t devid)
{
    require(domain->lives);
    return devid < 2 ? DOORBELL_FD : -ENODEV;
}

static inline int mapped(struct domain *domain)
{
    require(domain->lives);
    return 0;
}

static inline int describe(void *ctx, struct domain *domain,
                           const struct control_description *wanted, struct why *why)
{
    (void)ctx;
    require(domain->lives && strlen(wanted->name) < CONTROL_TEXT_MAX);
    return wanted->name[0] == 'x' ? why_fail(why, -EEXIST, "no") : 0;
}

static inline struct domain *find(void *ctx, uint32_t domid)
{
    struct world *w = ctx;
    return domid < DOMAINS && w->domains[domid].lives ? &w->domains[domid] : NULL;
}

static inline int close_port(struct domain *domain, uint32_t port)
{
    require(domain->lives);
    return port == 7 ? 0 : -EINVAL;
}

static inline int status(void *ctx, uint32_t *bytes)
{
    (void)ctx;
    *bytes = 0;
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static inline void stop(void *ctx)
{
    struct world *w = ctx;
    w->stops++;
}

static inline int judge(uint32_t domid, const char *spec, struct why *why)
{
    require(strlen(spec) < CONTROL_TEXT_MAX);
    return domid % 2 == 0 ? 0 : why_fail(why, -EINVAL, "%200s%s", "no ", spec);
}

static inline int attach_disk(void *ctx, uint32_t domid, const char *spec,
                              struct control_peer *asker, struct why *why)
{
    (void)ctx;
    (void)asker;
    return judge(domid, spec, why);
}

static inline int resize(void *ctx, const char *which, struct why *why)
{
    (void)ctx;
    return judge(0, which, why);
}

static inline int detach_disk(void *ctx, uint32_t domid, const char *vdev, bool force,
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

static inline void forget(void *ctx, struct control_peer *asker)
{
    struct world *w = ctx;
    int place = 0;
    while (w->waiting[place] != asker)
        require(++place < PEERS);
    w->waiting[place] = NULL;
}

static inline void answer_all(struct world *w)
{
    for (int i = 0; i < PEERS; i++) {
        struct control_peer *asker = w->waiting[i];
        w->waiting[i] = NULL;
        if (asker != NULL)
            control_answer(asker, 0, "");
    }
}

static inline int trace(void *ctx, struct control_peer *asker, uint32_t domid, uint32_t sample)
{
    (void)ctx;
    (void)asker;
    return domid == 0 && sample > 0 ? STDIN_FILENO : -ENOENT;
}

static inline int trace_next(void *ctx, struct control_peer *asker, uint32_t *domid, bool *fresh)
{
    (void)ctx;
    (void)asker;
    *domid = 3;
    *fresh = true;
    return STDIN_FILENO;
}

static inline int trace_memory(void *ctx, struct domain *domain)
{
    (void)ctx;
    (void)domain;
    return STDIN_FILENO;
}

static inline void trace_end(void *ctx, struct control_peer *asker)
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
static inline void read_replies(struct world *w)
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

static inline void run(struct world *w)
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

static inline void dial(struct world *w, int peer)
{
    if (w->peer[peer] >= 0)
        return;
    w->peer[peer] = unix_socket_connect(w->socket, SOCK_SEQPACKET, 0);
    require(w->peer[peer] >= 0);
}

static inline void hang_up(struct world *w, int peer)
{
    if (w->peer[peer] >= 0)
        close(w->peer[peer]);
    w->peer[peer] = -1;
}

#endif
