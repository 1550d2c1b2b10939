/* SPDX-License-Identifier: MIT */
/*
 * xenbus_front: the states of a device, of a class that knows no ring, against a real store and the
 * back end of a Dom0 that asks for none.
 */
#include <errno.h>
#include <string.h>

#include "unit/domu/xenbus_front_fixture.h"
#include "xenstore/server/xs_local.h"

static void a_token_is_noted_for_its_device_alone(void **state)
{
    (void)state;
    meet(&(struct fake_dom0_script){0});
    fronts_note(&fronts, "vbd/51728");
    assert_false(front.changed);
    assert_true(other.changed);
    assert_false(fronts.shutdown);
    fronts_note(&fronts, "vbd/5172");
    fronts_note(&fronts, "vif/51712");
    assert_false(front.changed);
    fronts_note(&fronts, fronts_shutdown_token);
    assert_true(fronts.shutdown);
}

static void a_device_that_is_not_there_is_told(void **state)
{
    (void)state;
    meet(&(struct fake_dom0_script){0});
    struct xenbus_front none;
    xenbus_front_init(&none, &class, &fronts, &life, 7);
    assert_int_equal(xenbus_front_find_back(&none, &step), -ENODEV);
    assert_non_null(strstr(step, "find"));
}

static void a_back_end_that_talks_to_another_is_refused(void **state)
{
    (void)state;
    meet(&(struct fake_dom0_script){.skip_init_wait = true});
    assert_int_equal(xenbus_front_find_back(&front, &step), -EPROTO);
}

static void a_refused_offer_is_told(void **state)
{
    (void)state;
    meet(&(struct fake_dom0_script){.refuse_ring = true});
    assert_int_equal(xenbus_front_find_back(&front, &step), 0);
    assert_int_equal(xenbus_front_offer(&front, write_ring, &step), -ECONNREFUSED);
}

/* The request that met that says little. */
static void a_device_that_was_taken_away_is_told_as_such(void **state)
{
    (void)state;
    struct xenbus_front none;
    meet(&(struct fake_dom0_script){0});
    xenbus_front_init(&none, &class, &fronts, &life, 7);
    assert_int_equal(xenbus_front_fail(&none, -EACCES, "do it", why, sizeof(why)), -ENODEV);
    assert_non_null(strstr(why, "Dom0 took the device away"));
    assert_int_equal(xenbus_front_fail(&none, -ETIME, "do it", why, sizeof(why)), -ETIME);
    assert_string_equal(why, "cannot do it: Timer expired");
    assert_int_equal(xenbus_front_fail(&front, -EACCES, "do it", why, sizeof(why)), -EACCES);
    assert_string_equal(why, "cannot do it: Permission denied");
}

static int write_nothing(struct xenbus_front *xenbus, uint32_t tx)
{
    (void)xenbus_front_put(xenbus, tx, "ring-ref", "%d", 1);
    return -EINVAL;
}

/* Not even what was written before the failure. */
static void an_offer_that_fails_leaves_nothing(void **state)
{
    (void)state;
    char value[16];
    meet(&(struct fake_dom0_script){0});
    assert_int_equal(xenbus_front_find_back(&front, &step), 0);
    assert_int_equal(xenbus_front_offer(&front, write_nothing, &step), -EINVAL);
    assert_int_equal(
        xs_client_read(life.store, 0, "device/vbd/51712/ring-ref", value, sizeof(value)), -ENOENT);
    assert_int_equal(xs_client_read(life.store, 0, "device/vbd/51712/state", value, sizeof(value)),
                     1);
    assert_string_equal(value, "1");
}

static void touch_the_other_disk(struct fake_dom0 *d, struct xs_server *store)
{
    (void)d;
    if (xs_local_write(store, "/local/domain/0/backend/vbd/3/51728/state", "2") < 0)
        abort();
}

