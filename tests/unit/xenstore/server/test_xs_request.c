/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "fakes/xs_three.h"

static void test_values_are_bytes(void **state)
{
    struct xs_three *f = *state;
    xs_peer_call(&f->dom0, XS_WRITE, 0, "/t\0a\0b\xff", 7);
    xs_peer_expect_ok(&f->dom0, XS_WRITE);
    xs_peer_ask(&f->dom0, XS_READ, 0, "/t");
    assert_int_equal(f->dom0.hdr.len, 4);
    assert_memory_equal(f->dom0.payload, "a\0b\xff", 4);
}

static void test_missing_or_forbidden(void **state)
{
    struct xs_three *f = *state;
    xs_peer_read(&f->dom0, 0, "/none");
    xs_peer_expect_error(&f->dom0, "ENOENT");
    xs_peer_read(&f->one, 0, "none"); /* below its own home */
    xs_peer_expect_error(&f->one, "ENOENT");
    xs_peer_read(&f->one, 0, "/none"); /* "/" can't be read: whether it exists is secret */
    xs_peer_expect_error(&f->one, "EACCES");
    xs_peer_read(&f->two, 0, "/local/domain/1");
    xs_peer_expect_error(&f->two, "EACCES");
    xs_peer_write(&f->two, 0, "/local/domain/1/x", "");
    xs_peer_expect_error(&f->two, "EACCES");
}

static void test_created_nodes_inherit(void **state)
{
    struct xs_three *f = *state;
    xs_peer_ask(&f->dom0, XS_MKDIR, 0, "/shared");
    xs_peer_ask(&f->dom0, XS_SET_PERMS, 0, "/shared\0n0\0b1");
    xs_peer_write(&f->one, 0, "/shared/a/b", "v");
    xs_peer_expect_ok(&f->one, XS_WRITE);
    xs_peer_ask(&f->one, XS_GET_PERMS, 0, "/shared/a");
    assert_int_equal(f->one.hdr.len, 6);
    assert_memory_equal(f->one.payload, "n1\0b1", 6);
    xs_peer_write(&f->dom0, 0, "/local/domain/1/by-dom0", "");
    xs_peer_ask(&f->one, XS_GET_PERMS, 0, "by-dom0");
    assert_memory_equal(f->one.payload, "n1", 3);
}

static void test_only_the_owner_sets_permissions(void **state)
{
    struct xs_three *f = *state;
    xs_peer_write(&f->one, 0, "p", "");
    xs_peer_ask(&f->one, XS_SET_PERMS, 0, "p\0n1\0b2\0r9"); /* domain 9 does not exist */
    xs_peer_expect_ok(&f->one, XS_SET_PERMS);
    xs_peer_ask(&f->one, XS_GET_PERMS, 0, "p");
    assert_int_equal(f->one.hdr.len, 9);
    assert_memory_equal(f->one.payload, "n1\0b2\0r9", 9); /* kept, and for nobody */
    xs_peer_ask(&f->two, XS_SET_PERMS, 0, "/local/domain/1/p\0n1");
    xs_peer_expect_error(&f->two, "EACCES");
    xs_peer_ask(&f->one, XS_SET_PERMS, 0, "p\0n2");
    xs_peer_expect_error(&f->one, "EPERM");
    xs_peer_ask(&f->one, XS_SET_PERMS, 0, "p\0x1");
    xs_peer_expect_error(&f->one, "EINVAL");
    xs_peer_ask(&f->one, XS_SET_PERMS, 0, "p");
    xs_peer_expect_error(&f->one, "EINVAL");
}

static void test_owners_exist(void **state)
{
    struct xs_three *f = *state;
    static const char *const nobody[] = {"n9", "n70000", "n-1", "n32757"};
    xs_peer_write(&f->dom0, 0, "/p", "");
    for (size_t i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++) {
        char payload[32];
        int len = snprintf(payload, sizeof(payload), "/p%c%s", '\0', nobody[i]);
        xs_peer_call(&f->dom0, XS_SET_PERMS, 0, payload, (size_t)len + 1);
        xs_peer_expect_error(&f->dom0, "ENOENT");
    }
    xs_peer_ask(&f->dom0, XS_SET_PERMS, 0, "/p\0n1\0r70000\0r-1");
    xs_peer_expect_ok(&f->dom0, XS_SET_PERMS);
    xs_peer_ask(&f->dom0, XS_GET_PERMS, 0, "/p");
    assert_memory_equal(f->dom0.payload, "n1\0r70000\0r-1", 14);
    /* What is not there: ENOENT for whoever may write above it, or own what is above. */
    xs_peer_ask(&f->dom0, XS_SET_PERMS, 0, "/none\0n1");
    xs_peer_expect_error(&f->dom0, "ENOENT");
    xs_peer_ask(&f->dom0, XS_SET_PERMS, 0, "/p\0n0\0b1");
    xs_peer_ask(&f->one, XS_SET_PERMS, 0, "/p/none\0n1");
    xs_peer_expect_error(&f->one, "ENOENT");
    xs_peer_ask(&f->two, XS_SET_PERMS, 0, "/p/none\0n2");
    xs_peer_expect_error(&f->two, "EACCES");
}

