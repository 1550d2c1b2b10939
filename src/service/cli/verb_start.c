/* SPDX-License-Identifier: MIT */
/*
 * start: finds the run directory, leaves the terminal, takes the lock, removes what a dead service
 * left, and runs Dom0. The process that will be Dom0 takes the lock, so the holder's pid is Dom0's.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "service/block/engine/image_nbd.h"
#include "service/cli/daemon.h"
#include "service/cli/lock.h"
#include "service/cli/verb.h"
#include "service/dom0/disks/disk_spec.h"
#include "service/dom0/dom0.h"

struct start {
    struct dom0_options options;
    struct rundir rundir;
    bool foreground;
    struct daemon daemon;
    struct lock lock;
    struct why why;
};

/* The daemon leaves the current directory: makes the image's path absolute. Free *path. */
static int resolve_image(struct start *start, char **path)
{
    *path = NULL;
    if (start->options.image_path == NULL || start->options.image_path[0] == '/' ||
        image_nbd_is_uri(start->options.image_path))
        return 0;
    char *directory = getcwd(NULL, 0);
    int rc = directory == NULL ? -errno : 0;
    if (rc == 0 && asprintf(path, "%s/%s", directory, start->options.image_path) < 0)
        rc = -ENOMEM;
    if (rc == 0 && strlen(*path) >= PATH_MAX)
        rc = -ENAMETOOLONG;
    free(directory);
    if (rc < 0) {
        fprintf(stderr, "service: cannot find %s from the current directory: %s\n",
                start->options.image_path, strerror(-rc));
        return rc;
    }
    start->options.image_path = *path;
    return 0;
}

/* The same of the targets of disks. Free *disks. */
static int resolve_disks(struct start *start, const struct service_options *options,
                         struct disk_spec **disks)
{
    uint32_t count = options->dom0.disk_count;
    char *directory = getcwd(NULL, 0);
    int rc = directory == NULL ? -errno : 0;
    if (rc < 0)
        why_fail_errno(&start->why, rc, "cannot find the current directory");
    *disks = calloc(count + 1, sizeof(**disks));
    if (*disks == NULL)
        rc = why_fail(&start->why, -ENOMEM, "out of memory for disks");
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        struct disk_spec *disk = &(*disks)[i];
        rc = disk_spec_parse(options->disks[i], disk, &start->why);
        if (rc == 0)
            rc = disk_spec_resolve(disk, directory, &start->why);
    }
    free(directory);
    start->options.disks = *disks;
    if (rc < 0)
        fprintf(stderr, "service: cannot start: %s\n", start->why.text);
    return rc;
}

/* Dom0 serves: what dom0_run calls. */
static void report_ready(void *argument)
{
    struct start *start = argument;

    if (!start->foreground)
        daemon_ready(&start->daemon);
}

static int restore_lock(void *argument)
{
    struct start *start = argument;
    return lock_restore(&start->lock);
}

static int run_locked(struct start *start)
{
    const struct log_options log_options = {.path = start->rundir.log,
                                            .to_stderr = start->foreground};
    const struct dom0_caller caller = {
        .ready = report_ready, .restore_lock = restore_lock, .ctx = start};
    struct log *log;
    int rc;

    /* This process holds the lock, so no other process uses these. */
    unlink(start->rundir.control_socket);
    unlink(start->rundir.store_socket);
    rc = log_open(&log_options, &log);
    if (rc < 0)
        return why_fail_errno(&start->why, rc, "cannot open the log %s", start->rundir.log);
    if (!start->foreground)
        rc = daemon_redirect(log_fd(log));
    if (rc < 0)
        why_fail_errno(&start->why, rc, "cannot redirect output to the log");
    else
        rc = dom0_run(&start->options, &start->rundir, log, &caller, &start->why);
    if (rc < 0)
        log_line(log, "cannot go on: %s", start->why.text);
    log_close(log);
    return rc;
}

/* Runs in the process that becomes Dom0. */
static int run(struct start *start)
{
    pid_t holder;
    char who[32] = "";
    int rc = lock_acquire(start->rundir.lock, &start->lock, &holder);

    if (rc == -EAGAIN) {
        if (holder > 0)
            snprintf(who, sizeof(who), " (pid %ld)", (long)holder);
        return why_fail(&start->why, rc,
                        "the service '%s' is already running%s: end it with 'service stop', or "
                        "choose another --name",
                        start->rundir.name, who);
    }
    if (rc < 0)
        return why_fail_errno(&start->why, rc, "cannot take the lock %s", start->rundir.lock);
    rc = run_locked(start);
    lock_release(&start->lock);
    return rc;
}

static int complain(const struct start *start)
{
    fprintf(stderr, "service: cannot start: %s\n", start->why.text);
    return VERB_FAILED;
}

static int start(struct start *start, const struct service_options *options)
{
    umask(077); /* what is made here is Dom0's alone, and Dom0's all the same, whatever was set */
    int rc = rundir_resolve(options->rundir, options->name, true, &start->rundir, start->why.text,
                            sizeof(start->why.text));
    if (rc < 0) {
        complain(start);
        return rc == -EINVAL ? VERB_USAGE : VERB_FAILED;
    }
    if (start->foreground)
        return run(start) == 0 ? VERB_OK : complain(start);
    rc = daemon_detach(&start->daemon, &start->why);
    if (rc == -ECHILD)
        fprintf(stderr, "service: cannot start: %s: see %s\n", start->why.text, start->rundir.log);
    if (rc < 0)
        return rc == -ECHILD ? VERB_FAILED : complain(start);
    if (rc == DAEMON_PARENT)
        return VERB_OK;
    rc = run(start);
    if (rc < 0)
        daemon_fail(&start->daemon, rc, &start->why);
    return rc == 0 ? VERB_OK : VERB_FAILED;
}

int verb_start(const struct service_options *options)
{
    struct start wanted = {.options = options->dom0, .foreground = options->foreground};
    struct disk_spec *disks = NULL;
    char *image_path;
    int status = VERB_FAILED;

    if (resolve_image(&wanted, &image_path) == 0 && resolve_disks(&wanted, options, &disks) == 0)
        status = start(&wanted, options);
    free(image_path);
    free(disks);
    return status;
}