static void an_event_of_another_device_is_not_lost(void **state)
{
    (void)state;
    meet(&(struct fake_dom0_script){.change_nodes = touch_the_other_disk});
    assert_int_equal(xenbus_front_find_back(&other, &step), 0);
    assert_int_equal(xenbus_front_find_back(&front, &step), 0);
    other.changed = false;
    assert_int_equal(xenbus_front_offer(&front, write_ring, &step), 0);
    while (!other.changed) { /* not noted during a wait: it still waits itself */
        char path[XENBUS_FRONT_PATH_MAX], token[XENBUS_FRONT_NAME_MAX];
        assert_int_equal(life_next_event(&life, path, sizeof(path), token, sizeof(token)), 0);
        fronts_note(&fronts, token);
    }
}

static void a_closed_device_is_opened_again(void **state)
{
    (void)state;
    meet(&(struct fake_dom0_script){0});
    for (int i = 0; i < 3; i++) {
        assert_int_equal(xenbus_front_find_back(&front, &step), 0);
        assert_int_equal(xenbus_front_offer(&front, write_ring, &step), 0);
        assert_int_equal(xenbus_front_connected(&front), 0);
        assert_int_equal(xenbus_front_back_state(&front), XenbusStateConnected);
        xenbus_front_close(&front);
        assert_int_equal(xenbus_front_back_state(&front), XenbusStateClosed);
    }
}

static void each_token_says_one_thing(void **state)
{
    (void)state;
    meet(&(struct fake_dom0_script){0});
    const struct {
        const char *token;
        bool *flag;
    } rows[] = {{fronts_shutdown_token, &fronts.shutdown},
                {fronts_clock_token, &fronts.clock},
                {fronts_share_token, &fronts.share},
                {fronts_trace_token, &fronts.trace}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fronts_note(&fronts, rows[i].token);
        for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
            assert_int_equal(*rows[k].flag, k == i);
        *rows[i].flag = false;
    }
}

static int traced;

static void count_trace(struct xenbus_front *xenbus)
{
    traced += xenbus == &other ? 10 : 1;
}

static void only_devices_that_can_be_traced_are(void **state)
{
    (void)state;
    static const struct front_class can = {.name = "vif", .trace = count_trace};
    meet(&(struct fake_dom0_script){0});
    traced = 0;
    fronts_trace(&fronts);
    assert_int_equal(traced, 0);
    other.class = &can;
    fronts_trace(&fronts);
    assert_int_equal(traced, 10);
}

static void give_numbers(struct fake_dom0 *d, struct xs_server *store)
{
    (void)store;
    fake_dom0_node(d, "sectors", "100");
    fake_dom0_node(d, "odd", "x");
}

static void a_number_of_the_back_end_may_be_absent(void **state)
{
    (void)state;
    uint64_t number = 0;
    meet(&(struct fake_dom0_script){.change_features = give_numbers});
    assert_int_equal(xenbus_front_find_back(&front, &step), 0);
    assert_int_equal(xenbus_front_number(&front, "sectors", 100, 7, &number), 0);
    assert_int_equal(number, 100);
    assert_true(xenbus_front_number(&front, "sectors", 99, 7, &number) < 0);
    assert_true(xenbus_front_number(&front, "odd", 99, 7, &number) < 0);
    assert_int_equal(xenbus_front_number(&front, "none", 99, 7, &number), 0);
    assert_int_equal(number, 7);
}

static void own_nodes_are_written_read_and_removed(void **state)
{
    (void)state;
    char value[16];
    meet(&(struct fake_dom0_script){0});
    assert_int_equal(xenbus_front_has(&front, 0, "note"), 0);
    assert_int_equal(xenbus_front_own(&front, "note", value, sizeof(value)), -ENOENT);
    assert_int_equal(xenbus_front_put(&front, 0, "note", "%d-%s", 5, "a"), 0);
    assert_int_equal(xenbus_front_has(&front, 0, "note"), 1);
    assert_int_equal(xenbus_front_has(&other, 0, "note"), 0);
    assert_int_equal(xenbus_front_own(&front, "note", value, sizeof(value)), 3);
    assert_string_equal(value, "5-a");
    assert_int_equal(xenbus_front_remove(&front, 0, "note"), 0);
    assert_int_equal(xenbus_front_has(&front, 0, "note"), 0);
    assert_int_equal(xenbus_front_remove(&front, 0, "note"), 0); /* it is not there, as wanted */
    assert_int_equal(xenbus_front_put(&front, 0, "long", "%040d", 7), 0);
    assert_int_equal(xenbus_front_has(&front, 0, "long"), 1); /* whatever its length */
}

