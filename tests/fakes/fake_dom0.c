/* SPDX-License-Identifier: MIT */
#include "fakes/fake_dom0_private.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ring/evtchn.h"
#include "service/dom0/toolstack.h"
#include "xenstore/server/xs_ring.h"

enum { FIRST_PORT = 2, PUMPS = 64, DEFAULT_SECTORS = 1 << 20 };
enum { RUNNING, FREEZING, FROZEN };

void *fake_dom0_ctx(struct fake_dom0 *dom0)
{
    return dom0->script.ctx;
}

void *fake_dom0_devices(struct fake_dom0 *dom0)
{
    return dom0->script.devices;
}

domid_t fake_dom0_domid(struct fake_dom0 *dom0)
{
    (void)dom0;
    return FAKE_DOM0_DOMID;
}

uint32_t fake_dom0_domains(struct fake_dom0 *dom0)
{
    return load_full_u32(&dom0->domains);
}

/* By the thread that owns the connection. */
void fake_dom0_destroy_domain(struct fake_dom0 *dom0)
{
    if (load_full_u32(&dom0->domains) == 0)
        abort();
    store_full_u32(&dom0->destroys, 1);
    (void)evtchn_kick(dom0->wake_fd);
}

uint32_t fake_dom0_described(struct fake_dom0 *dom0, const char **name)
{
    *name = dom0->described_name;
    return load_full_u32(&dom0->described_weight);
}

uint32_t fake_dom0_closed_ports(struct fake_dom0 *dom0)
{
    return load_full_u32(&dom0->closed_ports);
}

int fake_dom0_segment_fd(struct fake_dom0 *dom0)
{
    return dom0->segment_fd;
}

void fake_dom0_freeze(struct fake_dom0 *dom0)
{
    store_full_u32(&dom0->frozen, FREEZING);
    fake_dom0_wake(dom0);
    while (load_full_u32(&dom0->frozen) != FROZEN)
        sched_yield();
}

void fake_dom0_wake(struct fake_dom0 *dom0)
{
    (void)evtchn_kick(dom0->wake_fd);
}

static void notify(struct fake_dom0 *dom0, evtchn_port_t port, uint32_t vcpu)
{
    if (evtchn_set_pending(dom0->segment.shared_info, port, vcpu))
        (void)evtchn_wake(dom0->segment.shared_info, vcpu);
}

void fake_dom0_notify(struct fake_dom0 *dom0, evtchn_port_t port)
{
    notify(dom0, port, dom0->vcpu[port]);
}

void fake_dom0_storm(struct fake_dom0 *dom0, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        notify(dom0, SEGMENT_STORE_EVTCHN, 0);
        for (evtchn_port_t port = FIRST_PORT; port < dom0->next_port; port++)
            notify(dom0, port, dom0->vcpu[port]);
    }
}

void fake_dom0_pump(struct fake_dom0 *dom0)
{
    for (int i = 0; i < PUMPS; i++) {
        bool told = false;
        (void)xs_ring_pump(dom0->segment.store, dom0->conn, &told);
        bool more = xs_server_run(dom0->store, 64);
        (void)xs_ring_pump(dom0->segment.store, dom0->conn, &told);
        if (told)
            notify(dom0, SEGMENT_STORE_EVTCHN, 0);
        if (!more && !told)
            return;
    }
}

static void send_reply(struct fake_dom0 *dom0, const struct control_reply *reply, const int *fds,
                       int fd_count)
{
    (void)unix_socket_send(dom0->peer_fd, reply, sizeof(*reply), fds, (size_t)fd_count, true);
}

