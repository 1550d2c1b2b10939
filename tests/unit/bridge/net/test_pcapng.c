/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/net/pcapng.h"

static struct pcapng_interface interface = {.name = "vif7.0", .mac = {0, 0x16, 0x3e, 0, 0, 1}};
static char *text;
static size_t size;
static FILE *out;

static int setup(void **state)
{
    (void)state;
    interface.domain_time = false;
    out = open_memstream(&text, &size);
    return out != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    fclose(out);
    free(text);
    return 0;
}

static uint32_t word(size_t at)
{
    uint32_t value;
    assert_true(at + sizeof(value) <= size);
    memcpy(&value, text + at, sizeof(value));
    return value;
}

/* Where the next block begins; its length stands at both ends, and is a multiple of four. */
static size_t next_block(size_t at)
{
    uint32_t length = word(at + 4);
    assert_int_equal(length % 4, 0);
    assert_int_equal(word(at + length - 4), length);
    return at + length;
}

static bool contains(size_t from, size_t to, const char *what)
{
    return memmem(text + from, to - from, what, strlen(what)) != NULL;
}

static void a_file_begins_with_a_section_and_an_interface(void **state)
{
    (void)state;
    pcapng_begin(out, &interface);
    fflush(out);
    assert_int_equal(word(0), 0x0A0D0D0A);
    assert_int_equal(word(8), 0x1A2B3C4D);
    size_t at = next_block(0);
    assert_int_equal(word(at), 1);
    assert_int_equal(word(at + 8), 1); /* Ethernet */
    assert_true(contains(at, size, "vif7.0"));
    assert_true(contains(at, size, "the real clock; in comments"));
    const uint32_t resolution[2] = {0x00010009, 9};
    assert_non_null(memmem(text + at, size - at, resolution, sizeof(resolution)));
    assert_int_equal(next_block(at), size);
}

static void a_frame_has_both_times(void **state)
{
    const struct pcapng_frame frame = {.data = "abcdefghijklmn!",
                                       .captured_bytes = 15,
                                       .length_bytes = 9000,
                                       .real_ns = UINT64_C(1800000000123456789),
                                       .domain_ns = UINT64_C(5000000042)};
    (void)state;
    pcapng_put(out, &interface, &frame);
    fflush(out);
    assert_int_equal(word(0), 6);
    assert_int_equal((uint64_t)word(12) << 32 | word(16), frame.real_ns);
    assert_int_equal(word(20), 15);
    assert_int_equal(word(24), 9000);
    assert_memory_equal(text + 28, "abcdefghijklmn!", 16);
    assert_true(contains(44, size, "domain 5.000000042"));
    assert_int_equal(next_block(0), size);
    interface.domain_time = true;
    pcapng_put(out, &interface, &frame);
    fflush(out);
    size_t at = next_block(0);
    assert_int_equal((uint64_t)word(at + 12) << 32 | word(at + 16), frame.domain_ns);
    assert_true(contains(at, size, "real 1800000000.123456789"));
}

/* The options of a block, from `at` on, end by one that says so, right before its length. */
static void assert_options_end(size_t at, size_t end)
{
    for (;;) {
        uint32_t head = word(at), code = head & 0xffff, length = head >> 16;
        at += 4 + ((length + 3) & ~3u);
        assert_true(at <= end - 4);
        if (code != 0)
            continue;
        assert_int_equal(length, 0);
        assert_int_equal(at, end - 4);
        return;
    }
}

static void each_list_of_options_has_its_end(void **state)
{
    const struct pcapng_frame frame = {.data = "abcdefghijklmn",
                                       .captured_bytes = 14,
                                       .length_bytes = 14,
                                       .real_ns = 1,
                                       .domain_ns = 2};
    (void)state;
    pcapng_begin(out, &interface);
    pcapng_put(out, &interface, &frame);
    fflush(out);
    size_t second = next_block(0), third = next_block(second);
    assert_options_end(24, second);
    assert_options_end(second + 16, third);
    assert_options_end(third + 28 + 16, size);
}

/* The value of an option of a block, whose options begin at `at`. NULL: there is none. */
static const char *option(size_t at, uint32_t code, uint32_t *length)
{
    for (;;) {
        uint32_t head = word(at);
        *length = head >> 16;
        if ((head & 0xffff) == code)
            return text + at + 4;
        if ((head & 0xffff) == 0)
            return NULL;
        at += 4 + ((*length + 3) & ~3u);
    }
}

static void an_interface_tells_its_name_and_address_and_resolution(void **state)
{
    uint32_t length;
    (void)state;
    pcapng_begin(out, &interface);
    fflush(out);
    size_t at = next_block(0) + 16;
    const char *found = option(at, 2, &length);
    assert_non_null(found);
    assert_int_equal(length, 6);
    assert_memory_equal(found, "vif7.0\0\0", 8); /* filled up with zeros */
    found = option(at, 6, &length);
    assert_non_null(found);
    assert_int_equal(length, 6);
    assert_memory_equal(found, interface.mac, 6);
    found = option(at, 9, &length);
    assert_true(found != NULL && length == 1 && found[0] == 9);
    found = option(at, 3, &length);
    assert_non_null(found);
    assert_memory_equal(found, "times: the real clock", 21);
    found = option(24, 4, &length); /* of the section */
    assert_non_null(found);
    assert_memory_equal(found, "domu (splitdom) ", 16);
    assert_int_equal(word(12), 1); /* version 1.0 */
    assert_true(word(16) == UINT32_MAX && word(20) == UINT32_MAX);
}

static void times_of_the_domain_are_announced(void **state)
{
    (void)state;
    interface.domain_time = true;
    pcapng_begin(out, &interface);
    fflush(out);
    assert_true(contains(next_block(0), size, "times: the domain's clock; in comments: the real"));
}

/* A name that leaves no room for itself is left out, and the rest is well-formed. */
static void a_name_that_does_not_fit_is_left_out(void **state)
{
    static char name[600];
    struct pcapng_interface long_one = interface;
    uint32_t length;
    (void)state;
    for (size_t bytes = 480; bytes < 520; bytes++) {
        memset(name, 'n', bytes);
        name[bytes] = '\0';
        long_one.name = name;
        rewind(out);
        pcapng_begin(out, &long_one);
        fflush(out);
        size_t at = next_block(0), end = next_block(at);
        assert_options_end(at + 16, end);
        const char *found = option(at + 16, 2, &length);
        /* 512 bytes hold the option, a head of 4 bytes before it, and the end's 4. */
        assert_int_equal(found != NULL, ((bytes + 3) & ~3u) + 8 <= 512);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_begins_with_a_section_and_an_interface, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_frame_has_both_times, setup, teardown),
        cmocka_unit_test_setup_teardown(each_list_of_options_has_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(an_interface_tells_its_name_and_address_and_resolution,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(times_of_the_domain_are_announced, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_that_does_not_fit_is_left_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
