/* SPDX-License-Identifier: MIT */
/* pipe: frame by frame as its model has it, and what is counted. */
#include "faults/fault.h"
#include "unit/service/net/pipe_fixture.h"

/* Arrivals: sizes and times of one seed, in whole multiples of unit_ns. */
struct arrival {
    uint64_t at_ns;
    uint32_t bytes;
};

static struct arrival arrivals[FRAMES];

static void draw_arrivals(uint64_t mean_ns, uint64_t unit_ns)
{
    struct prng prng;
    uint64_t at_ns = 0;
    prng_init(&prng, 99, 0);
    for (int i = 0; i < FRAMES; i++) {
        at_ns += prng_below(&prng, 2 * mean_ns / unit_ns) * unit_ns;
        arrivals[i] = (struct arrival){at_ns, 60 + (uint32_t)prng_below(&prng, 1455)};
    }
}

static void run_pipe(struct net_pipe *pipe)
{
    for (uint32_t i = 0; i < FRAMES; i++) {
        put(pipe, i, arrivals[i].bytes, arrivals[i].at_ns);
        if (i % 7 == 0) /* looks come at any time, and change nothing */
            (void)net_pipe_advance(pipe, arrivals[i].at_ns, UINT32_MAX);
    }
    while (net_pipe_next_ns(pipe) != UINT64_MAX)
        (void)net_pipe_advance(pipe, net_pipe_next_ns(pipe), UINT32_MAX);
}

/* ---- the reference: one frame after the other, times as whole numbers of 1 / rate ns ---- */

struct reference {
    uint32_t number[2 * FRAMES];
    uint64_t due_ns[2 * FRAMES];
    uint32_t count, full, lost;
};

static struct reference model;

static void model_enter(const struct net_pipe_config *c, uint32_t number, u128 starts[],
                        uint32_t *admitted, u128 *free_at, struct prng *jitter,
                        struct prng *reorder)
{
    /* Who of those before has not begun yet? */
    u128 now = (u128)arrivals[number].at_ns * c->rate_bps;
    uint32_t waiting = 0;
    for (uint32_t i = *admitted; i > 0 && starts[i - 1] > now; i--)
        waiting++;
    if (waiting >= c->queue.limit_frames) {
        model.full++;
        return;
    }
    u128 start = *free_at > now ? *free_at : now;
    starts[(*admitted)++] = start;
    *free_at = start + (u128)(arrivals[number].bytes + c->overhead_bytes) * 8 * 1000000000;
    int64_t off = net_jitter_draw(jitter, c->law, c->jitter_ns);
    bool at_once = net_chance_hits(c->reorder, reorder);
    int64_t delay = at_once ? 0 : (int64_t)c->delay_ns + off;
    u128 due = *free_at + (u128)(delay > 0 ? delay : 0) * c->rate_bps;
    model.number[model.count] = number;
    model.due_ns[model.count++] = (uint64_t)((due + c->rate_bps - 1) / c->rate_bps);
}

static void run_model(const struct net_pipe_config *c)
{
    static u128 starts[2 * FRAMES];
    struct net_loss loss;
    struct prng jitter, duplicate, reorder;
    u128 free_at = 0;
    uint32_t admitted = 0;
    model.count = model.full = model.lost = 0;
    net_loss_init(&loss, c->seed);
    prng_init(&jitter, c->seed, 3);
    prng_init(&duplicate, c->seed, 4);
    prng_init(&reorder, c->seed, 5);
    for (uint32_t i = 0; i < FRAMES; i++) {
        bool lost = net_loss_loses(&loss, &c->loss);
        bool twice = net_chance_hits(c->duplicate, &duplicate);
        model.lost += lost;
        if (!lost)
            model_enter(c, i, starts, &admitted, &free_at, &jitter, &reorder);
        if (twice)
            model_enter(c, i, starts, &admitted, &free_at, &jitter, &reorder);
    }
    /* In the order of due times; of equal ones the first that entered is first. */
    for (uint32_t i = 1; i < model.count; i++) {
        uint64_t due = model.due_ns[i];
        uint32_t number = model.number[i], k = i;
        for (; k > 0 && model.due_ns[k - 1] > due; k--) {
            model.due_ns[k] = model.due_ns[k - 1];
            model.number[k] = model.number[k - 1];
        }
        model.due_ns[k] = due;
        model.number[k] = number;
    }
}

