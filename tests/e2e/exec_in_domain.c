/* SPDX-License-Identifier: MIT */
/*
 * exec_in_domain: what an exec does in a domain (domu_run_exec.sh).
 *
 *     exec_in_domain chain N     executes itself N times, each time with a timer and a receive
 *                                time-out set; prints how many filters the process has then
 *     exec_in_domain faults      argument lists that can't be read, and empty ones
 *     exec_in_domain cost N      prints the page faults of an exec, over N of them
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };

static char *program;

static void die(const char *what)
{
    fprintf(stderr, "exec_in_domain: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int filters(void)
{
    char line[256];
    int count = -1;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "Seccomp_filters: %d", &count) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return count;
}

/* What makes the shim set further filters. */
static void set_timers(void)
{
    const struct itimerspec spec = {.it_value.tv_sec = 1000};
    const struct timeval span = {.tv_sec = 1000};
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    int socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (timer < 0 || timerfd_settime(timer, 0, &spec, NULL) < 0)
        die("timerfd");
    if (socket_fd < 0 || setsockopt(socket_fd, SOL_SOCKET, SO_RCVTIMEO, &span, sizeof(span)) < 0)
        die("SO_RCVTIMEO");
    close(timer);
    close(socket_fd);
}

static void chain(int left)
{
    char number[16];
    set_timers();
    if (left == 0) {
        printf("%d\n", filters());
        exit(0);
    }
    snprintf(number, sizeof(number), "%d", left - 1);
    execl(program, program, "chain", number, (char *)NULL);
    die("exec");
}

static void expect_fault(const char *what, char *const *argv, char *const *envp)
{
    execve(program, argv, envp);
    if (errno != EFAULT)
        die(what);
}

static void expect_one_empty(char *const *argv)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        execve(program, argv, (char *[]){"EXEC_IN_DOMAIN=empty", NULL});
        _exit(2);
    }
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        die("an empty list of arguments");
}

static void faults(void)
{
    const char *volatile no_path = (const char *)8;
    char *none[] = {NULL}, *bad[] = {program, (char *)8, NULL};
    char *const *nowhere = (char *const *)8;
    char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || munmap(pages + PAGE, PAGE) < 0)
        die("mmap");
    /* The list runs into a page that is not there; also where a pointer lies across the border. */
    for (int last = 0; last < 8; last += 3) {
        char *at = pages + PAGE - 16 - last;
        for (int i = 0; i < 2; i++)
            memcpy(at + 8 * i, &program, sizeof(program));
        expect_fault("a list without an end", (char *const *)(void *)at, none);
    }
    expect_fault("no list", nowhere, none);
    expect_fault("a list of the kernel's", (char *const *)-PAGE, none);
    expect_fault("an argument that is nowhere", bad, none);
    expect_fault("no environment", (char *[]){program, NULL}, nowhere);
    expect_fault("a variable that is nowhere", (char *[]){program, NULL}, bad);
    execve(no_path, none, none);
    if (errno != EFAULT)
        die("a path that is nowhere");
    expect_one_empty(none);
    expect_one_empty(NULL);
    puts("done"); /* and nothing of it was executed in our place */
}

static void exec_once(void)
{
    pid_t pid = vfork();
    if (pid == 0) {
        execl(program, program, (char *)NULL);
        _exit(1);
    }
    waitpid(pid, NULL, 0);
}

static void cost(int count)
{
    struct rusage usage;
    for (int i = 0; i < count; i++)
        exec_once();
    getrusage(RUSAGE_CHILDREN, &usage);
    printf("%ld\n", usage.ru_minflt / count);
}

int main(int argc, char **argv)
{
    const char *mark = getenv("EXEC_IN_DOMAIN");
    if (mark != NULL)
        return argc == 1 && argv[0][0] == '\0' && argv[1] == NULL ? 0 : 1;
    program = argv[0];
    if (argc > 2 && strcmp(argv[1], "chain") == 0)
        chain(atoi(argv[2]));
    else if (argc > 2 && strcmp(argv[1], "cost") == 0)
        cost(atoi(argv[2]));
    else if (argc > 1 && strcmp(argv[1], "faults") == 0)
        faults();
    return 0;
}
