/* SPDX-License-Identifier: MIT */
#include "run/shim/loader.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "run/shim/core/stub.h"

enum { PAGE = 4096 };

static bool failed(long address)
{
    return address < 0 && address > -4096;
}

static long map(uint64_t address, uint64_t size, int protection, int flags, int fd, uint64_t offset)
{
    return SYS6(SYS_mmap, address, size, protection, flags, fd, offset);
}

/* Finds address space for all segments, so that none of them meets anything. It is freed
 * before they are mapped, as mapping over something costs more: nobody else maps anything
 * meanwhile. */
static long find_place(const struct loader_plan *plan, uint64_t near)
{
    const uint64_t size = plan->high - plan->low;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    long at = -EEXIST;

    if (plan->fixed)
        return map(plan->low, size, PROT_NONE, flags | MAP_FIXED_NOREPLACE, -1, 0);
    near = (near + plan->alignment - 1) & ~(plan->alignment - 1);
    if (near != 0)
        at = map(near, size, PROT_NONE, flags | MAP_FIXED_NOREPLACE, -1, 0);
    if (!failed(at) && (uint64_t)at == near)
        return at;
    if (!failed(at))
        SYS2(SYS_munmap, at, size);
    at = map(0, size + plan->alignment, PROT_NONE, flags, -1, 0);
    if (failed(at))
        return at;
    const uint64_t start = ((uint64_t)at + plan->alignment - 1) & ~(plan->alignment - 1);
    if (start > (uint64_t)at)
        SYS2(SYS_munmap, at, start - (uint64_t)at);
    const uint64_t rest = (uint64_t)at + plan->alignment - start;
    if (rest > 0)
        SYS2(SYS_munmap, start + size, rest);
    return (long)start;
}

static long map_segment(int fd, const Elf64_Phdr *at, uint64_t bias)
{
    const int protection = (at->p_flags & PF_R ? PROT_READ : 0) |
                           (at->p_flags & PF_W ? PROT_WRITE : 0) |
                           (at->p_flags & PF_X ? PROT_EXEC : 0);
    const uint64_t within = at->p_vaddr % PAGE;
    const uint64_t start = at->p_vaddr - within + bias;
    const uint64_t file_end = at->p_vaddr + at->p_filesz + bias,
                   end = at->p_vaddr + at->p_memsz + bias;
    const uint64_t file_pages =
        at->p_filesz == 0 ? start : (file_end + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    long rc = 0;

    if (file_pages > start)
        rc = map(start, file_pages - start, protection, MAP_PRIVATE | MAP_FIXED, fd,
                 at->p_offset - within);
    if (failed(rc))
        return rc;
    const uint64_t zero_end = (end + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    if (zero_end > file_pages)
        rc = map(file_pages, zero_end - file_pages, protection,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (failed(rc))
        return rc;
    /* The rest of the last page is the file's, and shall be zero. */
    if (end > file_end && file_pages > file_end && (protection & PROT_WRITE))
        memset((void *)file_end, 0, file_pages - file_end);
    return 0;
}

static long read_at(int fd, void *to, size_t size, uint64_t offset)
{
    long rc = SYS4(SYS_pread64, fd, to, size, offset);

    if (rc < 0)
        return rc;
    return rc == (long)size ? 0 : -ENOEXEC;
}

long loader_map(int fd, uint64_t near, struct loader_image *image)
{
    Elf64_Phdr program[LOADER_PROGRAM_HEADERS];
    Elf64_Ehdr head;

    *image = (struct loader_image){0};
    long rc = read_at(fd, &head, sizeof(head), 0);
    if (rc == 0 && head.e_phnum > LOADER_PROGRAM_HEADERS)
        rc = -ENOEXEC;
    if (rc == 0)
        rc = read_at(fd, program, head.e_phnum * sizeof(program[0]), head.e_phoff);
    if (rc == 0)
        rc = loader_parse(&head, program, &image->plan);
    if (rc == 0 && image->plan.interpreter_bytes != 0) {
        rc = read_at(fd, image->interpreter, image->plan.interpreter_bytes,
                     image->plan.interpreter_offset);
        image->interpreter[LOADER_PATH_BYTES - 1] = '\0';
    }
    if (rc < 0)
        return rc;
    long at = find_place(&image->plan, near);
    if (failed(at))
        return at;
    SYS2(SYS_munmap, at, image->plan.high - image->plan.low);
    image->headers = head.e_phnum;
    image->bias = (uint64_t)at - image->plan.low;
    for (unsigned i = 0; i < head.e_phnum && rc == 0; i++)
        if (program[i].p_type == PT_LOAD)
            rc = map_segment(fd, &program[i], image->bias);
    return rc;
}
