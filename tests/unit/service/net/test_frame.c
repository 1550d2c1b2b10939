/* SPDX-License-Identifier: MIT */
/* frame: references and copies. */
#include "service/net/frame.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_new_frame_has_no_stamp_and_no_flags(void **state)
{
    (void)state;
    struct net_frame *frame = net_frame_new(60);
    assert_non_null(frame);
    assert_int_equal(frame->length_bytes, 60);
    assert_int_equal(frame->stamp_ns, -1);
    assert_false(frame->checksum_blank || frame->data_validated || frame->gso_type != NET_GSO_NONE);
    net_frame_put(frame);
}

static void the_last_reference_frees(void **state)
{
    (void)state;
    struct net_frame *frame = net_frame_new(NET_FRAME_MAX_BYTES);
    assert_ptr_equal(net_frame_get(frame), frame);
    net_frame_put(frame);
    memset(frame->data, 1, NET_FRAME_MAX_BYTES); /* still there */
    net_frame_put(frame);                        /* LeakSanitizer looks for it otherwise */
}

static void a_copy_shares_nothing(void **state)
{
    (void)state;
    struct net_frame *frame = net_frame_new(3);
    memcpy(frame->data, "abc", 3);
    frame->gso_type = NET_GSO_TCPV6;
    frame->stamp_ns = 5;
    net_frame_get(frame);
    struct net_frame *copy = net_frame_copy(frame);
    assert_int_equal(copy->references, 1);
    assert_memory_equal(copy->data, "abc", 3);
    assert_int_equal(copy->gso_type, NET_GSO_TCPV6);
    assert_int_equal(copy->stamp_ns, 5);
    copy->data[0] = 'x';
    assert_int_equal(frame->data[0], 'a');
    net_frame_put(copy);
    net_frame_put(frame);
    net_frame_put(frame);
}

static void memory_that_came_back_is_the_next_frames(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {60, 256, 257, 1514, 2000, 2001, 65535};
    struct net_frame_pool *pool = net_frame_pool_create();
    assert_non_null(pool);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct net_frame *frame = net_frame_new_in(pool, lengths[i]);
        frame->gso_type = NET_GSO_TCPV4;
        memset(frame->data, 1, lengths[i]);
        net_frame_put(frame);
        struct net_frame *next = net_frame_new_in(pool, lengths[i]);
#ifndef __SANITIZE_ADDRESS__
        assert_ptr_equal(next, frame);
#endif
        assert_int_equal(next->length_bytes, lengths[i]);
        assert_int_equal(next->gso_type, NET_GSO_NONE);
        assert_int_equal(next->stamp_ns, -1);
        net_frame_put(next);
    }
    net_frame_pool_close(pool);
}

static void a_copy_is_of_the_same_pool(void **state)
{
    (void)state;
    struct net_frame_pool *pool = net_frame_pool_create();
    struct net_frame *frame = net_frame_new_in(pool, 100);
    memset(frame->data, 1, 100);
    struct net_frame *copy = net_frame_copy(frame);
    assert_ptr_equal(copy->pool, frame->pool);
    net_frame_pool_close(pool);
    struct net_frame *late = net_frame_copy(copy);
    assert_int_equal(late->references, 1);
    assert_int_equal(late->data[99], 1);
    net_frame_put(copy);
    net_frame_put(frame);
    net_frame_put(late); /* LeakSanitizer looks for what is left */
}

static void frames_outlive_their_pool(void **state)
{
    (void)state;
    struct net_frame *frames[2 * NET_FRAME_POOL_KEPT];
    struct net_frame_pool *pool = net_frame_pool_create();
    for (int i = 0; i < 2 * NET_FRAME_POOL_KEPT; i++)
        frames[i] = net_frame_new_in(pool, i % 2 == 0 ? 64 : 1500);
    for (int i = 2; i < 2 * NET_FRAME_POOL_KEPT; i++)
        net_frame_put(frames[i]);
    struct net_frame *large = net_frame_new_in(pool, NET_FRAME_MAX_BYTES);
    struct net_frame *copy = net_frame_copy(frames[0]);
    net_frame_pool_close(pool);
    memset(frames[1]->data, 1, 1500);
    memset(large->data, 1, NET_FRAME_MAX_BYTES);
    net_frame_put(frames[0]);
    net_frame_put(frames[1]);
    net_frame_put(large);
    net_frame_put(copy); /* LeakSanitizer looks for what is left */
    net_frame_pool_close(NULL);
}

/* Or the bytes in a queue, which are bounded, would say little of its memory. */
static void no_frame_has_much_more_room_than_it_needs(void **state)
{
    (void)state;
    struct net_frame_pool *pool = net_frame_pool_create();
    for (uint32_t bytes = 256; bytes <= NET_FRAME_MAX_BYTES; bytes += bytes / 7) {
        struct net_frame *frame = net_frame_new_in(pool, bytes);
        assert_true(malloc_usable_size(frame) <= sizeof(*frame) + 3 * bytes);
        assert_int_equal((uintptr_t)frame->data % sizeof(void *), 0);
        net_frame_put(frame);
    }
    net_frame_pool_close(pool);
}

static void a_pool_keeps_so_many(void **state)
{
    (void)state;
    static struct net_frame *frames[4 * NET_FRAME_POOL_KEPT];
    struct net_frame_pool *pool = net_frame_pool_create();
    for (int i = 0; i < 4 * NET_FRAME_POOL_KEPT; i++)
        assert_non_null(frames[i] = net_frame_new_in(pool, 1500));
    for (int i = 0; i < 4 * NET_FRAME_POOL_KEPT; i++)
        net_frame_put(frames[i]);
    struct net_frame *next = net_frame_new_in(pool, 1500);
#ifndef __SANITIZE_ADDRESS__
    assert_ptr_equal(next, frames[NET_FRAME_POOL_KEPT - 1]); /* the last one that was kept */
#endif
    net_frame_put(next);
    net_frame_pool_close(pool);
}

/* Without a trace: also the pool's own memory is given back, once. */
static void a_pool_goes_with_the_last_of_its_frames(void **state)
{
    (void)state;
#ifndef __SANITIZE_ADDRESS__ /* which has a heap of its own, and looks for what is left there */
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < 50; i++) {
        struct net_frame_pool *pool = net_frame_pool_create();
        struct net_frame *frame = net_frame_new_in(pool, 25001), *kept = net_frame_new_in(pool, 1);
        net_frame_put(kept);
        net_frame_pool_close(pool);
        net_frame_put(frame);
    }
    assert_true(mallinfo2().uordblks <= before + 1000);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_frame_has_no_stamp_and_no_flags),
        cmocka_unit_test(the_last_reference_frees),
        cmocka_unit_test(a_copy_shares_nothing),
        cmocka_unit_test(memory_that_came_back_is_the_next_frames),
        cmocka_unit_test(a_copy_is_of_the_same_pool),
        cmocka_unit_test(frames_outlive_their_pool),
        cmocka_unit_test(no_frame_has_much_more_room_than_it_needs),
        cmocka_unit_test(a_pool_keeps_so_many),
        cmocka_unit_test(a_pool_goes_with_the_last_of_its_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
