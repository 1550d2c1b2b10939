/* SPDX-License-Identifier: MIT */
/* listener: strangers who knock at a socket in a directory of their own. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "faults/fault_walk.h"
#include "service/loop/listener.h"

enum { HANG_S = 60, CALLERS = 3 };

static char base[64], path[80], log_path[80]; /* the log beside the directory, not in it */
static struct log *logger;
static struct log_limit limit;
static struct listener listener;
static int caller[CALLERS], taken[CALLERS];

static int setup(void **state)
{
    (void)state;
    alarm(HANG_S);
    snprintf(base, sizeof(base), "/tmp/splitdom-listener-XXXXXX");
    if (mkdtemp(base) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/door", base);
    snprintf(log_path, sizeof(log_path), "%s.log", base);
    for (int i = 0; i < CALLERS; i++)
        caller[i] = taken[i] = -1;
    limit = (struct log_limit){0};
    listener = (struct listener){.limit = &limit,
                                 .name = "door",
                                 .what = "the listener of door",
                                 .type = SOCK_STREAM | SOCK_NONBLOCK,
                                 .backlog = CALLERS};
    if (log_open(&(struct log_options){.path = log_path}, &logger) < 0 ||
        poller_create(POLLER_EPOLL, &listener.poller) < 0)
        return -1;
    listener.log = logger;
    return listener_open(&listener, path);
}

static int teardown(void **state)
{
    (void)state;
    listener_close(&listener);
    poller_destroy(listener.poller);
    log_close(logger);
    for (int i = 0; i < CALLERS; i++) {
        if (caller[i] >= 0)
            close(caller[i]);
        if (taken[i] >= 0)
            close(taken[i]);
    }
    (void)unlink(log_path);
    (void)rmdir(base); /* one test has done so */
    alarm(0);
    return 0;
}

static void knock(int i)
{
    caller[i] = unix_socket_connect(path, SOCK_STREAM, HANG_S);
    assert_true(caller[i] >= 0);
}

static void hear(void)
{
    assert_true(poller_run(listener.poller, true) > 0);
    assert_true(listener.waits);
}

static void assert_nobody_waits(void)
{
    assert_int_equal(listener_accept(&listener, 0), -EAGAIN);
    assert_false(listener.waits);
}

static void who_knocks_is_taken_in(void **state)
{
    (void)state;
    assert_false(listener.waits);
    assert_false(listener_has_queue(&listener));
    knock(0);
    knock(1);
    hear();
    assert_true(listener_has_queue(&listener));
    for (int i = 0; i < 2; i++)
        assert_true((taken[i] = listener_accept(&listener, 0)) >= 0);
    assert_true(listener.waits); /* nobody has said that there is no more */
    assert_nobody_waits();
    assert_false(listener_must_retry(&listener));
}

static void who_finds_no_descriptor_is_tried_again(void **state)
{
    struct rlimit before, none;
    (void)state;
    knock(0);
    hear();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int rc = listener_accept(&listener, 0);
    bool waits = listener.waits;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(rc, -EAGAIN);
    assert_false(waits); /* nobody is kept awake by them */
    assert_true(listener_must_retry(&listener));
    listener_retry(&listener);
    assert_true(listener.waits);
    assert_true((taken[0] = listener_accept(&listener, 0)) >= 0);
    assert_nobody_waits();
    listener_retry(&listener);
    assert_false(listener.waits);
}

static void a_name_that_is_gone_is_made_again(void **state)
{
    (void)state;
    knock(0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(listener_renew(&listener), 0);
    assert_true(listener.waits); /* somebody may have come before it was watched */
    assert_nobody_waits();       /* those of the old socket are lost */
    knock(1);
    hear();
    assert_true((taken[1] = listener_accept(&listener, 0)) >= 0);
}

static void a_name_that_is_there_stays(void **state)
{
    (void)state;
    knock(0);
    assert_int_equal(listener_renew(&listener), 0);
    hear();
    assert_true((taken[0] = listener_accept(&listener, 0)) >= 0);
}

static void a_socket_that_cannot_be_made_again_goes_on(void **state)
{
    (void)state;
    knock(0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(base), 0);
    assert_int_equal(listener_renew(&listener), -ENOENT);
    hear();
    assert_true((taken[0] = listener_accept(&listener, 0)) >= 0);
}

static void a_closed_one_has_no_name_and_is_not_made_again(void **state)
{
    (void)state;
    listener_close(&listener);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(listener_renew(&listener), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_false(listener_must_retry(&listener));
}

static int listen_elsewhere(void *arg)
{
    struct listener other = listener;
    char place[96];
    (void)arg;
    snprintf(place, sizeof(place), "%s/other", base);
    int rc = listener_open(&other, place);
    listener_close(&other);
    if (rc < 0)
        assert_int_equal(access(place, F_OK), -1);
    return rc;
}

static void what_cannot_be_opened_leaves_nothing(void **state)
{
    (void)state;
    assert_true(fault_walk(listen_elsewhere, NULL) >= 3);
}

static void an_interrupted_call_is_made_again_at_once(void **state)
{
    (void)state;
    knock(0);
    hear();
    fault_arm_call("accept4", 1, ECONNABORTED);
    assert_int_equal(listener_accept(&listener, 0), -EINTR);
    fault_arm_call("accept4", 1, EINTR);
    assert_int_equal(listener_accept(&listener, 0), -EINTR);
    fault_disarm();
    assert_true(listener.waits);
    assert_true((taken[0] = listener_accept(&listener, 0)) >= 0);
}

#define LISTENER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LISTENER_TEST(who_knocks_is_taken_in),
        LISTENER_TEST(who_finds_no_descriptor_is_tried_again),
        LISTENER_TEST(a_name_that_is_gone_is_made_again),
        LISTENER_TEST(a_name_that_is_there_stays),
        LISTENER_TEST(a_socket_that_cannot_be_made_again_goes_on),
        LISTENER_TEST(a_closed_one_has_no_name_and_is_not_made_again),
        LISTENER_TEST(what_cannot_be_opened_leaves_nothing),
        LISTENER_TEST(an_interrupted_call_is_made_again_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