static void test_rm(void **state)
{
    struct xs_three *f = *state;
    xs_peer_write(&f->dom0, 0, "/r/a/b", "");
    xs_peer_ask(&f->dom0, XS_RM, 0, "/r/a");
    xs_peer_expect_ok(&f->dom0, XS_RM);
    xs_peer_read(&f->dom0, 0, "/r/a/b");
    xs_peer_expect_error(&f->dom0, "ENOENT");
    xs_peer_ask(&f->dom0, XS_RM, 0, "/r/a");
    xs_peer_expect_ok(&f->dom0, XS_RM);
    xs_peer_ask(&f->dom0, XS_RM, 0, "/r/a/b");
    xs_peer_expect_error(&f->dom0, "ENOENT");
    xs_peer_ask(&f->dom0, XS_RM, 0, "/");
    xs_peer_expect_error(&f->dom0, "EINVAL");
    xs_peer_ask(&f->one, XS_RM, 0, "/");
    xs_peer_expect_error(&f->one, "EACCES");
}

static void test_directories(void **state)
{
    struct xs_three *f = *state;
    char path[32];
    xs_peer_ask(&f->dom0, XS_MKDIR, 0, "/d");
    xs_peer_ask(&f->dom0, XS_DIRECTORY, 0, "/d");
    assert_int_equal(f->dom0.hdr.len, 0);
    xs_peer_ask(&f->dom0, XS_DIRECTORY_PART, 0, "/d\0000");
    size_t gen = strlen(f->dom0.payload) + 1;
    assert_int_equal(f->dom0.hdr.len, gen + 1); /* nothing but the end */
    xs_peer_write(&f->dom0, 0, "/d/y", "");
    xs_peer_write(&f->dom0, 0, "/d/x", "");
    xs_peer_ask(&f->dom0, XS_DIRECTORY, 0, "/d");
    assert_int_equal(f->dom0.hdr.len, 4);
    assert_memory_equal(f->dom0.payload, "y\0x", 4); /* as they were created */
    xs_peer_ask(&f->dom0, XS_DIRECTORY_PART, 0, "/d\0002");
    gen = strlen(f->dom0.payload) + 1;
    assert_int_equal(f->dom0.hdr.len, gen + 3);
    assert_memory_equal(f->dom0.payload + gen, "x\0", 3);
    for (int i = 0; i < 600; i++) {
        snprintf(path, sizeof(path), "/d/name-%d", i);
        xs_peer_write(&f->dom0, 0, path, "");
    }
    xs_peer_ask(&f->dom0, XS_DIRECTORY, 0, "/d");
    xs_peer_expect_error(&f->dom0, "E2BIG");
    xs_peer_ask(&f->dom0, XS_DIRECTORY_PART, 0, "/d\0000");
    assert_in_range(f->dom0.hdr.len, 4000, 4096);
    assert_int_not_equal(f->dom0.payload[f->dom0.hdr.len - 2], '\0');
}

/* Where a part begins: at that very byte, at 0 for what is no number, nowhere behind the end. */
static void test_offsets_in_a_directory(void **state)
{
    static const struct {
        const char *offset, *names;
        size_t size;
    } cases[] = {
        {"0", "abc\0d\0", 7}, {"1", "bc\0d\0", 6}, {"3", "\0d\0", 4}, {"4", "d\0", 3},
        {"5", "\0", 2},       {"6", "", 1},        {"7", "", 1},      {"-1", "", 1},
        {"x", "abc\0d\0", 7}, {"", "abc\0d\0", 7}, {"4x", "d\0", 3},
    };
    struct xs_three *f = *state;
    xs_peer_ask(&f->dom0, XS_MKDIR, 0, "/d/abc");
    xs_peer_ask(&f->dom0, XS_MKDIR, 0, "/d/d");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char payload[16];
        int len = snprintf(payload, sizeof(payload), "/d%c%s", '\0', cases[i].offset);
        xs_peer_call(&f->dom0, XS_DIRECTORY_PART, 0, payload, (size_t)len + 1);
        size_t gen = strlen(f->dom0.payload) + 1;
        assert_int_equal(f->dom0.hdr.len, gen + cases[i].size);
        assert_memory_equal(f->dom0.payload + gen, cases[i].names, cases[i].size);
    }
}

