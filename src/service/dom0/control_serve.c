/* SPDX-License-Identifier: MIT */
/* What one request on dom0.sock does, and its reply. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory_file.h"
#include "service/dom0/control_private.h"

int control_send_reply(int fd, const struct control_reply *reply, const int *fds, size_t fd_count)
{
    return unix_socket_send(fd, reply, sizeof(*reply), fds, fd_count, false);
}

/* One that is too long loses its middle, which is a path's: what is wrong, and what to do about it,
 * is at its ends. */
static void put_reason(struct control_reply *reply, const char *why)
{
    const size_t room = sizeof(reply->reason) - 1, head = room / 3, length = strlen(why);
    const size_t tail = room - head - strlen("...");
    if (length <= room)
        strcpy(reply->reason, why);
    else
        snprintf(reply->reason, sizeof(reply->reason), "%.*s...%s", (int)head, why,
                 why + length - tail);
}

static int answer(struct control_peer *peer, int status, uint32_t arg0, const char *why)
{
    struct control_reply reply = {.magic = CONTROL_MAGIC, .status = status, .arg0 = arg0};
    put_reason(&reply, why);
    return control_send_reply(peer->fd, &reply, NULL, 0);
}

/* Text as a file, or -errno. */
static int file_of(const char *text)
{
    size_t bytes = strlen(text);
    int fd = memory_file_create("splitdom-reason");
    if (fd >= 0 && write(fd, text, bytes) != (ssize_t)bytes) {
        close(fd);
        return -EIO;
    }
    return fd;
}

