/* SPDX-License-Identifier: MIT */
/*
 * back_fixture: two classes of devices that only note what they are told, with a real store. Each
 * program that includes this has one fixture, f, and is linked with --wrap for xs_local_write.
 */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_BACK_BACK_FIXTURE_H
#define SPLITDOM_TESTS_UNIT_SERVICE_BACK_BACK_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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

static inline struct fake *of_back(struct xenbus_back *back)
{
    return container_of(back, struct fake, back);
}

static inline int fake_create(const struct back_domain *domain, const void *options,
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

static inline void fake_destroy(struct xenbus_back *back)
{
    assert_int_equal(of_back(back)->connects, of_back(back)->disconnects);
    f->alive--;
    free(of_back(back));
}

static inline int fake_publish(struct xenbus_back *back)
{
    assert_int_equal(of_back(back)->connects, of_back(back)->disconnects);
    of_back(back)->published++;
    return xenbus_back_put(back, "feature-fake", "%u", of_back(back)->number);
}

static inline int fake_connect(struct xenbus_back *back, const char **what)
{
    assert_int_equal(of_back(back)->connects, of_back(back)->disconnects);
    assert_true(xenbus_state_back_is_waiting(back->state));
    *what = "it is fake";
    if (f->refuses < 0)
        return f->refuses;
    of_back(back)->connects++;
    return 0;
}

static inline void fake_disconnect(struct xenbus_back *back)
{
    of_back(back)->disconnects++;
    assert_int_equal(of_back(back)->connects, of_back(back)->disconnects);
}

static inline int fake_resize(struct xenbus_back *back)
{
    return xenbus_back_put(back, "size", "%u", ++of_back(back)->resizes);
}

static inline void fake_configure(struct xenbus_back *back)
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
/* Has no size, and no interest in settings. Its front ends need not close. */
static const struct back_class net_class = {.name = "fakenet",
                                            .starts_over = true,
                                            .create = fake_create,
                                            .destroy = fake_destroy,
                                            .publish = fake_publish,
                                            .connect = fake_connect,
                                            .disconnect = fake_disconnect};

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

static inline void lost(void *ctx)
{
    assert_ptr_equal(ctx, f);
    if (!store_is_full)
        fail_msg("there was memory enough");
    f->losses++;
}

static inline void gone(void *ctx, struct xenbus_back *back)
{
    assert_ptr_equal(ctx, f);
    if (&f->disk->back == back)
        f->disk = NULL;
    f->gone++;
    xenbus_back_destroy(back);
}

/* Lets the back ends see what happened. */
static inline void step(void)
{
    for (int i = 0; i < 100 && xs_server_run(f->store, 16); i++) {
    }
    assert_true(xs_server_idle(f->store));
}

static inline void set_front(const struct xenbus_key *key, const char *node, const char *value)
{
    char path[XENBUS_PATH_MAX];
    xenbus_front_path(path, key, node);
    int rc = value != NULL ? xs_local_write(f->store, path, value) : xs_local_rm(f->store, path);
    assert_int_equal(rc, 0);
}

static inline void set_back(const struct xenbus_key *key, const char *node, const char *value)
{
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, key, node);
    assert_int_equal(xs_local_write(f->store, path, value), 0);
}

static inline const char *back_node(const struct xenbus_key *key, const char *node)
{
    static char value[256];
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, key, node);
    return xs_local_read(f->store, path, value, sizeof(value)) < 0 ? "(none)" : value;
}

static inline const char *error_node(const struct xenbus_key *key)
{
    static char value[256];
    char path[XENBUS_PATH_MAX];
    xenbus_error_path(path, key);
    return xs_local_read(f->store, path, value, sizeof(value)) < 0 ? "(none)" : value;
}

static inline struct fake *create(const struct back_class *class, uint32_t devid, uint32_t number)
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

static inline int setup(void **state)
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

static inline int teardown(void **state)
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
static inline void expect_state(const struct fake *fake, enum xenbus_state state)
{
    assert_int_equal(fake->back.state, state);
    assert_int_equal(atoi(back_node(&fake->back.key, "state")), (int)state);
    bool serves = fake->connects != fake->disconnects;
    if (state == XenbusStateConnected)
        assert_true(serves);
    if (state == XenbusStateInitWait || state == XenbusStateClosed)
        assert_false(serves);
}

static inline void go(struct fake *fake, const char *front, enum xenbus_state expected)
{
    set_front(&fake->back.key, "state", front);
    step();
    expect_state(fake, expected);
}

#define BACK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