static void create_domain(struct fake_dom0 *dom0, uint32_t nr_pages)
{
    struct control_reply reply = {.magic = CONTROL_MAGIC, .arg0 = FAKE_DOM0_DOMID};
    int fds[2], fd_count = 2;
    if (segment_create(nr_pages, FAKE_DOM0_DOMID, &dom0->segment, &dom0->segment_fd) < 0)
        abort();
    fds[0] = dom0->segment_fd;
    fds[1] = dom0->doorbell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    tdf_source_monotonic(&dom0->source);
    xs_ring_init(dom0->segment.store);
    if (tdf_clock_init(&dom0->clock, &dom0->source, dom0->segment.shared_info, 1,
                       (struct tdf){1, 1}) < 0 ||
        xs_server_create(NULL, &dom0->store) < 0 ||
        xs_server_introduce(dom0->store, FAKE_DOM0_DOMID) < 0 ||
        xs_conn_open(dom0->store, FAKE_DOM0_DOMID, false, NULL, NULL, &dom0->conn) < 0 ||
        toolstack_create_domain(dom0->store, &(struct toolstack_domain){.domid = FAKE_DOM0_DOMID}) <
            0)
        abort();
    fake_dom0_create_disks(dom0);
    if (dom0->script.make_devices != NULL)
        dom0->script.make_devices(dom0, dom0->store);
    dom0->next_port = FIRST_PORT;
    dom0->segment.sleepers->woken_by_dom0 = !dom0->script.wakes_nobody;
    if (dom0->script.change_segment != NULL)
        dom0->script.change_segment(&dom0->segment);
    if (dom0->script.change_reply != NULL)
        dom0->script.change_reply(&reply, &fd_count);
    if (dom0->script.change_fds != NULL)
        dom0->script.change_fds(dom0, fds);
    store_full_u32(&dom0->domains, 1);
    if (dom0->script.empty_reply)
        (void)unix_socket_send(dom0->peer_fd, &reply, 0, fds, (size_t)fd_count, true);
    else
        send_reply(dom0, &reply, fds, fd_count);
    if (fds[0] != dom0->segment_fd)
        close(fds[0]);
    if (fds[1] != dom0->doorbell_fd)
        close(fds[1]);
}

static void end_domain(struct fake_dom0 *dom0)
{
    if (dom0->store != NULL) {
        if (dom0->script.end_devices != NULL)
            dom0->script.end_devices(dom0);
        fake_dom0_end_disks(dom0);
        xs_conn_close(dom0->conn);
        xs_server_destroy(dom0->store);
        dom0->store = NULL;
        close(dom0->doorbell_fd);
        close(dom0->segment_fd);
        segment_detach(&dom0->segment);
    }
    dom0->doorbell_fd = dom0->segment_fd = -1;
    memset(dom0->vbd, 0, sizeof(dom0->vbd));
    if (dom0->peer_fd >= 0)
        close(dom0->peer_fd);
    dom0->peer_fd = -1;
    store_full_u32(&dom0->domains, 0);
}

/* Returns one without magic at the connection's end. */
static struct control_request take_packet(struct fake_dom0 *dom0)
{
    struct {
        struct control_request request;
        char name[CONTROL_NAME_SIZE];
    } packet = {0};
    ssize_t n = recv(dom0->peer_fd, &packet, sizeof(packet), MSG_DONTWAIT);
    bool describes = packet.request.op == CONTROL_DESCRIBE;
    if (describes ? n <= (ssize_t)sizeof(packet.request) : n != (ssize_t)sizeof(packet.request))
        return (struct control_request){0};
    if (describes) {
        memcpy(dom0->described_name, packet.name, sizeof(packet.name));
        store_full_u32(&dom0->described_weight, packet.request.arg0);
    }
    return packet.request;
}

static void destroy_domain(struct fake_dom0 *dom0)
{
    const struct control_reply reply = {.magic = CONTROL_MAGIC, .status = -ESHUTDOWN};
    store_full_u32(&dom0->destroys, 0);
    if (unix_socket_send(dom0->peer_fd, &reply, sizeof(reply), NULL, 0, true) < 0 ||
        shutdown(dom0->peer_fd, SHUT_RDWR) < 0)
        abort();
}

