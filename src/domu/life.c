/* SPDX-License-Identifier: MIT */
#include "domu/life.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/thread.h"
#include "base/unix_socket.h"
#include "domu/control_call.h"
#include "ring/barrier.h"
#include "ring/evtchn.h"
#include "splitdom/control.h"

enum { PROBE_TIMEOUT_S = 1, IDLE_TIMEOUT_MS = 3600 * 1000 };

/* Who asks while the domain is destroyed gets Dom0's last word, and the lifeline does not. */
static int call_packet(struct life *life, const void *packet, size_t bytes,
                       struct control_reply *reply, int *fds, size_t fd_count)
{
    int rc = control_call(life->control_fd, life->patience, &life->replies_owed, packet, bytes,
                          reply, fds, fd_count);
    if (rc == -ESHUTDOWN)
        store_full_u32(&life->destroyed, 1);
    return rc;
}

static int call(struct life *life, struct control_request *request, struct control_reply *reply,
                int *fds, size_t fd_count)
{
    request->magic = CONTROL_MAGIC;
    request->version = CONTROL_VERSION;
    return call_packet(life, request, sizeof(*request), reply, fds, fd_count);
}

static int connect_socket(struct life *life, const struct rundir *rundir, char *why,
                          size_t why_bytes)
{
    int rc, slices = 0;
    do
        rc = unix_socket_connect(rundir->control_socket, SOCK_SEQPACKET, CONTROL_CALL_SLICE_S);
    while (rc == -ETIMEDOUT && control_call_goes_on(life->patience, ++slices));
    if (rc >= 0) {
        life->control_fd = rc;
        return 0;
    }
    if (rc == -ENOENT || rc == -ECONNREFUSED) {
        rundir_explain_absence(rundir, why, why_bytes);
        return -ENOENT;
    }
    snprintf(why, why_bytes, "cannot reach the service at %s: %s", rundir->control_socket,
             strerror(-rc));
    return rc;
}

/* Of what the service sent, nothing is used before it is seen to be what it should be. */
static int take_over(struct life *life, const int fds[2], uint32_t domid, char *why,
                     size_t why_bytes)
{
    const char *what = "the domain's memory is not sealed";
    char path[32];
    int rc = segment_attach(fds[0], &life->segment);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
    life->memory_fd = open(path, O_RDONLY | O_CLOEXEC); /* without /proc there is none */
    close(fds[0]);
    life->doorbell_fd = fds[1];
    if (rc == 0 && life->segment.domid != domid)
        rc = -EPROTO;
    if (rc == 0) {
        what = "its doorbell is no eventfd";
        rc = evtchn_check_doorbell(fds[1]);
    }
    if (rc < 0)
        snprintf(why, why_bytes,
                 "what the service sent is of no use (%s): are service and client of the same "
                 "version?",
                 rc == -EBADFD ? what : strerror(-rc));
    return rc;
}

/* The line was cut before there was an answer. By whom? */
static void explain_end(const struct rundir *rundir, char *why, size_t why_bytes)
{
    int fd = unix_socket_connect(rundir->control_socket, SOCK_SEQPACKET, PROBE_TIMEOUT_S);
    if (fd >= 0)
        close(fd);
    if (fd == -ENOENT || fd == -ECONNREFUSED)
        snprintf(why, why_bytes, "Dom0 is gone: it ended before it had made a domain");
    else
        snprintf(why, why_bytes,
                 "the service gave up this connection before it had made a domain, because more "
                 "wait than it can hold: try again");
}

static int tell_mapped(struct life *life, const struct rundir *rundir, char *why, size_t why_bytes)
{
    struct control_request request = {.op = CONTROL_MAPPED};
    struct control_reply reply;
    int rc = call(life, &request, &reply, NULL, 0);
    if (life_error_is_death(rc))
        explain_end(rundir, why, why_bytes);
    else if (rc < 0)
        snprintf(why, why_bytes, "the service does not take the domain's memory: %s",
                 rc == reply.status && reply.reason[0] != '\0' ? reply.reason : strerror(-rc));
    return rc;
}

static int create_domain(struct life *life, const struct rundir *rundir, uint32_t nr_pages,
                         struct tdf tdf, char *why, size_t why_bytes)
{
    struct control_request request = {
        .op = CONTROL_CREATE_DOMAIN, .arg0 = nr_pages, .tdf_num = tdf.num, .tdf_den = tdf.den};
    struct control_reply reply;
    int fds[2];
    int rc = call(life, &request, &reply, fds, 2);
    if (life_error_is_death(rc))
        explain_end(rundir, why, why_bytes);
    else if (rc == -ETIMEDOUT)
        snprintf(why, why_bytes, "Dom0 does not answer: end it with 'service stop'");
    else if (rc == -EMFILE && reply.status == 0)
        snprintf(why, why_bytes, "no descriptor is left for the domain's memory: see ulimit -n");
    else if (rc < 0)
        snprintf(why, why_bytes, "the service refused a domain of %u pages: %s", nr_pages,
                 rc == reply.status && reply.reason[0] != '\0' ? reply.reason : strerror(-rc));
    if (rc == 0)
        rc = take_over(life, fds, reply.arg0, why, why_bytes);
    return rc < 0 ? rc : tell_mapped(life, rundir, why, why_bytes);
}

