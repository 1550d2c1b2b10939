/* SPDX-License-Identifier: MIT */
/* toolstack: the nodes of a domain, and who may read and write them. */
#include <errno.h>

#include "fakes/xs_peer.h"
#include "service/back/vbd/vbd_back.h"
#include "service/back/vif/vif_back.h"
#include "service/dom0/toolstack.h"
#include "xenstore/server/xs_local.h"
#include "xenstore/xenbus_path.h"

enum { DOMID = 7, OTHER = 8 };

static const struct toolstack_domain home = {
    .domid = DOMID, .memory_kib = 131072, .store_pfn = 2, .store_evtchn = 1};

static struct xs_server *store;

static int create_disk(uint32_t devid, const char *dev, const char *params)
{
    const struct vbd_options options = {.dev = dev, .params = params};
    return toolstack_create_device(store, DOMID, &(struct back_spec){&vbd_class, devid, &options});
}

static int setup(void **state)
{
    (void)state;
    return xs_server_create(NULL, &store) == 0 && xs_server_introduce(store, DOMID) == 0 &&
                   xs_server_introduce(store, OTHER) == 0 && toolstack_create_dom0(store) == 0 &&
                   toolstack_create_domain(store, &home) == 0
               ? create_disk(51712, "xvda", "/images/disk one.img")
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    xs_server_destroy(store);
    return 0;
}

static void expect(const char *path, const char *value)
{
    char text[128];
    assert_true(xs_local_read(store, path, text, sizeof(text)) >= 0);
    assert_string_equal(text, value);
}

static void the_halves_name_each_other(void **state)
{
    (void)state;
    expect("/local/domain/7/device/vbd/51712/backend", "/local/domain/0/backend/vbd/7/51712");
    expect("/local/domain/7/device/vbd/51712/backend-id", "0");
    expect("/local/domain/7/device/vbd/51712/virtual-device", "51712");
    expect("/local/domain/7/device/vbd/51712/state", "1");
    expect("/local/domain/0/backend/vbd/7/51712/frontend", "/local/domain/7/device/vbd/51712");
    expect("/local/domain/0/backend/vbd/7/51712/frontend-id", "7");
    expect("/local/domain/0/backend/vbd/7/51712/online", "1");
    expect("/local/domain/0/backend/vbd/7/51712/mode", "r");
    expect("/local/domain/0/backend/vbd/7/51712/params", "/images/disk one.img");
    expect("/local/domain/0/backend/vbd/7/51712/dev", "xvda");
    expect("/local/domain/0/backend/vbd/7/51712/state", "1");
    expect("/local/domain/7/sched/weight", "256");
}

static void a_second_disk_lies_beside_the_first(void **state)
{
    (void)state;
    assert_int_equal(create_disk(51728, "xvdb", "/images/two"), 0);
    expect("/local/domain/7/device/vbd/51728/virtual-device", "51728");
    expect("/local/domain/7/device/vbd/51728/backend", "/local/domain/0/backend/vbd/7/51728");
    expect("/local/domain/0/backend/vbd/7/51728/dev", "xvdb");
    expect("/local/domain/0/backend/vbd/7/51728/params", "/images/two");
    expect("/local/domain/0/backend/vbd/7/51712/params", "/images/disk one.img");
}

static uint32_t ask(struct xs_peer *peer, uint32_t type, const char *path, const char *value)
{
    char payload[256];
    size_t n = (size_t)snprintf(payload, sizeof(payload), "%s", path) + 1;
    n += type == XS_WRITE ? (size_t)snprintf(payload + n, sizeof(payload) - n, "%s", value) : 0;
    return xs_peer_call(peer, type, 0, payload, n);
}

static void the_domain_owns_its_half_and_reads_the_other(void **state)
{
    (void)state;
    static const char *const own[] = {"device/vbd/51712/state", "device/vbd/51712/ring-ref",
                                      "control/shutdown", "data/x"};
    static const char *const foreign[] = {
        "domid",        "name", "sched/weight", "/local/domain/0/backend/vbd/7/51712/state",
        "device/vbd/x", "x",    "control/x",    "/local/domain/0/backend/vbd/7/51712/x"};
    struct xs_peer peer;
    xs_peer_open(&peer, store, DOMID);
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        assert_int_equal(ask(&peer, XS_WRITE, own[i], "5"), XS_WRITE);
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
        assert_int_equal(ask(&peer, XS_WRITE, foreign[i], "5"), XS_ERROR);
    assert_int_equal(ask(&peer, XS_READ, "/local/domain/0/backend/vbd/7/51712/state", ""), XS_READ);
    assert_int_equal(ask(&peer, XS_READ, "sched/weight", ""), XS_READ);
    xs_conn_close(peer.conn);
}

