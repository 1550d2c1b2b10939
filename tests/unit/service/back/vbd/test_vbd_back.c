/* SPDX-License-Identifier: MIT */
/* vbd_back: what the back end of a disk tells its front end and accepts of it, with real rings. The
 * states are test_xenbus_back's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/container_of.h"
#include "fakes/fake_vdisk.h"
#include "ring/blkif_front_ring.h"
#include "ring/fault_guard.h"
#include "ring/gnttab.h"
#include "service/back/evtchn_table.h"
#include "service/back/vbd/vbd_back.h"
#include "service/block/queue.h"

enum {
    NR_PAGES = 64,
    DOMID = 3,
    RING_REF = 8, /* 16 pages */
    RING_REFS = 16,
    MAX_ORDER = 2,
    MAX_QUEUES = 4,
    IMAGE_SECTORS = 2048,
};

static const struct xenbus_key key = {"vbd", DOMID, XENBUS_VBD_XVDA};

struct fixture {
    struct segment segment;
    int fd, fault_slot;
    struct log *log;
    struct log_limit log_limit;
    struct xs_server *store;
    struct fake_vdisk fake;
    struct evtchn_table evtchn;
    int port;
    struct pollables loop;
    struct poll_peer peer;
    struct tdf_source time;
    struct tdf_clock clock;
    struct tdf tdf;
    struct back_host host;
    struct back_settings settings;
    struct back_domain domain;
    struct vbd_options options;
    struct xenbus_back *back;
};

static struct fixture *f;

static void lost(void *ctx)
{
    (void)ctx;
    fail_msg("the domain was given up");
}

static void gone(void *ctx, struct xenbus_back *back)
{
    (void)ctx;
    (void)back;
    fail_msg("the device was taken away");
}

/* Lets the back end see what happened. */
static void step(void)
{
    for (int i = 0; i < 100 && xs_server_run(f->store, 16); i++) {
    }
    assert_true(xs_server_idle(f->store));
}

static void set_front(const char *node, const char *value)
{
    char path[XENBUS_PATH_MAX];
    xenbus_front_path(path, &key, node);
    int rc = value != NULL ? xs_local_write(f->store, path, value) : xs_local_rm(f->store, path);
    assert_int_equal(rc, 0);
}

static const char *back_node(const char *node)
{
    static char value[256];
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &key, node);
    return xs_local_read(f->store, path, value, sizeof(value)) < 0 ? "(none)" : value;
}

static bool has_error_node(void)
{
    char path[XENBUS_PATH_MAX], value[256];
    xenbus_error_path(path, &key);
    return xs_local_read(f->store, path, value, sizeof(value)) > 0;
}

/* The first of those that the loop serves. */
static struct vbd_ring *ring(void)
{
    struct list_node *node = list_first(&f->peer.pollables);
    struct vbd_ring *up;
    for (uint32_t i = 0; (up = vbd_back_queue(f->back, i)) != NULL; i++) {
        assert_ptr_equal(node, &up->pollable.of_peer);
        node = list_next(&f->peer.pollables, node);
    }
    assert_null(node);
    return vbd_back_ring(f->back);
}

static void go(const char *state, enum xenbus_state expected)
{
    set_front("state", state);
    step();
    assert_int_equal(f->back->state, expected);
    assert_int_equal(atoi(back_node("state")), (int)expected);
}

static void offer(void)
{
    char port[16];
    snprintf(port, sizeof(port), "%d", f->port);
    set_front("ring-ref", "8");
    set_front("event-channel", port);
    set_front("protocol", "x86_64-abi");
}

static void create(void)
{
    const struct back_spec spec = {&vbd_class, XENBUS_VBD_XVDA, &f->options};
    const struct back_owner owner = {.lost = lost, .gone = gone};
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &key, "online");
    assert_int_equal(xs_local_write(f->store, path, "1"), 0);
    set_front("state", "1");
    assert_int_equal(xenbus_back_create(&f->host, &f->domain, &spec, &owner, &f->back), 0);
    step();
}

