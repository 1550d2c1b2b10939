/* SPDX-License-Identifier: MIT */
#include "run/cpu_limit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/decimal.h"

#define GROUP_PREFIX "splitdom-run-"

enum {
    PERIOD_US = 100000, /* the longer, the less its edges cost */
    PERIOD_MAX_US = 1000000,
    QUOTA_MIN_US = 1000, /* the kernel's */
    LINE_SIZE = 8192,
    NAME_SIZE = 64,
};

/* ---- files of a group ---- */

static int write_file(const char *directory, const char *file, const char *text)
{
    char path[CPU_LIMIT_PATH_SIZE + NAME_SIZE];
    snprintf(path, sizeof(path), "%s/%s", directory, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = write(fd, text, strlen(text));
    int rc = n < 0 ? -errno : 0;
    close(fd);
    return rc;
}

static bool has_file(const char *directory, const char *file)
{
    char path[CPU_LIMIT_PATH_SIZE + NAME_SIZE];
    snprintf(path, sizeof(path), "%s/%s", directory, file);
    return access(path, W_OK) == 0;
}

/* ---- where we are ---- */

/* Is `word` one of those that commas part? */
static bool lists(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

/* Where the hierarchy is mounted that has the controller cpu, or the unified one. */
static bool find_mount(bool unified, char out[CPU_LIMIT_PATH_SIZE])
{
    char line[LINE_SIZE];
    bool found = false;
    FILE *file = fopen("/proc/self/mounts", "re");
    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof(line), file) != NULL) {
        char *rest = line;
        (void)strtok_r(rest, " ", &rest);
        char *where = strtok_r(NULL, " ", &rest), *type = strtok_r(NULL, " ", &rest);
        char *options = strtok_r(NULL, " ", &rest);
        if (options == NULL)
            continue;
        found = unified ? strcmp(type, "cgroup2") == 0
                        : strcmp(type, "cgroup") == 0 && lists(options, "cpu");
        if (found)
            snprintf(out, CPU_LIMIT_PATH_SIZE, "%s", where);
    }
    fclose(file);
    return found;
}

/* Our own group, as /proc/self/cgroup has it: "4:cpu,cpuacct:/a/b" or "0::/a/b". */
static bool find_own(bool unified, char out[CPU_LIMIT_PATH_SIZE])
{
    char line[LINE_SIZE];
    bool found = false;
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
        if (path == NULL)
            continue;
        *path++ = '\0';
        controllers++;
        found = unified ? *controllers == '\0' : lists(controllers, "cpu");
        if (found)
            snprintf(out, CPU_LIMIT_PATH_SIZE, "%s", strcmp(path, "/") == 0 ? "" : path);
    }
    fclose(file);
    return found;
}

/* ---- the group ---- */

/* What callers that are gone have left in this directory. */
static void clear_away(const char *parent)
{
    struct dirent *entry;
    uint64_t pid;
    DIR *directory = opendir(parent);
    if (directory == NULL)
        return;
    while ((entry = readdir(directory)) != NULL) {
        if (strncmp(entry->d_name, GROUP_PREFIX, strlen(GROUP_PREFIX)) != 0 ||
            decimal_parse(entry->d_name + strlen(GROUP_PREFIX), 1, INT32_MAX, &pid) < 0)
            continue;
        if (kill((pid_t)pid, 0) == 0 || errno != ESRCH)
            continue;
        /* not while somebody is in it */
        (void)unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR);
    }
    closedir(directory);
}

static const char *limit_file(bool unified)
{
    return unified ? "cpu.max" : "cpu.cfs_quota_us";
}

/* Makes the group in this one. */
static int create_in(struct cpu_limit *limit, const char *parent, bool unified)
{
    clear_away(parent);
    int length = snprintf(limit->path, sizeof(limit->path), "%s/" GROUP_PREFIX "%ld", parent,
                          (long)getpid());
    int rc = length < (int)sizeof(limit->path) ? 0 : -ENAMETOOLONG;
    if (rc == 0 && mkdir(limit->path, 0755) < 0 && errno != EEXIST)
        rc = -errno;
    if (rc == 0 && unified && !has_file(limit->path, limit_file(unified)))
        rc = write_file(parent, "cgroup.subtree_control", "+cpu");
    if (rc == 0 && !has_file(limit->path, limit_file(unified)))
        rc = -EOPNOTSUPP;
    if (rc < 0) {
        (void)rmdir(limit->path);
        limit->path[0] = '\0';
    }
    limit->unified = unified;
    return rc;
}

