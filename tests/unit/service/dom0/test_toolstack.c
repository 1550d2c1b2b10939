/* SPDX-License-Identifier: MIT */
/* toolstack: the nodes of a domain, and who may read and write them. */
#include <errno.h>

#include "fakes/xs_peer.h"
#include "service/back/vbd/vbd_back.h"
#include "service/dom0/toolstack.h"
#include "xenstore/server/xs_local.h"

enum { DOMID = 7, OTHER = 8 };

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
                   xs_server_introduce(store, OTHER) == 0 &&
                   toolstack_create_domain(store, DOMID) == 0
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
    assert_int_equal(xs_local_read(store, "/local/domain/0/backend/vbd/7", text, sizeof(text)),
                     -ENOENT);
    assert_int_equal(xs_server_nodes(store, DOMID), 0);
    assert_int_equal(xs_server_check(store), 0);
    toolstack_remove_domain(store, DOMID); /* a half-built domain has nothing */
    assert_int_equal(xs_server_introduce(store, DOMID), 0);
    assert_int_equal(toolstack_create_domain(store, DOMID), 0);
    assert_int_equal(create_disk(51712, "xvda", "/images/2"), 0);
    expect("/local/domain/0/backend/vbd/7/51712/params", "/images/2");
}

int main(void)
{
#define TOOLSTACK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TOOLSTACK_TEST(the_halves_name_each_other),
        TOOLSTACK_TEST(a_second_disk_lies_beside_the_first),
        TOOLSTACK_TEST(the_domain_owns_its_half_and_reads_the_other),
        TOOLSTACK_TEST(another_domain_sees_nothing),
        TOOLSTACK_TEST(removal_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
