/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "fakes/xs_peer.h"
#include "xenstore/server/xs_trace.h"

static struct xs_server *server;
static struct xs_peer dom0, one;
static char last[512];
static int lines;

static void log_line(void *ctx, const char *text)
{
    (void)ctx;
    snprintf(last, sizeof(last), "%s", text);
    lines++;
}

static int setup(void **state)
{
    (void)state;
    lines = 0;
    last[0] = '\0';
    assert_int_equal(xs_server_create(NULL, &server), 0);
    xs_server_set_log(server, log_line, NULL);
    assert_int_equal(xs_server_introduce(server, 7), 0);
    xs_peer_open(&dom0, server, 0);
    xs_peer_open(&one, server, 7);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    xs_server_destroy(server);
    return 0;
}

static void test_nothing_unless_it_is_on(void **state)
{
    (void)state;
    xs_peer_write(&dom0, 0, "/a", "1");
    assert_int_equal(lines, 0);
    xs_peer_ask(&dom0, XS_CONTROL, 0, "log\0on");
    xs_peer_expect_ok(&dom0, XS_CONTROL);
    xs_peer_ask(&dom0, XS_CONTROL, 0, "log\0off");
    int before = lines;
    xs_peer_write(&dom0, 0, "/a", "1");
    assert_int_equal(lines, before);
    xs_peer_ask(&dom0, XS_CONTROL, 0, "log");
    xs_peer_expect_error(&dom0, "EINVAL");
    xs_peer_ask(&dom0, XS_CONTROL, 0, "log\0maybe");
    xs_peer_expect_error(&dom0, "EINVAL");
}

static void test_requests_with_their_answers(void **state)
{
    (void)state;
    xs_peer_ask(&dom0, XS_CONTROL, 0, "log\0on");
    assert_string_equal(last, "tool 0: CONTROL 0 log on -> OK");
    xs_peer_write(&dom0, 0, "/a", "value");
    assert_string_equal(last, "tool 0: WRITE 0 /a value -> OK");
    uint32_t tx = xs_peer_begin(&one);
    assert_string_equal(last, "domain 7: TRANSACTION_START 0  -> 1");
    xs_peer_read(&one, tx, "/a");
    assert_string_equal(last, "domain 7: READ 1 /a -> ERROR EACCES");
    xs_peer_ask(&dom0, 99, 0, "x");
    assert_string_equal(last, "tool 0: ? 0 x -> ERROR ENOSYS");
}

static void test_long_payloads_are_cut(void **state)
{
    (void)state;
    char value[3000];
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    xs_peer_ask(&dom0, XS_CONTROL, 0, "log\0on");
    xs_peer_write(&dom0, 0, "/a", value);
    assert_in_range(strlen(last), 200, 260);
}

static void test_ends_by_itself(void **state)
{
    (void)state;
    xs_peer_ask(&dom0, XS_CONTROL, 0, "log\0on");
    for (int i = 0; i < XS_TRACE_LINES + 10; i++)
        xs_peer_read(&dom0, 0, "/");
    assert_int_equal(lines, XS_TRACE_LINES + 1);
    assert_string_equal(last, "the trace of requests ends here: `log on` begins another");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_unless_it_is_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_requests_with_their_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_payloads_are_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ends_by_itself, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