static void assert_as_model(const struct net_pipe *pipe)
{
    assert_int_equal(seen.count, model.count);
    for (uint32_t i = 0; i < seen.count; i++) {
        assert_true(seen.due_ns[i] == model.due_ns[i]);
        assert_int_equal(seen.number[i], model.number[i]);
    }
    assert_int_equal(pipe->stats.full, model.full);
    assert_int_equal(pipe->stats.lost, model.lost);
    /* Nothing is lost without a count, nothing comes twice without one. */
    assert_int_equal(pipe->stats.in.frames + pipe->stats.duplicated,
                     pipe->stats.out.frames + pipe->stats.lost + pipe->stats.full +
                         pipe->stats.early);
    assert_int_equal(f.port.drops[NET_DROP_LINK_QUEUE], pipe->stats.full);
    assert_int_equal(f.port.drops[NET_DROP_LINK_LOSS], pipe->stats.lost);
}

static void a_pipe_is_as_its_model_frame_by_frame(void **state)
{
    (void)state;
    static const uint64_t rates[] = {1000000, 9999991, 100000000, UINT64_C(10000000000)};
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct net_pipe pipe;
        struct net_pipe_config c = {
            .rate_bps = rates[i], .overhead_bytes = 24, .delay_ns = 3000001, .seed = 5 + i};
        c.queue.limit_frames = 20;
        begin();
        draw_arrivals(UINT64_C(760) * 8 * 1000000000 / rates[i], 1); /* as much as it carries */
        net_pipe_init(&pipe, &c, out);
        run_pipe(&pipe);
        run_model(&c);
        assert_true(model.full > 0);
        assert_as_model(&pipe);
    }
}

static void so_it_is_with_all_chances_on(void **state)
{
    (void)state;
    struct net_pipe pipe;
    struct net_pipe_config c = {.rate_bps = 8000000,
                                .delay_ns = 5000000,
                                .jitter_ns = 2000000,
                                .law = NET_JITTER_NORMAL,
                                .seed = 77};
    assert_int_equal(net_loss_parse("gemodel:2%:20%:60%:0.5%", &c.loss), 0);
    assert_int_equal(net_chance_parse("3%", &c.duplicate), 0);
    assert_int_equal(net_chance_parse("10%", &c.reorder), 0);
    c.queue.limit_frames = 50;
    begin();
    draw_arrivals(760000, 1);
    net_pipe_init(&pipe, &c, out);
    run_pipe(&pipe);
    run_model(&c);
    assert_true(model.lost > 100 && pipe.stats.duplicated > 100 && pipe.stats.reordered > 100);
    assert_as_model(&pipe);
}

/* All times k-fold, the rate a k-th: all results k-fold. */
static void a_slower_world_changes_nothing_but_the_scale(void **state)
{
    (void)state;
    static uint64_t first_due_ns[2 * FRAMES];
    static uint32_t first_number[2 * FRAMES];
    uint32_t first_count = 0;
    for (uint64_t k = 1; k <= 1000; k *= 10) {
        struct net_pipe pipe;
        struct net_pipe_config c = {
            .rate_bps = UINT64_C(8000000000) / k, .delay_ns = 20000 * k, .seed = 3};
        c.queue.limit_bytes = 30000;
        c.queue.aqm = NET_AQM_RED;
        c.queue.red.min_bytes = 5000;
        c.queue.red.max_bytes = 20000;
        c.queue.red.probability = UINT32_MAX / 50;
        c.queue.red.weight_log = 5;
        c.queue.red.idle_frame_ns = 1000 * k;
        begin();
        draw_arrivals(760, 1);
        for (int i = 0; i < FRAMES; i++)
            arrivals[i].at_ns *= k;
        net_pipe_init(&pipe, &c, out);
        run_pipe(&pipe);
        assert_true(pipe.stats.early > 50);
        if (k == 1) {
            memcpy(first_due_ns, seen.due_ns, sizeof(first_due_ns));
            memcpy(first_number, seen.number, sizeof(first_number));
            first_count = seen.count;
        }
        assert_int_equal(seen.count, first_count);
        for (uint32_t i = 0; i < seen.count; i++) {
            assert_int_equal(seen.number[i], first_number[i]);
            assert_true(seen.due_ns[i] == first_due_ns[i] * k);
        }
    }
}

