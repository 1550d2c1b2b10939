/* SPDX-License-Identifier: MIT */
/* Waits in handlers, with signals blocked or ignored, and on stacks of other kinds. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/waits/sleep.h"

static void in_handler(int number)
{
    (void)number;
    sleep_and_end();
}

static void wait_in_handler(void)
{
    signal(SIGUSR2, in_handler);
    raise(SIGUSR2);
}

/* Where all signals are blocked. */
static void wait_where_terminated(void)
{
    struct sigaction action = {.sa_handler = in_handler};
    sigfillset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    raise(SIGTERM);
}

static void wait_on_other_stack(void)
{
    static char stack[65536];
    stack_t other = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction action = {.sa_handler = in_handler, .sa_flags = SA_ONSTACK};
    sigaltstack(&other, NULL);
    sigaction(SIGUSR2, &action, NULL);
    raise(SIGUSR2);
}

static void all_blocked(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    sleep_and_end();
}

static void all_blocked_by_syscall(void)
{
    uint64_t all = ~UINT64_C(0);
    must(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8), "rt_sigprocmask");
    sleep_and_end();
}

/* And exec hands the mask on. */
static void all_blocked_exec(void)
{
    uint64_t all = ~UINT64_C(0);
    must(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8), "rt_sigprocmask");
    waits_exec_case("a wait", environ);
}

static void nothing(int number)
{
    (void)number;
}

static void every_handler(void)
{
    struct sigaction action = {.sa_handler = nothing};
    sigfillset(&action.sa_mask);
    for (int number = 1; number < 65; number++)
        (void)sigaction(number, &action, NULL);
    sleep_and_end();
}

static void every_ignored_exec(void)
{
    for (int number = 1; number < 65; number++)
        signal(number, SIG_IGN);
    waits_exec_case("a wait", environ);
}

/* What is blocked is what a program has blocked. */
static void mask_is_kept(void)
{
    sigset_t all, now;
    sigfillset(&all);
    sigdelset(&all, SIGUSR2);
    begin();
    sigprocmask(SIG_SETMASK, &all, NULL);
    sleep_once();
    sigprocmask(SIG_SETMASK, NULL, &now);
    int wrong = 0;
    for (int number = 1; number < 32; number++) {
        int wanted = number != SIGUSR2 && number != SIGKILL && number != SIGSTOP;
        if (sigismember(&now, number) != wanted)
            wrong = number;
    }
    end(wrong * 1000000000LL);
}

static void *sleep_in_thread(void *unused)
{
    (void)unused;
    sleep_and_end();
    return NULL;
}

static void small_stack(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 16384 + 8192);
    must(-pthread_create(&thread, &attributes, sleep_in_thread, NULL), "thread");
    pthread_join(thread, NULL);
}

/* A signal stack of one page, below which is no memory. It is not used by the program, but may be
 * by who mediates. */
static void small_signal_stack(void)
{
    enum { PAGE = 4096, FRAME_MAX = 3400, MINIMUM = 51 /* AT_MINSIGSTKSZ */ };
    static const char *const files[] = {"/proc/self/stat", "/proc/self/schedstat", "/proc/uptime"};
    char byte;
    if (getauxval(MINIMUM) > FRAME_MAX)
        absent("a signal's frame that leaves room in a page");
    char *pages = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        broken("mmap");
    must(mprotect(pages + PAGE, PAGE, PROT_READ | PROT_WRITE), "mprotect");
    stack_t other = {.ss_sp = pages + PAGE, .ss_size = PAGE};
    must(sigaltstack(&other, NULL), "sigaltstack");
    for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        int fd = open(files[i], O_RDONLY);
        if (fd >= 0)
            must(pread(fd, &byte, 1, 0), files[i]);
    }
    sleep_and_end();
}

#ifdef __GLIBC__
/* On a stack of the program's own, as coroutines have. */
static void coroutine(void)
{
    static ucontext_t here, there;
    static char stack[16384];
    getcontext(&there);
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = sizeof(stack);
    there.uc_link = &here;
    makecontext(&there, sleep_and_end, 0);
    swapcontext(&here, &there);
}
#endif

static sigjmp_buf back;

static void jump(int number)
{
    (void)number;
    siglongjmp(back, 1);
}

