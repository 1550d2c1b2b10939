/* SPDX-License-Identifier: MIT */
/* blkfront: connecting, to a Dom0 that refuses or sends what makes no sense. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "faults/fault.h"
#include "unit/domu/blkfront/blkfront_fixture.h"

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

static void a_closed_disk_leaves_no_descriptor_open(void **state)
{
    (void)state;
    int before = open_fds();
    connect_to(&(struct fake_dom0_script){0}, (struct blkfront_options){0});
    assert_true(blkfront_fd(bf) >= 0);
    part();
    assert_int_equal(open_fds(), before);
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

static void more_queues_than_a_disk_has_are_refused(void **state)
{
    (void)state;
    struct blkfront_options many = {
        .size = sizeof(struct blkfront_options), .rundir = base, .queues = BLKFRONT_QUEUES_MAX + 1};
    assert_int_equal(blkfront_connect(&many, &bf, &why), -EINVAL);
    assert_non_null(strstr(why.text, "queues"));
    assert_int_equal(blkfront_pages(&many), 0);
    many.queues = BLKFRONT_QUEUES_MAX;
    assert_true(blkfront_pages(&many) > 0);
}

/* A page of ring has 32 entries, and each request of one sector a page; one is for claims. */
static void a_ring_has_as_many_pages_as_its_depth_needs(void **state)
{
    (void)state;
    assert_int_equal(pages_of(1, 1), 1 + 32 + 1);
    assert_int_equal(pages_of(1, 32), 1 + 32 + 1);
    assert_int_equal(pages_of(1, 33), 2 + 64 + 1);
    assert_int_equal(pages_of(1, 65), 4 + 128 + 1);
}

static void without_memory_there_is_no_disk(void **state)
{
    (void)state;
    struct blkfront_options options = {.size = sizeof(struct blkfront_options), .rundir = base};
    fault_arm_call("calloc", 1, ENOMEM);
    assert_int_equal(blkfront_connect(&options, &bf, &why), -ENOMEM);
    assert_non_null(fault_disarm());
    assert_null(bf);
    assert_string_equal(why.text, "out of memory");
    fault_arm_call("calloc", 1, ENOMEM);
    assert_int_equal(blkfront_connect(&options, &bf, NULL), -ENOMEM);
    fault_disarm();
}

int main(void)
{
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
        FRONT_TEST(a_closed_disk_leaves_no_descriptor_open),
        FRONT_TEST(a_line_that_is_cut_is_not_taken_for_dom0s_end),
        FRONT_TEST(a_refused_ring_is_told),
        FRONT_TEST(nodes_that_make_no_sense_are_refused),
        cmocka_unit_test_setup_teardown(more_queues_than_a_disk_has_are_refused, setup, teardown),
        cmocka_unit_test(a_ring_has_as_many_pages_as_its_depth_needs),
        cmocka_unit_test_setup_teardown(without_memory_there_is_no_disk, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
