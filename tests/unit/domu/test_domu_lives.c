/* SPDX-License-Identifier: MIT */
/* domu: Dom0's death, the descriptor that tells of it, and the next Dom0. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>

#include "unit/domu/domu_fixture.h"

static void death_is_the_end_of_all_devices(void **state)
{
    (void)state;
    start(&(struct fake_dom0_script){0});
    open_all(false);
    die();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(blkfront_read(disk[i], 3, 1, bytes[i][0]), -ENOTCONN);
        assert_non_null(strstr(blkfront_failure(disk[i]), "Dom0 is gone"));
    }
    assert_non_null(strstr(domu_failure(domu), "Dom0 is gone"));
    close_disk(0);
    assert_int_equal(blkfront_open(domu, &options[0], &disk[0], &why), -ENOTCONN);
    assert_non_null(strstr(why.text, "Dom0 is gone"));
}

static int poll_failure(int timeout_ms)
{
    struct pollfd wait = {.fd = domu_fd(domu), .events = POLLIN};
    assert_true(wait.fd >= 0);
    return poll(&wait, 1, timeout_ms);
}

static void the_descriptor_tells_of_the_domains_end(void **state)
{
    (void)state;
    start(&(struct fake_dom0_script){0});
    open_all(false);
    assert_int_equal(poll_failure(0), 0);
    die();
    assert_int_equal(poll_failure(HANG_S * 1000), 1);
    assert_string_not_equal(domu_failure(domu), "");
    assert_int_equal(poll_failure(0), 1); /* and stays so */
}

static void a_descriptor_asked_for_late_tells_too(void **state)
{
    (void)state;
    start(&(struct fake_dom0_script){0});
    open_all(false);
    die();
    assert_int_equal(blkfront_read(disk[0], 3, 1, bytes[0][0]), -ENOTCONN);
    assert_int_equal(poll_failure(0), 1);
}

static uint32_t ignores; /* atomic: reads stay in flight */

static void serve_or_ignore(struct fake_dom0 *d, const struct blkif_request *req)
{
    if (load_full_u32(&ignores) == 0)
        fake_dom0_serve(d, req);
}

static void submit_all(uint32_t i)
{
    for (uint32_t n = 0; n < DEPTH; n++)
        assert_int_equal(blkfront_submit(disk[i], 100 + n, 1, bytes[i][n], NULL), 0);
    assert_int_equal(blkfront_kick(disk[i]), 0);
}

static void reap_all(uint32_t i)
{
    struct blkfront_completion done[DEPTH];
    assert_int_equal(blkfront_reap(disk[i], done, DEPTH, DEPTH), DEPTH);
    for (uint32_t n = 0; n < DEPTH; n++) {
        assert_int_equal(done[n].status, 0);
        assert_true(fake_disk_holds(done[n].buffer, done[n].sector, 1));
    }
}

/* Three lives, with reads of both in flight at each death. */
static void all_devices_come_back_with_the_next_dom0(void **state)
{
    const struct fake_dom0_script script = {.request = serve_or_ignore};
    (void)state;
    struct blkfront_stats stats;
    start(&script);
    open_all(true);
    for (uint32_t life = 1; life <= 3; life++) {
        store_full_u32(&ignores, 1);
        submit_all(0);
        submit_all(1);
        die();
        store_full_u32(&ignores, 0);
        start(&script);
        for (uint32_t i = 0; i < 2; i++) {
            reap_all(i);
            blkfront_stats(disk[i], &stats);
            assert_int_equal(stats.reconnects, life);
        }
    }
}

/* What the gone device had is not offered to the next Dom0, and its place can be taken there. */
static void a_device_may_be_closed_and_opened_between_lives(void **state)
{
    (void)state;
    start(&(struct fake_dom0_script){0});
    open_all(true);
    die();
    close_disk(0);
    start(&(struct fake_dom0_script){0});
    open_disk(0); /* waits for that Dom0 */
    assert_reads(0, 9);
    assert_reads(1, 9);
}

static void only_devices_that_have_not_failed_come_back(void **state)
{
    (void)state;
    struct blkfront_stats stats;
    start(&(struct fake_dom0_script){.request = lie_about_xvdb, .wakes_nobody = true});
    open_all(true);
    assert_int_equal(blkfront_read(disk[1], 3, 1, bytes[1][0]), -EPROTO);
    die();
    start(&(struct fake_dom0_script){0});
    assert_reads(0, 4);
    assert_int_equal(blkfront_read(disk[1], 3, 1, bytes[1][0]), -EPROTO);
    blkfront_stats(disk[1], &stats);
    assert_int_equal(stats.reconnects, 0);
    close_disk(1);
    open_disk(1);
    assert_reads(1, 4);
}

