/* SPDX-License-Identifier: MIT */
/*
 * loader_parse: the pure half of loader.h: what an ELF program's headers ask for.
 */
#include <errno.h>
#include <stddef.h>

#include "run/shim/loader.h"

enum { PAGE = 4096 };

#define ADDRESS_MAX (UINT64_C(1) << 47)

static uint64_t page_down(uint64_t address)
{
    return address & ~(uint64_t)(PAGE - 1);
}

static int take_segment(const Elf64_Phdr *at, const Elf64_Ehdr *head, struct loader_plan *plan)
{
    if (at->p_memsz < at->p_filesz || at->p_vaddr > ADDRESS_MAX || at->p_memsz > ADDRESS_MAX ||
        at->p_offset > ADDRESS_MAX || at->p_filesz > ADDRESS_MAX ||
        (at->p_vaddr - at->p_offset) % PAGE != 0)
        return -ENOEXEC;
    const uint64_t end = at->p_vaddr + at->p_memsz;
    if (page_down(at->p_vaddr) < plan->low)
        plan->low = page_down(at->p_vaddr);
    if (end > plan->end)
        plan->end = end;
    if (at->p_align > plan->alignment && (at->p_align & (at->p_align - 1)) == 0)
        plan->alignment = at->p_align;
    if (head->e_phoff >= at->p_offset && head->e_phoff - at->p_offset < at->p_filesz)
        plan->headers = head->e_phoff - at->p_offset + at->p_vaddr;
    return 0;
}

int loader_parse(const Elf64_Ehdr *head, const Elf64_Phdr *program, struct loader_plan *plan)
{
    *plan = (struct loader_plan){.fixed = head->e_type == ET_EXEC,
                                 .entry = head->e_entry,
                                 .low = UINT64_MAX,
                                 .alignment = PAGE};
    if (head->e_phnum == 0 || head->e_phnum > LOADER_PROGRAM_HEADERS ||
        head->e_phentsize != sizeof(Elf64_Phdr))
        return -ENOEXEC;
    for (unsigned i = 0; i < head->e_phnum; i++) {
        const Elf64_Phdr *at = &program[i];
        if (at->p_type == PT_LOAD && take_segment(at, head, plan) < 0)
            return -ENOEXEC;
        if (at->p_type == PT_INTERP) {
            if (at->p_filesz < 2 || at->p_filesz > LOADER_PATH_BYTES)
                return -ENOEXEC;
            plan->interpreter_offset = at->p_offset;
            plan->interpreter_bytes = at->p_filesz;
        }
        if (at->p_type == PT_GNU_STACK)
            plan->executable_stack = (at->p_flags & PF_X) != 0;
    }
    plan->high = page_down(plan->end + PAGE - 1);
    return plan->low < plan->high ? 0 : -ENOEXEC;
}
