/* SPDX-License-Identifier: MIT */
/* blkfront: the client library against a Dom0 that is played by a thread of this test. */
#include <dirent.h>
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
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fakes/fake_disk.h"
#include "fakes/fake_dom0.h"
#include "ring/barrier.h"
#include "splitdom/blkfront.h"
#include "xenstore/server/xs_local.h"

enum { READERS = 12, HANG_S = 60 };

static char base[64];
static struct fake_dom0 *dom0;
static struct blkfront *bf;
static struct blkfront_error why;

static int setup(void **state)
{
    (void)state;
    alarm(HANG_S); /* a thread that waits for ever ends the test */
    bf = NULL;
    dom0 = NULL;
    snprintf(base, sizeof(base), "/tmp/splitdom-blkfront-XXXXXX");
    return mkdtemp(base) != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    blkfront_close(bf);
    fake_dom0_stop(dom0);
    alarm(0);
    return rmdir(base);
}

static int dial(const struct fake_dom0_script *script, struct blkfront_options options)
{
    dom0 = fake_dom0_start(base, script);
    assert_non_null(dom0);
    options.size = sizeof(options);
    options.rundir = base;
    options.name = "fake";
    return blkfront_connect(&options, &bf, &why);
}

static void connect_to(const struct fake_dom0_script *script, struct blkfront_options options)
{
    int rc = dial(script, options);
    if (rc < 0)
        fail_msg("%s", why.text);
}

static int open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

/* ---- connecting ---- */

static void no_service_says_how_to_start_one(void **state)
{
    (void)state;
    struct blkfront_options options = {
        .size = sizeof(struct blkfront_options), .rundir = base, .name = "nobody"};
    assert_int_equal(blkfront_connect(&options, &bf, &why), -ENOENT);
    assert_null(bf);
    assert_true(strlen(why.text) > 0);
    assert_int_equal(blkfront_connect(&options, &bf, NULL), -ENOENT);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    struct blkfront_options deep = {
        .size = sizeof(struct blkfront_options), .rundir = base, .depth = 513};
    struct blkfront_options wide = {
        .size = sizeof(struct blkfront_options), .rundir = base, .sectors_per_request = 2049};
    assert_int_equal(blkfront_connect(&deep, &bf, &why), -EINVAL);
    assert_string_equal(why.text, "a ring holds at most 512 requests, 513 were asked for");
    assert_int_equal(blkfront_connect(&wide, &bf, &why), -EINVAL);
    assert_string_equal(why.text, "a request has at most 2048 sectors, 2049 were asked for");
}

static uint32_t pages_of(uint32_t sectors_per_request, uint32_t depth)
{
    const struct blkfront_options options = {.size = sizeof(struct blkfront_options),
                                             .depth = depth,
                                             .sectors_per_request = sectors_per_request};
    return blkfront_pages(&options);
}

/* 32 requests, or as many as 16 MiB hold. */
static void the_default_depth_follows_from_the_size_of_requests(void **state)
{
    (void)state;
    assert_int_equal(pages_of(1, 0), pages_of(1, 32));
    assert_int_equal(pages_of(88, 0), pages_of(88, 32));
    assert_int_equal(pages_of(89, 0), pages_of(89, 32));
    assert_int_equal(pages_of(1024, 0), pages_of(1024, 32));
    assert_int_equal(pages_of(2048, 0), pages_of(2048, 16));
    assert_true(pages_of(2048, 16) < pages_of(2048, 32));
}

/* As they would be of a library that is later than ours. */
struct later_options {
    struct blkfront_options known;
    uint64_t unknown;
};

static void options_have_a_size(void **state)
{
    (void)state;
    const size_t first = offsetof(struct blkfront_options, tdf_den) + sizeof(uint64_t);
    const size_t refused[] = {0, 1, first - 1, 4097, SIZE_MAX};
    struct later_options later = {.known = {.rundir = base, .name = "fake"}};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        later.known.size = refused[i];
        assert_int_equal(blkfront_connect(&later.known, &bf, &why), -EINVAL);
        assert_non_null(strstr(why.text, "sizeof(struct blkfront_options)"));
    }
    later.known.size = sizeof(later);
    later.unknown = 1;
    assert_int_equal(blkfront_connect(&later.known, &bf, &why), -E2BIG);
    later.unknown = 0;
    dom0 = fake_dom0_start(base, &(struct fake_dom0_script){0});
    assert_non_null(dom0);
    assert_int_equal(blkfront_connect(&later.known, &bf, &why), 0);
    blkfront_close(bf);
    later.known.size = first; /* what comes behind is not ours to read */
    memset((uint8_t *)&later + first, 0xff, sizeof(later) - first);
    assert_int_equal(blkfront_connect(&later.known, &bf, &why), 0);
}