/* Of a device that had one queue there are none to remove; nothing else of it is touched. */
static void the_queues_of_before_are_removed(void **state)
{
    (void)state;
    meet(&(struct fake_dom0_script){0});
    assert_int_equal(xenbus_front_put(&front, 0, "queue-0/ring-ref", "8"), 0);
    assert_int_equal(xenbus_front_put(&front, 0, "queue-2/ring-ref", "9"), 0);
    assert_int_equal(xenbus_front_put(&front, 0, "queue-3/ring-ref", "10"), 0);
    assert_int_equal(xenbus_front_remove_queues(&front, 0, 3), 0);
    assert_int_equal(xenbus_front_has(&front, 0, "queue-0"), 1);
    assert_int_equal(xenbus_front_put(&front, 0, "multi-queue-num-queues", "3"), 0);
    assert_int_equal(xenbus_front_remove_queues(&front, 0, 3), 0);
    assert_int_equal(xenbus_front_has(&front, 0, "multi-queue-num-queues"), 0);
    assert_int_equal(xenbus_front_has(&front, 0, "queue-0"), 0);
    assert_int_equal(xenbus_front_has(&front, 0, "queue-2"), 0);
    assert_int_equal(xenbus_front_has(&front, 0, "queue-3"), 1);
}

static void a_back_end_that_is_gone_is_unknown(void **state)
{
    (void)state;
    meet(&(struct fake_dom0_script){0});
    assert_int_equal(xenbus_front_find_back(&front, &step), 0);
    assert_int_equal(xenbus_front_back_state(&front), XenbusStateInitWait);
    snprintf(front.backend, sizeof(front.backend), "/local/domain/0/backend/vbd/3/999");
    assert_int_equal(xenbus_front_back_state(&front), XenbusStateUnknown);
}

static void who_watches_twice_watches_once(void **state)
{
    (void)state;
    meet(&(struct fake_dom0_script){0});
    assert_int_equal(xenbus_front_find_back(&front, &step), 0);
    assert_int_equal(xenbus_front_watch_back(&front, "state"), 0);
    assert_int_equal(xenbus_front_watch_back(&front, "state"), 0);
    fake_dom0_stop(dom0);
    dom0 = NULL;
    assert_true(xenbus_front_watch_back(&front, "sectors") < 0);
    xenbus_front_close(&front); /* of a dead Dom0: nothing, and no wait */
}

int main(void)
{
#define FRONT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        FRONT_TEST(a_token_is_noted_for_its_device_alone),
        FRONT_TEST(a_device_that_is_not_there_is_told),
        FRONT_TEST(a_back_end_that_talks_to_another_is_refused),
        FRONT_TEST(a_refused_offer_is_told),
        FRONT_TEST(a_device_that_was_taken_away_is_told_as_such),
        FRONT_TEST(an_offer_that_fails_leaves_nothing),
        FRONT_TEST(an_event_of_another_device_is_not_lost),
        FRONT_TEST(a_closed_device_is_opened_again),
        FRONT_TEST(each_token_says_one_thing),
        FRONT_TEST(only_devices_that_can_be_traced_are),
        FRONT_TEST(a_number_of_the_back_end_may_be_absent),
        FRONT_TEST(own_nodes_are_written_read_and_removed),
        FRONT_TEST(the_queues_of_before_are_removed),
        FRONT_TEST(a_back_end_that_is_gone_is_unknown),
        FRONT_TEST(who_watches_twice_watches_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
