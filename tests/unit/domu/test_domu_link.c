/* SPDX-License-Identifier: MIT */
/* domu_link: what a domain is told by its own nodes, and how it ends. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "faults/fault.h"
#include "unit/domu/domu_fixture.h"
#include "xenstore/server/xs_local.h"

/* Nodes of the domain's home that Dom0 writes when a sector is read: the sector says which. */
static const struct {
    const char *node, *value;
} told[] = {
    {"control/shutdown", "poweroff"}, {"splitdom/tdf-in-force", "5/2"}, {"cpu-share", "1/4"}};

static struct xs_server *store; /* of Dom0's thread */
static char shutdown_node[16];  /* as it was when the second one was told of */

static void keep_store(struct fake_dom0 *d, struct xs_server *server)
{
    (void)d;
    store = server;
}

static void read_shutdown(struct fake_dom0 *d)
{
    char path[96];
    snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", fake_dom0_domid(d));
    if (xs_local_read(store, path, shutdown_node, sizeof(shutdown_node)) < 0)
        snprintf(shutdown_node, sizeof(shutdown_node), "(none)");
}

static void tell(struct fake_dom0 *d, const struct blkif_request *req)
{
    char path[96];
    if (req->sector_number < sizeof(told) / sizeof(told[0])) {
        snprintf(path, sizeof(path), "/local/domain/%u/%s", fake_dom0_domid(d),
                 told[req->sector_number].node);
        if (req->sector_number == 1)
            read_shutdown(d);
        if (xs_local_write(store, path, told[req->sector_number].value) < 0)
            abort();
        fake_dom0_pump(d);
    }
    fake_dom0_serve(d, req);
    fake_dom0_flush(d);
}

static void open_with(bool events)
{
    const struct domu_options wanted = {.size = sizeof(wanted),
                                        .rundir = base,
                                        .name = "fake",
                                        .cpu_share_num = events ? 1 : 0,
                                        .cpu_share_den = events ? 2 : 0,
                                        .events = events};
    start(&(struct fake_dom0_script){.request = tell, .change_nodes = keep_store});
    if (domu_open(&wanted, &domu, &domu_why) < 0)
        fail_msg("%s", domu_why.text);
    open_disk(0);
}

static void await(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, -1), 1);
}

/* Nobody else would do what is wanted. */
static void without_events_a_shutdown_ends_it(void **state)
{
    (void)state;
    open_with(false);
    int fd = domu_fd(domu);
    (void)blkfront_read(disk[0], 0, 1, bytes[0][0]);
    await(fd);
    assert_string_equal(domu_failure(domu), "Dom0 told this domain to shut down");
    int rc;
    do /* its disks hear of it a moment later */
        rc = blkfront_read(disk[0], 1, 1, bytes[0][0]);
    while (rc == 0);
    assert_int_equal(rc, -ENOTCONN);
}

/* That of who has nothing more to follow. */
static void assert_link_ends(void)
{
    enum { SPINS_MS = 500 };
    struct timespec used;
    clockid_t clock;
    while (pthread_getcpuclockid(domu->link_thread, &clock) == 0) {
        if (clock_gettime(clock, &used) == 0 &&
            used.tv_sec * 1000 + used.tv_nsec / 1000000 > SPINS_MS)
            fail_msg("the link's thread goes on");
        (void)poll(NULL, 0, 1);
    }
}

static struct domu_events next_events(void)
{
    struct domu_events events = {.size = sizeof(events)};
    await(domu_event_fd(domu));
    assert_int_equal(domu_take_events(domu, &events), 0);
    return events;
}

static void with_events_it_is_told(void **state)
{
    (void)state;
    open_with(true);
    assert_reads(0, 0);
    struct domu_events events = next_events();
    assert_int_equal(events.happened, DOMU_EVENT_SHUTDOWN);
    assert_string_equal(events.shutdown, "poweroff");
    assert_reads(0, 1);
    events = next_events();
    assert_int_equal(events.happened, DOMU_EVENT_CLOCK);
    assert_true(events.tdf_num == 5 && events.tdf_den == 2);
    fake_dom0_sync(dom0);
    assert_string_equal(shutdown_node, ""); /* the request was taken */
    assert_reads(0, 2);
    events = next_events();
    assert_int_equal(events.happened, DOMU_EVENT_CPU_SHARE);
    assert_true(events.cpu_share_num == 1 && events.cpu_share_den == 4);
    assert_string_equal(domu_failure(domu), "");
}

/* Who has no share does not look at it. */
static void without_events_the_clock_is_not_told(void **state)
{
    struct domu_events events = {.size = sizeof(events)};
    (void)state;
    open_with(false);
    assert_reads(0, 1);
    assert_reads(0, 2);
    assert_int_equal(domu_take_events(domu, &events), -EINVAL);
    assert_string_equal(domu_failure(domu), "");
}

static void the_reason_of_the_end_stays(void **state)
{
    (void)state;
    open_with(false);
    int fd = domu_fd(domu);
    die();
    await(fd);
    assert_string_equal(domu_failure(domu), "Dom0 is gone: the service was stopped or has died");
    assert_link_ends();
    assert_int_equal(domu_fd(domu), fd);
}

static void with_events_the_domains_destruction_is_told(void **state)
{
    (void)state;
    open_with(true);
    int fd = domu_fd(domu);
    fake_dom0_destroy_domain(dom0);
    await(fd);
    struct domu_events events = next_events();
    assert_int_equal(events.happened, DOMU_EVENT_DESTROYED);
    assert_string_equal(domu_failure(domu), "Dom0 has destroyed this domain");
    assert_link_ends();
}

/* Another attempt would meet what is left of this one. */
static void memory_that_cannot_be_moved_is_not_tried_again(void **state)
{
    (void)state;
    start(&(struct fake_dom0_script){0});
    open_domu(0, true);
    struct pollfd end = {.fd = domu_fd(domu), .events = POLLIN};
    fault_arm_call("dup3", 1, EMFILE);
    die();
    while (!life_is_dead(&domu->life))
        sched_yield();
    start(&(struct fake_dom0_script){0});
    while (poll(&end, 1, 1) == 0 && life_is_dead(&domu->life))
        continue;
    assert_string_equal(fault_disarm(), "dup3");
    assert_string_equal(domu_failure(domu),
                        "the new service does not fit the old one: Too many open files");
}

int main(void)
{
#define LINK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        LINK_TEST(without_events_a_shutdown_ends_it),
        LINK_TEST(with_events_it_is_told),
        LINK_TEST(without_events_the_clock_is_not_told),
        LINK_TEST(the_reason_of_the_end_stays),
        LINK_TEST(with_events_the_domains_destruction_is_told),
        LINK_TEST(memory_that_cannot_be_moved_is_not_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
