/* SPDX-License-Identifier: MIT */
/* dom0_wakeups: what Dom0 does because of its own nodes. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fakes/fake_machine.h"
#include "xenstore/server/xs_local.h"

static struct fake_machine machine;

static int setup(void **state)
{
    (void)state;
    return fake_machine_create(&machine);
}

static int teardown(void **state)
{
    (void)state;
    return fake_machine_destroy(&machine);
}

static int log_lines(void)
{
    FILE *file = fopen(machine.rundir.log, "r");
    int lines = 0, c;
    assert_non_null(file);
    while ((c = fgetc(file)) != EOF)
        lines += c == '\n';
    fclose(file);
    return lines;
}

static void ask_for_a_resize(void)
{
    assert_int_equal(
        xs_local_write(machine.dom0->store, "/local/domain/0/splitdom/image/refresh", "1"), 0);
    (void)worker_turn(&machine.dom0->worker);
}

static void a_resize_asked_for_in_a_loop_does_not_fill_the_log(void **state)
{
    (void)state;
    assert_int_equal(fake_machine_boot(&machine), 0);
    int before = log_lines();
    assert_int_equal(truncate(machine.image, 1000), 0); /* no size for a disk */
    for (int i = 0; i < 500; i++)
        ask_for_a_resize();
    for (int i = 0; i < 500; i++) {
        assert_int_equal(truncate(machine.image, (i + 1) * 4096), 0);
        ask_for_a_resize();
    }
    assert_int_equal(machine.dom0->disks[0].item->vdisk->image.size_bytes, 500 * 4096);
    assert_in_range(log_lines() - before, 1, LOG_LIMIT_LINES);
}

static const char *answer(void)
{
    static char value[1024];
    assert_true(xs_local_read(machine.dom0->store, "/local/domain/0/splitdom/image/refresh", value,
                              sizeof(value)) > 0);
    return value;
}

static void what_a_resize_found_stands_in_its_node(void **state)
{
    (void)state;
    assert_int_equal(fake_machine_boot(&machine), 0);
    ask_for_a_resize();
    assert_string_equal(answer(), "0");
    assert_int_equal(truncate(machine.image, 1000), 0);
    ask_for_a_resize();
    assert_non_null(strstr(answer(), machine.image));
    assert_non_null(strstr(answer(), "1000 bytes"));
    assert_int_equal(truncate(machine.image, 8192), 0);
    ask_for_a_resize();
    assert_string_equal(answer(), "0");
    assert_int_equal(machine.dom0->disks[0].item->vdisk->capabilities.sector_count, 16);
}

/* A signal that the caller has us ignore, as nohup does, ends nothing. */
static void a_signal_ends_it_unless_it_is_ignored(void **state)
{
    (void)state;
    static const struct {
        int number;
        const char *name;
    } ending[] = {{SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"}, {SIGQUIT, "SIGQUIT"}};
    enum { ENDING = sizeof(ending) / sizeof(ending[0]) };
    struct dom0 *d = NULL;
    struct sigaction before, others[ENDING];
    sigset_t mask, blocked;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    assert_int_equal(sigaction(SIGHUP, &(struct sigaction){.sa_handler = SIG_IGN}, &before), 0);
    for (size_t i = 0; i < ENDING; i++) /* a shell's background has some of them ignored */
        sigaction(ending[i].number, &(struct sigaction){.sa_handler = SIG_DFL}, &others[i]);
    assert_int_equal(fake_machine_boot(&machine), 0);
    d = machine.dom0;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    assert_false(sigismember(&blocked, SIGHUP));
    raise(SIGHUP);
    (void)worker_turn(&d->worker);
    assert_false(d->stopping);
    for (size_t i = 0; i < ENDING; i++) {
        d->stopping = false;
        raise(ending[i].number); /* it is blocked, and read from a descriptor */
        for (int turn = 0; turn < 8; turn++)
            (void)worker_turn(&d->worker);
        assert_true(d->stopping);
        assert_string_equal(d->stop_reason, ending[i].name);
    }
    sigaction(SIGHUP, &before, NULL);
    for (size_t i = 0; i < ENDING; i++)
        sigaction(ending[i].number, &others[i], NULL);
    sigprocmask(SIG_SETMASK, &mask, NULL);
}

#define SECOND_NS UINT64_C(1000000000)

/* Dom0 looks at the time when so much more has passed. */
static bool stops_after(uint64_t ns)
{
    tdf_source_advance_ns(&machine.time, ns);
    worker_time_passed(&machine.dom0->worker);
    (void)worker_turn(&machine.dom0->worker);
    return machine.dom0->stopping;
}

static void no_request_for_so_long_ends_it(void **state)
{
    (void)state;
    machine.options.idle_timeout_ns = 10 * SECOND_NS;
    assert_int_equal(fake_machine_boot(&machine), 0);
    assert_false(stops_after(10 * SECOND_NS - 1));
    assert_true(stops_after(1));
    assert_string_equal(machine.dom0->stop_reason,
                        "idle: no request for as long as --idle-timeout says");
}

static void a_request_begins_that_time_anew(void **state)
{
    (void)state;
    machine.options.idle_timeout_ns = 10 * SECOND_NS;
    assert_int_equal(fake_machine_boot(&machine), 0);
    assert_false(stops_after(4 * SECOND_NS));
    machine.dom0->worker.last_request_ns = tdf_clock_now_ns(&machine.dom0->worker.clock);
    assert_false(stops_after(6 * SECOND_NS)); /* as long as it was at first */
    assert_false(stops_after(4 * SECOND_NS - 1));
    assert_true(stops_after(1));
}

/* Domains read the shared cache without a word, and say so now and then. */
static void reads_that_domains_tell_of_begin_that_time_anew(void **state)
{
    (void)state;
    machine.options.idle_timeout_ns = 10 * SECOND_NS;
    assert_int_equal(fake_machine_boot(&machine), 0);
    machine.dom0->vdisks.departed_claims = 7;
    assert_false(stops_after(10 * SECOND_NS));
    assert_int_equal(machine.dom0->claimed_reads, 7);
    assert_false(stops_after(10 * SECOND_NS - 1));
    assert_true(stops_after(1)); /* there were no more */
}

static void without_a_limit_it_waits_for_ever(void **state)
{
    (void)state;
    machine.options.idle_timeout_ns = 0;
    assert_int_equal(fake_machine_boot(&machine), 0);
    assert_false(stops_after(1000000 * SECOND_NS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* The first one: Dom0 leaves its signals blocked. */
        cmocka_unit_test_setup_teardown(a_signal_ends_it_unless_it_is_ignored, setup, teardown),
        cmocka_unit_test_setup_teardown(no_request_for_so_long_ends_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_begins_that_time_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_that_domains_tell_of_begin_that_time_anew, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(without_a_limit_it_waits_for_ever, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_resize_found_stands_in_its_node, setup, teardown),
        cmocka_unit_test_setup_teardown(a_resize_asked_for_in_a_loop_does_not_fill_the_log, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
