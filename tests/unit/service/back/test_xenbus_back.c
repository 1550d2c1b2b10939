/* SPDX-License-Identifier: MIT */
/* xenbus_back: the xenbus states of a back end, for classes that only count, against a real store
 * and every kind of front end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/container_of.h"
#include "service/back/xenbus_back.h"
#include "xenstore/xenbus_state.h"

enum { DOMID = 3 };

/* A device that does nothing but note what it is told. */
struct fake {
    struct xenbus_back back;
    uint32_t number; /* the options that it was created with */
    uint32_t published, connects, disconnects, resizes, configures;
};

struct fixture {
    char log_path[64];
    struct log *log;
    struct log_limit log_limit;
    struct xs_server *store;
    struct back_host host;
    struct back_settings settings;
    struct back_domain domain;
    struct back_owner owner;
    struct fake *disk; /* class "fakedisk", number 5: in all tests */
    int refuses;       /* connect of every class: -errno */
    uint32_t alive, gone, losses;
};

static struct fixture *f;

/* ---- two classes ---- */

static struct fake *of_back(struct xenbus_back *back)
{
    return container_of(back, struct fake, back);
}

static int fake_create(const struct back_domain *domain, const void *options,
                       struct xenbus_back **out)
{
    assert_ptr_equal(domain, &f->domain);
    struct fake *fake = calloc(1, sizeof(*fake));
    assert_non_null(fake);
    fake->number = *(const uint32_t *)options;
    f->alive++;
    *out = &fake->back;
    return 0;
}

static void fake_destroy(struct xenbus_back *back)
{
    assert_int_equal(of_back(back)->connects, of_back(back)->disconnects);
    f->alive--;
    free(of_back(back));
}

static int fake_publish(struct xenbus_back *back)
{
    assert_int_equal(of_back(back)->connects, of_back(back)->disconnects);
    of_back(back)->published++;
    return xenbus_back_put(back, "feature-fake", "%u", of_back(back)->number);
}

static int fake_connect(struct xenbus_back *back, const char **what)
{
    assert_int_equal(of_back(back)->connects, of_back(back)->disconnects);
    assert_true(xenbus_state_back_is_waiting(back->state));
    *what = "it is fake";
    if (f->refuses < 0)
        return f->refuses;
    of_back(back)->connects++;
    return 0;
}

static void fake_disconnect(struct xenbus_back *back)
{
    of_back(back)->disconnects++;
    assert_int_equal(of_back(back)->connects, of_back(back)->disconnects);
}

static int fake_resize(struct xenbus_back *back)
{
    return xenbus_back_put(back, "size", "%u", ++of_back(back)->resizes);
}

static void fake_configure(struct xenbus_back *back)
{
    of_back(back)->configures++;
}

static const struct back_class disk_class = {.name = "fakedisk",
                                             .create = fake_create,
                                             .destroy = fake_destroy,
                                             .publish = fake_publish,
                                             .connect = fake_connect,
                                             .disconnect = fake_disconnect,
                                             .resize = fake_resize,
                                             .configure = fake_configure};
/* Has no size, and no interest in settings. */
static const struct back_class net_class = {.name = "fakenet",
                                            .create = fake_create,
                                            .destroy = fake_destroy,
                                            .publish = fake_publish,
                                            .connect = fake_connect,
                                            .disconnect = fake_disconnect};

/* ---- the store ---- */

/* The linker sends all writes of this process to us. */
static bool store_is_full;
static uint32_t writes;
int __real_xs_local_write(struct xs_server *server, const char *path, const char *value);
int __wrap_xs_local_write(struct xs_server *server, const char *path, const char *value);
int __wrap_xs_local_write(struct xs_server *server, const char *path, const char *value)
{
    writes++;
    return store_is_full ? -ENOMEM : __real_xs_local_write(server, path, value);
}

static void lost(void *ctx)
{
    assert_ptr_equal(ctx, f);
    if (!store_is_full)
        fail_msg("there was memory enough");
    f->losses++;
}

static void gone(void *ctx, struct xenbus_back *back)
{
    assert_ptr_equal(ctx, f);
    if (&f->disk->back == back)
        f->disk = NULL;
    f->gone++;
    xenbus_back_destroy(back);
}

/* Lets the back ends see what happened. */
static void step(void)
{
    for (int i = 0; i < 100 && xs_server_run(f->store, 16); i++) {
    }
    assert_true(xs_server_idle(f->store));
}

static void set_front(const struct xenbus_key *key, const char *node, const char *value)
{
    char path[XENBUS_PATH_MAX];
    xenbus_front_path(path, key, node);
    int rc = value != NULL ? xs_local_write(f->store, path, value) : xs_local_rm(f->store, path);
    assert_int_equal(rc, 0);
}

static void set_back(const struct xenbus_key *key, const char *node, const char *value)
{
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, key, node);
    assert_int_equal(xs_local_write(f->store, path, value), 0);
}

static const char *back_node(const struct xenbus_key *key, const char *node)
{
    static char value[256];
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, key, node);
    return xs_local_read(f->store, path, value, sizeof(value)) < 0 ? "(none)" : value;
}

static const char *error_node(const struct xenbus_key *key)
{
    static char value[256];
    char path[XENBUS_PATH_MAX];
    xenbus_error_path(path, key);
    return xs_local_read(f->store, path, value, sizeof(value)) < 0 ? "(none)" : value;
}