/* Out of a wait by a jump, then another wait. */
static void after_jump(void)
{
    struct timespec span = {.tv_nsec = 1000000};
    signal(SIGUSR2, jump);
    pid_t self = getpid();
    if (fork() == 0) {
        nanosleep(&span, NULL);
        kill(self, SIGUSR2);
        _exit(0);
    }
    if (sigsetjmp(back, 1) == 0) {
        for (;;)
            poll(NULL, 0, 100000);
    }
    sleep_and_end();
}

static timer_t quick;

static const struct itimerspec off;
static const struct itimerspec at_once = {.it_value.tv_nsec = 1, .it_interval.tv_nsec = 1};

static void stop_quick(int number)
{
    (void)number;
    (void)timer_settime(quick, 0, &off, NULL);
}

/* Its signal comes while it is being set, and the handler sets it, too. */
static void timer_set_in_its_handler(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
    signal(SIGUSR2, stop_quick);
    must(timer_create(CLOCK_MONOTONIC, &event, &quick), "timer_create");
    for (int i = 0; i < 100; i++)
        must(timer_settime(quick, 0, &at_once, NULL), "timer_settime");
    must(timer_delete(quick), "timer_delete");
    sleep_and_end();
}

static void stop_alarm(int number)
{
    const struct itimerval none = {0};
    (void)number;
    (void)setitimer(ITIMER_REAL, &none, NULL);
}

static void alarm_set_in_its_handler(void)
{
    const struct itimerval soon = {.it_value.tv_usec = 1};
    signal(SIGALRM, stop_alarm);
    for (int i = 0; i < 1000; i++)
        must(setitimer(ITIMER_REAL, &soon, NULL), "setitimer");
    sleep_and_end();
}

/* Out of the call that sets it by a jump: then it is set once more. */
static void timer_set_after_jump(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
    const struct itimerspec once = {.it_value.tv_nsec = 1};
    volatile int left = 100;
    signal(SIGUSR2, jump);
    must(timer_create(CLOCK_MONOTONIC, &event, &quick), "timer_create");
    (void)sigsetjmp(back, 1);
    while (left > 0) {
        left--;
        must(timer_settime(quick, 0, &once, NULL), "timer_settime");
    }
    signal(SIGUSR2, SIG_IGN);
    must(timer_delete(quick), "timer_delete");
    sleep_and_end();
}

const struct wait_case cases_handler[] = {
    {"in a signal handler", KIND_WAIT, wait_in_handler, 0, 0, 0, 0, 0},
    {"in SIGTERM's handler, all blocked", KIND_WAIT, wait_where_terminated, 0, 0, 0, 0, 0},
    {"on a signal stack", KIND_WAIT, wait_on_other_stack, 0, 0, 0, 0, 0},
    {"all signals blocked", KIND_WAIT, all_blocked, 0, 0, 0, 0, 0},
    {"all blocked by syscall()", KIND_WAIT, all_blocked_by_syscall, 0, 0, 0, 0, 0},
    {"all blocked, exec", KIND_WAIT, all_blocked_exec, 0, 0, 0, 0, 0},
    {"a handler for each signal", KIND_WAIT, every_handler, 0, 0, 0, 0, 0},
    {"each signal ignored, exec", KIND_WAIT, every_ignored_exec, 0, 0, 0, 0, 0},
    {"the mask is kept", KIND_EQUAL, mask_is_kept, 0, 0, 0, 0, 0},
    {"beside a small signal stack", KIND_WAIT, small_signal_stack, 0, 0, 0, 0, 0},
    {"on a small stack", KIND_WAIT, small_stack, 0, 0, 0, 0, 0},
#ifdef __GLIBC__
    {"in a coroutine", KIND_WAIT, coroutine, 0, 0, 0, 0, 0},
#endif
    {"after a jump out of a wait", KIND_WAIT, after_jump, 0, 0, 0, 0, 0},
    {"a timer set in its own handler", KIND_WAIT, timer_set_in_its_handler, 0, 0, 0, 0, 0},
    {"setitimer in its own handler", KIND_WAIT, alarm_set_in_its_handler, 0, 0, 0, 0, 0},
    {"a timer set after a jump", KIND_WAIT, timer_set_after_jump, 0, 0, 0, 0, 0},
    {.name = NULL},
};
