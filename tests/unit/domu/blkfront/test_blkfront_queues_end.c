/* SPDX-License-Identifier: MIT */
/* A disk with several rings: what ends one of them ends all, and what the next Dom0 takes. */
#include "unit/domu/blkfront/queues_fixture.h"
#include "xenstore/server/xs_local.h"
#include "xenstore/xenbus_path.h"

/* Threads wait on each of them, and asynchronous requests. */
static void a_death_ends_the_waits_of_all(void **state)
{
    struct blkfront_completion done[DEPTH];
    (void)state;
    start(2, keep);
    open_with((struct blkfront_options){.queues = 2});
    assert_int_equal(blkfront_submit(bf, 5, 1, bytes[10], NULL), 0);
    begin(4, 1, 1, true);
    stop();
    end(4, -ENOTCONN);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 1), 1);
    assert_int_equal(done[0].status, -ENOTCONN);
    assert_int_equal(blkfront_reap(bf, done, DEPTH, 1), -ENOTCONN);
    assert_true(strlen(blkfront_failure(bf)) > 0);
}

/* The fifth request, which is on the second ring, is answered with nonsense; nothing else is. */
static void lie_on_the_second(struct fake_dom0 *d, const struct blkif_request *req)
{
    note(d);
    if (fake_dom0_queue(d) == 1 && load_full_u32(&asked[1]) == 2) {
        fake_dom0_respond(d, req->id + 1, BLKIF_OP_READ, BLKIF_RSP_OKAY);
        fake_dom0_flush(d);
    }
}

static void a_lie_on_one_ring_disables_the_disk(void **state)
{
    (void)state;
    const struct fake_dom0_script script = {
        .queues = 2, .request = lie_on_the_second, .wakes_nobody = true};
    dom0 = fake_dom0_start(base, &script);
    assert_non_null(dom0);
    open_with((struct blkfront_options){.queues = 2});
    begin(4, 1, 1, true);
    end(4, -EPROTO);
    assert_int_equal(blkfront_submit(bf, 5, 1, bytes[10], NULL), -EPROTO);
    assert_string_equal(blkfront_failure(bf), "Dom0 broke the ring protocol: the disk is disabled");
}

static void what_is_unanswered_is_asked_of_the_next_on_each(void **state)
{
    (void)state;
    start(2, keep);
    open_with((struct blkfront_options){.queues = 2, .reconnect = true});
    begin(6, 1, 1, true);
    expect_asked((const uint32_t[]){3, 3}, 2);
    stop();
    start(2, serve_and_note);
    end(6, 0);
    expect_asked((const uint32_t[]){6, 6}, 2);
}

/* Three rings, then one, then three again. */
static void the_next_may_take_fewer(void **state)
{
    struct blkfront_stats stats;
    (void)state;
    start(3, keep);
    open_with((struct blkfront_options){.queues = 3, .reconnect = true});
    begin(6, 1, 64, true);
    stop();
    memset(asked, 0, sizeof(asked));
    start(1, serve_and_note);
    end(6, 0);
    assert_true(load_full_u32(&asked[0]) > 0);
    expect_first_alone();
    assert_int_equal(blkfront_queues(bf), 3);
    begin(6, 3, 1, false);
    end(6, 0);
    expect_first_alone();
    stop();
    memset(asked, 0, sizeof(asked));
    start(3, serve_and_note);
    do
        blkfront_stats(bf, &stats);
    while (stats.reconnects != 2);
    begin(THREADS, 10, 1, false);
    end(THREADS, 0);
    expect_asked((const uint32_t[]){40, 40, 40}, 3);
}

/* The thread that asks next is on the second queue: the first one is the main thread's. */
static void a_time_out_is_its_queues_alone(void **state)
{
    (void)state;
    start(2, serve_and_note);
    open_with((struct blkfront_options){.queues = 2, .timeout_ns = 20000000});
    assert_int_equal(blkfront_read(bf, 1, 1, bytes[11]), 0);
    fake_dom0_freeze(dom0);
    begin(1, 1, 1, false);
    end(1, -ETIMEDOUT);
    assert_int_equal(bf->queue[0].shadow.free_count, bf->queue[0].shadow.nr_entries);
    assert_int_equal(bf->queue[1].shadow.free_count, bf->queue[1].shadow.nr_entries - 1);
}

static bool has_node(struct xs_server *store, const char *node)
{
    struct xenbus_key key = {"vbd", 3, XENBUS_VBD_XVDA};
    char path[XENBUS_PATH_MAX], value[32];
    xenbus_front_path(path, &key, node);
    return xs_local_read(store, path, value, sizeof(value)) >= 0;
}

static uint32_t nodes_seen; /* atomic */

static void look_at_nodes(struct fake_dom0 *d, struct xs_server *store)
{
    static const char *const nodes[] = {"ring-ref", "event-channel", "multi-queue-num-queues",
                                        "queue-0/ring-ref", "queue-1/event-channel"};
    (void)d;
    uint32_t seen = 0;
    for (uint32_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
        seen |= (uint32_t)has_node(store, nodes[i]) << i;
    store_full_u32(&nodes_seen, seen);
}

/* A disk of a domain that is opened with two rings, then with one, then with two. */
static void the_nodes_are_those_of_the_present_rings(void **state)
{
    struct domu_options domain = {
        .size = sizeof(domain), .rundir = base, .name = "fake", .pages = 512};
    struct domu_error error;
    struct domu *domu;
    (void)state;
    dom0 = fake_dom0_start(base,
                           &(struct fake_dom0_script){.queues = 2, .change_nodes = look_at_nodes});
    assert_non_null(dom0);
    assert_int_equal(domu_open(&domain, &domu, &error), 0);
    for (uint32_t queues = 2; queues != 5; queues++) {
        struct blkfront_options mine = {
            .size = sizeof(mine), .depth = DEPTH, .queues = queues == 3 ? 1 : 2};
        assert_int_equal(blkfront_open(domu, &mine, &bf, &why), 0);
        assert_int_equal(load_full_u32(&nodes_seen), queues == 3 ? 0x3 : 0x1c);
        assert_int_equal(blkfront_read(bf, 9, 1, bytes[0]), 0);
        blkfront_close(bf);
        bf = NULL;
    }
    domu_close(domu);
}

/* A process has 1,024 keys of threads at most: a disk gives its own back. */
static void the_key_of_threads_is_given_back(void **state)
{
    pthread_key_t before, after;
    (void)state;
    assert_int_equal(pthread_key_create(&before, NULL), 0);
    assert_int_equal(pthread_key_delete(before), 0);
    start(2, serve_and_note);
    open_with((struct blkfront_options){.queues = 2});
    assert_int_equal(blkfront_read(bf, 9, 1, bytes[0]), 0);
    blkfront_close(bf);
    bf = NULL;
    assert_int_equal(pthread_key_create(&after, NULL), 0);
    assert_int_equal(pthread_key_delete(after), 0);
    assert_int_equal(after, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(a_death_ends_the_waits_of_all),
        WITH(a_lie_on_one_ring_disables_the_disk),
        WITH(what_is_unanswered_is_asked_of_the_next_on_each),
        WITH(the_next_may_take_fewer),
        WITH(a_time_out_is_its_queues_alone),
        WITH(the_nodes_are_those_of_the_present_rings),
        WITH(the_key_of_threads_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
