/* SPDX-License-Identifier: MIT */
/* frame: references and copies. */
#include "service/net/frame.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_frame_has_no_stamp_and_no_flags),
        cmocka_unit_test(the_last_reference_frees),
        cmocka_unit_test(a_copy_shares_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
