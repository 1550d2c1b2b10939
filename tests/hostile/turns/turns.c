/* SPDX-License-Identifier: MIT */
/*
 * turns: how long the turns of Dom0's loop get beside each hostile front end. Dom0 runs in this
 * process, so that each turn can be timed; the front end, and an honest client, are children.
 *
 *     turns FRONT CLIENT [CASE]...     FRONT: hostile_front, CLIENT: the client; default: all cases
 *
 * Time is the loop's processor time: how the kernel shares the CPUs is not Dom0's doing. A turn
 * that is longer than its bound is measured again, up to TRIES times: an interrupt may have come
 * between. Environment: CASE_MS (400) for each case. Exit status: 0 no turn was longer, 1 one was,
 * 2 wrong arguments, or nothing could be measured.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "fakes/fake_machine.h"
#include "service/block/device.h"
#include "service/loop/work_gate.h"

enum { TRIES = 4, CASE_MS = 400, WARM_UP_TURNS = 2000, NAME_BYTES = 64, DOMAINS_MAX = 16 };

/* docs/security.md has these figures, and why. */
enum {
    TURN_MAX_NS = 3000000,
    REQUESTS_MAX = 4 * 64 * DOMAINS_MAX, /* rounds, requests a visit, rings */
    DOMAINS_MADE_MAX = 4 * 4,            /* rounds, packets a round */
};

struct turns {
    struct fake_machine machine;
    bool over; /* the front end has ended */
    uint64_t count, longest_ns, requests_most, domains_most;
};

static void on_exit_of_front(void *ctx, uint32_t revents)
{
    struct turns *t = ctx;
    (void)revents;
    t->over = true;
}

static uint64_t more(uint64_t most, uint64_t now)
{
    return now > most ? now : most;
}

static void take_turn(struct turns *t)
{
    struct dom0 *d = t->machine.dom0;
    uint64_t requests = worker_stats(&d->worker).requests, made = d->domains_created;
    uint64_t begin_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    if (worker_turn(&d->worker) > 0 && !t->over)
        (void)worker_sleep(
            &d->worker); /* what came meanwhile is noted there, which is part of a turn */
    uint64_t took_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns;
    t->count++;
    t->longest_ns = more(t->longest_ns, took_ns);
    t->requests_most = more(t->requests_most, worker_stats(&d->worker).requests - requests);
    t->domains_most = more(t->domains_most, d->domains_created - made);
}

/* In the child: never returns. */
static void become(const struct turns *t, char *const argv[])
{
    int null = open("/dev/null", O_RDWR);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); /* Dom0 blocks what it waits for */
    setenv("SPLITDOM_RUNDIR", t->machine.base, 1);
    setenv("SPLITDOM_NAME", "fake", 1);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(null, STDERR_FILENO) < 0)
        _exit(127);
    execv(argv[0], argv);
    _exit(127);
}

static pid_t start(const struct turns *t, char *const argv[])
{
    pid_t child = fork();
    if (child == 0)
        become(t, argv);
    return child;
}

/* Turns until the child has ended. Returns its exit status, or -1. */
static int turn_beside(struct turns *t, pid_t child)
{
    struct poller_watch *watch;
    int status, fd = pidfd_open(child, 0);
    t->over = false;
    if (fd < 0 ||
        poller_add(t->machine.dom0->worker.poller, fd, POLLIN, on_exit_of_front, t, &watch) < 0) {
        perror("turns: cannot watch a child");
        exit(2);
    }
    while (!t->over)
        take_turn(t);
    poller_remove(t->machine.dom0->worker.poller, watch);
    close(fd);
    if (waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

static bool is_within(const struct turns *t)
{
    return t->longest_ns <= TURN_MAX_NS && t->requests_most <= REQUESTS_MAX &&
           t->domains_most <= DOMAINS_MADE_MAX;
}

/* Returns whether all turns kept within the bounds. */
static bool measure(struct turns *t, char *front, char *name, char *milliseconds)
{
    char *argv[] = {front, name, milliseconds, NULL};
    for (int i = 0; i < TRIES; i++) {
        t->count = t->longest_ns = t->requests_most = t->domains_most = 0;
        int status = turn_beside(t, start(t, argv));
        if (status < 0 || status > 1) {
            fprintf(stderr, "turns: %s cannot be run\n", name);
            exit(2);
        }
        if (is_within(t))
            break;
    }
    printf("%-17s %8" PRIu64 " %8.3f %9" PRIu64 " %8" PRIu64 "  %s\n", name, t->count,
           (double)t->longest_ns / 1e6, t->requests_most, t->domains_most,
           is_within(t) ? "ok" : "LONG");
    fflush(stdout);
    return is_within(t);
}

static bool measure_all(struct turns *t, char *front, char *milliseconds)
{
    char command[512], line[256];
    bool good = true;
    snprintf(command, sizeof(command), "'%s' --list", front);
    FILE *list = popen(command, "r");
    while (list != NULL && fgets(line, sizeof(line), list) != NULL) {
        line[strcspn(line, "|")] = '\0';
        good = measure(t, front, line, milliseconds) && good;
    }
    if (list == NULL || pclose(list) != 0) {
        fprintf(stderr, "turns: no list of %s\n", front);
        exit(2);
    }
    return good;
}

static void boot(struct turns *t)
{
    if (fake_machine_create(&t->machine) < 0) {
        perror("turns: cannot make a place for Dom0");
        exit(2);
    }
    t->machine.real_time = true;
    t->machine.options.max_domains = DOMAINS_MAX;
    t->machine.options.idle_timeout_ns = 0;
    if (fake_machine_boot(&t->machine) < 0) {
        fprintf(stderr, "turns: %s\n", t->machine.why.text);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct turns t = {.count = 0};
    char milliseconds[16];
    const char *wanted = getenv("CASE_MS");
    if (argc < 3) {
        fprintf(stderr, "usage: turns FRONT CLIENT [CASE]...\n");
        return 2;
    }
    snprintf(milliseconds, sizeof(milliseconds), "%d", wanted != NULL ? atoi(wanted) : CASE_MS);
    boot(&t);
    char *neighbour[] = {argv[2], "2", "1000000000000", "--no-record", NULL};
    pid_t client = start(&t, neighbour);
    while (worker_stats(&t.machine.dom0->worker).requests == 0 || t.count < WARM_UP_TURNS)
        take_turn(&t);
    printf("%-17s %8s %8s %9s %8s\n", "front end", "turns", "longest", "requests", "domains");
    bool good = argc == 3 && measure_all(&t, argv[1], milliseconds);
    for (int i = 3; i < argc; i++)
        good = measure(&t, argv[1], argv[i], milliseconds) && (i == 3 || good);
    kill(client, SIGKILL);
    (void)turn_beside(&t, client);
    while (t.machine.dom0->domain_count > 0 || vdisks_in_flight(&t.machine.dom0->vdisks) > 0)
        take_turn(&t);
    return fake_machine_destroy(&t.machine) == 0 && good ? 0 : 1;
}
