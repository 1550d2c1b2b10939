/* SPDX-License-Identifier: MIT */
/* xenbus_back: front ends that do what makes no sense, classes that fail, a store that is full. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "unit/service/back/back_fixture.h"

static void who_cannot_be_told_of_the_end_is_given_up(void **state)
{
    (void)state;
    go(f->disk, "4", XenbusStateConnected);
    set_front(&f->disk->back.key, "state", "5");
    store_is_full = true;
    step();
    store_is_full = false;
    assert_int_equal(f->losses, 1);
}

/* Nor does it hurt: whoever writes 1 in between goes on as before. */
static void a_start_without_a_close_is_not_heard(void **state)
{
    (void)state;
    go(f->disk, "1", XenbusStateInitWait);
    go(f->disk, "4", XenbusStateConnected);
    go(f->disk, "1", XenbusStateConnected);
    go(f->disk, "4", XenbusStateConnected);
    assert_int_equal(f->disk->connects, 1);
    assert_int_equal(f->disk->disconnects, 0);
    assert_int_equal(f->disk->published, 1);
    go(f->disk, "5", XenbusStateClosing);
    go(f->disk, "1", XenbusStateClosing);
    go(f->disk, "6", XenbusStateClosed);
    go(f->disk, "1", XenbusStateInitWait);
    assert_int_equal(f->disk->published, 2);
}

static void a_removed_node_ends_it(void **state)
{
    (void)state;
    go(f->disk, "4", XenbusStateConnected);
    go(f->disk, NULL, XenbusStateClosed);
    go(f->disk, "1", XenbusStateInitWait);
}

static void a_class_that_refuses_is_an_error(void **state)
{
    (void)state;
    f->refuses = -EPROTONOSUPPORT;
    go(f->disk, "3", XenbusStateClosing);
    assert_string_equal(error_node(&f->disk->back.key), "-93 it is fake");
    go(f->disk, "4", XenbusStateClosing); /* no second chance without starting over */
    go(f->disk, "6", XenbusStateClosed);
    f->refuses = 0;
    go(f->disk, "1", XenbusStateInitWait);
    go(f->disk, "3", XenbusStateConnected);
}

static void a_device_that_fails_serves_until_its_front_end_has_closed_it(void **state)
{
    (void)state;
    go(f->disk, "4", XenbusStateConnected);
    xenbus_back_fail(&f->disk->back, -EPROTO, "broken");
    step();
    expect_state(f->disk, XenbusStateClosing);
    assert_string_equal(error_node(&f->disk->back.key), "-71 broken");
    assert_int_equal(f->disk->disconnects, 0);
    go(f->disk, "6", XenbusStateClosed);
    assert_int_equal(f->disk->disconnects, 1);
}

static void states_that_make_no_sense_are_an_error(void **state)
{
    (void)state;
    static char too_long[101];
    memset(too_long, '4', sizeof(too_long) - 1);
    /* The last one is longer than any value that the back end looks at. */
    static const char *const garbage[] = {"9", "-1", "2", "7", "8", "44", too_long};
    for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        (void)xs_local_rm(f->store, "/local/domain/0/error");
        go(f->disk, "3", XenbusStateConnected);
        go(f->disk, garbage[i], XenbusStateClosing);
        assert_string_equal(error_node(&f->disk->back.key), "-22 unexpected front end state");
        go(f->disk, "6", XenbusStateClosed);
        go(f->disk, garbage[i], XenbusStateClosed);
        go(f->disk, "1", XenbusStateInitWait);
    }
}

/* What is no number is no state: as if the node were gone. */
static void a_text_without_a_number_is_no_state(void **state)
{
    (void)state;
    static const char *const nothing[] = {"", " ", "four", "x4"};
    static const char *const connected[] = {"4\n", " 4", "04", "4x"};
    for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
        go(f->disk, connected[i], XenbusStateConnected);
        go(f->disk, nothing[i], XenbusStateClosed);
        assert_string_equal(error_node(&f->disk->back.key), "(none)");
        go(f->disk, "1", XenbusStateInitWait);
    }
}

