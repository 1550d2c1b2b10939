/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "fakes/xs_peer.h"

struct fixture {
    struct xs_server *server;
    struct xs_peer dom0, one, two; /* Dom0, domain 1, domain 2 */
    char log[4096];
};

static void log_line(void *ctx, const char *text)
{
    struct fixture *f = ctx;
    size_t used = strlen(f->log);
    snprintf(f->log + used, sizeof(f->log) - used, "%s\n", text);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    assert_int_equal(xs_server_create(NULL, &f->server), 0);
    assert_int_equal(xs_server_introduce(f->server, 1), 0);
    assert_int_equal(xs_server_introduce(f->server, 2), 0);
    xs_server_set_log(f->server, log_line, f);
    xs_peer_open(&f->dom0, f->server, 0);
    xs_peer_open(&f->one, f->server, 1);
    xs_peer_open(&f->two, f->server, 2);
    xs_peer_ask(&f->dom0, XS_MKDIR, 0, "/local/domain/1/data");
    xs_peer_ask(&f->dom0, XS_SET_PERMS, 0, "/local/domain/1\0n0\0r1");
    xs_peer_ask(&f->dom0, XS_SET_PERMS, 0, "/local/domain/1/data\0n1");
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(xs_server_check(f->server), 0);
    xs_server_destroy(f->server);
    free(f);
    return 0;
}

static void expect(struct xs_peer *peer, const char *payload, size_t len, const char *answer)
{
    xs_peer_call(peer, XS_CONTROL, 0, payload, len);
    assert_string_equal(peer->payload, answer);
}
#define EXPECT(peer, literal, answer) expect(peer, literal, sizeof(literal), answer)

static void test_check(void **state)
{
    struct fixture *f = *state;
    EXPECT(&f->dom0, "check", "OK");
    EXPECT(&f->dom0, "check\0all", "EINVAL");
}

static void test_help_names_every_command(void **state)
{
    struct fixture *f = *state;
    EXPECT(&f->dom0, "help",
           "check\t\nlog\ton|off\nmemreport\t\nprint\t<string>\n"
           "quota\t[set <name> <val>|<domid>]\nhelp\t\n");
    EXPECT(&f->dom0, "help\0me", "EINVAL");
}

static void test_what_is_no_command(void **state)
{
    struct fixture *f = *state;
    EXPECT(&f->dom0, "nosuch", "EINVAL");
    EXPECT(&f->dom0, "", "EINVAL");
    EXPECT(&f->dom0, "live-update\0-s", "EINVAL");
    xs_peer_call(&f->dom0, XS_CONTROL, 0, "check", 5); /* without its NUL */
    xs_peer_expect_error(&f->dom0, "EINVAL");
    EXPECT(&f->dom0, "quota\0set\0nodes\0001\0more", "EINVAL");
    EXPECT(&f->one, "help", "EACCES");
}

static void test_print_and_memreport(void **state)
{
    struct fixture *f = *state;
    EXPECT(&f->dom0, "print\0hello", "OK");
    assert_int_equal(f->dom0.hdr.type, XS_CONTROL);
    assert_int_equal(f->dom0.hdr.len, sizeof("OK"));
    assert_string_equal(f->log, "hello\n");
    EXPECT(&f->dom0, "print", "EINVAL");
    f->log[0] = '\0';
    EXPECT(&f->dom0, "memreport", "OK");
    /* "/", /tool, /tool/xenstored, /local, /local/domain, .../0, .../1, .../1/data */
    assert_string_equal(f->log, "8 nodes of 2 owners, 0 watched paths, 3 connections\n");
    EXPECT(&f->dom0, "memreport\0file", "EINVAL");
    xs_server_set_log(f->server, NULL, NULL); /* nobody listens */
    EXPECT(&f->dom0, "print\0hello", "OK");
}

static void test_quota(void **state)
{
    struct fixture *f = *state;
    EXPECT(&f->dom0, "quota",
           "Quota settings:\n"
           "nodes            :     1000 Nodes per domain\n"
           "watches          :      128 Watches per domain\n"
           "transactions     :       10 Transactions per domain\n"
           "outstanding      :       20 Outstanding requests per domain\n"
           "transaction-nodes:     1024 Max. number of accessed nodes per transaction\n"
           "node-size        :     2048 Max. size of a node\n"
           "path-max         :     2048 Max. length of a node path\n"
           "permissions      :        5 Max. number of permissions per node\n");
    xs_peer_ask(&f->one, XS_WATCH, 0, "data\0t");
    xs_peer_begin(&f->one);
    xs_peer_begin(&f->one);
    EXPECT(&f->dom0, "quota\0001",
           "Domain 1:\nnodes           :        1\nwatches         :        1\n"
           "transactions    :        2\noutstanding     :        0\n");
    EXPECT(&f->dom0, "quota\00077", "ENOENT");
    EXPECT(&f->dom0, "quota\0001\0002", "EINVAL");
    EXPECT(&f->dom0, "quota\0set\0nodes\0001", "OK");
    xs_peer_write(&f->one, 0, "data/x", "");
    xs_peer_expect_error(&f->one, "ENOSPC");
    EXPECT(&f->dom0, "quota\0set\0nodes\0000", "EINVAL");
    EXPECT(&f->dom0, "quota\0set\0nosuch\0001", "EINVAL");
    EXPECT(&f->dom0, "quota\0set\0nodes", "EINVAL");
}

static void test_log_goes_on_and_off(void **state)
{
    struct fixture *f = *state;
    EXPECT(&f->dom0, "log\0on", "OK");
    f->log[0] = '\0';
    xs_peer_write(&f->one, 0, "data/x", "1");
    assert_non_null(strstr(f->log, "data/x"));
    EXPECT(&f->dom0, "log\0off", "OK");
    f->log[0] = '\0';
    xs_peer_write(&f->one, 0, "data/x", "2");
    assert_string_equal(f->log, "");
    EXPECT(&f->dom0, "log", "EINVAL");
    EXPECT(&f->dom0, "log\0on\0off", "EINVAL");
    EXPECT(&f->dom0, "log\0much", "EINVAL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_check, setup, teardown),
        cmocka_unit_test_setup_teardown(test_help_names_every_command, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_command, setup, teardown),
        cmocka_unit_test_setup_teardown(test_print_and_memreport, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quota, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_goes_on_and_off, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
