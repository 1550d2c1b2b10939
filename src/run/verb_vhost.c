/* SPDX-License-Identifier: MIT */
/* vhost-user-blk: a disk of a domain as a vhost-user device, for QEMU, UML and others. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bridge/vhost/vhost_server.h"
#include "run/disk_options.h"
#include "run/socket_name.h"
#include "run/stop_fd.h"
#include "run/verb.h"

/* A guest has a queue for each of its processors: where they share too few slots the disk waits. */
enum { DEFAULT_DEPTH = 128 };

static int parse(int argc, char **argv, struct exports_options *options, const char **path,
                 struct why *why)
{
    int at = 1;

    *path = NULL;
    while (at < argc) {
        int rc = disk_options_take(options, argc, argv, &at, why);
        if (rc < 0)
            return rc;
        if (rc > 0)
            continue;
        if (argv[at][0] == '-' || *path != NULL)
            return why_fail(why, -EINVAL, "unknown argument '%s'", argv[at]);
        *path = argv[at++];
    }
    if (*path == NULL)
        return why_fail(why, -EINVAL, "SOCKET is missing, the path of the socket to make");
    if (options->disk_count > 1)
        return why_fail(why, -EINVAL, "one disk for one socket");
    if (options->depth == 0)
        options->depth = DEFAULT_DEPTH;
    return 0;
}

static void tell(const char *line)
{
    fprintf(stderr, "domu: %s\n", line);
}

static int serve(struct exports *exports, bool read_only, int listen_fd, int stop_fd,
                 struct why *why)
{
    struct vhost_server_options server = {
        .listen_fd = listen_fd, .stop_fd = stop_fd, .read_only = read_only, .tell = tell};
    int rc = exports_acquire(exports, "", &server.bf, why);

    if (rc < 0)
        return rc;
    server.failure_fd = exports_failure_fd(exports);
    rc = server.failure_fd < 0 ? why_fail_errno(why, server.failure_fd, "cannot watch the domain")
                               : vhost_server_run(&server, why);
    if (rc == -ENOTCONN && exports_failure(exports)[0] != '\0') /* not the disk's end alone */
        why_fail(why, rc, "%s", exports_failure(exports));
    exports_hurry(exports);
    exports_release(exports, server.bf);
    return rc;
}

static int run(const struct exports_options *options, const char *path, struct why *why)
{
    struct unix_listener listener = UNIX_LISTENER_CLOSED;
    struct exports *exports = NULL;
    int stop_fd = stop_fd_open(why);
    int rc = stop_fd < 0 ? stop_fd : exports_open(options, &exports, why);

    if (rc == 0)
        rc = socket_name_listen(&listener, path, why);
    if (rc == 0)
        rc = serve(exports, options->disk_count > 0 && options->disks[0].access == EXPORT_READ,
                   listener.fd, stop_fd, why);
    unix_listener_close(&listener);
    exports_close(exports);
    if (stop_fd >= 0)
        close(stop_fd);
    return rc;
}

static int vhost_main(int argc, char **argv)
{
    struct exports_options options = {0};
    const char *path;
    struct why why = {""};

    signal(SIGPIPE, SIG_IGN); /* a write then says EPIPE */
    if (parse(argc, argv, &options, &path, &why) < 0)
        return verb_usage(&verb_vhost, &why);
    return verb_end(run(&options, path, &why), &why);
}

const struct domu_verb verb_vhost = {
    .name = "vhost-user-blk",
    .arguments = "SOCKET [options]",
    .help = "    serves a disk as a vhost-user-blk device, for QEMU, UML and "
            "others\n" DISK_OPTIONS_HELP,
    .main = vhost_main,
};
