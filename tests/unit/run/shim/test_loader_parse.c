/* SPDX-License-Identifier: MIT */
#include "run/shim/loader.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const Elf64_Ehdr head = {.e_type = ET_DYN,
                                .e_entry = 0x1040,
                                .e_phoff = 64,
                                .e_phentsize = sizeof(Elf64_Phdr),
                                .e_phnum = 4};

/* A text segment with the headers, a data segment whose end is zeros, an interpreter, a stack. */
static const Elf64_Phdr program[4] = {
    {.p_type = PT_LOAD, .p_filesz = 0x1800, .p_memsz = 0x1800, .p_align = 0x1000},
    {.p_type = PT_LOAD,
     .p_offset = 0x2e00,
     .p_vaddr = 0x3e00,
     .p_filesz = 0x100,
     .p_memsz = 0x1300,
     .p_align = 0x200000},
    {.p_type = PT_INTERP, .p_offset = 0x200, .p_filesz = 28},
    {.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W},
};

static void test_a_program_is_measured(void **state)
{
    struct loader_plan plan;

    (void)state;
    assert_int_equal(loader_parse(&head, program, &plan), 0);
    assert_false(plan.fixed);
    assert_int_equal(plan.low, 0);
    assert_int_equal(plan.end, 0x5100);
    assert_int_equal(plan.high, 0x6000);
    assert_int_equal(plan.alignment, 0x200000);
    assert_int_equal(plan.entry, 0x1040);
    assert_int_equal(plan.headers, 64);
    assert_int_equal(plan.interpreter_offset, 0x200);
    assert_int_equal(plan.interpreter_bytes, 28);
    assert_false(plan.executable_stack);
}

static void refused(const Elf64_Phdr *with)
{
    Elf64_Phdr copy[4] = {program[0], *with, program[2], program[3]};
    struct loader_plan plan;

    assert_int_equal(loader_parse(&head, copy, &plan), -ENOEXEC);
}

static void test_headers_that_contradict_themselves_are_refused(void **state)
{
    Elf64_Phdr data = program[1];

    (void)state;
    data.p_memsz = data.p_filesz - 1;
    refused(&data);
    data = program[1];
    data.p_offset++; /* not at the same place of a page */
    refused(&data);
    data = program[1];
    data.p_vaddr = UINT64_MAX - 0xff;
    refused(&data);
    data = program[1];
    data.p_memsz = UINT64_MAX;
    refused(&data);
    data = (Elf64_Phdr){.p_type = PT_INTERP, .p_filesz = LOADER_PATH_BYTES + 1};
    refused(&data);
    data.p_filesz = 1;
    refused(&data);
}

static void test_a_program_that_loads_nothing_is_refused(void **state)
{
    Elf64_Ehdr other = head;
    struct loader_plan plan;

    (void)state;
    assert_int_equal(loader_parse(&head, (const Elf64_Phdr[4]){0}, &plan), -ENOEXEC);
    other.e_phnum = 0;
    assert_int_equal(loader_parse(&other, program, &plan), -ENOEXEC);
    other.e_phnum = LOADER_PROGRAM_HEADERS + 1;
    assert_int_equal(loader_parse(&other, program, &plan), -ENOEXEC);
    other = head;
    other.e_phentsize = 32;
    assert_int_equal(loader_parse(&other, program, &plan), -ENOEXEC);
}

static void test_an_executable_stack_is_noticed(void **state)
{
    Elf64_Phdr copy[4] = {program[0], program[1], program[2], program[3]};
    struct loader_plan plan;

    (void)state;
    copy[3].p_flags |= PF_X;
    assert_int_equal(loader_parse(&head, copy, &plan), 0);
    assert_true(plan.executable_stack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_program_is_measured),
        cmocka_unit_test(test_headers_that_contradict_themselves_are_refused),
        cmocka_unit_test(test_a_program_that_loads_nothing_is_refused),
        cmocka_unit_test(test_an_executable_stack_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
