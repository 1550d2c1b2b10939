/* SPDX-License-Identifier: MIT */
/*
 * Dom0 on a machine that has run out of something. Its start: a reason, and nothing left. Then the
 * whole life of a guest (a domain, its disk, its clock, reads, the store's socket, the status),
 * with a neighbour that reads all the while: the guest may be refused, but nothing is left of it,
 * the next one is served, and the neighbour notices nothing.
 */
#include <time.h>

#include "fault.h"
#include "guests.h"
#include "xenstore/server/xs_local.h"

/* ---- Dom0 ---------------------------------------------------------------------------------------
 */

static void sleep_a_while(void)
{
    (void)worker_sleep(&f->dom0->worker);
}

/* Each looks again before it sleeps: what it waits for may have come with the turn. */
static void serve_until_ended(const struct guest *guest)
{
    while (!guest->ended) {
        if (worker_turn(&f->dom0->worker) > 0 && !guest->ended)
            sleep_a_while();
    }
}

static void serve_until_domains_are(uint32_t count)
{
    while (f->dom0->domain_count != count) {
        if (worker_turn(&f->dom0->worker) > 0 && f->dom0->domain_count != count)
            sleep_a_while();
    }
}

static void serve_until_reads(void)
{
    while (worker_stats(&f->dom0->worker).requests == 0) {
        if (worker_turn(&f->dom0->worker) > 0 && worker_stats(&f->dom0->worker).requests == 0)
            sleep_a_while();
    }
}

/* Calls that fail while Dom0 starts with this engine. */
static uint64_t walk_start(enum dom0_engine engine, enum fault_plan plan)
{
    const uint32_t descriptors = fault_open_descriptors();
    const int64_t blocks = fault_live_blocks();
    const char *where;
    struct why why;
    uint64_t n = 0;
    f->place.options.engine = engine;
    do {
        fault_arm(++n, plan);
        why.text[0] = '\0';
        int rc =
            dom0_setup(&f->place.options, &f->place.rundir, f->place.log, NULL, &f->dom0, &why);
        where = fault_disarm();
        if ((rc < 0) != (f->dom0 == NULL) || (rc < 0 && why.text[0] == '\0'))
            fail_msg("call %d, %s: %d, '%s'", (int)n, where, rc, why.text);
        if (where == NULL)
            assert_int_equal(rc, 0);
        dom0_teardown(f->dom0);
        f->dom0 = NULL;
        if (fault_live_blocks() != blocks || fault_open_descriptors() != descriptors)
            fail_msg("call %d, %s: left: %d blocks, %d descriptors", (int)n, where,
                     (int)(fault_live_blocks() - blocks),
                     (int)(fault_open_descriptors() - descriptors));
        if (access(f->place.rundir.control_socket, F_OK) == 0 ||
            access(f->place.rundir.store_socket, F_OK) == 0)
            fail_msg("call %d, %s: a socket is left", (int)n, where);
    } while (where != NULL);
    return n - 1;
}

static void a_start_that_fails_leaves_nothing(void **state)
{
    (void)state;
    const enum dom0_engine engines[] = {DOM0_ENGINE_MODEL, DOM0_ENGINE_NULL, DOM0_ENGINE_THREADS,
                                        DOM0_ENGINE_AUTO};
    for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
        uint64_t once = walk_start(engines[i], FAULT_ONCE);
        uint64_t burst = walk_start(engines[i], FAULT_BURST);
        print_message("%s: %d calls failed once, %d in bursts\n", dom0_engine_name(engines[i]),
                      (int)once, (int)burst);
        assert_true(once > 40 && burst > 40);
    }
}

static void start(void)
{
    struct why why;
    if (dom0_setup(&f->place.options, &f->place.rundir, f->place.log, NULL, &f->dom0, &why) < 0)
        fail_msg("%s", why.text);
}

static int serve_guest(uint64_t n, enum fault_plan plan, const char **where)
{
    struct guest guest;
    const uint32_t domains = f->dom0->domain_count;
    guest_make(&guest, live);
    fault_arm(n, plan);
    guest_go(&guest);
    serve_until_ended(&guest);
    serve_until_domains_are(domains);
    *where = fault_disarm();
    return guest_bury(&guest);
}

