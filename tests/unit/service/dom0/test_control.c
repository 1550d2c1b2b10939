/* SPDX-License-Identifier: MIT */
/* control: the socket where domains come to life, with domains that are only counted. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
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
    uint64_t status_ns; /* that a status takes */
    int client[16];
    int segment_fd;
    struct control_peer *waiting; /* for a disk to go */
    uint32_t forgotten;
    char asked[64]; /* of the last verb about disks */
    char name[96];  /* of the last describe */
};

static int create_domain(void *ctx, const struct control_request *request, pid_t pid,
                         struct domain **out, int *segment_fd, struct why *why)
{
    struct fixture *f = ctx;
    (void)request;
    f->pid = pid;
    if (f->refuse != 0)
        return why_fail(why, f->refuse, "because");
    *segment_fd = f->segment_fd;
    *out = &f->domains[f->created];
    (*out)->fixture = f;
    (*out)->domid = ++f->created;
    return 0;
}

static int mapped(struct domain *domain)
{
    return domain->fixture->mapped++ == 0 ? 0 : -EALREADY;
}

static void end_domain(void *ctx, struct domain *domain)
{
    struct fixture *f = ctx;
    assert_int_not_equal(domain->domid, 0);
    domain->domid = 0;
    f->ended++;
}

static int doorbell_fd(const struct domain *domain)
{
    (void)domain;
    return DOORBELL_FD;
}

static uint32_t domid(const struct domain *domain)
{
    return domain->domid;
}

static int alloc_port(struct domain *domain, uint32_t vcpu)
{
    (void)domain;
    return vcpu < 2 ? 7 : -EINVAL;
}

static int shared_cache(struct domain *domain, uint32_t devid)
{
    (void)domain;
    return devid == 51712 ? STDIN_FILENO : -ENODEV;
}

static int close_port(struct domain *domain, uint32_t port)
{
    (void)domain;
    return port == 7 ? 0 : -EINVAL;
}

