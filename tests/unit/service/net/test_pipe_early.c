/* SPDX-License-Identifier: MIT */
/* pipe: frames that go before they are due, and what is thrown away. */
#include "unit/service/net/pipe_fixture.h"

enum { DELAY_NS = 1000, LIMIT = 100 };

static int setup(void **state)
{
    (void)state;
    begin();
    return 0;
}

static void init(struct net_pipe *pipe, const struct net_pipe_config *wanted)
{
    struct net_pipe_config config = *wanted;
    config.rate_bps = config.rate_bps != 0 ? config.rate_bps : UINT64_C(8000000000);
    config.delay_ns = DELAY_NS;
    config.queue.limit_frames = LIMIT;
    net_pipe_init(pipe, &config, out);
}

static void a_frame_under_way_may_go_early(void **state)
{
    struct net_pipe pipe;
    (void)state;
    init(&pipe, &(struct net_pipe_config){0});
    assert_int_equal(net_pipe_early_ns(&pipe), UINT64_MAX);
    put(&pipe, 1, 100, 5000);
    put(&pipe, 2, 100, 5000);
    (void)net_pipe_advance(&pipe, 5200, UINT32_MAX); /* both have left the queue */
    assert_int_equal(seen.count, 0);
    uint64_t due_ns = net_pipe_early_ns(&pipe);
    assert_in_range(due_ns, 5000 + DELAY_NS, 5200 + DELAY_NS);
    assert_int_equal(net_pipe_advance_early(&pipe, due_ns - 1, UINT32_MAX), 0);
    assert_int_equal(net_pipe_advance_early(&pipe, due_ns, UINT32_MAX), 1);
    assert_int_equal(seen.number[0], 1);
    assert_int_equal(seen.due_ns[0], due_ns); /* and says when it is */
    assert_int_equal(net_pipe_advance_early(&pipe, UINT64_MAX - 1, 0), 0);
    assert_int_equal(net_pipe_advance_early(&pipe, UINT64_MAX - 1, UINT32_MAX), 1);
    assert_int_equal(net_pipe_early_ns(&pipe), UINT64_MAX);
    net_pipe_clear(&pipe, NET_DROP_DISCONNECTED);
}

static void none_goes_that_a_later_one_may_overtake(void **state)
{
    const struct net_pipe_config configs[] = {{.jitter_ns = 1},
                                              {.reorder = {.part = 1}, .reorder_gap = 5}};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct net_pipe pipe;
        init(&pipe, &configs[i]);
        put(&pipe, 1, 100, 5000);
        (void)net_pipe_advance(&pipe, 5200, UINT32_MAX);
        assert_int_equal(net_pipe_early_ns(&pipe), UINT64_MAX);
        assert_int_equal(net_pipe_advance_early(&pipe, UINT64_MAX - 1, UINT32_MAX), 0);
        net_pipe_clear(&pipe, NET_DROP_DISCONNECTED);
    }
}

/* What waits, and what is under way; each is counted where it came from. */
static void what_is_thrown_away_is_counted(void **state)
{
    struct net_pipe pipe;
    (void)state;
    init(&pipe, &(struct net_pipe_config){.rate_bps = 8000000}); /* 1 byte in 1000 ns */
    for (uint32_t i = 0; i < 5; i++)
        put(&pipe, i, 100, 5000);
    (void)net_pipe_advance(&pipe, 5000 + 100 * 1000, UINT32_MAX);
    net_pipe_clear(&pipe, NET_DROP_DISCONNECTED);
    assert_int_equal(f.port.drops[NET_DROP_DISCONNECTED] + seen.count, 5);
    assert_int_equal(pipe.flight_frames, 0);
    assert_int_equal(pipe.flight_bytes, 0);
    assert_int_equal(net_pipe_next_ns(&pipe), UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_frame_under_way_may_go_early, setup),
        cmocka_unit_test_setup(none_goes_that_a_later_one_may_overtake, setup),
        cmocka_unit_test_setup(what_is_thrown_away_is_counted, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
