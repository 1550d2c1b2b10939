/* SPDX-License-Identifier: MIT */
/*
 * waits: the judge (waits.h). waits --help says how it is called.
 *
 *     waits --tdf 10 -- bin/domu run --tdf 10 --
 *     waits --tdf 10 -- faketime -f '+0 x0.1'
 *
 * Prints a line for each case. Exit: 0 none is wrong, 1 some are, 2 wrong arguments.
 */
#include <sched.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "tests/waits/judge.h"

static int running(const struct judge *judge)
{
    int count = 0;
    for (int i = 0; i < judge->jobs; i++)
        count += judge->runs[i].c != NULL;
    return count;
}

static void begin_case(struct judge *judge, int number)
{
    while (running(judge) == judge->jobs)
        look(judge);
    for (int i = 0; i < judge->jobs; i++) {
        if (judge->runs[i].c != NULL)
            continue;
        judge->runs[i].tries = 0;
        if (start_case(judge, &judge->runs[i], number) < 0) {
            fprintf(stderr, "waits: the dilated half has ended\n");
            exit(1);
        }
        return;
    }
}

static int is_wanted(const struct judge *judge, const struct wait_case *c)
{
    if (judge->pattern != NULL && fnmatch(judge->pattern, c->name, 0) != 0)
        return 0;
    if (judge->except != NULL) {
        char line[128];
        rewind(judge->except);
        while (fgets(line, sizeof(line), judge->except) != NULL) {
            line[strcspn(line, "\n")] = '\0';
            if (strcmp(line, c->name) == 0)
                return 0;
        }
    }
    /* A second of the domain's is too long at a large factor. */
    return !c->whole_seconds || judge->tdf <= 20;
}

static void drain(struct judge *judge)
{
    while (running(judge) > 0)
        look(judge);
}

/* First those that sleep, then those that use a CPU, one at a time; last those that see a
 * difference only where time has passed. */
static int pass_of(const struct wait_case *c)
{
    bool burns = c->kind == KIND_CPU || c->kind == KIND_CPUWAIT;
    return burns ? 1 : c->kind == KIND_EQUAL ? 2 : 0;
}

static void run_all(struct judge *judge)
{
    const struct wait_case *c;
    for (int pass = 0; pass < 3; pass++) {
        for (int i = 0; (c = waits_case(i)) != NULL; i++) {
            if (pass_of(c) != pass || !is_wanted(judge, c))
                continue;
            if (pass == 1)
                drain(judge);
            while (pass == 2 && now() - judge->born_ns < OLD_NS)
                usleep(10000);
            begin_case(judge, i);
        }
        drain(judge);
    }
}

static pid_t start_inside(struct judge *judge, char **wrapper, int count)
{
    int fds[2];
    char number[16];
    char **arguments = calloc((size_t)count + 4, sizeof(*arguments));
    if (arguments == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        /* Out of the way of programs that close what they do not know. */
        snprintf(number, sizeof(number), "%d", fds[1]);
        memcpy(arguments, wrapper, (size_t)count * sizeof(*wrapper));
        arguments[count] = strdup(judge->program);
        arguments[count + 1] = strdup("--inside");
        arguments[count + 2] = number;
        execvp(arguments[0], arguments);
        fprintf(stderr, "waits: cannot start %s: %s\n", arguments[0], strerror(errno));
        _exit(127);
    }
    close(fds[1]);
    free(arguments);
    judge->control_fd = fds[0];
    return pid;
}

static int usage(void)
{
    fputs("usage: waits [options] -- COMMAND...   COMMAND dilates what follows it\n"
          "  --tdf K           the factor that COMMAND is for: 10, 1/2 (default 1)\n"
          "  --wait MS         of the domain's time (default 60, less at a large factor)\n"
          "  --jobs N          cases at a time (default 8)\n"
          "  --only PATTERN    cases whose name matches\n"
          "  --except FILE     not the cases that are named in it, a line each\n"
          "  --program P       the dilated half, if it is another build\n"
          "  --tolerance PCT   default 2\n"
          "  --slack MS        default 2\n"
          "  --tries N         of a case that is wrong (default 1)\n"
          "  --quiet           only what is wrong\n"
          "  --list            the names of the cases\n",
          stderr);
    return 2;
}

static int list(void)
{
    const struct wait_case *c;
    for (int i = 0; (c = waits_case(i)) != NULL; i++)
        puts(c->name);
    return 0;
}

/* Returns the index of what follows the options, or -1. */
static int take_options(struct judge *judge, int argc, char **argv)
{
    int i = 1;
    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        const char *slash;
        if (strcmp(name, "--quiet") == 0) {
            judge->quiet = 1;
            continue;
        }
        if (strcmp(name, "--list") == 0) {
            judge->only_list = 1;
            return argc;
        }
        i++;
        if (strcmp(name, "--tdf") == 0) {
            judge->tdf = atof(value);
            if ((slash = strchr(value, '/')) != NULL)
                judge->tdf /= atof(slash + 1);
        } else if (strcmp(name, "--wait") == 0) {
            judge->wait_ns = (int64_t)(atof(value) * 1e6);
        } else if (strcmp(name, "--jobs") == 0) {
            judge->jobs = atoi(value);
        } else if (strcmp(name, "--only") == 0) {
            judge->pattern = value;
        } else if (strcmp(name, "--except") == 0) {
            judge->except = fopen(value, "re");
            if (judge->except == NULL)
                return -1;
        } else if (strcmp(name, "--program") == 0) {
            judge->program = value;
        } else if (strcmp(name, "--tolerance") == 0) {
            judge->tolerance = atof(value) / 100;
        } else if (strcmp(name, "--slack") == 0) {
            judge->slack_ns = (int64_t)(atof(value) * 1e6);
        } else if (strcmp(name, "--tries") == 0) {
            judge->tries = atoi(value);
        } else {
            return -1;
        }
    }
    return i + 1;
}

int main(int argc, char **argv)
{
    struct judge judge = {.tdf = 1, .tolerance = 0.02, .slack_ns = 2000000, .jobs = 8, .tries = 1};
    if (argc == 3 && strcmp(argv[1], "--inside") == 0)
        return waits_inside_main(atoi(argv[2]));
    if (argc == 5 && strcmp(argv[1], "--case") == 0)
        return waits_exec_main(argv + 2);
    int first = take_options(&judge, argc, argv);
    if (judge.only_list)
        return list();
    if (first < 0 || first > argc || judge.tdf <= 0 || judge.jobs < 1 || judge.jobs > JOBS_MAX)
        return usage();
    if (judge.wait_ns == 0)
        judge.wait_ns = judge.tdf > 20 ? 10000000 : 60000000;
    if (judge.program == NULL)
        judge.program = realpath("/proc/self/exe", NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    judge.tsc_hz = measure_tsc();
    judge.born_ns = now();
    pid_t pid = start_inside(&judge, argv + first, argc - first);
    if (pid < 0)
        return 1;
    /* Where that is allowed, the judge is never late for what it hears. */
    (void)sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
    run_all(&judge);
    close(judge.control_fd);
    waitpid(pid, NULL, 0);
    printf("%d right, %d wrong, %d hang, %d broken, %d absent\n", judge.counts[RIGHT],
           judge.counts[WRONG], judge.counts[HANG], judge.counts[BROKEN], judge.counts[ABSENT]);
    return judge.counts[RIGHT] > 0 &&
                   judge.counts[WRONG] + judge.counts[HANG] + judge.counts[BROKEN] == 0
               ? 0
               : 1;
}