static int status(void *ctx, uint32_t *bytes)
{
    struct fixture *f = ctx;
    uint64_t end_ns = clock_monotonic_ns() + f->status_ns;
    while (clock_monotonic_ns() < end_ns)
        continue; /* works */
    *bytes = 0;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static void stop(void *ctx)
{
    struct fixture *f = ctx;
    f->stops++;
}

static int attach_disk(void *ctx, uint32_t domid, const char *spec, struct control_peer *asker,
                       struct why *why)
{
    (void)asker;
    struct fixture *f = ctx;
    snprintf(f->asked, sizeof(f->asked), "attach %u %.40s", domid, spec);
    return f->refuse == 0 ? 0 : why_fail(why, f->refuse, "%0150d", 7);
}

static int detach_disk(void *ctx, uint32_t domid, const char *vdev, bool force,
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

static void forget(void *ctx, struct control_peer *asker)
{
    struct fixture *f = ctx;
    assert_ptr_equal(asker, f->waiting);
    f->forgotten++;
}

static int resize(void *ctx, const char *which, struct why *why)
{
    struct fixture *f = ctx;
    (void)why;
    snprintf(f->asked, sizeof(f->asked), "resize %.40s", which);
    return 0;
}

/* Answers with the text that it was given, a detach later. */
static int network(void *ctx, const struct control_request *request, const char *text,
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

static int describe(void *ctx, struct domain *domain, const struct control_description *wanted,
                    struct why *why)
{
    struct fixture *f = ctx;
    snprintf(f->name, sizeof(f->name), "%u %s %u/%u %u", domain->domid, wanted->name,
             wanted->share.num, wanted->share.den, wanted->weight);
    return strcmp(wanted->name, "taken") == 0 ? why_fail(why, -EEXIST, "somebody has it") : 0;
}

static struct domain *find(void *ctx, uint32_t domid)
{
    struct fixture *f = ctx;
    for (size_t i = 0; domid != 0 && i < sizeof(f->domains) / sizeof(f->domains[0]); i++) {
        if (f->domains[i].domid == domid)
            return &f->domains[i];
    }
    return NULL;
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
                                       .resize = resize,
                                       .network = network,
                                       .describe = describe,
                                       .find = find};

static int setup(void **state)
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

static int teardown(void **state)
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

static void run(struct fixture *f)
{
    for (int i = 0; i < TURNS; i++) {
        assert_true(poller_run(f->poller, false) >= 0);
        (void)control_run(f->control);
    }
}

static int dial(struct fixture *f)
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

static void hang_up(struct fixture *f, int fd)
{
    for (int *slot = f->client;; slot++) {
        if (*slot == fd) {
            *slot = -1;
            close(fd);
            return;
        }
    }
}

static void ask(int fd, uint32_t op, uint32_t arg0)
{
    const struct control_request request = {
        .magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .op = op, .arg0 = arg0};
    assert_int_equal(send(fd, &request, sizeof(request), MSG_NOSIGNAL), sizeof(request));
}

/* The number of descriptors that came with the reply (closed here), or -1: the line was cut. */
static int reply_of(int fd, struct control_reply *reply)
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

static int call(struct fixture *f, int fd, uint32_t op, uint32_t arg0, struct control_reply *reply)
{
    ask(fd, op, arg0);
    run(f);
    return reply_of(fd, reply);
}

/* As of a service that was started without a standard input. */
static void any_descriptor_may_hold_the_status(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    assert_int_equal(call(f, fd, CONTROL_STATUS, 0, &reply), 1); /* the connection is taken */
    int input = dup(0);
    ask(fd, CONTROL_STATUS, 0);
    close(0);
    run(f);
    assert_int_equal(fcntl(0, F_GETFD), -1); /* that of the status was sent and closed */
    assert_int_equal(dup2(input, 0), 0);
    close(input);
    assert_int_equal(reply_of(fd, &reply), 1);
    assert_int_equal(reply.status, 0);
}

static void a_domain_lives_as_long_as_its_connection(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    assert_int_equal(call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply), 2);
    assert_int_equal(reply.status, 0);
    assert_int_equal(reply.arg0, 1);
    assert_int_equal(call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply), 0);
    assert_int_equal(reply.status, -EEXIST);
    assert_int_equal(f->ended, 0);
    hang_up(f, fd);
    run(f);
    assert_int_equal(f->created, 1);
    assert_int_equal(f->pid, getpid()); /* who asks is in this process */
    assert_int_equal(f->ended, 1);
}

/* As a poll that the kernel has ended is told: no edge tells of anything any more. */
static void a_connection_that_cannot_be_watched_ends_with_its_domain(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    struct event_tap tap;
    int fd = dial(f);
    assert_true(poller_run(f->poller, false) > 0);
    event_tap_open(&tap, f->poller);
    (void)control_run(f->control); /* takes the connection */
    event_tap_close(&tap);
    assert_int_equal(call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply), 2);
    event_tap_tell(&tap, POLLERR | POLLNVAL);
    run(f);
    assert_int_equal(f->ended, 1);
    assert_int_equal(reply_of(fd, &reply), -1);
    hang_up(f, fd);
}

static void a_listener_that_cannot_be_watched_ends_the_poller(void **state)
{
    struct fixture *f = *state;
    struct control *second;
    struct event_tap tap;
    char path[sizeof(f->socket) + 2];
    snprintf(path, sizeof(path), "%s.2", f->socket);
    event_tap_open(&tap, f->poller);
    assert_int_equal(control_create(path, f->poller, f->log, PEERS_MAX, &ops, f, &second), 0);
    event_tap_close(&tap);
    event_tap_tell(&tap, POLLERR);
    assert_int_equal(poller_run(f->poller, false), -EIO);
    assert_non_null(strstr(poller_failure(f->poller), "dom0.sock"));
    control_destroy(second);
}

static void a_refusal_carries_its_reason(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    f->refuse = -ENOSPC;
    int fd = dial(f);
    assert_int_equal(call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply), 0);
    assert_int_equal(reply.status, -ENOSPC);
    assert_string_equal(reply.reason, "because");
    f->refuse = 0; /* the same connection may try again */
    assert_int_equal(call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply), 2);
}

