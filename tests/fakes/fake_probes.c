/* SPDX-License-Identifier: MIT */
#include "fakes/fake_probes.h"

#if defined(__x86_64__) && defined(HAVE_SDT) && !defined(__SANITIZE_THREAD__)

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#include "fakes/valgrind.h"

enum { PROBES_MAX = 64, NOP = 0x90, BREAK_POINT = 0xcc, PAGE = 4096 };

/* A handler of signals has no context. */
static struct {
    struct {
        uint8_t *at;
        char name[32];
        uint32_t passed; /* atomic */
    } probe[PROBES_MAX];
    uint32_t count;
    struct sigaction before;
} fake;

/* The place held one nop: what follows is where to go on. */
static void on_trap(int number, siginfo_t *info, void *context)
{
    const ucontext_t *at = context;
    (void)number;
    (void)info;
    for (uint32_t i = 0; i < fake.count; i++) {
        if ((uintptr_t)fake.probe[i].at == (uintptr_t)at->uc_mcontext.gregs[REG_RIP] - 1)
            __atomic_fetch_add(&fake.probe[i].passed, 1, __ATOMIC_RELAXED);
    }
}

static int note_program(struct dl_phdr_info *info, size_t size, void *bias)
{
    (void)size;
    *(uintptr_t *)bias = info->dlpi_addr;
    return 1; /* the first one is the program */
}

/* Notes of sys/sdt.h: three addresses, then provider, name and arguments. */
static void find_probes(const uint8_t *notes, size_t bytes, uintptr_t bias)
{
    for (size_t at = 0; at + sizeof(Elf64_Nhdr) < bytes && fake.count < PROBES_MAX;) {
        Elf64_Nhdr head;
        uint64_t address;
        memcpy(&head, notes + at, sizeof(head));
        const uint8_t *text = notes + at + sizeof(head) + (head.n_namesz + 3) / 4 * 4;
        const char *provider = (const char *)text + 24, *name = provider + strlen(provider) + 1;
        memcpy(&address, text, sizeof(address));
        at += sizeof(head) + (head.n_namesz + 3) / 4 * 4 + (head.n_descsz + 3) / 4 * 4;
        if (strcmp(provider, "splitdom") != 0)
            continue;
        fake.probe[fake.count].at = (uint8_t *)(bias + address);
        fake.probe[fake.count].passed = 0;
        strncpy(fake.probe[fake.count++].name, name, sizeof(fake.probe[0].name) - 1);
    }
}

static void read_program(const uint8_t *file)
{
    Elf64_Ehdr head;
    Elf64_Shdr names, section;
    uintptr_t bias = 0;
    (void)dl_iterate_phdr(note_program, &bias);
    memcpy(&head, file, sizeof(head));
    memcpy(&names, file + head.e_shoff + head.e_shstrndx * sizeof(names), sizeof(names));
    for (uint32_t i = 0; i < head.e_shnum; i++) {
        memcpy(&section, file + head.e_shoff + i * sizeof(section), sizeof(section));
        if (strcmp((const char *)file + names.sh_offset + section.sh_name, ".note.stapsdt") == 0)
            find_probes(file + section.sh_offset, section.sh_size, bias);
    }
}

static bool put(uint8_t *at, uint8_t byte)
{
    uint8_t *page = at - (uintptr_t)at % PAGE;
    if (mprotect(page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) < 0)
        return false;
    *at = byte;
    return mprotect(page, PAGE, PROT_READ | PROT_EXEC) == 0;
}

bool fake_probes_begin(void)
{
    const struct sigaction trap = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    struct stat status;
    int fd = under_valgrind() ? -1 : open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    fake.count = 0;
    void *file = fstat(fd, &status) < 0
                     ? MAP_FAILED
                     : mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (file == MAP_FAILED)
        return false;
    read_program(file);
    munmap(file, (size_t)status.st_size);
    sigaction(SIGTRAP, &trap, &fake.before);
    for (uint32_t i = 0; i < fake.count; i++) {
        if (*fake.probe[i].at != NOP || !put(fake.probe[i].at, BREAK_POINT)) {
            fake.count = i;
            fake_probes_end();
            return false;
        }
    }
    return fake.count > 0;
}

uint32_t fake_probes_passed(const char *name)
{
    uint32_t passed = 0;
    for (uint32_t i = 0; i < fake.count; i++) {
        if (strcmp(fake.probe[i].name, name) == 0)
            passed += __atomic_load_n(&fake.probe[i].passed, __ATOMIC_RELAXED);
    }
    return passed;
}

void fake_probes_end(void)
{
    for (uint32_t i = 0; i < fake.count; i++)
        (void)put(fake.probe[i].at, NOP);
    fake.count = 0;
    sigaction(SIGTRAP, &fake.before, NULL);
}

#else

bool fake_probes_begin(void)
{
    return false;
}

uint32_t fake_probes_passed(const char *name)
{
    (void)name;
    return 0;
}

void fake_probes_end(void)
{
}

#endif
