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

/* What the domain's home holds: NULL is nothing. */
static const char *home_text;
static int home_error;

int __wrap_xs_client_read(struct xs_client *store, uint32_t tx, const char *path, char *out,
                          size_t size);
int __wrap_xs_client_read(struct xs_client *store, uint32_t tx, const char *path, char *out,
                          size_t size)
{
    (void)store;
    assert_int_equal(tx, 0);
    assert_true(strcmp(path, "splitdom/tdf-in-force") == 0 || strcmp(path, "cpu-share") == 0);
    if (home_error < 0 || home_text == NULL)
        return home_error < 0 ? home_error : -ENOENT;
    assert_true(strlen(home_text) < size);
    strcpy(out, home_text);
    return (int)strlen(home_text);
}

static struct domu_events_queue queue;

static int setup(void **state)
{
    (void)state;
    home_text = NULL;
    home_error = 0;
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

static void another_dilation_is_an_event_and_the_same_is_none(void **state)
{
    (void)state;
    home_text = "5/2";
    assert_int_equal(domu_events_read_clock(&queue, NULL), 0);
    assert_false(is_readable());
    home_text = "10/3";
    assert_int_equal(domu_events_read_clock(&queue, NULL), 0);
    struct domu_events events = take();
    assert_int_equal(events.happened, DOMU_EVENT_CLOCK);
    assert_int_equal(events.tdf_num, 10);
    assert_int_equal(events.tdf_den, 3);
    assert_int_equal(domu_events_read_clock(&queue, NULL), 0);
    assert_false(is_readable());
}

static void a_share_is_an_event_if_it_is_one(void **state)
{
    (void)state;
    static const char *const wrong[] = {"0/2", "3/2", "much", ""};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        home_text = wrong[i];
        assert_int_equal(domu_events_read_share(&queue, NULL), 0);
        assert_false(is_readable());
    }
    home_text = "1/3";
    assert_int_equal(domu_events_read_share(&queue, NULL), 0);
    struct domu_events events = take();
    assert_int_equal(events.happened, DOMU_EVENT_CPU_SHARE);
    assert_int_equal(events.cpu_share_num, 1);
    assert_int_equal(events.cpu_share_den, 3);
    home_text = "1/1";
    assert_int_equal(domu_events_read_share(&queue, NULL), 0);
    assert_int_equal(take().cpu_share_den, 1);
}

/* Nodes that are missing, hidden or too long change nothing; a store that has gone is told. */
static void what_cannot_be_read_changes_nothing(void **state)
{
    (void)state;
    static const int none[] = {-ENOENT, -EACCES, -E2BIG, -EINVAL};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        home_error = none[i];
        assert_int_equal(domu_events_read_clock(&queue, NULL), 0);
        assert_int_equal(domu_events_read_share(&queue, NULL), 0);
    }
    home_error = -EPIPE;
    assert_int_equal(domu_events_read_clock(&queue, NULL), -EPIPE);
    assert_int_equal(domu_events_read_share(&queue, NULL), -EPIPE);
    assert_false(is_readable());
    assert_int_equal(take().tdf_num, 5);
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
        cmocka_unit_test_setup_teardown(another_dilation_is_an_event_and_the_same_is_none, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_share_is_an_event_if_it_is_one, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_read_changes_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
