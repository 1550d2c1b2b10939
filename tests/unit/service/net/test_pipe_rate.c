/* SPDX-License-Identifier: MIT */
/* pipe: rates, delays and chances over time. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "unit/service/net/pipe_fixture.h"

/* 10^6 frames of 1/3 ns too much each, if anything were rounded. */
static void nothing_drifts(void **state)
{
    (void)state;
    struct net_pipe pipe;
    struct net_pipe_config c = {.rate_bps = UINT64_C(1440000000),
                                .seed = 1}; /* 60 bytes: 333 1/3 ns */
    begin();
    net_pipe_init(&pipe, &c, out);
    for (uint32_t i = 0; i < 1000000; i++) {
        put(&pipe, i, 60, i * UINT64_C(1000) / 3);
        if (i % 64 == 63) {
            seen.count = 0;
            (void)net_pipe_advance(&pipe, i * UINT64_C(1000) / 3 + 400, UINT32_MAX);
        }
    }
    assert_int_equal(pipe.stats.full, 0);
    assert_true(net_pipe_next_ns(&pipe) == UINT64_MAX || net_pipe_next_ns(&pipe) <= 333333400);
    /* The transmitter is where the arithmetic of whole numbers has it. */
    assert_true(fp_to_ns(pipe.free_fp) >= 333333332 && fp_to_ns(pipe.free_fp) <= 333333334);
    net_pipe_clear(&pipe, NET_DROP_DISCONNECTED);
}

static void the_rate_is_the_rate(void **state)
{
    (void)state;
    static const uint64_t rates[] = {1000000, 100000000, UINT64_C(10000000000)};
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct net_pipe pipe;
        struct net_pipe_config c = {.rate_bps = rates[i], .seed = 1};
        begin();
        net_pipe_init(&pipe, &c, out);
        uint64_t now_ns = 0, bits = 0;
        while (bits < rates[i] / 100 || bits < 50 * 12112) { /* always backlogged */
            while (pipe.queue.frames < 100)
                put(&pipe, 0, 1514, now_ns);
            now_ns = net_pipe_next_ns(&pipe);
            seen.count = 0;
            bits += net_pipe_advance(&pipe, now_ns, UINT32_MAX) * UINT64_C(1514) * 8;
        }
        double found = (double)bits * 1e9 / (double)now_ns;
        assert_true(found > (double)rates[i] * 0.999 && found < (double)rates[i] * 1.001);
        net_pipe_clear(&pipe, NET_DROP_DISCONNECTED);
    }
}

static void an_endless_delay_is_bounded(void **state)
{
    (void)state;
    struct net_pipe pipe;
    const struct net_pipe_config c = {.delay_ns = UINT64_C(3600000000000), .seed = 1};
    struct net_frame *frame = fixture_frame(2, 4, 0x88b5, 65535); /* shared: costs no memory */
    begin();
    net_pipe_init(&pipe, &c, out);
    for (uint32_t i = 0; i < 5000; i++)
        net_pipe_put(&pipe, &f.port, frame, i);
    assert_true(pipe.flight_bytes <= NET_PIPE_FLIGHT_BYTES);
    assert_true(f.port.drops[NET_DROP_LINK_QUEUE] > 500);
    assert_int_equal(pipe.stats.full, f.port.drops[NET_DROP_LINK_QUEUE]);
    net_pipe_clear(&pipe, NET_DROP_DISCONNECTED);
    net_frame_put(frame);
}

/* ---- figures: the rate over ten seconds of the link's own time (without TEST_LONG over as many
 * frames as 1 Gbit/s has in 10 ms, or 10 Gbit/s), with a third more offered than it carries, and
 * losses before the queue ---- */

struct measured {
    struct net_pipe pipe; /* first: out finds the rest */
    uint64_t end_ns, bytes, offered;
};

static void measure(struct net_pipe *pipe, struct net_port *port, struct net_frame *frame,
                    uint64_t due_ns)
{
    struct measured *measured = (struct measured *)pipe;
    (void)port;
    if (due_ns <= measured->end_ns)
        measured->bytes += frame->length_bytes;
}