static void hypercalls_are_for_domains(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    assert_int_equal(call(f, fd, CONTROL_EVTCHN_ALLOC_UNBOUND, 0, &reply), 0);
    assert_int_equal(reply.status, -ENODEV);
    assert_int_equal(call(f, fd, CONTROL_MAPPED, 0, &reply), 0);
    assert_int_equal(reply.status, -ENODEV);
    assert_int_equal(f->mapped, 0);
    (void)call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply);
    (void)call(f, fd, CONTROL_MAPPED, 0, &reply);
    assert_int_equal(reply.status, 0);
    (void)call(f, fd, CONTROL_MAPPED, 0, &reply);
    assert_int_equal(reply.status, -EALREADY);
    (void)call(f, fd, CONTROL_EVTCHN_ALLOC_UNBOUND, 1, &reply);
    assert_int_equal(reply.status, 0);
    assert_int_equal(reply.arg0, 7);
    (void)call(f, fd, CONTROL_EVTCHN_ALLOC_UNBOUND, 2, &reply);
    assert_int_equal(reply.status, -EINVAL);
    assert_int_equal(reply.arg0, 0);
    (void)call(f, fd, CONTROL_EVTCHN_CLOSE, 7, &reply);
    assert_int_equal(reply.status, 0);
    (void)call(f, fd, CONTROL_EVTCHN_CLOSE, 0xffffffff, &reply);
    assert_int_equal(reply.status, -EINVAL);
    (void)call(f, fd, 99, 0, &reply);
    assert_int_equal(reply.status, -ENOSYS);
}

/* text_bytes: of the text, as far as it is sent. */
static void ask_with_text(int fd, uint32_t op, uint32_t arg0, const char *text, size_t text_bytes)
{
    char packet[sizeof(struct control_request) + CONTROL_TEXT_MAX + 1];
    const struct control_request request = {
        .magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .op = op, .arg0 = arg0};
    memcpy(packet, &request, sizeof(request));
    memcpy(packet + sizeof(request), text, text_bytes);
    assert_int_equal(send(fd, packet, sizeof(request) + text_bytes, MSG_NOSIGNAL),
                     sizeof(request) + text_bytes);
}

static void verbs_about_disks_carry_their_text(void **state)
{
    static const struct {
        uint32_t op;
        const char *asked;
    } rows[] = {{CONTROL_BLOCK_ATTACH, "attach 3 text"},
                {CONTROL_BLOCK_DESTROY, "destroy 3 text"},
                {CONTROL_RESIZE, "resize text"}};
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ask_with_text(fd, rows[i].op, 3, "text", 5);
        run(f);
        assert_int_equal(reply_of(fd, &reply), 0);
        assert_int_equal(reply.status, 0);
        assert_string_equal(f->asked, rows[i].asked);
    }
}

static void a_long_reason_comes_as_a_file(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    f->refuse = -EBUSY;
    ask_with_text(fd, CONTROL_BLOCK_ATTACH, 3, "text", 5);
    run(f);
    assert_int_equal(reply_of(fd, &reply), 1);
    assert_int_equal(reply.status, -EBUSY);
    assert_int_equal(reply.arg0, 150);
    assert_int_equal(strlen(reply.reason), sizeof(reply.reason) - 1);
}

static void text_ends_with_its_packet(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    static char most[CONTROL_TEXT_MAX + 1];
    static const struct {
        const char *text;
        size_t bytes;
    } wrong[] = {{"", 0}, {"text", 4}, {"te\0xt", 6}, {most, CONTROL_TEXT_MAX + 1}};
    memset(most, 'x', CONTROL_TEXT_MAX - 1);
    int fd = dial(f);
    ask_with_text(fd, CONTROL_RESIZE, 0, most, CONTROL_TEXT_MAX);
    run(f);
    assert_int_equal(reply_of(fd, &reply), 0);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        fd = dial(f);
        ask_with_text(fd, CONTROL_RESIZE, 0, wrong[i].text, wrong[i].bytes);
        run(f);
        assert_int_equal(reply_of(fd, &reply), -1);
        hang_up(f, fd);
    }
}

static void a_domain_cannot_change_disks(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    (void)call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply);
    ask_with_text(fd, CONTROL_BLOCK_ATTACH, 3, "text", 5);
    run(f);
    assert_int_equal(reply_of(fd, &reply), 0);
    assert_int_equal(reply.status, -EPERM);
    assert_string_equal(f->asked, "");
}

static void verbs_about_the_network_may_be_answered_by_text(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    static char most[CONTROL_TEXT_MAX];
    int fd = dial(f);
    ask_with_text(fd, CONTROL_NETWORK_ATTACH, 3, "text", 5);
    run(f);
    assert_int_equal(reply_of(fd, &reply), 0);
    assert_int_equal(reply.status, 0);
    assert_string_equal(reply.reason, "text");
    assert_string_equal(f->asked, "network 48 3 text");
    memset(most, 'x', sizeof(most) - 1);
    ask_with_text(fd, CONTROL_NETWORK_ATTACH, 3, most, sizeof(most));
    run(f);
    assert_int_equal(reply_of(fd, &reply), 1);
    assert_int_equal(reply.arg0, sizeof(most) - 1);
    f->refuse = -ENODEV; /* then the reason is the answer */
    ask_with_text(fd, CONTROL_NETWORK_ATTACH, 3, "text", 5);
    run(f);
    assert_int_equal(reply_of(fd, &reply), 0);
    assert_int_equal(reply.status, -ENODEV);
    assert_string_equal(reply.reason, "refused");
}