static void the_version_is_one(void **state)
{
    (void)state;
    char text[32];
    snprintf(text, sizeof(text), "%d.%d.%d", SPLITDOM_VERSION_MAJOR, SPLITDOM_VERSION_MINOR,
             SPLITDOM_VERSION_PATCH);
    assert_string_equal(text, SPLITDOM_VERSION);
    assert_int_equal(blkfront_version(), SPLITDOM_VERSION_NUMBER);
}

static void refuse(struct control_reply *reply, int *fd_count)
{
    reply->status = -EAGAIN;
    snprintf(reply->reason, sizeof(reply->reason), "all seats are taken");
    *fd_count = 0;
}

static void a_refusal_is_told_with_its_reason(void **state)
{
    (void)state;
    assert_int_equal(
        dial(&(struct fake_dom0_script){.change_reply = refuse}, (struct blkfront_options){0}),
        -EAGAIN);
    assert_null(bf);
    assert_non_null(strstr(why.text, "all seats are taken"));
}

static void wrong_magic(struct control_reply *reply, int *fd_count)
{
    (void)fd_count;
    reply->magic++;
}

static void one_descriptor(struct control_reply *reply, int *fd_count)
{
    (void)reply;
    *fd_count = 1;
}

static void refusal_with_descriptors(struct control_reply *reply, int *fd_count)
{
    (void)fd_count;
    reply->status = -EAGAIN;
}

static void positive_status(struct control_reply *reply, int *fd_count)
{
    (void)fd_count;
    reply->status = 1;
}

static void another_domid(struct control_reply *reply, int *fd_count)
{
    (void)fd_count;
    reply->arg0++;
}

static void replies_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    static void (*const change[])(struct control_reply *, int *) = {
        wrong_magic, one_descriptor, refusal_with_descriptors, positive_status, another_domid};
    for (size_t i = 0; i < sizeof(change) / sizeof(change[0]); i++) {
        assert_int_equal(dial(&(struct fake_dom0_script){.change_reply = change[i]},
                              (struct blkfront_options){0}),
                         -EPROTO);
        fake_dom0_stop(dom0);
        dom0 = NULL;
    }
}

static void break_segment(struct segment *segment)
{
    segment->start_info->gnttab_pfn = 4000000;
}

static void memory_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    assert_int_equal(dial(&(struct fake_dom0_script){.change_segment = break_segment},
                          (struct blkfront_options){0}),
                     -EPROTO);
}

/* Whoever writes into it dies of SIGPIPE, unless the program ignores that. */
static void a_pipe_without_a_reader(struct fake_dom0 *d, int fds[2])
{
    int pipes[2];
    (void)d;
    if (pipe(pipes) < 0)
        abort();
    close(pipes[0]);
    fds[1] = pipes[1];
}

static void a_socket_without_a_peer(struct fake_dom0 *d, int fds[2])
{
    int sockets[2];
    (void)d;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) < 0)
        abort();
    close(sockets[0]);
    fds[1] = sockets[1];
}

static void a_file(struct fake_dom0 *d, int fds[2])
{
    (void)d;
    fds[1] = memfd_create("doorbell", 0);
}

static void both_the_wrong_way_round(struct fake_dom0 *d, int fds[2])
{
    (void)d;
    int segment_fd = dup(fds[0]);
    fds[0] = dup(fds[1]);
    fds[1] = segment_fd;
}