/* The line has ended. By whose will? */
static void hear_last_word(struct life *life)
{
    struct control_reply reply;
    if (recv(life->control_fd, &reply, sizeof(reply), MSG_DONTWAIT) == (ssize_t)sizeof(reply) &&
        reply.magic == CONTROL_MAGIC && reply.status == -ESHUTDOWN)
        store_full_u32(&life->destroyed, 1);
}

static void *lifeline(void *arg)
{
    struct life *life = arg;
    struct pollfd fds[2] = {{.fd = life->control_fd, .events = POLLRDHUP},
                            {.fd = life->stop_fd, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, -1) < 0)
            continue; /* EINTR; nothing else can happen to these arguments */
        if (fds[1].revents != 0)
            return NULL;
        if (fds[0].revents != 0)
            break;
    }
    hear_last_word(life);
    store_full_u32(&life->dead, 1);
    evtchn_silence(life->doorbell_fd);
    for (uint32_t vcpu = 0; vcpu < XEN_LEGACY_MAX_VCPUS; vcpu++)
        evtchn_raise_upcall(life->segment.shared_info, vcpu);
    return NULL;
}

static int start_lifeline(struct life *life)
{
    life->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (life->stop_fd < 0)
        return -errno;
    int rc = thread_start(&life->lifeline, lifeline, life);
    life->lifeline_runs = rc == 0;
    return rc;
}

static void store_notify(void *ctx)
{
    struct life *life = ctx;
    (void)evtchn_kick(life->doorbell_fd);
}

static void ignore_port(void *ctx, evtchn_port_t port)
{
    (void)ctx;
    (void)port; /* only the store's port is bound to this vCPU */
}

/* Sleeps until the store's upcall. Who waits for an answer looks up now and then, because patience
 * can be cut; who is idle needs none, and is woken by life_interrupt. */
static int sleep_as_store(struct life *life, int timeout_ms)
{
    const struct patience *patience = life->idle ? NULL : life->patience;
    int left_ms;
    while ((left_ms = patience_left_ms(patience, timeout_ms)) > 0) {
        int slice_ms = life->idle || left_ms < PATIENCE_SLICE_MS ? left_ms : PATIENCE_SLICE_MS;
        int rc =
            evtchn_wait(life->segment.shared_info, LIFE_VCPU_STORE, slice_ms * INT64_C(1000000));
        if (rc != -ETIMEDOUT)
            return rc;
        timeout_ms -= slice_ms;
    }
    return timeout_ms > 0 ? -ETIME : -ETIMEDOUT;
}

static int store_wait(void *ctx, int timeout_ms)
{
    struct life *life = ctx;
    if (life->idle && life_is_interrupted(life) && !life_is_dead(life))
        return -EINTR;
    int rc = life_is_dead(life) ? 0 : sleep_as_store(life, timeout_ms);
    (void)evtchn_collect(life->segment.shared_info, LIFE_VCPU_STORE, ignore_port, NULL);
    /* Whoever raises the upcall stores its flag first: what we cleared just now is seen here. */
    if (life_is_dead(life))
        return -ENOTCONN;
    return life->idle && life_is_interrupted(life) ? -EINTR : rc;
}

static const struct xs_client_ops store_ops = {.notify = store_notify, .wait = store_wait};

void life_init(struct life *life)
{
    *life = (struct life){.control_fd = -1, .doorbell_fd = -1, .stop_fd = -1, .memory_fd = -1};
}

int life_create(struct life *life, const struct rundir *rundir, uint32_t nr_pages, struct tdf tdf,
                const struct patience *patience, char *why, size_t why_bytes)
{
    life_init(life);
    life->patience = patience;
    int rc = connect_socket(life, rundir, why, why_bytes);
    if (rc == 0)
        rc = create_domain(life, rundir, nr_pages, tdf, why, why_bytes);
    if (rc < 0) {
        life_destroy(life);
        return rc;
    }
    rc = xs_client_create(life->segment.store, &store_ops, life, &life->store);
    if (rc == 0)
        rc = start_lifeline(life);
    if (rc < 0) {
        snprintf(why, why_bytes, "cannot start as a domain: %s", strerror(-rc));
        life_destroy(life);
    }
    return rc;
}

static void stop_lifeline(struct life *life)
{
    if (life->lifeline_runs) {
        (void)evtchn_kick(life->stop_fd);
        pthread_join(life->lifeline, NULL);
    }
    life->lifeline_runs = false;
    if (life->stop_fd >= 0)
        close(life->stop_fd);
    life->stop_fd = -1;
}