static void what_is_cleared_is_counted(void **state)
{
    (void)state;
    struct net_pipe pipe;
    const struct net_pipe_config c = {.rate_bps = 1000, .delay_ns = 1000000, .seed = 1};
    begin();
    net_pipe_init(&pipe, &c, out);
    for (uint32_t i = 0; i < 10; i++)
        put(&pipe, i, 60, 0);
    net_pipe_clear(&pipe, NET_DROP_DISCONNECTED);
    assert_int_equal(f.port.drops[NET_DROP_DISCONNECTED], 10);
    assert_true(net_pipe_next_ns(&pipe) == UINT64_MAX);
}

static void a_change_counts_from_the_next_frame_on(void **state)
{
    (void)state;
    struct net_pipe pipe;
    struct net_pipe_config c = {.rate_bps = 8000000, .delay_ns = 1000, .seed = 1};
    begin();
    net_pipe_init(&pipe, &c, out);
    put(&pipe, 0, 1000, 0); /* a millisecond */
    put(&pipe, 1, 1000, 0);
    c.rate_bps = 80000000;
    c.delay_ns = 0;
    net_pipe_configure(&pipe, &c);
    (void)net_pipe_advance(&pipe, 10000000, UINT32_MAX);
    assert_true(seen.due_ns[0] == 1001000);
    assert_int_equal(seen.number[0], 0);
    assert_true(seen.due_ns[1] == 1100000);
}

static void what_goes_in_and_out_is_counted(void **state)
{
    (void)state;
    struct net_pipe pipe;
    const struct net_pipe_config c = {.delay_ns = 1000, .seed = 1};
    begin();
    net_pipe_init(&pipe, &c, out);
    put(&pipe, 0, 60, 0);
    put(&pipe, 1, 1500, 0);
    put(&pipe, 2, 100, 5);
    (void)net_pipe_advance(&pipe, 1000, UINT32_MAX);
    assert_int_equal(pipe.stats.in.frames, 3);
    assert_int_equal(pipe.stats.in.bytes, 1660);
    assert_int_equal(pipe.stats.out.frames, 2);
    assert_int_equal(pipe.stats.out.bytes, 1560);
    net_pipe_clear(&pipe, NET_DROP_DISCONNECTED);
    assert_int_equal(pipe.stats.out.bytes, 1560);
}

/* A frame that understands no marks is dropped where one that does would be marked. */
static void what_cannot_be_marked_is_dropped(void **state)
{
    (void)state;
    struct net_pipe pipe;
    struct net_pipe_config c = {.rate_bps = 8000, .seed = 1};
    c.queue.limit_frames = 1000;
    c.queue.aqm = NET_AQM_RED;
    c.queue.ecn = true;
    c.queue.red.min_bytes = 1000;
    c.queue.red.max_bytes = 2000;
    c.queue.red.probability = UINT32_MAX / 50;
    c.queue.red.weight_log = 1;
    c.queue.red.idle_frame_ns = 1;
    begin();
    net_pipe_init(&pipe, &c, out);
    for (uint32_t i = 0; i < 100; i++)
        put(&pipe, i, 1000, 0);
    assert_true(pipe.stats.early > 50);
    assert_int_equal(pipe.stats.marked, 0);
    assert_int_equal(f.port.drops[NET_DROP_LINK_EARLY], pipe.stats.early);
    net_pipe_clear(&pipe, NET_DROP_DISCONNECTED);

    c.queue.aqm = NET_AQM_CODEL; /* the same on the way out */
    c.queue.codel.target_ns = 1000;
    c.queue.codel.interval_ns = 1000;
    begin();
    net_pipe_init(&pipe, &c, out);
    for (uint32_t i = 0; i < 100; i++)
        put(&pipe, i, 1000, 0);
    (void)net_pipe_advance(&pipe, UINT64_C(200000000000), UINT32_MAX);
    assert_true(pipe.stats.early > 1);
    assert_int_equal(pipe.stats.marked, 0);
    assert_int_equal(pipe.stats.early + seen.count, 100);
}

static uint32_t marks_seen;

static void out_marked(struct net_pipe *pipe, struct net_port *port, struct net_frame *frame,
                       uint64_t due_ns)
{
    (void)pipe;
    (void)port;
    (void)due_ns;
    seen.count++;
    marks_seen += (frame->data[15] & 3) == 3;
}

/* The mark is on what comes out, and the frame that came in, which others share, stays as it was.
 */
