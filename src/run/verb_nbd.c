/* SPDX-License-Identifier: MIT */
/*
 * nbd: disks of a domain as NBD exports. Starts nbdkit with our plugin in a child; the plugin is
 * the domain. This process listens, hands the socket over (socket activation: a client may connect
 * at once, and waits until nbdkit serves), starts nbdkit again if that crashes (with --reconnect
 * when there is a Dom0), and removes the name at the end.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/unix_socket.h"
#include "bridge/dom0_look.h"
#include "run/disk_options.h"
#include "run/plugin_path.h"
#include "run/socket_name.h"
#include "run/stop_fd.h"
#include "run/verb.h"
#include "run/verb_option.h"

enum {
    ACTIVATION_FD = 3, /* sd_listen_fds(3): the first descriptor that is passed */
    OWN_ARGUMENTS_MAX = 8 + EXPORTS_MAX,
    ARGUMENT_SIZE = 64,
    EXIT_SIGNAL = 128,
    RESTART_PAUSE_MS = 100,
    END_LIMIT_S = 5, /* for nbdkit, once it is told to end: between two looks at its requests */
    SHORT_LIFE_MS = 1000, /* so soon after its start no client has made it crash */
    SHORT_LIVES_MAX = 10, /* one after the other */
};

struct nbd {
    const char *socket_path;
    struct exports_options options;
    char **foreign; /* nbdkit's arguments */
    int foreign_count;
    char plugin[PLUGIN_PATH_SIZE];
    struct unix_listener listener;
};

/* A disk's requests come from nbdkit's threads, which several rings can part. */
static int take_queues(struct exports_options *options, int argc, char **argv, int *at,
                       struct why *why)
{
    const char *value;
    uint64_t queues;
    int rc = verb_option_take("--queues", argc, argv, at, &value, why);

    if (rc != 1)
        return rc;
    rc = verb_option_number("--queues", value, 1, BLKFRONT_QUEUES_MAX, &queues, why);
    if (rc < 0)
        return rc;
    options->queues = (uint32_t)queues;
    return 1;
}

/* nbdkit's own begin at the first argument that is not one of ours. */
static int parse(int argc, char **argv, struct nbd *nbd, struct why *why)
{
    int at = 1, rc = 1;

    while (at < argc && rc > 0) {
        if (argv[at][0] != '-' && nbd->socket_path == NULL) {
            nbd->socket_path = argv[at++];
            continue;
        }
        rc = take_queues(&nbd->options, argc, argv, &at, why);
        if (rc == 0)
            rc = disk_options_take(&nbd->options, argc, argv, &at, why);
    }
    if (rc < 0)
        return rc;
    if (nbd->socket_path == NULL)
        return why_fail(why, -EINVAL, "SOCKET is missing, the path of the socket to make");
    nbd->foreign = argv + at;
    nbd->foreign_count = argc - at;
    return 0;
}

/* ---- nbdkit's command line ---- */

struct command {
    char texts[OWN_ARGUMENTS_MAX][ARGUMENT_SIZE];
    int text_count;
    char **argv; /* calloc'ed */
    int argc;
};

__attribute__((format(printf, 2, 3))) static void add_text(struct command *command,
                                                           const char *format, ...)
{
    char *text = command->texts[command->text_count++];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, ARGUMENT_SIZE, format, arguments);
    va_end(arguments);
    command->argv[command->argc++] = text;
}

static void add_options(struct command *command, const struct exports_options *options)
{
    char disk[EXPORT_SPEC_TEXT_SIZE];

    for (uint32_t i = 0; i < options->disk_count; i++) {
        export_spec_format(&options->disks[i], disk);
        add_text(command, "disk=%s", disk);
    }
    if (options->domain.tdf_num != 0)
        add_text(command, "tdf=%" PRIu64 "/%" PRIu64, options->domain.tdf_num,
                 options->domain.tdf_den);
    if (options->depth != 0)
        add_text(command, "depth=%" PRIu32, options->depth);
    if (options->queues != 0)
        add_text(command, "queues=%" PRIu32, options->queues);
    if (options->domain.reconnect)
        add_text(command, "reconnect=true");
}

/* The service is named in the environment, which has room for any path. */
static int set_environment(const struct exports_options *options)
{
    if (options->domain.name != NULL && setenv("SPLITDOM_NAME", options->domain.name, 1) < 0)
        return -errno;
    if (options->domain.rundir != NULL && setenv("SPLITDOM_RUNDIR", options->domain.rundir, 1) < 0)
        return -errno;
    return 0;
}