int control_reply_text(struct control_peer *peer, int status, const char *reason)
{
    struct control_reply reply = {.magic = CONTROL_MAGIC, .status = status};
    int length = snprintf(reply.reason, sizeof(reply.reason), "%s", reason);
    int fd = (size_t)length < sizeof(reply.reason) ? -1 : file_of(reason);
    reply.arg0 = fd >= 0 ? (uint32_t)length : 0;
    int rc = control_send_reply(peer->fd, &reply, &fd, fd >= 0 ? 1 : 0);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int create_domain(struct control_peer *peer, const struct control_packet *packet)
{
    struct control *control = peer->owner;
    struct control_reply reply = {.magic = CONTROL_MAGIC};
    struct why why;
    int fds[2];
    if (peer->domain != NULL)
        return answer(peer, -EEXIST, 0, "this connection has a domain already");
    pid_t pid = 0;
    (void)unix_socket_peer_pid(peer->fd, &pid); /* for people alone */
    reply.status = control->ops->create_domain(control->ctx, &packet->request, pid, &peer->domain,
                                               &fds[0], &why);
    if (reply.status < 0)
        return answer(peer, reply.status, 0, why.text);
    fds[1] = control->ops->doorbell_fd(peer->domain);
    reply.arg0 = control->ops->domid(peer->domain);
    return control_send_reply(peer->fd, &reply, fds, 2);
}

static int send_status(struct control_peer *peer, const struct control_packet *packet)
{
    (void)packet;
    struct control_reply reply = {.magic = CONTROL_MAGIC};
    int fd = peer->owner->ops->status(peer->owner->ctx, &reply.arg0);
    if (fd < 0) {
        struct why why;
        why_fail_errno(&why, fd, "it cannot write its status down");
        return answer(peer, fd, 0, why.text);
    }
    int rc = control_send_reply(peer->fd, &reply, &fd, 1);
    close(fd);
    return rc;
}

/* fd: a descriptor to be sent, which stays ours, or -errno. */
static int answer_file(struct control_peer *peer, int fd, uint32_t arg0, uint32_t arg1,
                       const char *why)
{
    struct control_reply reply = {.magic = CONTROL_MAGIC, .arg0 = arg0, .arg1 = arg1};
    return fd < 0 ? answer(peer, fd, 0, why) : control_send_reply(peer->fd, &reply, &fd, 1);
}

static int serve_trace(struct control_peer *peer, const struct control_packet *packet)
{
    const struct control_request *request = &packet->request;
    const struct control_ops *ops = peer->owner->ops;
    void *ctx = peer->owner->ctx;
    uint32_t domid = 0;
    int fd;
    if (peer->domain != NULL)
        return answer(peer, -EPERM, 0, "a domain cannot trace domains");
    if (request->op == CONTROL_TRACE_NEXT) {
        bool fresh = false;
        fd = ops->trace_next(ctx, peer, &domid, &fresh);
        return answer_file(peer, fd, domid, fresh, "there is none at present");
    }
    fd = ops->trace(ctx, peer, request->arg0, request->tdf_num);
    peer->traces = peer->traces || fd >= 0;
    return answer_file(peer, fd, 0, 0,
                       fd == -ENOENT ? "there is no such domain" : "Dom0 cannot begin to trace");
}

static int hypercall(struct control_peer *peer, const struct control_packet *packet)
{
    const struct control_request *request = &packet->request;
    const struct control_ops *ops = peer->owner->ops;
    if (peer->domain == NULL)
        return answer(peer, -ENODEV, 0, "only a domain can ask for that");
    if (request->op == CONTROL_MAPPED) {
        int rc = ops->mapped(peer->domain);
        return answer(peer, rc, 0, rc < 0 ? "its memory cannot be sealed, or is already" : "");
    }
    if (request->op == CONTROL_SHARED_CACHE)
        return answer_file(peer, ops->shared_cache(peer->domain, request->arg0), 0, 0,
                           "no such disk, or its cache is not shared");
    if (request->op == CONTROL_TRACE_MEMORY)
        return answer_file(peer, ops->trace_memory(peer->owner->ctx, peer->domain), 0, 0,
                           "nobody traces this domain, or Dom0 is out of memory");
    int rc = request->op == CONTROL_EVTCHN_ALLOC_UNBOUND
                 ? ops->alloc_port(peer->domain, request->arg0)
                 : ops->close_port(peer->domain, request->arg0);
    if (rc < 0)
        return answer(peer, rc, 0, "no such vCPU or port, or none left");
    return answer(peer, 0, (uint32_t)rc, "");
}

static int destroy(struct control_peer *peer, const struct control_packet *packet)
{
    struct control *control = peer->owner;
    struct domain *domain = control->ops->find(control->ctx, packet->request.arg0);
    if (peer->domain != NULL)
        return answer(peer, -EPERM, 0, "a domain cannot end another one");
    if (domain == NULL)
        return answer(peer, -ENOENT, 0, "there is no such domain");
    control_destroy_domain(control, domain);
    return answer(peer, 0, 0, "");
}

static int describe(struct control_peer *peer, const struct control_packet *packet)
{
    const struct control_request *request = &packet->request;
    const struct control_description wanted = {.name = packet->text,
                                               .share = {request->tdf_num, request->tdf_den},
                                               .weight = request->arg0};
    struct why why = {""};
    if (peer->domain == NULL)
        return answer(peer, -ENODEV, 0, "only a domain can ask for that");
    int rc = peer->owner->ops->describe(peer->owner->ctx, peer->domain, &wanted, &why);
    return answer(peer, rc, 0, why.text);
}

/* Requests with text: about disks of running domains. */
static int serve_text(struct control_peer *peer, const struct control_packet *packet)
{
    const struct control_request *request = &packet->request;
    const struct control_ops *ops = peer->owner->ops;
    void *ctx = peer->owner->ctx;
    bool force = request->op == CONTROL_BLOCK_DESTROY;
    struct why why = {""};
    int rc;
    if (peer->domain != NULL)
        return answer(peer, -EPERM, 0, "a domain cannot change the disks of domains");
    if (request->op == CONTROL_BLOCK_ATTACH)
        rc = ops->attach_disk(ctx, request->arg0, packet->text, peer, &why);
    else if (request->op == CONTROL_RESIZE)
        rc = ops->resize(ctx, packet->text, &why);
    else
        rc = ops->detach_disk(ctx, request->arg0, packet->text, force, peer, &why);
    peer->waits = rc == -EINPROGRESS;
    return peer->waits ? 0 : control_reply_text(peer, rc, rc < 0 ? why.text : "");
}

static int serve_network(struct control_peer *peer, const struct control_packet *packet)
{
    struct control *control = peer->owner;
    struct why why = {""};
    char *text = NULL;
    if (peer->domain != NULL)
        return answer(peer, -EPERM, 0, "a domain cannot change the network");
    int rc = control->ops->network(control->ctx, &packet->request, packet->text, peer, &text, &why);
    peer->waits = rc == -EINPROGRESS;
    if (!peer->waits)
        rc = control_reply_text(peer, rc, rc < 0 ? why.text : text != NULL ? text : "");
    free(text);
    return peer->waits ? 0 : rc;
}

static int stop(struct control_peer *peer, const struct control_packet *packet)
{
    (void)packet;
    if (peer->domain != NULL)
        return answer(peer, -EPERM, 0, "a domain cannot end the service");
    peer->wants_farewell = true;
    peer->owner->ops->stop(peer->owner->ctx);
    return 0;
}

/* What serves each request, and whether a text belongs to the request. */
static const struct service {
    int (*serve)(struct control_peer *peer, const struct control_packet *packet);
    bool has_text;
} services[] = {
    [CONTROL_CREATE_DOMAIN] = {create_domain, false},
    [CONTROL_EVTCHN_ALLOC_UNBOUND] = {hypercall, false},
    [CONTROL_EVTCHN_CLOSE] = {hypercall, false},
    [CONTROL_MAPPED] = {hypercall, false},
    [CONTROL_SHARED_CACHE] = {hypercall, false},
    [CONTROL_TRACE_MEMORY] = {hypercall, false},
    [CONTROL_TRACE] = {serve_trace, false},
    [CONTROL_TRACE_NEXT] = {serve_trace, false},
    [CONTROL_STATUS] = {send_status, false},
    [CONTROL_STOP] = {stop, false},
    [CONTROL_DESTROY] = {destroy, false},
    [CONTROL_DESCRIBE] = {describe, true},
    [CONTROL_BLOCK_ATTACH] = {serve_text, true},
    [CONTROL_BLOCK_DETACH] = {serve_text, true},
    [CONTROL_BLOCK_DESTROY] = {serve_text, true},
    [CONTROL_RESIZE] = {serve_text, true},
    [CONTROL_NETWORK_ATTACH] = {serve_network, true},
    [CONTROL_NETWORK_DETACH] = {serve_network, true},
    [CONTROL_NETWORK_DESTROY] = {serve_network, true},
    [CONTROL_NET_LINK] = {serve_network, true},
    [CONTROL_RULE] = {serve_network, true},
};

static struct service service_of(uint32_t op)
{
    return op < sizeof(services) / sizeof(services[0]) ? services[op]
                                                       : (struct service){NULL, false};
}

/* As much as there is to be: the text ends with the packet. */
static bool is_whole(const struct control_packet *packet, size_t bytes)
{
    if (bytes < sizeof(packet->request))
        return false;
    size_t text_bytes = bytes - sizeof(packet->request);
    if (!service_of(packet->request.op).has_text)
        return text_bytes == 0;
    return text_bytes > 0 &&
           memchr(packet->text, '\0', text_bytes) == packet->text + text_bytes - 1;
}

int control_serve(struct control_peer *peer, const struct control_packet *packet, size_t bytes)
{
    const struct control_request *request = &packet->request;
    if (peer->waits || !is_whole(packet, bytes)) /* who does not wait for answers gets none */
        return -EPROTO;
    if (request->magic != CONTROL_MAGIC || request->version != CONTROL_VERSION) {
        (void)answer(peer, -EPROTO, 0, "another version of the control protocol");
        return -EPROTO;
    }
    const struct service service = service_of(request->op);
    return service.serve != NULL ? service.serve(peer, packet)
                                 : answer(peer, -ENOSYS, 0, "unknown operation");
}
