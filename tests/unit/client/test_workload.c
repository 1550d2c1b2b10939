/* SPDX-License-Identifier: MIT */
/* The workload's threads in both modes, on a stand-in for blkfront. */
#include "fakes/blkfront_fake.c"

#include <math.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/workload.h"
#include "fakes/valgrind.h"
#include "unit/client/workload_fixture.h"

/* Runs to the end, like the client does. */
static void run_plan(struct fixture *f, struct workload_plan plan, struct workload_result *result)
{
    const struct blkfront_options options = {.size = sizeof(struct blkfront_options), .depth = 1};
    struct pattern_spec pattern;
    struct blkfront_error why;
    struct workload *workload;

    assert_int_equal(pattern_parse("uniform", &pattern), 0);
    assert_int_equal(blkfront_connect(&options, &f->bf, &why), 0);
    plan.bf = f->bf;
    plan.sectors_per_request = 2;
    plan.pattern = &pattern;
    plan.seed = 1;
    plan.last_sector = f->bf->last_sector;
    plan.tdf_num = plan.tdf_den = 1;
    assert_int_equal(workload_start(&plan, &workload), 0);
    struct pollfd done = {.fd = workload_done_fd(workload), .events = POLLIN};
    assert_int_equal(poll(&done, 1, -1), 1);
    workload_join(workload, result);
    blkfront_close(f->bf);
    workload_free(workload);
}

static void run_for(struct fixture *f, uint32_t threads, uint64_t requests, uint64_t duration_ns,
                    uint32_t depth, struct latency_dump *dump, struct workload_result *result)
{
    run_plan(f,
             (struct workload_plan){.dump = dump,
                                    .thread_count = threads,
                                    .request_count = requests,
                                    .duration_ns = duration_ns,
                                    .depth = depth},
             result);
}

static void run(struct fixture *f, uint32_t threads, uint64_t requests, uint32_t depth,
                struct latency_dump *dump, struct workload_result *result)
{
    run_for(f, threads, requests, 0, depth, dump, result);
}

static void shares_differ_by_one_at_most(void **state)
{
    (void)state;
    assert_int_equal(workload_share(10, 4, 0), 3);
    assert_int_equal(workload_share(10, 4, 1), 3);
    assert_int_equal(workload_share(10, 4, 2), 2);
    assert_int_equal(workload_share(10, 4, 3), 2);
    assert_int_equal(workload_share(2, 4, 1), 1);
    assert_int_equal(workload_share(2, 4, 2), 0);
    assert_int_equal(workload_share(1, 1, 0), 1);
}

static void every_request_is_done_once(void **state)
{
    static const struct {
        uint32_t threads;
        uint64_t requests;
        uint32_t depth;
    } cases[] = {{1, 1, 0}, {3, 1000, 0}, {64, 7, 0}, {8, 8, 0},
                 {1, 1, 1}, {1, 1000, 7}, {1, 5, 64}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct workload_result result;
        run(*state, cases[i].threads, cases[i].requests, cases[i].depth, NULL, &result);
        assert_int_equal(result.answered_count, cases[i].requests);
        assert_int_equal(result.latency.count, cases[i].requests);
        assert_int_equal(result.failed_count, 0);
        assert_int_equal(result.device_error, 0);
        assert_true(result.running_ns > 0 && result.running_ns <= result.real_ns);
    }
}

static void failed_reads_are_counted_and_the_run_goes_on(void **state)
{
    setenv("FAKE_EIO_EVERY", "10", 1);
    for (uint32_t depth = 0; depth <= 5; depth += 5) {
        struct workload_result result;
        run(*state, 1, 1000, depth, NULL, &result);
        assert_int_equal(result.answered_count, 1000);
        assert_int_equal(result.failed_count, 100);
        assert_int_equal(result.latency.count, 900);
    }
}

/* The stand-in's clock is the real one: the run lasts as long as asked for, and every thread ends
 * after the first answer that comes too late. */