static void a_doorbell_that_is_none_is_refused(void **state)
{
    (void)state;
    static void (*const change[])(struct fake_dom0 *, int[2]) = {
        a_pipe_without_a_reader, a_socket_without_a_peer, a_file, both_the_wrong_way_round};
    for (size_t i = 0; i < sizeof(change) / sizeof(change[0]); i++) {
        int before = open_fds();
        assert_int_equal(
            dial(&(struct fake_dom0_script){.change_fds = change[i]}, (struct blkfront_options){0}),
            -EBADFD);
        assert_non_null(strstr(why.text, i < 3 ? "no eventfd" : "not sealed"));
        fake_dom0_stop(dom0);
        dom0 = NULL;
        assert_int_equal(open_fds(), before);
    }
}

static void a_reply_of_nothing_but_descriptors_leaves_none_open(void **state)
{
    (void)state;
    int before = open_fds();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            dial(&(struct fake_dom0_script){.empty_reply = true}, (struct blkfront_options){0}),
            -EPROTO);
        fake_dom0_stop(dom0);
        dom0 = NULL;
    }
    assert_int_equal(open_fds(), before);
}

/* A service that gives a connection up is not one that has ended. */
static void a_line_that_is_cut_is_not_taken_for_dom0s_end(void **state)
{
    (void)state;
    assert_int_equal(
        dial(&(struct fake_dom0_script){.hangs_up = true}, (struct blkfront_options){0}),
        -ENOTCONN);
    assert_null(strstr(why.text, "gone"));
    assert_non_null(strstr(why.text, "try again"));
}

static void a_refused_ring_is_told(void **state)
{
    (void)state;
    assert_int_equal(
        dial(&(struct fake_dom0_script){.refuse_ring = true}, (struct blkfront_options){0}),
        -ECONNREFUSED);
    assert_true(strlen(why.text) > 0);
}

static void no_sectors(struct fake_dom0 *d, struct xs_server *store)
{
    (void)store;
    fake_dom0_node(d, "sectors", "0");
}

static void text_for_sectors(struct fake_dom0 *d, struct xs_server *store)
{
    (void)store;
    fake_dom0_node(d, "sectors", "many");
}

static void odd_sector_size(struct fake_dom0 *d, struct xs_server *store)
{
    (void)store;
    fake_dom0_node(d, "sector-size", "1000");
}

static void huge_disk(struct fake_dom0 *d, struct xs_server *store)
{
    (void)store;
    fake_dom0_node(d, "sectors", "18446744073709551615");
}

static void nodes_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    static void (*const change[])(struct fake_dom0 *, struct xs_server *) = {
        no_sectors, text_for_sectors, odd_sector_size, huge_disk};
    for (size_t i = 0; i < sizeof(change) / sizeof(change[0]); i++) {
        assert_true(dial(&(struct fake_dom0_script){.change_nodes = change[i]},
                         (struct blkfront_options){0}) < 0);
        assert_null(bf);
        fake_dom0_stop(dom0);
        dom0 = NULL;
    }
}

/* ---- reading ---- */

static void reads_bring_the_sectors_asked_for(void **state)
{
    (void)state;
    static uint8_t bytes[88 * 512];
    connect_to(&(struct fake_dom0_script){.max_order = 4, .sectors = 1000},
               (struct blkfront_options){.depth = 1, .sectors_per_request = 88});
    struct blkfront_geometry geometry;
    struct blkfront_stats stats;
    blkfront_stats(bf, &stats);
    assert_int_equal(stats.domid, 3); /* as the fake Dom0 numbers it */
    assert_int_equal(blkfront_geometry(bf, &geometry), 0);
    assert_int_equal(geometry.last_sector, 999);
    assert_int_equal(geometry.sector_size, 512);
    assert_int_equal(geometry.physical_sector_size, 4096);
    assert_int_equal(geometry.sectors_per_request, 88);
    assert_true(geometry.read_only && !geometry.flush && !geometry.discard);
    for (uint32_t count = 1; count <= 88; count += 3) {
        assert_int_equal(blkfront_read(bf, 1000 - count, count, bytes), 0);
        assert_true(fake_disk_holds(bytes, 1000 - count, count));
    }
    assert_int_equal(blkfront_read(bf, 999, 2, bytes), -EINVAL);
    assert_int_equal(blkfront_read(bf, UINT64_MAX, 1, bytes), -EINVAL);
    assert_int_equal(blkfront_read(bf, 0, 1001, bytes), -EINVAL);
    assert_int_equal(blkfront_read(bf, 0, 0, bytes), -EINVAL);
    assert_int_equal(blkfront_submit(bf, 999, 2, bytes, bytes), -EINVAL);
    assert_int_equal(blkfront_submit(bf, 0, 0, bytes, bytes), -EINVAL);
    struct blkfront_completion none;
    assert_int_equal(blkfront_reap(bf, &none, 0, 1), -EINVAL);
    assert_string_equal(blkfront_failure(bf), "");
}

