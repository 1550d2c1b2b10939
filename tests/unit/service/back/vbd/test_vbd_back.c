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

#include "fakes/fake_vdisk.h"
#include "ring/fault_guard.h"
#include "ring/gnttab.h"
#include "service/back/evtchn_table.h"
#include "service/back/vbd/vbd_back.h"

enum { NR_PAGES = 64, DOMID = 3, RING_REF = 8, MAX_ORDER = 2, IMAGE_SECTORS = 2048 };

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

/* The ring that the loop serves. */
static struct vbd_ring *ring(void)
{
    struct vbd_ring *up = vbd_back_ring(f->back);
    assert_int_equal(list_is_empty(&f->peer.pollables), up == NULL);
    if (up != NULL)
        assert_ptr_equal(list_first(&f->peer.pollables), &up->pollable.of_peer);
    return up;
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
    f->options = (struct vbd_options){
        .vdisk = f->fake.vdisk, .params = "image", .dev = "xvda", .max_ring_page_order = MAX_ORDER};
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
    for (uint32_t i = 0; i < 1u << MAX_ORDER; i++)
        gnttab_grant_access(f->segment.gnttab, RING_REF + i, DOM0_DOMID, f->segment.free_pfn + i,
                            false);
    sring_init(segment_page(&f->segment, f->segment.free_pfn), 0);
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
    assert_string_equal(back_node("multi-queue-max-queues"), "1");
    assert_string_equal(back_node("feature-persistent"), "1");
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
        {"ring-ref", "12"}, /* not granted */
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
        {"multi-queue-num-queues", "2"},
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
        BACK_TEST(persistent_grants_are_the_front_ends_choice),
        BACK_TEST(a_ring_of_several_pages_connects),
        BACK_TEST(the_ring_is_served_until_the_front_end_has_closed),
        BACK_TEST(a_change_of_the_offer_while_connected_changes_nothing),
        BACK_TEST(offers_that_linux_takes_connect),
        BACK_TEST(bad_offers_get_an_error_and_closing),
        BACK_TEST(a_broken_ring_closes_the_device),
        BACK_TEST(a_new_size_is_published_while_connected),
        BACK_TEST(the_share_outlives_connections),
        BACK_TEST(counters_outlive_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
