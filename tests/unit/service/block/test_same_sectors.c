/* SPDX-License-Identifier: MIT */
/*
 * Many requests for the same sectors at once: what is copied between two looks at everything else
 * is bounded, and a neighbour who wants something else does not feel them. Time is the test's: the
 * disk takes DISK_NS, a copied sector SECTOR_NS of Dom0's time, everything else nothing.
 * tsan: long: it starts no thread
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/container_of.h"
#include "fakes/fake_vdisk.h"
#include "service/block/queue.h"

enum {
    GREEDY = 24,
    GREEDY_READS = 512,
    DEPTH = 64,
    DEPTH_ISOLATED = 12,
    SECTORS = 65536,
    SPAN = BLOCK_REQUEST_SECTORS_MAX,
    DISK_NS = 20000000,
    SECTOR_NS = 100,
    NEIGHBOUR_READS = 200,
    COPY_BOUND = 256, /* sectors: of joined requests, and again of those that the cache answers */
};

struct fixture;

struct ask {
    struct block_request request;
    struct fixture *f;
    struct block_client *client;
    bool answered;
};

struct fixture {
    struct fake_vdisk fake;
    struct block_client greedy[GREEDY], neighbour;
    struct ask ask[GREEDY][GREEDY_READS], neighbour_ask;
    struct block_segment segment, neighbour_segment; /* where the bytes go is no matter */
    uint8_t data[SPAN * BLOCK_SECTOR_BYTES];
    uint64_t now_ns;
    uint64_t due_ns[DEPTH]; /* of what is at the disk, in its order */
    uint32_t due_count;
    uint32_t answered_sectors; /* of the greedy ones, since the test last looked */
    uint64_t answered_total;
    int expected_status;
};

static void on_done(struct block_request *request, int status)
{
    struct ask *a = container_of(request, struct ask, request);
    assert_int_equal(status, a->f->expected_status);
    a->answered = true;
    a->f->now_ns += (uint64_t)request->sector_count * SECTOR_NS;
    if (a != &a->f->neighbour_ask) {
        a->f->answered_sectors += (uint32_t)request->sector_count;
        a->f->answered_total++;
    }
}

static void submit(struct ask *a)
{
    a->answered = false;
    block_submit(a->client, &a->request, a->f->now_ns);
}

static int setup_with(void **state, uint32_t cache_sectors)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -1;
    *state = f;
    fake_vdisk_create(&f->fake, &(struct fake_vdisk_config){.sector_count = SECTORS,
                                                            .cache_sectors = cache_sectors,
                                                            .depth = DEPTH,
                                                            .depth_isolated = DEPTH_ISOLATED});
    f->segment = (struct block_segment){.address = f->data, .sector_count = SPAN};
    f->neighbour_segment = (struct block_segment){.address = f->data, .sector_count = 1};
    for (int g = 0; g < GREEDY; g++) {
        block_client_open(&f->greedy[g], f->fake.vdisk);
        for (int i = 0; i < GREEDY_READS; i++)
            f->ask[g][i] = (struct ask){.f = f,
                                        .client = &f->greedy[g],
                                        .request = {.done = on_done,
                                                    .sector_count = SPAN,
                                                    .segments = &f->segment,
                                                    .segment_count = 1}};
    }
    block_client_open(&f->neighbour, f->fake.vdisk);
    f->neighbour_ask = (struct ask){.f = f,
                                    .client = &f->neighbour,
                                    .request = {.done = on_done,
                                                .sector_count = 1,
                                                .segments = &f->neighbour_segment,
                                                .segment_count = 1}};
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, 0);
}

static int setup_cached(void **state)
{
    return setup_with(state, 1024);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (int g = 0; g < GREEDY; g++) {
        for (int i = 0; i < GREEDY_READS; i++)
            block_cancel(&f->ask[g][i].request);
        block_client_close(&f->greedy[g]);
    }
    block_cancel(&f->neighbour_ask.request);
    block_client_close(&f->neighbour);
    fake_vdisk_destroy(&f->fake);
    free(f);
    return 0;
}

static void everybody_asks(struct fixture *f)
{
    for (int g = 0; g < GREEDY; g++) {
        for (int i = 0; i < GREEDY_READS; i++)
            submit(&f->ask[g][i]);
    }
}

/* What was answered since the last look is within the bound. */
static void look(struct fixture *f, uint32_t bound)
{
    assert_in_range(f->answered_sectors, 0, bound);
    f->answered_sectors = 0;
}

/* One turn of Dom0's loop: completions, then what can be sent and copied. True: it did something.
 */