struct reader {
    pthread_t thread;
    uint32_t id, reads;
    int rc;
    uint32_t bad;
};

static void *read_many(void *arg)
{
    struct reader *reader = arg;
    uint8_t bytes[512];
    for (uint32_t i = 0; i < reader->reads; i++) {
        uint64_t sector = (uint64_t)reader->id * 10000 + i;
        reader->rc = blkfront_read(bf, sector, 1, bytes);
        if (reader->rc < 0)
            return NULL;
        if (!fake_disk_holds(bytes, sector, 1))
            reader->bad++;
    }
    return NULL;
}

static void start_readers(struct reader *readers, uint32_t count, uint32_t reads)
{
    for (uint32_t i = 0; i < count; i++) {
        readers[i] = (struct reader){.id = i, .reads = reads};
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_many, &readers[i]), 0);
    }
}

static void join_readers(struct reader *readers, uint32_t count, int expected)
{
    for (uint32_t i = 0; i < count; i++)
        pthread_join(readers[i].thread, NULL);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(readers[i].rc, expected);
        assert_int_equal(readers[i].bad, 0);
    }
}

/* Keeps requests and answers them last first when the ring has run empty. */
struct keeper {
    struct blkif_request kept[BLKIF_RING_ENTRIES_MAX];
    uint32_t count;
};

static void keep(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct keeper *keeper = fake_dom0_ctx(d);
    keeper->kept[keeper->count++] = *req;
}

static void answer_kept(struct fake_dom0 *d)
{
    struct keeper *keeper = fake_dom0_ctx(d);
    while (keeper->count > 0)
        fake_dom0_serve(d, &keeper->kept[--keeper->count]);
}

/* The ring has 32 slots. */
static void more_threads_than_slots_all_get_their_data(void **state)
{
    (void)state;
    static struct keeper keeper;
    static struct reader readers[48];
    keeper.count = 0;
    connect_to(&(struct fake_dom0_script){.request = keep, .idle = answer_kept, .ctx = &keeper},
               (struct blkfront_options){.depth = 1, .sectors_per_request = 1});
    struct blkfront_stats stats;
    blkfront_stats(bf, &stats);
    assert_int_equal(stats.ring_entries, 32);
    start_readers(readers, 48, 40);
    join_readers(readers, 48, 0);
    blkfront_stats(bf, &stats);
    assert_int_equal(stats.requests, 48 * 40);
    assert_int_equal(stats.responses, 48 * 40);
}

/* Keeps the reads of two threads, and answers one of them when it is told to. */
struct in_turn {
    struct blkif_request kept[2]; /* by thread */
    uint32_t count;               /* atomic */
    uint32_t answers;             /* atomic: 1 + the thread that is next; 0: nobody */
};

static void keep_by_thread(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct in_turn *turn = fake_dom0_ctx(d);
    turn->kept[req->sector_number / 10000] = *req;
    store_full_u32(&turn->count, load_full_u32(&turn->count) + 1);
}

static void answer_next(struct fake_dom0 *d)
{
    struct in_turn *turn = fake_dom0_ctx(d);
    uint32_t answers = load_full_u32(&turn->answers);
    if (answers == 0)
        return;
    store_full_u32(&turn->answers, 0);
    fake_dom0_serve(d, &turn->kept[answers - 1]);
}

