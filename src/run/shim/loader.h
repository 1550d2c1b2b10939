/* SPDX-License-Identifier: MIT */
/*
 * loader: an ELF program in memory, as the kernel's exec lays it out.
 */
#ifndef SPLITDOM_RUN_SHIM_LOADER_H
#define SPLITDOM_RUN_SHIM_LOADER_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

enum { LOADER_PROGRAM_HEADERS = 64, LOADER_PATH_BYTES = 256 };

/* What the headers say; addresses as in the file. */
struct loader_plan {
    bool fixed;         /* ET_EXEC */
    uint64_t low, high; /* of all that is loaded, whole pages */
    uint64_t end;       /* of the last byte, where the heap may begin */
    uint64_t alignment; /* of where it is loaded */
    uint64_t entry;
    uint64_t headers; /* where the program headers are in memory; 0: nowhere */
    uint64_t interpreter_offset, interpreter_bytes; /* in the file; 0: none */
    bool executable_stack;
};

/* -ENOEXEC: the headers contradict themselves, or nothing is loaded. Pure. */
int loader_parse(const Elf64_Ehdr *head, const Elf64_Phdr *program, struct loader_plan *plan);

struct loader_image {
    struct loader_plan plan;
    uint64_t bias; /* memory address minus address in the file */
    uint16_t headers;
    char interpreter[LOADER_PATH_BYTES]; /* empty: none */
};

/* Maps the program of an open file. near: where one that can lie anywhere shall lie; 0: wherever. 0
 * or -errno. */
long loader_map(int fd, uint64_t near, struct loader_image *image);

#endif
