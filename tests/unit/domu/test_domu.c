/* SPDX-License-Identifier: MIT */
/*
 * domu: a domain with several disks, against a Dom0 that has a back end for each: what one device
 * does is none of the other's business.
 */
#include <errno.h>
#include <pthread.h>

#include "base/clock.h"
#include "faults/fault.h"
#include "unit/domu/domu_fixture.h"

/* xvdb's sectors are numbered from here on. */
enum { OTHER = 1 << 16 };

static void serve_by_disk(struct fake_dom0 *d, const struct blkif_request *req)
{
    struct blkif_request other = *req;
    bool sound = req->handle == (blkif_vdev_t)fake_dom0_vdev(d);
    if (fake_dom0_vdev(d) == XVDB)
        other.sector_number += OTHER;
    fake_dom0_fill(d, &other);
    fake_dom0_respond(d, req->id, req->operation, sound ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR);
    fake_dom0_flush(d);
}

static void *read_on(void *arg)
{
    uint32_t i = *(const uint32_t *)arg;
    for (uint64_t sector = 0; sector < READS; sector++) {
        if (blkfront_read(disk[i], sector, 1, bytes[i][0]) != 0 ||
            !fake_disk_holds(bytes[i][0], sector + (i == 1 ? OTHER : 0), 1))
            return NULL;
    }
    return arg;
}

static void two_disks_of_a_domain_are_read_side_by_side(void **state)
{
    static const uint32_t which[2] = {0, 1};
    (void)state;
    pthread_t threads[2];
    struct blkfront_stats stats[2];
    start(&(struct fake_dom0_script){.request = serve_by_disk});
    open_all(false);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, (void *)&which[i]), 0);
    for (int i = 0; i < 2; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &which[i]);
        blkfront_stats(disk[i], &stats[i]);
        assert_int_equal(stats[i].responses, READS);
        assert_int_equal(stats[i].domid, domu_domid(domu));
    }
}

/* Each has pages, references and a vCPU of its own. */
static void devices_share_nothing_of_their_domain(void **state)
{
    (void)state;
    start(&(struct fake_dom0_script){0});
    open_all(false);
    assert_int_not_equal(disk[0]->queue[0].vcpu, disk[1]->queue[0].vcpu);
    assert_true(disk[0]->first_pfn + disk[0]->nr_pages <= disk[1]->first_pfn);
    assert_true(disk[0]->data_ref + disk[0]->nr_pages <= disk[1]->data_ref);
    assert_int_not_equal(disk[0]->front.queue[0].port, disk[1]->front.queue[0].port);
}

/* A word of the domain's is one request's, of whatever disk; a disk that has none left does
 * without.
 */
static void disks_have_words_of_their_own(void **state)
{
    (void)state;
    start(&(struct fake_dom0_script){0});
    open_all(false);
    const struct blkfront_queue *first = &disk[0]->queue[0], *second = &disk[1]->queue[0];
    assert_non_null(first->words);
    assert_non_null(second->words);
    assert_true(first->words + disk[0]->nr_entries <= second->words);
    assert_ptr_equal(second->words, &domu->life.segment.sleepers->word[second->first_id]);
    assert_int_equal(second->shadow.first_id, second->first_id);
    assert_reads(0, 5);
    assert_reads(1, 7);
    close_disk(0);
    open_disk(0);
    assert_int_equal(disk[0]->queue[0].first_id, 0);
    assert_reads(0, 9);
}

static void a_disk_without_words_waits_for_events(void **state)
{
    (void)state;
    uint32_t taken;
    start(&(struct fake_dom0_script){0});
    open_domu(0, false);
    assert_int_equal(extents_take(&domu->sleepers, SLEEPERS_MAX, &taken), 0);
    open_disk(0);
    assert_null(disk[0]->queue[0].words);
    assert_int_equal(disk[0]->queue[0].first_id, SLEEPERS_MAX);
    assert_reads(0, 5);
}

/* Each step of Dom0 may take half a minute; the test is killed after one. */
static void who_is_in_a_hurry_does_not_wait_for_a_dom0_that_stands_still(void **state)
{
    enum { LIMIT_MS = 200 };
    (void)state;
    start(&(struct fake_dom0_script){0});
    open_all(false);
    fake_dom0_freeze(dom0);
    uint64_t begin_ns = clock_monotonic_ns();
    domu_hurry(domu, LIMIT_MS);
    close_disk(0);
    close_disk(1);
    domu_close(domu);
    domu = NULL;
    assert_in_range((clock_monotonic_ns() - begin_ns) / 1000000, 0, 100 * LIMIT_MS);
}

/* As if the store had not answered in its own time. */
static void who_is_in_a_hurry_opens_no_device_of_a_dom0_that_stands_still(void **state)
{
    (void)state;
    start(&(struct fake_dom0_script){0});
    open_domu(0, false);
    fake_dom0_freeze(dom0);
    domu_hurry(domu, 10);
    int rc = blkfront_open(domu, &options[0], &disk[0], &why);
    assert_null(disk[0]);
    if (rc == -ENOTCONN)
        return; /* the thread that follows the store has found out first: the domain is of no use */
    assert_int_equal(rc, -ETIMEDOUT);
    assert_non_null(strstr(why.text, "disk 51712: Dom0 does not answer"));
}

