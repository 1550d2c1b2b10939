/* SPDX-License-Identifier: MIT */
/* vbd_back: the xenbus states of the back end against a real store and every kind of front end. */
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

#include "fakes/fake_disk.h"
#include "ring/fault_guard.h"
#include "ring/gnttab.h"
#include "service/back/toolstack.h"
#include "service/back/vbd_back.h"
#include "xenstore/xenbus_path.h"

enum { NR_PAGES = 64, DOMID = 3, RING_REF = 8, MAX_ORDER = 2, IMAGE_SECTORS = 2048 };

static const struct xenbus_key key = {"vbd", DOMID, XENBUS_VBD_XVDA};

struct fixture {
    struct segment segment;
    int fd, fault_slot;
    char log_path[64];
    struct log *log;
    struct xs_server *store;
    struct image image;
    struct disk_queue *queue;
    struct evtchn_table evtchn;
    int port;
    struct vbd_back *back;
    struct vbd_ring *up; /* the ring that the loop would serve */
    uint32_t ups, downs;
};

static struct fixture *f;

static void ring_up(void *ctx, struct vbd_ring *ring)
{
    (void)ctx;
    assert_null(f->up);
    f->up = ring;
    f->ups++;
}

static void ring_down(void *ctx, struct vbd_ring *ring)
{
    (void)ctx;
    assert_ptr_equal(f->up, ring);
    f->up = NULL;
    f->downs++;
}

static bool store_is_full; /* the linker sends the back end's own writes to us */
static uint32_t losses;
int __real_xs_local_write(struct xs_server *server, const char *path, const char *value);
int __wrap_xs_local_write(struct xs_server *server, const char *path, const char *value);
int __wrap_xs_local_write(struct xs_server *server, const char *path, const char *value)
{
    return store_is_full ? -ENOMEM : __real_xs_local_write(server, path, value);
}

static void lost(void *ctx)
{
    (void)ctx;
    if (!store_is_full)
        fail_msg("there was memory enough");
    losses++;
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
    assert_int_equal(xs_local_write(f->store, path, value), 0);
}

static void remove_front(const char *node)
{
    char path[XENBUS_PATH_MAX];
    xenbus_front_path(path, &key, node);
    assert_int_equal(xs_local_rm(f->store, path), 0);
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
    char value[256];
    return xs_local_read(f->store, "/local/domain/0/error/backend/vbd/3/51712/error", value,
                         sizeof(value)) > 0;
}

/* Our state is what the store says. */
static void expect_state(enum xenbus_state state)
{
    assert_int_equal(vbd_back_state(f->back), state);
    assert_int_equal(atoi(back_node("state")), (int)state);
    assert_ptr_equal(vbd_back_ring(f->back), f->up);
    assert_int_equal(f->ups - f->downs, f->up != NULL);
}

static void go(const char *state, enum xenbus_state expected)
{
    set_front("state", state);
    step();
    expect_state(expected);
}

static void offer(void)
{
    char port[16];
    snprintf(port, sizeof(port), "%d", f->port);
    set_front("ring-ref", "8");
    set_front("event-channel", port);
    set_front("protocol", "x86_64-abi");
}

static int setup(void **state)
{
    (void)state;
    char why[128];
    f = calloc(1, sizeof(*f));
    if (f == NULL || segment_create(NR_PAGES, DOMID, &f->segment, &f->fd) < 0 ||
        fault_guard_install(4) < 0 || xs_server_create(NULL, &f->store) < 0 ||
        xs_server_introduce(f->store, DOMID) < 0 ||
        toolstack_create_domain(f->store, DOMID, "image") < 0)
        return -1;
    f->fault_slot = fault_guard_add(f->segment.base, (size_t)NR_PAGES << XEN_PAGE_SHIFT, -1);
    snprintf(f->log_path, sizeof(f->log_path), "/tmp/splitdom-back-XXXXXX");
    int fd = mkstemp(f->log_path);
    close(fd);
    if (log_open(&(struct log_options){.path = f->log_path}, &f->log) < 0)
        return -1;
    f->image = (struct image){.fd = -1,
                              .size_bytes = IMAGE_SECTORS * BLKIF_SECTOR_SIZE,
                              .block_size_bytes = 4096,
                              .memory_align_bytes = 512};
    struct disk_queue_config queue = {.image = &f->image,
                                      .engine = &fake_disk_ops,
                                      .policy = cache_policy_find("lru"),
                                      .depth = 4,
                                      .depth_isolated = 4};
    if (disk_queue_create(&queue, vbd_ring_done, &f->queue, why, sizeof(why)) < 0)
        return -1;
    evtchn_table_reserve(&f->evtchn, SEGMENT_STORE_EVTCHN, 0);
    f->port = evtchn_table_alloc(&f->evtchn, 1);
    for (uint32_t i = 0; i < 1u << MAX_ORDER; i++)
        gnttab_grant_access(f->segment.gnttab, RING_REF + i, DOM0_DOMID, f->segment.free_pfn + i,
                            false);
    sring_init(segment_page(&f->segment, f->segment.free_pfn), 0);
    struct vbd_back_config config = {.store = f->store,
                                     .log = f->log,
                                     .domid = DOMID,
                                     .segment = &f->segment,
                                     .fault_slot = f->fault_slot,
                                     .evtchn = &f->evtchn,
                                     .disk_queue = f->queue,
                                     .image = &f->image,
                                     .max_ring_page_order = MAX_ORDER,
                                     .ring_up = ring_up,
                                     .ring_down = ring_down,
                                     .lost = lost};
    int rc = vbd_back_create(&config, &f->back);
    step();
    return rc;
}

