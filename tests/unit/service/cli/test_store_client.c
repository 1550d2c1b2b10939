/* SPDX-License-Identifier: MIT */
/* store_client: requests and their answers, as a store of the test sends them. */
#include "unit/service/cli/store_client_fixture.h"

static void reads_and_writes(void **state)
{
    static const struct exchange script[] = {
        {XS_READ, BYTES("/a\0"), XS_READ, BYTES("256"), 0, 0},
        {XS_READ, BYTES("/b\0"), XS_READ, BYTES(""), 0, 0},
        {XS_WRITE,
         BYTES("/a\0"
               "512"),
         XS_WRITE, BYTES("OK\0"), 0, 0},
        {XS_WRITE, BYTES("/a\0"), XS_WRITE, BYTES("OK\0"), 0, 0},
    };
    struct fixture *f = *state;
    char value[XENSTORE_PAYLOAD_MAX + 1];

    begin(f, script, 4);
    assert_int_equal(store_client_read(f->client, "/a", value), 0);
    assert_string_equal(value, "256");
    assert_int_equal(store_client_read(f->client, "/b", value), 0);
    assert_string_equal(value, "");
    assert_int_equal(store_client_write(f->client, "/a", "512"), 0);
    assert_int_equal(store_client_write(f->client, "/a", ""), 0);
    end(f);
}

static void errors_come_by_name(void **state)
{
    static const struct exchange script[] = {
        {XS_READ, BYTES("/a\0"), XS_ERROR, BYTES("ENOENT\0"), 0, 0},
        {XS_READ, BYTES("/a\0"), XS_ERROR, BYTES("EACCES\0"), 0, 0},
        {XS_READ, BYTES("/a\0"), XS_ERROR, BYTES("EWONDERFUL\0"), 0, 0},
        {XS_READ, BYTES("/a\0"), XS_ERROR, BYTES("EINVAL"), 0, 0}, /* without its NUL */
    };
    struct fixture *f = *state;
    char value[XENSTORE_PAYLOAD_MAX + 1];

    begin(f, script, 4);
    assert_int_equal(store_client_read(f->client, "/a", value), -ENOENT);
    assert_int_equal(store_client_read(f->client, "/a", value), -EACCES);
    assert_int_equal(store_client_read(f->client, "/a", value), -EIO);
    assert_int_equal(store_client_read(f->client, "/a", value), -EINVAL);
    end(f);
}

static void a_transaction_begins_and_ends(void **state)
{
    static const struct exchange script[] = {
        {XS_TRANSACTION_START, BYTES("\0"), XS_TRANSACTION_START, BYTES("7\0"), 0, 0},
        {XS_READ, BYTES("/a\0"), XS_READ, BYTES("1"), 0, 7},
        {XS_TRANSACTION_END, BYTES("T\0"), XS_ERROR, BYTES("EAGAIN\0"), 0, 7},
        {XS_READ, BYTES("/a\0"), XS_READ, BYTES("2"), 0, 0},
        {XS_TRANSACTION_START, BYTES("\0"), XS_TRANSACTION_START, BYTES("8\0"), 0, 0},
        {XS_TRANSACTION_END, BYTES("F\0"), XS_TRANSACTION_END, BYTES("OK\0"), 0, 8},
        {XS_TRANSACTION_START, BYTES("\0"), XS_TRANSACTION_START, BYTES("x\0"), 0, 0},
    };
    struct fixture *f = *state;
    char value[XENSTORE_PAYLOAD_MAX + 1];

    begin(f, script, 7);
    assert_int_equal(store_client_begin(f->client), 0);
    assert_int_equal(store_client_read(f->client, "/a", value), 0);
    assert_int_equal(store_client_end(f->client, true), -EAGAIN);
    assert_int_equal(store_client_read(f->client, "/a", value), 0);
    assert_int_equal(store_client_begin(f->client), 0);
    assert_int_equal(store_client_end(f->client, false), 0);
    assert_int_equal(store_client_begin(f->client), -EPROTO);
    end(f);
}

static void a_directory_is_a_list_of_names(void **state)
{
    static const struct exchange script[] = {
        {XS_DIRECTORY, BYTES("/d\0"), XS_DIRECTORY,
         BYTES("0\0"
               "17\0"),
         0, 0},
        {XS_DIRECTORY, BYTES("/d\0"), XS_DIRECTORY, BYTES(""), 0, 0},
    };
    struct fixture *f = *state;
    char *names;

    begin(f, script, 2);
    assert_int_equal(store_client_directory(f->client, "/d", &names), 0);
    assert_memory_equal(names,
                        "0\0"
                        "17\0",
                        6);
    free(names);
    assert_int_equal(store_client_directory(f->client, "/d", &names), 0);
    assert_string_equal(names, "");
    free(names);
    end(f);
}

static void a_long_directory_comes_in_parts(void **state)
{
    static const struct exchange script[] = {
        {XS_DIRECTORY, BYTES("/d\0"), XS_ERROR, BYTES("E2BIG\0"), 0, 0},
        {XS_DIRECTORY_PART,
         BYTES("/d\0"
               "0\0"),
         XS_DIRECTORY_PART,
         BYTES("9\0"
               "a\0"
               "bc\0"),
         0, 0},
        /* It changes in between: all again. */
        {XS_DIRECTORY_PART,
         BYTES("/d\0"
               "5\0"),
         XS_DIRECTORY_PART,
         BYTES("10\0"
               "d\0\0"),
         0, 0},
        {XS_DIRECTORY_PART,
         BYTES("/d\0"
               "0\0"),
         XS_DIRECTORY_PART,
         BYTES("10\0"
               "a\0"
               "bc\0"),
         0, 0},
        {XS_DIRECTORY_PART,
         BYTES("/d\0"
               "5\0"),
         XS_DIRECTORY_PART,
         BYTES("10\0"
               "d\0\0"),
         0, 0},
    };
    struct fixture *f = *state;
    char *names;

    begin(f, script, 5);
    assert_int_equal(store_client_directory(f->client, "/d", &names), 0);
    assert_memory_equal(names,
                        "a\0"
                        "bc\0"
                        "d\0",
                        8);
    free(names);
    end(f);
}