static void a_device_that_is_open_is_not_opened_again(void **state)
{
    (void)state;
    struct blkfront *again;
    start(&(struct fake_dom0_script){0});
    open_domu(0, false);
    open_disk(0);
    assert_int_equal(blkfront_open(domu, &options[0], &again, &why), -EBUSY);
    assert_null(again);
    assert_non_null(strstr(why.text, "51712"));
    assert_reads(0, 5);
}

static void a_disk_that_the_domain_has_not_is_an_error(void **state)
{
    (void)state;
    const struct blkfront_options third = {.size = sizeof(third), .vdev = 51744, .depth = DEPTH};
    struct blkfront *none;
    start(&(struct fake_dom0_script){0});
    open_domu(0, false);
    assert_int_equal(blkfront_open(domu, &third, &none, &why), -ENODEV);
    assert_null(none);
    open_disk(1);
    assert_reads(1, 7);
}

static void a_domain_that_is_full_takes_no_more_devices(void **state)
{
    (void)state;
    start(&(struct fake_dom0_script){0});
    open_domu(blkfront_pages(&options[0]), false);
    open_disk(0);
    assert_int_equal(blkfront_open(domu, &options[1], &disk[1], &why), -ENOSPC);
    assert_non_null(strstr(why.text, "pages"));
    assert_reads(0, 5);
    close_disk(0);
    open_disk(1);
    assert_reads(1, 5);
}

static void the_domains_options_are_not_the_devices(void **state)
{
    (void)state;
    struct blkfront_options wrong[] = {options[0], options[0], options[0],
                                       options[0], options[0], options[0]};
    wrong[0].rundir = base;
    wrong[1].name = "fake";
    wrong[2].reconnect = true;
    wrong[3].tdf_num = wrong[3].tdf_den = 1;
    wrong[4].domain_name = "web";
    wrong[5].weight = 1;
    start(&(struct fake_dom0_script){0});
    open_domu(0, false);
    for (int i = 0; i < 6; i++) {
        why.text[0] = '\0';
        assert_int_equal(blkfront_open(domu, &wrong[i], &disk[0], &why), -EINVAL);
        assert_non_null(strstr(why.text, "options of domu_open"));
    }
}

/* Again and again: all that a device has is given back, at Dom0 too. */
static void a_closed_device_leaves_nothing(void **state)
{
    enum { TIMES = 50 };
    (void)state;
    start(&(struct fake_dom0_script){0});
    open_all(false);
    uint32_t pfn = disk[0]->first_pfn, vcpu = disk[0]->queue[0].vcpu;
    grant_ref_t ref = disk[0]->data_ref;
    for (uint32_t i = 0; i < TIMES; i++) {
        close_disk(0);
        assert_int_equal(fake_dom0_closed_ports(dom0), i + 1);
        open_disk(0);
        assert_int_equal(disk[0]->first_pfn, pfn);
        assert_int_equal(disk[0]->data_ref, ref);
        assert_int_equal(disk[0]->queue[0].vcpu, vcpu);
        assert_reads(0, i);
        assert_reads(1, i);
    }
}

static void a_device_that_fails_leaves_the_other_alone(void **state)
{
    (void)state;
    start(&(struct fake_dom0_script){.request = lie_about_xvdb, .wakes_nobody = true});
    open_all(false);
    assert_int_equal(blkfront_read(disk[1], 3, 1, bytes[1][0]), -EPROTO);
    assert_reads(0, 3);
    assert_string_equal(blkfront_failure(disk[0]), "");
    assert_string_equal(domu_failure(domu), "");
}

static void close_xvdb(struct fake_dom0 *d, const struct blkif_request *req)
{
    if (fake_dom0_vdev(d) == XVDB) {
        fake_dom0_node(d, "state", "5");
        fake_dom0_pump(d);
    } else {
        fake_dom0_serve(d, req);
    }
}

static void an_event_reaches_its_device_alone(void **state)
{
    (void)state;
    start(&(struct fake_dom0_script){.request = close_xvdb});
    open_all(false);
    assert_int_equal(blkfront_read(disk[1], 3, 1, bytes[1][0]), -ENOTCONN);
    assert_non_null(strstr(blkfront_failure(disk[1]), "closed the disk"));
    assert_reads(0, 3);
    assert_string_equal(blkfront_failure(disk[0]), "");
}