static int teardown(void **state)
{
    (void)state;
    char old[80];
    vbd_back_destroy(f->back);
    vbd_back_destroy(NULL);
    assert_null(f->up);
    disk_queue_destroy(f->queue);
    xs_server_destroy(f->store);
    log_close(f->log);
    unlink(f->log_path);
    snprintf(old, sizeof(old), "%s.old", f->log_path);
    unlink(old);
    fault_guard_drop(f->fault_slot);
    fault_guard_remove();
    assert_int_equal(f->segment.gnttab[RING_REF].flags & (GTF_reading | GTF_writing), 0);
    segment_detach(&f->segment);
    close(f->fd);
    free(f);
    return 0;
}

static void it_offers_itself(void **state)
{
    (void)state;
    expect_state(XenbusStateInitWait);
    assert_string_equal(back_node("max-ring-page-order"), "2");
    assert_string_equal(back_node("multi-queue-max-queues"), "1");
    assert_string_equal(back_node("feature-persistent"), "1");
}

static void three_steps_connect(void **state)
{
    (void)state;
    offer();
    go("3", XenbusStateConnected);
    assert_string_equal(back_node("sectors"), "2048");
    assert_string_equal(back_node("sector-size"), "512");
    assert_string_equal(back_node("physical-sector-size"), "4096");
    assert_string_equal(back_node("info"), "4");
    go("4", XenbusStateConnected);
    assert_int_equal(f->ups, 1);
    assert_int_equal(f->up->config.port, f->port);
    assert_int_equal(f->up->config.vcpu, 1);
    assert_false(f->up->config.persistent_grants);
}

static void old_front_ends_go_from_one_to_four(void **state)
{
    (void)state;
    offer();
    set_front("feature-persistent", "1");
    go("4", XenbusStateConnected);
    assert_true(f->up->config.persistent_grants);
}

static void a_ring_of_several_pages_connects(void **state)
{
    (void)state;
    offer();
    set_front("ring-page-order", "1");
    set_front("ring-ref0", "8");
    set_front("ring-ref1", "9");
    go("3", XenbusStateConnected);
    assert_int_equal(f->up->ring.half.nr_ents, 64);
}

static void closing_takes_two_steps_each(void **state)
{
    (void)state;
    offer();
    go("3", XenbusStateConnected);
    go("4", XenbusStateConnected);
    go("5", XenbusStateClosing);
    assert_non_null(f->up); /* what is in flight is still answered */
    go("6", XenbusStateClosed);
    assert_null(f->up);
    go("6", XenbusStateClosed);
    assert_int_equal(f->downs, 1);
}

static void who_cannot_be_told_of_the_end_is_given_up(void **state)
{
    (void)state;
    offer();
    go("4", XenbusStateConnected);
    set_front("state", "5");
    store_is_full = true;
    losses = 0;
    step();
    store_is_full = false;
    assert_int_equal(losses, 1);
}

static void a_closed_front_end_may_start_over(void **state)
{
    (void)state;
    offer();
    for (uint32_t life = 1; life <= 5; life++) {
        go("3", XenbusStateConnected);
        go("4", XenbusStateConnected);
        if (life % 2 == 0) { /* politely, or with a jump back to the start */
            go("5", XenbusStateClosing);
            go("6", XenbusStateClosed);
        }
        go("1", XenbusStateInitWait);
        assert_int_equal(f->ups, life);
        assert_int_equal(f->downs, life);
    }
}

static void set_back(const char *node, const char *value)
{
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &key, node);
    assert_int_equal(xs_local_write(f->store, path, value), 0);
}