static void another_domain_sees_nothing(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/local/domain/7/name", "/local/domain/7/device/vbd/51712/state",
        "/local/domain/0/backend/vbd/7/51712/params", "/local/domain/7/control/shutdown"};
    struct xs_peer peer;
    xs_peer_open(&peer, store, OTHER);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_equal(ask(&peer, XS_READ, paths[i], ""), XS_ERROR);
        assert_int_equal(ask(&peer, XS_WRITE, paths[i], "x"), XS_ERROR);
    }
    xs_conn_close(peer.conn);
}

/* A node in the order in which it is written, as "owner,reader". */
struct node {
    const char *path, *value, *perms;
};

#define HOME  "/local/domain/7"
#define FRONT HOME "/device/vbd/51712"
#define BACK  "/local/domain/0/backend/vbd/7/51712"

/* As libxl 4.17 makes a domain of one vCPU with one read-only disk. What is missing here, and
 * why: docs/nodes.md. */
static const struct node libxl_nodes[] = {
    {HOME, "", "n0,r7"},
    {HOME "/name", "DomU-7", "n0,r7"},
    {HOME "/cpu", "", "n0,r7"},
    {HOME "/memory", "", "n0,r7"},
    {HOME "/device", "", "n0,r7"},
    {HOME "/device/suspend/event-channel", "", "n7"},
    {HOME "/control", "", "n0,r7"},
    {HOME "/control/shutdown", "", "n7"},
    {HOME "/control/feature-poweroff", "", "n7"},
    {HOME "/control/feature-reboot", "", "n7"},
    {HOME "/control/feature-suspend", "", "n7"},
    {HOME "/control/sysrq", "", "n7"},
    {HOME "/data", "", "n7"},
    {HOME "/drivers", "", "n7"},
    {HOME "/feature", "", "n7"},
    {HOME "/attr", "", "n7"},
    {HOME "/error", "", "n7"},
    {HOME "/control/platform-feature-xs_reset_watches", "1", "n0,r7"},
    {HOME "/memory/static-max", "131072", "n0,r7"},
    {HOME "/memory/target", "131072", "n0,r7"},
    {HOME "/memory/videoram", "0", "n0,r7"},
    {HOME "/domid", "7", "n0,r7"},
    {HOME "/store/port", "1", "n0,r7"},
    {HOME "/store/ring-ref", "2", "n0,r7"},
    {HOME "/cpu/0/availability", "online", "n0,r7"},
    {HOME "/sched/weight", "256", "n0,r7"}, /* ours */
    {FRONT, "", "n7,r0"},
    {FRONT "/backend", BACK, "n7,r0"},
    {FRONT "/backend-id", "0", "n7,r0"},
    {FRONT "/state", "1", "n7,r0"},
    {FRONT "/virtual-device", "51712", "n7,r0"},
    {FRONT "/device-type", "disk", "n7,r0"},
    {FRONT "/trusted", "1", "n7,r0"},
    {FRONT "/protocol", "x86_64-abi", "n7,r0"},
    {BACK, "", "n0,r7"},
    {BACK "/frontend", FRONT, "n0,r7"},
    {BACK "/params", "/images/disk", "n0,r7"},
    {BACK "/frontend-id", "7", "n0,r7"},
    {BACK "/online", "1", "n0,r7"},
    {BACK "/removable", "0", "n0,r7"},
    {BACK "/bootable", "1", "n0,r7"},
    {BACK "/state", "1", "n0,r7"},
    {BACK "/dev", "xvda", "n0,r7"},
    {BACK "/type", "file", "n0,r7"}, /* libxl: phy, qdisk */
    {BACK "/mode", "r", "n0,r7"},
    {BACK "/device-type", "disk", "n0,r7"},
    {BACK "/discard-enable", "0", "n0,r7"},
    {BACK "/specification", "xen", "n0,r7"},
};
/* Directories that come with a node below them. */
static const struct node parents[] = {
    {HOME "/device/suspend", "", "n0,r7"},
    {HOME "/device/vbd", "", "n0,r7"},
    {HOME "/store", "", "n0,r7"},
    {HOME "/cpu/0", "", "n0,r7"},
    {"/local/domain/0/backend", "", "n0"},
    {"/local/domain/0/backend/vbd", "", "n0"},
    {"/local/domain/0/backend/vbd/7", "", "n0"},
};