static void test_types_without_a_meaning(void **state)
{
    struct xs_three *f = *state;
    static const uint32_t none[] = {XS_WATCH_EVENT, XS_ERROR, 20, 27, 1000, UINT32_MAX};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        xs_peer_ask(&f->dom0, none[i], 0, "/");
        xs_peer_expect_error(&f->dom0, "ENOSYS");
    }
    static const uint32_t privileged[] = {
        XS_CONTROL,    XS_INTRODUCE,   XS_RELEASE,   XS_RESUME,    XS_IS_DOMAIN_INTRODUCED,
        XS_SET_TARGET, XS_SET_FEATURE, XS_GET_QUOTA, XS_SET_QUOTA,
    };
    for (size_t i = 0; i < sizeof(privileged) / sizeof(privileged[0]); i++) {
        xs_peer_ask(&f->one, privileged[i], 0, "1");
        xs_peer_expect_error(&f->one, "EACCES");
    }
}

static void test_malformed_payloads(void **state)
{
    struct xs_three *f = *state;
    for (uint32_t type = 1; type <= XS_DIRECTORY_PART; type++) {
        xs_peer_call(&f->dom0, type, 0, "/unterminated", 13); /* the NUL is missing */
        if (type == XS_RESET_WATCHES || type == XS_TRANSACTION_START)
            continue; /* take no argument */
        assert_int_equal(f->dom0.hdr.type, XS_ERROR);
        xs_peer_call(&f->dom0, type, 0, "", 0);
        assert_int_equal(f->dom0.hdr.type, XS_ERROR);
    }
    xs_peer_ask(&f->dom0, XS_READ, 0, "/a\0/b");
    xs_peer_expect_error(&f->dom0, "EINVAL");
    xs_peer_ask(&f->dom0, XS_READ, 0, "@releaseDomain");
    xs_peer_expect_error(&f->dom0, "EINVAL");
    xs_peer_ask(&f->dom0, XS_WRITE, 0, "/@name");
    xs_peer_expect_ok(&f->dom0, XS_WRITE); /* an '@' elsewhere is a letter like others */
    /* Only two names may begin with it. */
    xs_peer_ask(&f->dom0, XS_GET_PERMS, 0, "@nosuch");
    xs_peer_expect_error(&f->dom0, "EINVAL");
    uint32_t tx = xs_peer_begin(&f->dom0);
    xs_peer_ask(&f->dom0, XS_TRANSACTION_START, tx, "");
    xs_peer_expect_error(&f->dom0, "EBUSY");
    /* What follows the last NUL counts for nothing. */
    xs_peer_call(&f->dom0, XS_SET_PERMS, 0, "/@name\0n0\0r1", 12);
    xs_peer_expect_ok(&f->dom0, XS_SET_PERMS);
    xs_peer_ask(&f->dom0, XS_GET_PERMS, 0, "/@name");
    assert_int_equal(f->dom0.hdr.len, 3);
    xs_peer_call(&f->dom0, XS_WATCH, 0, "/@name\0token\0more", 17);
    xs_peer_expect_ok(&f->dom0, XS_WATCH);
    xs_peer_ask(&f->dom0, XS_UNWATCH, 0, "/@name\0token\0more");
    xs_peer_expect_error(&f->dom0, "EINVAL");
    xs_peer_ask(&f->dom0, XS_WATCH, 0, "/@name\0deep\0002"); /* and a depth */
    xs_peer_expect_ok(&f->dom0, XS_WATCH);
    xs_peer_ask(&f->dom0, XS_UNWATCH, 0, "//\0token"); /* nobody can watch that */
    xs_peer_expect_error(&f->dom0, "ENOENT");
}

