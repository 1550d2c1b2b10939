/* SPDX-License-Identifier: MIT */
#include "fake_dom0.h"
#include "base/unix_socket.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/rundir.h"
#include "ring/evtchn.h"
#include "service/back/vbd/vbd_back.h"
#include "service/dom0/toolstack.h"
#include "splitdom/xen/xenbus.h"
#include "tdf/clock.h"
#include "xenstore/server/xs_conn.h"
#include "xenstore/server/xs_local.h"
#include "xenstore/server/xs_ring.h"
#include "xenstore/xenbus_path.h"

enum { DOMID = 3, FIRST_PORT = 2, PUMPS = 64, VDEV_STEP = 16 };
enum { RUNNING, FREEZING, FROZEN };

/* The back half of one disk. */
struct vbd {
    struct fake_dom0 *dom0;
    struct xenbus_key key;
    struct xs_local_watch *watch;
    int front_state;
    bool connected, seen_request, seen_closing;
    struct queue {
        struct blkif_back_ring ring;
        evtchn_port_t port;
    } queue[FAKE_DOM0_QUEUES_MAX];
    uint32_t queue_count, serving;
};

struct fake_dom0 {
    struct fake_dom0_script script;
    struct rundir rundir;
    pthread_t thread;
    struct unix_listener listener;
    int stop_fd, wake_fd, peer_fd, doorbell_fd, segment_fd;
    uint32_t destroys; /* atomic: the domain is to be destroyed */
    uint32_t domains;  /* atomic */
    uint32_t frozen;   /* atomic: RUNNING, FREEZING, FROZEN */
    struct segment segment;
    struct tdf_source source;
    struct tdf_clock clock;
    struct xs_server *store;
    struct xs_conn *conn;
    struct vbd vbd[FAKE_DOM0_DISKS_MAX];
    struct vbd *at; /* the one that is being served */
    evtchn_port_t next_port;
    bool has_hung_up;
    uint32_t closed_ports; /* atomic */
    char described_name[CONTROL_NAME_SIZE];
    uint32_t described_weight; /* atomic, after the name */
    uint32_t flushes;          /* atomic */
    uint32_t asked, done;      /* atomic: see fake_dom0_sync */
    uint32_t vcpu[EVTCHN_2L_NR_CHANNELS];
};

void *fake_dom0_ctx(struct fake_dom0 *dom0)
{
    return dom0->script.ctx;
}

static struct queue *at_queue(struct fake_dom0 *dom0)
{
    return &dom0->at->queue[dom0->at->serving];
}

void *fake_dom0_devices(struct fake_dom0 *dom0)
{
    return dom0->script.devices;
}

domid_t fake_dom0_domid(struct fake_dom0 *dom0)
{
    (void)dom0;
    return DOMID;
}

struct blkif_back_ring *fake_dom0_ring(struct fake_dom0 *dom0)
{
    return &at_queue(dom0)->ring;
}

uint32_t fake_dom0_queue(struct fake_dom0 *dom0)
{
    return dom0->at->serving;
}

uint32_t fake_dom0_vdev(struct fake_dom0 *dom0)
{
    return dom0->at->key.devid;
}