/* One thread sleeps for both. When that one is answered, the other one sleeps for itself. */
static void a_thread_that_is_left_alone_is_woken_all_the_same(void **state)
{
    (void)state;
    static struct in_turn turn;
    struct reader readers[2];
    turn = (struct in_turn){.count = 0};
    connect_to(
        &(struct fake_dom0_script){.request = keep_by_thread, .idle = answer_next, .ctx = &turn},
        (struct blkfront_options){.depth = 2, .sectors_per_request = 1, .no_spin = true});
    for (uint32_t first = 0; first < 2; first++) {
        store_full_u32(&turn.count, 0);
        start_readers(readers, 2, 1);
        while (load_full_u32(&turn.count) < 2)
            sched_yield();
        for (uint32_t i = 0; i < 2; i++) {
            uint32_t next = (first + i) % 2;
            store_full_u32(&turn.answers, next + 1);
            fake_dom0_wake(dom0);
            join_readers(&readers[next], 1, 0);
        }
    }
}

static void asynchronous_and_blocking_reads_mix(void **state)
{
    (void)state;
    enum { DEPTH = 8, TOTAL = 400 };
    static struct keeper keeper;
    static uint8_t bytes[DEPTH][512];
    struct reader readers[4];
    keeper.count = 0;
    connect_to(&(struct fake_dom0_script){.request = keep, .idle = answer_kept, .ctx = &keeper},
               (struct blkfront_options){.depth = DEPTH, .sectors_per_request = 1});
    start_readers(readers, 4, 200);
    uint32_t submitted = 0, reaped = 0;
    bool slot_used[DEPTH] = {false};
    while (reaped < TOTAL) {
        struct blkfront_completion done[DEPTH];
        for (uint32_t i = 0; i < DEPTH && submitted < TOTAL; i++) {
            if (slot_used[i])
                continue;
            int rc = blkfront_submit(bf, 500000 + submitted, 1, bytes[i], bytes[i]);
            if (rc == -EAGAIN)
                break;
            assert_int_equal(rc, 0);
            slot_used[i] = true;
            submitted++;
        }
        int count = blkfront_reap(bf, done, DEPTH, 1);
        assert_true(count >= 0);
        for (int i = 0; i < count; i++) {
            assert_int_equal(done[i].status, 0);
            assert_true(fake_disk_holds(done[i].cookie, done[i].sector, 1));
            assert_true(done[i].completed_ns >= done[i].submitted_ns);
            slot_used[((uint8_t *)done[i].cookie - bytes[0]) / 512] = false;
        }
        reaped += (uint32_t)count;
    }
    join_readers(readers, 4, 0);
}

static void answer_error(struct fake_dom0 *d, const struct blkif_request *req)
{
    const int16_t status[] = {BLKIF_RSP_ERROR, BLKIF_RSP_EOPNOTSUPP, BLKIF_RSP_OKAY};
    fake_dom0_respond(d, req->id, req->operation, status[req->sector_number]);
    fake_dom0_flush(d);
}

static void errors_are_told_and_the_disk_lives_on(void **state)
{
    (void)state;
    uint8_t bytes[512];
    connect_to(&(struct fake_dom0_script){.request = answer_error}, (struct blkfront_options){0});
    for (int i = 0; i < 100; i++)
        assert_int_equal(blkfront_read(bf, 0, 1, bytes), -EIO);
    assert_int_equal(blkfront_read(bf, 1, 1, bytes), -EOPNOTSUPP);
    assert_int_equal(blkfront_read(bf, 2, 1, bytes), 0);
    struct blkfront_stats stats;
    blkfront_stats(bf, &stats);
    assert_int_equal(stats.responses, 102);
    assert_int_equal(stats.errors, 101);
    assert_string_equal(blkfront_failure(bf), "");
}

/* ---- a hostile Dom0 ---- */

enum lie {
    LIE_UNKNOWN_ID,
    LIE_ANSWERED_TWICE,
    LIE_OPERATION,
    LIE_STATUS,
    LIE_TOO_FAR,
    LIE_BACKWARDS,
    LIES
};

struct liar {
    enum lie lie;
    uint32_t wait_for; /* requests, before it lies */
    uint32_t seen;
};

