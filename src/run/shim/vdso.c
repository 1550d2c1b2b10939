/* SPDX-License-Identifier: MIT */
#include "run/shim/vdso.h"

#include <elf.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "run/shim/call/reads.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/time_scale.h"
#include "run/shim/core/vclock.h"

enum { JUMP_BYTES = 12, PAGE = 4096 };

/* On the stack and in the state of any caller: no libc, no floating point. */
static long our_clock_gettime(clockid_t clock_id, struct timespec *ts)
{
    return reads_clock(clock_id, ts);
}

static long our_gettimeofday(struct timeval *tv, struct timezone *tz)
{
    volatile struct timeval *out = tv; /* see reads_clock */
    struct timespec ts;

    if (tz != NULL)
        READ2(SYS_gettimeofday, 0, tz);
    reads_clock(CLOCK_REALTIME, &ts);
    if (out != NULL) {
        out->tv_sec = ts.tv_sec;
        out->tv_usec = ts.tv_nsec / 1000;
    }
    return 0;
}

static time_t our_time(time_t *out)
{
    struct timespec ts;

    reads_clock(CLOCK_REALTIME, &ts);
    if (out != NULL)
        *out = ts.tv_sec;
    return ts.tv_sec;
}

struct image {
    uint64_t bias;
    const Elf64_Sym *symbols;
    const char *names;
    uint64_t size; /* of what is loaded */
    uint32_t count;
};

static void find_tables(struct image *image, const Elf64_Dyn *dynamic)
{
    for (; dynamic->d_tag != DT_NULL; dynamic++) {
        const void *at = (const void *)(image->bias + dynamic->d_un.d_ptr);
        if (dynamic->d_tag == DT_SYMTAB)
            image->symbols = at;
        else if (dynamic->d_tag == DT_STRTAB)
            image->names = at;
        else if (dynamic->d_tag == DT_HASH)
            image->count = ((const uint32_t *)at)[1];
    }
}

static bool open_image(struct image *image, uint64_t base)
{
    const Elf64_Ehdr *head = (const Elf64_Ehdr *)base;
    const Elf64_Phdr *program = (const Elf64_Phdr *)(base + head->e_phoff);
    const Elf64_Dyn *dynamic = NULL;

    *image = (struct image){0};
    for (unsigned i = 0; i < head->e_phnum; i++) {
        if (program[i].p_type == PT_LOAD && image->size == 0) {
            image->bias = base + program[i].p_offset - program[i].p_vaddr;
            image->size = program[i].p_memsz;
        } else if (program[i].p_type == PT_DYNAMIC) {
            dynamic = (const Elf64_Dyn *)(base + program[i].p_offset);
        }
    }
    if (dynamic != NULL)
        find_tables(image, dynamic);
    return image->symbols != NULL && image->names != NULL;
}

static bool same(const char *a, const char *b)
{
    for (; *a == *b; a++, b++)
        if (*a == '\0')
            return true;
    return false;
}

/* movabs $to, %rax; jmp *%rax */
static void write_jump(uint8_t *at, uint64_t to)
{
    at[0] = 0x48;
    at[1] = 0xb8;
    memcpy(at + 2, &to, sizeof(to));
    at[10] = 0xff;
    at[11] = 0xe0;
}

static bool redirect(const struct image *image, const char *name, uint64_t to)
{
    for (uint32_t i = 0; i < image->count; i++) {
        const Elf64_Sym *symbol = &image->symbols[i];
        if (symbol->st_shndx == SHN_UNDEF || !same(image->names + symbol->st_name, name))
            continue;
        if (symbol->st_size < JUMP_BYTES)
            return false;
        write_jump((uint8_t *)(image->bias + symbol->st_value), to);
        return true;
    }
    return true; /* what is not there is not called */
}

bool vdso_redirect(uint64_t base)
{
    struct image image;

    if (base == 0 || !open_image(&image, base) || image.count == 0)
        return false;
    uint64_t size = (image.size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    if (SYS3(SYS_mprotect, base, size, PROT_READ | PROT_WRITE | PROT_EXEC) < 0)
        return false;
    bool ok = redirect(&image, "__vdso_clock_gettime", (uint64_t)our_clock_gettime) &&
              redirect(&image, "__vdso_gettimeofday", (uint64_t)our_gettimeofday) &&
              redirect(&image, "__vdso_time", (uint64_t)our_time);
    SYS3(SYS_mprotect, base, size, PROT_READ | PROT_EXEC);
    return ok;
}
