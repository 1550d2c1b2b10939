/* SPDX-License-Identifier: MIT */
/* A disk with several rings: who is on which, and what happens to one happens to all. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "domu/blkfront/blkfront_private.h"
#include "fakes/fake_disk.h"
#include "fakes/fake_dom0.h"
#include "ring/barrier.h"
#include "xenstore/server/xs_local.h"
#include "xenstore/xenbus_path.h"

enum { DEPTH = 4, THREADS = 12, HANG_S = 60 };

static char base[64];
static struct fake_dom0 *dom0;
static struct blkfront *bf;
static struct blkfront_error why;
static uint32_t asked[FAKE_DOM0_QUEUES_MAX]; /* requests by queue; atomic */
static pthread_t threads[THREADS];
static uint8_t bytes[THREADS][64 * 512];

static int setup(void **state)
{
    (void)state;
    alarm(HANG_S); /* a thread that waits for ever ends the test */
    bf = NULL;
    dom0 = NULL;
    memset(asked, 0, sizeof(asked));
    snprintf(base, sizeof(base), "/tmp/splitdom-queues-XXXXXX");
    return mkdtemp(base) != NULL ? 0 : -1;
}

static void stop(void)
{
    if (dom0 != NULL)
        fake_dom0_stop(dom0);
    dom0 = NULL;
}

static int teardown(void **state)
{
    (void)state;
    blkfront_close(bf);
    stop();
    alarm(0);
    return rmdir(base);
}

static void note(struct fake_dom0 *d)
{
    (void)fetch_add_relaxed_u32(&asked[fake_dom0_queue(d)], 1);
}

static void serve_and_note(struct fake_dom0 *d, const struct blkif_request *req)
{
    note(d);
    fake_dom0_serve(d, req);
}

static void keep(struct fake_dom0 *d, const struct blkif_request *req)
{
    (void)req;
    note(d);
}

static void start(uint32_t queues,
                  void (*request)(struct fake_dom0 *, const struct blkif_request *))
{
    dom0 = fake_dom0_start(base, &(struct fake_dom0_script){.queues = queues, .request = request});
    assert_non_null(dom0);
}

static int dial(struct blkfront_options mine)
{
    mine.size = sizeof(mine);
    mine.rundir = base;
    mine.name = "fake";
    mine.depth = DEPTH;
    return blkfront_connect(&mine, &bf, &why);
}

static void open_with(struct blkfront_options mine)
{
    if (dial(mine) < 0)
        fail_msg("%s", why.text);
}

struct reader {
    uint32_t index, reads;
    uint32_t sectors;
    int status;
};

static struct reader readers[THREADS];

static void *read_some(void *arg)
{
    struct reader *reader = arg;
    for (uint32_t i = 0; i < reader->reads && reader->status == 0; i++) {
        uint64_t sector = 1000 * (uint64_t)reader->index + i;
        reader->status = blkfront_read(bf, sector, reader->sectors, bytes[reader->index]);
        if (reader->status == 0 && !fake_disk_holds(bytes[reader->index], sector, reader->sectors))
            reader->status = -EILSEQ;
    }
    return NULL;
}

/* One after the other has come to the disk when this returns, if they read once: with kept set each
 * waits for its answer by then. */
static void begin(uint32_t count, uint32_t reads, uint32_t sectors, bool kept)
{
    for (uint32_t i = 0; i < count; i++) {
        readers[i] = (struct reader){.index = i, .reads = reads, .sectors = sectors};
        assert_int_equal(pthread_create(&threads[i], NULL, read_some, &readers[i]), 0);
        uint32_t came = 0;
        while (kept && came <= i) {
            sched_yield();
            came = 0;
            for (uint32_t k = 0; k < FAKE_DOM0_QUEUES_MAX; k++)
                came += load_full_u32(&asked[k]);
        }
    }
}

static void end(uint32_t count, int status)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(readers[i].status, status);
    }
}

static void expect_asked(const uint32_t *expected, uint32_t count)
{
    for (uint32_t i = 0; i < FAKE_DOM0_QUEUES_MAX; i++)
        assert_int_equal(load_full_u32(&asked[i]), i < count ? expected[i] : 0);
}

static void expect_first_alone(void)
{
    expect_asked((const uint32_t[]){load_full_u32(&asked[0])}, 1);
}

static void threads_are_spread_over_the_queues(void **state)
{
    (void)state;
    start(8, serve_and_note);
    open_with((struct blkfront_options){.queues = 4});
    assert_int_equal(blkfront_queues(bf), 4);
    begin(THREADS, 50, 1, false);
    end(THREADS, 0);
    expect_asked((const uint32_t[]){150, 150, 150, 150}, 4);
    struct blkfront_stats stats;
    blkfront_stats(bf, &stats);
    assert_true(stats.requests == 600 && stats.responses == 600 && stats.errors == 0);
}

static void no_more_rings_than_dom0_offers(void **state)
{
    (void)state;
    start(3, serve_and_note);
    open_with((struct blkfront_options){.queues = 8});
    assert_int_equal(blkfront_queues(bf), 3);
    begin(6, 5, 1, false);
    end(6, 0);
    expect_asked((const uint32_t[]){10, 10, 10}, 3);
}

static void a_dom0_that_offers_none_has_one_ring(void **state)
{
    (void)state;
    start(0, serve_and_note);
    open_with((struct blkfront_options){.queues = 8});
    assert_int_equal(blkfront_queues(bf), 1);
    begin(3, 5, 1, false);
    end(3, 0);
    expect_asked((const uint32_t[]){15}, 1);
}

static void too_many_are_refused(void **state)
{
    (void)state;
    assert_int_equal(dial((struct blkfront_options){.queues = BLKFRONT_QUEUES_MAX + 1}), -EINVAL);
}

/* Each has memory of its own: a ring full of requests on all queues, and larger ones than a ring
 * takes beside them. */
static void large_requests_are_split_on_each_queue(void **state)
{
    (void)state;
    start(3, serve_and_note);
    open_with((struct blkfront_options){.queues = 3, .sectors_per_request = 8});
    begin(THREADS, 20, 64, false);
    end(THREADS, 0);
    uint32_t each = THREADS / 3 * 20 * 64 / 8;
    expect_asked((const uint32_t[]){each, each, each}, 3);
}

static void asynchronous_requests_are_on_the_first(void **state)
{
    struct blkfront_completion done[DEPTH];
    (void)state;
    start(2, serve_and_note);
    open_with((struct blkfront_options){.queues = 2});
    begin(4, 30, 1, false);
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < DEPTH; i++)
            assert_int_equal(blkfront_submit(bf, i, 1, bytes[6 + i], NULL), 0);
        assert_int_equal(blkfront_kick(bf), 0);
        for (int taken = 0; taken < DEPTH;) {
            struct pollfd ready = {.fd = blkfront_fd(bf), .events = POLLIN};
            assert_int_equal(poll(&ready, 1, -1), 1);
            int count = blkfront_reap(bf, done, DEPTH, 0);
            assert_true(count > 0);
            taken += count;
        }
    }
    end(4, 0);
    expect_asked((const uint32_t[]){60 + 20 * DEPTH, 60}, 2);
}

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
    start(2, lie_on_the_second);
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

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(threads_are_spread_over_the_queues),
        WITH(no_more_rings_than_dom0_offers),
        WITH(a_dom0_that_offers_none_has_one_ring),
        WITH(too_many_are_refused),
        WITH(large_requests_are_split_on_each_queue),
        WITH(asynchronous_requests_are_on_the_first),
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
