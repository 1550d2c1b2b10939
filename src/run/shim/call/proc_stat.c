/* SPDX-License-Identifier: MIT */
#include "run/shim/call/proc_stat.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

#include "run/shim/core/process.h"
#include "run/shim/core/stamp.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/text.h"
#include "run/shim/core/time_scale.h"
#include "run/shim/core/vclock.h"

enum {
    NS_PER_TICK = 10000000,
    OFFSETS_BYTES = 128,
    LINK_BYTES = 40,
    NUMBER_BYTES = 24,
    /* Fields, counted from 1 as in proc(5); the second is the name, in brackets. */
    AFTER_NAME = 3,
    USER_TIME = 14,
    CHILDREN_SYSTEM_TIME = 17,
    START_TIME = 22,
    /* Of schedstat, in nanoseconds; what follows them is a count. */
    RUN_TIME = 1,
    WAIT_TIME = 2,
};

/* Past a name of one directory's; NULL: it is another one. */
static const char *past_process(const char *path)
{
    const char *at = path;

    if (text_begins(path, "self/"))
        return path + sizeof("self/") - 1;
    if (text_begins(path, "thread-self/"))
        return path + sizeof("thread-self/") - 1;
    while (*at >= '0' && *at <= '9')
        at++;
    return at > path && *at == '/' ? at + 1 : NULL;
}

/* "stat" of "/proc/PID/stat"; NULL: a path is no such. */
static const char *name_of(const char *path)
{
    if (!text_begins(path, "/proc/"))
        return NULL;
    path = past_process(path + sizeof("/proc/") - 1);
    if (path != NULL && text_begins(path, "task/"))
        path = past_process(path + sizeof("task/") - 1);
    return path;
}

static bool is(const char *name, const char *wanted)
{
    return name != NULL && text_begins(name, wanted) && name[text_length(wanted)] == '\0';
}

bool proc_stat_is_path(const char *path)
{
    const char *name = name_of(path);

    return is(name, "stat") || is(name, "schedstat");
}

/* Is the namespace of this process that of its children to come? */
static bool is_childrens(void)
{
    char own[LINK_BYTES] = {0}, children[LINK_BYTES] = {0};

    return SYS3(SYS_readlink, "/proc/self/ns/time", own, sizeof(own) - 1) > 0 &&
           SYS3(SYS_readlink, "/proc/self/ns/time_for_children", children, sizeof(children) - 1) >
               0 &&
           text_begins(own, children);
}

/* By how much the kernel's CLOCK_BOOTTIME is ahead in this process's time namespace, whose offsets
 * the domain's clocks do not show. The file has a line for each clock: its name, seconds,
 * nanoseconds; it tells of the children's namespace. One that was left to the children was made by
 * who has that of the domain, as far as is known. */
static int64_t namespace_ns(void)
{
    static const char name[] = "boottime";
    char text[OFFSETS_BYTES] = {0};

    const int64_t domain_ns = vclock_session()->namespace_ns;
    const long fd =
        is_childrens() ? SYS2(SYS_open, "/proc/self/timens_offsets", O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return domain_ns;
    const long size = SYS3(SYS_read, fd, text, sizeof(text) - 1);
    SYS1(SYS_close, fd);
    const char *at = text;
    while (size > 0 && *at != '\0' && !text_begins(at, name))
        at++;
    if (*at == '\0')
        return domain_ns;
    for (at += sizeof(name) - 1; *at == ' ';)
        at++;
    const int64_t seconds = text_number(&at);
    while (*at == ' ')
        at++;
    return seconds * (int64_t)SCALE_NS_PER_SEC + text_number(&at);
}

/* A process began at so many ticks of the kernel's CLOCK_BOOTTIME: at which of the domain's? */
static uint64_t shown_start(uint64_t ticks)
{
    const struct session *session = vclock_session();
    const int64_t real_ns = (int64_t)(ticks * NS_PER_TICK) - session->boottime_ahead_ns -
                            (namespace_ns() - session->namespace_ns);
    uint64_t boottime_ahead_ns = 0, wall_ahead_ns = 0;

    vclock_ahead_ns(CLOCK_BOOTTIME, &boottime_ahead_ns);
    vclock_ahead_ns(CLOCK_REALTIME, &wall_ahead_ns);
    const int64_t wall_ns = stamp_to_virtual_ns(real_ns + session->realtime_ahead_ns);
    const int64_t boot_ns = wall_ns - (int64_t)wall_ahead_ns + (int64_t)boottime_ahead_ns;
    return boot_ns < 0 ? 0 : (uint64_t)boot_ns / NS_PER_TICK;
}

static bool is_cpu_time(unsigned field, bool sched)
{
    return sched ? field >= RUN_TIME && field <= WAIT_TIME
                 : field >= USER_TIME && field <= CHILDREN_SYSTEM_TIME;
}

static uint64_t shown(unsigned field, bool sched, uint64_t number)
{
    if (is_cpu_time(field, sched))
        return scale_to_virtual_ns(process.cpu_tdf, number, false);
    return field == START_TIME ? shown_start(number) : number;
}

/* The name may have spaces and brackets: its end is the last bracket. */
static const char *past_name(const char *text)
{
    const char *end = NULL;

    for (; *text != '\0'; text++)
        if (*text == ')')
            end = text;
    return end == NULL || end[1] != ' ' ? NULL : end + 2;
}

/* Appends the fields, of which the first has that number. */
static char *append_fields(char *out, const char *at, unsigned field, bool sched)
{
    while (*at != '\0') {
        if (is_cpu_time(field, sched) || (!sched && field == START_TIME)) {
            uint64_t number = 0;
            for (; *at >= '0' && *at <= '9'; at++)
                number = number * 10 + (uint64_t)(*at - '0');
            out = text_append_number(out, shown(field, sched, number));
        }
        while (*at != '\0' && *at != ' ')
            *out++ = *at++;
        if (*at == ' ')
            *out++ = *at++;
        field++;
    }
    return out;
}

size_t proc_stat_show(long fd, const char *path, struct proc_stat *stat)
{
    enum { ROOM = PROC_STAT_BYTES - 5 * NUMBER_BYTES };
    char *const line = stat->line, *const text = stat->text;
    char *out = line;

    long size = SYS4(SYS_pread64, fd, text, ROOM - 1, 0);
    if (size <= 0 || size == ROOM - 1)
        return 0;
    text[size] = '\0';
    if (is(name_of(path), "schedstat"))
        return (size_t)(append_fields(out, text, RUN_TIME, true) - line);
    const char *rest = past_name(text);
    if (rest == NULL)
        return 0;
    for (const char *at = text; at < rest; at++)
        *out++ = *at;
    return (size_t)(append_fields(out, rest, AFTER_NAME, false) - line);
}
