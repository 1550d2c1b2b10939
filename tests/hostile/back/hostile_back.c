/* SPDX-License-Identifier: MIT */
/*
 * hostile_back: back ends that lie, fall silent and die; one case per weakness that real front ends
 * had. Each runs a client process to its end.
 *
 *     hostile_back --list                 NAME|WHAT IS DONE|EXPECTED REACTION
 *     hostile_back NAME CLIENT            CLIENT: the client's program; prints what was seen
 *
 * Whatever is done, the client must end in time and by itself, say what is wrong if something is,
 * and have written down nothing but sectors that it read, each as Dom0 gave it (full of its own
 * number). Exit status: 0 it did, 1 it did not, 2 wrong arguments.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cases.h"
#include "fakes/fake_disk.h"
#include "ring/barrier.h"

enum { PATIENCE_MS = 20000, ERROR_STATUS_MAX = 127 };

struct run {
    char base[64];
    const struct back_case *test;
    struct back_liar liar;
    struct fake_dom0 *dom0;
    pid_t client;
    int status;
    char said[512]; /* the client's stderr */
    char seen[640];
};

static int64_t now_ms(void)
{
    return (int64_t)(clock_monotonic_ns() / 1000000);
}

static void pause_1ms(void)
{
    const struct timespec ms = {.tv_nsec = 1000000};
    nanosleep(&ms, NULL);
}

static int start_dom0(struct run *r)
{
    struct fake_dom0_script script = r->test->script;
    script.ctx = &r->liar;
    store_full_u32(&r->liar.seen, 0);
    r->dom0 = fake_dom0_start(r->base, &script);
    return r->dom0 == NULL ? -1 : 0;
}

/* In the child: never returns. */
static void become_client(const struct run *r, const char *program)
{
    char threads[16], reads[16];
    int out = open("/dev/null", O_WRONLY), err = -1;
    snprintf(threads, sizeof(threads), "%u",
             r->test->threads != 0 ? r->test->threads : BACK_THREADS);
    snprintf(reads, sizeof(reads), "%d", BACK_READS);
    if (chdir(r->base) == 0)
        err = open("stderr", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (out < 0 || err < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0)
        _exit(ERROR_STATUS_MAX);
    execl(program, program, threads, reads, "--rundir", r->base, "--name", "fake", "--no-progress",
          r->test->reconnects ? "--reconnect" : NULL, (char *)NULL);
    _exit(ERROR_STATUS_MAX);
}

/* What happens to Dom0, or to the client, in mid-run. */
static void interfere(struct run *r)
{
    switch (r->test->then) {
    case THEN_DIES:
        fake_dom0_stop(r->dom0);
        r->dom0 = NULL;
        break;
    case THEN_RESTARTS:
        fake_dom0_stop(r->dom0);
        (void)start_dom0(r);
        break;
    case THEN_SIGNALS: /* one asks for an orderly end, the other does not wait for it */
        kill(r->client, SIGTERM);
        for (int i = 0; i < 50; i++)
            pause_1ms();
        kill(r->client, SIGTERM);
        break;
    case THEN_NOTHING:
        break;
    }
}

/* Returns 0 when the client has ended, -1 when it had to be killed. */
static int wait_client(struct run *r)
{
    int64_t deadline_ms = now_ms() + PATIENCE_MS;
    bool done = r->test->then == THEN_NOTHING;
    while (waitpid(r->client, &r->status, WNOHANG) == 0) {
        if (!done && load_full_u32(&r->liar.seen) >= BACK_LIE_AFTER) {
            done = true;
            interfere(r);
        }
        if (now_ms() > deadline_ms) {
            kill(r->client, SIGKILL);
            waitpid(r->client, &r->status, 0);
            return -1;
        }
        pause_1ms();
    }
    return 0;
}

static FILE *open_of_client(const struct run *r, const char *kind)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s.%d", r->base, kind, (int)r->client);
    return fopen(path, "r");
}

/* The number of records in the client's files, or -1: they are not what Dom0 gave. */
static int64_t check_records(const struct run *r)
{
    FILE *sectors = open_of_client(r, "sectors"), *read = open_of_client(r, "read");
    unsigned long long sector;
    uint8_t bytes[512];
    int64_t count = 0;
    if (sectors != NULL && read != NULL) {
        while (count >= 0 && fscanf(sectors, "%llu", &sector) == 1) {
            bool good =
                fread(bytes, sizeof(bytes), 1, read) == 1 && fake_disk_holds(bytes, sector, 1);
            count = good ? count + 1 : -1;
        }
        if (count >= 0 && fread(bytes, 1, 1, read) != 0)
            count = -1; /* data without a sector number */
    } else if (sectors != NULL || read != NULL) {
        count = -1;
    }
    if (sectors != NULL)
        fclose(sectors);
    if (read != NULL)
        fclose(read);
    return count;
}

