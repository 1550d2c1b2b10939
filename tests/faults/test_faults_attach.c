/* SPDX-License-Identifier: MIT */
/*
 * A disk that is attached and detached while Dom0 has run out of something: refused with a reason,
 * and nothing is left; what was attached goes in any case, and the next one comes.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/why.h"
#include "fault.h"
#include "faults_dom0.h"
#include "service/dom0/dom0_private.h"
#include "service/dom0/dom0_setup.h"
#include "service/dom0/domain_devices.h"

enum { PAGES = 64, XVDB = 51728, TURNS = 4 };

static struct faults_place place;
static struct dom0 *dom0;
static struct domain *domain;
static struct why why;
static char spec[PATH_MAX + 64], other[PATH_MAX];

static int setup(void **state)
{
    (void)state;
    char name[] = "build/faults_attach.XXXXXX";
    if (faults_place_make(&place) < 0)
        return -1;
    int fd = mkstemp(name);
    if (fd < 0 || ftruncate(fd, 1 << 20) < 0 || close(fd) < 0 || realpath(name, other) == NULL)
        return -1;
    snprintf(spec, sizeof(spec), "vdev=xvdb,target=%s", other);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dom0_teardown(dom0);
    dom0 = NULL;
    unlink(other);
    return faults_place_remove(&place);
}

static void start(enum dom0_engine engine)
{
    const struct control_request request = {.op = CONTROL_CREATE_DOMAIN, .arg0 = PAGES};
    int segment_fd;
    place.options.engine = engine;
    if (dom0_setup(&place.options, &place.rundir, place.log, NULL, &dom0, &why) < 0 ||
        dom0_control_ops.create_domain(dom0, &request, 1, &domain, &segment_fd, &why) < 0)
        fail_msg("%s", why.text);
    /* Caches are freed at once: what the unmapper has yet to free could not be told from what is
     * left. */
    dom0->vdisks.vdisk_config.let_go_ctx = NULL;
}

static void stop(void)
{
    dom0_control_ops.end_domain(dom0, domain);
    dom0_teardown(dom0);
    dom0 = NULL;
}

static int attach(void)
{
    why.text[0] = '\0';
    return dom0_control_ops.attach_disk(dom0, domain->domid, spec, NULL, &why);
}

/* By force: nobody waits. */
static int detach(void)
{
    return dom0_control_ops.detach_disk(dom0, domain->domid, "xvdb", true, NULL, &why);
}

static void settle(void)
{
    for (int i = 0; i < TURNS; i++)
        (void)worker_turn(&dom0->worker);
}

static void come_and_go(void)
{
    assert_int_equal(attach(), 0);
    assert_int_equal(detach(), 0);
    settle();
}

/* Returns how many calls failed. */
static uint64_t walk(bool when_it_goes)
{
    const char *where;
    uint64_t n = 0;
    for (int i = 0; i < 2; i++) /* everything has been used once */
        come_and_go();
    const uint32_t descriptors = fault_open_descriptors();
    const int64_t blocks = fault_live_blocks();
    do {
        if (when_it_goes)
            assert_int_equal(attach(), 0);
        fault_arm(++n, FAULT_ONCE);
        int rc = when_it_goes ? detach() : attach();
        where = fault_disarm();
        if (rc < 0 && (when_it_goes || why.text[0] == '\0'))
            fail_msg("call %d, %s: %d, '%s'", (int)n, where, rc, why.text);
        if (rc == 0 && !when_it_goes)
            assert_int_equal(detach(), 0);
        settle();
        assert_null(domain_find_device(domain, &vbd_class, XVDB));
        if (when_it_goes)
            come_and_go(); /* its nodes may have stayed: those of the next one take their place */
        if (fault_open_descriptors() != descriptors || fault_live_blocks() != blocks)
            fail_msg("call %d, %s: left: %d blocks, %d descriptors", (int)n, where,
                     (int)(fault_live_blocks() - blocks),
                     (int)(fault_open_descriptors() - descriptors));
    } while (where != NULL);
    return n - 1;
}

static void walk_engines(bool when_it_goes, uint64_t least)
{
    const enum dom0_engine engines[] = {DOM0_ENGINE_NULL, DOM0_ENGINE_AUTO};
    for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
        start(engines[i]);
        uint64_t failed = walk(when_it_goes);
        print_message("%s: %d calls failed\n", dom0_engine_name(engines[i]), (int)failed);
        assert_true(failed >= least);
        stop();
    }
}

static void a_disk_that_cannot_come_leaves_nothing(void **state)
{
    (void)state;
    walk_engines(false, 20);
}

static void a_disk_goes_whatever_fails(void **state)
{
    (void)state;
    walk_engines(true, 1);
}

/* Runs the tests whose names match the argument. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_disk_that_cannot_come_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_disk_goes_whatever_fails, setup, teardown),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
