/* SPDX-License-Identifier: MIT */
/*
 * control_fixture: the socket where domains come to life, with domains that are only counted, and
 * who dials it.
 */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_DOM0_CONTROL_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_DOM0_CONTROL_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/unix_socket.h"
#include "fakes/fake_events.h"
#include "fakes/valgrind.h"
#include "service/dom0/control.h"
#include "service/dom0/control_room.h"

enum { PEERS_MAX = 4, DOORBELL_FD = 1, TURNS = 8, PATIENCE_S = 10 };

struct domain {
    uint32_t domid;
    struct fixture *fixture;
};

struct fixture {
    char dir[64], socket[96], log_path[96];
    struct poller *poller;
    struct log *log;
    struct control *control;
    struct domain domains[16];
    uint32_t created, ended, stops, mapped;
    pid_t pid;          /* of the last create_domain */
    int refuse;         /* create_domain fails with it */
    const char *reason; /* why a domain is refused; NULL: "because" */
    uint64_t status_ns; /* that a status takes */
    int client[16];
    int segment_fd;
    struct control_peer *waiting; /* for a disk to go */
    uint32_t forgotten, traces_ended;
    char asked[64]; /* of the last verb about disks */
    char name[96];  /* of the last describe */
};

static inline int create_domain(void *ctx, const struct control_request *request, pid_t pid,
                                struct domain **out, int *segment_fd, struct why *why)
{
    struct fixture *f = ctx;
    (void)request;
    f->pid = pid;
    if (f->refuse != 0)
        return why_fail(why, f->refuse, "%s", f->reason != NULL ? f->reason : "because");
    *segment_fd = f->segment_fd;
    *out = &f->domains[f->created];
    (*out)->fixture = f;
    (*out)->domid = ++f->created;
    return 0;
}

static inline int mapped(struct domain *domain)
{
    return domain->fixture->mapped++ == 0 ? 0 : -EALREADY;
}

static inline void end_domain(void *ctx, struct domain *domain)
{
    struct fixture *f = ctx;
    assert_int_not_equal(domain->domid, 0);
    domain->domid = 0;
    f->ended++;
}

static inline int doorbell_fd(const struct domain *domain)
{
    (void)domain;
    return DOORBELL_FD;
}

static inline uint32_t domid(const struct domain *domain)
{
    return domain->domid;
}

static inline int alloc_port(struct domain *domain, uint32_t vcpu)
{
    (void)domain;
    return vcpu < 2 ? 7 : -EINVAL;
}

static inline int shared_cache(struct domain *domain, uint32_t devid)
{
    (void)domain;
    return devid == 51712 ? STDIN_FILENO : -ENODEV;
}

static inline int close_port(struct domain *domain, uint32_t port)
{
    (void)domain;
    return port == 7 ? 0 : -EINVAL;
}