static void a_marked_frame_comes_out_in_its_place(void **state)
{
    (void)state;
    struct net_pipe pipe;
    struct net_pipe_config c = {.rate_bps = 8000, .seed = 1};
    c.queue.limit_frames = 1000;
    c.queue.aqm = NET_AQM_RED;
    c.queue.ecn = true;
    c.queue.red.min_bytes = 1000;
    c.queue.red.max_bytes = 2000;
    c.queue.red.probability = UINT32_MAX / 50;
    c.queue.red.weight_log = 1;
    c.queue.red.idle_frame_ns = 1;
    struct net_frame *frame = fixture_frame(2, 4, 0x0800, 1000);
    static const uint8_t header[] = {0x45, 2, 3, 0xda, 0, 0, 0, 0, 64, 17, 0, 0};
    memcpy(frame->data + 14, header, sizeof(header));
    begin();
    marks_seen = 0;
    net_pipe_init(&pipe, &c, out_marked);
    for (uint32_t i = 0; i < 50; i++)
        net_pipe_put(&pipe, &f.port, frame, 0);
    (void)net_pipe_advance(&pipe, UINT64_C(200000000000), UINT32_MAX);
    assert_int_equal(seen.count, 50);
    assert_true(marks_seen > 40);
    assert_int_equal(pipe.stats.marked, marks_seen);
    assert_int_equal(pipe.stats.early, 0);
    assert_int_equal(frame->data[15], 2);
    assert_int_equal(frame->references, 1); /* nobody has it any more */
    net_frame_put(frame);
}

/* As when its port leaves and another one joins: there is room again for all of it. */
static void a_cleared_pipe_has_all_of_its_room(void **state)
{
    (void)state;
    struct net_pipe pipe;
    const struct net_pipe_config c = {.delay_ns = UINT64_C(3600000000000), .seed = 1};
    struct net_frame *frame = fixture_frame(2, 4, 0x88b5, 65535);
    uint64_t taken[2];
    begin();
    net_pipe_init(&pipe, &c, out);
    for (int k = 0; k < 2; k++) {
        uint64_t before = f.port.drops[NET_DROP_LINK_QUEUE];
        for (uint32_t i = 0; i < 5000; i++)
            net_pipe_put(&pipe, &f.port, frame, i);
        taken[k] = 5000 - (f.port.drops[NET_DROP_LINK_QUEUE] - before);
        net_pipe_clear(&pipe, NET_DROP_DISCONNECTED);
        assert_int_equal(frame->references, 1);
    }
    assert_true(taken[0] > 100);
    assert_int_equal(taken[1], taken[0]);
    for (uint32_t i = 0; i < 20000; i++) /* by their number, too */
        put(&pipe, i, 60, i);
    taken[0] = pipe.flight_frames;
    net_pipe_clear(&pipe, NET_DROP_DISCONNECTED);
    for (uint32_t i = 0; i < 20000; i++)
        put(&pipe, i, 60, i);
    assert_int_equal(pipe.flight_frames, taken[0]);
    net_pipe_clear(&pipe, NET_DROP_DISCONNECTED);
    net_frame_put(frame);
}

static void a_frame_that_there_is_no_memory_for_is_dropped(void **state)
{
    (void)state;
    struct net_pipe pipe;
    const struct net_pipe_config config = {.delay_ns = 10, .queue.limit_frames = 10};
    begin();
    net_pipe_init(&pipe, &config, out);
    fault_arm_call("calloc", 1, ENOMEM);
    put(&pipe, 1, 100, 0);
    fault_disarm();
    put(&pipe, 2, 100, 0);
    (void)net_pipe_advance(&pipe, 100, UINT32_MAX);
    assert_int_equal(f.port.drops[NET_DROP_NO_MEMORY], 1);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.number[0], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipe_is_as_its_model_frame_by_frame),
        cmocka_unit_test(so_it_is_with_all_chances_on),
        cmocka_unit_test(a_slower_world_changes_nothing_but_the_scale),
        cmocka_unit_test(what_is_cleared_is_counted),
        cmocka_unit_test(a_change_counts_from_the_next_frame_on),
        cmocka_unit_test(what_goes_in_and_out_is_counted),
        cmocka_unit_test(what_cannot_be_marked_is_dropped),
        cmocka_unit_test(a_marked_frame_comes_out_in_its_place),
        cmocka_unit_test(a_cleared_pipe_has_all_of_its_room),
        cmocka_unit_test(a_frame_that_there_is_no_memory_for_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