static void a_domain_of_impossible_size_or_clock_is_refused(void **state)
{
    (void)state;
    struct domu_options wrong = {
        .size = sizeof(wrong), .rundir = base, .name = "fake", .pages = UINT32_MAX};
    start(&(struct fake_dom0_script){0});
    assert_int_equal(domu_open(&wrong, &domu, &domu_why), -EINVAL);
    assert_non_null(strstr(domu_why.text, "4294967295 were asked for"));
    wrong.pages = 0;
    wrong.tdf_num = 1;
    assert_int_equal(domu_open(&wrong, &domu, NULL), -EINVAL);
    assert_null(domu);
    domu_close(NULL);
}

static void assert_described(const char *name, uint32_t weight)
{
    const char *told;
    assert_int_equal(fake_dom0_described(dom0, &told), weight);
    assert_string_equal(told, name);
}

static void dom0_is_told_the_name_and_the_weight(void **state)
{
    (void)state;
    struct domu_options wanted = {
        .size = sizeof(wanted), .rundir = base, .name = "fake", .reconnect = true};
    start(&(struct fake_dom0_script){0});
    assert_int_equal(domu_open(&wanted, &domu, &domu_why), 0);
    assert_described("", UINT32_MAX); /* nothing to tell */
    domu_close(domu);
    wanted.weight = DOMU_WEIGHT_MAX;
    assert_int_equal(domu_open(&wanted, &domu, &domu_why), 0);
    assert_described("", DOMU_WEIGHT_MAX);
    domu_close(domu);
    wanted.domain_name = "web";
    wanted.weight = 0;
    assert_int_equal(domu_open(&wanted, &domu, &domu_why), 0);
    assert_described("web", 0);
    die();
    start(&(struct fake_dom0_script){0});
    open_disk(0); /* in the next life, which is told as well */
    assert_described("web", 0);
}

static void a_disk_alone_tells_of_its_domain(void **state)
{
    (void)state;
    struct blkfront_options wanted = {
        .size = sizeof(wanted), .rundir = base, .name = "fake", .domain_name = "db", .weight = 512};
    start(&(struct fake_dom0_script){0});
    assert_int_equal(blkfront_connect(&wanted, &disk[0], &why), 0);
    assert_described("db", 512);
}

static void an_impossible_weight_or_name_is_refused(void **state)
{
    (void)state;
    char name[CONTROL_NAME_SIZE + 1] = "";
    struct domu_options wrong = {
        .size = sizeof(wrong), .rundir = base, .name = "fake", .weight = DOMU_WEIGHT_MAX + 1};
    start(&(struct fake_dom0_script){0});
    assert_int_equal(domu_open(&wrong, &domu, &domu_why), -EINVAL);
    assert_string_equal(domu_why.text, "a weight is 1..65535");
    wrong.weight = (UINT64_C(1) << 32) + 1;
    assert_int_equal(domu_open(&wrong, &domu, NULL), -EINVAL);
    wrong.weight = 0;
    wrong.domain_name = memset(name, 'x', CONTROL_NAME_SIZE);
    assert_int_equal(domu_open(&wrong, &domu, &domu_why), -EINVAL);
    assert_string_equal(domu_why.text, "a domain's name has at most 63 bytes");
    name[CONTROL_NAME_SIZE - 1] = '\0';
    assert_int_equal(domu_open(&wrong, &domu, &domu_why), 0);
    assert_described(name, 0);
}

static void without_memory_there_is_no_domain(void **state)
{
    struct domu *none;
    struct domu_error reason;
    const struct domu_options usual = {.size = sizeof(usual)};
    (void)state;
    fault_arm_call("calloc", 1, ENOMEM);
    assert_int_equal(domu_open(&usual, &none, &reason), -ENOMEM);
    assert_string_equal(fault_disarm(), "calloc");
    assert_null(none);
    assert_string_equal(reason.text, "out of memory");
}

int main(void)
{
#define DOMU_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        DOMU_TEST(two_disks_of_a_domain_are_read_side_by_side),
        DOMU_TEST(devices_share_nothing_of_their_domain),
        DOMU_TEST(disks_have_words_of_their_own),
        DOMU_TEST(who_is_in_a_hurry_does_not_wait_for_a_dom0_that_stands_still),
        DOMU_TEST(who_is_in_a_hurry_opens_no_device_of_a_dom0_that_stands_still),
        DOMU_TEST(a_disk_without_words_waits_for_events),
        DOMU_TEST(a_device_that_is_open_is_not_opened_again),
        DOMU_TEST(a_disk_that_the_domain_has_not_is_an_error),
        DOMU_TEST(a_domain_that_is_full_takes_no_more_devices),
        DOMU_TEST(the_domains_options_are_not_the_devices),
        DOMU_TEST(a_closed_device_leaves_nothing),
        DOMU_TEST(a_device_that_fails_leaves_the_other_alone),
        DOMU_TEST(an_event_reaches_its_device_alone),
        DOMU_TEST(a_domain_of_impossible_size_or_clock_is_refused),
        DOMU_TEST(dom0_is_told_the_name_and_the_weight),
        DOMU_TEST(a_disk_alone_tells_of_its_domain),
        DOMU_TEST(an_impossible_weight_or_name_is_refused),
        cmocka_unit_test(without_memory_there_is_no_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