static void a_domain_cannot_change_the_network(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    (void)call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply);
    ask_with_text(fd, CONTROL_NETWORK_ATTACH, 3, "text", 5);
    run(f);
    assert_int_equal(reply_of(fd, &reply), 0);
    assert_int_equal(reply.status, -EPERM);
    assert_string_equal(f->asked, "");
}

static bool nothing_has_come(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static void a_detach_is_answered_when_it_is_over(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    ask_with_text(fd, CONTROL_BLOCK_DETACH, 3, "xvdb", 5);
    run(f);
    assert_string_equal(f->asked, "detach 3 xvdb");
    assert_true(nothing_has_come(fd));
    control_answer(f->waiting, -ETIMEDOUT, "too long");
    assert_int_equal(reply_of(fd, &reply), 0);
    assert_int_equal(reply.status, -ETIMEDOUT);
    assert_string_equal(reply.reason, "too long");
    assert_int_equal(call(f, fd, CONTROL_STATUS, 0, &reply), 1); /* and goes on */
    hang_up(f, fd);
    run(f);
    assert_int_equal(f->forgotten, 0);
}

static void who_waits_and_goes_is_forgotten(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    ask_with_text(fd, CONTROL_BLOCK_DETACH, 3, "xvdb", 5);
    run(f);
    hang_up(f, fd);
    run(f);
    assert_int_equal(f->forgotten, 1);
    fd = dial(f);
    ask_with_text(fd, CONTROL_BLOCK_DETACH, 3, "xvdb", 5);
    run(f);
    ask(fd, CONTROL_STATUS, 0); /* one question at a time */
    run(f);
    assert_int_equal(reply_of(fd, &reply), -1);
    assert_int_equal(f->forgotten, 2);
}

static void packets_that_make_no_sense_end_the_connection(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    static const size_t sizes[] = {0, 1, 15, 17, 200};
    char bytes[256] = {0};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int fd = dial(f);
        (void)call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply);
        memcpy(bytes,
               &(struct control_request){
                   .magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .op = CONTROL_STATUS},
               sizeof(struct control_request));
        assert_int_equal(send(fd, bytes, sizes[i], MSG_NOSIGNAL), sizes[i]);
        run(f);
        assert_int_equal(reply_of(fd, &reply), -1);
        assert_int_equal(f->ended, i + 1);
        hang_up(f, fd);
    }
    int fd = dial(f);
    const struct control_request old = {.magic = CONTROL_MAGIC, .version = CONTROL_VERSION + 1};
    assert_int_equal(send(fd, &old, sizeof(old), MSG_NOSIGNAL), sizeof(old));
    run(f);
    assert_int_equal(reply_of(fd, &reply), 0);
    assert_int_equal(reply.arg0, 0);
    assert_int_equal(reply.status, -EPROTO);
    assert_int_equal(reply_of(fd, &reply), -1);
}

/* Replies are not queued without bound: who asks without reading is cut off, and its domain ends.
 */
static void a_peer_that_does_not_read_is_dropped(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    const struct control_request request = {
        .magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .op = CONTROL_EVTCHN_CLOSE};
    int fd = dial(f);
    (void)call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply);
    for (int i = 0; i < 100000 && f->ended == 0; i++) {
        (void)send(fd, &request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT);
        run(f);
    }
    assert_int_equal(f->ended, 1);
}

static int open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

/* Dom0 wants none from its peers. */
static void descriptors_that_come_do_not_stay_open(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    const struct control_request request = {
        .magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .op = CONTROL_STATUS};
    const int sent[UNIX_SOCKET_FDS_MAX] = {f->segment_fd, f->segment_fd, f->segment_fd,
                                           f->segment_fd};
    int fd = dial(f);
    run(f);
    int before = open_fds();
    for (size_t count = 1; count <= UNIX_SOCKET_FDS_MAX; count++) {
        assert_int_equal(unix_socket_send(fd, &request, sizeof(request), sent, count, false), 0);
        run(f);
        assert_int_equal(reply_of(fd, &reply), 1);
        assert_int_equal(open_fds(), before);
    }
}

