/* SPDX-License-Identifier: MIT */
/* SIGSYS and seccomp, which a mediation may need for itself: what the program sees of its own. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/waits/waits.h"

static volatile sig_atomic_t came;

static void sleep_and_end(void)
{
    struct timespec span = wait_timespec();
    begin();
    while (nanosleep(&span, &span) < 0 && errno == EINTR)
        ;
    end(0);
}

static int is_blocked(int number)
{
    sigset_t now;
    must(sigprocmask(SIG_BLOCK, NULL, &now), "sigprocmask");
    return sigismember(&now, number);
}

static void change(int how, int number)
{
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, number);
    must(sigprocmask(how, &one, NULL), "sigprocmask");
}

static void *look(void *out)
{
    *(int *)out = is_blocked(SIGSYS);
    return NULL;
}

static int in_thread(void)
{
    pthread_t thread;
    int blocked = 0;
    must(-pthread_create(&thread, NULL, look, &blocked), "thread");
    pthread_join(thread, NULL);
    return blocked;
}

static int in_child(void)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(is_blocked(SIGSYS));
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status);
}

/* Blocked or not, as it was set, in threads and children too; and a wait goes on. */
static void sigsys_in_the_mask(void)
{
    sigset_t all, old;
    if (is_blocked(SIGSYS) || in_thread() || in_child())
        broken("SIGSYS is blocked from the beginning");
    change(SIG_BLOCK, SIGSYS);
    if (!is_blocked(SIGSYS) || !in_thread() || !in_child())
        broken("SIGSYS is not blocked");
    sigfillset(&all);
    sigdelset(&all, SIGSYS);
    must(sigprocmask(SIG_SETMASK, &all, &old), "sigprocmask");
    if (!sigismember(&old, SIGSYS) || is_blocked(SIGSYS))
        broken("SIGSYS is not let through again");
    must(sigprocmask(SIG_SETMASK, &old, NULL), "sigprocmask");
    if (!is_blocked(SIGSYS))
        broken("SIGSYS is not blocked again");
    sleep_and_end();
}

static void unblock_all(int number)
{
    sigset_t all;
    (void)number;
    sigfillset(&all);
    (void)sigprocmask(SIG_UNBLOCK, &all, NULL);
    came = 1;
}

/* Virtual machines handle faults like that. */
static void unblocked_in_handler(void)
{
    static const int numbers[] = {SIGSEGV, SIGTERM, SIGWINCH, SIGUSR1};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct sigaction action = {.sa_handler = unblock_all};
        sigfillset(&action.sa_mask);
        came = 0;
        must(sigaction(numbers[i], &action, NULL), "sigaction");
        must(raise(numbers[i]), "raise");
        if (!came)
            broken("no signal");
    }
    sleep_and_end();
}

static void sigsys_blocked_exec(void)
{
    change(SIG_BLOCK, SIGSYS);
    waits_exec_case("SIGSYS after exec", (char *[]){"WAITS_BLOCKED=1", NULL});
}

/* Also a case of its own, then it is not. */
static void sigsys_after_exec(void)
{
    if (is_blocked(SIGSYS) != (getenv("WAITS_BLOCKED") != NULL))
        broken("SIGSYS is not in the mask as it was before exec");
    sleep_and_end();
}

static void note(int number, siginfo_t *info, void *context)
{
    (void)context;
    came = number == SIGSYS && info->si_pid == getpid();
}

/* It is shown as it was set when another handler takes its place. */
static void handlers_mask(void)
{
    struct sigaction full = {.sa_handler = SIG_IGN}, none = {.sa_handler = SIG_DFL}, old;
    sigfillset(&full.sa_mask);
    must(sigaction(SIGUSR1, &full, NULL), "sigaction");
    must(sigaction(SIGUSR1, &none, &old), "sigaction");
    if (!sigismember(&old.sa_mask, SIGSYS) || !sigismember(&old.sa_mask, SIGUSR2))
        broken("the handler's mask is not shown as it was set");
    must(sigaction(SIGUSR1, &full, &old), "sigaction");
    if (sigismember(&old.sa_mask, SIGSYS))
        broken("a mask that was never set is shown");
    sleep_and_end();
}

/* A handler of the program's own is shown, and called for what others send. */
static void sigsys_handler(void)
{
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO}, now;
    must(sigaction(SIGSYS, NULL, &now), "sigaction");
    if (now.sa_handler != SIG_DFL)
        broken("somebody else's handler is shown");
    must(sigaction(SIGSYS, &action, NULL), "sigaction");
    must(sigaction(SIGSYS, NULL, &now), "sigaction");
    if (now.sa_sigaction != note || !(now.sa_flags & SA_SIGINFO))
        broken("the own handler is not shown");
    must(kill(getpid(), SIGSYS), "kill");
    if (!came)
        broken("the own handler was not called");
    sleep_and_end();
}

static void note_any(int number)
{
    came = number != 0;
}

