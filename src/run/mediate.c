/* SPDX-License-Identifier: MIT */
#include "run/mediate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/clock.h"
#include "ring/barrier.h"
#include "run/mediate_private.h"
#include "run/session.h"
#include "splitdom/xen/shared_info.h"
#include "tdf/counter.h"
#include "tdf/line_rate.h"

enum {
    /* For so long the counter's rate is measured. To tell one TDF from another it must be right
     * within some hundred millionths (tdf/line_rate.h), to show a program its TSC much better. */
    MEASURE_NS = 1000000,
    MEASURE_TSC_NS = 20000000,
    FD_SEARCH_TOP = 1024,
    SAMPLES = 16,
    LINK_BYTES = 40,
};

__attribute__((format(printf, 3, 4))) static int fail(struct mediate_why *why, int rc,
                                                      const char *format, ...)
{
    va_list list;

    if (why != NULL) {
        va_start(list, format);
        vsnprintf(why->text, sizeof(why->text), format, list);
        va_end(list);
    }
    return rc;
}

/* By the shortest of some tries. Clocks that were less apart than such a try takes, beside what the
 * time namespace puts them apart, are taken for one: BOOTTIME of a machine that has never slept
 * must not be behind MONOTONIC. */
static int64_t ahead_ns(clockid_t id, clockid_t of, int64_t namespace_apart_ns)
{
    uint64_t shortest = UINT64_MAX;
    int64_t ahead = 0;

    for (unsigned i = 0; i < SAMPLES; i++) {
        const uint64_t from = clock_ns(of), at = clock_ns(id), span = clock_ns(of) - from;
        if (span < shortest) {
            shortest = span;
            ahead = (int64_t)(at - (from + span / 2)) - namespace_apart_ns;
        }
    }
    if (ahead <= (int64_t)shortest && -ahead <= (int64_t)shortest)
        ahead = 0;
    return ahead + namespace_apart_ns;
}

static int64_t tai_ahead_ns(void)
{
    struct timex timex = {0};

    return adjtimex(&timex) < 0 ? 0 : (int64_t)timex.tai * (int64_t)CLOCK_NS_PER_SEC;
}

/* What the time namespace of this process adds to a clock: 0 also where that is not known, as the
 * file tells of the namespace that children will be in. */
static int64_t namespace_ns(const char *name)
{
    char own[LINK_BYTES] = "", children[LINK_BYTES] = "", clock[LINK_BYTES];
    long long seconds, ns, found = 0;

    if (readlink("/proc/self/ns/time", own, sizeof(own) - 1) < 0 ||
        readlink("/proc/self/ns/time_for_children", children, sizeof(children) - 1) < 0 ||
        strcmp(own, children) != 0)
        return 0;
    FILE *file = fopen("/proc/self/timens_offsets", "re");
    if (file == NULL)
        return 0;
    while (fscanf(file, "%39s %lld %lld", clock, &seconds, &ns) == 3)
        if (strcmp(clock, name) == 0)
            found = seconds * (long long)CLOCK_NS_PER_SEC + ns;
    fclose(file);
    return found;
}

struct instant {
    uint64_t ticks, ns;
};

/* One instant by both clocks; of some tries the one that took the shortest, as this thread may be
 * stopped between two looks. */
static struct instant instant_now(void)
{
    struct instant best = {0, 0};
    uint64_t shortest = UINT64_MAX;

    for (unsigned i = 0; i < SAMPLES; i++) {
        const uint64_t from = counter_tsc_ordered(), ns = clock_monotonic_ns();
        const uint64_t span = counter_tsc_ordered() - from;
        if (span < shortest) {
            shortest = span;
            best = (struct instant){from + span / 2, ns};
        }
    }
    return best;
}

/* Real nanoseconds per tick of the TSC, 32 bits behind the point, since that instant. */
static uint64_t measure_tick(struct instant from, uint64_t span_ns)
{
    const struct timespec end = clock_timespec(from.ns + span_ns);

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
        ;
    const struct instant to = instant_now();
    return to.ticks <= from.ticks ? 0 : line_rate_tick_fp(to.ns - from.ns, to.ticks - from.ticks);
}

static int open_clock(struct mediate *m, const struct mediate_config *config,
                      struct mediate_why *why)
{
    char path[64];

    if (config->clock_offset_bytes < 0 || config->clock_offset_bytes % SESSION_PAGE_BYTES != 0)
        return fail(why, -EINVAL, "the clock lies at no page of its memory");
    m->clock_offset_bytes = config->clock_offset_bytes;
    /* Opened anew, because the programs shall not write the domain's memory. */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", config->clock_fd);
    m->fds[SESSION_FD_CLOCK] = open(path, O_RDONLY | O_CLOEXEC);
    if (m->fds[SESSION_FD_CLOCK] < 0)
        return fail(why, -errno, "%s can't be opened for reading: %s", path, strerror(errno));
    return 0;
}