static void tell_name(int fd, const char *name, size_t bytes)
{
    struct {
        struct control_request request;
        char name[CONTROL_TEXT_MAX];
    } packet = {{.magic = CONTROL_MAGIC,
                 .version = CONTROL_VERSION,
                 .op = CONTROL_DESCRIBE,
                 .arg0 = 512,
                 .tdf_num = 1,
                 .tdf_den = 4},
                ""};
    memcpy(packet.name, name, bytes);
    bytes += sizeof(packet.request);
    assert_int_equal(send(fd, &packet, bytes, MSG_NOSIGNAL), bytes);
}

static void a_domain_tells_its_name(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    tell_name(fd, "early", sizeof("early"));
    run(f);
    assert_int_equal(reply_of(fd, &reply), 0);
    assert_int_equal(reply.status, -ENODEV);
    (void)call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply);
    tell_name(fd, "mine", sizeof("mine"));
    run(f);
    assert_int_equal(reply_of(fd, &reply), 0);
    assert_int_equal(reply.status, 0);
    assert_string_equal(f->name, "1 mine 1/4 512");
    tell_name(fd, "taken", sizeof("taken"));
    run(f);
    assert_int_equal(reply_of(fd, &reply), 0);
    assert_int_equal(reply.status, -EEXIST);
    assert_string_equal(reply.reason, "somebody has it");
}

/* One NUL, at its end: what follows would be read by nobody, or by everybody. */
static void a_text_ends_where_its_packet_does(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    static const struct {
        const char *bytes;
        size_t count;
    } bad[] = {{"", 0}, {"abc", 3}, {"a\0c", 4}, {"a\0", 3}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int fd = dial(f);
        (void)call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply);
        tell_name(fd, bad[i].bytes, bad[i].count);
        run(f);
        assert_int_equal(reply_of(fd, &reply), -1);
        hang_up(f, fd);
    }
    assert_string_equal(f->name, "");
}

static void who_is_destroyed_hears_it(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int domain = dial(f), other = dial(f);
    (void)call(f, domain, CONTROL_CREATE_DOMAIN, 16, &reply);
    (void)call(f, other, CONTROL_DESTROY, 9, &reply);
    assert_int_equal(reply.status, -ENOENT);
    (void)call(f, domain, CONTROL_DESTROY, 1, &reply);
    assert_int_equal(reply.status, -EPERM);
    assert_int_equal(f->ended, 0);
    (void)call(f, other, CONTROL_DESTROY, 1, &reply);
    assert_int_equal(reply.status, 0);
    assert_int_equal(f->ended, 1);
    assert_int_equal(reply_of(domain, &reply), 0);
    assert_int_equal(reply.status, -ESHUTDOWN);
    assert_int_equal(reply_of(domain, &reply), -1);
}

static void connections_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd[PEERS_MAX];
    for (int i = 0; i < PEERS_MAX; i++) {
        fd[i] = dial(f);
        assert_int_equal(call(f, fd[i], CONTROL_CREATE_DOMAIN, 100, &reply), 2);
    }
    int late = dial(f);
    run(f);
    assert_int_equal(reply_of(late, &reply), 0);
    assert_int_equal(reply.status, -EAGAIN);
    assert_int_equal(reply_of(late, &reply), -1);
    hang_up(f, fd[0]);
    run(f);
    assert_int_equal(call(f, dial(f), CONTROL_STATUS, 0, &reply), 1);
}

/* Fills all seats with connections that ask for the status, and reads no answer. */
static void fill_with_askers(struct fixture *f, int fd[PEERS_MAX])
{
    for (int i = 0; i < PEERS_MAX; i++) {
        fd[i] = dial(f);
        ask(fd[i], CONTROL_STATUS, 0);
    }
}

static void each_gets_an_answer_before_it_gives_way(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd[3 * PEERS_MAX];
    for (int i = 0; i < 3; i++)
        fill_with_askers(f, fd + (ptrdiff_t)i * PEERS_MAX);
    run(f);
    for (int i = 0; i < 3 * PEERS_MAX; i++)
        assert_int_equal(reply_of(fd[i], &reply), 1);
}