static void offer(struct measured *measured, uint64_t rate_bps)
{
    struct prng prng;
    uint64_t at_ns = 0;
    prng_init(&prng, 7, 0);
    while (at_ns < measured->end_ns) {
        uint32_t bytes = 60 + (uint32_t)prng_below(&prng, 1455);
        put(&measured->pipe, 0, bytes, at_ns);
        (void)net_pipe_advance(&measured->pipe, at_ns, UINT32_MAX);
        measured->offered++;
        at_ns += bytes * UINT64_C(6000000000) / rate_bps; /* 8 bits a byte, a third too many */
    }
    while (net_pipe_next_ns(&measured->pipe) != UINT64_MAX)
        (void)net_pipe_advance(&measured->pipe, net_pipe_next_ns(&measured->pipe), UINT32_MAX);
}

static void rates_and_losses_hold_over_time(void **state)
{
    static const uint64_t rates[] = {1000000, 10000000, 100000000, 1000000000, 10000000000};
    static struct measured m;
    bool is_long = getenv("TEST_LONG") != NULL;
    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct net_pipe_config c = {.rate_bps = rates[i], .seed = 1 + i};
        assert_int_equal(net_loss_parse("2%", &c.loss), 0);
        c.queue.limit_frames = 100;
        begin();
        m = (struct measured){.end_ns = UINT64_C(10000000000) / (is_long ? 1 : 1000)};
        if (!is_long && rates[i] < 1000000000)
            m.end_ns = UINT64_C(10000000000000000) / rates[i]; /* as many frames as at 1 Gbit/s */
        net_pipe_init(&m.pipe, &c, measure);
        offer(&m, rates[i]);
        double seconds = (double)m.end_ns / 1e9, found = (double)m.bytes * 8 / seconds;
        double expected = (double)m.offered * 0.02, sigma = sqrt(expected * 0.98);
        double off = fabs(found / (double)rates[i] - 1);
        print_message("%11.0f bit/s: %.6f %% off over %g s; %" PRIu64 " of %" PRIu64
                      " frames lost, %.2f standard deviations off\n",
                      (double)rates[i], 100 * off, seconds, m.pipe.stats.lost, m.offered,
                      ((double)m.pipe.stats.lost - expected) / sigma);
        assert_true(off < 0.001);
        assert_true(fabs((double)m.pipe.stats.lost - expected) < 5 * sigma);
        assert_true(m.pipe.stats.full > 0);
    }
}

/* As netem's gap: of frames that all may overtake, each fifth does. */
static void with_a_gap_each_so_many_frames_overtake(void **state)
{
    (void)state;
    struct net_pipe pipe;
    struct net_pipe_config c = {.delay_ns = 1000, .reorder_gap = 5, .seed = 1};
    assert_int_equal(net_chance_parse("100%", &c.reorder), 0);
    begin();
    net_pipe_init(&pipe, &c, out);
    for (uint32_t i = 1; i <= 20; i++)
        put(&pipe, i, 60, 0);
    (void)net_pipe_advance(&pipe, 0, UINT32_MAX);
    assert_int_equal(seen.count, 4);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(seen.number[i], 5 * (i + 1));
    (void)net_pipe_advance(&pipe, 1000, UINT32_MAX);
    assert_int_equal(seen.count, 20);
    assert_int_equal(pipe.stats.reordered, 4);
}

/* As netem's, unless it is limited in any way. */
static void a_queue_has_a_limit(void **state)
{
    struct net_pipe pipe;
    (void)state;
    static const struct {
        uint32_t frames;
        uint64_t bytes;
        uint32_t wanted;
    } limits[] = {{0, 0, 1000}, {7, 0, 7}, {0, 7, 0}, {0, 1, 0}, {1, 1, 1}};
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        const struct net_pipe_config config = {
            .queue = {.limit_frames = limits[i].frames, .limit_bytes = limits[i].bytes}};
        net_pipe_init(&pipe, &config, out);
        assert_int_equal(pipe.config.queue.limit_frames, limits[i].wanted);
        net_pipe_clear(&pipe, NET_DROP_DISCONNECTED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_has_a_limit),
        cmocka_unit_test(nothing_drifts),
        cmocka_unit_test(the_rate_is_the_rate),
        cmocka_unit_test(an_endless_delay_is_bounded),
        cmocka_unit_test(rates_and_losses_hold_over_time),
        cmocka_unit_test(with_a_gap_each_so_many_frames_overtake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