static bool turn(struct fixture *f)
{
    uint32_t completions = 0;
    while (f->due_count > 0 && f->due_ns[0] <= f->now_ns) {
        memmove(&f->due_ns[0], &f->due_ns[1], --f->due_count * sizeof(f->due_ns[0]));
        fake_disk_complete(f->fake.disk, 0, 0);
        completions++;
    }
    look(f, COPY_BOUND + completions * SPAN);
    uint32_t moved = device_dispatch(f->fake.device, f->now_ns);
    look(f, 2 * COPY_BOUND + SPAN);
    while (f->due_count < f->fake.disk->waiting_count)
        f->due_ns[f->due_count++] = f->now_ns + DISK_NS;
    return completions + moved > 0;
}

static void answer_all(struct fixture *f, uint64_t count)
{
    while (f->answered_total < count) {
        if (!turn(f)) {
            assert_true(f->due_count > 0);
            f->now_ns = f->due_ns[0];
        }
    }
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* The greedy ones ask again as soon as they are answered; the neighbour reads one after the other,
 * each time somewhere else. Returns its 99th percentile. */
static uint64_t neighbours_p99(struct fixture *f)
{
    uint64_t latency_ns[NEIGHBOUR_READS], asked_ns = 0;
    uint32_t reads = 0;
    everybody_asks(f);
    f->neighbour_ask.answered = true;
    while (reads < NEIGHBOUR_READS) {
        if (f->neighbour_ask.answered) {
            f->neighbour_ask.request.sector = 1000 + 100 * reads;
            asked_ns = f->now_ns;
            submit(&f->neighbour_ask);
        }
        if (!turn(f)) { /* to the next completion */
            assert_true(f->due_count > 0);
            f->now_ns = f->due_ns[0];
        }
        if (f->neighbour_ask.answered)
            latency_ns[reads++] = f->now_ns - asked_ns;
        for (int g = 0; g < GREEDY; g++) {
            for (int i = 0; i < GREEDY_READS; i++) {
                if (f->ask[g][i].answered)
                    submit(&f->ask[g][i]);
            }
        }
    }
    qsort(latency_ns, NEIGHBOUR_READS, sizeof(latency_ns[0]), compare);
    return latency_ns[NEIGHBOUR_READS * 99 / 100];
}

static void a_neighbour_waits_for_the_disk_alone(void **state)
{
    struct fixture *f = *state;
    uint64_t p99_ns = neighbours_p99(f);
    assert_in_range(p99_ns, DISK_NS, DISK_NS + DISK_NS / 20);
    assert_true(f->answered_total > (uint64_t)GREEDY * GREEDY_READS); /* and they do read */
}

/* All are answered in the end, in steps, from few reads: one, what found no room with it, and what
 * the cache has by then. */
static void the_cache_answers_the_rest_in_steps(void **state)
{
    struct fixture *f = *state;
    everybody_asks(f);
    answer_all(f, (uint64_t)GREEDY * GREEDY_READS);
    assert_int_equal(f->due_count, 0);
    assert_in_range(device_stats(f->fake.device)->reads, 1, DEPTH);
    assert_int_equal(f->fake.vdisk->stats.misses, GREEDY * GREEDY_READS);
}

static void clients_of_equal_weight_get_equally_much(void **state)
{
    struct fixture *f = *state;
    uint32_t least = UINT32_MAX, most = 0, answered[GREEDY] = {0};
    everybody_asks(f);
    answer_all(f, (uint64_t)GREEDY * GREEDY_READS / 2);
    for (int g = 0; g < GREEDY; g++) {
        for (int i = 0; i < GREEDY_READS; i++)
            answered[g] += f->ask[g][i].answered;
        least = answered[g] < least ? answered[g] : least;
        most = answered[g] > most ? answered[g] : most;
    }
    assert_in_range(most - least, 0, most / 4);
}

/* What finds no room with a read waits for a turn of its own. */
static void a_read_takes_so_many_and_no_more(void **state)
{
    struct fixture *f = *state;
    submit(&f->ask[0][0]);
    assert_int_equal(device_dispatch(f->fake.device, 0), 1);
    for (int i = 1; i < 40; i++)
        submit(&f->ask[1][i]);
    assert_int_equal(f->fake.vdisk->stats.shared, 2048 / SPAN);
    assert_int_equal(device_dispatch(f->fake.device, 0), 1); /* another read, and the rest join */
    assert_int_equal(f->fake.vdisk->stats.shared, 38);
}

/* The image changed after the read had ended and before all had their copies. Small requests use up
 * what may be copied at once; a large one would bring the cache what they did not. */
static void what_is_copied_late_is_not_kept_when_the_image_has_changed(void **state)
{
    enum { SMALL = 8, SMALLS = 100 };
    struct fixture *f = *state;
    struct block_segment small = {.address = f->data, .sector_count = SMALL};
    submit(&f->ask[0][0]);
    assert_int_equal(device_dispatch(f->fake.device, 0), 1);
    for (int i = 1; i <= SMALLS; i++) {
        f->ask[0][i].request.segments = &small;
        f->ask[0][i].request.sector_count = SMALL;
        submit(&f->ask[0][i]);
    }
    submit(&f->ask[1][0]);
    block_cancel(&f->ask[0][0].request);
    fake_disk_complete(f->fake.disk, 0, 0);
    assert_int_equal(cache_used(f->fake.vdisk->cache), SMALL);
    vdisk_image_changed(f->fake.vdisk);
    while (!f->ask[1][0].answered)
        assert_int_not_equal(device_dispatch(f->fake.device, 0), 0);
    assert_int_equal(cache_used(f->fake.vdisk->cache), 0);
}

/* More often than there are buffers. */
static void a_read_that_is_being_copied_ends_with_its_last_joiner(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 2 * DEPTH; round++) {
        submit(&f->ask[0][0]);
        assert_int_equal(device_dispatch(f->fake.device, 0), 1);
        for (int i = 1; i < 20; i++)
            submit(&f->ask[0][i]);
        fake_disk_complete(f->fake.disk, 0, 0);
        assert_int_equal(f->greedy[0].entity.in_flight, 0);
        assert_int_not_equal(f->greedy[0].entity.joined, 0);
        for (int i = 0; i < 20; i++)
            block_cancel(&f->ask[0][i].request);
    }
    assert_int_equal(device_dispatch(f->fake.device, 0), 0);
}