static void one_who_had_an_answer_gives_way_the_idle_first(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd[PEERS_MAX];
    fill_with_askers(f, fd);
    run(f);
    for (int i = 0; i < PEERS_MAX; i++)
        assert_int_equal(reply_of(fd[i], &reply), 1);
    assert_int_equal(call(f, fd[0], CONTROL_CREATE_DOMAIN, 100, &reply), 2);
    ask(fd[1], CONTROL_STATUS, 0); /* asks on */
    assert_int_equal(call(f, dial(f), CONTROL_STATUS, 0, &reply), 1);
    assert_int_equal(f->ended, 0);
    assert_int_equal(reply_of(fd[1], &reply), 1);
    assert_int_equal(reply_of(fd[2], &reply), -1);
    assert_int_equal(call(f, fd[3], CONTROL_STATUS, 0, &reply), 1);
}

/* All seats are taken by peers that never stop asking: they give way all the same. */
static void those_who_ask_on_and_on_keep_nobody_out(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd[PEERS_MAX];
    fill_with_askers(f, fd);
    int late = dial(f);
    ask(late, CONTROL_STATUS, 0);
    for (int i = 0; i < 4 * TURNS; i++) {
        for (int j = 0; j < PEERS_MAX; j++) {
            const struct control_request request = {
                .magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .op = CONTROL_STATUS};
            (void)send(fd[j], &request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT);
            while (recv(fd[j], &reply, sizeof(reply), MSG_DONTWAIT) > 0)
                continue;
        }
        assert_true(poller_run(f->poller, false) >= 0);
        (void)control_run(f->control);
    }
    assert_int_equal(reply_of(late, &reply), 1);
}

/* The loop's turn is not as long as so many of them. */
static void what_takes_long_is_served_one_a_run(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd[PEERS_MAX], answered = 0;
    for (int i = 0; i < PEERS_MAX; i++)
        fd[i] = dial(f);
    run(f);
    f->status_ns = 1000000;
    for (int i = 0; i < PEERS_MAX; i++)
        ask(fd[i], CONTROL_STATUS, 0);
    assert_true(poller_run(f->poller, false) >= 0);
    assert_true(control_run(f->control)); /* more waits */
    for (int i = 0; i < PEERS_MAX; i++)
        answered += recv(fd[i], &reply, sizeof(reply), MSG_DONTWAIT) > 0;
    assert_int_equal(answered, 1);
}

/* Whoever connects and says nothing may be slow, or may be many. */
static void the_silent_give_way_after_a_while_and_nobody_spins_until_then(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd[PEERS_MAX];
    uint64_t begin_ns = clock_monotonic_ns();
    for (int i = 0; i < PEERS_MAX; i++)
        fd[i] = dial(f);
    int late = dial(f);
    ask(late, CONTROL_STATUS, 0);
    run(f);
    assert_false(control_has_news(f->control)); /* Dom0 may sleep */
    assert_int_equal(recv(late, &reply, sizeof(reply), MSG_DONTWAIT), -1);
    while (!control_has_news(f->control))
        assert_true(poller_run(f->poller, true) >= 0);
    assert_true(clock_monotonic_ns() - begin_ns >= CONTROL_SILENCE_NS);
    run(f);
    assert_int_equal(reply_of(late, &reply), 1);
    assert_int_equal(reply_of(fd[0], &reply), -1);
    assert_int_equal(call(f, fd[1], CONTROL_STATUS, 0, &reply), 1);
}

static void a_slow_one_is_still_heard_when_all_seats_are_taken(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd[PEERS_MAX], late;
    for (int i = 0; i < PEERS_MAX; i++)
        fd[i] = dial(f);
    late = dial(f);
    run(f);
    for (int i = 0; i < PEERS_MAX; i++)
        assert_int_equal(call(f, fd[i], CONTROL_STATUS, 0, &reply), 1);
    assert_int_equal(call(f, late, CONTROL_STATUS, 0, &reply), 1);
}

static void a_domain_cannot_end_the_service(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    (void)call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply);
    assert_int_equal(call(f, fd, CONTROL_STOP, 0, &reply), 0);
    assert_int_equal(reply.status, -EPERM);
    assert_int_equal(f->stops, 0);
    /* It lives on, and what it asked has no other effect. */
    assert_int_equal(call(f, fd, CONTROL_EVTCHN_ALLOC_UNBOUND, 1, &reply), 0);
    assert_int_equal(reply.status, 0);
    control_quiesce(f->control);
    assert_int_equal(f->ended, 1);
}