static void make_disk(void)
{
    fake_vdisk_create(&f->fake, &(struct fake_vdisk_config){.sector_count = IMAGE_SECTORS,
                                                            .block_size_bytes = 4096,
                                                            .depth = 4});
    f->options = (struct vbd_options){.vdisk = f->fake.vdisk,
                                      .params = "image",
                                      .dev = "xvda",
                                      .max_ring_page_order = MAX_ORDER,
                                      .max_queues = MAX_QUEUES};
}

static int make_domain(void)
{
    if (segment_create(NR_PAGES, DOMID, &f->segment, &f->fd) < 0 || fault_guard_install(4) < 0 ||
        tdf_source_manual(&f->time, 1000000000, 1000, 0) < 0 ||
        tdf_clock_init(&f->clock, &f->time, NULL, 0, (struct tdf){1, 1}) < 0)
        return -1;
    f->fault_slot = fault_guard_add(f->segment.base, (size_t)NR_PAGES << XEN_PAGE_SHIFT, -1);
    evtchn_table_reserve(&f->evtchn, SEGMENT_STORE_EVTCHN, 0);
    f->port = evtchn_table_alloc(&f->evtchn, 1);
    for (uint32_t i = 0; i < RING_REFS; i++) {
        gnttab_grant_access(f->segment.gnttab, RING_REF + i, DOM0_DOMID, f->segment.free_pfn + i,
                            false);
        sring_init(segment_page(&f->segment, f->segment.free_pfn + i), 0);
    }
    poll_peer_init(&f->peer, f->segment.hints);
    f->tdf = (struct tdf){1, 1};
    f->settings = (struct back_settings){.weight = SCHED_WEIGHT_DEFAULT, .disk_scale = {1, 1}};
    f->domain = (struct back_domain){.domid = DOMID,
                                     .segment = &f->segment,
                                     .fault_slot = f->fault_slot,
                                     .evtchn = &f->evtchn,
                                     .clock = &f->clock,
                                     .tdf = &f->tdf,
                                     .peer = &f->peer,
                                     .settings = &f->settings};
    return 0;
}

static int setup(void **state)
{
    (void)state;
    f = calloc(1, sizeof(*f));
    if (f == NULL || make_domain() < 0 ||
        log_open(&(struct log_options){.path = "/dev/null"}, &f->log) < 0 ||
        xs_server_create(NULL, &f->store) < 0 || xs_server_introduce(f->store, DOMID) < 0)
        return -1;
    f->host = (struct back_host){
        .store = f->store, .log = f->log, .log_limit = &f->log_limit, .pollables = &f->loop};
    make_disk();
    create();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    xenbus_back_destroy(f->back);
    assert_true(list_is_empty(&f->peer.pollables));
    fake_vdisk_destroy(&f->fake);
    xs_server_destroy(f->store);
    log_close(f->log);
    fault_guard_drop(f->fault_slot);
    fault_guard_remove();
    assert_int_equal(f->segment.gnttab[RING_REF].flags & (GTF_reading | GTF_writing), 0);
    segment_detach(&f->segment);
    close(f->fd);
    free(f);
    return 0;
}

static void it_says_what_it_can_do(void **state)
{
    (void)state;
    assert_int_equal(f->back->state, XenbusStateInitWait);
    assert_string_equal(back_node("max-ring-page-order"), "2");
    assert_string_equal(back_node("multi-queue-max-queues"), "4");
    assert_string_equal(back_node("feature-max-indirect-segments"), "256");
    assert_string_equal(back_node("feature-persistent"), "(none)"); /* only when it connects */
    assert_string_equal(back_node("feature-virtual-completion"), "(none)");
}

static void only_a_model_completes_in_virtual_time(void **state)
{
    (void)state;
    offer();
    set_front("feature-virtual-completion", "1");
    go("3", XenbusStateConnected);
    assert_false(ring()->config.virtual_completion); /* it was not offered */
    xenbus_back_destroy(f->back);
    f->options.virtual_completion = true;
    create();
    assert_string_equal(back_node("feature-virtual-completion"), "1");
    go("3", XenbusStateConnected);
    assert_true(ring()->config.virtual_completion);
}

