/* SPDX-License-Identifier: MIT */
#include "run/shim/call/timer_signal.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "run/shim/call/signals.h"
#include "run/shim/core/stub.h"
#include "run/shim/core/text.h"
#include "run/shim/core/user.h"

enum { STATUS_BYTES = 4096, PATH_BYTES = 64, DROPS_MAJOR = 6, DROPS_MINOR = 13 };

struct timer_signal timer_signal_of(long sigevent)
{
    struct {
        uint64_t value;
        int32_t signo, notify, tid;
    } event;

    if (sigevent == 0)
        return (struct timer_signal){.number = SIGALRM};
    if (user_read(&event, sigevent, sizeof(event)) < 0 || (event.notify & SIGEV_NONE))
        return (struct timer_signal){0};
    return (struct timer_signal){.number = event.signo,
                                 .tid = event.notify & SIGEV_THREAD_ID ? event.tid : 0};
}

static bool kernel_drops(void)
{
    struct utsname name;

    if (SYS1(SYS_uname, &name) != 0)
        return false;
    const char *at = name.release;
    const int64_t major = text_number(&at), minor = text_number(&at);
    return major > DROPS_MAJOR || (major == DROPS_MAJOR && minor >= DROPS_MINOR);
}

/* Another thread's own. */
static uint64_t pending_of(int32_t tid)
{
    char path[PATH_BYTES], text[STATUS_BYTES];
    uint64_t set = 0;

    text_append(text_append_number(text_append(path, "/proc/self/task/"), (uint64_t)tid),
                "/status");
    const long file = SYS3(SYS_open, path, O_RDONLY | O_CLOEXEC, 0);
    if (file < 0)
        return 0;
    const long size = SYS3(SYS_read, file, text, sizeof(text) - 1);
    SYS1(SYS_close, file);
    text[size < 0 ? 0 : size] = '\0';
    const char *at = text;
    while (*at != '\0' && !text_begins(at, "\nSigPnd:\t"))
        at++;
    for (at += *at == '\0' ? 0 : sizeof("\nSigPnd:\t") - 1; *at > '\n'; at++)
        set = set << 4 | (uint64_t)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
    return set;
}

bool timer_signal_is_dropped(const struct timer_signal *timer_signal)
{
    uint64_t set = 0;

    if (timer_signal->number <= 0)
        return false;
    if (timer_signal->tid == 0 || timer_signal->tid == SYS0(SYS_gettid))
        SYS2(SYS_rt_sigpending, &set, SIGNALS_MASK_BYTES);
    else
        set = pending_of(timer_signal->tid);
    return (set >> (timer_signal->number - 1) & 1) != 0 && kernel_drops();
}