#define OF_DOMAIN    "/local/domain/3\0"
#define OF_BACK_ENDS "/local/domain/0/backend/vif/3\0"

static void a_domains_devices_are_those_with_back_ends(void **state)
{
    static const struct exchange some[] = {
        {XS_DIRECTORY, BYTES(OF_DOMAIN), XS_DIRECTORY, BYTES("device\0"), 0, 0},
        {XS_DIRECTORY, BYTES(OF_BACK_ENDS), XS_DIRECTORY,
         BYTES("0\0"
               "1\0"),
         0, 0},
    };
    static const struct exchange none[] = {
        {XS_DIRECTORY, BYTES(OF_DOMAIN), XS_DIRECTORY, BYTES("device\0"), 0, 0},
        {XS_DIRECTORY, BYTES(OF_BACK_ENDS), XS_ERROR, BYTES("ENOENT\0"), 0, 0},
    };
    static const struct exchange no_domain[] = {
        {XS_DIRECTORY, BYTES(OF_DOMAIN), XS_ERROR, BYTES("ENOENT\0"), 0, 0},
    };
    struct fixture *f = *state;
    char *names;

    begin(f, some, 2);
    assert_int_equal(store_client_devices(f->client, 3, "vif", &names), 0);
    assert_memory_equal(names, "0\0001\0", 5);
    free(names);
    end(f);
    begin(f, none, 2);
    assert_int_equal(store_client_devices(f->client, 3, "vif", &names), 0);
    assert_string_equal(names, "");
    free(names);
    end(f);
    begin(f, no_domain, 1);
    assert_int_equal(store_client_devices(f->client, 3, "vif", &names), -ENOENT);
    end(f);
}

static void a_number_may_be_missing_or_nonsense(void **state)
{
    static const struct exchange script[] = {
        {XS_READ, BYTES("/d/n\0"), XS_READ, BYTES("4294967295"), 0, 0},
        {XS_READ, BYTES("/d/n\0"), XS_READ, BYTES("4294967296"), 0, 0},
        {XS_READ, BYTES("/d/n\0"), XS_READ, BYTES("many"), 0, 0},
        {XS_READ, BYTES("/d/n\0"), XS_ERROR, BYTES("ENOENT\0"), 0, 0},
    };
    struct fixture *f = *state;

    begin(f, script, 4);
    assert_true(store_client_number(f->client, "/d", "n") == UINT32_MAX);
    for (int i = 1; i < 4; i++)
        assert_true(store_client_number(f->client, "/d", "n") == -1);
    end(f);
}

static void nonsense_is_refused(void **state)
{
    static const struct exchange script[][1] = {
        {{XS_READ, BYTES("/a\0"), XS_READ, BYTES("1"), 1, 0}},
        {{XS_READ, BYTES("/a\0"), XS_WRITE, BYTES("1"), 0, 0}},
    };
    static const char large[XENSTORE_PAYLOAD_MAX + 1];
    static const struct exchange longest[] = {
        {XS_READ, BYTES("/a\0"), XS_READ, large, XENSTORE_PAYLOAD_MAX, 0, 0}};
    static const struct exchange too_long[] = {
        {XS_READ, BYTES("/a\0"), XS_READ, large, sizeof(large), 0, 0}};
    struct fixture *f = *state;
    char value[XENSTORE_PAYLOAD_MAX + 1];

    for (int i = 0; i < 2; i++) {
        begin(f, script[i], 1);
        assert_int_equal(store_client_read(f->client, "/a", value), -EPROTO);
        end(f);
    }
    begin(f, longest, 1);
    assert_int_equal(store_client_read(f->client, "/a", value), 0);
    end(f);
    begin(f, too_long, 1);
    assert_int_equal(store_client_read(f->client, "/a", value), -EPROTO);
    end(f);
}

static void a_store_that_hangs_up_is_an_error(void **state)
{
    static const struct exchange script[] = {
        {XS_READ, BYTES("/a\0"), XS_READ, BYTES("1"), 0, 0},
    };
    struct fixture *f = *state;
    char value[XENSTORE_PAYLOAD_MAX + 1];
    int status;

    begin(f, script, 1);
    assert_int_equal(store_client_read(f->client, "/a", value), 0);
    assert_int_equal(waitpid(f->child, &status, 0), f->child);
    assert_int_equal(store_client_write(f->client, "/a", "2"), -EPIPE);
    store_client_close(f->client);
}

static void nobody_there(void **state)
{
    struct store_client *client;

    (void)state;
    assert_int_equal(store_client_open("/nonexistent/socket", &client), -ENOENT);
    assert_null(client);
    store_client_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_and_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_come_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(a_transaction_begins_and_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(a_directory_is_a_list_of_names, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_directory_comes_in_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_domains_devices_are_those_with_back_ends, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_number_may_be_missing_or_nonsense, setup, teardown),
        cmocka_unit_test_setup_teardown(nonsense_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_store_that_hangs_up_is_an_error, setup, teardown),
        cmocka_unit_test(nobody_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