static void it_describes_the_disk(void **state)
{
    (void)state;
    assert_string_equal(back_node("sectors"), "(none)");
    offer();
    go("3", XenbusStateConnected);
    assert_string_equal(back_node("sectors"), "2048");
    assert_string_equal(back_node("sector-size"), "512");
    assert_string_equal(back_node("physical-sector-size"), "4096");
    assert_string_equal(back_node("info"), "4");
    assert_non_null(ring());
    assert_int_equal(ring()->config.port, f->port);
    assert_int_equal(ring()->config.vcpu, 1);
    assert_false(ring()->config.persistent_grants);
}

static void collect(void *ctx, const char *node, const char *value)
{
    char *text = ctx;
    size_t used = strlen(text);
    snprintf(text + used, 512 - used, "%s=%s ", node, value);
}

/* In libxl's order, with its values. */
static void the_toolstack_tells_what_kind_of_disk_it_is(void **state)
{
    (void)state;
    struct vbd_options options = {.params = "/dev/loop5", .dev = "xvde", .type = "phy"};
    const struct back_spec spec = {&vbd_class, 51776, &options};
    char text[512] = "";
    options.cdrom = options.removable = true;
    vbd_class.back_nodes(&spec, 2, collect, text);
    assert_string_equal(text, "params=/dev/loop5 frontend-id=2 online=1 removable=1 bootable=1 "
                              "state=1 dev=xvde type=phy mode=r device-type=cdrom "
                              "discard-enable=0 specification=xen ");
    text[0] = '\0';
    vbd_class.front_nodes(&spec, collect, text);
    assert_string_equal(text,
                        "virtual-device=51776 device-type=cdrom trusted=1 protocol=x86_64-abi ");
    options =
        (struct vbd_options){.params = "i", .dev = "xvda", .writable = true, .untrusted = true};
    text[0] = '\0';
    vbd_class.back_nodes(&spec, 2, collect, text);
    assert_string_equal(text, "params=i frontend-id=2 online=1 removable=0 bootable=1 state=1 "
                              "dev=xvda type=file mode=w device-type=disk discard-enable=1 "
                              "specification=xen ");
    text[0] = '\0';
    vbd_class.front_nodes(&spec, collect, text);
    assert_string_equal(text,
                        "virtual-device=51776 device-type=disk trusted=0 protocol=x86_64-abi ");
    options.no_discard = true;
    text[0] = '\0';
    vbd_class.back_nodes(&spec, 2, collect, text);
    assert_non_null(strstr(text, "discard-enable=0"));
}

static void info_tells_mode_and_kind(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        static const char *const infos[] = {"4", "0", "5", "1"};
        xenbus_back_destroy(f->back);
        f->options.writable = (kind & 1) != 0;
        f->options.cdrom = (kind & 2) != 0;
        f->options.removable = f->options.cdrom; /* not what VDISK_REMOVABLE is about */
        create();
        offer();
        go("3", XenbusStateConnected);
        assert_string_equal(back_node("info"), infos[kind]);
    }
}

/* A disk that can do all, as for whoever may write it. */
static void make_writable(void)
{
    struct vdisk_capabilities *can = &f->fake.vdisk->capabilities;
    can->writable = can->flush = can->discard = true;
    can->discard_granularity_bytes = 4096;
    can->discard_alignment_bytes = 512;
    xenbus_back_destroy(f->back);
    f->options.writable = true;
    create();
}

struct expected_node {
    const char *node, *value;
};

static void expect_nodes(const struct expected_node *nodes)
{
    for (; nodes->node != NULL; nodes++)
        assert_string_equal(back_node(nodes->node), nodes->value);
}

static void a_writable_disk_tells_all_that_linux_tells(void **state)
{
    (void)state;
    make_writable();
    assert_string_equal(back_node("feature-flush-cache"), "(none)"); /* only when it connects */
    offer();
    go("3", XenbusStateConnected);
    expect_nodes((const struct expected_node[]){{"feature-flush-cache", "1"},
                                                {"discard-granularity", "4096"},
                                                {"discard-alignment", "512"},
                                                {"discard-secure", "0"},
                                                {"feature-discard", "1"},
                                                {"feature-barrier", "1"},
                                                {"feature-persistent", "1"},
                                                {"sectors", "2048"},
                                                {"info", "0"},
                                                {"sector-size", "512"},
                                                {"physical-sector-size", "4096"},
                                                {NULL, NULL}});
    assert_true(ring()->config.writable);
    assert_true(ring()->config.discard);
}

