/* SPDX-License-Identifier: MIT */
/* xenbus_back: the xenbus states of a back end, with front ends that do as they should; the end. */

#include "unit/service/back/back_fixture.h"

static void it_offers_itself(void **state)
{
    (void)state;
    expect_state(f->disk, XenbusStateInitWait);
    assert_string_equal(back_node(&f->disk->back.key, "feature-fake"), "77");
    assert_int_equal(f->disk->published, 1);
}

static void three_steps_connect(void **state)
{
    (void)state;
    go(f->disk, "3", XenbusStateConnected);
    go(f->disk, "4", XenbusStateConnected);
    assert_int_equal(f->disk->connects, 1);
}

static void old_front_ends_go_from_one_to_four(void **state)
{
    (void)state;
    go(f->disk, "4", XenbusStateConnected);
}

static void closing_takes_two_steps_each(void **state)
{
    (void)state;
    go(f->disk, "3", XenbusStateConnected);
    go(f->disk, "4", XenbusStateConnected);
    go(f->disk, "5", XenbusStateClosing);
    assert_int_equal(f->disk->disconnects, 0); /* what is in flight is still answered */
    go(f->disk, "6", XenbusStateClosed);
    assert_int_equal(f->disk->disconnects, 1);
    writes = 0;
    go(f->disk, "6", XenbusStateClosed);
    assert_int_equal(f->disk->disconnects, 1);
    assert_int_equal(writes, 1); /* the front end's own: nobody is told again */
}

static void a_closed_front_end_may_start_over(void **state)
{
    (void)state;
    for (uint32_t life = 1; life <= 5; life++) {
        go(f->disk, "3", XenbusStateConnected);
        go(f->disk, "4", XenbusStateConnected);
        if (life % 2 == 0) /* politely, or at once */
            go(f->disk, "5", XenbusStateClosing);
        go(f->disk, "6", XenbusStateClosed);
        go(f->disk, "1", XenbusStateInitWait);
        assert_int_equal(f->disk->connects, life);
        assert_int_equal(f->disk->disconnects, life);
        assert_int_equal(f->disk->published, life + 1);
    }
}

static void a_new_size_is_told_to_who_is_connected(void **state)
{
    (void)state;
    const struct xenbus_key *key = &f->disk->back.key;
    xenbus_back_resize(&f->disk->back);
    assert_string_equal(back_node(key, "size"), "(none)");
    go(f->disk, "4", XenbusStateConnected);
    xenbus_back_resize(&f->disk->back);
    assert_string_equal(back_node(key, "size"), "1");
    expect_state(f->disk, XenbusStateConnected);
    /* A front end looks when the state is written again, as Linux' does. */
    step();
    set_back(key, "state", "rubbish");
    xenbus_back_resize(&f->disk->back);
    expect_state(f->disk, XenbusStateConnected);
    store_is_full = true;
    xenbus_back_resize(&f->disk->back);
    store_is_full = false;
    assert_int_equal(f->disk->back.state, XenbusStateClosing);
    assert_int_equal(f->losses, 1);
}

static void a_setting_is_told_at_once(void **state)
{
    (void)state;
    xenbus_back_configure(&f->disk->back);
    go(f->disk, "4", XenbusStateConnected);
    xenbus_back_configure(&f->disk->back);
    assert_int_equal(f->disk->configures, 2);
}

/* Neither directory is there, the device is freed, and nobody hears of its front end any more. */
static void expect_gone(const struct xenbus_key *key)
{
    assert_null(f->disk);
    assert_int_equal(f->gone, 1);
    assert_int_equal(f->alive, 0);
    assert_string_equal(back_node(key, "state"), "(none)");
    assert_string_equal(back_node(key, "online"), "(none)");
    set_front(key, "state", "1");
    step();
    assert_string_equal(back_node(key, "state"), "(none)");
}

/* As libxl does it: online = 0 and the back end's state 5; the front end closes in its own time. */
static void what_is_taken_away_goes_when_the_front_end_has_closed_it(void **state)
{
    (void)state;
    const struct xenbus_key key = f->disk->back.key;
    go(f->disk, "3", XenbusStateConnected);
    set_back(&key, "online", "0");
    set_back(&key, "state", "5");
    step();
    assert_int_equal(f->disk->disconnects, 0); /* reads go on until the front end gives it up */
    go(f->disk, "5", XenbusStateClosing);
    set_front(&key, "state", "6");
    step();
    expect_gone(&key);
}

/* The same by Dom0 itself, which says whether the device has gone already. */
static void dom0_takes_a_device_away(void **state)
{
    (void)state;
    const struct xenbus_key key = f->disk->back.key;
    go(f->disk, "3", XenbusStateConnected);
    assert_false(xenbus_back_unplug(&f->disk->back, false));
    step();
    assert_string_equal(back_node(&key, "online"), "0");
    assert_int_equal(f->disk->disconnects, 0);
    go(f->disk, "5", XenbusStateClosing);
    set_front(&key, "state", "6");
    step();
    expect_gone(&key);
}