/* What the back end's state becomes, by what it is and what it sees of the front end. */
static enum xenbus_state follows(const struct fake *fake, enum xenbus_state back, const char *front)
{
    const bool ends = back == XenbusStateClosing || back == XenbusStateClosed;
    const bool starts_over = fake->back.class->starts_over;
    switch (front == NULL ? '6' : front[0]) {
    case '1':
        return starts_over || back == XenbusStateClosed ? XenbusStateInitWait : back;
    case '3':
    case '4':
        if (starts_over && back == XenbusStateClosed)
            return XenbusStateConnected;
        return back == XenbusStateInitWait ? XenbusStateConnected : back;
    case '6':
        return XenbusStateClosed;
    default: /* 5, and all that a front end never is */
        return ends ? back : XenbusStateClosing;
    }
}

/* Every order of what a front end can do, five deep. */
static void play_all_orders(struct fake *fake)
{
    static const char *const moves[] = {"1", "2", "3", "4", "5", "6", NULL};
    enum { MOVES = sizeof(moves) / sizeof(moves[0]), DEPTH = 5 };
    uint32_t orders = 1;
    for (int i = 0; i < DEPTH; i++)
        orders *= MOVES;
    for (uint32_t order = 0; order < orders; order++) {
        uint32_t rest = order;
        enum xenbus_state expected = fake->back.state;
        for (int i = 0; i < DEPTH; i++, rest /= MOVES) {
            const char *move = moves[rest % MOVES];
            expected = follows(fake, expected, move);
            go(fake, move, expected);
        }
    }
    assert_int_equal(f->gone, 0);
}

static void states_come_in_any_order(void **state)
{
    (void)state;
    play_all_orders(f->disk);
}

static void so_they_do_where_a_front_end_need_not_close(void **state)
{
    (void)state;
    struct fake *net = create(&net_class, 0, 1);
    play_all_orders(net);
    xenbus_back_destroy(&net->back);
}

/* As Linux's back end of networks: it closes by itself, and nothing of the old connection is left.
 */
static void who_need_not_close_starts_over_from_any_state(void **state)
{
    (void)state;
    struct fake *net = create(&net_class, 0, 1);
    go(net, "4", XenbusStateConnected);
    go(net, "1", XenbusStateInitWait);
    assert_int_equal(net->disconnects, 1);
    assert_int_equal(net->published, 2);
    go(net, "1", XenbusStateInitWait); /* which is no start over */
    assert_int_equal(net->published, 2);
    go(net, "4", XenbusStateConnected);
    go(net, "5", XenbusStateClosing);
    go(net, "1", XenbusStateInitWait);
    assert_int_equal(net->disconnects, 2);
    go(net, "4", XenbusStateConnected);
    xenbus_back_fail(&net->back, -EPROTO, "broken");
    go(net, "1", XenbusStateInitWait);
    go(net, "4", XenbusStateConnected);
    go(net, "6", XenbusStateClosed);
    go(net, "4", XenbusStateConnected); /* the second time, as old Mini-OS does it */
    assert_int_equal(net->connects, 5);
    xenbus_back_destroy(&net->back);
}

static void who_starts_over_while_the_device_goes_has_none(void **state)
{
    (void)state;
    struct fake *net = create(&net_class, 0, 1);
    const struct xenbus_key key = net->back.key;
    go(net, "4", XenbusStateConnected);
    assert_false(xenbus_back_unplug(&net->back, false));
    set_front(&key, "state", "1");
    step();
    assert_int_equal(f->gone, 1);
    assert_string_equal(back_node(&key, "state"), "(none)");
}

/* Only the state at the time of looking counts, whatever was in between. */
static void flapping_between_looks_is_not_seen(void **state)
{
    (void)state;
    const struct xenbus_key *key = &f->disk->back.key;
    for (int i = 0; i < 200; i++) {
        set_front(key, "state", "3");
        set_front(key, "state", "6");
        set_front(key, "state", "1");
        set_front(key, "state", "4");
    }
    step();
    expect_state(f->disk, XenbusStateConnected);
    assert_int_equal(f->disk->connects, 1);
}

static uint32_t log_lines(void)
{
    uint32_t lines = 0;
    FILE *file = fopen(f->log_path, "r");
    assert_non_null(file);
    for (int c; (c = fgetc(file)) != EOF;)
        lines += c == '\n';
    fclose(file);
    return lines;
}

