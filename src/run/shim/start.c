/* SPDX-License-Identifier: MIT */
/*
 * start: the shim's own life: from the kernel's exec to the program's first instruction.
 *
 * What the program finds is what exec would have made: its arguments, its environment, its
 * auxiliary vector, its heap behind its data, its name in /proc. Only the two arguments in front
 * (exec.h) are gone, and the shim's pages are there.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "run/session.h"
#include "run/shim/call/exec.h"
#include "run/shim/call/terminal.h"
#include "run/shim/call/timers.h"
#include "run/shim/catch.h"
#include "run/shim/core/filter.h"
#include "run/shim/core/process.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/text.h"
#include "run/shim/core/vclock.h"
#include "run/shim/loader.h"
#include "run/shim/tsc.h"
#include "run/shim/vdso.h"

enum {
    PAGE = 4096,
    EXIT_NOT_RUN = 126,
    EXIT_NOT_FOUND = 127,
    PERSONALITY_NO_RANDOM = 0x0040000,
    PIE_RANDOM_BITS = 28,
};

/* Where Linux puts programs that can lie anywhere. */
#define PIE_BASE UINT64_C(0x555555554000)

_Noreturn void start(uint64_t *stack);

struct life {
    uint64_t *stack; /* of the shim, as the kernel made it */
    char **argv, **envp;
    Elf64_auxv_t *aux;
    size_t aux_bytes;
    const char *path;
    int program_fd;
    struct loader_image program, interpreter;
};

static _Noreturn void give_up(const char *subject, const char *why, int code)
{
    text_complain(subject, why);
    for (;;)
        SYS1(SYS_exit_group, code);
}

static void find_parts(struct life *life, uint64_t *stack)
{
    const size_t argc = stack[0];

    life->stack = stack;
    life->argv = (char **)(stack + 1);
    life->envp = life->argv + argc + 1;
    char **end = life->envp;
    while (*end != NULL)
        end++;
    life->aux = (Elf64_auxv_t *)(void *)(end + 1);
    size_t count = 0;
    while (life->aux[count].a_type != AT_NULL)
        count++;
    life->aux_bytes = (count + 1) * sizeof(*life->aux);
    if (argc < EXEC_ARGUMENTS || !text_begins(life->argv[0], "domu:"))
        give_up("domu-shim", "it is started by domu run, not by hand", EXIT_NOT_RUN);
    const char *how = life->argv[0] + sizeof("domu:") - 1;
    process.fds = (int)text_number(&how);
    process.clock_offset_bytes = (uint64_t)text_number(&how);
    life->program_fd = (int)text_number(&how);
    life->path = life->argv[1];
}

static Elf64_auxv_t *aux_of(struct life *life, uint64_t type)
{
    for (Elf64_auxv_t *at = life->aux; at->a_type != AT_NULL; at++)
        if (at->a_type == type)
            return at;
    return NULL;
}

static void set_aux(struct life *life, uint64_t type, uint64_t value)
{
    Elf64_auxv_t *at = aux_of(life, type);

    if (at != NULL)
        at->a_un.a_val = value;
}

/* May this process tell the kernel which program it is? Then its descendants may, but for those
 * that lose the right on the way. */
static bool may_name_program(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

    if (SYS2(SYS_capget, &header, data) < 0)
        return false;
    return (data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN)) != 0 ||
           (data[CAP_TO_INDEX(CAP_CHECKPOINT_RESTORE)].effective &
            CAP_TO_MASK(CAP_CHECKPOINT_RESTORE)) != 0;
}