static void lie(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct liar *liar = fake_dom0_ctx(d);
    struct blkif_back_ring *ring = fake_dom0_ring(d);
    if (++liar->seen != liar->wait_for)
        return;
    switch (liar->lie) {
    case LIE_UNKNOWN_ID:
        fake_dom0_respond(d, req->id ^ 1ull << 40, req->operation, BLKIF_RSP_OKAY);
        break;
    case LIE_ANSWERED_TWICE:
        fake_dom0_respond(d, req->id, req->operation, BLKIF_RSP_OKAY);
        fake_dom0_respond(d, req->id, req->operation, BLKIF_RSP_OKAY);
        break;
    case LIE_OPERATION:
        fake_dom0_respond(d, req->id, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
        break;
    case LIE_STATUS:
        fake_dom0_respond(d, req->id, req->operation, 1);
        break;
    case LIE_TOO_FAR:
        ring->half.rsp_prod_pvt = ring->half.req_cons + 1;
        break;
    case LIE_BACKWARDS:
        ring->half.rsp_prod_pvt = ring->half.rsp_prod - 1;
        break;
    case LIES:
        break;
    }
    fake_dom0_flush(d);
}

static void every_lie_fails_all_waiters(void **state)
{
    (void)state;
    for (enum lie which = LIE_UNKNOWN_ID; which < LIES; which++) {
        struct liar liar = {.lie = which, .wait_for = READERS};
        struct reader readers[READERS];
        uint8_t bytes[512];
        connect_to(&(struct fake_dom0_script){.request = lie, .ctx = &liar},
                   (struct blkfront_options){.depth = 32, .sectors_per_request = 1});
        start_readers(readers, READERS, 1);
        for (uint32_t i = 0; i < READERS; i++)
            pthread_join(readers[i].thread, NULL);
        uint32_t failed = 0;
        for (uint32_t i = 0; i < READERS; i++) {
            assert_true(readers[i].rc == -EPROTO || readers[i].rc == 0);
            failed += readers[i].rc == -EPROTO;
        }
        /* Answered twice: the first answer counted. */
        assert_int_equal(failed, which == LIE_ANSWERED_TWICE ? READERS - 1 : READERS);
        assert_int_equal(blkfront_read(bf, 0, 1, bytes), -EPROTO);
        assert_int_equal(blkfront_submit(bf, 0, 1, bytes, NULL), -EPROTO);
        struct blkfront_completion done;
        assert_int_equal(blkfront_reap(bf, &done, 1, 1), -EPROTO);
        assert_true(strlen(blkfront_failure(bf)) > 0);
        blkfront_close(bf);
        fake_dom0_stop(dom0);
        bf = NULL;
        dom0 = NULL;
    }
}

struct quiet_liar {
    uint32_t seen; /* atomic */
};

/* Never notifies; the second request finds a lie. */
static void lie_quietly(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct quiet_liar *liar = fake_dom0_ctx(d);
    if (load_full_u32(&liar->seen) == 1)
        fake_dom0_respond(d, req->id ^ 1ull << 40, req->operation, BLKIF_RSP_OKAY);
    fake_dom0_flush(d);
    store_full_u32(&liar->seen, load_full_u32(&liar->seen) + 1);
}

static void wait_until_seen(struct quiet_liar *liar, uint32_t count)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    while (load_full_u32(&liar->seen) < count)
        nanosleep(&pause, NULL);
}

/* One thread sleeps on the ring for all, and Dom0 never wakes it. A lie that another thread finds
 * must end its sleep, too. */
static void the_thread_that_sleeps_for_all_is_woken_by_a_failure(void **state)
{
    (void)state;
    struct quiet_liar liar = {0};
    struct reader sleeper;
    uint8_t bytes[512];
    connect_to(&(struct fake_dom0_script){.request = lie_quietly, .silent = true, .ctx = &liar},
               (struct blkfront_options){.depth = 32, .no_spin = true});
    start_readers(&sleeper, 1, 1);
    wait_until_seen(&liar, 1);
    assert_int_equal(blkfront_submit(bf, 7, 1, bytes, NULL), 0);
    assert_int_equal(blkfront_kick(bf), 0);
    wait_until_seen(&liar, 2);
    struct blkfront_completion done;
    assert_int_equal(blkfront_reap(bf, &done, 1, 0), 1);
    assert_int_equal(done.status, -EPROTO);
    assert_int_equal(blkfront_reap(bf, &done, 1, 0), -EPROTO);
    join_readers(&sleeper, 1, -EPROTO);
}