static bool log_has(const char *words)
{
    char line[256];
    bool found = false;
    FILE *file = fopen(f->log_path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL)
        found |= strstr(line, words) != NULL;
    fclose(file);
    return found;
}

static void each_step_is_told_once(void **state)
{
    (void)state;
    go(f->disk, "4", XenbusStateConnected);
    assert_true(log_has("domain 3: fakedisk 5: InitWait -> Connected"));
    uint32_t lines = log_lines();
    step();
    assert_int_equal(log_lines(), lines);
    go(f->disk, "5", XenbusStateClosing);
    assert_true(log_has("domain 3: fakedisk 5: Connected -> Closing"));
    assert_int_equal(log_lines(), lines + 1);
}

static void flapping_does_not_fill_the_log(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        go(f->disk, "4", XenbusStateConnected);
        go(f->disk, "99", XenbusStateClosing);
        go(f->disk, "6", XenbusStateClosed);
        go(f->disk, "1", XenbusStateInitWait);
    }
    assert_int_equal(f->disk->connects, 100);
    assert_in_range(log_lines(), 3, 4 * LOG_LIMIT_LINES);
}

static void a_device_that_cannot_offer_itself_again_fails(void **state)
{
    (void)state;
    go(f->disk, "4", XenbusStateConnected);
    go(f->disk, "6", XenbusStateClosed);
    set_front(&f->disk->back.key, "state", "1");
    store_is_full = true;
    step();
    store_is_full = false;
    assert_int_equal(f->losses, 1);
}

static void a_store_without_room_makes_no_device(void **state)
{
    (void)state;
    const uint32_t number = 1;
    const struct back_spec spec = {&disk_class, 6, &number};
    struct xenbus_back *back;
    store_is_full = true;
    int rc = xenbus_back_create(&f->host, &f->domain, &spec, &f->owner, &back);
    store_is_full = false;
    assert_int_equal(rc, -ENOMEM);
    assert_null(back);
    assert_int_equal(f->alive, 1);
}

static void a_number_of_the_front_end_may_be_missing_or_wrong(void **state)
{
    static const struct {
        const char *text; /* NULL: there is no node */
        int64_t fallback;
        int rc;
        uint64_t number;
    } row[] = {
        {"7", -1, 0, 7},        {"0x10", 5, 0, 0},      {"16", -1, 0, 16},
        {"17", -1, -ERANGE, 0}, {"17", 5, -ERANGE, 0},  {"x", -1, -EINVAL, 0},
        {"x", 5, 0, 5},         {NULL, -1, -ENOENT, 0}, {NULL, 0, 0, 0},
    };
    char path[XENBUS_PATH_MAX];
    (void)state;
    xenbus_front_path(path, &f->disk->back.key, "number");
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        uint64_t number = 99;
        if (row[i].text != NULL)
            assert_int_equal(xs_local_write(f->store, path, row[i].text), 0);
        else
            (void)xs_local_rm(f->store, path);
        assert_int_equal(
            xenbus_back_front_number(&f->disk->back, "number", 16, row[i].fallback, &number),
            row[i].rc);
        if (row[i].rc == 0)
            assert_int_equal(number, row[i].number);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BACK_TEST(who_cannot_be_told_of_the_end_is_given_up),
        BACK_TEST(a_start_without_a_close_is_not_heard),
        BACK_TEST(a_removed_node_ends_it),
        BACK_TEST(a_class_that_refuses_is_an_error),
        BACK_TEST(a_device_that_fails_serves_until_its_front_end_has_closed_it),
        BACK_TEST(states_that_make_no_sense_are_an_error),
        BACK_TEST(a_text_without_a_number_is_no_state),
        BACK_TEST(states_come_in_any_order),
        BACK_TEST(so_they_do_where_a_front_end_need_not_close),
        BACK_TEST(who_need_not_close_starts_over_from_any_state),
        BACK_TEST(who_starts_over_while_the_device_goes_has_none),
        BACK_TEST(flapping_between_looks_is_not_seen),
        BACK_TEST(each_step_is_told_once),
        BACK_TEST(flapping_does_not_fill_the_log),
        BACK_TEST(a_device_that_cannot_offer_itself_again_fails),
        BACK_TEST(a_store_without_room_makes_no_device),
        BACK_TEST(a_number_of_the_front_end_may_be_missing_or_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