static const struct expected_node no_discard[] = {{"discard-granularity", "(none)"},
                                                  {"discard-alignment", "(none)"},
                                                  {"discard-secure", "(none)"},
                                                  {"feature-discard", "(none)"},
                                                  {NULL, NULL}};

static void a_read_only_disk_offers_no_changes(void **state)
{
    (void)state;
    make_writable();
    xenbus_back_destroy(f->back);
    f->options.writable = false; /* for this domain; others may write it */
    create();
    offer();
    go("3", XenbusStateConnected);
    assert_string_equal(back_node("feature-flush-cache"), "0");
    assert_string_equal(back_node("feature-barrier"), "0");
    expect_nodes(no_discard);
    assert_false(ring()->config.writable);
}

static void set_back(const char *node, const char *value)
{
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &key, node);
    assert_int_equal(xs_local_write(f->store, path, value), 0);
}

/* discard-enable is the administrator's, until a front end connects. */
static void discards_can_be_forbidden(void **state)
{
    (void)state;
    make_writable();
    set_back("discard-enable", "0");
    offer();
    go("3", XenbusStateConnected);
    expect_nodes(no_discard);
    assert_false(ring()->config.discard);
    assert_string_equal(back_node("feature-flush-cache"), "1");
    go("6", XenbusStateClosed);
    set_back("discard-enable", "1");
    go("1", XenbusStateInitWait);
    go("3", XenbusStateConnected);
    assert_string_equal(back_node("feature-discard"), "1");
    assert_true(ring()->config.discard);
}

/* A file system that can't punch holes shows only when it is asked to. */
static void what_the_disk_turns_out_not_to_do_is_taken_back(void **state)
{
    (void)state;
    struct vdisk *vdisk = NULL;
    for (int connected = 0; connected < 2; connected++) {
        make_writable();
        vdisk = f->fake.vdisk;
        offer();
        if (connected == 1)
            go("3", XenbusStateConnected);
        struct block_client *client =
            container_of(list_first(&vdisk->clients), struct block_client, of_vdisk);
        vdisk->capabilities.discard = false;
        client->changed(client->changed_ctx);
        if (connected == 0) { /* nobody has been told anything yet */
            assert_string_equal(back_node("feature-discard"), "(none)");
            go("3", XenbusStateConnected);
        }
        assert_string_equal(back_node("feature-discard"), "0");
        assert_string_equal(back_node("feature-flush-cache"), "1");
        vdisk->capabilities.flush = false;
        client->changed(client->changed_ctx);
        assert_string_equal(back_node("feature-flush-cache"), "0");
        assert_string_equal(back_node("feature-barrier"), "0");
        assert_int_equal(f->back->state, XenbusStateConnected);
        go("6", XenbusStateClosed);
        go("1", XenbusStateInitWait);
    }
}

static void offer_queues(uint32_t count, uint32_t order)
{
    char node[64], value[16];
    uint32_t ref = RING_REF;
    snprintf(value, sizeof(value), "%u", count);
    set_front("multi-queue-num-queues", value);
    if (order > 0) {
        snprintf(value, sizeof(value), "%u", order);
        set_front("ring-page-order", value);
    }
    for (uint32_t queue = 0; queue < count; queue++) {
        snprintf(value, sizeof(value), "%d", f->port);
        snprintf(node, sizeof(node), "queue-%u/event-channel", queue);
        set_front(node, value);
        for (uint32_t i = 0; i < 1u << order; i++) {
            snprintf(value, sizeof(value), "%u", ref++);
            if (order == 0)
                snprintf(node, sizeof(node), "queue-%u/ring-ref", queue);
            else
                snprintf(node, sizeof(node), "queue-%u/ring-ref%u", queue, i);
            set_front(node, value);
        }
    }
}

static uint32_t rings_in_use(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < RING_REFS; i++)
        count += (f->segment.gnttab[RING_REF + i].flags & (GTF_reading | GTF_writing)) != 0;
    return count;
}