/* A handle without devices is a domain all the same. */
static void a_domain_without_devices_comes_back(void **state)
{
    (void)state;
    start(&(struct fake_dom0_script){0});
    open_domu(0, true);
    uint64_t before_ns = domu_now_ns(domu);
    die();
    start(&(struct fake_dom0_script){0});
    open_disk(0);
    assert_reads(0, 1);
    assert_true(domu_now_ns(domu) >= before_ns);
    assert_string_equal(domu_failure(domu), "");
}

/* It was there, so there will be one again. */
static void a_service_that_goes_while_we_connect_is_waited_for(void **state)
{
    (void)state;
    start(&(struct fake_dom0_script){.hangs_up_once = true});
    const struct domu_options impatient = {
        .size = sizeof(impatient), .rundir = base, .name = "fake"};
    assert_true(domu_open(&impatient, &domu, &domu_why) < 0);
    die();
    start(&(struct fake_dom0_script){.hangs_up_once = true});
    open_domu(0, true);
    open_disk(0);
    assert_reads(0, 1);
}

static void a_domain_that_is_destroyed_is_told_so(void **state)
{
    (void)state;
    start(&(struct fake_dom0_script){0});
    open_domu(0, true); /* no other life for it */
    struct pollfd ended = {.fd = domu_fd(domu), .events = POLLIN};
    fake_dom0_destroy_domain(dom0);
    assert_int_equal(poll(&ended, 1, HANG_S * 1000), 1);
    assert_string_equal(domu_failure(domu), "Dom0 has destroyed this domain");
    assert_int_equal(blkfront_open(domu, &options[0], &disk[0], &why), -ENOTCONN);
}

/* Dom0's last word is the answer to a question: it counts all the same, and nobody comes back. */
static void who_asks_while_the_domain_is_destroyed_is_told_so(void **state)
{
    (void)state;
    start(&(struct fake_dom0_script){.destroys_asker = true});
    open_domu(0, true);
    struct pollfd ended = {.fd = domu_fd(domu), .events = POLLIN};
    assert_true(blkfront_open(domu, &options[0], &disk[0], &why) < 0);
    assert_string_equal(why.text, "Dom0 has destroyed this domain");
    assert_int_equal(poll(&ended, 1, HANG_S * 1000), 1);
    assert_string_equal(domu_failure(domu), "Dom0 has destroyed this domain");
}

static int lowest_free_fd(void)
{
    int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);
    close(fd);
    return fd;
}

/* The next Dom0 refuses the disk: each attempt is a domain that goes again. */
static void an_attempt_that_fails_leaves_nothing(void **state)
{
    (void)state;
    int before = lowest_free_fd();
    start(&(struct fake_dom0_script){0});
    open_domu(blkfront_pages(&options[0]), true);
    open_disk(0);
    die();
    start(&(struct fake_dom0_script){.refuse_ring = true});
    for (uint32_t made = 1; made < 3; made++) {
        while (fake_dom0_domains(dom0) == 0)
            sched_yield();
        while (fake_dom0_domains(dom0) != 0)
            sched_yield();
    }
    die();
    close_disk(0);
    domu_close(domu);
    domu = NULL;
    assert_int_equal(lowest_free_fd(), before);
}

int main(void)
{
#define DOMU_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        DOMU_TEST(death_is_the_end_of_all_devices),
        DOMU_TEST(the_descriptor_tells_of_the_domains_end),
        DOMU_TEST(a_descriptor_asked_for_late_tells_too),
        DOMU_TEST(all_devices_come_back_with_the_next_dom0),
        DOMU_TEST(a_device_may_be_closed_and_opened_between_lives),
        DOMU_TEST(only_devices_that_have_not_failed_come_back),
        DOMU_TEST(a_domain_without_devices_comes_back),
        DOMU_TEST(a_service_that_goes_while_we_connect_is_waited_for),
        DOMU_TEST(a_domain_that_is_destroyed_is_told_so),
        DOMU_TEST(who_asks_while_the_domain_is_destroyed_is_told_so),
        DOMU_TEST(an_attempt_that_fails_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