static void a_duration_ends_the_run(void **state)
{
    const uint64_t duration_ns = 20 * 1000 * 1000;

    if (under_valgrind())
        skip(); /* too slow for it */
    for (uint32_t depth = 0; depth <= 5; depth += 5) {
        struct workload_result result;
        int tries = 10; /* a busy machine may let no thread run for as long as that */
        do {
            run_for(*state, depth > 0 ? 1 : 3, INT64_MAX, duration_ns, depth, NULL, &result);
            assert_true(result.running_ns >= duration_ns);
        } while (result.latency.count <= 3 && --tries > 0);
        assert_true(result.latency.count > 3);
        assert_int_equal(result.answered_count, result.latency.count);
        assert_int_equal(result.device_error, 0);
    }
}

/* With an instant behind them already when the first answer comes, one answer is all there is. */
static void a_thread_ends_after_the_read_in_which_the_time_ran_out(void **state)
{
    struct workload_result result;

    run_for(*state, 3, INT64_MAX, 1, 0, NULL, &result);
    assert_int_equal(result.answered_count, 3);
    run_for(*state, 1, INT64_MAX, 1, 5, NULL, &result);
    assert_int_equal(result.answered_count, 5); /* what was in flight comes home */
}

static void requests_end_a_run_before_its_duration(void **state)
{
    struct workload_result result;

    run_for(*state, 3, 100, UINT64_MAX, 0, NULL, &result);
    assert_int_equal(result.answered_count, 100);
}

static void a_lost_device_stops_all_threads(void **state)
{
    setenv("FAKE_DIE_AFTER", "498", 1);
    for (uint32_t depth = 0; depth <= 5; depth += 5) {
        struct workload_result result;
        run(*state, depth > 0 ? 1 : 4, 1000000, depth, NULL, &result);
        assert_int_equal(result.device_error, -ENOTCONN);
        assert_in_range(result.answered_count, 493, 498);
        assert_int_equal(result.failed_count, 0); /* they were lost, not answered with an error */
    }
}

static void the_dump_has_a_line_for_every_request(void **state)
{
    struct fixture *f = *state;
    struct latency_dump dump;
    struct workload_result result;
    uint64_t lines = 0, sum = 0;
    char path[128], line[64];
    FILE *file;

    snprintf(path, sizeof(path), "%s/dump", f->directory);
    assert_int_equal(latency_dump_open(&dump, path), 0);
    run(f, 3, LATENCY_DUMP_BATCH * 4 + 1, 0, &dump, &result);
    assert_int_equal(latency_dump_close(&dump), 0);
    file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        sum += strtoull(line, NULL, 10);
        lines++;
    }
    fclose(file);
    unlink(path);
    assert_int_equal(lines, LATENCY_DUMP_BATCH * 4 + 1);
    assert_true(fabs(lat_stats_mean(&result.latency) - (double)sum / (double)lines) < 0.001);
}

static void a_dump_that_cannot_be_written_ends_the_run(void **state)
{
    struct latency_dump dump;
    struct workload_result result;

    assert_int_equal(latency_dump_open(&dump, "/dev/full"), 0);
    run(*state, 1, 100000, 0, &dump, &result);
    assert_int_equal(result.record_error, -ENOSPC);
    assert_int_equal(result.answered_count, LATENCY_DUMP_BATCH);
    assert_int_equal(latency_dump_close(&dump), -ENOSPC);
}

/* ---- writing ---- */

/* In both modes, with a disk that does what it says. */
static void what_is_written_is_verified(void **state)
{
    static struct workload_result result;
    for (uint32_t depth = 0; depth <= 8; depth += 8) {
        run_plan(*state,
                 (struct workload_plan){.thread_count = depth > 0 ? 1 : 4,
                                        .request_count = 2000,
                                        .depth = depth,
                                        .write_percent = 40,
                                        .flush_every = 10,
                                        .verify = true},
                 &result);
        assert_int_equal(result.answered_count, 2000);
        assert_int_equal(result.failed_count, 0);
        assert_int_equal(result.verify_error, 0);
        assert_in_range(result.counts.write.count, 700, 900);
        assert_int_equal(result.counts.read.count + result.counts.write.count, 2000);
        assert_int_equal(result.latency.count, 2000);
        assert_in_range(result.counts.flush.count, result.counts.write.count / 10 - 4,
                        result.counts.write.count / 10);
        assert_in_range(result.verified_count, 500, IMAGE_SECTORS);
    }
}