static void several_queues_have_a_ring_each(void **state)
{
    (void)state;
    for (uint32_t order = 0; order <= MAX_ORDER; order += MAX_ORDER) {
        for (uint32_t count = 2; count <= MAX_QUEUES; count++) {
            offer_queues(count, order);
            go("3", XenbusStateConnected);
            assert_non_null(ring()); /* and the loop serves all of them */
            for (uint32_t i = 0; i < count; i++) {
                struct vbd_ring *queue = vbd_back_queue(f->back, i);
                assert_int_equal(queue->config.ring_ref[0], RING_REF + (i << order));
                assert_int_equal(queue->ring.half.nr_ents, 32u << order);
                queue->stats.requests += 10;
            }
            assert_null(vbd_back_queue(f->back, count));
            assert_int_equal(rings_in_use(), count << order);
            go("6", XenbusStateClosed);
            assert_null(ring());
            assert_int_equal(rings_in_use(), 0);
            go("1", XenbusStateInitWait);
        }
    }
    assert_int_equal(vbd_back_stats(f->back).requests, 2 * (20 + 30 + 40));
}

/* Each ring is served by itself, and one that breaks halts alone. */
static void each_queue_is_served(void **state)
{
    (void)state;
    struct blkif_front_ring front[MAX_QUEUES];
    struct blkif_response rsp;
    for (uint32_t i = 0; i < MAX_QUEUES; i++) {
        struct sring *sring = segment_page(&f->segment, f->segment.free_pfn + i);
        sring_init(sring, 0);
        front_ring_init(&front[i].half, sring, 32, 0);
    }
    offer_queues(MAX_QUEUES, 0);
    go("4", XenbusStateConnected);
    front[1].half.sring->req_prod = 5000;
    for (uint32_t i = 0; i < MAX_QUEUES; i++) {
        const struct blkif_request req = {.operation = 255, .id = 100 + i};
        if (i == 1)
            continue;
        blkif_put_request(&front[i], &req);
        (void)front_ring_push(&front[i].half);
    }
    assert_int_equal(pollables_turn(&f->loop, 1), MAX_QUEUES - 1);
    for (uint32_t i = 0; i < MAX_QUEUES; i++) {
        assert_int_equal(vbd_back_queue(f->back, i)->halted, i == 1);
        assert_int_equal(blkif_take_response(&front[i], &rsp), i != 1);
        if (i != 1)
            assert_int_equal(rsp.id, 100 + i);
    }
    step();
    assert_int_equal(f->back->state, XenbusStateClosing);
    go("6", XenbusStateClosed);
    assert_int_equal(vbd_back_stats(f->back).unsupported, MAX_QUEUES - 1);
}

static void queues_that_make_no_sense_leave_nothing(void **state)
{
    (void)state;
    static const struct expected_node bad[] = {
        {"multi-queue-num-queues", "5"},
        {"multi-queue-num-queues", "0"},
        {"multi-queue-num-queues", "4294967297"},
        {"queue-2/ring-ref", NULL},
        {"queue-2/ring-ref", "7"}, /* not granted */
        {"queue-2/event-channel", NULL},
        {"queue-1/event-channel", "0"},
        {"ring-page-order", "0"}, /* then it is ring-ref0 */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        offer(); /* at the top, where nobody looks for it */
        offer_queues(3, 0);
        set_front(bad[i].node, bad[i].value);
        go("3", XenbusStateClosing);
        assert_null(ring());
        assert_int_equal(rings_in_use(), 0);
        if (strcmp(bad[i].node, "ring-page-order") == 0)
            set_front("ring-page-order", NULL);
        go("6", XenbusStateClosed);
        go("1", XenbusStateInitWait);
    }
}

/* One queue: its nodes are where they always were. */
static void one_queue_has_no_directory(void **state)
{
    (void)state;
    offer();
    set_front("multi-queue-num-queues", "1");
    set_front("queue-0/ring-ref", "7");
    go("3", XenbusStateConnected);
    assert_int_equal(ring()->config.ring_ref[0], RING_REF);
}