static void read_said(struct run *r)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/stderr", r->base);
    FILE *file = fopen(path, "r");
    size_t n = file != NULL ? fread(r->said, 1, sizeof(r->said) - 1, file) : 0;
    r->said[n] = '\0';
    r->said[strcspn(r->said, "\n")] = '\0';
    if (file != NULL)
        fclose(file);
}

/* Is what came of it one of the things that may? */
static bool is_good(struct run *r, bool ended, int64_t records)
{
    const enum back_verdict wanted = r->test->verdict;
    bool exited = ended && WIFEXITED(r->status) && WEXITSTATUS(r->status) < ERROR_STATUS_MAX;
    bool signalled = r->test->then == THEN_SIGNALS && ended && WIFSIGNALED(r->status) &&
                     WTERMSIG(r->status) == SIGTERM;
    bool served = exited && WEXITSTATUS(r->status) == 0 && records == BACK_READS;
    bool failed = (signalled || (exited && WEXITSTATUS(r->status) != 0)) && records >= 0 &&
                  (r->test->message == NULL || strstr(r->said, r->test->message) != NULL);
    if (!ended)
        snprintf(r->seen, sizeof(r->seen), "the client hangs: %s", r->said);
    else if (records < 0)
        snprintf(r->seen, sizeof(r->seen), "wrong data were accepted");
    else if (served)
        snprintf(r->seen, sizeof(r->seen), "%lld reads, all right", (long long)records);
    else if (signalled)
        snprintf(r->seen, sizeof(r->seen), "ended by the second SIGTERM");
    else
        snprintf(r->seen, sizeof(r->seen), "%lld reads, then: %s", (long long)records, r->said);
    switch (wanted) {
    case BACK_SERVED:
        return served;
    case BACK_REFUSED:
        return failed && records == 0;
    case BACK_FAILED:
        return failed && records < BACK_READS;
    case BACK_SERVED_OR_FAILED:
        return served || failed;
    }
    return false;
}

static void remove_files(const struct run *r)
{
    DIR *dir = opendir(r->base);
    struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir != NULL)
        closedir(dir);
    if (rmdir(r->base) < 0)
        fprintf(stderr, "hostile_back: cannot remove %s: %s\n", r->base, strerror(errno));
}

/* Returns whether the client reacted as it must. */
static bool run_variant(struct run *r, const char *program)
{
    bool good = false;
    snprintf(r->base, sizeof(r->base), "/tmp/splitdom-back-XXXXXX");
    if (mkdtemp(r->base) == NULL || start_dom0(r) < 0) {
        snprintf(r->seen, sizeof(r->seen), "cannot start: %s", strerror(errno));
        return false;
    }
    r->client = fork();
    if (r->client == 0)
        become_client(r, program);
    if (r->client > 0) {
        bool ended = wait_client(r) == 0;
        read_said(r);
        good = is_good(r, ended, check_records(r));
    }
    fake_dom0_stop(r->dom0);
    r->dom0 = NULL;
    remove_files(r);
    return good;
}

static int run_case(const struct back_case *test, const char *program)
{
    struct run r = {.test = test};
    uint32_t variants = test->variants != 0 ? test->variants : 1;
    for (uint32_t i = 0; i < variants; i++) {
        r.liar = (struct back_liar){.variant = i};
        if (!run_variant(&r, program)) {
            printf("variant %u: %s\n", i, r.seen);
            return 1;
        }
    }
    printf("%s%s\n", variants > 1 ? "the last one: " : "", r.seen);
    return 0;
}

int main(int argc, char **argv)
{
    static const char *const expected[] = {"served", "refused, with reason", "error, with reason",
                                           "served or error"};
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (uint32_t i = 0; i < back_case_count; i++)
            printf("%s|%s|%s\n", back_cases[i].name, back_cases[i].what,
                   expected[back_cases[i].verdict]);
        return 0;
    }
    signal(SIGPIPE, SIG_IGN);
    for (uint32_t i = 0; argc == 3 && i < back_case_count; i++) {
        if (strcmp(argv[1], back_cases[i].name) == 0)
            return run_case(&back_cases[i], argv[2]);
    }
    fprintf(stderr, "usage: hostile_back --list | NAME CLIENT\n");
    return 2;
}