static int read_counter_kind(struct mediate *m, struct mediate_why *why)
{
    const struct shared_info *info = mmap(NULL, SESSION_PAGE_BYTES, PROT_READ, MAP_SHARED,
                                          m->fds[SESSION_FD_CLOCK], m->clock_offset_bytes);

    if (info == MAP_FAILED)
        return fail(why, -errno, "the domain's clock can't be mapped: %s", strerror(errno));
    m->page = info;
    m->session->counter = load_acquire_u8(&info->vcpu_info[0].time.pad1[0]);
    return 0;
}

/* The last of all, as the time that the others take is part of the measurement. */
static int set_tick(struct mediate *m, bool tsc, struct instant from, struct mediate_why *why)
{
    m->session->tick_ns_fp = m->session->counter == PVCLOCK_COUNTER_TSC
                                 ? measure_tick(from, tsc ? MEASURE_TSC_NS : MEASURE_NS)
                                 : UINT64_C(1) << 32;
    if (!tsc)
        return 0;
    if (m->session->counter != PVCLOCK_COUNTER_TSC || m->session->tick_ns_fp == 0)
        return fail(why, -ENOTSUP, "the TSC can't be dilated: the domain's clock runs by another");
    m->session->tsc_per_ns_fp = UINT64_MAX / m->session->tick_ns_fp;
    return 0;
}

static int make_session(struct mediate *m, struct tdf tdf, struct mediate_why *why)
{
    m->fds[SESSION_FD_MEMORY] = memfd_create("splitdom-session", MFD_CLOEXEC);
    if (m->fds[SESSION_FD_MEMORY] < 0 ||
        ftruncate(m->fds[SESSION_FD_MEMORY], sizeof(*m->session)) < 0)
        return fail(why, -errno, "no memory for the session: %s", strerror(errno));
    m->session = mmap(NULL, sizeof(*m->session), PROT_READ | PROT_WRITE, MAP_SHARED,
                      m->fds[SESSION_FD_MEMORY], 0);
    if (m->session == MAP_FAILED) {
        m->session = NULL;
        return fail(why, -errno, "the session can't be mapped: %s", strerror(errno));
    }
    m->session->magic = SESSION_MAGIC;
    m->session->tdf = mediate_packed(tdf);
    m->session->tdf_running =
        tdf.num != 0 ? mediate_packed(tdf) : mediate_packed((struct tdf){1, 1});
    m->session->tdf_timers = m->session->tdf;
    m->session->namespace_ns = namespace_ns("boottime");
    m->session->namespace_apart_ns = m->session->namespace_ns - namespace_ns("monotonic");
    m->session->boottime_ahead_ns =
        ahead_ns(CLOCK_BOOTTIME, CLOCK_MONOTONIC, m->session->namespace_apart_ns);
    m->session->realtime_ahead_ns = ahead_ns(CLOCK_REALTIME, CLOCK_MONOTONIC, 0);
    m->session->raw_ahead_ns = ahead_ns(CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC, 0);
    m->session->tai_ahead_ns = tai_ahead_ns();
    return 0;
}

/* The shim is executed from its file, and mapped from memory with the same bytes (shim/start.c);
 * nobody can write these. */