/* Who may watch for domains that come and go is asked by the specials' names. */
static void test_specials_have_permissions_of_their_own(void **state)
{
    struct xs_three *f = *state;
    char before[64];
    xs_peer_ask(&f->dom0, XS_GET_PERMS, 0, "@releaseDomain");
    uint32_t before_bytes = f->dom0.hdr.len;
    assert_true(before_bytes > 0 && before_bytes <= sizeof(before));
    memcpy(before, f->dom0.payload, before_bytes);
    xs_peer_ask(&f->dom0, XS_SET_PERMS, 0, "@introduceDomain\0n0\0r1");
    xs_peer_expect_ok(&f->dom0, XS_SET_PERMS);
    xs_peer_ask(&f->dom0, XS_GET_PERMS, 0, "@introduceDomain");
    assert_int_equal(f->dom0.hdr.len, 6);
    assert_memory_equal(f->dom0.payload, "n0\0r1", 6);
    xs_peer_ask(&f->dom0, XS_GET_PERMS, 0, "@releaseDomain"); /* as it was */
    assert_int_equal(f->dom0.hdr.len, before_bytes);
    assert_memory_equal(f->dom0.payload, before, before_bytes);
    xs_peer_ask(&f->one, XS_SET_PERMS, 0, "@introduceDomain\0n1");
    xs_peer_expect_error(&f->one, "EACCES");
    xs_peer_ask(&f->dom0, XS_SET_PERMS, 0, "@nosuch\0n0");
    xs_peer_expect_error(&f->dom0, "ENOENT");
}

static void test_a_transaction_is_seen_when_it_has_ended(void **state)
{
    struct xs_three *f = *state;
    xs_peer_write(&f->dom0, 0, "/t", "old");
    uint32_t tx = xs_peer_begin(&f->dom0), given_up = xs_peer_begin(&f->dom0);
    xs_peer_write(&f->dom0, tx, "/t", "new");
    xs_peer_expect_value(&f->dom0, tx, "/t", "new");
    xs_peer_expect_value(&f->dom0, 0, "/t", "old");
    xs_peer_write(&f->dom0, given_up, "/u", "");
    xs_peer_ask(&f->dom0, XS_TRANSACTION_END, tx, "t"); /* neither T nor F: it goes on */
    xs_peer_expect_error(&f->dom0, "EINVAL");
    xs_peer_ask(&f->dom0, XS_TRANSACTION_END, tx, "T");
    xs_peer_expect_ok(&f->dom0, XS_TRANSACTION_END);
    xs_peer_expect_value(&f->dom0, 0, "/t", "new");
    xs_peer_ask(&f->dom0, XS_TRANSACTION_END, given_up, "F");
    xs_peer_expect_ok(&f->dom0, XS_TRANSACTION_END);
    xs_peer_read(&f->dom0, 0, "/u");
    xs_peer_expect_error(&f->dom0, "ENOENT");
    xs_peer_ask(&f->dom0, XS_TRANSACTION_END, tx, "T"); /* over */
    xs_peer_expect_error(&f->dom0, "ENOENT");
    xs_peer_ask(&f->dom0, XS_TRANSACTION_END, 0, "T");
    xs_peer_expect_error(&f->dom0, "ENOENT");
}

/* A watch is no part of a transaction. */
static void test_watches_ignore_transactions(void **state)
{
    struct xs_three *f = *state;
    xs_peer_ask(&f->dom0, XS_WATCH, 77, "/w\0token");
    xs_peer_expect_ok(&f->dom0, XS_WATCH);
    xs_peer_expect_event(&f->dom0, "/w", "token");
    xs_peer_ask(&f->dom0, XS_UNWATCH, 77, "/w\0token");
    xs_peer_expect_ok(&f->dom0, XS_UNWATCH);
    xs_peer_write(&f->dom0, 0, "/w", "");
    xs_peer_expect_silence(&f->dom0);
}

static void test_a_watch_looks_as_deep_as_it_says(void **state)
{
    struct xs_three *f = *state;
    xs_peer_ask(&f->dom0, XS_WATCH, 0, "/w\0flat\0000");
    xs_peer_expect_event(&f->dom0, "/w", "flat");
    xs_peer_ask(&f->dom0, XS_MKDIR, 0, "/w/a");
    xs_peer_expect_silence(&f->dom0);
    xs_peer_write(&f->dom0, 0, "/w", "");
    xs_peer_expect_event(&f->dom0, "/w", "flat");
    xs_peer_ask(&f->dom0, XS_WATCH, 0, "/w\0deep\0-1");
    xs_peer_expect_error(&f->dom0, "EINVAL");
    xs_peer_ask(&f->dom0, XS_WATCH, 0, "/w\0a\0001\0b");
    xs_peer_expect_error(&f->dom0, "EINVAL");
}

