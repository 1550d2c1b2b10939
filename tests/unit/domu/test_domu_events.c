/* SPDX-License-Identifier: MIT */
/* domu_events: what is kept until the program takes it, for programs of any version. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "domu/domu_events.h"

static struct domu_events_queue queue;

static int setup(void **state)
{
    (void)state;
    const struct domu_options options = {.size = sizeof(options),
                                         .tdf_num = 5,
                                         .tdf_den = 2,
                                         .events = true,
                                         .cpu_share_num = 1,
                                         .cpu_share_den = 4};
    return domu_events_init(&queue, &options);
}

static int teardown(void **state)
{
    (void)state;
    domu_events_fini(&queue);
    return 0;
}

static bool is_readable(void)
{
    struct pollfd fd = {.fd = queue.fd, .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

static struct domu_events take(void)
{
    struct domu_events events = {.size = sizeof(events)};
    assert_int_equal(domu_events_take(&queue, &events), 0);
    return events;
}

static void nothing_has_happened_at_first(void **state)
{
    (void)state;
    assert_false(is_readable());
    struct domu_events events = take();
    assert_int_equal(events.happened, 0);
    assert_int_equal(events.tdf_num, 5);
    assert_int_equal(events.tdf_den, 2);
    assert_int_equal(events.cpu_share_num, 1);
    assert_int_equal(events.cpu_share_den, 4);
}

static void events_are_told_once(void **state)
{
    (void)state;
    domu_events_note_shutdown(&queue, "poweroff");
    domu_events_note_destroyed(&queue);
    assert_true(is_readable());
    struct domu_events events = take();
    assert_int_equal(events.happened, DOMU_EVENT_SHUTDOWN | DOMU_EVENT_DESTROYED);
    assert_string_equal(events.shutdown, "poweroff");
    assert_false(is_readable());
    assert_int_equal(take().happened, 0);
}

static void a_reason_of_any_length_fits(void **state)
{
    (void)state;
    domu_events_note_shutdown(&queue, "a reason that nobody has thought of");
    assert_string_equal(take().shutdown, "a reason that n");
}

/* Compiled with another library: with less, and with more. */
static void sizes_of_other_versions(void **state)
{
    (void)state;
    struct {
        struct domu_events events;
        uint64_t more;
    } later;
    struct domu_events old;
    memset(&later, 0xff, sizeof(later));
    memset(&old, 0xff, sizeof(old));
    later.events.size = sizeof(later);
    assert_int_equal(domu_events_take(&queue, &later.events), 0);
    assert_int_equal(later.events.size, sizeof(later));
    assert_int_equal(later.events.tdf_num, 5);
    assert_int_equal(later.more, 0);
    old.size = offsetof(struct domu_events, tdf_den);
    assert_int_equal(domu_events_take(&queue, &old), 0);
    assert_int_equal(old.tdf_num, 5);
    assert_int_equal(old.tdf_den, UINT64_MAX);
    old.size = 0;
    assert_int_equal(domu_events_take(&queue, &old), -EINVAL);
}

static void who_has_not_asked_gets_none(void **state)
{
    (void)state;
    const struct domu_options options = {.size = sizeof(options)};
    struct domu_events events = {.size = sizeof(events)};
    struct domu_events_queue none;
    assert_int_equal(domu_events_init(&none, &options), 0);
    assert_false(domu_events_wanted(&none));
    domu_events_note_destroyed(&none);
    assert_int_equal(domu_events_take(&none, &events), -EINVAL);
    domu_events_fini(&none);
}

/* As in a program that was started without a standard input. */
static void any_descriptor_will_do(void **state)
{
    (void)state;
    const struct domu_options options = {.size = sizeof(options), .events = true};
    struct domu_events_queue lowest;
    int input = dup(0);
    assert_true(input > 0);
    close(0);
    int rc = domu_events_init(&lowest, &options), fd = lowest.fd;
    domu_events_fini(&lowest);
    assert_int_equal(dup2(input, 0), 0);
    close(input);
    assert_int_equal(rc, 0);
    assert_int_equal(fd, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_has_happened_at_first, setup, teardown),
        cmocka_unit_test_setup_teardown(events_are_told_once, setup, teardown),
        cmocka_unit_test_setup_teardown(any_descriptor_will_do, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reason_of_any_length_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(sizes_of_other_versions, setup, teardown),
        cmocka_unit_test(who_has_not_asked_gets_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