/* As many reads at once as the device takes, each with joiners: what finds no buffer to wait in has
 * a turn of its own, and its place in its client's order. */
static void many_reads_that_end_at_once_answer_all(void **state)
{
    enum { EACH = 10 };
    struct fixture *f = *state;
    for (int span = 0; span < DEPTH; span++) {
        for (int i = 0; i < EACH; i++) {
            struct ask *a = &f->ask[span % GREEDY][span / GREEDY * EACH + i];
            a->request.sector = 1000 * (uint64_t)span;
            submit(a);
            if (i == 0)
                (void)device_dispatch(f->fake.device, 0);
        }
    }
    /* One more, which has to wait for its turn, of a client with joiners of the last span. */
    const struct block_client *client = &f->greedy[(DEPTH - 1) % GREEDY];
    struct ask *late = &f->ask[(DEPTH - 1) % GREEDY][GREEDY_READS - 1];
    late->request.sector = 900;
    submit(late);
    fake_disk_complete_all(f->fake.disk, 0);
    f->answered_sectors = 0;
    assert_ptr_not_equal(list_first(&client->queue), &late->request.link);
    assert_ptr_equal(list_last(&client->queue), &late->request.link);
    answer_all(f, DEPTH * EACH + 1);
    assert_in_range(device_stats(f->fake.device)->reads, DEPTH + 1, 4 * DEPTH);
    for (int g = 0; g < GREEDY; g++)
        assert_int_equal(f->greedy[g].entity.joined, 0);
}

static void an_error_is_told_to_all_at_once(void **state)
{
    struct fixture *f = *state;
    f->expected_status = -5;
    submit(&f->ask[0][0]);
    assert_int_equal(device_dispatch(f->fake.device, 0), 1);
    for (int i = 1; i < 20; i++)
        submit(&f->ask[0][i]);
    fake_disk_complete(f->fake.disk, 0, -5);
    assert_int_equal(f->answered_total, 20);
    f->answered_sectors = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_neighbour_waits_for_the_disk_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(the_cache_answers_the_rest_in_steps, setup_cached,
                                        teardown),
        cmocka_unit_test_setup_teardown(clients_of_equal_weight_get_equally_much, setup_cached,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_read_takes_so_many_and_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_copied_late_is_not_kept_when_the_image_has_changed,
                                        setup_cached, teardown),
        cmocka_unit_test_setup_teardown(a_read_that_is_being_copied_ends_with_its_last_joiner,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(many_reads_that_end_at_once_answer_all, setup, teardown),
        cmocka_unit_test_setup_teardown(an_error_is_told_to_all_at_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