/* The first of all: from here on the process is mediated. */
static _Noreturn void begin_mediation(struct life *life)
{
    static struct filter filter; /* too large for a stack; used once */

    vclock_session()->links = !may_name_program();
    const struct filter_options options = {
        .stub = (uint64_t)stub_begin,
        .fds = process.fds,
        .tsc = vclock_session()->tsc_per_ns_fp != 0,
        .links = vclock_session()->links,
        .stamps = vclock_stamps() != SESSION_STAMPS_REAL,
    };
    filter_build(&filter, &options);
    long rc = filter_install(&filter);
    if (rc < 0)
        give_up(life->path, "no seccomp filter can be set here", EXIT_NOT_RUN);
    rc = exec_program(AT_FDCWD, life->path, life->argv + EXEC_ARGUMENTS, life->envp, 0);
    if (rc == -ENOENT)
        give_up(life->path, "no such program (or its interpreter)", EXIT_NOT_FOUND);
    if (rc == -EACCES)
        give_up(life->path, "not executable", EXIT_NOT_RUN);
    give_up(life->path, rc == -ENOEXEC ? "no program" : "it can't be executed", EXIT_NOT_RUN);
}

static void map_session(struct life *life)
{
    const uint64_t fd = (uint64_t)process.fds;
    const size_t session_bytes = (sizeof(struct session) + PAGE - 1) & ~(size_t)(PAGE - 1);

    long session = SYS6(SYS_mmap, SESSION_ADDRESS, session_bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_FIXED_NOREPLACE, fd + SESSION_FD_MEMORY, 0);
    long clock =
        SYS6(SYS_mmap, SESSION_CLOCK_ADDRESS, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE,
             fd + SESSION_FD_CLOCK, process.clock_offset_bytes);
    if (session != (long)SESSION_ADDRESS || clock != (long)SESSION_CLOCK_ADDRESS)
        give_up(life->path, "the domain's clock can't be mapped", EXIT_NOT_RUN);
    if (vclock_session()->magic != SESSION_MAGIC)
        give_up(life->path, "domu and domu-shim are of different versions", EXIT_NOT_RUN);
}

static uint64_t place_of_program(void)
{
    uint32_t random = 0;

    if (SYS1(SYS_personality, 0xffffffff) & PERSONALITY_NO_RANDOM)
        return PIE_BASE;
    SYS3(SYS_getrandom, &random, sizeof(random), 0);
    return PIE_BASE + ((uint64_t)(random & ((1u << PIE_RANDOM_BITS) - 1)) << 12);
}

static void load(struct life *life)
{
    struct loader_image *program = &life->program, *interpreter = &life->interpreter;

    if (loader_map(life->program_fd, place_of_program(), program) < 0)
        give_up(life->path, "it can't be loaded", EXIT_NOT_RUN);
    if (program->interpreter[0] != '\0') {
        long fd = SYS4(SYS_openat, AT_FDCWD, program->interpreter, O_RDONLY | O_CLOEXEC, 0);
        if (fd < 0 || loader_map((int)fd, 0, interpreter) < 0)
            give_up(program->interpreter, "the program's interpreter can't be loaded",
                    EXIT_NOT_RUN);
        SYS1(SYS_close, fd);
    }
    set_aux(life, AT_PHDR, program->plan.headers == 0 ? 0 : program->plan.headers + program->bias);
    set_aux(life, AT_PHNUM, program->headers);
    set_aux(life, AT_ENTRY, program->plan.entry + program->bias);
    set_aux(life, AT_BASE, program->interpreter[0] != '\0' ? interpreter->bias : 0);
    set_aux(life, AT_EXECFN, (uint64_t)life->path);
    if (program->plan.executable_stack)
        SYS3(SYS_mprotect, (uint64_t)life->stack & ~(uint64_t)(PAGE - 1), PAGE,
             PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN);
}

/* What of the shim is mapped from its file, from the memory that has the same bytes: the kernel
 * names another program only in a process that no longer maps the first one. That memory's pages
 * are there already, and shared, so this costs little at each exec; nothing in them is written
 * (shim.ld). */