/* Neither directory is there, and the back end hears nothing any more. */
static void expect_detached(void)
{
    char path[XENBUS_PATH_MAX], value[16];
    assert_int_equal(vbd_back_state(f->back), XenbusStateClosed);
    assert_null(f->up);
    assert_string_equal(back_node("state"), "(none)");
    assert_string_equal(back_node("frontend"), "(none)");
    xenbus_front_path(path, &key, "backend");
    assert_int_equal(xs_local_read(f->store, path, value, sizeof(value)), -ENOENT);
    set_front("state", "1");
    step();
    assert_string_equal(back_node("state"), "(none)");
    vbd_back_resize(f->back);
    assert_string_equal(back_node("sectors"), "(none)");
}

/* As libxl does it: online = 0 and the back end's state 5; the front end closes in its own time. */
static void a_disk_that_is_taken_away_goes_when_the_front_end_has_closed_it(void **state)
{
    (void)state;
    offer();
    go("3", XenbusStateConnected);
    set_back("online", "0");
    set_back("state", "5");
    step();
    assert_non_null(f->up); /* reads go on until the front end gives it up */
    go("5", XenbusStateClosing);
    set_front("state", "6");
    step();
    expect_detached();
}

static void a_disk_that_is_taken_away_is_not_offered_again(void **state)
{
    (void)state;
    offer();
    go("4", XenbusStateConnected);
    set_back("online", "0");
    set_front("state", "1");
    step();
    expect_detached();
}

/* xenstore-rm of both directories, without asking. */
static void a_disk_that_is_torn_out_is_gone(void **state)
{
    (void)state;
    offer();
    go("4", XenbusStateConnected);
    toolstack_remove_disk(f->store, DOMID);
    step();
    expect_detached();
}

static void a_removed_node_ends_it(void **state)
{
    (void)state;
    offer();
    go("4", XenbusStateConnected);
    remove_front("state");
    step();
    expect_state(XenbusStateClosed);
    assert_null(f->up);
    go("1", XenbusStateInitWait);
}

static void a_change_of_the_offer_while_connected_changes_nothing(void **state)
{
    (void)state;
    offer();
    go("3", XenbusStateConnected);
    set_front("ring-ref", "4000000000");
    set_front("event-channel", "none");
    go("3", XenbusStateConnected);
    go("4", XenbusStateConnected);
    assert_int_equal(f->ups, 1);
    assert_false(has_error_node());
}

static void states_that_make_no_sense_are_an_error(void **state)
{
    (void)state;
    static char too_long[101];
    memset(too_long, '4', sizeof(too_long) - 1);
    /* The last one is longer than any value that the back end looks at. */
    static const char *const garbage[] = {"",     "9", "04", "4 ", "-1",
                                          "four", "2", "7",  "8",  too_long};
    for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        offer();
        go("3", XenbusStateConnected);
        go(garbage[i], XenbusStateClosing);
        assert_true(has_error_node());
        go("6", XenbusStateClosed);
        go(garbage[i], XenbusStateClosed);
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
        {"ring-ref", "8x"},
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
        {"protocol", ""},
        {"protocol", "x86_64-abix86_64-abix86_64-abix86_64-abix86_64-abix86_64-abix86_64-abi"},
        {"ring-page-order", "3"}, /* more than was offered */
        {"ring-page-order", "1"}, /* ring-ref0 is missing */
        {"ring-page-order", "18446744073709551615"},
        {"ring-page-order", "9223372036854775807"}, /* what stands for "no such node" inside */
        {"multi-queue-num-queues", "0"},
        {"multi-queue-num-queues", "2"},
        {"feature-persistent", "2"},
        {"feature-persistent", "yes"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void)xs_local_rm(f->store, "/local/domain/0/error");
        offer();
        if (bad[i].value != NULL)
            set_front(bad[i].node, bad[i].value);
        else
            remove_front(bad[i].node);
        go("3", XenbusStateClosing);
        assert_true(has_error_node());
        assert_null(f->up);
        go("4", XenbusStateClosing); /* no second chance without starting over */
        remove_front(bad[i].node);
        offer();
        go("1", XenbusStateInitWait);
        go("3", XenbusStateConnected);
        go("6", XenbusStateClosed);
        go("1", XenbusStateInitWait);
    }
    assert_int_equal(f->ups, sizeof(bad) / sizeof(bad[0]));
}

/* Only the state at the time of looking counts, whatever was in between. */
static void flapping_between_looks_is_not_seen(void **state)
{
    (void)state;
    offer();
    for (int i = 0; i < 200; i++) {
        set_front("state", "3");
        set_front("state", "6");
        set_front("state", "1");
        set_front("state", "4");
    }
    step();
    expect_state(XenbusStateConnected);
    assert_int_equal(f->ups, 1);
}