/* ---- the end ---- */

static void ignore(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct quiet_liar *counter = fake_dom0_ctx(d);
    (void)req;
    store_full_u32(&counter->seen, load_full_u32(&counter->seen) + 1);
}

static void dom0s_death_wakes_everybody_soon(void **state)
{
    (void)state;
    struct quiet_liar counter = {0};
    struct reader readers[READERS];
    struct timespec begin, end;
    connect_to(&(struct fake_dom0_script){.request = ignore, .ctx = &counter},
               (struct blkfront_options){.depth = 32, .sectors_per_request = 1});
    start_readers(readers, READERS, 1);
    wait_until_seen(&counter, READERS);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    fake_dom0_stop(dom0);
    dom0 = NULL;
    join_readers(readers, READERS, -ENOTCONN);
    clock_gettime(CLOCK_MONOTONIC, &end);
    int64_t took_ms = (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000;
    assert_true(took_ms < 5000);
    assert_non_null(strstr(blkfront_failure(bf), "Dom0 is gone"));
    uint8_t bytes[512];
    assert_int_equal(blkfront_read(bf, 0, 1, bytes), -ENOTCONN);
}

static void closing_ends_the_domain(void **state)
{
    (void)state;
    const struct timespec pause = {.tv_nsec = 1000000};
    connect_to(&(struct fake_dom0_script){0}, (struct blkfront_options){0});
    assert_int_equal(fake_dom0_domains(dom0), 1);
    blkfront_close(bf);
    bf = NULL;
    while (fake_dom0_domains(dom0) != 0)
        nanosleep(&pause, NULL);
}

static void reads_that_nobody_reaps_do_not_hinder_closing(void **state)
{
    (void)state;
    struct quiet_liar counter = {0};
    static uint8_t bytes[4][512];
    connect_to(&(struct fake_dom0_script){.request = ignore, .ctx = &counter},
               (struct blkfront_options){.depth = 4});
    for (int i = 0; i < 4; i++)
        assert_int_equal(blkfront_submit(bf, (uint64_t)i, 1, bytes[i], NULL), 0);
    assert_int_equal(blkfront_submit(bf, 9, 1, bytes[0], NULL), -EAGAIN);
    assert_int_equal(blkfront_kick(bf), 0);
    wait_until_seen(&counter, 4);
}

static void note_handle(struct fake_dom0 *d, const struct blkif_request *req)
{
    uint32_t *handle = fake_dom0_ctx(d);
    if (req->operation == BLKIF_OP_INDIRECT)
        store_full_u32(handle, blkif_as_indirect(req).handle);
    fake_dom0_serve(d, req);
}

static void a_large_request_names_its_disk(void **state)
{
    (void)state;
    enum { SECTORS = 128 };
    static uint8_t bytes[SECTORS * 512];
    static uint32_t handle; /* the thread of Dom0 outlives this function */
    connect_to(
        &(struct fake_dom0_script){
            .sectors = 1000, .indirect_segments = 256, .request = note_handle, .ctx = &handle},
        (struct blkfront_options){.depth = 1, .sectors_per_request = SECTORS});
    assert_int_equal(blkfront_read(bf, 7, SECTORS, bytes), 0);
    assert_true(fake_disk_holds(bytes, 7, SECTORS));
    assert_int_equal(load_full_u32(&handle), 51712);
}

static bool is_ready(int fd, int wait_ms)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    return poll(&ready, 1, wait_ms) == 1;
}

static void the_descriptor_is_readable_while_there_is_something_to_reap(void **state)
{
    (void)state;
    static uint8_t bytes[512];
    struct blkfront_completion done;
    connect_to(&(struct fake_dom0_script){0}, (struct blkfront_options){.depth = 1});
    int fd = blkfront_fd(bf);
    assert_true(fd >= 0);
    for (uint64_t sector = 0; sector < 3; sector++) {
        assert_false(is_ready(fd, 0));
        assert_int_equal(blkfront_submit(bf, sector, 1, bytes, bytes), 0);
        assert_int_equal(blkfront_kick(bf), 0);
        assert_true(is_ready(fd, HANG_S * 1000));
        assert_int_equal(blkfront_reap(bf, &done, 1, 1), 1);
    }
    assert_false(is_ready(fd, 0));
}