static uint32_t disks(const struct fake_dom0 *dom0)
{
    return dom0->script.disks != 0 ? dom0->script.disks : 1;
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

uint8_t *fake_dom0_page(struct fake_dom0 *dom0, grant_ref_t ref)
{
    if (ref >= dom0->segment.nr_grant_entries)
        abort();
    return segment_page(&dom0->segment, load_full_u32(&dom0->segment.gnttab[ref].frame));
}

static uint64_t sector_count(const struct fake_dom0 *dom0)
{
    return dom0->script.sectors != 0 ? dom0->script.sectors : 1u << 20;
}

static void read_sector(struct fake_dom0 *dom0, uint64_t sector, uint8_t *to)
{
    if (dom0->script.disk != NULL) {
        memcpy(to, dom0->script.disk + sector * BLKIF_SECTOR_SIZE, BLKIF_SECTOR_SIZE);
        return;
    }
    for (uint32_t w = 0; w < 64; w++)
        memcpy(to + w * sizeof(sector), &sector, sizeof(sector));
}

/* Data between the disk and one page. */
static void move(struct fake_dom0 *dom0, uint8_t operation, uint64_t *sector,
                 const struct blkif_request_segment *seg)
{
    uint8_t *page = fake_dom0_page(dom0, seg->gref);
    for (uint32_t s = seg->first_sect; s <= seg->last_sect; s++, ++*sector) {
        uint8_t *at = page + s * BLKIF_SECTOR_SIZE;
        if (operation == BLKIF_OP_READ)
            read_sector(dom0, *sector, at);
        else
            memcpy(dom0->script.disk + *sector * BLKIF_SECTOR_SIZE, at, BLKIF_SECTOR_SIZE);
    }
}

void fake_dom0_fill(struct fake_dom0 *dom0, const struct blkif_request *req)
{
    uint64_t sector = req->sector_number;
    for (uint32_t i = 0; i < req->nr_segments; i++)
        move(dom0, BLKIF_OP_READ, &sector, &req->seg[i]);
}

bool fake_dom0_is_granted(struct fake_dom0 *dom0, grant_ref_t ref, bool readonly)
{
    if (ref >= dom0->segment.nr_grant_entries)
        return false;
    uint16_t flags = dom0->segment.gnttab[ref].flags;
    return (flags & GTF_type_mask) == GTF_permit_access &&
           ((flags & GTF_readonly) != 0) == readonly;
}

static int16_t move_all(struct fake_dom0 *dom0, uint8_t operation, uint64_t sector,
                        const struct blkif_request_segment *seg, uint32_t nr_segments)
{
    uint64_t end = sector;
    if (operation > BLKIF_OP_WRITE || nr_segments == 0 ||
        (operation == BLKIF_OP_WRITE && dom0->script.disk == NULL))
        return BLKIF_RSP_ERROR;
    for (uint32_t i = 0; i < nr_segments; i++) {
        end += seg[i].last_sect - seg[i].first_sect + 1u;
        if (seg[i].last_sect >= BLKIF_SECTORS_PER_PAGE || end > sector_count(dom0) ||
            !fake_dom0_is_granted(dom0, seg[i].gref, operation == BLKIF_OP_WRITE))
            return BLKIF_RSP_ERROR;
    }
    for (uint32_t i = 0; i < nr_segments; i++)
        move(dom0, operation, &sector, &seg[i]);
    return BLKIF_RSP_OKAY;
}

static int16_t do_indirect(struct fake_dom0 *dom0, const struct blkif_request *req)
{
    struct blkif_request_indirect indirect = blkif_as_indirect(req);
    if (indirect.nr_segments > dom0->script.indirect_segments ||
        indirect.handle != dom0->at->key.devid ||
        !fake_dom0_is_granted(dom0, indirect.indirect_grefs[0], true))
        return BLKIF_RSP_ERROR;
    const void *segments = fake_dom0_page(dom0, indirect.indirect_grefs[0]);
    return move_all(dom0, indirect.indirect_op, indirect.sector_number, segments,
                    indirect.nr_segments);
}

static int16_t do_discard(struct fake_dom0 *dom0, const struct blkif_request *req)
{
    struct blkif_request_discard discard = blkif_as_discard(req);
    if (dom0->script.disk == NULL || discard.flag != 0 || discard.nr_sectors == 0 ||
        discard.sector_number + discard.nr_sectors > sector_count(dom0))
        return BLKIF_RSP_ERROR;
    memset(dom0->script.disk + discard.sector_number * BLKIF_SECTOR_SIZE, 0,
           discard.nr_sectors * BLKIF_SECTOR_SIZE);
    return BLKIF_RSP_OKAY;
}

void fake_dom0_sync(struct fake_dom0 *dom0)
{
    (void)load_full_u32(&dom0->done);
    store_full_u32(&dom0->asked, dom0->asked + 1);
}

static int16_t do_request(struct fake_dom0 *dom0, const struct blkif_request *req)
{
    if (req->operation == BLKIF_OP_INDIRECT)
        return do_indirect(dom0, req);
    if (req->operation == BLKIF_OP_DISCARD)
        return do_discard(dom0, req);
    if (req->operation == BLKIF_OP_FLUSH_DISKCACHE && req->nr_segments == 0) {
        store_full_u32(&dom0->flushes, dom0->flushes + 1);
        return BLKIF_RSP_OKAY;
    }
    return move_all(dom0, req->operation, req->sector_number, req->seg, req->nr_segments);
}

int16_t fake_dom0_do(struct fake_dom0 *dom0, const struct blkif_request *req)
{
    (void)load_full_u32(&dom0->asked);
    int16_t status = do_request(dom0, req);
    store_full_u32(&dom0->done, dom0->done + 1);
    return status;
}

uint8_t fake_dom0_operation(const struct blkif_request *req)
{
    return req->operation == BLKIF_OP_INDIRECT ? blkif_as_indirect(req).indirect_op
                                               : req->operation;
}

uint32_t fake_dom0_flushes(struct fake_dom0 *dom0)
{
    return load_full_u32(&dom0->flushes);
}

void fake_dom0_respond(struct fake_dom0 *dom0, uint64_t id, uint8_t operation, int16_t status)
{
    blkif_put_response(&at_queue(dom0)->ring, id, operation, status);
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

void fake_dom0_flush(struct fake_dom0 *dom0)
{
    struct queue *queue = at_queue(dom0);
    if (back_ring_push(&queue->ring.half) && !(dom0->script.silent && dom0->at->seen_request))
        notify(dom0, queue->port, dom0->vcpu[queue->port]);
}

void fake_dom0_serve(struct fake_dom0 *dom0, const struct blkif_request *req)
{
    int16_t status = fake_dom0_do(dom0, req);
    fake_dom0_respond(dom0, req->id, fake_dom0_operation(req), status);
    fake_dom0_flush(dom0);
}

void fake_dom0_node(struct fake_dom0 *dom0, const char *node, const char *value)
{
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &dom0->at->key, node);
    if (xs_local_write(dom0->store, path, value) < 0)
        abort();
}

static uint64_t front_number(struct fake_dom0 *dom0, const char *node, uint64_t fallback)
{
    char path[XENBUS_PATH_MAX];
    uint64_t number;
    xenbus_front_path(path, &dom0->at->key, node);
    return xs_local_read_u64(dom0->store, path, UINT32_MAX, &number) < 0 ? fallback : number;
}

static void connect_queue(struct fake_dom0 *dom0, struct queue *queue, const char *directory)
{
    uint64_t order = front_number(dom0, "ring-page-order", 0);
    char node[48];
    snprintf(node, sizeof(node), "%s%s", directory, order == 0 ? "ring-ref" : "ring-ref0");
    uint64_t ref = front_number(dom0, node, 0);
    snprintf(node, sizeof(node), "%sevent-channel", directory);
    queue->port = (evtchn_port_t)front_number(dom0, node, 0);
    back_ring_init(&queue->ring.half, (void *)fake_dom0_page(dom0, (grant_ref_t)ref),
                   blkif_ring_entries((uint32_t)order), 0);
}

static void connect_queues(struct fake_dom0 *dom0)
{
    struct vbd *vbd = dom0->at;
    vbd->queue_count = (uint32_t)front_number(dom0, "multi-queue-num-queues", 1);
    if (vbd->queue_count > (dom0->script.queues > 1 ? dom0->script.queues : 1))
        abort(); /* more than was offered */
    for (uint32_t i = 0; i < vbd->queue_count; i++) {
        char directory[24] = "";
        if (vbd->queue_count > 1)
            snprintf(directory, sizeof(directory), "queue-%u/", i);
        connect_queue(dom0, &vbd->queue[i], directory);
    }
}

static void connect_rings(struct fake_dom0 *dom0)
{
    char sectors[32];
    struct vbd *vbd = dom0->at;
    connect_queues(dom0);
    snprintf(sectors, sizeof(sectors), "%llu", (unsigned long long)sector_count(dom0));
    fake_dom0_node(dom0, "sectors", sectors);
    fake_dom0_node(dom0, "sector-size", "512");
    fake_dom0_node(dom0, "physical-sector-size", "4096");
    fake_dom0_node(dom0, "info", dom0->script.disk != NULL ? "0" : "4");
    if (dom0->script.disk != NULL) {
        fake_dom0_node(dom0, "feature-flush-cache", "1");
        fake_dom0_node(dom0, "feature-discard", "1");
        fake_dom0_node(dom0, "discard-granularity", "4096");
        fake_dom0_node(dom0, "discard-alignment", "512");
    }
    if (dom0->script.change_nodes != NULL)
        dom0->script.change_nodes(dom0, dom0->store);
    vbd->connected = true;
    fake_dom0_node(dom0, "state", "4");
}

/* Lets go of all pages, as a back end must before the front end uses them again. */
static void close_vbd(struct fake_dom0 *dom0)
{
    dom0->at->connected = false;
    dom0->at->seen_closing = true;
    fake_dom0_node(dom0, "state", "6");
}

static void front_changed(void *ctx, const char *path)
{
    struct vbd *vbd = ctx;
    struct fake_dom0 *dom0 = vbd->dom0;
    struct vbd *before = dom0->at;
    (void)path;
    dom0->at = vbd;
    int state = (int)front_number(dom0, "state", XenbusStateClosed);
    bool same = state == vbd->front_state;
    vbd->front_state = state;
    if (same)
        ;
    else if (state == XenbusStateInitialised && dom0->script.refuse_ring)
        fake_dom0_node(dom0, "state", "5");
    else if (state == XenbusStateInitialised)
        connect_rings(dom0);
    else if (state == XenbusStateClosing)
        fake_dom0_node(dom0, "state", "5");
    else if (state == XenbusStateClosed)
        close_vbd(dom0);
    else if (state == XenbusStateInitialising && vbd->seen_closing)
        fake_dom0_node(dom0, "state", "2");
    dom0->at = before;
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

static void serve_ring(struct fake_dom0 *dom0)
{
    struct vbd *vbd = dom0->at;
    struct queue *queue = at_queue(dom0);
    do {
        int waiting = back_ring_look(&queue->ring.half);
        for (; waiting > 0; waiting--) {
            struct blkif_request req;
            memset(&req, 0, sizeof(req));
            blkif_take_request(&queue->ring, &req);
            vbd->seen_request = true;
            if (dom0->script.request != NULL)
                dom0->script.request(dom0, &req);
            else
                fake_dom0_serve(dom0, &req);
        }
        if (dom0->script.idle != NULL)
            dom0->script.idle(dom0);
    } while (back_ring_final_check(&queue->ring.half));
}

static void serve_rings(struct fake_dom0 *dom0)
{
    for (uint32_t i = 0; i < disks(dom0); i++) {
        struct vbd *vbd = dom0->at = &dom0->vbd[i];
        for (uint32_t k = 0; vbd->connected && k < vbd->queue_count; k++) {
            vbd->serving = k;
            serve_ring(dom0);
        }
        vbd->serving = 0;
    }
    dom0->at = &dom0->vbd[0];
    if (dom0->script.serve_devices != NULL)
        dom0->script.serve_devices(dom0);
}

static void send_reply(struct fake_dom0 *dom0, const struct control_reply *reply, const int *fds,
                       int fd_count)
{
    (void)unix_socket_send(dom0->peer_fd, reply, sizeof(*reply), fds, (size_t)fd_count, true);
}

static void create_disk(struct fake_dom0 *dom0, uint32_t index)
{
    const char dev[] = {'x', 'v', 'd', (char)('a' + index), '\0'};
    const struct vbd_options options = {.params = "fake", .dev = dev};
    struct vbd *vbd = dom0->at = &dom0->vbd[index];
    char path[XENBUS_PATH_MAX], order[16];
    *vbd = (struct vbd){.dom0 = dom0, .key = {"vbd", DOMID, XENBUS_VBD_XVDA + index * VDEV_STEP}};
    const struct back_spec disk = {&vbd_class, vbd->key.devid, &options};
    if (toolstack_create_device(dom0->store, DOMID, &disk) < 0)
        abort();
    snprintf(order, sizeof(order), "%u", dom0->script.max_order);
    fake_dom0_node(dom0, "max-ring-page-order", order);
    if (dom0->script.queues > 0) {
        char queues[16];
        snprintf(queues, sizeof(queues), "%u", dom0->script.queues);
        fake_dom0_node(dom0, "multi-queue-max-queues", queues);
    }
    if (dom0->script.indirect_segments > 0) {
        char segments[16];
        snprintf(segments, sizeof(segments), "%u", dom0->script.indirect_segments);
        fake_dom0_node(dom0, "feature-max-indirect-segments", segments);
    }
    if (dom0->script.virtual_completion)
        fake_dom0_node(dom0, "feature-virtual-completion", "1");
    fake_dom0_node(dom0, "state", dom0->script.skip_init_wait ? "4" : "2");
    if (dom0->script.change_features != NULL)
        dom0->script.change_features(dom0, dom0->store);
    xenbus_front_path(path, &vbd->key, "state");
    if (xs_local_watch(dom0->store, path, front_changed, vbd, &vbd->watch) < 0)
        abort();
}

static void create_domain(struct fake_dom0 *dom0, uint32_t nr_pages)
{
    struct control_reply reply = {.magic = CONTROL_MAGIC, .arg0 = DOMID};
    int fds[2], fd_count = 2;
    if (segment_create(nr_pages, DOMID, &dom0->segment, &dom0->segment_fd) < 0)
        abort();
    fds[0] = dom0->segment_fd;
    fds[1] = dom0->doorbell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    tdf_source_monotonic(&dom0->source);
    xs_ring_init(dom0->segment.store);
    if (tdf_clock_init(&dom0->clock, &dom0->source, dom0->segment.shared_info, 1,
                       (struct tdf){1, 1}) < 0 ||
        xs_server_create(NULL, &dom0->store) < 0 || xs_server_introduce(dom0->store, DOMID) < 0 ||
        xs_conn_open(dom0->store, DOMID, false, NULL, NULL, &dom0->conn) < 0 ||
        toolstack_create_domain(dom0->store, &(struct toolstack_domain){.domid = DOMID}) < 0)
        abort();
    for (uint32_t i = disks(dom0); i-- > 0;)
        create_disk(dom0, i);
    if (dom0->script.make_devices != NULL)
        dom0->script.make_devices(dom0, dom0->store);
    dom0->next_port = FIRST_PORT;
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
        for (uint32_t i = 0; i < disks(dom0); i++)
            xs_local_unwatch(dom0->vbd[i].watch);
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
    } else {
        struct control_reply reply = {.magic = CONTROL_MAGIC, .arg0 = dom0->next_port};
        dom0->vcpu[dom0->next_port++] = request.arg0;
        send_reply(dom0, &reply, NULL, 0);
    }
}

static void destroy_domain(struct fake_dom0 *dom0)
{
    const struct control_reply reply = {.magic = CONTROL_MAGIC, .status = -ESHUTDOWN};
    store_full_u32(&dom0->destroys, 0);
    if (unix_socket_send(dom0->peer_fd, &reply, sizeof(reply), NULL, 0, true) < 0 ||
        shutdown(dom0->peer_fd, SHUT_RDWR) < 0)
        abort();
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
            serve_rings(dom0);
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
    dom0->at = &dom0->vbd[0];
    dom0->described_weight = UINT32_MAX;
    if (disks(dom0) > FAKE_DOM0_DISKS_MAX)
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