static void as_many_queues_as_cpus_but_for_a_few_are_offered(void **state)
{
    (void)state;
    const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    xenbus_back_destroy(f->back);
    f->options.max_queues = 0;
    create();
    assert_int_equal(atoi(back_node("multi-queue-max-queues")),
                     cpus < VBD_QUEUES_MAX ? cpus : VBD_QUEUES_MAX);
    xenbus_back_destroy(f->back);
    f->options.max_queues = 100;
    create();
    assert_int_equal(atoi(back_node("multi-queue-max-queues")), VBD_QUEUES_MAX);
}

static void persistent_grants_are_the_front_ends_choice(void **state)
{
    (void)state;
    offer();
    set_front("feature-persistent", "1");
    go("4", XenbusStateConnected);
    assert_true(ring()->config.persistent_grants);
}

static void a_ring_of_several_pages_connects(void **state)
{
    (void)state;
    offer();
    set_front("ring-page-order", "1");
    set_front("ring-ref0", "8");
    set_front("ring-ref1", "9");
    go("3", XenbusStateConnected);
    assert_int_equal(ring()->ring.half.nr_ents, 64);
}

static void the_ring_is_served_until_the_front_end_has_closed(void **state)
{
    (void)state;
    offer();
    go("4", XenbusStateConnected);
    go("5", XenbusStateClosing);
    assert_non_null(ring()); /* what is in flight is still answered */
    go("6", XenbusStateClosed);
    assert_null(ring());
}

static void a_change_of_the_offer_while_connected_changes_nothing(void **state)
{
    (void)state;
    offer();
    go("3", XenbusStateConnected);
    const struct vbd_ring *before = ring();
    set_front("ring-ref", "4000000000");
    set_front("event-channel", "none");
    go("3", XenbusStateConnected);
    go("4", XenbusStateConnected);
    assert_ptr_equal(ring(), before);
    assert_false(has_error_node());
}

/* Numbers as Linux reads them, and what it takes for the default. */
static void offers_that_linux_takes_connect(void **state)
{
    (void)state;
    static const struct {
        const char *node, *value;
        bool persistent;
    } good[] = {
        {"ring-ref", "8\n", true},
        {"ring-ref", " 8x", true},
        {"event-channel", NULL, true},     /* the port with a newline */
        {"ring-page-order", "none", true}, /* then ring-ref counts */
        {"multi-queue-num-queues", "1\n", true},
        {"multi-queue-num-queues", "many", true},
        {"protocol", "x86_64-abi\n", true},
        {"protocol", " x86_64-abi ", true},
        {"protocol", "", true},
        {"feature-persistent", "7", true},
        {"feature-persistent", "0\n", false},
        {"feature-persistent", "yes", false},
        {"feature-persistent", "", false},
        {"feature-virtual-completion", "yes", true},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char value[32];
        offer();
        set_front("feature-persistent", "1");
        if (good[i].value != NULL)
            snprintf(value, sizeof(value), "%s", good[i].value);
        else
            snprintf(value, sizeof(value), "%d\n", f->port);
        set_front(good[i].node, value);
        go("3", XenbusStateConnected);
        assert_int_equal(ring()->config.persistent_grants, good[i].persistent);
        assert_false(has_error_node());
        set_front(good[i].node, NULL);
        go("6", XenbusStateClosed);
        go("1", XenbusStateInitWait);
    }
}

struct bad_offer {
    const char *node, *value; /* value NULL: removed */
};

