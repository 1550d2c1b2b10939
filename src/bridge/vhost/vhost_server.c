/* SPDX-License-Identifier: MIT */
#include "bridge/vhost/vhost_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge/process_place.h"
#include "bridge/vhost/vhost_session.h"
#include "ring/fault_guard.h"

/* What is polled, in this order; the kicks of the queues follow. */
enum polled { POLL_STOP, POLL_FAILURE, POLL_DISK, POLL_SIZE, POLL_FRONT_END, POLL_KICKS };

enum { MOVES_MAX = 64 }; /* of a guest's requests, between two looks at everything else */

struct server {
    const struct vhost_server_options *options;
    struct blk_device device;
    struct vhost_session session;
    bool has_session;
    int size_fd; /* readable: the disk may have another size */
    struct process_place place;
    struct pollfd fds[POLL_KICKS + VHOST_QUEUES_MAX];
};

static void end_session(struct server *server)
{
    if (!server->has_session)
        return;
    vhost_session_close(&server->session);
    blk_device_close(&server->device);
    server->has_session = false;
}

/* A front end that goes away is nothing to tell of. */
static void drop(struct server *server, int rc, const struct why *why)
{
    if (rc != -ENOTCONN)
        server->options->tell(why->text);
    end_session(server);
}

/* The disk's features are what they are when a front end comes; its size may change. */
static int begin_session(struct server *server, struct why *why)
{
    int fd = accept4(server->options->listen_fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return errno == EAGAIN || errno == ECONNABORTED || errno == EINTR
                   ? 0
                   : why_fail_errno(why, -errno, "cannot accept a front end");
    int rc = blk_device_open(&server->device, server->options->bf);
    if (rc < 0) {
        close(fd);
        return why_fail_errno(why, rc, "cannot serve a front end");
    }
    if (server->options->read_only)
        blk_device_forbid_writes(&server->device);
    vhost_session_open(&server->session, fd, &server->device, server->options->stop_fd);
    server->has_session = true;
    return 0;
}

static nfds_t fill(struct server *server)
{
    const struct vhost_server_options *options = server->options;
    int kicks[VHOST_QUEUES_MAX];
    uint32_t count = server->has_session ? vhost_session_kicks(&server->session, kicks) : 0;
    struct pollfd *fds = server->fds;

    fds[POLL_STOP] = (struct pollfd){.fd = options->stop_fd, .events = POLLIN};
    fds[POLL_FAILURE] = (struct pollfd){.fd = options->failure_fd, .events = POLLIN};
    fds[POLL_DISK] = (struct pollfd){.fd = blkfront_fd(options->bf), .events = POLLIN};
    fds[POLL_SIZE] = (struct pollfd){.fd = server->size_fd, .events = POLLIN};
    fds[POLL_FRONT_END] = (struct pollfd){
        .fd = server->has_session ? server->session.link.fd : options->listen_fd, .events = POLLIN};
    for (uint32_t i = 0; i < count; i++)
        fds[POLL_KICKS + i] = (struct pollfd){.fd = kicks[i], .events = POLLIN};
    return POLL_KICKS + count;
}

/* A kick descriptor that is not what it should be would be ready for ever. */
static int take_kicks(struct server *server, nfds_t count, struct why *why)
{
    eventfd_t value;

    for (nfds_t i = POLL_KICKS; i < count; i++) {
        const struct pollfd *kick = &server->fds[i];
        if ((kick->revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
            return why_fail(why, -EPROTO, "a kick descriptor of the front end is broken");
        if ((kick->revents & POLLIN) != 0 && eventfd_read(kick->fd, &value) < 0 && errno != EAGAIN)
            return why_fail_errno(why, -errno, "a kick descriptor of the front end");
    }
    return 0;
}

/* A disk that is dead tells so at the next request. */
static void take_size(struct server *server)
{
    struct blkfront_geometry geometry;

    if (blkfront_geometry(server->options->bf, &geometry) == 0 && server->has_session)
        vhost_session_resize(&server->session, &geometry);
}

/* Without a front end nothing is in flight: what the disk has to tell is its end. */
static int hear_of_its_end(struct server *server, struct why *why)
{
    struct blkfront_geometry unused;

    if (server->has_session || (server->fds[POLL_DISK].revents & POLLIN) == 0)
        return 0;
    int rc = blkfront_geometry(server->options->bf, &unused);
    return rc < 0 ? why_fail(why, rc, "the disk: %s", blkfront_failure(server->options->bf)) : 0;
}

/* Waits until there is something to do, not at all if the guest has requests, and does it but for
 * those. */
static int wait_and_hear(struct server *server, bool is_busy, struct why *why)
{
    nfds_t count = fill(server);
    struct why reason;

    if (poll(server->fds, count, is_busy ? 0 : -1) < 0)
        return errno == EINTR ? 0 : why_fail_errno(why, -errno, "poll");
    if ((server->fds[POLL_SIZE].revents & POLLIN) != 0)
        take_size(server);
    if (!server->has_session)
        return server->fds[POLL_FRONT_END].revents != 0 ? begin_session(server, why) : 0;
    int rc = take_kicks(server, count, &reason);
    if (rc == 0 && server->fds[POLL_FRONT_END].revents != 0)
        rc = vhost_session_hear(&server->session, &reason);
    if (rc < 0)
        drop(server, rc, &reason);
    return 0;
}

/* Returns whether to go on without sleep. */
static bool move(struct server *server)
{
    struct why why;
    int rc = server->has_session ? vhost_session_move(&server->session, &why) : 0;

    if (rc < 0)
        drop(server, rc, &why);
    if (rc > 0)
        process_place_look(&server->place, server->options->bf);
    return rc > 0;
}

int vhost_server_run(const struct vhost_server_options *options, struct why *why)
{
    struct server server = {.options = options};
    int rc = fault_guard_install(VHOST_USER_REGIONS_MAX);

    if (rc < 0)
        return why_fail_errno(why, rc, "cannot guard the guest's memory");
    (void)fcntl(options->listen_fd, F_SETFL, O_NONBLOCK); /* who connected may be gone again */
    rc = blkfront_fd(options->bf);
    if (rc >= 0)
        rc = server.size_fd = blkfront_geometry_fd(options->bf);
    rc = rc < 0 ? why_fail_errno(why, rc, "cannot wait for the disk") : 0;
    process_place_init(&server.place);
    for (uint32_t moves = 0; rc == 0;) {
        bool is_busy = move(&server);
        if (is_busy && ++moves < MOVES_MAX) /* a guest may be busy for ever */
            continue;
        moves = 0;
        rc = wait_and_hear(&server, is_busy, why);
        if ((server.fds[POLL_STOP].revents & POLLIN) != 0)
            break;
        if (rc == 0 && (server.fds[POLL_FAILURE].revents & POLLIN) != 0)
            rc = why_fail(why, -ENOTCONN, "the domain is of no use any more");
        if (rc == 0)
            rc = hear_of_its_end(&server, why);
    }
    end_session(&server);
    process_place_fini(&server.place);
    fault_guard_remove();
    return rc;
}
