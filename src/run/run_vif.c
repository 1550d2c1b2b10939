/* SPDX-License-Identifier: MIT */
#include "run/run_vif.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Of /proc/self; the file is there. */
static int write_proc(const char *name, const char *text)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/%s", name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = write(fd, text, strlen(text)) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

static int enter_as_user(void)
{
    const unsigned int uid = getuid(), gid = getgid();
    char map[32];
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        return -errno;
    snprintf(map, sizeof(map), "%u %u 1", uid, uid);
    int rc = write_proc("uid_map", map);
    if (rc == 0)
        rc = write_proc("setgroups", "deny"); /* else the next one is not permitted */
    snprintf(map, sizeof(map), "%u %u 1", gid, gid);
    return rc < 0 ? rc : write_proc("gid_map", map);
}

int run_vif_enter(struct why *why)
{
    int rc = unshare(CLONE_NEWNET) < 0 ? -errno : 0;
    if (rc == -EPERM)
        rc = enter_as_user();
    return rc < 0 ? why_fail_errno(why, rc,
                                   "--vif: a network namespace is not permitted here (neither to "
                                   "root nor by user namespaces)")
                  : 0;
}

static struct netfront_options device_options(const struct run_vif_options *options)
{
    return (struct netfront_options){.size = sizeof(struct netfront_options),
                                     .devid = options->devid};
}

uint32_t run_vif_pages(const struct run_vif_options *options)
{
    const struct netfront_options device = device_options(options);
    return netfront_pages(&device);
}

/* The kernel's side of the interface. */
static int open_tap(struct run_vif *vif, const struct run_vif_options *options, struct why *why)
{
    struct netfront_info info;
    netfront_info(vif->nf, &info);
    int rc = tap_set_loopback_up(why);
    if (rc == 0)
        rc = tap_open(&vif->tap, "eth0", 1, &info, why);
    if (rc == 0 && options->address != NULL)
        rc = tap_set_address(&vif->tap, options->address, why);
    return rc;
}

int run_vif_open(struct run_vif *vif, struct domu *domu, const struct run_vif_options *options,
                 struct why *why)
{
    const struct netfront_options device = device_options(options);
    struct netfront_error error;
    *vif = (struct run_vif){.open = true};
    int rc = netfront_open(domu, &device, &vif->nf, &error);
    if (rc < 0)
        why_fail(why, rc, "--vif %u: %s", options->devid, error.text);
    if (rc == 0)
        rc = open_tap(vif, options, why);
    if (rc == 0) {
        rc = tap_pump_start(vif->nf, &vif->tap, &vif->pump);
        if (rc < 0)
            why_fail_errno(why, rc, "--vif: cannot carry frames");
    }
    if (rc < 0)
        run_vif_close(vif);
    return rc;
}

int run_vif_fd(const struct run_vif *vif)
{
    return vif->pump != NULL ? tap_pump_fd(vif->pump) : -1;
}

/* Dom0 may be stopped: to close what it has closed is left for the end. */
void run_vif_lose(struct run_vif *vif, struct why *why)
{
    bool of_tap;
    int rc = tap_pump_error(vif->pump, &of_tap);
    if (of_tap)
        why_fail_errno(why, rc, "eth0 is gone");
    else
        why_fail(why, rc, "eth0 is gone: %s", netfront_failure(vif->nf));
    tap_pump_stop(vif->pump);
    vif->pump = NULL;
    tap_close(&vif->tap);
}

void run_vif_close(struct run_vif *vif)
{
    if (!vif->open)
        return;
    tap_pump_stop(vif->pump);
    tap_close(&vif->tap);
    netfront_close(vif->nf);
    *vif = (struct run_vif){.open = false};
}