/* A disk that answers a write and does not do it. The last pass finds those that no read has. */
static void a_write_that_is_lost_is_found(void **state)
{
    static struct workload_result result;
    setenv("FAKE_LOSE_EVERY", "50", 1);
    for (uint32_t depth = 0; depth <= 8; depth += 8) {
        for (uint32_t percent = 50; percent <= 100; percent += 50) {
            run_plan(*state,
                     (struct workload_plan){.thread_count = 1,
                                            .request_count = 100000,
                                            .depth = depth,
                                            .write_percent = percent,
                                            .verify = true},
                     &result);
            assert_int_equal(result.verify_error, -EILSEQ);
            assert_true(strlen(result.mismatch.text) > 0);
            if (percent < 100) { /* by a read: there is no last pass */
                assert_true(result.answered_count < 100000);
                assert_int_equal(result.verified_count, 0);
            } else {
                assert_int_equal(result.answered_count, 100000);
            }
        }
    }
}

static void a_read_only_disk_fails_writes(void **state)
{
    static struct workload_result result;
    setenv("FAKE_READ_ONLY", "", 1);
    run_plan(*state,
             (struct workload_plan){
                 .thread_count = 1, .request_count = 10, .write_percent = 100, .verify = true},
             &result);
    assert_int_equal(result.failed_count, 10);
    assert_int_equal(result.verify_error, 0);
}

/* ---- an open loop ---- */

static void a_rate_is_kept_where_answers_are_fast(void **state)
{
    static struct workload_result result;
    for (uint32_t depth = 0; depth <= 8; depth += 8) {
        run_plan(*state,
                 (struct workload_plan){.thread_count = depth > 0 ? 1 : 3,
                                        .request_count = 60,
                                        .depth = depth,
                                        .rate = 1000},
                 &result);
        assert_int_equal(result.answered_count, 60);
        assert_true(result.real_ns >= 59 * UINT64_C(1000000));
    }
}

/* A request each ms, an answer each 3 ms: the last of 20 is 40 ms late. In a closed loop no latency
 * would be more than the answer takes. */
static void latencies_count_from_when_requests_are_due(void **state)
{
    static struct workload_result result;
    setenv("FAKE_DELAY_NS", "3000000", 1);
    for (uint32_t depth = 0; depth <= 1; depth++) {
        run_plan(*state,
                 (struct workload_plan){
                     .thread_count = 1, .request_count = 20, .depth = depth, .rate = 1000},
                 &result);
        assert_true(lat_stats_max(&result.latency) >= 40 * UINT64_C(1000000));
        assert_true(lat_stats_min(&result.latency) >= 3 * UINT64_C(1000000));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_differ_by_one_at_most),
        cmocka_unit_test_setup_teardown(every_request_is_done_once, setup, teardown),
        cmocka_unit_test_setup_teardown(failed_reads_are_counted_and_the_run_goes_on, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_duration_ends_the_run, setup, teardown),
        cmocka_unit_test_setup_teardown(a_thread_ends_after_the_read_in_which_the_time_ran_out,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(requests_end_a_run_before_its_duration, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_device_stops_all_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(the_dump_has_a_line_for_every_request, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dump_that_cannot_be_written_ends_the_run, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_written_is_verified, setup, teardown),
        cmocka_unit_test_setup_teardown(a_write_that_is_lost_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_read_only_disk_fails_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_rate_is_kept_where_answers_are_fast, setup, teardown),
        cmocka_unit_test_setup_teardown(latencies_count_from_when_requests_are_due, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