/* Where a child has inherited the socket, closing alone would not end the domain. */
static void hang_up(int control_fd)
{
    (void)shutdown(control_fd, SHUT_RDWR);
    close(control_fd);
}

void life_destroy(struct life *life)
{
    stop_lifeline(life);
    xs_client_destroy(life->store);
    segment_detach(&life->segment);
    if (life->control_fd >= 0)
        hang_up(life->control_fd);
    if (life->doorbell_fd >= 0)
        close(life->doorbell_fd);
    if (life->memory_fd >= 0)
        close(life->memory_fd);
    life_init(life);
}

int life_describe(struct life *life, const struct life_description *description, char *why,
                  size_t why_bytes)
{
    const struct life_description *d = description;
    struct {
        struct control_request request;
        char name[CONTROL_NAME_SIZE];
    } packet = {
        {CONTROL_MAGIC, CONTROL_VERSION, CONTROL_DESCRIBE, d->weight, d->share.num, d->share.den},
        ""};
    struct control_reply reply;
    snprintf(packet.name, sizeof(packet.name), "%s", d->name != NULL ? d->name : "");
    size_t bytes = sizeof(packet.request) + strlen(packet.name) + 1;
    int rc = call_packet(life, &packet, bytes, &reply, NULL, 0);
    if (rc < 0)
        snprintf(why, why_bytes, "the service does not take the domain as described: %s",
                 rc == reply.status && reply.reason[0] != '\0' ? reply.reason : strerror(-rc));
    return rc;
}

int life_alloc_port(struct life *life, uint32_t vcpu)
{
    struct control_request request = {.op = CONTROL_EVTCHN_ALLOC_UNBOUND, .arg0 = vcpu};
    struct control_reply reply;
    int rc = call(life, &request, &reply, NULL, 0);
    if (rc < 0)
        return rc;
    return reply.arg0 > 0 && reply.arg0 < EVTCHN_2L_NR_CHANNELS ? (int)reply.arg0 : -EPROTO;
}

int life_close_port(struct life *life, evtchn_port_t port)
{
    struct control_request request = {.op = CONTROL_EVTCHN_CLOSE, .arg0 = port};
    struct control_reply reply;
    return call(life, &request, &reply, NULL, 0);
}

int life_fetch(struct life *life, uint32_t op, uint32_t arg0)
{
    struct control_request request = {.op = op, .arg0 = arg0};
    struct control_reply reply;
    int fd = -1;
    int rc = call(life, &request, &reply, &fd, 1);
    return rc < 0 ? rc : fd;
}

static void count_interrupts(struct life *life, uint32_t by)
{
    uint32_t found = load_full_u32(&life->interrupts);
    while (!compare_exchange_full_u32(&life->interrupts, &found, found + by))
        ;
}

void life_interrupt(struct life *life)
{
    count_interrupts(life, 1);
    evtchn_raise_upcall(life->segment.shared_info, LIFE_VCPU_STORE);
}

void life_resume(struct life *life)
{
    assert(life_is_interrupted(life));
    count_interrupts(life, UINT32_MAX);
}

bool life_is_interrupted(const struct life *life)
{
    return load_full_u32(&life->interrupts) != 0;
}

int life_next_event(struct life *life, char *path, size_t path_size, char *token, size_t token_size)
{
    int rc;
    life->idle = true;
    do
        rc = xs_client_next_event(life->store, IDLE_TIMEOUT_MS, path, path_size, token, token_size);
    while (rc == -ETIMEDOUT);
    life->idle = false;
    return rc == -EINTR ? -ECANCELED : rc;
}

int life_idle(struct life *life)
{
    int rc;
    life->idle = true;
    do
        rc = store_wait(life, IDLE_TIMEOUT_MS);
    while (rc == 0 || rc == -ETIMEDOUT);
    life->idle = false;
    return rc == -EINTR ? -ECANCELED : rc;
}

int life_move(struct life *fresh, struct life *old)
{
    size_t bytes = (size_t)old->segment.nr_pages << XEN_PAGE_SHIFT;
    /* A lifeline thread knows its life by address: it is made again. */
    stop_lifeline(fresh);
    stop_lifeline(old);
    xs_client_destroy(old->store);
    old->store = NULL;
    if (dup3(fresh->doorbell_fd, old->doorbell_fd, O_CLOEXEC) < 0)
        return -errno;
    if (mremap(fresh->segment.base, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
               old->segment.base) == MAP_FAILED)
        return -errno;
    close(fresh->doorbell_fd);
    hang_up(old->control_fd);
    if (old->memory_fd >= 0)
        close(old->memory_fd);
    old->memory_fd = fresh->memory_fd;
    old->control_fd = fresh->control_fd;
    old->replies_owed = fresh->replies_owed;
    old->segment.domid = fresh->segment.domid;
    old->store = fresh->store;
    xs_client_move(old->store, old->segment.store, old);
    /* Nothing is left in fresh: what fails from here on must not be given back twice. */
    life_init(fresh);
    store_full_u32(&old->dead, 0);
    return start_lifeline(old);
}