/* By operation: when the last request of it was asked. Atomic. */
static void note_stamp(struct fake_dom0 *d, const struct blkif_request *req)
{
    uint64_t *asked_ns = fake_dom0_ctx(d), stamp_ns = blkif_take_request_stamp(fake_dom0_ring(d));
    store_relaxed_u64(&asked_ns[req->operation], stamp_ns);
    fake_dom0_respond(d, req->id, req->operation, fake_dom0_do(d, req));
    blkif_put_response_stamp(fake_dom0_ring(d), stamp_ns + 1);
    fake_dom0_flush(d);
}

static void requests_tell_when_they_were_asked(void **state)
{
    (void)state;
    static uint8_t disk[64 * 512], bytes[512];
    static uint64_t asked_ns[256]; /* the thread of Dom0 outlives this function */
    connect_to(&(struct fake_dom0_script){.disk = disk,
                                          .sectors = 64,
                                          .request = note_stamp,
                                          .virtual_completion = true,
                                          .ctx = asked_ns},
               (struct blkfront_options){.depth = 1});
    struct blkfront_geometry geometry;
    assert_int_equal(blkfront_geometry(bf, &geometry), 0);
    assert_true(!geometry.read_only && geometry.flush && geometry.discard);
    const uint8_t operations[] = {BLKIF_OP_READ, BLKIF_OP_WRITE, BLKIF_OP_FLUSH_DISKCACHE,
                                  BLKIF_OP_DISCARD};
    for (size_t i = 0; i < sizeof(operations); i++) {
        uint64_t before_ns = blkfront_now_ns(bf);
        const struct blkfront_io io = {.operation = (enum blkfront_operation)operations[i],
                                       .sector = 3,
                                       .sector_count = 1,
                                       .buffer = bytes};
        struct blkfront_completion done;
        assert_int_equal(blkfront_submit_io(bf, &io), 0);
        assert_int_equal(blkfront_reap(bf, &done, 1, 1), 1);
        assert_int_equal(done.status, 0);
        assert_in_range(load_relaxed_u64(&asked_ns[operations[i]]), before_ns, blkfront_now_ns(bf));
    }
}

int main(void)
{
#define FRONT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        FRONT_TEST(no_service_says_how_to_start_one),
        FRONT_TEST(options_out_of_range_are_refused),
        FRONT_TEST(the_default_depth_follows_from_the_size_of_requests),
        FRONT_TEST(options_have_a_size),
        FRONT_TEST(the_version_is_one),
        FRONT_TEST(a_refusal_is_told_with_its_reason),
        FRONT_TEST(replies_that_make_no_sense_are_refused),
        FRONT_TEST(memory_that_makes_no_sense_is_refused),
        FRONT_TEST(a_doorbell_that_is_none_is_refused),
        FRONT_TEST(a_reply_of_nothing_but_descriptors_leaves_none_open),
        FRONT_TEST(a_line_that_is_cut_is_not_taken_for_dom0s_end),
        FRONT_TEST(a_refused_ring_is_told),
        FRONT_TEST(nodes_that_make_no_sense_are_refused),
        FRONT_TEST(reads_bring_the_sectors_asked_for),
        FRONT_TEST(more_threads_than_slots_all_get_their_data),
        FRONT_TEST(a_thread_that_is_left_alone_is_woken_all_the_same),
        FRONT_TEST(asynchronous_and_blocking_reads_mix),
        FRONT_TEST(errors_are_told_and_the_disk_lives_on),
        FRONT_TEST(every_lie_fails_all_waiters),
        FRONT_TEST(the_thread_that_sleeps_for_all_is_woken_by_a_failure),
        FRONT_TEST(dom0s_death_wakes_everybody_soon),
        FRONT_TEST(the_descriptor_is_readable_while_there_is_something_to_reap),
        FRONT_TEST(a_large_request_names_its_disk),
        FRONT_TEST(requests_tell_when_they_were_asked),
        FRONT_TEST(closing_ends_the_domain),
        FRONT_TEST(reads_that_nobody_reaps_do_not_hinder_closing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
