/* SPDX-License-Identifier: MIT */
/* workload: a run that cannot begin, and one that is stopped, on a stand-in for blkfront. */
#include "fakes/blkfront_fake.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/workload.h"
#include "faults/fault_walk.h"
#include "unit/client/workload_fixture.h"

/* Starts a run of some threads, that writes and verifies, and ends it. */
static int start_and_end(void *arg)
{
    struct fixture *f = arg;
    struct pattern_spec pattern;
    struct workload_result result;
    struct workload *workload;

    assert_int_equal(pattern_parse("uniform", &pattern), 0);
    const struct workload_plan plan = {.bf = f->bf,
                                       .thread_count = 3,
                                       .request_count = 3,
                                       .sectors_per_request = 2,
                                       .pattern = &pattern,
                                       .last_sector = f->bf->last_sector,
                                       .write_percent = 50,
                                       .verify = true,
                                       .tdf_num = 1,
                                       .tdf_den = 1};
    int rc = workload_start(&plan, &workload);
    assert_true((rc < 0) == (workload == NULL));
    if (rc < 0)
        return rc;
    workload_join(workload, &result);
    rc = result.verify_error < 0 ? result.verify_error : result.device_error;
    workload_free(workload);
    return rc;
}

static void without_memory_or_threads_there_is_no_run(void **state)
{
    const struct blkfront_options options = {.size = sizeof(struct blkfront_options), .depth = 1};
    struct fixture *f = *state;
    struct blkfront_error why;

    assert_int_equal(blkfront_connect(&options, &f->bf, &why), 0);
    assert_true(fault_walk_may_do_without(start_and_end, f) > 10);
    blkfront_close(f->bf);
}

/* Without a limit of requests or of time. */
static void a_run_ends_when_it_is_stopped(void **state)
{
    const struct blkfront_options options = {.size = sizeof(struct blkfront_options), .depth = 1};
    struct fixture *f = *state;
    struct pattern_spec pattern;
    struct blkfront_error why;
    struct workload_result result;
    struct workload *workload;

    assert_int_equal(pattern_parse("uniform", &pattern), 0);
    assert_int_equal(blkfront_connect(&options, &f->bf, &why), 0);
    const struct workload_plan plan = {.bf = f->bf,
                                       .thread_count = 2,
                                       .request_count = INT64_MAX,
                                       .sectors_per_request = 1,
                                       .pattern = &pattern,
                                       .last_sector = f->bf->last_sector,
                                       .tdf_num = 1,
                                       .tdf_den = 1};
    assert_int_equal(workload_start(&plan, &workload), 0);
    workload_stop(workload);
    workload_join(workload, &result);
    assert_int_equal(result.device_error, 0);
    workload_free(workload);
    blkfront_close(f->bf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_memory_or_threads_there_is_no_run, setup, teardown),
        cmocka_unit_test_setup_teardown(a_run_ends_when_it_is_stopped, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