static void bad_offers_get_an_error_and_closing(void **state)
{
    (void)state;
    static const struct bad_offer bad[] = {
        {"ring-ref", NULL},
        {"ring-ref", ""},
        {"ring-ref", "-1"},
        {"ring-ref", "4294967296"},
        {"ring-ref", "4294967295"},
        {"ring-ref", "30"}, /* not granted */
        {"ring-ref", "99999999999999999999999"},
        {"event-channel", NULL},
        {"event-channel", "0"},
        {"event-channel", "1234"},
        {"event-channel", "4294967298"},
        {"event-channel", "port"},
        {"protocol", "x86_32-abi"},
        {"protocol", "x86_64-abix86_64-abix86_64-abix86_64-abix86_64-abix86_64-abix86_64-abi"},
        {"ring-page-order", "3"}, /* more than was offered */
        {"ring-page-order", "1"}, /* ring-ref0 is missing */
        {"ring-page-order", "18446744073709551615"},
        {"ring-page-order", "9223372036854775807"}, /* what stands for "no such node" inside */
        {"multi-queue-num-queues", "0"},
        {"multi-queue-num-queues", "2"}, /* there is no queue-0 */
        {"feature-persistent", "4294967296"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void)xs_local_rm(f->store, "/local/domain/0/error");
        offer();
        set_front(bad[i].node, bad[i].value);
        go("3", XenbusStateClosing);
        assert_true(has_error_node());
        assert_null(ring());
        go("4", XenbusStateClosing); /* no second chance without starting over */
        set_front(bad[i].node, NULL);
        offer();
        go("6", XenbusStateClosed);
        go("1", XenbusStateInitWait);
        go("3", XenbusStateConnected);
        assert_non_null(ring());
        go("6", XenbusStateClosed);
        go("1", XenbusStateInitWait);
    }
}

static void a_broken_ring_closes_the_device(void **state)
{
    (void)state;
    offer();
    go("4", XenbusStateConnected);
    struct sring *sring = segment_page(&f->segment, f->segment.free_pfn);
    sring->req_prod = 5000;
    assert_int_equal(pollables_turn(&f->loop, 1), 0);
    step();
    assert_int_equal(f->back->state, XenbusStateClosing);
    assert_true(has_error_node());
    assert_true(ring()->halted);
    go("6", XenbusStateClosed);
    sring_init(sring, 0);
    go("1", XenbusStateInitWait);
    go("4", XenbusStateConnected);
    assert_false(ring()->halted);
}

static void a_new_size_is_published_while_connected(void **state)
{
    (void)state;
    f->fake.vdisk->image.size_bytes += 512;
    vdisk_image_changed(f->fake.vdisk);
    xenbus_back_resize(f->back); /* nobody is connected: nothing to tell */
    assert_string_equal(back_node("sectors"), "(none)");
    offer();
    go("4", XenbusStateConnected);
    assert_string_equal(back_node("sectors"), "2049");
    assert_string_equal(back_node("physical-sector-size"), "512"); /* no whole block at the end */
    f->fake.vdisk->image.size_bytes = 4096;
    vdisk_image_changed(f->fake.vdisk);
    xenbus_back_resize(f->back);
    assert_string_equal(back_node("sectors"), "8");
    assert_string_equal(back_node("physical-sector-size"), "4096");
    assert_int_equal(f->back->state, XenbusStateConnected);
}

/* The client of the disk is the back end's, not the connection's: its share has one home. */
static void the_share_outlives_connections(void **state)
{
    (void)state;
    const struct block_client *client = vbd_back_client(f->back);
    assert_int_equal(block_client_weight(client), SCHED_WEIGHT_DEFAULT);
    f->settings = (struct back_settings){.weight = 77, .disk_scale = {2, 1}};
    xenbus_back_configure(f->back); /* nobody is connected */
    assert_int_equal(block_client_weight(client), 77);
    assert_int_equal(block_client_scale(client).num, 2);
    offer();
    for (int connection = 0; connection < 2; connection++) {
        go("4", XenbusStateConnected);
        assert_ptr_equal(ring()->config.client, client);
        assert_int_equal(block_client_weight(client), 77);
        go("6", XenbusStateClosed);
        go("1", XenbusStateInitWait);
    }
    xenbus_back_destroy(f->back); /* a new device begins with what holds then */
    f->settings.weight = 78;
    create();
    assert_int_equal(block_client_weight(vbd_back_client(f->back)), 78);
    assert_int_equal(f->fake.vdisk->client_count, 1);
}

/* The vbd ends while the device writes into the domain's pages: the use of the vdisk, the memory
 * and those pages stay until that is over. */
