/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/dom0/memory/memory_limit.h"

enum { MACHINE_BYTES = 1000000 };

static uint64_t limit_of(const char *text)
{
    char path[64];
    snprintf(path, sizeof(path), "/tmp/test_memory_limit.%d", (int)getpid());
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    uint64_t bytes = memory_limit_bytes(MACHINE_BYTES, path);
    unlink(path);
    return bytes;
}

static void it_is_half_of_the_machine(void **state)
{
    (void)state;
    assert_int_equal(memory_limit_bytes(MACHINE_BYTES, "/nowhere/memory.max"), 500000);
    assert_int_equal(limit_of("max\n"), 500000);
    assert_int_equal(limit_of(""), 500000);
    assert_int_equal(limit_of("9000000000000000000\n"), 500000);
}

static void it_is_half_of_a_container(void **state)
{
    (void)state;
    assert_int_equal(limit_of("800000\n"), 400000);
    assert_int_equal(limit_of("0\n"), 0);
}

static void a_machine_has_memory(void **state)
{
    (void)state;
    assert_in_range(memory_limit_machine_bytes(), 1 << 20, UINT64_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_half_of_the_machine),
        cmocka_unit_test(it_is_half_of_a_container),
        cmocka_unit_test(a_machine_has_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