static struct rlimit take_descriptors_away(void)
{
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(0);
    assert_true(next >= 0);
    close(next);
    none = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    return before;
}

static void a_connection_that_found_no_descriptor_is_taken_later(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    if (under_valgrind())
        skip(); /* it plays accept and the limit itself: it takes the connection and closes it */
    int fd = dial(f);
    struct rlimit before = take_descriptors_away();
    run(f);
    control_accept_again(f->control);
    run(f); /* still none */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    ask(fd, CONTROL_CREATE_DOMAIN, 16);
    run(f);
    assert_int_equal(f->created, 0); /* no new edge: nobody has looked */
    control_accept_again(f->control);
    run(f);
    assert_int_equal(reply_of(fd, &reply), 2);
    assert_int_equal(f->created, 1);
}

static void stopping_ends_domains_first_and_then_answers(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int domain = dial(f), asker = dial(f);
    (void)call(f, domain, CONTROL_CREATE_DOMAIN, 16, &reply);
    ask(asker, CONTROL_STOP, 0);
    run(f);
    assert_int_equal(f->stops, 1);
    control_quiesce(f->control);
    assert_int_equal(f->ended, 1);
    assert_int_equal(reply_of(domain, &reply), -1);
    assert_int_equal(recv(asker, &reply, sizeof(reply), MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    control_accept_again(f->control); /* no socket any more */
    control_farewell(f->control, 0, 12);
    assert_int_equal(reply_of(asker, &reply), 1);
    assert_int_equal(reply.arg0, 12);
}

static void dropping_a_domain_ends_it_once(void **state)
{
    struct fixture *f = *state;
    struct control_reply reply;
    int fd = dial(f);
    (void)call(f, fd, CONTROL_CREATE_DOMAIN, 16, &reply);
    control_drop_domain(f->control, &f->domains[0]);
    assert_int_equal(f->ended, 1);
    assert_int_equal(reply_of(fd, &reply), -1);
    control_drop_domain(f->control, &f->domains[0]); /* nobody's any more */
    run(f);
    assert_int_equal(f->ended, 1);
}

int main(void)
{
#define CONTROL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CONTROL_TEST(a_domain_lives_as_long_as_its_connection),
        CONTROL_TEST(any_descriptor_may_hold_the_status),
        CONTROL_TEST(a_connection_that_cannot_be_watched_ends_with_its_domain),
        CONTROL_TEST(a_listener_that_cannot_be_watched_ends_the_poller),
        CONTROL_TEST(a_refusal_carries_its_reason),
        CONTROL_TEST(hypercalls_are_for_domains),
        CONTROL_TEST(verbs_about_disks_carry_their_text),
        CONTROL_TEST(a_long_reason_comes_as_a_file),
        CONTROL_TEST(text_ends_with_its_packet),
        CONTROL_TEST(a_domain_cannot_change_disks),
        CONTROL_TEST(verbs_about_the_network_may_be_answered_by_text),
        CONTROL_TEST(a_domain_cannot_change_the_network),
        CONTROL_TEST(a_detach_is_answered_when_it_is_over),
        CONTROL_TEST(who_waits_and_goes_is_forgotten),
        CONTROL_TEST(packets_that_make_no_sense_end_the_connection),
        CONTROL_TEST(a_peer_that_does_not_read_is_dropped),
        CONTROL_TEST(descriptors_that_come_do_not_stay_open),
        CONTROL_TEST(connections_are_bounded),
        CONTROL_TEST(a_domain_tells_its_name),
        CONTROL_TEST(a_text_ends_where_its_packet_does),
        CONTROL_TEST(who_is_destroyed_hears_it),
        CONTROL_TEST(each_gets_an_answer_before_it_gives_way),
        CONTROL_TEST(one_who_had_an_answer_gives_way_the_idle_first),
        CONTROL_TEST(those_who_ask_on_and_on_keep_nobody_out),
        CONTROL_TEST(the_silent_give_way_after_a_while_and_nobody_spins_until_then),
        CONTROL_TEST(a_slow_one_is_still_heard_when_all_seats_are_taken),
        CONTROL_TEST(what_takes_long_is_served_one_a_run),
        CONTROL_TEST(a_domain_cannot_end_the_service),
        CONTROL_TEST(a_connection_that_found_no_descriptor_is_taken_later),
        CONTROL_TEST(stopping_ends_domains_first_and_then_answers),
        CONTROL_TEST(dropping_a_domain_ends_it_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