static void expect_node(struct xs_peer *peer, const struct node *node)
{
    char perms[64] = "";
    assert_int_equal(ask(peer, XS_READ, node->path, ""), XS_READ);
    assert_string_equal(peer->payload, node->value);
    assert_int_equal(ask(peer, XS_GET_PERMS, node->path, ""), XS_GET_PERMS);
    for (uint32_t at = 0; at < peer->hdr.len; at += (uint32_t)strlen(peer->payload + at) + 1)
        snprintf(perms + strlen(perms), sizeof(perms) - strlen(perms), "%s%s", at > 0 ? "," : "",
                 peer->payload + at);
    assert_string_equal(perms, node->perms);
}

/* Takes all events: first of path, then of the nodes in their order. */
static void expect_changes(struct xs_peer *peer, const char *path, const struct node *nodes,
                           size_t count)
{
    size_t seen = 0;
    xs_peer_run(peer->server);
    while (xs_peer_take(peer)) {
        assert_int_equal(peer->hdr.type, XS_WATCH_EVENT);
        if (strcmp(peer->payload, path) == 0)
            continue;
        assert_true(seen < count);
        path = nodes[seen++].path;
        assert_string_equal(peer->payload, path);
    }
    assert_int_equal(seen, count);
}

static void nodes_are_those_of_libxl(void **state)
{
    (void)state;
    struct xs_peer peer;
    assert_int_equal(toolstack_remove_domain(store, DOMID), 0);
    xs_peer_open(&peer, store, DOM0_DOMID);
    assert_int_equal(xs_peer_call(&peer, XS_WATCH, 0, "/local/domain\0t", 16), XS_WATCH);
    assert_int_equal(toolstack_create_domain(store, &home), 0);
    assert_int_equal(create_disk(51712, "xvda", "/images/disk"), 0);
    expect_changes(&peer, "/local/domain", libxl_nodes,
                   sizeof(libxl_nodes) / sizeof(libxl_nodes[0]));
    for (size_t i = 0; i < sizeof(libxl_nodes) / sizeof(libxl_nodes[0]); i++)
        expect_node(&peer, &libxl_nodes[i]);
    for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++)
        expect_node(&peer, &parents[i]);
    xs_conn_close(peer.conn);
}

#define VIF_FRONT HOME "/device/vif/1"
#define VIF_BACK  "/local/domain/0/backend/vif/7/1"

/* As libxl 4.17 attaches a network interface; without its script, which Dom0 does not run. */
static const struct node vif_nodes[] = {
    {VIF_FRONT, "", "n7,r0"},
    {VIF_FRONT "/backend", VIF_BACK, "n7,r0"},
    {VIF_FRONT "/backend-id", "0", "n7,r0"},
    {VIF_FRONT "/state", "1", "n7,r0"},
    {VIF_FRONT "/handle", "1", "n7,r0"},
    {VIF_FRONT "/mac", "00:16:3e:00:00:02", "n7,r0"},
    {VIF_FRONT "/trusted", "1", "n7,r0"},
    {VIF_FRONT "/mtu", "1500", "n0,r7"},
    {VIF_BACK, "", "n0,r7"},
    {VIF_BACK "/frontend", VIF_FRONT, "n0,r7"},
    {VIF_BACK "/frontend-id", "7", "n0,r7"},
    {VIF_BACK "/online", "1", "n0,r7"},
    {VIF_BACK "/state", "1", "n0,r7"},
    {VIF_BACK "/mac", "00:16:3e:00:00:02", "n0,r7"},
    {VIF_BACK "/rate", "62500,50000", "n0,r7"},
    {VIF_BACK "/bridge", "xenbr0", "n0,r7"},
    {VIF_BACK "/handle", "1", "n0,r7"},
    {VIF_BACK "/type", "vif", "n0,r7"},
    {VIF_BACK "/hotplug-status", "", "n0,r7"},
};