static int open_shim(struct mediate *m, const char *path, struct mediate_why *why)
{
    struct stat stat;
    off_t at = 0;

    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(why, -errno, "%s: %s; is the installation complete?", path, strerror(errno));
    m->fds[SESSION_FD_SHIM] = fd;
    int image = memfd_create("splitdom-shim", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (image < 0)
        return fail(why, -errno, "no memory for the shim: %s", strerror(errno));
    m->fds[SESSION_FD_IMAGE] = image;
    if (fstat(fd, &stat) < 0)
        return fail(why, -errno, "%s: %s", path, strerror(errno));
    while (at < stat.st_size) {
        ssize_t n = sendfile(image, fd, &at, (size_t)(stat.st_size - at));
        if (n <= 0)
            return fail(why, n < 0 ? -errno : -EIO, "%s can't be read: %s", path,
                        n < 0 ? strerror(errno) : "it ends early");
    }
    if (fcntl(image, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
        return fail(why, -errno, "the shim's memory can't be sealed: %s", strerror(errno));
    return 0;
}

/* On the clock of another domain: the shim of that one lies where ours would. */
static bool is_mediated(void)
{
    void *at = (void *)(uintptr_t)SESSION_ADDRESS;
    void *found = mmap(at, SESSION_PAGE_BYTES, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    if (found == MAP_FAILED)
        return errno == EEXIST;
    munmap(found, SESSION_PAGE_BYTES);
    return false;
}

int mediate_prepare(const struct mediate_config *config, struct mediate **out,
                    struct mediate_why *why)
{
    int rc;

    *out = NULL;
#if !defined(__x86_64__)
    return fail(why, -ENOTSUP, "programs can be run on a domain's clock on x86-64 only");
#endif
    if (is_mediated())
        return fail(why, -EBUSY, "a program in a domain can't run another domain: start it beside");
    struct mediate *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return fail(why, -ENOMEM, "no memory");
    for (unsigned i = 0; i < SESSION_FDS; i++)
        m->fds[i] = -1;
    const struct instant from = instant_now();
    pthread_mutex_init(&m->lock, NULL);
    m->ready = config->ready;
    m->ready_ctx = config->ctx;
    rc = open_clock(m, config, why);
    if (rc == 0)
        rc = make_session(m, config->tdf, why);
    if (rc == 0)
        rc = read_counter_kind(m, why);
    if (rc == 0) {
        mediate_add_span(m, config->tdf);
        m->session->stamps =
            mediate_is_real(m, config->tdf) ? SESSION_STAMPS_REAL : SESSION_STAMPS_CAUGHT;
    }
    if (rc == 0)
        rc = open_shim(m, config->shim_path, why);
    if (rc == 0)
        rc = set_tick(m, config->tsc, from, why);
    if (rc < 0) {
        mediate_close(m);
        return rc;
    }
    *out = m;
    return 0;
}

void mediate_close(struct mediate *m)
{
    if (m == NULL)
        return;
    mediate_unwatch(m);
    if (m->session != NULL)
        munmap(m->session, sizeof(*m->session));
    if (m->page != NULL)
        munmap((void *)(uintptr_t)m->page, SESSION_PAGE_BYTES);
    for (unsigned i = 0; i < SESSION_FDS; i++)
        if (m->fds[i] >= 0)
            close(m->fds[i]);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* The first of SESSION_FDS successive free numbers, as high as the limit allows; -EMFILE. */
static int place_for_fds(void)
{
    struct rlimit limit = {.rlim_cur = FD_SEARCH_TOP};
    int run = 0;

    getrlimit(RLIMIT_NOFILE, &limit);
    int top = limit.rlim_cur < FD_SEARCH_TOP ? (int)limit.rlim_cur : FD_SEARCH_TOP;
    for (int fd = top - 1; fd > STDERR_FILENO; fd--) {
        run = fcntl(fd, F_GETFD) < 0 ? run + 1 : 0;
        if (run == SESSION_FDS)
            return fd;
    }
    return -EMFILE;
}

/* As execvp finds it. 0, or -errno of the last that was tried. */
static int find_program(const char *program, char path[PATH_MAX])
{
    const char *list = getenv("PATH");
    int rc = -ENOENT;

    if (strchr(program, '/') != NULL || *program == '\0') {
        snprintf(path, PATH_MAX, "%s", program);
        return *program == '\0' ? -ENOENT : 0;
    }
    if (list == NULL)
        list = "/bin:/usr/bin";
    for (const char *end; list != NULL; list = end == NULL ? NULL : end + 1) {
        end = strchr(list, ':');
        int length = end == NULL ? (int)strlen(list) : (int)(end - list);
        snprintf(path, PATH_MAX, "%.*s%s%s", length, list, length == 0 ? "" : "/", program);
        if (access(path, X_OK) == 0)
            return 0;
        if (errno == EACCES)
            rc = -EACCES;
    }
    return rc;
}

static int give_up(const char *program, const char *what, int rc)
{
    fprintf(stderr, "domu run: cannot run '%s': %s: %s\n", program, what, strerror(-rc));
    return rc == -ENOENT ? 127 : 126;
}

int mediate_exec(const struct mediate *m, const char *program, char *const argv[],
                 char *const envp[])
{
    char path[PATH_MAX], how[64];
    size_t argc = 0;
    sigset_t sigsys;

    int rc = find_program(program, path);
    if (rc < 0)
        return give_up(program, "looked for it in PATH", rc);
    int fd = place_for_fds();
    if (fd < 0)
        return give_up(program, "descriptors for the shim", fd);
    for (int i = 0; i < SESSION_FDS; i++)
        if (dup2(m->fds[i], fd + i) < 0)
            return give_up(program, "descriptors for the shim", -errno);
    while (argv[argc] != NULL)
        argc++;
    const char **all = calloc(argc + 3, sizeof(*all));
    if (all == NULL)
        return give_up(program, "its arguments", -ENOMEM);
    /* How the shim begins: its descriptors, the clock's place, no program opened yet. */
    snprintf(how, sizeof(how), "domu:%d:%jd:-1", fd, (intmax_t)m->clock_offset_bytes);
    all[0] = how;
    all[1] = path;
    memcpy(&all[2], argv, argc * sizeof(*all));
    sigemptyset(&sigsys);
    sigaddset(&sigsys, SIGSYS);
    sigprocmask(SIG_BLOCK, &sigsys, NULL);
    syscall(SYS_execveat, fd + SESSION_FD_SHIM, "", all, envp, AT_EMPTY_PATH);
    rc = -errno;
    free(all);
    return give_up(program, "the shim", rc);
}