/* A relative watch is told relative paths. */
static void test_a_watch_is_told_as_it_was_asked_for(void **state)
{
    struct xs_three *f = *state;
    xs_peer_ask(&f->one, XS_WATCH, 0, "w\0t");
    xs_peer_expect_event(&f->one, "w", "t");
    xs_peer_write(&f->one, 0, "/local/domain/1/w/x", "");
    xs_peer_expect_event(&f->one, "w/x", "t");
    xs_peer_ask(&f->one, XS_RESET_WATCHES, 0, "");
    xs_peer_expect_ok(&f->one, XS_RESET_WATCHES);
    xs_peer_write(&f->one, 0, "w/x", "");
    xs_peer_expect_silence(&f->one);
}

static void test_a_special_name_is_as_long_as_a_path(void **state)
{
    struct xs_three *f = *state;
    char payload[2100];
    memset(payload, 'a', sizeof(payload));
    payload[0] = '@';
    memcpy(payload + 2049, "\0t", 3);
    xs_peer_call(&f->dom0, XS_WATCH, 0, payload, 2049 + 3);
    xs_peer_expect_error(&f->dom0, "EINVAL");
    xs_peer_ask(&f->dom0, XS_WATCH, 0, "@releaseDomain\0t");
    xs_peer_expect_ok(&f->dom0, XS_WATCH);
    xs_peer_expect_event(&f->dom0, "@releaseDomain", "t");
}

static void test_a_special_is_told_to_whom_it_is_allowed(void **state)
{
    struct xs_three *f = *state;
    xs_peer_ask(&f->dom0, XS_SET_PERMS, 0, "@releaseDomain\0n0\0r1");
    xs_peer_ask(&f->one, XS_GET_PERMS, 0, "@releaseDomain");
    assert_int_equal(f->one.hdr.type, XS_GET_PERMS);
    xs_peer_ask(&f->two, XS_GET_PERMS, 0, "@releaseDomain");
    xs_peer_expect_error(&f->two, "EACCES");
}

static void test_a_node_without_a_value_is_empty(void **state)
{
    struct xs_three *f = *state;
    xs_peer_ask(&f->dom0, XS_MKDIR, 0, "/m");
    xs_peer_expect_ok(&f->dom0, XS_MKDIR);
    xs_peer_ask(&f->dom0, XS_READ, 0, "/m");
    assert_int_equal(f->dom0.hdr.type, XS_READ);
    assert_int_equal(f->dom0.hdr.len, 0);
}

/* Names of 4096 bytes together are listed, one byte more is not. */
static void test_a_directory_is_listed_as_long_as_it_fits(void **state)
{
    struct xs_three *f = *state;
    char path[2048];
    for (int i = 0; i < 4; i++) {
        memset(path, 'a' + i, sizeof(path));
        memcpy(path, "/d/", 3);
        path[3 + 1023] = '\0';
        xs_peer_write(&f->dom0, 0, path, "");
        xs_peer_expect_ok(&f->dom0, XS_WRITE);
    }
    xs_peer_ask(&f->dom0, XS_DIRECTORY, 0, "/d");
    assert_int_equal(f->dom0.hdr.type, XS_DIRECTORY);
    assert_int_equal(f->dom0.hdr.len, 4096);
    xs_peer_write(&f->dom0, 0, "/d/e", "");
    xs_peer_ask(&f->dom0, XS_DIRECTORY, 0, "/d");
    xs_peer_expect_error(&f->dom0, "E2BIG");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_values_are_bytes, xs_three_setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_missing_or_forbidden, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_created_nodes_inherit, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_only_the_owner_sets_permissions, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_owners_exist, xs_three_setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_rm, xs_three_setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_directories, xs_three_setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_offsets_in_a_directory, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_types_without_a_meaning, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_malformed_payloads, xs_three_setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_specials_have_permissions_of_their_own, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_a_transaction_is_seen_when_it_has_ended,
                                        xs_three_setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_watches_ignore_transactions, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_a_watch_looks_as_deep_as_it_says, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_a_watch_is_told_as_it_was_asked_for, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_a_special_name_is_as_long_as_a_path, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_a_special_is_told_to_whom_it_is_allowed,
                                        xs_three_setup, xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_a_node_without_a_value_is_empty, xs_three_setup,
                                        xs_three_teardown),
        cmocka_unit_test_setup_teardown(test_a_directory_is_listed_as_long_as_it_fits,
                                        xs_three_setup, xs_three_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
