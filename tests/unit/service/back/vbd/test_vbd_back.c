/* SPDX-License-Identifier: MIT */
/* vbd_back: what the back end of a disk accepts of its front end, with real rings. The states are
 * test_xenbus_back's. */
#include <stdio.h>

#include "faults/fault_walk.h"
#include "unit/service/back/vbd/vbd_back_fixture.h"

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
        {"feature-trace-rank", "yes", true},
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
    assert_int_equal(client->entity.weight, SCHED_WEIGHT_DEFAULT);
    f->settings = (struct back_settings){.weight = 77, .disk_scale = {2, 1}};
    xenbus_back_configure(f->back); /* nobody is connected */
    assert_int_equal(client->entity.weight, 77);
    assert_int_equal(block_client_scale(client).num, 2);
    offer();
    for (int connection = 0; connection < 2; connection++) {
        go("4", XenbusStateConnected);
        assert_ptr_equal(ring()->config.client, client);
        assert_int_equal(client->entity.weight, 77);
        go("6", XenbusStateClosed);
        go("1", XenbusStateInitWait);
    }
    xenbus_back_destroy(f->back); /* a new device begins with what holds then */
    f->settings.weight = 78;
    create();
    assert_int_equal(vbd_back_client(f->back)->entity.weight, 78);
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

static int create_another(void *unused)
{
    struct xenbus_back *back;
    (void)unused;
    int rc = vbd_class.create(&f->domain, &f->options, &back);
    if (rc < 0)
        return rc;
    back->class = &vbd_class;
    vbd_class.destroy(back);
    return 0;
}

static void without_memory_there_is_no_back_end(void **state)
{
    (void)state;
    assert_int_equal(fault_walk(create_another, NULL), 2);
}

static void without_a_shared_cache_there_is_nothing_to_share(void **state)
{
    (void)state;
    assert_int_equal(vbd_back_shared_cache(f->back), -ENODEV); /* not connected */
    offer();
    go("4", XenbusStateConnected);
    assert_int_equal(vbd_back_shared_cache(f->back), -EOPNOTSUPP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        BACK_TEST(without_memory_there_is_no_back_end),
        BACK_TEST(without_a_shared_cache_there_is_nothing_to_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
