/* SPDX-License-Identifier: MIT */
/* domu: a domain's clock and events for whoever embeds the library, and the bounds of its options.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "domu/domu_private.h"
#include "unit/domu/domu_fixture.h"

static void the_clock_is_read_alike_in_both_ways(void **state)
{
    uint64_t before_ns, after_ns;
    (void)state;
    start(&(struct fake_dom0_script){0});
    open_domu(0, false);
    assert_int_equal(domu_clock_ns(domu, &before_ns), 0);
    uint64_t between_ns = domu_now_ns(domu);
    assert_int_equal(domu_clock_ns(domu, &after_ns), 0);
    assert_true(before_ns > 0 && before_ns <= between_ns && between_ns <= after_ns);
}

/* Whoever gets the memory reads it, and nothing else. */
static void the_memory_of_the_clock_is_for_reading(void **state)
{
    struct stat info;
    uint64_t offset[2];
    int fd[2];
    (void)state;
    start(&(struct fake_dom0_script){0});
    open_domu(0, false);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(domu_clock_memory(domu, &fd[i], &offset[i]), 0);
        assert_int_equal(fcntl(fd[i], F_GETFL) & O_ACCMODE, O_RDONLY);
        assert_int_equal(fcntl(fd[i], F_GETFD), FD_CLOEXEC);
    }
    const struct segment *segment = &domu->life.segment;
    assert_int_equal(offset[0], (const uint8_t *)segment->shared_info - segment->base);
    assert_int_equal(offset[1], offset[0]);
    assert_int_equal(fstat(fd[0], &info), 0);
    assert_int_equal(info.st_size, (off_t)segment->nr_pages * XEN_PAGE_SIZE);
    assert_int_equal(lseek(fd[0], 5, SEEK_SET), 5); /* each has a place of its own */
    assert_int_equal(lseek(fd[1], 0, SEEK_CUR), 0);
    close(fd[0]);
    close(fd[1]);
    assert_int_equal(domu_domid(domu), domu->life.segment.domid);
}

static void events_are_for_who_asked_for_them(void **state)
{
    struct domu_options wanted = {.size = sizeof(wanted), .rundir = base, .name = "fake"};
    struct domu_events events = {.size = sizeof(events)};
    (void)state;
    start(&(struct fake_dom0_script){0});
    assert_int_equal(domu_open(&wanted, &domu, &domu_why), 0);
    assert_int_equal(domu_event_fd(domu), -EINVAL);
    assert_int_equal(domu_take_events(domu, &events), -EINVAL);
    domu_close(domu);
    wanted.events = true;
    assert_int_equal(domu_open(&wanted, &domu, &domu_why), 0);
    assert_true(domu_event_fd(domu) >= 0);
    assert_int_equal(domu_take_events(domu, &events), 0);
    events.size = sizeof(events.size) - 1; /* no room to say how large it is */
    assert_int_equal(domu_take_events(domu, &events), -EINVAL);
}

static void a_share_of_the_cpu_has_bounds_and_comes_with_events(void **state)
{
    static const struct {
        uint64_t num, den;
        bool events;
        int rc;
    } row[] = {
        {1, 0, true, -EINVAL},
        {0, 1, true, -EINVAL},
        {2, 1, true, -EINVAL},
        {1, TDF_LIMIT + 1, true, -EINVAL},
        {TDF_TERM_MAX + UINT64_C(1), TDF_TERM_MAX + UINT64_C(1), true, -EINVAL},
        {1, 2, false, -EINVAL},
        {1, 1, true, 0},
        {1, TDF_LIMIT, true, 0},
        {TDF_TERM_MAX, TDF_TERM_MAX, true, 0},
        {0, 0, false, 0},
    };
    (void)state;
    start(&(struct fake_dom0_script){0});
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        const struct domu_options wanted = {.size = sizeof(wanted),
                                            .rundir = base,
                                            .name = "fake",
                                            .cpu_share_num = row[i].num,
                                            .cpu_share_den = row[i].den,
                                            .events = row[i].events};
        assert_int_equal(domu_open(&wanted, &domu, &domu_why), row[i].rc);
        if (row[i].rc < 0)
            assert_string_equal(domu_why.text,
                                "a share of the CPU is 1/1000 to 1, and comes with events");
        domu_close(domu);
        domu = NULL;
    }
}

static void a_clock_and_a_size_have_bounds(void **state)
{
    static const struct {
        uint64_t num, den;
        uint32_t pages;
        int rc;
    } row[] = {
        {0, 1, 0, -EINVAL},
        {1, 0, 0, -EINVAL},
        {TDF_TERM_MAX + UINT64_C(1), 1, 0, -EINVAL},
        {1, TDF_TERM_MAX + UINT64_C(1), 0, -EINVAL},
        {0, 0, SEGMENT_PAGES_MAX + 1, -EINVAL},
        {TDF_TERM_MAX, TDF_TERM_MAX, 64, 0},
        {0, 0, 64, 0},
    };
    (void)state;
    start(&(struct fake_dom0_script){0});
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        const struct domu_options wanted = {.size = sizeof(wanted),
                                            .rundir = base,
                                            .name = "fake",
                                            .pages = row[i].pages,
                                            .tdf_num = row[i].num,
                                            .tdf_den = row[i].den};
        assert_int_equal(domu_open(&wanted, &domu, &domu_why), row[i].rc);
        assert_int_equal(domu_why.text[0] != '\0', row[i].rc < 0);
        if (row[i].rc == 0)
            assert_int_equal(domu->options.pages, row[i].pages);
        domu_close(domu);
        domu = NULL;
    }
}

/* Dom0 is asked to look where there is a line that it waits for. */
static void a_clock_that_is_ready_is_shown_and_dom0_is_woken(void **state)
{
    static struct shared_info page;
    static struct domu some; /* larger than a stack should hold */
    (void)state;
    some.life.segment.shared_info = &page;
    some.life.doorbell_fd = eventfd(0, EFD_CLOEXEC);
    struct pollfd doorbell = {.fd = some.life.doorbell_fd, .events = POLLIN};
    domu_clock_ready(&some, 0);
    assert_int_equal(page.arch[SHARED_INFO_CLOCK_READY], 1);
    assert_int_equal(poll(&doorbell, 1, 0), 0);
    domu_clock_ready(&some, 4);
    assert_int_equal(page.arch[SHARED_INFO_CLOCK_READY], 5);
    assert_int_equal(poll(&doorbell, 1, 0), 1);
    close(some.life.doorbell_fd);
}

int main(void)
{
#define CLOCK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CLOCK_TEST(the_clock_is_read_alike_in_both_ways),
        CLOCK_TEST(the_memory_of_the_clock_is_for_reading),
        CLOCK_TEST(events_are_for_who_asked_for_them),
        CLOCK_TEST(a_share_of_the_cpu_has_bounds_and_comes_with_events),
        CLOCK_TEST(a_clock_and_a_size_have_bounds),
        cmocka_unit_test(a_clock_that_is_ready_is_shown_and_dom0_is_woken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