static void leave_file(struct life *life)
{
    const Elf64_auxv_t *headers = aux_of(life, AT_PHDR), *count = aux_of(life, AT_PHNUM);

    if (headers == NULL || count == NULL)
        return;
    const Elf64_Phdr *program = (const Elf64_Phdr *)headers->a_un.a_val;
    for (uint64_t i = 0; i < count->a_un.a_val; i++) {
        if (program[i].p_type != PT_LOAD || program[i].p_filesz == 0)
            continue;
        const uint64_t start = program[i].p_vaddr & ~(uint64_t)(PAGE - 1);
        const uint64_t end =
            (program[i].p_vaddr + program[i].p_filesz + PAGE - 1) & ~(uint64_t)(PAGE - 1);
        const int protection = PROT_READ | ((program[i].p_flags & PF_X) != 0 ? (int)PROT_EXEC : 0);
        SYS6(SYS_mmap, start, end - start, protection, MAP_PRIVATE | MAP_FIXED,
             process.fds + SESSION_FD_IMAGE, program[i].p_offset & ~(uint64_t)(PAGE - 1));
    }
}

/* The program's path, for who reads /proc/self/exe where that is mediated (call/files.c). */
static void remember_path(const struct life *life)
{
    char fd_path[64];

    if (!vclock_session()->links)
        return;
    text_append_number(text_append(fd_path, "/proc/self/fd/"), (uint64_t)life->program_fd);
    SYS3(SYS_readlink, fd_path, process.exe, sizeof(process.exe) - 1);
}

/* What /proc says of the process, and where its heap begins. Without CAP_CHECKPOINT_RESTORE its exe
 * stays the shim, but for readlink. */
static void name_process(struct life *life)
{
    const struct loader_image *program = &life->program;
    char **argv = life->argv + EXEC_ARGUMENTS;
    char **last_arg = life->envp - 2, **last_env = life->envp;
    const uint64_t break_at = program->plan.high + program->bias;

    while (*last_env != NULL && last_env[1] != NULL)
        last_env++;
    struct prctl_mm_map map = {
        .start_code = program->plan.low + program->bias,
        .end_code = program->plan.high + program->bias,
        .start_data = program->plan.low + program->bias,
        .end_data = program->plan.end + program->bias,
        .start_brk = break_at,
        .brk = break_at,
        .start_stack = (uint64_t)life->stack,
        .arg_start = (uint64_t)(argv <= last_arg ? *argv : life->argv[1]),
        .auxv = (void *)life->aux,
        .auxv_size = (uint32_t)life->aux_bytes,
        .exe_fd = (uint32_t)life->program_fd,
    };
    map.arg_end =
        argv <= last_arg ? (uint64_t)*last_arg + text_length(*last_arg) + 1 : map.arg_start;
    map.env_start = map.arg_end;
    map.env_end =
        *last_env != NULL ? (uint64_t)*last_env + text_length(*last_env) + 1 : map.arg_end;
    if (SYS6(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0, 0) < 0) {
        map.exe_fd = (uint32_t)-1;
        SYS6(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0, 0);
    }
    SYS6(SYS_prctl, PR_SET_NAME, text_base_name(life->path), 0, 0, 0, 0);
}

_Noreturn void start(uint64_t *stack)
{
    struct life life = {0};

    tsc_begin();
    find_parts(&life, stack);
    map_session(&life);
    if (life.program_fd < 0)
        begin_mediation(&life);
    process.cpu_tdf = vclock_tdf_running();
    leave_file(&life);
    catch_install();
    filter_install_stamps();
    terminal_catch();
    Elf64_auxv_t *vdso = aux_of(&life, AT_SYSINFO_EHDR);
    if (vdso != NULL && !vdso_redirect(vdso->a_un.a_val))
        vdso->a_type = AT_IGNORE;
    load(&life);
    remember_path(&life);
    name_process(&life);
    SYS1(SYS_close, life.program_fd);
    timers_adopt_itimer();
    if (vclock_session()->tsc_per_ns_fp != 0)
        tsc_trap();
    uint64_t *top = stack + EXEC_ARGUMENTS;
    *top = stack[0] - EXEC_ARGUMENTS;
    const struct loader_image *first =
        life.program.interpreter[0] != '\0' ? &life.interpreter : &life.program;
    stub_enter(top, first->plan.entry + first->bias);
}
