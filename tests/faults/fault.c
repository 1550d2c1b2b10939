/* SPDX-License-Identifier: MIT */
#include "fault.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The wrapped calls have no context to carry a pointer. */
static struct {
    _Atomic int plan;
    _Atomic uint64_t calls, nth;
    const char *_Atomic first;
    _Atomic int64_t blocks;
    const char *log_path; /* set before main */
    const char *name;     /* FAULT_CALL: set before plan */
    int error;
} fault;

void fault_arm(uint64_t n, enum fault_plan plan)
{
    fault.calls = 0;
    fault.nth = n;
    fault.first = NULL;
    fault.plan = plan;
}

void fault_arm_call(const char *name, uint64_t n, int error)
{
    fault.plan = FAULT_NONE;
    fault.name = name;
    fault.error = error;
    fault_arm(n, FAULT_CALL);
}

const char *fault_disarm(void)
{
    fault.plan = FAULT_NONE;
    return fault.first;
}

/* By system calls of its own: open and write are among those that fail. */
static void tell(const char *name)
{
    char line[64];
    int length, fd;

    if (fault.log_path == NULL)
        return;
    length = snprintf(line, sizeof(line), "%s\n", name);
    fd = (int)syscall(SYS_openat, AT_FDCWD, fault.log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0)
        return;
    (void)syscall(SYS_write, fd, line, (size_t)length);
    (void)syscall(SYS_close, fd);
}

static void struck(const char *name)
{
    const char *none = NULL;

    if (atomic_compare_exchange_strong(&fault.first, &none, name))
        tell(name);
}

bool fault_is_named(const char *name)
{
    if (fault.plan != FAULT_CALL || strcmp(name, fault.name) != 0)
        return false;
    if (fault.nth != 0 && ++fault.calls != fault.nth)
        return false;
    struck(name);
    return true;
}

int fault_error(int usual)
{
    return fault.plan == FAULT_CALL ? fault.error : usual;
}

bool fault_strikes(const char *name)
{
    const int plan = fault.plan;
    uint64_t call;

    if (plan == FAULT_CALL)
        return fault_is_named(name);
    if (plan != FAULT_ONCE && plan != FAULT_BURST)
        return false;
    call = ++fault.calls;
    if (call < fault.nth || call >= fault.nth + (plan == FAULT_ONCE ? 1 : FAULT_BURST_CALLS))
        return false;
    struck(name);
    return true;
}

bool fault_interrupts(const char *name)
{
    if (fault.plan == FAULT_CALL)
        return fault_is_named(name);
    if (fault.plan != FAULT_EINTR || ++fault.calls % fault.nth != 0)
        return false;
    struck(name);
    return true;
}

int64_t fault_live_blocks(void)
{
    return fault.blocks;
}

void fault_count_blocks(int64_t more)
{
    fault.blocks += more;
}

uint32_t fault_open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    uint32_t count = 0;

    while (dir != NULL && readdir(dir) != NULL)
        count++;
    if (dir != NULL)
        closedir(dir);
    return count;
}

uint32_t fault_mapped_segments(void)
{
    char line[512];
    uint32_t count = 0;
    const int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
    FILE *maps = fdopen(fd, "r");

    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL)
        count += strstr(line, "/memfd:splitdom ") != NULL;
    if (maps != NULL)
        fclose(maps);
    return count;
}

/* Before main: an order from the environment. */
__attribute__((constructor)) static void take_orders(void)
{
    static const struct {
        const char *name;
        enum fault_plan plan;
    } plans[] = {{"once=", FAULT_ONCE}, {"burst=", FAULT_BURST}, {"eintr=", FAULT_EINTR}};
    const char *order = getenv("FAULT_PLAN");

    fault.log_path = getenv("FAULT_LOG");
    for (size_t i = 0; order != NULL && i < sizeof(plans) / sizeof(plans[0]); i++) {
        const size_t length = strlen(plans[i].name);
        if (strncmp(order, plans[i].name, length) == 0)
            fault_arm(strtoull(order + length, NULL, 10), plans[i].plan);
    }
}