static struct fake *create(const struct back_class *class, uint32_t devid, uint32_t number)
{
    const struct back_spec spec = {class, devid, &number};
    const struct xenbus_key key = {class->name, DOMID, devid};
    struct xenbus_back *back;
    set_back(&key, "online", "1"); /* the toolstack's */
    set_front(&key, "state", "1");
    assert_int_equal(xenbus_back_create(&f->host, &f->domain, &spec, &f->owner, &back), 0);
    step();
    return of_back(back);
}

static int setup(void **state)
{
    (void)state;
    f = calloc(1, sizeof(*f));
    if (f == NULL || xs_server_create(NULL, &f->store) < 0 ||
        xs_server_introduce(f->store, DOMID) < 0)
        return -1;
    snprintf(f->log_path, sizeof(f->log_path), "/tmp/splitdom-back-XXXXXX");
    int fd = mkstemp(f->log_path);
    close(fd);
    if (log_open(&(struct log_options){.path = f->log_path}, &f->log) < 0)
        return -1;
    f->host = (struct back_host){.store = f->store, .log = f->log, .log_limit = &f->log_limit};
    f->domain = (struct back_domain){.domid = DOMID, .settings = &f->settings};
    f->owner = (struct back_owner){.lost = lost, .gone = gone, .ctx = f};
    f->disk = create(&disk_class, 5, 77);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char old[80];
    xenbus_back_destroy(f->disk != NULL ? &f->disk->back : NULL);
    assert_int_equal(f->alive, 0);
    xs_server_destroy(f->store);
    log_close(f->log);
    unlink(f->log_path);
    snprintf(old, sizeof(old), "%s.old", f->log_path);
    unlink(old);
    free(f);
    return 0;
}

/* Our state is what the store says, and the class serves exactly when it must. */
static void expect_state(const struct fake *fake, enum xenbus_state state)
{
    assert_int_equal(fake->back.state, state);
    assert_int_equal(atoi(back_node(&fake->back.key, "state")), (int)state);
    bool serves = fake->connects != fake->disconnects;
    if (state == XenbusStateConnected)
        assert_true(serves);
    if (state == XenbusStateInitWait || state == XenbusStateClosed)
        assert_false(serves);
}

static void go(struct fake *fake, const char *front, enum xenbus_state expected)
{
    set_front(&fake->back.key, "state", front);
    step();
    expect_state(fake, expected);
}

/* ---- one device ---- */

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
static enum xenbus_state follows(enum xenbus_state back, const char *front)
{
    const bool ends = back == XenbusStateClosing || back == XenbusStateClosed;
    switch (front == NULL ? '6' : front[0]) {
    case '1':
        return back == XenbusStateClosed ? XenbusStateInitWait : back;
    case '3':
    case '4':
        return back == XenbusStateInitWait ? XenbusStateConnected : back;
    case '6':
        return XenbusStateClosed;
    default: /* 5, and all that a front end never is */
        return ends ? back : XenbusStateClosing;
    }
}

/* Every order of what a front end can do, five deep. */
static void states_come_in_any_order(void **state)
{
    (void)state;
    static const char *const moves[] = {"1", "2", "3", "4", "5", "6", NULL};
    enum { MOVES = sizeof(moves) / sizeof(moves[0]), DEPTH = 5 };
    uint32_t orders = 1;
    for (int i = 0; i < DEPTH; i++)
        orders *= MOVES;
    for (uint32_t order = 0; order < orders; order++) {
        uint32_t rest = order;
        enum xenbus_state expected = f->disk->back.state;
        for (int i = 0; i < DEPTH; i++, rest /= MOVES) {
            const char *move = moves[rest % MOVES];
            expected = follows(expected, move);
            go(f->disk, move, expected);
        }
    }
    assert_int_equal(f->gone, 0);
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

static void a_setting_is_told_at_once(void **state)
{
    (void)state;
    xenbus_back_configure(&f->disk->back);
    go(f->disk, "4", XenbusStateConnected);
    xenbus_back_configure(&f->disk->back);
    assert_int_equal(f->disk->configures, 2);
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

/* ---- unplug ---- */

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

/* ---- several devices ---- */

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
#define BACK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        BACK_TEST(it_offers_itself),
        BACK_TEST(three_steps_connect),
        BACK_TEST(old_front_ends_go_from_one_to_four),
        BACK_TEST(closing_takes_two_steps_each),
        BACK_TEST(who_cannot_be_told_of_the_end_is_given_up),
        BACK_TEST(a_closed_front_end_may_start_over),
        BACK_TEST(a_start_without_a_close_is_not_heard),
        BACK_TEST(a_removed_node_ends_it),
        BACK_TEST(a_class_that_refuses_is_an_error),
        BACK_TEST(a_device_that_fails_serves_until_its_front_end_has_closed_it),
        BACK_TEST(states_that_make_no_sense_are_an_error),
        BACK_TEST(a_text_without_a_number_is_no_state),
        BACK_TEST(states_come_in_any_order),
        BACK_TEST(flapping_between_looks_is_not_seen),
        BACK_TEST(flapping_does_not_fill_the_log),
        BACK_TEST(a_new_size_is_told_to_who_is_connected),
        BACK_TEST(a_device_that_cannot_offer_itself_again_fails),
        BACK_TEST(a_setting_is_told_at_once),
        BACK_TEST(a_store_without_room_makes_no_device),
        BACK_TEST(what_is_taken_away_goes_when_the_front_end_has_closed_it),
        BACK_TEST(dom0_takes_a_device_away),
        BACK_TEST(dom0_takes_a_device_away_by_force),
        BACK_TEST(what_is_taken_away_is_not_offered_again),
        BACK_TEST(what_is_torn_out_is_gone),
        BACK_TEST(two_devices_of_a_class_do_not_meet),
        BACK_TEST(the_same_number_in_two_classes_is_two_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