static void nodes_of_a_vif_are_those_of_libxl(void **state)
{
    (void)state;
    struct xs_peer peer;
    const struct vif_options options = {.mac = {0, 0x16, 0x3e, 0, 0, 2},
                                        .bridge = "xenbr0",
                                        .rate_bytes = 62500,
                                        .rate_interval_us = 50000,
                                        .mtu = 1500};
    xs_peer_open(&peer, store, DOM0_DOMID);
    assert_int_equal(xs_peer_call(&peer, XS_WATCH, 0, "/local/domain\0t", 16), XS_WATCH);
    assert_int_equal(
        toolstack_create_device(store, DOMID, &(struct back_spec){&vif_class, 1, &options}), 0);
    expect_changes(&peer, "/local/domain", vif_nodes, sizeof(vif_nodes) / sizeof(vif_nodes[0]));
    for (size_t i = 0; i < sizeof(vif_nodes) / sizeof(vif_nodes[0]); i++)
        expect_node(&peer, &vif_nodes[i]);
    xs_conn_close(peer.conn);
}

static void dom0_says_who_it_is(void **state)
{
    (void)state;
    static const struct node nodes[] = {{"/local/domain/0/domid", "0", "n0"},
                                        {"/local/domain/0/name", "Domain-0", "n0"}};
    struct xs_peer peer;
    xs_peer_open(&peer, store, DOM0_DOMID);
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
        expect_node(&peer, &nodes[i]);
    xs_conn_close(peer.conn);
}

static void removal_leaves_nothing(void **state)
{
    (void)state;
    char text[64];
    static const struct xenbus_key key = {"vbd", DOMID, 51728};
    char error[XENBUS_PATH_MAX];
    xenbus_error_path(error, &key);
    assert_int_equal(create_disk(key.devid, "xvdb", "/images/two"), 0);
    assert_int_equal(xs_local_write(store, error, "-22 a reason"), 0);
    toolstack_remove_domain(store, DOMID);
    assert_int_equal(xs_local_read(store, error, text, sizeof(text)), -ENOENT);
    xs_server_release(store, DOMID);
    assert_int_equal(xs_local_read(store, "/local/domain/7", text, sizeof(text)), -ENOENT);
    assert_int_equal(xs_local_read(store, "/local/domain/0/backend", text, sizeof(text)), -ENOENT);
    expect("/local/domain/0/name", "Domain-0");
    assert_int_equal(xs_server_nodes(store, DOMID), 0);
    assert_int_equal(xs_server_check(store), 0);
    toolstack_remove_domain(store, DOMID); /* a half-built domain has nothing */
    assert_int_equal(xs_server_introduce(store, DOMID), 0);
    assert_int_equal(toolstack_create_domain(store, &home), 0);
    assert_int_equal(create_disk(51712, "xvda", "/images/2"), 0);
    expect("/local/domain/0/backend/vbd/7/51712/params", "/images/2");
}

static void a_domain_has_its_process_and_its_name(void **state)
{
    (void)state;
    assert_int_equal(toolstack_tell_pid(store, DOMID, 4711), 0);
    expect("/local/domain/7/splitdom", "");
    expect("/local/domain/7/splitdom/pid", "4711");
    assert_int_equal(toolstack_tell_name(store, DOMID, "web"), 0);
    expect("/local/domain/7/name", "web");
}

int main(void)
{
#define TOOLSTACK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TOOLSTACK_TEST(the_halves_name_each_other),
        TOOLSTACK_TEST(a_second_disk_lies_beside_the_first),
        TOOLSTACK_TEST(the_domain_owns_its_half_and_reads_the_other),
        TOOLSTACK_TEST(another_domain_sees_nothing),
        TOOLSTACK_TEST(nodes_are_those_of_libxl),
        TOOLSTACK_TEST(nodes_of_a_vif_are_those_of_libxl),
        TOOLSTACK_TEST(dom0_says_who_it_is),
        TOOLSTACK_TEST(removal_leaves_nothing),
        TOOLSTACK_TEST(a_domain_has_its_process_and_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