static inline int status(void *ctx, uint32_t *bytes)
{
    struct fixture *f = ctx;
    uint64_t end_ns = clock_monotonic_ns() + f->status_ns;
    while (clock_monotonic_ns() < end_ns)
        continue; /* works */
    *bytes = 0;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static inline void stop(void *ctx)
{
    struct fixture *f = ctx;
    f->stops++;
}

static inline int attach_disk(void *ctx, uint32_t domid, const char *spec,
                              struct control_peer *asker, struct why *why)
{
    (void)asker;
    struct fixture *f = ctx;
    snprintf(f->asked, sizeof(f->asked), "attach %u %.40s", domid, spec);
    return f->refuse == 0 ? 0 : why_fail(why, f->refuse, "%0150d", 7);
}

static inline int detach_disk(void *ctx, uint32_t domid, const char *vdev, bool force,
                              struct control_peer *asker, struct why *why)
{
    struct fixture *f = ctx;
    (void)why;
    snprintf(f->asked, sizeof(f->asked), "%s %u %.40s", force ? "destroy" : "detach", domid, vdev);
    if (force)
        return 0;
    f->waiting = asker;
    return -EINPROGRESS;
}

static inline void forget(void *ctx, struct control_peer *asker)
{
    struct fixture *f = ctx;
    assert_ptr_equal(asker, f->waiting);
    f->forgotten++;
}

static inline int resize(void *ctx, const char *which, struct why *why)
{
    struct fixture *f = ctx;
    (void)why;
    snprintf(f->asked, sizeof(f->asked), "resize %.40s", which);
    return 0;
}

/* Answers with the text that it was given, a detach later. */
static inline int network(void *ctx, const struct control_request *request, const char *text,
                          struct control_peer *asker, char **answer, struct why *why)
{
    struct fixture *f = ctx;
    (void)why;
    snprintf(f->asked, sizeof(f->asked), "network %u %u %.40s", request->op, request->arg0, text);
    if (request->op == CONTROL_NETWORK_DETACH) {
        f->waiting = asker;
        return -EINPROGRESS;
    }
    *answer = strdup(text);
    return f->refuse == 0 ? 0 : why_fail(why, f->refuse, "refused");
}

static inline int describe(void *ctx, struct domain *domain,
                           const struct control_description *wanted, struct why *why)
{
    struct fixture *f = ctx;
    snprintf(f->name, sizeof(f->name), "%u %s %u/%u %u", domain->domid, wanted->name,
             wanted->share.num, wanted->share.den, wanted->weight);
    return strcmp(wanted->name, "taken") == 0 ? why_fail(why, -EEXIST, "somebody has it") : 0;
}

static inline struct domain *find(void *ctx, uint32_t domid)
{
    struct fixture *f = ctx;
    for (size_t i = 0; domid != 0 && i < sizeof(f->domains) / sizeof(f->domains[0]); i++) {
        if (f->domains[i].domid == domid)
            return &f->domains[i];
    }
    return NULL;
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
    struct fixture *f = ctx;
    (void)asker;
    f->traces_ended++;
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
                                       .network = network,
                                       .describe = describe,
                                       .find = find};

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -1;
    *state = f;
    snprintf(f->dir, sizeof(f->dir), "/tmp/splitdom-control-XXXXXX");
    if (mkdtemp(f->dir) == NULL)
        return -1;
    snprintf(f->socket, sizeof(f->socket), "%s/dom0.sock", f->dir);
    snprintf(f->log_path, sizeof(f->log_path), "%s/log", f->dir);
    memset(f->client, -1, sizeof(f->client));
    f->segment_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (f->segment_fd < 0 || log_open(&(struct log_options){.path = f->log_path}, &f->log) < 0 ||
        poller_create(POLLER_EPOLL, &f->poller) < 0)
        return -1;
    return control_create(f->socket, f->poller, f->log, PEERS_MAX, &ops, f, &f->control);
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(f->client) / sizeof(f->client[0]); i++) {
        if (f->client[i] >= 0)
            close(f->client[i]);
    }
    control_destroy(f->control);
    poller_destroy(f->poller);
    log_close(f->log);
    close(f->segment_fd);
    unlink(f->log_path);
    int rc = rmdir(f->dir); /* fails when the socket is left there */
    free(f);
    return rc;
}

static inline void run(struct fixture *f)
{
    for (int i = 0; i < TURNS; i++) {
        assert_true(poller_run(f->poller, false) >= 0);
        (void)control_run(f->control);
    }
}

static inline int dial(struct fixture *f)
{
    int fd = unix_socket_connect(f->socket, SOCK_SEQPACKET, PATIENCE_S);
    assert_true(fd >= 0);
    for (int *slot = f->client;; slot++) {
        if (*slot < 0) {
            *slot = fd;
            return fd;
        }
    }
}

static inline void hang_up(struct fixture *f, int fd)
{
    for (int *slot = f->client;; slot++) {
        if (*slot == fd) {
            *slot = -1;
            close(fd);
            return;
        }
    }
}

static inline void ask(int fd, uint32_t op, uint32_t arg0)
{
    const struct control_request request = {
        .magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .op = op, .arg0 = arg0};
    assert_int_equal(send(fd, &request, sizeof(request), MSG_NOSIGNAL), sizeof(request));
}

/* The number of descriptors that came with the reply (closed here), or -1: the line was cut. */
static inline int reply_of(int fd, struct control_reply *reply)
{
    int fds[UNIX_SOCKET_FDS_MAX];
    size_t count;
    memset(reply, 0, sizeof(*reply));
    ssize_t n = unix_socket_receive(fd, reply, sizeof(*reply), fds, UNIX_SOCKET_FDS_MAX, &count);
    if (n == 0 || n == -ECONNRESET)
        return -1;
    assert_int_equal(n, sizeof(*reply));
    assert_int_equal(reply->magic, CONTROL_MAGIC);
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    return (int)count;
}

static inline int call(struct fixture *f, int fd, uint32_t op, uint32_t arg0,
                       struct control_reply *reply)
{
    ask(fd, op, arg0);
    run(f);
    return reply_of(fd, reply);
}

#define CONTROL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