/* Whatever its front end has done: at once where nothing is served, else when that closes. */
static void a_device_can_be_taken_away_in_every_state(void **state)
{
    (void)state;
    static const struct {
        const char *front[3]; /* states, one after the other */
        bool at_once;
    } cases[] = {{{NULL}, true},          {{"3"}, false},      {{"3", "4"}, false},
                 {{"4", "5"}, false},     {{"4", "6"}, true},  {{"5"}, true},
                 {{"6"}, true},           {{"4", "2"}, false}, {{"4", "rubbish"}, true},
                 {{"4", "6", "1"}, true}, {{"4", "99"}, false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct xenbus_key key = {disk_class.name, DOMID, (uint32_t)(5 + i)};
        if (f->disk == NULL)
            f->disk = create(&disk_class, key.devid, 77);
        for (int k = 0; k < 3 && cases[i].front[k] != NULL; k++) {
            set_front(&key, "state", cases[i].front[k]);
            step();
        }
        assert_int_equal(xenbus_back_unplug(&f->disk->back, false), cases[i].at_once);
        step();
        if (!cases[i].at_once) {
            assert_string_equal(back_node(&key, "state"), "5");
            set_front(&key, "state", "6");
            step();
        }
        assert_null(f->disk);
        assert_string_equal(back_node(&key, "online"), "(none)");
    }
    assert_int_equal(f->alive, 0);
}

/* A front end that has not looked yet must still find that it is to close. */
static void a_new_size_does_not_keep_what_is_taken_away(void **state)
{
    (void)state;
    const struct xenbus_key key = f->disk->back.key;
    go(f->disk, "4", XenbusStateConnected);
    assert_false(xenbus_back_unplug(&f->disk->back, false));
    xenbus_back_resize(&f->disk->back);
    assert_string_equal(back_node(&key, "state"), "5");
    set_front(&key, "state", "6");
    step();
    expect_gone(&key);
}

static void dom0_takes_a_device_away_by_force(void **state)
{
    (void)state;
    const struct xenbus_key key = f->disk->back.key;
    go(f->disk, "3", XenbusStateConnected);
    assert_true(xenbus_back_unplug(&f->disk->back, true));
    expect_gone(&key);
}

static void what_is_taken_away_is_not_offered_again(void **state)
{
    (void)state;
    const struct xenbus_key key = f->disk->back.key;
    go(f->disk, "4", XenbusStateConnected);
    set_back(&key, "online", "0");
    go(f->disk, "1", XenbusStateConnected);
    set_front(&key, "state", "6");
    step();
    expect_gone(&key);
}

/* xenstore-rm of both directories, without asking. */
static void what_is_torn_out_is_gone(void **state)
{
    (void)state;
    const struct xenbus_key key = f->disk->back.key;
    go(f->disk, "4", XenbusStateConnected);
    xenbus_back_remove_nodes(f->store, &key);
    step();
    expect_gone(&key);
}

/* Each has its own nodes, states, errors and end. */
static void expect_apart(struct fake *one, struct fake *other)
{
    go(one, "4", XenbusStateConnected);
    expect_state(other, XenbusStateInitWait);
    go(other, "4", XenbusStateConnected);
    go(one, "99", XenbusStateClosing);
    assert_string_not_equal(error_node(&one->back.key), "(none)");
    assert_string_equal(error_node(&other->back.key), "(none)");
    expect_state(other, XenbusStateConnected);
    go(one, "6", XenbusStateClosed);
    go(one, "1", XenbusStateInitWait);
    go(one, "3", XenbusStateConnected);
    assert_int_equal(other->connects, 1);
    assert_int_equal(other->disconnects, 0);
}

static void two_devices_of_a_class_do_not_meet(void **state)
{
    (void)state;
    struct fake *second = create(&disk_class, 6, 78);
    assert_string_equal(back_node(&second->back.key, "feature-fake"), "78");
    assert_string_equal(back_node(&f->disk->back.key, "feature-fake"), "77");
    expect_apart(f->disk, second);
    /* One goes, the other stays. */
    set_back(&f->disk->back.key, "online", "0");
    set_front(&f->disk->back.key, "state", "6");
    step();
    assert_null(f->disk);
    assert_int_equal(f->alive, 1);
    expect_state(second, XenbusStateConnected);
    go(second, "6", XenbusStateClosed);
    xenbus_back_destroy(&second->back);
}

static void the_same_number_in_two_classes_is_two_devices(void **state)
{
    (void)state;
    struct fake *net = create(&net_class, 5, 79);
    assert_string_equal(back_node(&net->back.key, "feature-fake"), "79");
    expect_apart(f->disk, net);
    xenbus_back_resize(&net->back); /* nothing that it has */
    xenbus_back_configure(&net->back);
    expect_state(net, XenbusStateConnected);
    xenbus_back_destroy(&net->back); /* at once, while it serves */
    expect_state(f->disk, XenbusStateConnected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BACK_TEST(it_offers_itself),
        BACK_TEST(three_steps_connect),
        BACK_TEST(old_front_ends_go_from_one_to_four),
        BACK_TEST(closing_takes_two_steps_each),
        BACK_TEST(a_closed_front_end_may_start_over),
        BACK_TEST(a_new_size_is_told_to_who_is_connected),
        BACK_TEST(a_setting_is_told_at_once),
        BACK_TEST(what_is_taken_away_goes_when_the_front_end_has_closed_it),
        BACK_TEST(dom0_takes_a_device_away),
        BACK_TEST(dom0_takes_a_device_away_by_force),
        BACK_TEST(a_device_can_be_taken_away_in_every_state),
        BACK_TEST(a_new_size_does_not_keep_what_is_taken_away),
        BACK_TEST(what_is_taken_away_is_not_offered_again),
        BACK_TEST(what_is_torn_out_is_gone),
        BACK_TEST(two_devices_of_a_class_do_not_meet),
        BACK_TEST(the_same_number_in_two_classes_is_two_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