static void a_vbd_may_end_while_the_device_is_at_work(void **state)
{
    enum { PAGES = 16, NAMES_REF = RING_REF + RING_REFS, DATA_REF };
    (void)state;
    struct hold memory = {.holders = 1};
    struct blkif_front_ring front;
    const uint32_t names_pfn = f->segment.free_pfn + RING_REFS;
    struct blkif_request_segment *named = segment_page(&f->segment, names_pfn);
    struct blkif_request_indirect req = {
        .operation = BLKIF_OP_INDIRECT, .nr_segments = PAGES, .indirect_grefs = {NAMES_REF}};
    f->domain.memory = &memory;
    gnttab_grant_access(f->segment.gnttab, NAMES_REF, DOM0_DOMID, names_pfn, true);
    for (uint32_t i = 0; i < PAGES; i++) {
        named[i] = (struct blkif_request_segment){.gref = DATA_REF + i, .last_sect = 7};
        gnttab_grant_access(f->segment.gnttab, DATA_REF + i, DOM0_DOMID, names_pfn + 1 + i, false);
    }
    offer();
    go("3", XenbusStateConnected);
    sring_init(segment_page(&f->segment, f->segment.free_pfn), 0);
    front_ring_init(&front.half, segment_page(&f->segment, f->segment.free_pfn), 32, 0);
    blkif_put_indirect(&front, &req);
    (void)front_ring_push(&front.half);
    assert_int_equal(vbd_ring_consume(ring(), 0), 1);
    assert_true(device_dispatch(f->fake.device, 0) > 0);
    assert_int_equal(f->fake.disk->waiting_count, 1);
    xenbus_back_destroy(f->back);
    f->back = NULL;
    assert_int_equal(memory.holders, 2);
    const struct block_client *client =
        container_of(list_first(&f->fake.vdisk->clients), struct block_client, of_vdisk);
    assert_null(client->changed); /* nobody is there to be told */
    assert_int_equal(f->fake.vdisk->client_count, 1);
    assert_int_equal(rings_in_use(), 0);
    assert_true(f->segment.gnttab[DATA_REF].flags & GTF_writing);
    fake_disk_complete(f->fake.disk, 0, -EIO);
    assert_int_equal(memory.holders, 1);
    assert_int_equal(f->fake.vdisk->client_count, 0);
    assert_false(f->segment.gnttab[DATA_REF].flags & GTF_writing);
}

static void counters_outlive_connections(void **state)
{
    (void)state;
    offer();
    for (uint64_t life = 1; life <= 3; life++) {
        go("4", XenbusStateConnected);
        ring()->stats.requests += 5;
        assert_int_equal(vbd_back_stats(f->back).requests, 5 * life);
        go("6", XenbusStateClosed);
        go("1", XenbusStateInitWait);
        assert_int_equal(vbd_back_stats(f->back).requests, 5 * life);
    }
}

int main(void)
{
#define BACK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        BACK_TEST(it_says_what_it_can_do),
        BACK_TEST(only_a_model_completes_in_virtual_time),
        BACK_TEST(it_describes_the_disk),
        BACK_TEST(the_toolstack_tells_what_kind_of_disk_it_is),
        BACK_TEST(info_tells_mode_and_kind),
        BACK_TEST(a_writable_disk_tells_all_that_linux_tells),
        BACK_TEST(a_read_only_disk_offers_no_changes),
        BACK_TEST(discards_can_be_forbidden),
        BACK_TEST(what_the_disk_turns_out_not_to_do_is_taken_back),
        BACK_TEST(several_queues_have_a_ring_each),
        BACK_TEST(each_queue_is_served),
        BACK_TEST(queues_that_make_no_sense_leave_nothing),
        BACK_TEST(one_queue_has_no_directory),
        BACK_TEST(as_many_queues_as_cpus_but_for_a_few_are_offered),
        BACK_TEST(persistent_grants_are_the_front_ends_choice),
        BACK_TEST(a_ring_of_several_pages_connects),
        BACK_TEST(the_ring_is_served_until_the_front_end_has_closed),
        BACK_TEST(a_change_of_the_offer_while_connected_changes_nothing),
        BACK_TEST(offers_that_linux_takes_connect),
        BACK_TEST(bad_offers_get_an_error_and_closing),
        BACK_TEST(a_broken_ring_closes_the_device),
        BACK_TEST(a_new_size_is_published_while_connected),
        BACK_TEST(the_share_outlives_connections),
        BACK_TEST(a_vbd_may_end_while_the_device_is_at_work),
        BACK_TEST(counters_outlive_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
