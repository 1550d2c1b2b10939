/* SPDX-License-Identifier: MIT */
#include "base/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int __attribute__((format(printf, 4, 5)))
fail(int error, char *why, size_t why_bytes, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(why, why_bytes, format, arguments);
    va_end(arguments);
    return error;
}

static bool name_is_good(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789._-");

    return name[0] != '.' && length > 0 && length <= RUNDIR_NAME_MAX && name[length] == '\0';
}

static bool is_directory(const char *path)
{
    struct stat st;

    return path != NULL && path[0] == '/' && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* What the base is called in full, on the heap; NULL and errno. */
static char *name_base(const char *given)
{
    const char *xdg = getenv("XDG_RUNTIME_DIR");
    char *base = NULL, *current = NULL;
    int length;

    if (given == NULL && is_directory(xdg))
        length = asprintf(&base, "%s/splitdom", xdg);
    else if (given == NULL)
        length = asprintf(&base, "/tmp/splitdom-%lu", (unsigned long)geteuid());
    else if (given[0] == '/')
        length = asprintf(&base, "%s", given);
    else if ((current = getcwd(NULL, 0)) != NULL)
        length = asprintf(&base, "%s/%s", current, given);
    else
        return NULL;
    free(current);
    return length < 0 ? NULL : base;
}

/* The directory BASE as given, made absolute: Dom0 leaves its current directory. Free *base. */
static int find_base(const char *given, char **base, char *why, size_t why_bytes)
{
    if (given == NULL)
        given = getenv("SPLITDOM_RUNDIR");
    if (given != NULL && given[0] == '\0')
        return fail(-EINVAL, why, why_bytes,
                    "the run directory (--rundir, SPLITDOM_RUNDIR) is empty");
    *base = name_base(given);
    if (*base == NULL)
        return fail(-errno, why, why_bytes, "cannot find the run directory: %s", strerror(errno));
    for (size_t length = strlen(*base); length > 1 && (*base)[length - 1] == '/'; length--)
        (*base)[length - 1] = '\0';
    return 0;
}

static int fill_paths(const char *base, const char *name, struct rundir *out, char *why,
                      size_t why_bytes)
{
    const struct {
        char *path;
        const char *file;
    } paths[] = {
        {out->dir, ""},
        {out->control_socket, "/dom0.sock"},
        {out->store_socket, "/xenstore.sock"},
        {out->lock, "/lock"},
        {out->log, "/dom0.log"},
    };
    bool fits = snprintf(out->base, sizeof(out->base), "%s", base) < RUNDIR_PATH_MAX;

    snprintf(out->name, sizeof(out->name), "%s", name);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        fits &= snprintf(paths[i].path, RUNDIR_PATH_MAX, "%s/%s%s", base, name, paths[i].file) <
                RUNDIR_PATH_MAX;
    if (!fits)
        return fail(-ENAMETOOLONG, why, why_bytes,
                    "%s/%s/xenstore.sock is too long for a socket (107 characters): set "
                    "SPLITDOM_RUNDIR to a shorter directory",
                    base, name);
    return 0;
}

/* Opens the directory and checks the descriptor, not the path: nobody can swap it in between. */
static int check_directory(const char *path, mode_t forbidden, bool create, char *why,
                           size_t why_bytes)
{
    struct stat st;
    int fd, rc = 0;

    if (create && mkdir(path, 0700) != 0 && errno != EEXIST)
        return fail(-errno, why, why_bytes, "cannot make the run directory %s: %s", path,
                    strerror(errno));
    fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        rc = -errno;
        if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
            return fail(-ELOOP, why, why_bytes, "the run directory %s is a symbolic link: refused",
                        path);
        if (rc == -ENOENT)
            return rc;
        return fail(rc, why, why_bytes, "cannot use the run directory %s: %s", path, strerror(-rc));
    }
    if (fstat(fd, &st) != 0)
        rc = fail(-errno, why, why_bytes, "cannot look at the run directory %s: %s", path,
                  strerror(errno));
    else if (st.st_uid != geteuid())
        rc = fail(-EPERM, why, why_bytes,
                  "the run directory %s belongs to user %lu, not to you: refused; set "
                  "SPLITDOM_RUNDIR to one of yours",
                  path, (unsigned long)st.st_uid);
    else if ((st.st_mode & forbidden) != 0)
        rc = fail(-EACCES, why, why_bytes,
                  "the run directory %s is open to other users (mode %04o): refused; choose a "
                  "directory of your own, e.g. /tmp/splitdom-%lu",
                  path, (unsigned)st.st_mode & 07777U, (unsigned long)geteuid());
    close(fd);
    return rc;
}

int rundir_resolve(const char *rundir, const char *name, bool create, struct rundir *out, char *why,
                   size_t why_bytes)
{
    char *base = NULL;
    int rc;

    *out = (struct rundir){.name = ""};
    if (name == NULL)
        name = getenv("SPLITDOM_NAME");
    if (name == NULL)
        name = "default";
    if (!name_is_good(name))
        return fail(-EINVAL, why, why_bytes,
                    "the service's name (--name, SPLITDOM_NAME) must be 1..%d characters of "
                    "A-Z a-z 0-9 . _ - and not begin with '.', not '%s'",
                    RUNDIR_NAME_MAX, name);
    rc = find_base(rundir, &base, why, why_bytes);
    if (rc == 0)
        rc = fill_paths(base, name, out, why, why_bytes);
    free(base);
    if (rc == 0)
        rc = check_directory(out->base, S_IWGRP | S_IWOTH, create, why, why_bytes);
    if (rc == 0)
        rc = check_directory(out->dir, S_IRWXG | S_IRWXO, create, why, why_bytes);
    if (rc == -ENOENT && !create)
        rundir_explain_absence(out, why, why_bytes);
    return rc;
}

void rundir_explain_absence(const struct rundir *rundir, char *why, size_t why_bytes)
{
    bool installed = strncmp(program_invocation_short_name, "splitdom-", 9) == 0;
    bool named = strcmp(rundir->name, "default") != 0;
    snprintf(why, why_bytes,
             "no service '%s' is running in %s: start it with '%sservice start%s%s'", rundir->name,
             rundir->base, installed ? "splitdom-" : "", named ? " --name " : "",
             named ? rundir->name : "");
}