static int make_command(struct nbd *nbd, struct command *command)
{
    const int most = 4 + OWN_ARGUMENTS_MAX + nbd->foreign_count;

    *command = (struct command){.argv = calloc((size_t)most, sizeof(char *))};
    if (command->argv == NULL)
        return -ENOMEM;
    command->argv[command->argc++] = (char *)"nbdkit";
    command->argv[command->argc++] = (char *)"--foreground";
    /* A request occupies a thread of its connection until it is answered. nbdkit's own 16 would be
     * the depth; who names another number later on gets that. */
    add_text(command, "--threads=%" PRIu32,
             nbd->options.depth != 0 ? nbd->options.depth : EXPORTS_DEPTH);
    command->argv[command->argc++] = nbd->plugin;
    add_options(command, &nbd->options);
    for (int i = 0; i < nbd->foreign_count; i++)
        command->argv[command->argc++] = nbd->foreign[i];
    return set_environment(&nbd->options);
}

/* ---- the child ---- */

/* What the caller of the program had it ignore comes to nbdkit, too, from a terminal; and nbdkit
 * sets handlers for all. SIGTERM is what we end it by. */
static void block_ignored(sigset_t *mask)
{
    static const int numbers[] = {SIGINT, SIGHUP};
    sigset_t stops;

    stop_fd_signals(&stops);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (!sigismember(&stops, numbers[i]))
            sigaddset(mask, numbers[i]);
}

static _Noreturn void become_nbdkit(const struct nbd *nbd, const struct command *command,
                                    pid_t parent, const sigset_t *mask)
{
    char pid[24];

    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(DOMU_FAILED);
    /* A descriptor that has its number already keeps its close-on-exec flag. */
    int fd = nbd->listener.fd == ACTIVATION_FD ? dup(nbd->listener.fd) : nbd->listener.fd;
    if (fd < 0 || dup2(fd, ACTIVATION_FD) < 0 || setenv("LISTEN_FDS", "1", 1) < 0 ||
        setenv("LISTEN_PID", pid, 1) < 0) {
        fprintf(stderr, "domu: cannot hand the socket over: %s\n", strerror(errno));
        _exit(DOMU_FAILED);
    }
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(command->argv[0], command->argv);
    fprintf(stderr, "domu: cannot run nbdkit: %s%s\n", strerror(errno),
            errno == ENOENT ? ": install it (Debian: nbdkit)" : "");
    _exit(DOMU_FAILED);
}

/* Waits for a signal; with a limit no longer than until then. Returns 0 when that has passed. */
static int await_signal(const sigset_t *watched, uint64_t limit_ns)
{
    uint64_t now_ns = clock_monotonic_ns();
    struct timespec left = clock_timespec(limit_ns > now_ns ? limit_ns - now_ns : 0);
    int signo = limit_ns == 0 ? sigwaitinfo(watched, NULL) : sigtimedwait(watched, NULL, &left);

    return signo > 0 ? signo : errno == EAGAIN ? 0 : SIGCHLD;
}

static uint64_t end_limit_ns(void)
{
    return clock_monotonic_ns() + END_LIMIT_S * UINT64_C(1000000000);
}

/* A child that was told to end has not by its limit. Returns the next one. */
static uint64_t lose_patience(const struct nbd *nbd, pid_t child, struct dom0_progress *progress)
{
    unsigned passed_s = END_LIMIT_S * (progress->looks + 1);

    if (!dom0_gets_on(&nbd->options.domain, child, progress)) {
        fprintf(stderr, "domu: nbdkit has not ended after %u s: it is killed\n", passed_s);
        (void)kill(child, SIGKILL);
        return 0;
    }
    if (progress->looks == 1)
        fprintf(stderr, "domu: nbdkit still waits for answers of Dom0: it gets the time\n");
    return end_limit_ns();
}

/*
 * Waits for the child's end. A signal that is to end us is passed on, and noted in *told. nbdkit
 * then waits for its requests, and if Dom0 is stopped or hangs it waits for ever: it is killed, and
 * its domain ends with it. Where Dom0 is only slow it gets the time.
 */
static int await_end(const struct nbd *nbd, pid_t child, const sigset_t *watched, bool *told)
{
    struct dom0_progress progress = {0};
    uint64_t limit_ns = 0;
    int status, signo;

    for (;;) {
        signo = await_signal(watched, limit_ns);
        if (signo == 0) {
            limit_ns = lose_patience(nbd, child, &progress);
        } else if (signo != SIGCHLD) {
            if (!*told)
                limit_ns = end_limit_ns();
            *told = true;
            (void)kill(child, SIGTERM);
        } else if (waitpid(child, &status, WNOHANG) == child) {
            return status;
        }
    }
}

/* Did it end by a fault of its own? nbdkit 1.32 aborts when a client goes away while several of its
 * answers are being sent (an assertion in raw_send_socket); other clients are not to suffer. */