static void on_control(struct fake_dom0 *dom0)
{
    if (dom0->script.hangs_up) {
        end_domain(dom0);
        return;
    }
    const struct control_request request = take_packet(dom0);
    if (request.magic == 0) {
        end_domain(dom0);
        return;
    }
    bool hangs_up = dom0->script.hangs_up_once && !dom0->has_hung_up;
    if (request.op == CONTROL_CREATE_DOMAIN && hangs_up) {
        dom0->has_hung_up = true;
        end_domain(dom0);
    } else if (request.op == CONTROL_CREATE_DOMAIN) {
        create_domain(dom0, request.arg0);
    } else if (request.op == CONTROL_MAPPED) {
        struct control_reply reply = {.magic = CONTROL_MAGIC, .status = dom0->script.mapped_status};
        if (reply.status == 0)
            reply.status = segment_settle(dom0->segment_fd);
        send_reply(dom0, &reply, NULL, 0);
    } else if (request.op == CONTROL_DESCRIBE) {
        struct control_reply reply = {.magic = CONTROL_MAGIC};
        send_reply(dom0, &reply, NULL, 0);
    } else if (request.op == CONTROL_EVTCHN_CLOSE) {
        struct control_reply reply = {.magic = CONTROL_MAGIC};
        store_full_u32(&dom0->closed_ports, dom0->closed_ports + 1);
        send_reply(dom0, &reply, NULL, 0);
    } else if (dom0->script.destroys_asker) {
        destroy_domain(dom0);
    } else {
        struct control_reply reply = {.magic = CONTROL_MAGIC, .arg0 = dom0->next_port};
        dom0->vcpu[dom0->next_port++] = request.arg0;
        send_reply(dom0, &reply, NULL, 0);
    }
}

static void *run(void *arg)
{
    struct fake_dom0 *dom0 = arg;
    while (load_full_u32(&dom0->frozen) == RUNNING) {
        struct pollfd fds[5] = {
            {.fd = dom0->stop_fd, .events = POLLIN},
            {.fd = dom0->peer_fd < 0 ? dom0->listener.fd : -1, .events = POLLIN},
            {.fd = dom0->peer_fd, .events = POLLIN},
            {.fd = dom0->doorbell_fd, .events = POLLIN},
            {.fd = dom0->wake_fd, .events = POLLIN}};
        if (poll(fds, 5, -1) < 0)
            continue;
        if (fds[0].revents != 0 || load_full_u32(&dom0->frozen) != RUNNING)
            break;
        if (fds[1].revents != 0)
            dom0->peer_fd = accept4(dom0->listener.fd, NULL, NULL, SOCK_CLOEXEC);
        if ((fds[3].revents | fds[4].revents) != 0) {
            uint64_t count;
            (void)!read(fds[3].revents != 0 ? dom0->doorbell_fd : dom0->wake_fd, &count,
                        sizeof(count));
            if (load_full_u32(&dom0->destroys) != 0)
                destroy_domain(dom0);
            if (dom0->store == NULL)
                continue;
            fake_dom0_pump(dom0);
            fake_dom0_serve_rings(dom0);
        }
        if (fds[2].revents != 0)
            on_control(dom0);
    }
    if (load_full_u32(&dom0->frozen) != RUNNING) {
        struct pollfd stop = {.fd = dom0->stop_fd, .events = POLLIN};
        store_full_u32(&dom0->frozen, FROZEN);
        while (poll(&stop, 1, -1) < 1)
            continue;
    }
    end_domain(dom0);
    return NULL;
}

struct fake_dom0 *fake_dom0_start(const char *base, const struct fake_dom0_script *script)
{
    char why[256];
    struct fake_dom0 *dom0 = calloc(1, sizeof(*dom0));
    if (dom0 == NULL || rundir_resolve(base, "fake", true, &dom0->rundir, why, sizeof(why)) < 0) {
        free(dom0);
        return NULL;
    }
    dom0->script = *script;
    if (script->disks == 0)
        dom0->script.disks = 1;
    if (script->sectors == 0)
        dom0->script.sectors = DEFAULT_SECTORS;
    dom0->at = &dom0->vbd[0];
    dom0->described_weight = UINT32_MAX;
    if (dom0->script.disks > FAKE_DOM0_DISKS_MAX)
        abort();
    dom0->peer_fd = dom0->doorbell_fd = dom0->segment_fd = -1;
    dom0->stop_fd = eventfd(0, EFD_CLOEXEC);
    dom0->wake_fd = eventfd(0, EFD_CLOEXEC);
    if (unix_listener_open(&dom0->listener, dom0->rundir.control_socket, SOCK_SEQPACKET, 8) < 0 ||
        pthread_create(&dom0->thread, NULL, run, dom0) != 0)
        abort();
    return dom0;
}

void fake_dom0_stop(struct fake_dom0 *dom0)
{
    if (dom0 == NULL)
        return;
    (void)evtchn_kick(dom0->stop_fd);
    pthread_join(dom0->thread, NULL);
    unix_listener_close(&dom0->listener);
    close(dom0->stop_fd);
    close(dom0->wake_fd);
    (void)rmdir(dom0->rundir.dir);
    free(dom0);
}
