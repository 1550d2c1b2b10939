/* SPDX-License-Identifier: MIT */
/* port: what is counted, and where frames go that can go nowhere. */
#include "service/net/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net_fixture.h"

static struct fixture_port f;

static void a_frame_on_no_network_is_dropped_and_counted(void **state)
{
    (void)state;
    fixture_init(&f, "vif1.0", 256);
    fixture_send(&f, 2, 4, 0);
    assert_int_equal(f.port.drops[NET_DROP_DISCONNECTED], 1);
    assert_int_equal(f.port.in.frames, 0);
}

static void what_is_shorter_than_a_header_is_no_frame(void **state)
{
    (void)state;
    fixture_init(&f, "vif1.0", 256);
    struct net_frame *frame = net_frame_new(NET_FRAME_HEADER_BYTES - 1);
    net_port_input(&f.port, frame);
    net_frame_put(frame);
    assert_int_equal(f.port.drops[NET_DROP_MALFORMED], 1);
}

static void what_the_owner_drops_was_not_delivered(void **state)
{
    (void)state;
    fixture_init(&f, "vif1.0", 256);
    struct net_frame *frame = fixture_frame(2, 4, 0x800, 100);
    net_port_output(&f.port, frame, 7);
    assert_int_equal(f.at_ns[0], 7);
    assert_int_equal(f.port.out.frames, 1);
    assert_int_equal(f.port.out.bytes, 100);
    net_port_drop_delivered(&f.port, frame, NET_DROP_NO_ROOM);
    assert_int_equal(f.port.out.frames, 0);
    assert_int_equal(f.port.out.bytes, 0);
    assert_int_equal(f.port.drops[NET_DROP_NO_ROOM], 1);
    fixture_clear(&f);
    net_frame_put(frame);
}

static void every_reason_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < NET_DROPS; i++) {
        assert_non_null(net_drop_name((enum net_drop)i));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(net_drop_name((enum net_drop)i),
                                    net_drop_name((enum net_drop)k));
    }
}

/* What is above or below a port: keeps what it was given. */
struct kept {
    struct net_sink sink;
    struct net_port *from;
    struct net_frame *frame;
    uint64_t at_ns;
};

static void keep(struct net_sink *sink, struct net_port *from, struct net_frame *frame,
                 uint64_t at_ns)
{
    struct kept *kept = (struct kept *)sink;
    kept->from = from;
    kept->frame = frame;
    kept->at_ns = at_ns;
}

static void what_comes_in_is_counted_and_goes_up(void **state)
{
    (void)state;
    struct kept above = {.sink.put = keep};
    fixture_init(&f, "vif1.0", 256);
    f.port.up = &above.sink;
    f.port.id = 9;
    struct net_frame *frame = fixture_frame(2, 4, 0x800, NET_FRAME_HEADER_BYTES);
    frame->arrived_ns = 77;
    net_port_input(&f.port, frame);
    assert_ptr_equal(above.from, &f.port);
    assert_ptr_equal(above.frame, frame);
    assert_int_equal(above.at_ns, 77);
    assert_int_equal(frame->source, 9);
    assert_int_equal(f.port.in.frames, 1);
    assert_int_equal(f.port.in.bytes, NET_FRAME_HEADER_BYTES);
    net_frame_put(frame);
}

static void what_goes_out_goes_down_first(void **state)
{
    (void)state;
    struct kept below = {.sink.put = keep};
    fixture_init(&f, "vif1.0", 256);
    f.port.down = &below.sink;
    struct net_frame *frame = fixture_frame(2, 4, 0x800, 100);
    net_port_output(&f.port, frame, 5);
    assert_ptr_equal(below.from, &f.port);
    assert_ptr_equal(below.frame, frame);
    assert_int_equal(below.at_ns, 5);
    assert_int_equal(f.port.out.frames, 0);
    net_frame_put(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_on_no_network_is_dropped_and_counted),
        cmocka_unit_test(what_is_shorter_than_a_header_is_no_frame),
        cmocka_unit_test(what_the_owner_drops_was_not_delivered),
        cmocka_unit_test(every_reason_has_a_name_of_its_own),
        cmocka_unit_test(what_comes_in_is_counted_and_goes_up),
        cmocka_unit_test(what_goes_out_goes_down_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