/* The child shares our memory, and sets what has a handler to the default. */
static void handler_after_spawn(int number)
{
    static char name[] = "true";
    const struct sigaction action = {.sa_handler = note_any};
    struct sigaction now;
    pid_t pid;
    int status;
    must(sigaction(number, &action, NULL), "sigaction");
    if (posix_spawnp(&pid, name, NULL, NULL, (char *[]){name, NULL}, NULL) != 0)
        broken("no child");
    must(waitpid(pid, &status, 0), "waitpid");
    must(sigaction(number, NULL, &now), "sigaction");
    if (now.sa_handler != note_any)
        broken("the child has taken the handler away");
    must(kill(getpid(), number), "kill");
    if (!came)
        broken("the handler was not called");
    sleep_and_end();
}

static void sigsys_after_spawn(void)
{
    handler_after_spawn(SIGSYS);
}

static void sigsegv_after_spawn(void)
{
    handler_after_spawn(SIGSEGV);
}

/* By default it ends a process; ignored, it does nothing. */
static void sigsys_default(void)
{
    int status = 0;
    signal(SIGSYS, SIG_IGN);
    must(kill(getpid(), SIGSYS), "kill");
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        signal(SIGSYS, SIG_DFL);
        kill(getpid(), SIGSYS);
        _exit(0);
    }
    must(waitpid(pid, &status, 0), "waitpid");
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
        broken("SIGSYS does not end a process");
    sleep_and_end();
}

/* A filter of the program's own: set, or refused as where there are none. */
static void own_filter(void)
{
    struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog filter = {.len = 1, .filter = allow};
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0 && errno != EINVAL)
        broken("prctl is refused in another way");
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0 && errno != EINVAL)
        broken("seccomp is refused in another way");
    sleep_and_end();
}

#ifdef __GLIBC__ /* others read into memory of their own */
static sigjmp_buf back;
static void *volatile fault;

static void note_fault(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    fault = info->si_addr;
    siglongjmp(back, 1);
}

/* A reading that goes nowhere fails, or ends in a fault that tells where. */
static void bad_address(void)
{
    struct sigaction action = {.sa_sigaction = note_fault, .sa_flags = SA_SIGINFO};
    void *const nowhere = (void *)8;
    must(sigaction(SIGSEGV, &action, NULL), "sigaction");
    fault = nowhere;
    if (sigsetjmp(back, 1) == 0)
        (void)gettimeofday(nowhere, NULL);
    void *const of_day = fault;
    if (sigsetjmp(back, 1) == 0)
        (void)clock_gettime(CLOCK_MONOTONIC, nowhere);
    if (of_day != nowhere || fault != nowhere)
        broken("the fault is said to be elsewhere");
    sleep_and_end();
}
#endif

static void tsc_mode(void)
{
#ifdef PR_SET_TSC
    int mode = 0;
    must(prctl(PR_GET_TSC, &mode), "PR_GET_TSC");
    if (mode != PR_TSC_ENABLE)
        broken("PR_GET_TSC tells what the program has not set");
    if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV) == 0)
        must(prctl(PR_SET_TSC, PR_TSC_ENABLE), "PR_SET_TSC");
    else if (errno != EINVAL)
        broken("PR_SET_TSC is refused in another way");
    sleep_and_end();
#else
    absent("no PR_SET_TSC");
#endif
}

const struct wait_case cases_signal[] = {
    {"SIGSYS in the mask", KIND_WAIT, sigsys_in_the_mask, 0, 0, 0, 0, 0},
    {"all unblocked in a handler", KIND_WAIT, unblocked_in_handler, 0, 0, 0, 0, 0},
    {"SIGSYS after exec", KIND_WAIT, sigsys_after_exec, 0, 0, 0, 0, 0},
    {"SIGSYS is blocked, exec", KIND_WAIT, sigsys_blocked_exec, 0, 0, 0, 0, 0},
    {"a handler for SIGSYS", KIND_WAIT, sigsys_handler, 0, 0, 0, 0, 0},
    {"SIGSYS's handler after spawn", KIND_WAIT, sigsys_after_spawn, 0, 0, 0, 0, 0},
    {"SIGSEGV's handler after spawn", KIND_WAIT, sigsegv_after_spawn, 0, 0, 0, 0, 0},
    {"a handler's mask", KIND_WAIT, handlers_mask, 0, 0, 0, 0, 0},
    {"SIGSYS ignored and by default", KIND_WAIT, sigsys_default, 0, 0, 0, 0, 0},
    {"a seccomp filter", KIND_WAIT, own_filter, 0, 0, 0, 0, 0},
#ifdef __GLIBC__
    {"a bad address", KIND_WAIT, bad_address, 0, 0, 0, 0, 0},
#endif
    {"PR_SET_TSC", KIND_WAIT, tsc_mode, 0, 0, 0, 0, 0},
    {.name = NULL},
};