/* Dom0 gives back what it no longer needs when it gets to it. */
static bool settles(int64_t blocks, uint32_t descriptors, uint32_t segments)
{
    const time_t begin_s = time(NULL);
    for (int i = 0; i % 100 != 0 || time(NULL) - begin_s <= SETTLE_S; i++) {
        (void)worker_turn(&f->dom0->worker);
        if (i % 100 == 0 && fault_live_blocks() == blocks &&
            fault_open_descriptors() == descriptors && fault_mapped_segments() == segments)
            return true;
    }
    return false;
}

static void neighbour_comes(void)
{
    guest_make(&f->neighbour, live_next_door);
    guest_go(&f->neighbour);
    serve_until_domains_are(1);
    serve_until_reads();
}

static void neighbour_leaves(void)
{
    kill(f->neighbour.pid, SIGKILL);
    serve_until_ended(&f->neighbour);
    assert_int_equal(guest_bury(&f->neighbour), 128 + SIGKILL);
    serve_until_domains_are(0);
    while (vdisks_in_flight(&f->dom0->vdisks) > 0) { /* its reads end in Dom0's own buffers */
        if (worker_turn(&f->dom0->worker) > 0)
            sleep_a_while();
    }
}

static void walk_life(enum fault_plan plan, uint64_t n, uint64_t step)
{
    const char *where;
    start();
    /* Made with the first error of a back end, and kept. */
    assert_int_equal(xs_local_write(f->dom0->store, "/local/domain/0/error/backend/vbd", ""), 0);
    neighbour_comes();
    for (int i = 0; i < 2; i++) /* everything has been used once */
        assert_int_equal(serve_guest(1, FAULT_NONE, &where), ALL_WELL);
    (void)settles(-1, 0, 0); /* all that can be given back is */
    const int64_t blocks = fault_live_blocks();
    const uint32_t descriptors = fault_open_descriptors(), segments = fault_mapped_segments();
    for (;; n += step) {
        int said = serve_guest(n, plan, &where);
        if (said != ALL_WELL && said != REFUSED)
            fail_msg("call %d, %s: the guest ends with %d", (int)n, where, said);
        if (f->neighbour.ended)
            fail_msg("call %d, %s: the neighbour ends with %d", (int)n, where,
                     guest_bury(&f->neighbour));
        if (!settles(blocks, descriptors, segments))
            fail_msg("call %d, %s: left: %d blocks, %d descriptors, %d segments", (int)n, where,
                     (int)(fault_live_blocks() - blocks),
                     (int)(fault_open_descriptors() - descriptors),
                     (int)(fault_mapped_segments() - segments));
        const char *none;
        if (serve_guest(1, FAULT_NONE, &none) != ALL_WELL)
            fail_msg("call %d, %s: the next guest is not served", (int)n, where);
        if (where == NULL)
            break;
    }
    print_message("%d calls failed\n", (int)n - 1);
    assert_true(n > 50);
    neighbour_leaves();
}

static bool is_long(void)
{
    const char *set = getenv("TEST_LONG");
    return set != NULL && set[0] != '\0';
}

static void a_call_that_fails_once_is_the_guests_affair_alone(void **state)
{
    (void)state;
    /* The short run takes each third call, beginning anywhere: three runs in the mean see all. */
    uint64_t step = is_long() ? 1 : 3;
    walk_life(FAULT_ONCE, 1 + (uint64_t)getpid() % step, step);
}

static void a_burst_of_failures_is_the_guests_affair_alone(void **state)
{
    (void)state;
    walk_life(FAULT_BURST, 1,
              is_long() ? 1 : FAULT_BURST_CALLS / 2); /* each call is in two bursts */
}

static void no_call_minds_being_interrupted(void **state)
{
    (void)state;
    const char *where;
    start();
    for (uint64_t n = 2; n < 12; n++) {
        int said = serve_guest(n, FAULT_EINTR, &where);
        if (said != ALL_WELL || where == NULL)
            fail_msg("each %dth, first %s: the guest ends with %d", (int)n, where, said);
    }
}

/* Runs the tests whose names match the argument. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_start_that_fails_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_that_fails_once_is_the_guests_affair_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_burst_of_failures_is_the_guests_affair_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(no_call_minds_being_interrupted, setup, teardown),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