static bool has_crashed(int status)
{
    static const int crashes[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

    for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
        if (WIFSIGNALED(status) && WTERMSIG(status) == crashes[i])
            return true;
    return false;
}

/* It has crashed. One that does so at each start is of no use, and joins Dom0 each time. */
static bool is_of_use(uint64_t began_ns, uint32_t *short_lives)
{
    bool is_short = clock_monotonic_ns() - began_ns < SHORT_LIFE_MS * UINT64_C(1000000);

    *short_lives = is_short ? *short_lives + 1 : 0;
    if (*short_lives < SHORT_LIVES_MAX)
        return true;
    fprintf(stderr, "domu: nbdkit has died at once %d times: it is not started again\n",
            SHORT_LIVES_MAX);
    return false;
}

/* Returns false when we are told to end meanwhile. */
static bool pause_a_moment(const sigset_t *watched)
{
    const struct timespec pause = {.tv_nsec = RESTART_PAUSE_MS * 1000000L};
    int signo;

    do
        signo = sigtimedwait(watched, NULL, &pause);
    while ((signo < 0 && errno == EINTR) || signo == SIGCHLD);
    return signo < 0;
}

/* Before nbdkit is started once more. As pause_a_moment. */
static bool pause_before_restart(int status, const sigset_t *watched)
{
    fprintf(stderr,
            "domu: nbdkit died (%s), and is started again; its clients must connect again\n",
            strsignal(WTERMSIG(status)));
    return pause_a_moment(watched);
}

/* nbdkit opens its disks when it starts, so there has to be a Dom0. As pause_a_moment. */
static bool await_dom0(const struct domu_options *domain, const sigset_t *watched)
{
    if (!dom0_is_away(domain))
        return true;
    fprintf(stderr, "domu: there is no Dom0: nbdkit is started again when there is one\n");
    do {
        if (!pause_a_moment(watched))
            return false;
    } while (dom0_is_away(domain));
    return true;
}

static pid_t start_nbdkit(const struct nbd *nbd, const struct command *command, pid_t parent,
                          const sigset_t *mask)
{
    pid_t child = fork();

    if (child == 0)
        become_nbdkit(nbd, command, parent, mask);
    if (child < 0)
        fprintf(stderr, "domu: cannot start nbdkit: %s\n", strerror(errno));
    return child;
}

/* What was served before is not given up for want of a Dom0, which may go before it is found, too.
 */
static bool may_go_on(const struct nbd *nbd, int status, uint32_t crashes)
{
    return crashes > 0 && nbd->options.domain.reconnect && WIFEXITED(status) &&
           WEXITSTATUS(status) != 0 && dom0_is_away(&nbd->options.domain);
}

static int serve(struct nbd *nbd, const struct command *command)
{
    sigset_t watched, former;
    pid_t parent = getpid();
    uint32_t short_lives = 0, crashes = 0;
    bool told = false;
    int status;

    stop_fd_signals(&watched);
    sigaddset(&watched, SIGCHLD);
    sigprocmask(SIG_BLOCK, &watched, &former);
    block_ignored(&former);
    for (;;) {
        uint64_t began_ns = clock_monotonic_ns();
        pid_t child = start_nbdkit(nbd, command, parent, &former);
        if (child < 0)
            return DOMU_FAILED;
        status = await_end(nbd, child, &watched, &told);
        if (told || (!has_crashed(status) && !may_go_on(nbd, status, crashes)))
            break;
        if (has_crashed(status)) {
            crashes++;
            if (!is_of_use(began_ns, &short_lives))
                break;
            if (!pause_before_restart(status, &watched))
                return DOMU_OK;
        }
        if (nbd->options.domain.reconnect && !await_dom0(&nbd->options.domain, &watched))
            return DOMU_OK;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SIGNAL + WTERMSIG(status);
}

static int nbd_main(int argc, char **argv)
{
    struct nbd nbd = {.listener = UNIX_LISTENER_CLOSED};
    struct command command;
    struct why why;
    int status = DOMU_FAILED;

    signal(SIGPIPE, SIG_IGN); /* a write then says EPIPE */
    signal(SIGCHLD, SIG_DFL); /* ignored, it would tell nothing of nbdkit's end */
    if (parse(argc, argv, &nbd, &why) < 0)
        return verb_usage(&verb_nbd, &why);
    int rc = plugin_path_find(nbd.plugin, &why);
    if (rc < 0)
        return verb_end(rc, &why);
    rc = make_command(&nbd, &command);
    if (rc < 0)
        fprintf(stderr, "domu: cannot start nbdkit: %s\n", strerror(-rc));
    if (rc == 0 && socket_name_listen(&nbd.listener, nbd.socket_path, &why) < 0)
        fprintf(stderr, "domu: %s\n", why.text);
    else if (rc == 0)
        status = serve(&nbd, &command);
    unix_listener_close(&nbd.listener);
    free(command.argv);
    return status;
}

const struct domu_verb verb_nbd = {
    .name = "nbd",
    .arguments = "SOCKET [options] [nbdkit's arguments]",
    .help = "    serves disks of a domain as NBD exports, by nbdkit\n" DISK_OPTIONS_HELP
            "    --queues N            rings of each disk for nbdkit's threads: 1..8 (1)\n"
            "    What comes after these is nbdkit's: --filter=cow, --readonly, rdelay=5ms ...\n",
    .main = nbd_main,
};