static uint32_t log_lines(void)
{
    uint32_t lines = 0;
    FILE *file = fopen(f->log_path, "r");
    assert_non_null(file);
    for (int c; (c = fgetc(file)) != EOF;)
        lines += c == '\n';
    fclose(file);
    return lines;
}

static void flapping_does_not_fill_the_log(void **state)
{
    (void)state;
    offer();
    for (int i = 0; i < 100; i++) {
        go("4", XenbusStateConnected);
        go("garbage", XenbusStateClosing);
        go("1", XenbusStateInitWait);
    }
    assert_int_equal(f->ups, 100);
    assert_int_equal(f->downs, 100);
    assert_in_range(log_lines(), 3, 4 * LOG_LIMIT_LINES);
}

static void a_broken_ring_closes_the_device(void **state)
{
    (void)state;
    offer();
    go("4", XenbusStateConnected);
    f->up->halted = true; /* as Dom0's loop finds it */
    f->up->pollable.ops->broken(&f->up->pollable, -EPROTO);
    step();
    expect_state(XenbusStateClosing);
    assert_true(has_error_node());
    assert_non_null(f->up);
    go("6", XenbusStateClosed);
    go("1", XenbusStateInitWait);
    go("4", XenbusStateConnected);
    assert_false(f->up->halted);
}

static void a_new_size_is_published_while_connected(void **state)
{
    (void)state;
    f->image.size_bytes += 512;
    vbd_back_resize(f->back); /* nobody is connected: nothing to tell */
    assert_string_equal(back_node("sectors"), "(none)");
    offer();
    go("4", XenbusStateConnected);
    assert_string_equal(back_node("sectors"), "2049");
    assert_string_equal(back_node("physical-sector-size"), "512"); /* no whole block at the end */
    f->image.size_bytes = 4096;
    vbd_back_resize(f->back);
    assert_string_equal(back_node("sectors"), "8");
    assert_string_equal(back_node("physical-sector-size"), "4096");
    expect_state(XenbusStateConnected);
}

static void the_weight_outlives_connections(void **state)
{
    (void)state;
    assert_int_equal(vbd_back_set_weight(f->back, 0), -EINVAL);
    assert_int_equal(vbd_back_set_weight(f->back, SCHED_WEIGHT_MAX + 1), -EINVAL);
    assert_int_equal(vbd_back_weight(f->back), SCHED_WEIGHT_DEFAULT);
    assert_int_equal(vbd_back_set_weight(f->back, 77), 0);
    offer();
    go("4", XenbusStateConnected);
    assert_int_equal(f->up->client.entity.weight, 77);
    go("1", XenbusStateInitWait);
    go("4", XenbusStateConnected);
    assert_int_equal(f->up->client.entity.weight, 77);
    assert_int_equal(vbd_back_weight(f->back), 77);
}

static void counters_outlive_connections(void **state)
{
    (void)state;
    offer();
    for (uint64_t life = 1; life <= 3; life++) {
        go("4", XenbusStateConnected);
        f->up->stats.requests += 5;
        assert_int_equal(vbd_back_stats(f->back).requests, 5 * life);
        go("1", XenbusStateInitWait);
        assert_int_equal(vbd_back_stats(f->back).requests, 5 * life);
    }
}

int main(void)
{
#define BACK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        BACK_TEST(it_offers_itself),
        BACK_TEST(three_steps_connect),
        BACK_TEST(old_front_ends_go_from_one_to_four),
        BACK_TEST(a_ring_of_several_pages_connects),
        BACK_TEST(closing_takes_two_steps_each),
        BACK_TEST(who_cannot_be_told_of_the_end_is_given_up),
        BACK_TEST(a_closed_front_end_may_start_over),
        BACK_TEST(a_disk_that_is_taken_away_goes_when_the_front_end_has_closed_it),
        BACK_TEST(a_disk_that_is_taken_away_is_not_offered_again),
        BACK_TEST(a_disk_that_is_torn_out_is_gone),
        BACK_TEST(a_removed_node_ends_it),
        BACK_TEST(a_change_of_the_offer_while_connected_changes_nothing),
        BACK_TEST(states_that_make_no_sense_are_an_error),
        BACK_TEST(bad_offers_get_an_error_and_closing),
        BACK_TEST(flapping_between_looks_is_not_seen),
        BACK_TEST(flapping_does_not_fill_the_log),
        BACK_TEST(a_broken_ring_closes_the_device),
        BACK_TEST(a_new_size_is_published_while_connected),
        BACK_TEST(the_weight_outlives_connections),
        BACK_TEST(counters_outlive_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
