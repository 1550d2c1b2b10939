/* SPDX-License-Identifier: MIT */
/* store_client: without memory, without an answer in time, and what is too long to be asked. */
#include "faults/fault_walk.h"
#include "unit/service/cli/store_client_fixture.h"

static int open_and_close(void *path)
{
    struct store_client *client;
    int rc = store_client_open(path, &client);
    assert_true((rc < 0) == (client == NULL));
    store_client_close(client);
    return rc;
}

static void without_memory_or_descriptors_there_is_no_client(void **state)
{
    struct fixture *f = *state;
    unix_listener_close(&f->listener);
    assert_int_equal(unix_listener_open(&f->listener, f->path, SOCK_STREAM, 64), 0);
    assert_true(fault_walk(open_and_close, f->path) >= 2);
}

static void what_is_too_long_is_not_sent(void **state)
{
    static const struct exchange script[] = {{XS_READ, BYTES("/a\0"), XS_READ, BYTES("1"), 0, 0}};
    struct fixture *f = *state;
    char value[XENSTORE_PAYLOAD_MAX + 1], *names;
    memset(value, 'x', XENSTORE_PAYLOAD_MAX);
    value[XENSTORE_PAYLOAD_MAX] = '\0';
    begin(f, script, 1);
    assert_int_equal(store_client_write(f->client, "/a", value), -E2BIG);
    assert_int_equal(store_client_directory(f->client, value, &names), -E2BIG);
    assert_int_equal(store_client_read(f->client, "/a", value), 0); /* nothing of it was sent */
    end(f);
}

static void a_store_that_does_not_answer_in_time_is_told(void **state)
{
    static const struct exchange script[] = {{XS_READ, BYTES("/a\0"), XS_READ, BYTES("1"), 0, 0},
                                             {XS_READ, BYTES("/a\0"), XS_READ, BYTES("2"), 0, 0}};
    static const struct {
        const char *call;
        int error, rc;
    } faults[] = {{"sendmsg", EAGAIN, -ETIMEDOUT},
                  {"sendmsg", EPIPE, -EPIPE},
                  {"recv", EAGAIN, -ETIMEDOUT},
                  {"recv", ECONNRESET, -ECONNRESET}};
    struct fixture *f = *state;
    char value[XENSTORE_PAYLOAD_MAX + 1];
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        begin(f, script, 1);
        fault_arm_call(faults[i].call, 1, faults[i].error);
        int rc = store_client_read(f->client, "/a", value);
        fault_disarm();
        assert_int_equal(rc, faults[i].rc);
        int status;
        store_client_close(f->client);
        assert_int_equal(waitpid(f->child, &status, 0), f->child);
    }
    begin(f, script, 2);
    fault_arm_call("recv", 1, EINTR); /* and this is no error */
    assert_int_equal(store_client_read(f->client, "/a", value), 0);
    fault_disarm();
    fault_arm_call("sendmsg", 1, EINTR);
    assert_int_equal(store_client_read(f->client, "/a", value), 0);
    fault_disarm();
    assert_string_equal(value, "2");
    end(f);
}

static void without_memory_there_are_no_names(void **state)
{
    static const struct exchange script[] = {
        {XS_DIRECTORY, BYTES("/a\0"), XS_DIRECTORY, BYTES("b\0c\0"), 0, 0},
        {XS_DIRECTORY, BYTES("/a\0"), XS_ERROR, BYTES("E2BIG\0"), 0, 0},
        {XS_DIRECTORY_PART, BYTES("/a\0000\0"), XS_DIRECTORY_PART, BYTES("7\0b\0\0"), 0, 0}};
    struct fixture *f = *state;
    char *names;
    begin(f, script, 3);
    int64_t blocks = fault_live_blocks();
    fault_arm_call("calloc", 1, ENOMEM);
    assert_int_equal(store_client_directory(f->client, "/a", &names), -ENOMEM);
    fault_arm_call("realloc", 1, ENOMEM);
    assert_int_equal(store_client_directory(f->client, "/a", &names), -ENOMEM);
    fault_disarm();
    assert_null(names);
    assert_int_equal(fault_live_blocks(), blocks);
    end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_memory_or_descriptors_there_is_no_client, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_too_long_is_not_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(a_store_that_does_not_answer_in_time_is_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(without_memory_there_are_no_names, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