/* Where a group may be made: too large for a small stack. */
struct place {
    char mount[CPU_LIMIT_PATH_SIZE], own[CPU_LIMIT_PATH_SIZE], parent[2 * CPU_LIMIT_PATH_SIZE];
};

/* In our own group, or the nearest above it that allows one. The first reason is the one to tell.
 */
static int create_at(struct place *place, struct cpu_limit *limit, bool unified, struct why *why)
{
    int first = 0;
    if (!find_mount(unified, place->mount) || !find_own(unified, place->own))
        return -ENOENT;
    for (;;) {
        snprintf(place->parent, sizeof(place->parent), "%s%s", place->mount, place->own);
        int rc = create_in(limit, place->parent, unified);
        if (rc == 0)
            return 0;
        if (first == 0)
            first = why_fail_errno(
                why, rc, "no control group with a limit of CPU can be made in %s", place->parent);
        char *slash = strrchr(place->own, '/');
        if (slash == NULL)
            return first;
        *slash = '\0';
    }
}

static int create_somewhere(struct cpu_limit *limit, bool unified, struct why *why)
{
    struct place *place = malloc(sizeof(*place));
    int rc = place == NULL ? why_fail(why, -ENOMEM, "out of memory")
                           : create_at(place, limit, unified, why);
    free(place);
    return rc;
}

int cpu_limit_create(struct cpu_limit *limit, struct why *why)
{
    *limit = (struct cpu_limit){.path = ""};
    why_fail(why, -ENOENT, "no control groups with the controller cpu are mounted");
    int rc = create_somewhere(limit, false, why);
    return rc == 0 ? 0 : create_somewhere(limit, true, why);
}

static int put(const struct cpu_limit *limit, const char *file, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, value);
    return write_file(limit->path, file, text);
}

int cpu_limit_set(const struct cpu_limit *limit, uint64_t num, uint64_t den, struct why *why)
{
    char text[64];
    uint64_t period_us = PERIOD_US;
    int rc = 0;
    if (limit->path[0] == '\0')
        return 0;
    if (period_us * num / den < QUOTA_MIN_US)
        period_us = (QUOTA_MIN_US * den + num - 1) / num;
    if (period_us > PERIOD_MAX_US)
        period_us = PERIOD_MAX_US;
    uint64_t quota_us = (period_us * num + den / 2) / den;
    if (limit->unified) {
        if (num == den)
            snprintf(text, sizeof(text), "max %" PRIu64, period_us);
        else
            snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64, quota_us, period_us);
        rc = write_file(limit->path, "cpu.max", text);
    } else {
        rc = write_file(limit->path, "cpu.cfs_quota_us", "-1");
        if (rc == 0)
            rc = put(limit, "cpu.cfs_period_us", period_us);
        if (rc == 0 && num != den)
            rc = put(limit, "cpu.cfs_quota_us", quota_us);
    }
    if (rc < 0)
        return why_fail_errno(why, rc, "cannot limit the CPU by %s/%s", limit->path,
                              limit_file(limit->unified));
    return 0;
}

int cpu_limit_enter(const struct cpu_limit *limit)
{
    return limit->path[0] == '\0' ? 0 : write_file(limit->path, "cgroup.procs", "0");
}

static bool is_in(const struct cpu_limit *limit, pid_t pid)
{
    char path[NAME_SIZE], line[LINE_SIZE];
    const char *name = strrchr(limit->path, '/') + 1;
    bool found = false;
    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        const char *last = strrchr(line, '/');
        found = last != NULL && strcmp(last + 1, name) == 0;
    }
    fclose(file);
    return found;
}

int cpu_limit_take(const struct cpu_limit *limit, pid_t pid)
{
    if (limit->path[0] == '\0' || is_in(limit, pid))
        return 0;
    int rc = put(limit, "cgroup.procs", (uint64_t)pid);
    return rc < 0 ? rc : 1;
}

void cpu_limit_destroy(struct cpu_limit *limit)
{
    if (limit->path[0] != '\0')
        (void)rmdir(limit->path);
    limit->path[0] = '\0';
}
