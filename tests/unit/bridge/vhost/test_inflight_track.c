/* SPDX-License-Identifier: MIT */
/* inflight_track: what a device that was killed at any step leaves for the next one. */
#include "bridge/vhost/inflight_track.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory_file.h"

enum { QUEUES = 2, ENTRIES = 16 };

static int fd;

static struct vhost_user_inflight shape;

static struct inflight_track track;

static int setup(void **state)
{
    const struct vhost_user_inflight ask = {.queue_count = QUEUES, .queue_size = ENTRIES};

    (void)state;
    fd = inflight_track_make(&ask, &shape);
    return fd < 0 ? fd : inflight_track_map(&track, &shape, fd);
}

static int teardown(void **state)
{
    (void)state;
    inflight_track_unmap(&track);
    close(fd);
    return 0;
}

static void attach(struct inflight_queue *queue, uint32_t index, uint16_t used_index)
{
    assert_int_equal(inflight_queue_attach(queue, &track, index, ENTRIES, used_index), 0);
}

/* The device dies, the next one maps the same file. */
static void die(struct inflight_queue *queue)
{
    inflight_queue_detach(queue);
    inflight_track_unmap(&track);
    assert_int_equal(inflight_track_map(&track, &shape, fd), 0);
}

static void give(struct inflight_queue *queue, uint16_t head, uint16_t used_index)
{
    inflight_queue_will_give(queue, head);
    inflight_queue_gave(queue, head, used_index);
}

static void assert_again(struct inflight_queue *queue, const uint16_t *heads, uint32_t count)
{
    uint16_t head;

    assert_int_equal(queue->again_count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(inflight_queue_next(queue, &head));
        assert_int_equal(head, heads[i]);
    }
    assert_false(inflight_queue_next(queue, &head));
}

static void what_was_not_given_back_comes_again_in_its_order(void **state)
{
    struct inflight_queue queue;

    (void)state;
    attach(&queue, 1, 7);
    assert_again(&queue, NULL, 0);
    for (uint16_t head = 5; head-- > 0;) /* 4 3 2 1 0 */
        inflight_queue_take(&queue, head);
    give(&queue, 3, 8);
    give(&queue, 1, 9);
    die(&queue);
    attach(&queue, 1, 9);
    assert_again(&queue, (const uint16_t[]){4, 2, 0}, 3);
    inflight_queue_take(&queue, 9); /* comes behind those, though they are older */
    die(&queue);
    attach(&queue, 1, 9);
    assert_again(&queue, (const uint16_t[]){4, 2, 0, 9}, 4);
    inflight_queue_detach(&queue);
    attach(&queue, 0, 9);
    assert_again(&queue, NULL, 0); /* each queue has its own */
    inflight_queue_detach(&queue);
}

static void a_death_between_two_steps_repeats_nothing(void **state)
{
    struct inflight_queue queue;

    (void)state;
    attach(&queue, 0, 0);
    inflight_queue_take(&queue, 2);
    inflight_queue_take(&queue, 6);
    inflight_queue_will_give(&queue, 2); /* the used ring has moved, and that is not noted */
    die(&queue);
    attach(&queue, 0, 1);
    assert_again(&queue, (const uint16_t[]){6}, 1);
    inflight_queue_will_give(&queue, 6); /* the used ring has not moved */
    die(&queue);
    attach(&queue, 0, 1);
    assert_again(&queue, (const uint16_t[]){6}, 1);
    inflight_queue_detach(&queue);
}

static void a_queue_without_a_part_is_not_tracked(void **state)
{
    struct inflight_queue queue;

    (void)state;
    attach(&queue, QUEUES, 0);
    inflight_queue_take(&queue, 1);
    give(&queue, 1, 1);
    assert_again(&queue, NULL, 0);
    assert_int_equal(inflight_queue_attach(&queue, &track, 0, 2 * ENTRIES, 0), 0);
    inflight_queue_take(&queue, 1);
    assert_null(queue.region);
    attach(&queue, 0, 0);
    inflight_queue_take(&queue, ENTRIES); /* no descriptor of this queue */
    give(&queue, ENTRIES, 1);
    inflight_queue_detach(&queue);
}

static void nonsense_in_the_memory_is_bounded(void **state)
{
    struct inflight_queue queue;
    uint16_t head;

    (void)state;
    memset(track.mapping, 0xff, track.bytes);
    attach(&queue, 0, 12345);
    assert_true(queue.again_count <= ENTRIES);
    while (inflight_queue_next(&queue, &head))
        assert_true(head < ENTRIES);
    inflight_queue_take(&queue, 3);
    give(&queue, 3, 12346);
    inflight_queue_detach(&queue);
}

static void a_memory_that_may_shrink_or_is_too_small_is_refused(void **state)
{
    struct vhost_user_inflight wrong = shape;

    (void)state;
    int other = memory_file_create("test");
    assert_true(other >= 0);
    assert_int_equal(ftruncate(other, 1 << 20), 0);
    assert_int_equal(inflight_track_map(&track, &shape, other), -EBADFD);
    close(other);
    wrong.queue_count = 64;
    wrong.queue_size = 1024;
    assert_int_equal(inflight_track_map(&track, &wrong, fd), -EINVAL);
    wrong.queue_count = 65;
    assert_int_equal(inflight_track_map(&track, &wrong, fd), -EINVAL);
    assert_int_equal(inflight_track_make(&wrong, &wrong), -EINVAL);
    wrong = shape;
    wrong.mmap_offset = 4096;
    assert_int_equal(inflight_track_map(&track, &wrong, fd), -EINVAL);
    wrong.queue_count = 0;
    assert_int_equal(inflight_track_make(&wrong, &wrong), -EINVAL);
    assert_int_equal(inflight_track_map(&track, &shape, -1), -EBADF);
    assert_int_equal(track.queue_count, QUEUES); /* what was mapped still is */
}

int main(void)
{
#define TRACK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TRACK_TEST(what_was_not_given_back_comes_again_in_its_order),
        TRACK_TEST(a_death_between_two_steps_repeats_nothing),
        TRACK_TEST(a_queue_without_a_part_is_not_tracked),
        TRACK_TEST(nonsense_in_the_memory_is_bounded),
        TRACK_TEST(a_memory_that_may_shrink_or_is_too_small_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
